"""Convergence diagnostics of the draws of a fit, with limits and remedies."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import xarray as xr

from goalinf.inference import _arviz
from goalinf.inference.model.mode_search import MISSED

Kind = Literal["MCMC", "exact", "approximation"]  # of draws
R_HAT, ESS = 1.01, 400.0  # Vehtari et al. (2021): convergence, and enough draws for stable tails
KHAT = 0.7  # Pareto k above which importance weights have too heavy a tail (Vehtari et al. 2024)
_RARE = 0.01  # share of the draws below which the probability of a mode is not checked


@dataclasses.dataclass(frozen=True)
class Fault:
    """Diagnostic beyond its limit, and the remedy."""

    text: str
    remedy: str


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """Convergence of draws.

    Parameters
    ----------
    tree : DataTree
        Tree of a fit; its attributes name the algorithm and the kind of the draws.
    sampled : Dataset
        Draws of the sampled coordinates, with dimensions ``chain`` and ``draw``.
    """

    tree: xr.DataTree
    sampled: xr.Dataset

    @property
    def converged(self) -> bool:
        """True where all diagnostics are within limits; for an approximation: one mode and Pareto k at most 0.7."""
        if self.tree.attrs["kind"] != "MCMC":
            return bool(self.tree.attrs.get("khat", 0.0) <= KHAT and self.tree.attrs.get("modes", 1) == 1)
        return not self._faults()[0]

    def __str__(self) -> str:
        algorithm, kind, sampler = (self.tree.attrs[name] for name in ("algorithm", "kind", "sampler"))
        if kind != "MCMC":
            source = "the exact posterior" if kind == "exact" else f"an approximation ({algorithm})"
            return f"Independent draws from {source}. {sampler}"
        faults, summary = self._faults()
        note = " It was interrupted: these are the draws so far." if self.tree.attrs.get("interrupted", 0) else ""
        if not faults:
            return f"Converged: {summary}. {sampler}{note}"
        remedies = "; ".join(dict.fromkeys(fault.remedy for fault in faults))
        texts = "; ".join(fault.text for fault in faults)
        return f"NOT converged: {texts}. Remedy: {remedies}. {sampler}{note}"

    def _faults(self) -> tuple[list[Fault], str]:
        """Return the diagnostics beyond their limits, and a sentence with all diagnostics."""
        attrs = self.tree.attrs
        r_hat, ess = _arviz.worst(self.sampled)
        khat = attrs.get("khat")
        alternative = "use method='hmc'" if attrs["algorithm"] == "IMH" else "warm up longer (warmup=)"
        more = f"draw more (draws=), {alternative}, or use tighter priors"
        faults = []
        if np.isnan(r_hat):
            faults.append(Fault("R-hat needs more than one chain", "run several chains (chains=)"))
        elif r_hat > R_HAT:
            faults.append(Fault(f"R-hat reaches {beyond_limit(r_hat, R_HAT, 3)} (should be at most {R_HAT})", more))
        if not ess >= ESS:
            printed = beyond_limit(ess, ESS, 0)
            text = f"the smallest effective sample size is {printed} (should be at least {ESS:.0f})"
            faults.append(Fault(text, more))
        if diverged := int(self.tree["sample_stats"]["diverging"].sum()):
            smaller = "use smaller steps (target_accept=0.99), tighter priors, or another parameterization"
            remedy = f"{smaller} (more draws do not remove divergences)"
            faults.append(Fault(f"{diverged} draws diverged", remedy))
        if khat is not None and not khat <= KHAT:
            printed = beyond_limit(khat, KHAT, 2)
            faults.append(Fault(f"the Pareto k of the proposals is {printed} (should be at most {KHAT})", more))
        faults += self._faults_of_modes(more)
        if failures := int(attrs.get("planner_failures", 0)):
            faults.append(Fault(f"the planner did not converge at {failures} draws", "use tighter priors"))
        summary = f"R-hat at most {r_hat:.3f}, smallest effective sample size {ess:.0f}, no divergences"
        return faults, summary + (f", Pareto k of the proposals {khat:.2f}" if khat is not None else "")

    def _faults_of_modes(self, more: str) -> list[Fault]:
        """Return faults for modes with an uncertain probability, and for modes that the search has missed."""
        faults = []
        for number, share in self._shares_of_modes().items():
            r_hat, ess = _arviz.of_indicator(self.tree["sample_stats"].to_dataset()["mode"].values == number)
            if r_hat > R_HAT or not ess >= ESS:
                text = (
                    f"the probability of mode {number} ({share:.3g} of the draws) is estimated from {ess:.0f} "
                    f"effective draws, R-hat {r_hat:.4g}"
                )
                faults.append(Fault(text, more))
        if (missed := float(self.tree.attrs.get("modes_missed", 0.0))) > MISSED:
            text = (
                f"the posterior has more modes than the {self.tree.attrs['modes']} that were found: a further start of "
                f"the search would reach a new one with probability {missed:.2g}"
            )
            remedy = (
                "use a prior that excludes most of the modes (more draws do not reach the missing ones), or one_of "
                "where the modes are few and can be listed"
            )
            faults.append(Fault(text, remedy))
        return faults

    def _shares_of_modes(self) -> dict[int, float]:
        """Return the share of the draws near each of several modes; modes with less than 1 % are left out."""
        stats = self.tree["sample_stats"].to_dataset()
        if "mode" not in stats:
            return {}
        modes, counts = np.unique(stats["mode"].values, return_counts=True)
        shares = dict(zip(modes.tolist(), (counts / counts.sum()).tolist(), strict=True))
        return {mode: share for mode, share in shares.items() if _RARE <= share < 1.0}


def beyond_limit(number: float, limit: float, digits: int) -> str:
    """Format a number beyond a limit with enough digits to show that it differs from the limit."""
    while digits < 15 and float(f"{number:.{digits}f}") == limit:
        digits += 1
    return f"{number:.{digits}f}"
