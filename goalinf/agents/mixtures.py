"""Discrete parameters: one of several values or agents, summed over exactly and never sampled by MCMC."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, NoReturn, ParamSpec, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from goalinf import display
from goalinf.agents.agent import Agent
from goalinf.checks import check_choice
from goalinf.planning.parameters import SHARE, Parameter
from goalinf.rewards import Alternatives, Reward
from goalinf.types import Numbers
from goalinf.worlds.names import check_alike

_P = ParamSpec("_P")
By = Literal["subject", "trajectory", "data"]
UNITS: tuple[By, ...] = ("trajectory", "subject", "data")  # from the finest to the coarsest


@dataclasses.dataclass(frozen=True, eq=False)
class OneOf:
    """One of several values; see :func:`one_of`."""

    options: tuple[Any, ...]
    names: tuple[Hashable, ...]
    weights: np.ndarray
    by: By


class Mixture(eqx.Module):
    r"""Finite mixture of agents: :math:`p(\tau) = \sum_k w_k\,p_k(\tau)`.

    Parameters
    ----------
    agents : tuple of Agent
        The components.
    weights : float (K,) or Distribution
        Prior probability of each component, :math:`w`.
    names : tuple
        Names of the components: values of the parameter.
    parameter : str
        Name of the parameter that differs between the components, or ``"which"`` for whole agents.
    by : {"subject", "trajectory", "data"}
        Unit that has one component: every subject, every trajectory, or all of the data.
    """

    agents: tuple[Agent, ...]
    weights: Float[Array | np.ndarray, " K"] | Any
    names: tuple[Hashable, ...] = eqx.field(static=True)
    parameter: str = eqx.field(static=True)
    by: By = eqx.field(static=True)

    @property
    def name(self) -> str:
        """Name in messages."""
        return f"one of {', '.join(map(str, self.names))}"

    @property
    def numeric(self) -> bool:
        """True where the names of the components are numbers, which are then stored as draws; else their positions."""
        return all(isinstance(name, (bool, int, float)) for name in self.names)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of every component; for whole agents with the name of the agent, such as ``myopic.beta``."""
        values = {key: option.parameters[name] for key, (option, name) in self._places().items()}
        return {**values, "weights": self.weights} if isinstance(self.weights, Distribution) else values

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every parameter."""
        ranges = {key: option.ranges[name] for key, (option, name) in self._places().items()}
        return {**ranges, "weights": SHARE} if isinstance(self.weights, Distribution) else ranges

    def _places(self) -> dict[str, tuple[Agent, str]]:
        """Map the name of each parameter to an agent that has it, and to its name in that agent."""
        whole = self.parameter == "which"
        return {
            f"{label}.{name}" if whole else name: (option, name)
            for label, option in zip(self.names, self.agents, strict=True)
            for name in option.parameters
            if name != self.parameter
        }

    @property
    def scales(self) -> bool:
        """True where every component depends on beta and the reward only through the same product."""
        return self.parameter != "which" and all(option.scales for option in self.agents)

    @property
    def log_weights(self) -> Any:
        """Logarithms of the weights."""
        weights = jnp.asarray(self.weights)
        return jnp.where(weights > 0, jnp.log(jnp.where(weights > 0, weights, 1.0)), -jnp.inf)

    def __repr__(self) -> str:
        values = f"{self.parameter}=[{', '.join(map(str, self.names))}]"
        options = ", ".join(map(repr, self.agents)) if self.parameter == "which" else values
        return f"one_of({options}, weights={display.describe(self.weights)}, by={self.by!r})"

    def _repr_html_(self) -> str:
        rows = {str(name): repr(agent) for name, agent in zip(self.names, self.agents, strict=True)}
        rows |= {"prior weights": display.describe(self.weights), "by": self.by}
        return display.card(f"One of {len(self.agents)} agents", display.facts(rows))

    def policy(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: each component has its own policy.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            f"{self.name}: each agent of a mixture has its own policy; call agent.agents[0].policy(world, reward)"
        )

    def at(self, **parameters: Parameter | Numbers) -> Mixture:
        """Return the mixture with other parameter values; for whole agents, such as ``**{"myopic.beta": 2.0}``.

        Raises
        ------
        ValueError
            Where there is no such parameter, or the value is outside its range.
        """
        known = self.ranges
        unknown = [name for name in parameters if name not in known and name != "weights"]
        if unknown:
            raise ValueError(f"{self.name}: no parameter {unknown[0]!r}; there are {', '.join(known) or 'none'}")
        options = []
        for label, option in zip(self.names, self.agents, strict=True):
            prefix = f"{label}." if self.parameter == "which" else ""
            values = {name: parameters[prefix + name] for name in option.parameters if prefix + name in parameters}
            options.append(option.at(**values))
        return dataclasses.replace(self, agents=tuple(options), weights=parameters.get("weights", self.weights))


def options_of(agent: Agent | Mixture) -> tuple[Agent, ...]:
    """Return the components of a mixture, or the agent itself as the only one."""
    return agent.agents if isinstance(agent, Mixture) else (agent,)


def one_of(
    options: Sequence[Any] | Mapping[Hashable, Any],
    *,
    weights: Numbers | Distribution | None = None,
    by: By = "subject",
) -> Any:
    r"""Declare an unknown discrete choice among values of a parameter, agents, or rewards.

    .. math:: p(\text{data}) = \prod_i \sum_k w_k\,p_k(\text{data of } i)

    with i every subject, every trajectory, or all of the data. The discrete parameter is summed over exactly; a
    posterior holds draws of it from its conditional distribution, and ``fit.responsibilities`` its probabilities.

    Parameters
    ----------
    options : sequence or mapping
        Values of a parameter such as a depth, where a named constructor takes one; agents; or rewards of one kind, for
        :func:`switching`. The keys of a mapping are the names of the options.
    weights : sequence of float, optional
        Prior weights; default: equal.
    by : {"subject", "trajectory", "data"}
        Unit that has one of the options: every subject, every trajectory, or all of the data.

    Returns
    -------
    OneOf, Mixture or Alternatives
        To be given as a parameter, an agent, or a reward.

    Raises
    ------
    ValueError
        Where there are no options, they are of different kinds, or the weights do not fit.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.lookahead(depth=gi.one_of([1, 2, 4]), beta=2.0).names
    (1, 2, 4)
    """
    values = _options("one_of", options, by)
    prior = _weights(weights, len(values))
    kinds = [next((kind for kind in (Agent, Reward) if isinstance(value, kind)), None) for value in values]
    if len(set(kinds)) > 1:
        raise ValueError("one_of got options of different kinds; expected only agents, only rewards, or only values")
    if isinstance(options, Mapping):
        names: tuple[Hashable, ...] = tuple(options)
    else:
        names = tuple(range(len(values))) if kinds[0] is Reward else tuple(map(_name, values))
    if len(set(names)) < len(names):
        names = tuple(range(len(names)))
    check_alike(names, "options")
    if kinds[0] is Agent:
        return Mixture(values, prior, names, "which", by)
    if kinds[0] is Reward:
        return Alternatives(values, prior, names)
    return OneOf(values, names, prior, by)


def mixture(
    agents: Sequence[Any] | Mapping[Hashable, Any], *, weights: Numbers | Distribution | None = None, by: By = "subject"
) -> Mixture:
    r"""Make a finite mixture of agents, whose weights may be unknown.

    .. math:: p(\text{data}) = \prod_i \sum_k w_k\,p_k(\text{data of } i)

    Parameters
    ----------
    agents : sequence or mapping of Agent
        The components; the keys of a mapping are their names.
    weights : sequence of float or Distribution, optional
        :math:`w`, the mixture weights; or a prior over them such as ``dist.Dirichlet(jnp.ones(2))``. None: equal.
    by : {"subject", "trajectory", "data"}
        Unit that has one component: every subject, every trajectory, or all of the data.

    Returns
    -------
    Mixture

    Raises
    ------
    ValueError
        Where there are no agents, an entry is not an agent, or the weights do not fit.

    Examples
    --------
    >>> import goalinf as gi
    >>> agents = {"planner": gi.agents.boltzmann(beta=2.0), "idler": gi.agents.uniform()}
    >>> gi.agents.mixture(agents, weights=[3.0, 1.0]).weights
    array([0.75, 0.25])
    """
    values = _options("mixture", agents, by)
    if wrong := [value for value in values if not isinstance(value, Agent)]:
        raise ValueError(
            f"mixture got a {type(wrong[0]).__name__}; expected agents, such as gi.agents.boltzmann(beta=2.0)"
        )
    if not isinstance(weights, Distribution):
        return one_of(agents, weights=weights, by=by)
    if weights.shape() != (len(values),):
        raise ValueError(f"weights have shape {weights.shape()}; expected a prior over {len(values)} weights")
    return Mixture(values, weights, one_of(agents).names, "which", by)


def _options(what: str, options: Any, by: str) -> tuple[Any, ...]:
    if isinstance(options, (str, bytes)) or not isinstance(options, (Sequence, Mapping, np.ndarray)):
        raise TypeError(f"{what} takes a list of options, or a mapping from name to option; found {options!r}")
    check_choice("by", by, get_args(By))
    if not len(options):
        raise ValueError(f"{what} got no option; give at least one")
    return tuple(options.values()) if isinstance(options, Mapping) else tuple(options)


def _name(value: Any) -> Hashable:
    """Return the name of an option: a number or a text itself, for other values the name of the type."""
    if isinstance(value, Agent):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else type(value).__name__


def _weights(weights: Numbers | None, count: int) -> np.ndarray:
    values = np.full(count, 1.0) if weights is None else np.asarray(weights, float)
    if values.shape != (count,) or not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError(f"weights are {values.tolist()}; expected {count} finite numbers of at least 0, not all 0")
    return values / values.sum()


def constructor(function: Callable[_P, Agent]) -> Callable[_P, Any]:
    """Decorate a named constructor so that any one of its arguments may be :func:`one_of`."""
    signature = inspect.signature(function)
    build: Callable[..., Agent] = function

    @functools.wraps(function)
    def made(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        bound = signature.bind(*args, **kwargs).arguments
        flat = {**{k: v for k, v in bound.items() if k != "others"}, **bound.get("others", {})}
        names = [name for name, value in flat.items() if isinstance(value, OneOf)]
        if not names:
            return function(*args, **kwargs)
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)} are both one_of: give one, or a one_of of whole agents")
        (parameter,), choice = names, flat[names[0]]
        agents = tuple(build(**{**flat, parameter: option}) for option in choice.options)
        return Mixture(agents, choice.weights, choice.names, parameter, choice.by)

    return made
