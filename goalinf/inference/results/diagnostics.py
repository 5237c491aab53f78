"""Convergence of the draws of a fit: figures against their limits, in words, each with its remedy."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np
import xarray as xr

from goalinf.inference import _arviz

Algorithm = Literal["IMH", "HMC", "NUTS"]  # those that make Markov chains
R_HAT, ESS = 1.01, 400.0  # Vehtari et al. (2021): convergence, and draws enough for stable tails
KHAT = 0.7  # Pareto k above which importance weights have too heavy a tail (Vehtari et al. 2024)
MISSED = 0.25  # probability that a further start of the search finds a new mode, above which modes are missing
_RARE = 0.01  # share of the draws below which the probability of a mode is not judged


@dataclasses.dataclass(frozen=True)
class Fault:
    """A figure beyond its limit, and the remedy."""

    text: str
    remedy: str


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """Convergence of draws.

    Parameters
    ----------
    tree : DataTree
        Of a fit; its attributes say what made the draws.
    sampled : Dataset
        Draws of what moves in the chains, with dimensions ``chain`` and ``draw``.
    """

    tree: xr.DataTree
    sampled: xr.Dataset

    @property
    def chained(self) -> bool:
        """True where Markov chains made the draws."""
        return self.tree.attrs.get("algorithm") in get_args(Algorithm)

    @property
    def converged(self) -> bool:
        """True where no figure is beyond its limit; an approximation needs a single mode and Pareto k at most 0.7."""
        if not self.chained:
            return bool(self.tree.attrs.get("khat", 0.0) <= KHAT and self.tree.attrs.get("modes", 1) == 1)
        return not self._faults()[0]

    def __str__(self) -> str:
        algorithm, ran = (str(self.tree.attrs.get(name, "")) for name in ("algorithm", "sampler"))
        if not self.chained:
            known = "the exact posterior" if algorithm == "enumeration" else f"an approximation ({algorithm})"
            return f"Independent draws from {known}. {ran}"
        faults, figures = self._faults()
        cut = " It was interrupted: these are the draws so far." if self.tree.attrs.get("interrupted", 0) else ""
        if not faults:
            return f"Converged: {figures}. {ran}{cut}"
        remedies = "; ".join(dict.fromkeys(fault.remedy for fault in faults))
        texts = "; ".join(fault.text for fault in faults)
        return f"NOT converged: {texts}. Before you trust these numbers, {remedies}. {ran}{cut}"

    def _faults(self) -> tuple[list[Fault], str]:
        """Figures beyond their limits, and all figures in words."""
        attrs = self.tree.attrs
        r_hat, ess = _arviz.worst(self.sampled)
        khat = attrs.get("khat")
        other = "use method='hmc'" if attrs.get("algorithm") == "IMH" else "warm up longer (warmup=)"
        more = f"draw more (draws=), {other}, or use tighter priors"
        faults = []
        if np.isnan(r_hat):
            faults.append(Fault("R-hat cannot tell: run more than one chain", "run several chains (chains=)"))
        elif r_hat > R_HAT:
            faults.append(Fault(f"R-hat reaches {told_apart(r_hat, R_HAT, 3)} (should be at most {R_HAT})", more))
        if not ess >= ESS:
            found = told_apart(ess, ESS, 0)
            text = f"the smallest effective sample size is {found} (should be at least {ESS:.0f})"
            faults.append(Fault(text, more))
        if diverged := int(self.tree["sample_stats"]["diverging"].sum()):
            smaller = "take smaller steps (target_accept=0.99), use tighter priors, or another parameterization"
            remedy = f"draws that diverge are not mended by more of them: {smaller}"
            faults.append(Fault(f"{diverged} draws diverged", remedy))
        if khat is not None and not khat <= KHAT:
            found = told_apart(khat, KHAT, 2)
            faults.append(Fault(f"the Pareto k of the proposals is {found} (should be at most {KHAT})", more))
        faults += self._faults_of_modes(more)
        if failures := int(attrs.get("planner_failures", 0)):
            faults.append(Fault(f"the planner did not reach its residual at {failures} draws", "use tighter priors"))
        figures = f"R-hat at most {r_hat:.3f}, smallest effective sample size {ess:.0f}, no divergences"
        return faults, figures + (f", Pareto k of the proposals {khat:.2f}" if khat is not None else "")

    def _faults_of_modes(self, more: str) -> list[Fault]:
        """Modes whose probability is not known, and modes that the search has missed."""
        faults = []
        for number, share in self._shares_of_modes().items():
            r_hat, ess = _arviz.of_indicator(self.tree["sample_stats"].to_dataset()["mode"].values == number)
            if r_hat > R_HAT or not ess >= ESS:
                text = (
                    f"the probability of mode {number} ({share:.3g} of the draws) is known from {ess:.0f} effective "
                    f"draws, R-hat {r_hat:.4g}"
                )
                faults.append(Fault(text, more))
        if (missed := float(self.tree.attrs.get("modes_missed", 0.0))) > MISSED:
            text = (
                f"the posterior has more modes than the {self.tree.attrs['modes']} that were found: a further start of "
                f"the search would reach a new one with probability {missed:.2g}"
            )
            remedy = (
                "use a prior that rules out most of the modes (more draws do not reach the others), or one_of where "
                "they are few and can be named"
            )
            faults.append(Fault(text, remedy))
        return faults

    def _shares_of_modes(self) -> dict[int, float]:
        """Share of the draws near each mode, where there are several; modes with less than 1 % are left out."""
        stats = self.tree["sample_stats"].to_dataset()
        if "mode" not in stats:
            return {}
        modes, counts = np.unique(stats["mode"].values, return_counts=True)
        shares = dict(zip(modes.tolist(), (counts / counts.sum()).tolist(), strict=True))
        return {mode: share for mode, share in shares.items() if _RARE <= share < 1.0}


def told_apart(number: float, limit: float, digits: int) -> str:
    """A number beyond a limit, with at least so many digits and as many as show that it is beyond."""
    while digits < 15 and float(f"{number:.{digits}f}") == limit:
        digits += 1
    return f"{number:.{digits}f}"
