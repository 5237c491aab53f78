"""Selection of a sampler by a pilot, and the loop that keeps its draws."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr

from goalinf import interrupt
from goalinf.inference import _arviz
from goalinf.inference.model.mode_search import Modes, find_modes
from goalinf.inference.model.posterior import Form, Posterior
from goalinf.inference.results.checkpoint import Checkpoint
from goalinf.inference.results.diagnostics import ESS, KHAT, R_HAT, Algorithm
from goalinf.inference.samplers.chains import ChainMethod, Chains, Draws, thinned
from goalinf.inference.samplers.hmc import Geometry, Kernel, spread_out
from goalinf.inference.samplers.imh import FEW, IndependentChains
from goalinf.inference.samplers.progress import Progress
from goalinf.precision import Precision

Method = Literal["auto", "independence", "hmc", "nuts"]
BLOCK = 50
PART = 100  # draws between two looks at whether it is time to write; the first part is the pilot
_WARMUP = {"IMH": 50, "HMC": 200, "NUTS": 1000}
_ACCEPT = {"HMC": 0.85, "NUTS": 0.95}
_HALVINGS = 3  # of the step size, each of which begins the draws again
_MAX_STEPS = 90  # gradients per draw, of 100 at most, beyond which chains in whitened coordinates hardly move
_WORTH = 0.05  # effective draws per pilot draw below which plain NUTS is likely cheaper
_LONGEST = 4  # times as many draws as were asked for, where these are not enough
_ORDINAL = {2: "2nd", 4: "4th"}
_HOPEFUL = 1.1  # R-hat above which longer chains would not help
_ACCEPTED = 0.6  # rate of independent proposals below which chains stay in one place for long


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sampler settings; see :func:`~goalinf.infer`."""

    chains: int
    warmup: int | None
    draws: int
    method: Method
    target_accept: float | None
    precision: Precision
    chain_method: ChainMethod
    progress: bool | None


@dataclasses.dataclass(frozen=True)
class Sampled:
    """Raw draws, the coordinates they are in, and what ran.

    ``missed`` is the estimated probability that a further search would find a mode that the chains have not visited;
    ``step_size (chains,)`` and ``inverse_mass (chains, D)`` are what the chains need to go on; ``khat`` is the Pareto k
    of independent proposals; ``every`` is k where every k-th draw was kept.
    """

    draws: Draws
    geometry: Geometry
    form: Form
    missed: float
    sentence: str
    algorithm: Algorithm
    warmup: int
    interrupted: bool
    step_size: np.ndarray
    inverse_mass: np.ndarray
    khat: float | None
    every: int = 1


def sample(key: Any, posterior: Posterior, settings: Settings, keep: Checkpoint) -> Sampled:
    """Draws by the first sampler that suits the posterior.

    Raises
    ------
    ValueError
        Where the sampler that was asked for cannot run.
    """
    key_start, key_hmc, key_nuts = jax.random.split(key, 3)
    reasons = []
    modes = None
    if settings.method != "nuts":
        form = posterior.straightest
        modes = _find(key, posterior, form)
        whitened = Geometry.laplace(modes.peaks[0])
        geometry = None if whitened is None else _around(modes, whitened)
        several = geometry is not None and geometry.maps is not None
        independent = jax.random.fold_in(key, 3)
        candidates: list[tuple[Algorithm, Any]] = [("HMC", key_hmc)]
        if settings.method == "independence":
            if form.closed is None and not several:
                raise ValueError(
                    "independent proposals need a soft-optimal agent, a linear reward with a normal prior, float64 and "
                    "a world that can be planned for on the host; use method='auto'"
                )
            candidates = [("IMH", independent)]
        elif settings.method == "auto" and (form.closed is not None or several) and form.size <= FEW:
            candidates.insert(0, ("IMH", independent))
        if geometry is None:
            reasons = ["the curvature at the mode is not positive definite"]
        else:
            for algorithm, key_run in candidates:
                done = _run(key_run, key_start, posterior, form, modes, geometry, algorithm, settings, keep, reasons)
                if isinstance(done, Sampled):
                    return done
                reasons.append(done)
        if settings.method != "auto":
            raise ValueError(f"coordinates cannot be whitened: {' and '.join(reasons)}; use method='nuts'")
    if modes is None or posterior.straightest is not posterior.plain:
        modes = _find(key, posterior, posterior.plain)
    geometry = _around(modes, Geometry.plain(modes.peaks[0].flat))
    done = _run(key_nuts, key_start, posterior, posterior.plain, modes, geometry, "NUTS", settings, keep, reasons)
    assert isinstance(done, Sampled)
    return done


