"""Priors of agents and rewards: every distribution that is a parameter becomes a sample site."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
import numpyro
from numpyro.distributions import Delta, Distribution, ImproperUniform
from numpyro.distributions.transforms import Transform

from goalinf.agents import Agent
from goalinf.inference.model.hierarchy import Hierarchy
from goalinf.planning.parameters import entry_prior, last_axes
from goalinf.planning.pooling import Pooling, Unit
from goalinf.precision import computing_in
from goalinf.rewards import LinearReward, Reward, base_of
from goalinf.worlds import World

_Part = TypeVar("_Part", bound=Agent | Reward)
_DRAWS = 1001  # for a median without a formula


@dataclasses.dataclass(frozen=True)
class Site:
    """Sampled parameter.

    Parameters
    ----------
    name : str
        ``agent.<parameter>`` or ``reward.<parameter>``.
    prior : Distribution
        Prior over the whole array.
    dims : tuple of str
        Names of its axes.
    by : tuple of str
        Units that have values of their own, which the first axes number.
    prior_of_unit : Distribution, optional
        Prior of the value in one unit, where units have values of their own.
    """

    name: str
    prior: Distribution
    dims: tuple[str, ...]
    by: tuple[Unit, ...] = ()
    prior_of_unit: Distribution | None = None

    @property
    def entry(self) -> Distribution:
        """Prior of the value in one unit; the whole prior where all units have the same value."""
        return self.prior if self.prior_of_unit is None else self.prior_of_unit

    @property
    def parameter(self) -> str:
        """Name within the agent or the reward."""
        return self.name.split(".", 1)[1]

    def given(self, values: Mapping[str, Any]) -> Distribution:
        """Return the prior given the sites before this one: that of a group is given its median and spread."""
        if isinstance(self.prior, Hierarchy):
            return self.prior.given(values[f"{self.name}.mean"], values[f"{self.name}.sd"])
        return self.prior


def find_sites(
    agent: Agent, reward: Reward | Mapping[Any, Reward], world: World, units: Mapping[Unit, int] | None = None
) -> list[Site]:
    """Find all priors in an agent and a reward, expanded to the shape that the world needs.

    ``units`` are the numbers of subjects and contexts, where there are data.

    Raises
    ------
    ValueError
        Where a prior has the wrong shape, is discrete or improper, or belongs to one of several rewards.
    """
    sizes = {"state": world.n_states, "action": world.n_actions, "successor": world.mdp.successors.shape[2]}
    sizes["value"] = len(agent.components)
    sites = []
    for name, value in agent.parameters.items():
        if isinstance(value, Distribution):
            dims = last_axes(agent.dims[name], len(value.shape()))
            sites += _sites(f"agent.{name}", value, dims, sizes, units)
    if isinstance(reward, Mapping):
        for context, known in reward.items():
            if _reward_priors(known):
                raise ValueError(
                    f"the reward of context {context!r} holds a prior; expected known rewards in a mapping. To infer "
                    "one reward from all contexts, give the reward itself instead of a mapping"
                )
        return sites
    for name, (value, axes) in _reward_priors(reward).items():
        sizes_of_base, base = sizes, base_of(reward)
        if isinstance(base, LinearReward):
            sizes_of_base = {**sizes, "feature": base.features.shape[-1]}
        sites += _sites(f"reward.{name}", value, axes, sizes_of_base, units)
    return sites


def priors_of(agent: Agent, reward: Reward | Mapping[Any, Reward]) -> dict[str, Distribution]:
    """Return all priors in an agent and a reward, by the names of their sites."""
    priors = {f"agent.{n}": value for n, value in agent.parameters.items() if isinstance(value, Distribution)}
    if not isinstance(reward, Mapping):
        priors |= {f"reward.{n}": value for n, (value, _) in _reward_priors(reward).items()}
    return priors


def _sites(
    name: str,
    prior: Distribution,
    dims: tuple[str, ...],
    sizes: Mapping[str, int],
    units: Mapping[Unit, int] | None,
) -> list[Site]:
    """Return the sites of one parameter: one, or three where its values vary around the value of a group."""
    if not isinstance(prior, Pooling):
        expanded = _expanded(name, prior, dims, sizes)
        return [Site(name, expanded, dims)]
    if units is None:
        raise ValueError(f"the prior of {name} has one value per {' and '.join(prior.by)}, and there are no data")
    entry = _expanded(name, prior.prior, dims, sizes)
    levels, all_dims = tuple(units[unit] for unit in prior.by), (*prior.by, *dims)
    if prior.spread is None:
        return [Site(name, entry.expand(levels).to_event(len(levels)), all_dims, prior.by, entry)]
    spread = _expanded(f"{name}.sd", prior.spread, dims, sizes)
    return [
        Site(f"{name}.mean", entry, dims),
        Site(f"{name}.sd", spread, dims),
        Site(name, Hierarchy(entry, spread, levels), all_dims, prior.by, entry),
    ]


def _reward_priors(reward: Reward) -> dict[str, tuple[Distribution, tuple[str, ...]]]:
    base = base_of(reward)
    fields = {name: getattr(base, name) for name in base.parameters}
    return {name: (value, base.dims[name]) for name, value in fields.items() if isinstance(value, Distribution)}


def _expanded(name: str, prior: Distribution, dims: tuple[str, ...], sizes: Mapping[str, int]) -> Distribution:
    if prior.support.is_discrete:
        raise ValueError(f"the prior of {name} is discrete ({type(prior).__name__}); expected a continuous one")
    if isinstance(entry_prior(prior), Delta):
        raise ValueError(f"the prior of {name} is a Delta, which is a known value: give the number instead")
    if isinstance(prior, ImproperUniform):
        raise ValueError(
            f"the prior of {name} is improper; unidentified directions would have no posterior: use a wide proper "
            "prior, such as numpyro.distributions.Normal(0.0, 10.0)"
        )
    prior = fresh(prior)
    shape = tuple(sizes[dim] for dim in dims)
    if prior.shape() == ():
        prior = prior.expand(shape)
    elif prior.shape() != shape:
        axes = " x ".join(dims) or "a number"
        raise ValueError(
            f"the prior of {name} has shape {prior.shape()}; expected {shape} ({axes}), or a scalar prior for all"
        )
    return prior.to_event(len(shape) - len(prior.event_shape))


def fresh(value: Any) -> Any:
    """Copy a prior, or any other container of known numbers, with all its arrays.

    The user cannot change the copies; and JAX caches the type that an array had as a constant of a program, which is
    wrong in another precision.
    """
    if isinstance(value, (np.ndarray, jax.Array)):
        return np.array(value)
    if isinstance(value, (Distribution, Transform)):
        duplicate = copy.copy(value)
        duplicate.__dict__.update({name: fresh(part) for name, part in vars(value).items()})
        return duplicate
    if type(value) in (list, tuple):
        return type(value)(fresh(part) for part in value)
    return value


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
        values[site.name] = numpyro.sample(site.name, site.given(values))
    return values


def median(prior: Distribution) -> np.ndarray:
    """Return the median of every entry of a prior; from draws with a fixed seed where it has no quantile function."""
    with computing_in("float64"):
        try:
            return np.broadcast_to(np.asarray(prior.icdf(0.5), float), prior.shape())
        except (NotImplementedError, ImportError):  # NumPyro has no quantiles, or needs a library that is not installed
            return np.asarray(np.median(np.asarray(prior.sample(jax.random.key(0), (_DRAWS,)), float), axis=0))
