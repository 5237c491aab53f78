"""Approximations of a posterior: mode, Laplace's method, and stochastic variational inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr
from scipy.special import logsumexp

from goalinf.agents import Agent, Mixture
from goalinf.agents.mixtures import options_of
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_choice, check_count, takes_key
from goalinf.errors import ConvergenceError
from goalinf.inference import _arviz
from goalinf.inference.model import site_labels
from goalinf.inference.model.build import model_of, posterior_of
from goalinf.inference.model.log_density import Model
from goalinf.inference.model.mode import LBFGS_STEPS, NEWTON_SIZE, STEPS, Mode, climb
from goalinf.inference.model.mode_search import Modes, find_modes
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.results.assemble import labeled_fit
from goalinf.inference.results.diagnostics import KHAT, told_apart
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers import svi
from goalinf.inference.samplers.hmc import Geometry
from goalinf.precision import Precision, computing_in

_NO_MODE = "the posterior may have no mode (use a tighter prior), or float32 may be too coarse"
_MORE = "use more steps (steps=) or a tighter prior; the posterior may have no mode"
_KINKS = (
    "this agent plans with a hard maximum: its posterior has kinks where best actions tie, and the gradient does not "
    "vanish at a mode on a kink: use gi.infer, or gi.agents.soft_optimal, whose posterior is smooth"
)
_FEWEST = 25  # draws needed to estimate the tail of the weights
_LARGEST = 1e9  # bytes of a dense curvature


@dataclasses.dataclass(frozen=True, eq=False)
class PointEstimate:
    """Posterior mode.

    Parameters
    ----------
    values : Dataset
        Every parameter at the mode, labeled.
    log_posterior : float
        Log joint density at the mode in nats, in the unconstrained coordinates of the search.
    steps : int
        Number of iterations.
    modes : int
        Number of modes that the search found; this one is the highest.
    agent, reward
        Agent and reward with every prior replaced by its value at the mode; None for a model of your own.
    """

    values: xr.Dataset
    log_posterior: float
    steps: int
    modes: int
    agent: Agent | Mixture | None
    reward: Any


@takes_key
def find_map(
    key: PRNGKey,
    world: Worlds | None = None,
    *,
    agent: Agent | Mixture | None = None,
    reward: Rewards | None = None,
    data: Any,
    model: Model | None = None,
    dims: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
    steps: int | None = None,
    precision: Precision | None = None,
) -> PointEstimate:
    """Find the posterior mode by trust-region Newton steps with implicit derivatives (L-BFGS above 1,500 parameters).

    The density is that over unconstrained coordinates (for example log beta), in which the sampler starts, too. The
    result is the highest of the modes that the search of :func:`infer` finds from many starts. For a soft-optimal agent
    with a linear reward and a normal prior, and for more than 1,500 parameters, the search has one start, the prior
    mean or median.
    A mode of an ill-posed problem does not show which other rewards fit the data: use :func:`infer` and :func:`audit`.

    Parameters
    ----------
    key, world, agent, reward, data, model, dims, coords, precision
        As for :func:`infer`.
    steps : int, optional
        Largest number of steps of the search. Default: 200 of Newton's method, 5,000 of L-BFGS.

    Returns
    -------
    PointEstimate

    Raises
    ------
    ValueError
        As :func:`infer`.
    ConvergenceError
        Where the gradient does not vanish at the end; a Boltzmann agent's posterior has kinks, and its mode may lie on
        one.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> best = gi.inference.find_map(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data)
    >>> best.values["reward.values"].dims
    ('state',)
    """
    if steps is not None:
        check_count("steps", steps)
    with computing_in(precision):
        posterior = _posterior(key, world, agent, reward, data, model, dims or {}, coords or {})
        modes = _modes(key, posterior, steps)
        mode = min(modes.peaks, key=lambda peak: peak.potential)
        if not mode.converged:
            raise _not_reached("gi.inference.find_map", mode, posterior, steps)
        values = posterior.at(mode.flat)
        labeled = site_labels.dataset(values, posterior.dims, posterior.coords, ())
        sites = {site.name: values[site.name] for site in posterior.sites}
        filled = posterior.model.filled(sites) if isinstance(posterior.model, StandardModel) else (None, None)
        return PointEstimate(labeled, -mode.potential, mode.steps, len(modes.peaks), *filled)


@takes_key
def approximate(
    key: PRNGKey,
    world: Worlds | None = None,
    *,
    agent: Agent | Mixture | None = None,
    reward: Rewards | None = None,
    data: Any,
    model: Model | None = None,
    by: Literal["laplace", "svi"] = "laplace",
    draws: int = 1000,
    steps: int | None = None,
    dims: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
    precision: Precision | None = None,
) -> Fit:
    """Approximate the posterior by a Gaussian in unconstrained coordinates; takes seconds instead of minutes.

    ``"laplace"`` uses the curvature at the mode; ``"svi"`` fits a Gaussian of full rank by maximizing the evidence
    lower bound (NumPyro, Adam). The fit states that it is an approximation, and reports the Pareto k of its draws: the
    tail index of their importance weights (posterior density over density of the approximation). Above 0.7 the draws do
    not represent the posterior, ``fit.converged`` is False, and ``fit.diagnosis`` gives the reason. ``fit.converged``
    is also False where Laplace's method finds several modes: a Gaussian describes one of them. SVI does not search for
    further modes.

    Parameters
    ----------
    key, world, agent, reward, data, model, dims, coords, precision
        As for :func:`infer`.
    by : {"laplace", "svi"}
        The method.
    draws : int
        Independent draws from the approximation.
    steps : int, optional
        Largest number of steps of the mode search (default: as :func:`find_map`), or steps of SVI (default: 2,000).

    Returns
    -------
    Fit
        One chain of independent draws.

    Raises
    ------
    ValueError
        As :func:`infer`; or where ``by`` is neither method.
    ConvergenceError
        Where the mode is not reached or the curvature there is not positive definite (Laplace), or the bound is not
        finite (SVI).

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling", for k; Yao, Vehtari, Simpson
    and Gelman (2018), "Yes, but did it work? Evaluating variational inference", for its use here.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> look = gi.inference.approximate(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data)
    >>> look.posterior.sizes["draw"]
    1000
    """
    check_choice("by", by, ("laplace", "svi"))
    for name, count in (("draws", draws), ("steps", steps)):
        if count is not None:
            check_count(name, count)
    with computing_in(precision) as chosen:
        key_model, key_fit, key_draw = jax.random.split(key, 3)
        posterior = _posterior(key_model, world, agent, reward, data, model, dims or {}, coords or {})
        posterior.check_draws(1, draws)
        if by == "laplace":
            gaussian, said, modes = _laplace(key_fit, posterior, steps)
        else:
            modes = 1
            gaussian, said = svi.gaussian(key_fit, posterior.plain, svi.STEPS if steps is None else steps)
        noise = np.asarray(jax.random.normal(key_draw, (draws, gaussian.center.size)))
        flat = gaussian.center + noise @ gaussian.scale.T
        quality, tail = _tail(posterior.plain.log_density(flat) + 0.5 * (noise**2).sum(axis=1))
        attrs = {"sampler": f"{said}; {tail}.", "algorithm": by, "modes": modes, **quality}
        density = posterior.plain.density
        found = density.over_draws("constrain", density.constrain, flat, posterior.data)
        values = {name: one[None] for name, one in found.items()}
        stats = {"diverging": np.zeros((1, draws), bool)}
        return labeled_fit(key, posterior, values, stats, xr.Dataset(), attrs, chosen)


def _modes(key: Any, posterior: Posterior, steps: int | None) -> Modes:
    """Find the modes of the posterior, in descending order of their mass."""
    form = posterior.plain
    first = climb(form.target, steps=steps)
    if form.closed is not None or form.size > NEWTON_SIZE or not first.converged:
        return Modes((first,))
    favored = partial(posterior.favored, key, form) if posterior.mixture is not None else None
    return find_modes(key, form, favored, first)


def _not_reached(function: str, mode: Mode, posterior: Posterior, steps: int | None) -> ConvergenceError:
    """Return the error of a search that ended where the gradient does not vanish."""
    method, most = ("Newton's method", STEPS) if mode.flat.size <= NEWTON_SIZE else ("L-BFGS", LBFGS_STEPS)
    used_up = mode.steps >= (most if steps is None else steps)
    why = _MORE if used_up else _KINKS if _has_kinks(posterior) else _NO_MODE
    state = f"the gradient is {mode.gradient:.2g}" if np.isfinite(mode.gradient) else "the gradient is undefined"
    return ConvergenceError(f"{function}: the mode was not reached in {mode.steps} steps of {method}: {state}; {why}")


def _tail(log_weights: np.ndarray) -> tuple[dict[str, float], str]:
    """Return the Pareto k of importance weights, and a sentence about it."""
    if len(log_weights) < _FEWEST:
        return {}, f"{len(log_weights)} draws are too few to estimate how close it is to the posterior"
    khat = _arviz.khat(log_weights)
    if khat <= KHAT:
        return {"khat": khat}, f"the Pareto k of its draws is {khat:.2f}"
    said = f"the Pareto k of its draws is {told_apart(khat, KHAT, 2)} (should be at most {KHAT})"
    return {"khat": khat}, f"{said}: they do not represent the posterior; use gi.infer"


def _has_kinks(posterior: Posterior) -> bool:
    model = posterior.model
    return isinstance(model, StandardModel) and not all(one.smooth for one in options_of(model.agent))


def _posterior(
    key: Any, world: Any, agent: Any, reward: Any, data: Any, model: Any, dims: Any, coords: Any
) -> Posterior:
    posterior = posterior_of(model_of(world, agent, reward, model, dims, coords), data, key)
    if posterior.standard and not posterior.sites:
        raise ValueError("no continuous parameter is unknown: gi.infer computes a discrete posterior exactly")
    return posterior


def _laplace(key: Any, posterior: Posterior, steps: int | None) -> tuple[Geometry, str, int]:
    """Return a Gaussian with the curvature at the mode of largest mass, its description, and the number of modes."""
    form, modes = posterior.plain, _modes(key, posterior, steps)
    mode = modes.peaks[0]
    said = "A Laplace approximation, not MCMC"
    if len(modes.peaks) > 1:
        share = np.exp(modes.log_mass[0] - logsumexp(modes.log_mass))
        said += f", around one of {len(modes.peaks)} modes, which holds about {share:.2g} of the probability"
    if not mode.converged:
        if not _has_kinks(posterior):
            raise _not_reached("gi.inference.approximate", mode, posterior, steps)
        said += f", around a point with a gradient of {mode.gradient:.2g} (the posterior has kinks)"
    if mode.curvature is None:
        size = 8 * mode.flat.size**2
        if size > _LARGEST:
            raise ValueError(
                f"gi.inference.approximate: the covariance of {mode.flat.size:,} parameters would take "
                f"{size / 1e9:.1f} GB, more than {_LARGEST / 1e9:.0f} GB; use fewer parameters, or "
                "gi.inference.find_map, which needs no covariance"
            )
        mode = dataclasses.replace(mode, curvature=form.density.curvature(mode.flat, form.data))
    geometry = Geometry.laplace(mode)
    if geometry is None:
        raise ConvergenceError(
            "gi.inference.approximate: the mode was reached, but the curvature there is not positive definite: "
            "use gi.infer, or by='svi'"
        )
    return geometry, said, len(modes.peaks)
