"""Selection of a sampler: the first one whose pilot run suits the posterior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import jax
import xarray as xr

from goalinf import interrupt
from goalinf.inference import _arviz
from goalinf.inference.model.mode_search import Modes, modes_of
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.results.checkpoint import Checkpoint
from goalinf.inference.results.diagnostics import ESS, KHAT, R_HAT
from goalinf.inference.samplers.chains import HMC, NUTS
from goalinf.inference.samplers.geometry import Coordinates, Geometry, spread_out
from goalinf.inference.samplers.imh import FEW, IndependentChains
from goalinf.inference.samplers.run import Run, run
from goalinf.inference.samplers.sampler import SAMPLERS, Draws, Sampled, Sampler, Settings, State
from goalinf.types import PRNGKey

_MAX_STEPS = 90  # gradients per draw, of 100 at most, beyond which chains in whitened coordinates hardly move
_SMALLEST_ESS = 0.05  # effective draws per pilot draw below which plain NUTS is likely cheaper
_LONGEST = 4  # times as many draws as were asked for, where these are not enough
_ORDINAL = {2: "2nd", 4: "4th"}
_LARGEST_R_HAT = 1.1  # R-hat above which longer chains would not help
_ACCEPTED = 0.6  # rate of independent proposals below which chains stay in one place for long
_TARGETS = {
    "natural": "all parameters",
    "product": "beta times the reward",
    "standardized": "all parameters, with standardized differences of levels from their group",
}
_NOT_WHITENED = "the curvature at the mode is not positive definite"


class UnsuitableError(Exception):
    """Reason why a sampler does not suit a posterior."""


def sample(key: PRNGKey, posterior: Posterior, method: str, settings: Settings, checkpoint: Checkpoint) -> Sampled:
    """Draw by the sampler of this method, or (``"auto"``) by the first sampler that suits the posterior.

    Raises
    ------
    ValueError
        Where the sampler that was asked for cannot run.
    """
    attempt = partial(_attempt, key, posterior, settings, checkpoint)
    find = cache(partial(_find_modes, key, posterior))
    if method == "auto":
        return _first_suitable(posterior, attempt, find)
    sampler = SAMPLERS[method]
    if not sampler.whitened:
        return attempt(sampler, _shifted(posterior.bounded, find))
    coordinates = _whitened(posterior.preferred, find)
    if coordinates is None:
        raise ValueError(f"coordinates cannot be whitened: {_NOT_WHITENED}; use method='nuts'")
    if sampler is IndependentChains and not IndependentChains.possible(coordinates):
        raise ValueError(
            "independent proposals need a soft-optimal agent, a linear reward with a normal prior, float64 and "
            "a world that can be planned for on the host; use method='auto'"
        )
    return attempt(sampler, coordinates)


def _first_suitable(
    posterior: Posterior, attempt: Callable[..., Sampled], find: Callable[[Parameterization], Modes]
) -> Sampled:
    """Try independent proposals where they are possible, then HMC, and draw by NUTS where no pilot run suits."""
    reasons = [_NOT_WHITENED]
    if (coordinates := _whitened(posterior.preferred, find)) is not None:
        few = IndependentChains.possible(coordinates) and coordinates.parameterization.size <= FEW
        candidates: list[type[Sampler]] = [IndependentChains, HMC] if few else [HMC]
        reasons = []
        for sampler in candidates:
            try:
                return attempt(sampler, coordinates, reasons, pilot=True)
            except UnsuitableError as reason:
                reasons.append(str(reason))
    return attempt(NUTS, _shifted(posterior.bounded, find), reasons)


def _find_modes(key: PRNGKey, posterior: Posterior, parameterization: Parameterization) -> Modes:
    """Find the modes of a posterior in one of its parameterizations."""
    return modes_of(posterior, parameterization, *jax.random.split(jax.random.fold_in(key, 4)))


def _whitened(parameterization: Parameterization, find: Callable[[Parameterization], Modes]) -> Coordinates | None:
    """Return coordinates whitened at the mode of largest mass; None where its curvature is not positive definite."""
    modes = find(parameterization)
    geometry = Geometry.laplace(modes.peaks[0])
    return None if geometry is None else _with_maps(modes, parameterization, geometry)


def _shifted(parameterization: Parameterization, find: Callable[[Parameterization], Modes]) -> Coordinates:
    """Return coordinates with the mode of largest mass as origin."""
    modes = find(parameterization)
    return _with_maps(modes, parameterization, Geometry.plain(modes.peaks[0].flat))


def _with_maps(modes: Modes, parameterization: Parameterization, geometry: Geometry) -> Coordinates:
    """Add the affine maps of several modes."""
    if len(modes.peaks) > 1:
        geometry = geometry.among(modes.centers, modes.scales, modes.log_mass)
    return Coordinates(parameterization, geometry, modes.missed)


def _attempt(
    key: PRNGKey,
    posterior: Posterior,
    settings: Settings,
    checkpoint: Checkpoint,
    sampler: type[Sampler],
    coordinates: Coordinates,
    reasons: Sequence[str] = (),
    *,
    pilot: bool = False,
) -> Sampled:
    """Run one sampler from start to end; ``reasons`` are those for which others did not run.

    Raises
    ------
    UnsuitableError
        Where a ``pilot`` shows that another sampler suits the posterior better.
    """
    key_start, key_whitened, key_plain = jax.random.split(key, 3)
    key_run = key_whitened if sampler.whitened else key_plain
    if sampler is IndependentChains:  # is tried before another sampler in whitened coordinates
        key_run = jax.random.fold_in(key, 3)
    target = _TARGETS[coordinates.parameterization.name]
    warmup = sampler.default_warmup if settings.warmup is None else settings.warmup
    return run(
        key_run,
        sampler,
        coordinates,
        State(spread_out(key_start, coordinates.geometry, settings.chains)),
        settings,
        checkpoint,
        sentence=partial(_sentence, target=target, reasons=tuple(reasons)),
        warmup=settings.in_blocks(warmup),
        review=partial(_review, pilot=pilot),
    )


def _review(run: Run, *, pilot: bool) -> None:
    """Let draws begin again, or go on for longer, where the last part shows the need.

    Raises
    ------
    UnsuitableError
        Where a ``pilot`` shows that another sampler suits the posterior better.
    """
    draws = run.parts[-1]
    if run.sampler.shrink_steps(draws):
        run.begin_again()
        return
    if pilot and (reason := _reason_to_stop(draws, len(run.parts) == 1, run.sampler.diagnostics.get("khat"))):
        run.checkpoint.begin_again()
        interrupt.keep(False)
        raise UnsuitableError(reason)
    if run.count >= run.steps and _longer(run.sampled().draws, run.settings, run.every):
        run.lengthen()


def _longer(draws: Draws, settings: Settings, every: int) -> bool:
    """Return True where these draws are not enough and twice as many are likely to be."""
    if every >= _LONGEST or settings.chains * settings.draws < 2 * ESS:
        return False  # so few were asked for that they cannot be enough
    r_hat, ess = _arviz.worst(xr.Dataset({"x": (("chain", "draw", "coordinate"), draws["x"])}))
    return (r_hat > R_HAT or ess < ESS) and not r_hat > _LARGEST_R_HAT


def _sentence(run: Run, *, target: str, reasons: Sequence[str]) -> str:
    sentence = run.sampler.describe(target)
    if run.every > 1:
        sentence += f", every {_ORDINAL[run.every]} draw kept"
    if reasons:
        sentence += f", because {' and '.join(reasons)}"
    if run.restarts:
        sentence += f", begun again with a step size {2**run.restarts} times smaller because draws had diverged"
    return sentence + "."


def _reason_to_stop(draws: Draws, is_first: bool, khat: float | None) -> str | None:
    """Return the reason why a sampler in whitened coordinates should not go on after a part of its draws, or None."""
    if khat is not None and not khat <= KHAT:
        return f"the Pareto k of independent proposals was {khat:.2f}"
    if not is_first:
        return None
    if diverged := int(draws["diverging"].sum()):
        return f"{diverged} of {draws['diverging'].size} pilot draws diverged in whitened coordinates"
    accepted = float(draws["acceptance_rate"].mean())
    if khat is not None:
        if accepted < _ACCEPTED:
            return f"independent proposals were accepted at a rate of {accepted:.2f}"
    elif (steps := float(draws["n_steps"].mean())) > _MAX_STEPS or accepted < 0.5:
        return f"the pilot in whitened coordinates took {steps:.0f} gradients a draw at acceptance {accepted:.2f}"
    size, ess = draws["diverging"].size, _arviz.smallest_ess(draws["x"])
    if ess < _SMALLEST_ESS * size:
        return f"the {size} pilot draws in whitened coordinates have an effective sample size of {ess:.0f}"
    return None
