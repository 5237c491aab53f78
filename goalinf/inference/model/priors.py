"""Priors of agents and rewards: every distribution that is a parameter becomes a sample site."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
import numpyro
from numpyro.distributions import Delta, Distribution, ImproperUniform, Normal
from numpyro.distributions.transforms import Transform

from goalinf.agents import Agent
from goalinf.data import Observations
from goalinf.inference.model.hierarchical.design_matrix import column_scales, design_of
from goalinf.inference.model.hierarchical.hierarchy import Hierarchy
from goalinf.planning.parameters import entry_prior, last_axes
from goalinf.planning.pooling import Pooling, width_of
from goalinf.precision import computing_in
from goalinf.rewards import LinearReward, Reward, base_of
from goalinf.types import PRNGKey
from goalinf.worlds import World

_Part = TypeVar("_Part", bound=Agent | Reward)
_DRAWS = 1001  # for a median without a formula


@dataclasses.dataclass(frozen=True)
class Site:
    """Parameter, or a number from which parameters are computed.

    Parameters
    ----------
    name : str
        ``agent.<parameter>`` or ``reward.<parameter>``; with another ending for numbers of a group.
    prior : Distribution
        Prior over the whole array.
    dims : tuple of str
        Names of its axes.
    by : tuple of str
        Units that have values of their own, and covariates that vary within them, which the first axes number.
    prior_of_unit : Distribution, optional
        Prior of the value in one unit, where units have values of their own.
    hierarchy : Hierarchy, optional
        Values by level, of which this site is the values or the deviations.
    computed : bool
        True for values that are computed from the sites before.
    labels : mapping from axis to tuple of str
        Labels along axes that belong to this parameter alone.
    """

    name: str
    prior: Distribution
    dims: tuple[str, ...]
    by: tuple[str, ...] = ()
    prior_of_unit: Distribution | None = None
    hierarchy: Hierarchy | None = None
    computed: bool = False
    labels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def entry(self) -> Distribution:
        """Prior of the value in one unit; the whole prior where all units have the same value."""
        return self.prior if self.prior_of_unit is None else self.prior_of_unit

    @property
    def parameter(self) -> str:
        """Name within the agent or the reward."""
        return self.name.split(".", 1)[1]

    @property
    def deviates(self) -> bool:
        """True for a sampled site of a group: its values by level, or their deviations."""
        return self.hierarchy is not None and not self.computed

    def given(self, values: Mapping[str, Any]) -> Distribution:
        """Return the prior given the sites before this one, on which that of a group depends."""
        return self.hierarchy.given(values) if self.hierarchy is not None else self.prior

    def compute(self, values: Mapping[str, Any]) -> Any:
        """Return the value of a computed site, given the sites before; see :meth:`Hierarchy.value`."""
        assert self.hierarchy is not None
        return self.hierarchy.value(values, self.hierarchy.drawn_deviations(values))


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
    sites = []
    for name, value in agent.parameters.items():
        if isinstance(value, Distribution):
            dims = last_axes(agent.dims[name], len(value.shape()))
            sites += _sites(f"agent.{name}", value, dims, sizes, data, basis)
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
        sites += _sites(f"reward.{name}", value, axes, sizes_of_base, data, basis)
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
    data: Observations | None,
    fitted: Observations | None,
) -> list[Site]:
    """Return the sites of one parameter: one, or those of a group and of the values by level."""
    if not isinstance(prior, Pooling):
        return [Site(name, _expanded(name, prior, dims, sizes), dims)]
    if data is None:
        raise ValueError(f"the prior of {name} has one value per {' and '.join(prior.by)}, and there are no data")
    entry = _expanded(name, prior.prior, dims, sizes)
    design = design_of(name, prior, data, fitted)
    axes, shape = design.axes, design.shape
    if prior.spread is None and prior.formula is None:
        return [Site(name, entry.expand(shape).to_event(len(shape)), (*axes, *dims), axes, entry)]
    hierarchy = Hierarchy(name, entry, design, sampled=prior.formula is None)
    group = [Site(f"{name}.mean", entry, dims), *_coefficients(name, prior, dims, sizes, hierarchy, fitted)]
    if prior.spread is not None:
        effects = (f"{name}_effect",) if design.slopes else ()
        labels = dict.fromkeys(effects, design.effects)
        count = design.varying.shape[2]
        spread = _expanded(f"{name}.sd", prior.spread, dims, sizes)
        spread = spread.expand((count, *spread.batch_shape)).to_event(1) if design.slopes else spread
        group.append(Site(f"{name}.sd", spread, (*effects, *dims), labels=labels))
        if prior.formula is not None:
            deviations = Normal(0.0, 1.0).expand(hierarchy.site_shape).to_event(len(hierarchy.site_shape))
            site_dims = (*prior.by, *effects, *dims)
            group.append(
                Site(hierarchy.deviations_name, deviations, site_dims, prior.by, None, hierarchy, labels=labels)
            )
    values = Site(name, hierarchy, (*axes, *dims), axes, entry, hierarchy, computed=prior.formula is not None)
    return [*group, values]


def _coefficients(
    name: str,
    prior: Pooling,
    dims: tuple[str, ...],
    sizes: Mapping[str, int],
    hierarchy: Hierarchy,
    fitted: Observations | None,
) -> list[Site]:
    """Return one site for each term of a regression; by default its prior is normal, as wide as that of the group."""
    if prior.formula is None or fitted is None:
        return []
    scales, shape = column_scales(prior, fitted), tuple(sizes[dim] for dim in dims)
    width = np.broadcast_to(width_of(prior.prior), shape)
    sites = []
    for term, columns in hierarchy.design.columns.items():
        site, axis = f"{name}.{term}", f"{name}.{term}_effect"
        axes, lead = ((axis,), scales[term].shape) if columns else ((), ())
        if term in prior.effects:
            one = _expanded(site, prior.effects[term], dims, sizes)
            coefficients = one.expand((*lead, *one.batch_shape))
        else:
            sd = width / scales[term].reshape(-1, *(1,) * len(shape))
            coefficients = Normal(np.zeros((*lead, *shape)), sd.reshape((*lead, *shape)))
        coefficients = coefficients.to_event(len(coefficients.batch_shape))
        sites.append(Site(site, coefficients, (*axes, *dims), labels=dict.fromkeys(axes, columns)))
    return sites


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
    if type(value) is dict:
        return {name: fresh(part) for name, part in value.items()}
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