def _find(key: Any, posterior: Posterior, form: Form) -> Modes:
    """Find the modes of a posterior in one of its parameterizations."""
    key_search, key_split = jax.random.split(jax.random.fold_in(key, 4))
    favored = partial(posterior.favored, key_split, form) if posterior.mixture is not None else None
    return find_modes(key_search, form, favored)


def _around(modes: Modes, geometry: Geometry) -> Geometry:
    """Add the maps of all modes to the coordinates; with one mode the coordinates stay as they are."""
    return geometry if len(modes.peaks) == 1 else geometry.among(modes.centers, modes.scales, modes.log_mass)


def chains_of(
    key: Any,
    algorithm: Algorithm,
    form: Form,
    geometry: Geometry,
    start: np.ndarray,
    step_size: np.ndarray,
    inverse_mass: np.ndarray | None,
    *,
    warmup: int,
    target_accept: float,
    method: ChainMethod,
    precision: Precision,
) -> Chains | IndependentChains:
    """Chains of any kind, about to start; see :class:`~goalinf.inference.samplers.chains.Chains`."""
    if algorithm == "IMH":
        return IndependentChains(key, form, geometry, start, block=BLOCK)
    kernel = Kernel(form.density, form.target, algorithm, block=BLOCK, target_accept=target_accept)
    return Chains(
        key,
        kernel,
        geometry,
        form.data,
        start,
        step_size=step_size,
        warmup=warmup,
        method=method,
        precision=precision,
        inverse_mass=inverse_mass,
    )


