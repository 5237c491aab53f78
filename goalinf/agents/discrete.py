"""Discrete parameters: one of several values or agents, summed over exactly and never sampled by MCMC."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ParamSpec, get_args

import numpy as np
from numpyro.distributions import Distribution

from goalinf.agents.agent import Agent, By
from goalinf.agents.mixture_agent import MixtureAgent, shares
from goalinf.checks import check_choice
from goalinf.rewards import Alternatives, Reward
from goalinf.types import Numbers
from goalinf.worlds.names import check_alike

_P = ParamSpec("_P")


@dataclasses.dataclass(frozen=True, eq=False)
class OneOf:
    """One of several values; see :func:`one_of`."""

    options: tuple[Any, ...]
    names: tuple[Hashable, ...]
    weights: np.ndarray | Distribution
    by: By


def one_of(
    options: Sequence[Any] | Mapping[Any, Any],
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
    weights : sequence of float or Distribution, optional
        Prior weights; or a prior over the shares of the options, such as ``dist.Dirichlet(jnp.ones(3))``, for values
        and agents. Default: equal.
    by : {"subject", "trajectory", "data"}
        Unit that has one of the options: every subject, every trajectory, or all of the data.

    Returns
    -------
    OneOf, MixtureAgent or Alternatives
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
    prior = shares(weights, len(values))
    kinds = [next((kind for kind in (Agent, Reward) if isinstance(value, kind)), None) for value in values]
    if len(set(kinds)) > 1:
        raise ValueError("one_of got options of different kinds; expected only agents, only rewards, or only values")
    names = _names(options, values)
    if kinds[0] is Agent:
        return MixtureAgent(values, prior, names, by=by)
    if kinds[0] is Reward:
        if isinstance(prior, Distribution):
            raise ValueError("weights of rewards are numbers, without a prior: give weights=[…], or none")
        return Alternatives(values, prior, names)
    return OneOf(values, names, prior, by)


def mixture(
    agents: Sequence[Any] | Mapping[Any, Any], *, weights: Numbers | Distribution | None = None, by: By = "subject"
) -> MixtureAgent:
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
    MixtureAgent

    Raises
    ------
    TypeError
        Where an entry is no agent.
    ValueError
        Where there are no agents, an entry is a mixture itself, or the weights do not fit.

    Examples
    --------
    >>> import goalinf as gi
    >>> agents = {"planner": gi.agents.boltzmann(beta=2.0), "idler": gi.agents.uniform()}
    >>> gi.agents.mixture(agents, weights=[3.0, 1.0]).weights
    array([0.75, 0.25])
    """
    values = _options("mixture", agents, by)
    return MixtureAgent(values, weights, _names(agents, values), by=by)


def _options(what: str, options: Any, by: str) -> tuple[Any, ...]:
    if isinstance(options, (str, bytes)) or not isinstance(options, (Sequence, Mapping, np.ndarray)):
        raise TypeError(f"{what} takes a list of options, or a mapping from name to option; found {options!r}")
    check_choice("by", by, get_args(By))
    if not len(options):
        raise ValueError(f"{what} got no option; give at least one")
    return tuple(options.values()) if isinstance(options, Mapping) else tuple(options)


def _names(options: Any, values: tuple[Any, ...]) -> tuple[Hashable, ...]:
    """Return the keys of a mapping, or the names of the options; their numbers where two names are equal."""
    names = tuple(options) if isinstance(options, Mapping) else tuple(map(_name, values))
    if len(set(names)) < len(names) or (isinstance(values[0], Reward) and not isinstance(options, Mapping)):
        names = tuple(range(len(names)))
    check_alike(names, "options")
    return names


def _name(value: Any) -> Hashable:
    """Return the name of an option: a number or a text itself, for other values the name of the type."""
    if isinstance(value, Agent):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else type(value).__name__


def constructor(function: Callable[_P, Agent]) -> Callable[_P, Any]:
    """Decorate a named constructor so that any one of its arguments may be :func:`one_of`."""
    signature = inspect.signature(function)
    build: Callable[..., Agent] = function

    @functools.wraps(function)
    def construct(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        bound = signature.bind(*args, **kwargs).arguments
        flat = {**{k: v for k, v in bound.items() if k != "others"}, **bound.get("others", {})}
        names = [name for name, value in flat.items() if isinstance(value, OneOf)]
        if not names:
            return function(*args, **kwargs)
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)} are both one_of: give one, or a one_of of whole agents")
        (parameter,), choice = names, flat[names[0]]
        agents = tuple(build(**{**flat, parameter: option}) for option in choice.options)
        return MixtureAgent(agents, choice.weights, choice.names, parameter, choice.by)

    return construct
