"""Posterior mode: maximum a posteriori estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from goalinf.agents import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, takes_key
from goalinf.inference.model import site_labels
from goalinf.inference.model.build import model_of, posterior_of
from goalinf.inference.model.log_density import Data, Model
from goalinf.inference.model.mode import Mode, not_reached
from goalinf.inference.model.mode_search import natural_modes
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.posterior import Posterior, covered
from goalinf.precision import Precision, computing_in


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
        Agent and reward with every prior replaced by its value at the mode; None for a model of your own, and where
        parameters have one value per subject or context.
    """

    values: xr.Dataset
    log_posterior: float
    steps: int
    modes: int
    agent: Agent | None
    reward: Any


@takes_key
def find_map(
    key: PRNGKey,
    world: Worlds | None = None,
    *,
    agent: Agent | None = None,
    reward: Rewards | None = None,
    data: Data,
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
        posterior = posterior_of(model_of(world, agent, reward, model, dims, coords), data, key)
        if posterior.standard and not posterior.sites:
            raise ValueError("no continuous parameter is unknown: gi.infer computes a discrete posterior exactly")

        def search(used: Posterior) -> tuple[Mode, int, dict[str, np.ndarray]]:
            modes = natural_modes(key, used, steps)
            mode = min(modes.peaks, key=lambda peak: peak.potential)
            if not mode.converged:
                raise not_reached("gi.inference.find_map", mode, used.agent, steps)
            return mode, len(modes.peaks), used.at(mode.flat)

        mode, count, values = covered(posterior, search)
        labeled = site_labels.dataset(values, posterior.dims, posterior.coords, ())
        sites = {site.name: values[site.name] for site in posterior.sites}
        filled: tuple[Any, Any] = None, None
        if isinstance(posterior.model, StandardModel) and not any(site.by for site in posterior.sites):
            filled = posterior.model.filled(sites)
        return PointEstimate(labeled, -mode.potential, mode.steps, count, *filled)
