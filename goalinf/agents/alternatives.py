"""Discrete parameters: which of several values, or of several agents. They are summed over, never sampled by MCMC."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, get_args

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from goalinf.agents.agent import Agent
from goalinf.rewards import Alternatives, Reward

By = Literal["subject", "trajectory", "data"]


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


def one_of(
    options: Sequence[Any] | Mapping[Hashable, Any], *, weights: Sequence[float] | None = None, by: By = "subject"
) -> Any:
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
    >>> gi.lookahead(depth=gi.one_of([1, 2, 4]), beta=2.0).names
    (1, 2, 4)
    """
    if isinstance(options, (str, bytes)) or not isinstance(options, (Sequence, Mapping, np.ndarray)):
        raise TypeError(f"one_of takes a list of options, or a mapping from name to option; found {options!r}")
    values = tuple(options.values()) if isinstance(options, Mapping) else tuple(options)
    if by not in get_args(By):
        raise ValueError(f"by is {by!r}; expected 'subject', 'trajectory' or 'data'")
    if not values:
        raise ValueError("one_of got no option; give at least one")
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
    if kinds[0] is Agent:
        return Mixture(values, prior, names, "which", by)
    if kinds[0] is Reward:
        return Alternatives(values, prior, names)
    return OneOf(values, names, prior, by)


def _name(value: Any) -> Hashable:
    return value.name if isinstance(value, Agent) else value.item() if isinstance(value, np.generic) else value


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
