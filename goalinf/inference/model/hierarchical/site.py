"""Sites: parameters of a model, and the numbers of groups from which parameters are computed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from numpyro.distributions import Delta, Distribution, ImproperUniform
from numpyro.distributions.transforms import Transform

from goalinf.inference.model.hierarchical.hierarchy import Hierarchy
from goalinf.inference.model.hierarchical.unit_effects import UnitEffects
from goalinf.planning.parameters import entry_prior


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
    effects : UnitEffects, optional
        Distribution of the deviations of the units.
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
    effects: UnitEffects | None = None
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
        if self.hierarchy is None or self.effects is None:
            return self.prior
        return self.effects.given(self.hierarchy, values)

    def compute(self, values: Mapping[str, Any]) -> Any:
        """Return the value of a computed site, given the sites before; see :meth:`Hierarchy.value`."""
        assert self.hierarchy is not None
        return self.hierarchy.value(values, self.hierarchy.drawn_deviations(values))


def expanded(name: str, prior: Distribution, dims: tuple[str, ...], sizes: Mapping[str, int]) -> Distribution:
    """Return the prior of an array with these axes as one event, with arrays of its own.

    Raises
    ------
    ValueError
        Where it has another shape, is discrete or improper, or a known value.
    """
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
