"""Priors of agents and rewards: every distribution that is a parameter becomes a sample site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
import numpyro
from numpyro.distributions import Distribution

from goalinf.agents import Agent
from goalinf.data import Observations
from goalinf.inference.model.hierarchical.level_sites import joined, sites_of
from goalinf.inference.model.hierarchical.site import Site, fresh
from goalinf.planning.parameters import last_axes
from goalinf.precision import computing_in
from goalinf.rewards import LinearReward, Reward, base_of
from goalinf.types import PRNGKey
from goalinf.worlds import World

_Part = TypeVar("_Part", bound=Agent | Reward)
_DRAWS = 1001  # for a median without a formula


def find_sites(
    agent: Agent,
    reward: Reward | Mapping[Any, Reward],
    world: World,
    data: Observations | None = None,
    fitted: Observations | None = None,
) -> list[Site]:
    """Find all priors in an agent and a reward, expanded to the shape that the world needs.

    Parameters
    ----------
    agent, reward : Agent, and Reward or mapping from context to it
        With priors in place of unknown parameters.
    world : World
        World whose states and actions priors number.
    data : Observations, optional
        Data with subjects, contexts and covariates, for parameters with one value by level.
    fitted : Observations, optional
        Data of the fit, which determine the coding of covariates. Default: ``data``.

    Raises
    ------
    ValueError
        Where a prior has the wrong shape, is discrete or improper, or belongs to one of several rewards.
    """
    basis = data if fitted is None else fitted
    sizes = {"state": world.n_states, "action": world.n_actions, "successor": world.mdp.successors.shape[2]}
    sizes["value"] = len(agent.components)
    priors, sites = priors_of(agent, reward), []
    for name, value in agent.parameters.items():
        if isinstance(value, Distribution):
            dims = last_axes(agent.dims[name], len(value.shape()))
            sites += sites_of(f"agent.{name}", value, dims, sizes, data, basis)
    if isinstance(reward, Mapping):
        for context, known in reward.items():
            if _reward_priors(known):
                raise ValueError(
                    f"the reward of context {context!r} holds a prior; expected known rewards in a mapping. To infer "
                    "one reward from all contexts, give the reward itself instead of a mapping"
                )
        return joined(sites, priors)
    for name, (value, axes) in _reward_priors(reward).items():
        sizes_of_base, base = sizes, base_of(reward)
        if isinstance(base, LinearReward):
            sizes_of_base = {**sizes, "feature": base.features.shape[-1]}
        sites += sites_of(f"reward.{name}", value, axes, sizes_of_base, data, basis)
    return joined(sites, priors)


def priors_of(agent: Agent, reward: Reward | Mapping[Any, Reward]) -> dict[str, Distribution]:
    """Return all priors in an agent and a reward, by the names of their sites."""
    priors = {f"agent.{n}": value for n, value in agent.parameters.items() if isinstance(value, Distribution)}
    if not isinstance(reward, Mapping):
        priors |= {f"reward.{n}": value for n, (value, _) in _reward_priors(reward).items()}
    return priors


def _reward_priors(reward: Reward) -> dict[str, tuple[Distribution, tuple[str, ...]]]:
    base = base_of(reward)
    fields = {name: getattr(base, name) for name in base.parameters}
    return {name: (value, base.dims[name]) for name, value in fields.items() if isinstance(value, Distribution)}


def own_arrays(part: _Part) -> _Part:
    """Copy an agent or a reward with all its arrays."""
    return jax.tree.map(fresh, part, is_leaf=lambda x: isinstance(x, Distribution))


def unflattened(sites: Sequence[Site], flat: np.ndarray) -> dict[str, np.ndarray]:
    """Split concatenated numbers ``(P,)`` into the value of every site."""
    shapes = [site.prior.shape() for site in sites]
    parts = np.split(flat, np.cumsum([int(np.prod(shape, dtype=int)) for shape in shapes])[:-1])
    return {site.name: part.reshape(shape) for site, part, shape in zip(sites, parts, shapes, strict=True)}


def sample_sites(sites: list[Site]) -> dict[str, Any]:
    """Draw every parameter from its prior, as sites of a NumPyro model."""
    values: dict[str, Any] = {}
    for site in sites:
        if site.computed:
            values[site.name] = numpyro.deterministic(site.name, site.compute(values))
        else:
            values[site.name] = numpyro.sample(site.name, site.given(values))
    return values


def draw_sites(key: PRNGKey, sites: Sequence[Site]) -> dict[str, np.ndarray]:
    """Draw every parameter from its prior, on the host."""
    return {name: np.asarray(value) for name, value in _draw(key, sites).items()}


def prior_draws(key: PRNGKey, sites: Sequence[Site], count: int) -> dict[str, np.ndarray]:
    """Draw every parameter ``count`` times from its prior, with the draws as the first axis."""
    return jax.device_get(drawing(sites)(jax.random.split(key, count)))


def drawing(sites: Sequence[Site]) -> Callable[[Any], dict[str, Any]]:
    """Compile a draw of all parameters from their priors for each of several keys."""
    return jax.jit(jax.vmap(lambda key: _draw(key, sites)))


def _draw(key: PRNGKey, sites: Sequence[Site]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for number, site in enumerate(sites):
        drawn = site.compute(values) if site.computed else site.given(values).sample(jax.random.fold_in(key, number))
        values[site.name] = drawn
    return values


def median(prior: Distribution) -> np.ndarray:
    """Return the median of every entry of a prior; from draws with a fixed seed where it has no quantile function."""
    with computing_in("float64"):
        try:
            return np.broadcast_to(np.asarray(prior.icdf(0.5), float), prior.shape())
        except (NotImplementedError, ImportError):  # NumPyro has no quantiles, or needs a library that is not installed
            return np.asarray(np.median(np.asarray(prior.sample(jax.random.key(0), (_DRAWS,)), float), axis=0))