def _run(
    key: Any,
    key_start: Any,
    posterior: Posterior,
    form: Form,
    modes: Modes,
    geometry: Geometry,
    algorithm: Algorithm,
    settings: Settings,
    keep: Checkpoint,
    reasons: list[str],
) -> Sampled | str:
    """One sampler from start to end; or, where a pilot finds it wanting and it was not asked for, the reason.

    ``reasons`` are those for which others did not run.
    """
    warmup = -(-(_WARMUP[algorithm] if settings.warmup is None else settings.warmup) // BLOCK) * BLOCK
    total = settings.chains * (warmup + -(-settings.draws // BLOCK) * BLOCK)
    judged = settings.method == "auto" and algorithm != "NUTS"
    with Progress(f"{algorithm}, {settings.chains} chains", total, show=settings.progress) as bar:
        chains = chains_of(
            key,
            algorithm,
            form,
            geometry,
            spread_out(key_start, geometry, settings.chains),
            np.full(settings.chains, 0.3 if algorithm == "HMC" else 0.1),
            None,
            warmup=warmup,
            target_accept=settings.target_accept or _ACCEPT.get(algorithm, 0.0),
            method=settings.chain_method,
            precision=settings.precision,
        )
        if warmup:
            chains.advance(warmup, bar, kept=False)
            if chains.interrupted:  # there are no draws to keep
                raise KeyboardInterrupt
        interrupt.keep(True)
        chunks: list[Draws] = []
        halved, count, every = 0, 0, 1

        def so_far() -> Sampled:
            # While chains go on for longer, what they had before is a whole run.
            thinning = every if count >= settings.draws * every else max(every // 2, 1)
            kept = {name: np.concatenate([chunk[name] for chunk in chunks], 1) for name in chunks[0]}
            kept = {name: values[:, : settings.draws] for name, values in thinned(kept, thinning).items()}
            said = _sentence(algorithm, form is posterior.product, len(modes.peaks), halved, thinning, reasons)
            standing = chains.interrupted, chains.step_size, chains.inverse_mass, chains.khat
            return Sampled(kept, geometry, form, modes.missed, said, algorithm, warmup, *standing, thinning)

        while count < settings.draws * every and not chains.interrupted:
            try:
                if count and keep.due():
                    keep.write(so_far())
                chunk = chains.advance(min(PART, settings.draws * every - count), bar)
            except KeyboardInterrupt:  # while writing, or before any chain had finished a block
                if not count:
                    raise
                chains.interrupted = True
                break
            if algorithm == "HMC" and halved < _HALVINGS and chunk["diverging"].any() and not chains.interrupted:
                assert isinstance(chains, Chains)
                # Posteriors of rewards are curved sharply in places that warm-up rarely meets.
                chains.scale_step_size(0.5)
                bar.restart(settings.chains * (count + chunk["potential"].shape[1]))
                chunks, halved, count, every = [], halved + 1, 0, 1
                keep.begin_again()
                continue
            if judged and not chains.interrupted and (verdict := _verdict(chunk, count, chains.khat)):
                keep.begin_again()
                interrupt.keep(False)
                return verdict
            chunks.append(chunk)
            count += chunk["potential"].shape[1]
            if count >= settings.draws * every and not chains.interrupted and _longer(so_far().draws, settings, every):
                bar.lengthen(settings.chains * settings.draws * every)
                every *= 2
                keep.begin_again()  # other draws are kept than those that were written so far
        if every > 1:
            keep.begin_again()
    return so_far()


def _longer(draws: Draws, settings: Settings, every: int) -> bool:
    """Return True where these draws are not enough and twice as many are likely to be."""
    if every >= _LONGEST or settings.chains * settings.draws < 2 * ESS:
        return False  # so few were asked for that they cannot be enough
    r_hat, ess = _arviz.worst(xr.Dataset({"x": (("chain", "draw", "coordinate"), draws["x"])}))
    return (r_hat > R_HAT or ess < ESS) and not r_hat > _HOPEFUL


def _sentence(algorithm: Algorithm, product: bool, modes: int, halved: int, every: int, reasons: list[str]) -> str:
    because = f", because {' and '.join(reasons)}" if reasons else ""
    target = "beta times the reward" if product else "all parameters"
    if algorithm == "IMH":
        around = "the mode" if modes == 1 else f"{modes} modes"
        return f"Independence Metropolis–Hastings on {target}, with Student-t proposals around {around}."
    jumps = f", with jumps between {modes} modes" if modes > 1 else ""
    jumps += f", every {_ORDINAL[every]} draw kept" if every > 1 else ""
    if algorithm == "NUTS":
        return f"NUTS{jumps}{because}."
    said = f"HMC of fixed length on {target}, whitened at the {'heaviest ' * (modes > 1)}mode{jumps}{because}"
    if halved:
        said += f", begun again with a step size {2**halved} times smaller because draws had diverged"
    return said + "."


def _verdict(draws: Draws, before: int, khat: float | None) -> str | None:
    """Why a sampler in whitened coordinates should not go on after a part of its draws; None where it may."""
    if khat is not None and not khat <= KHAT:
        return f"the Pareto k of independent proposals was {khat:.2f}"
    if before:
        return None
    if diverged := int(draws["diverging"].sum()):
        return f"{diverged} of {draws['diverging'].size} pilot draws diverged in whitened coordinates"
    accepted = float(draws["acceptance_rate"].mean())
    if khat is not None:
        if accepted < _ACCEPTED:
            return f"independent proposals were accepted at a rate of {accepted:.2f}"
    elif (steps := float(draws["n_steps"].mean())) > _MAX_STEPS or accepted < 0.5:
        return f"the pilot in whitened coordinates took {steps:.0f} gradients a draw at acceptance {accepted:.2f}"
    worth = _arviz.smallest_ess(draws["x"])
    if worth < _WORTH * draws["diverging"].size:
        return (
            f"the {draws['diverging'].size} pilot draws in whitened coordinates were worth {worth:.0f} independent ones"
        )
    return None
