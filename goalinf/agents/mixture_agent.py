"""Finite mixtures of agents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from numpyro.distributions import Distribution, constraints

from goalinf import display
from goalinf.agents.agent import Agent, By, SingleAgent, single_agent
from goalinf.agents.composed_agent import plan_to_depths
from goalinf.agents.policy import PlannedValues, Policy
from goalinf.checks import check_choice
from goalinf.planning.log_space import safe_log
from goalinf.planning.parameters import SHARE, Dims, Parameter
from goalinf.precision import Precision
from goalinf.rewards import Reward
from goalinf.types import Numbers
from goalinf.worlds import World
from goalinf.worlds.names import check_alike


def shares(weights: Numbers | Distribution | None, count: int) -> Any:
    """Return weights that add up to one, equal ones by default; or a prior over them unchanged.

    Raises
    ------
    ValueError
        Where there are none, their number is wrong, or they are not finite numbers of at least 0, some of them above 0;
        or where a prior is not one over shares that add up to one.
    """
    if isinstance(weights, Distribution):
        if weights.shape() != (count,) or weights.support is not constraints.simplex:
            raise ValueError(
                f"weights have a {type(weights).__name__} prior of shape {weights.shape()}; expected a prior over "
                f"{count} weights that add up to one, such as numpyro.distributions.Dirichlet(jnp.ones({count}))"
            )
        return weights
    values = np.full(count, 1.0) if weights is None else np.asarray(weights, float)
    if values.shape != (count,) or not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError(f"weights are {values.tolist()}; expected {count} finite numbers of at least 0, not all 0")
    return values / values.sum()


class MixtureAgent(Agent):
    r"""Finite mixture of agents: :math:`p(\tau) = \sum_k w_k\,p_k(\tau)`.

    Parameters
    ----------
    components : sequence of Agent
        The components, which are no mixtures.
    weights : float (K,) or Distribution
        Prior probability of each component, :math:`w`.
    names : tuple
        Names of the components: values of the parameter.
    parameter : str
        Name of the parameter that differs between the components, or ``"which"`` for whole agents.
    by : {"subject", "trajectory", "data"}
        Unit that has one component: every subject, every trajectory, or all of the data.

    Raises
    ------
    TypeError
        Where a component is no agent.
    ValueError
        Where a component is a mixture, the weights are not K numbers of at least 0, names print alike, or ``by`` is no
        unit.

    Examples
    --------
    The constructors are :func:`~goalinf.agents.mixture` and :func:`~goalinf.agents.one_of`:

    >>> import goalinf as gi
    >>> agent = gi.agents.mixture([gi.agents.boltzmann(beta=2.0), gi.agents.uniform()])
    >>> type(agent).__name__, agent.names, len(agent.components)
    ('MixtureAgent', ('boltzmann', 'uniform'), 2)
    """

    weights: Float[Array | np.ndarray, " K"] | Any
    names: tuple[Hashable, ...] = eqx.field(static=True)
    parameter: str = eqx.field(static=True)
    # The defaults only take the place of abstract properties: the constructor sets every field.
    components: tuple[SingleAgent, ...] = ()
    by: By = eqx.field(static=True, default="subject")

    def __init__(
        self,
        components: Sequence[Agent],
        weights: Any,
        names: tuple[Hashable, ...],
        parameter: str = "which",
        by: By = "subject",
    ):
        check_choice("by", by, get_args(By))
        check_alike(names, "options")
        pairs = zip(names, components, strict=True)
        self.components = tuple(single_agent(f"agent {name!r} of the mixture", agent) for name, agent in pairs)
        self.names, self.parameter, self.by = names, parameter, by
        self.weights = weights if isinstance(weights, jax.core.Tracer) else shares(weights, len(names))

    @property
    def name(self) -> str:
        """Name in messages."""
        return f"one of {', '.join(map(str, self.names))}"

    @property
    def numeric(self) -> bool:
        """True where the names of the components are numbers, which are then stored as draws; else their positions."""
        return all(isinstance(name, (bool, int, float)) for name in self.names)

    @property
    def log_weights(self) -> Float[Array, " K"]:
        """Logarithms of the weights."""
        return safe_log(jnp.asarray(self.weights))

    # -- parameters -----------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of every component; for whole agents with the name of the agent, such as ``myopic.beta``."""
        values = {key: component.parameters[name] for key, (component, name) in self._owners().items()}
        return {**values, "weights": self.weights} if isinstance(self.weights, Distribution) else values

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every parameter."""
        ranges = {key: component.ranges[name] for key, (component, name) in self._owners().items()}
        return {**ranges, "weights": SHARE} if isinstance(self.weights, Distribution) else ranges

    @property
    def dims(self) -> Dims:
        """Names of the axes of every parameter; the weights have one entry for each component."""
        dims = {key: component.dims[name] for key, (component, name) in self._owners().items()}
        return {**dims, "weights": ("value",)} if isinstance(self.weights, Distribution) else dims

    @property
    def default_priors(self) -> dict[str, Distribution]:
        """The usual prior of every parameter of every component that has one."""
        usual = {key: component.default_priors.get(name) for key, (component, name) in self._owners().items()}
        return {name: prior for name, prior in usual.items() if prior is not None}

    def _owners(self) -> dict[str, tuple[SingleAgent, str]]:
        """Map the name of each parameter to a component that has it, and to its name in that component."""
        return {
            self._prefix(label) + name: (component, name)
            for label, component in zip(self.names, self.components, strict=True)
            for name in component.parameters
            if name != self.parameter
        }

    def _prefix(self, label: Hashable) -> str:
        return f"{label}." if self.parameter == "which" else ""

    def at(self, **parameters: Parameter | Numbers) -> MixtureAgent:
        """Return the mixture with other parameter values; for whole agents, such as ``**{"myopic.beta": 2.0}``.

        Raises
        ------
        ValueError
            Where there is no such parameter, or the value is outside its range.
        """
        ranges = self.ranges
        unknown = [name for name in parameters if name not in ranges and name != "weights"]
        if unknown:
            raise ValueError(f"{self.name}: no parameter {unknown[0]!r}; there are {', '.join(ranges) or 'none'}")
        components = []
        for label, component in zip(self.names, self.components, strict=True):
            full_names = {name: self._prefix(label) + name for name in component.parameters}
            values = {name: parameters[key] for name, key in full_names.items() if key in parameters}
            components.append(component.at(**values))
        weights = parameters.get("weights", self.weights)
        return MixtureAgent(components, weights, self.names, self.parameter, self.by)

    # -- facts ----------------------------------------------------------------------------------

    @property
    def scales(self) -> bool:
        """True where every component depends on beta and the reward only through the same product."""
        return self.parameter != "which" and all(component.scales for component in self.components)

    def confounded(self, reward: Reward, n_worlds: int = 1, *, ends: bool = False) -> dict[str, str]:
        """Return beta with the reason, where it is not identified when a reward of this class is unknown.

        A reward that compensates another value of a parameter for one component need not do so for the others.
        """
        reasons = self.components[0].confounded(reward, n_worlds, ends=ends)
        return {name: reason for name, reason in reasons.items() if name == "beta" and self.scales}

    # -- policies -------------------------------------------------------------------------------

    def policy(self, world: World, reward: Reward, *, precision: Precision | None = None) -> xr.DataArray:
        """Refuse: each component has its own policy.

        Raises
        ------
        ValueError
            Always.
        """
        return single_agent("agent", self).policy(world, reward, precision=precision)

    def plan_each(self, plan: Callable[[SingleAgent], Policy]) -> tuple[Policy, ...]:
        """Compute the policies of every component with ``plan``; those of several depths are planned together."""
        depths = [component.depth for component in self.components if component.depth is not None]
        if self.parameter != "depth" or len(depths) < len(self.components):
            return tuple(map(plan, self.components))
        planned = plan_to_depths(self.components[0], depths, plan)
        return tuple(_at_decision(planned, number) for number in range(len(depths)))

    def __repr__(self) -> str:
        values = f"{self.parameter}=[{', '.join(map(str, self.names))}]"
        options = ", ".join(map(repr, self.components)) if self.parameter == "which" else values
        return f"one_of({options}, weights={display.describe(self.weights)}, by={self.by!r})"

    def _repr_html_(self) -> str:
        rows = {str(name): repr(component) for name, component in zip(self.names, self.components, strict=True)}
        rows |= {"prior weights": display.describe(self.weights), "by": self.by}
        return display.card(f"One of {len(self.components)} agents", display.facts(rows))


def _at_decision(policy: Policy, number: int) -> Policy:
    """Select the stationary policy of one decision."""
    log_probs, values = policy.log_probs[..., number, :, :], policy.values[..., number, :]
    planned = policy.planned
    if planned is not None:
        planned = PlannedValues(planned.action[..., number, :, :], planned.state[..., number, :])
    return dataclasses.replace(policy, log_probs=log_probs, values=values, planned=planned)
