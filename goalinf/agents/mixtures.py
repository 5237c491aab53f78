"""Discrete parameters: which of several values, or of several agents. They are summed over, never sampled by MCMC."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, NoReturn, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from goalinf import display
from goalinf.agents.agent import Agent
from goalinf.checks import check_choice
from goalinf.planning.parameters import SHARE
from goalinf.rewards import Alternatives, Reward
from goalinf.worlds.names import check_alike

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
    r"""Somebody who is one of several agents: :math:`p(\tau) = \sum_k w_k\,p_k(\tau)`.

    Parameters
    ----------
    agents : tuple of Agent
        The options.
    weights : float (K,) or Distribution
        Prior probability of each, :math:`w`.
    names : tuple
        What the options are called: values of the parameter.
    parameter : str
        What differs: the name of a parameter, or ``"which"``.
    by : {"subject", "trajectory", "data"}
        Who is one of them: every subject, every trajectory, or all alike.
    """

    agents: tuple[Agent, ...]
    weights: Float[Array | np.ndarray, " K"] | Any
    names: tuple[Hashable, ...] = eqx.field(static=True)
    parameter: str = eqx.field(static=True)
    by: By = eqx.field(static=True)

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"one of {', '.join(map(str, self.names))}"

    @property
    def numeric(self) -> bool:
        """Whether the names of the options are numbers, by which draws of them are kept; else they are by place."""
        return all(isinstance(name, (bool, int, float)) for name in self.names)

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter of every option; those of whole agents under the name of the agent, ``myopic.beta``."""
        found = {key: option.parameters[name] for key, (option, name) in self._places().items()}
        return {**found, "weights": self.weights} if isinstance(self.weights, Distribution) else found

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every parameter."""
        found = {key: option.ranges[name] for key, (option, name) in self._places().items()}
        return {**found, "weights": SHARE} if isinstance(self.weights, Distribution) else found

    def _places(self) -> dict[str, tuple[Agent, str]]:
        """Name of each parameter -> an agent that has it, and its name there."""
        whole = self.parameter == "which"
        return {
            f"{label}.{name}" if whole else name: (option, name)
            for label, option in zip(self.names, self.agents, strict=True)
            for name in option.parameters
            if name != self.parameter
        }

    @property
    def scales(self) -> bool:
        """Whether beta and the reward matter only as their product, the same one in every option."""
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
        """There is none: each of the agents has one of its own.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            f"{self.name} has a policy for each of them: ask for one, such as agent.agents[0].policy(world, reward)"
        )

    def at(self, **parameters: Any) -> Mixture:
        """The same agents with other parameter values; those of whole agents as ``{"myopic.beta": 2.0}``.

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
            own = {name: parameters[prefix + name] for name in option.parameters if prefix + name in parameters}
            options.append(option.at(**own))
        return dataclasses.replace(self, agents=tuple(options), weights=parameters.get("weights", self.weights))


def options_of(agent: Agent | Mixture) -> tuple[Agent, ...]:
    """The agents that somebody may be."""
    return agent.agents if isinstance(agent, Mixture) else (agent,)


def one_of(options: Sequence[Any] | Mapping[Hashable, Any], *, weights: Any = None, by: By = "subject") -> Any:
    r"""One of several values of a discrete parameter, of several agents or of several rewards, not known which.

    .. math:: p(\text{data}) = \prod_i \sum_k w_k\,p_k(\text{data of } i)

    with i every subject, every trajectory, or all of the data. What is discrete is summed over, exactly; a posterior
    holds draws of it from its conditional, and ``fit.responsibilities`` the probabilities.

    Parameters
    ----------
    options : sequence or mapping
        Values of a parameter such as a depth, where a named constructor takes one; agents; or rewards of one kind, for
        :func:`switching`. The keys of a mapping are the names of the options.
    weights : sequence of float, optional
        Prior weights; default: all alike.
    by : {"subject", "trajectory", "data"}
        Who has one of them.

    Returns
    -------
    OneOf, Mixture or Alternatives
        To be put in the place of a parameter, of an agent, or of a reward.

    Raises
    ------
    ValueError
        Where there are no options, they are of different sorts, or the weights do not fit.

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
        raise ValueError("one_of got options of different sorts; expected only agents, only rewards, or only values")
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


def mixture(agents: Sequence[Any] | Mapping[Hashable, Any], *, weights: Any = None, by: By = "subject") -> Mixture:
    r"""Somebody who is one of several agents, in shares that may be unknown.

    .. math:: p(\text{data}) = \prod_i \sum_k w_k\,p_k(\text{data of } i)

    Parameters
    ----------
    agents : sequence or mapping of Agent
        The agents; the keys of a mapping are their names.
    weights : sequence of float or Distribution, optional
        :math:`w`, the share of each; a prior over them such as ``dist.Dirichlet(jnp.ones(2))``. None: all alike.
    by : {"subject", "trajectory", "data"}
        Who is one of them: every subject, every trajectory, or all of the data.

    Returns
    -------
    Mixture

    Raises
    ------
    ValueError
        Where there are no agents, an option is none, or the weights do not fit.

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
        raise ValueError(f"weights have shape {weights.shape()}; expected a prior over {len(values)} shares")
    return Mixture(values, weights, one_of(agents).names, "which", by)


def _options(what: str, options: Any, by: str) -> tuple[Any, ...]:
    if isinstance(options, (str, bytes)) or not isinstance(options, (Sequence, Mapping, np.ndarray)):
        raise TypeError(f"{what} takes a list of options, or a mapping from name to option; found {options!r}")
    check_choice("by", by, get_args(By))
    if not len(options):
        raise ValueError(f"{what} got no option; give at least one")
    return tuple(options.values()) if isinstance(options, Mapping) else tuple(options)


def _name(value: Any) -> Hashable:
    """What an option is called: a number or a text by itself, everything else by its kind."""
    if isinstance(value, Agent):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else type(value).__name__


def _weights(weights: Any, count: int) -> np.ndarray:
    found = np.full(count, 1.0) if weights is None else np.asarray(weights, float)
    if found.shape != (count,) or not (np.isfinite(found).all() and (found >= 0).all() and found.sum() > 0):
        raise ValueError(f"weights are {found.tolist()}; expected {count} finite numbers of at least 0, not all 0")
    return found / found.sum()


def constructor(function: Callable[..., Agent]) -> Callable[..., Any]:
    """A named constructor that takes :func:`one_of` in the place of any one of its arguments."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs).arguments
        flat = {**{k: v for k, v in bound.items() if k != "others"}, **bound.get("others", {})}
        found = [name for name, value in flat.items() if isinstance(value, OneOf)]
        if not found:
            return function(*args, **kwargs)
        if len(found) > 1:
            raise ValueError(f"{' and '.join(found)} are both one_of: give one, or a one_of of whole agents")
        (parameter,), choice = found, flat[found[0]]
        agents = tuple(function(**{**flat, parameter: option}) for option in choice.options)
        return Mixture(agents, choice.weights, choice.names, parameter, choice.by)

    return made
