"""Reward: the interface of all rewards, and checks of their fields."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array, Bool, Float
from numpyro.distributions import Distribution

from goalinf import display
from goalinf.checks import check_kind
from goalinf.types import Numbers, Numeric
from goalinf.worlds import MDP

_T = TypeVar("_T")
Leaf: TypeAlias = Numeric | Distribution  # numbers, or a prior over them


class Reward(eqx.Module):
    """Map from an MDP to rewards of transitions; abstract.

    A subclass whose arrays are made by :func:`leaf` refuses wrong numbers in the words of the library.
    """

    recorded: ClassVar[bool] = False  # True where the rewards are recorded with the data

    @abc.abstractmethod
    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return values broadcastable to ``(S, A, K)``, aligned with ``mdp.successors``."""

    @property
    @abc.abstractmethod
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Names of the axes of every array field, among ``state``, ``action``, ``successor``, ``feature``."""

    @property
    @abc.abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Fields that may carry a prior."""

    @property
    def linear(self) -> bool:
        """True where the reward is a linear function of all its parameters; False where this is not known."""
        return False

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """Return the states in which the episode ends under this reward; by default none."""
        return np.zeros(mdp.n_states, bool)

    def pinned(self, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
        """Return the states whose value is fixed and need not be zero (dead ends), and that value; by default none."""
        return np.zeros(mdp.n_states, bool), np.zeros(())

    @property
    def unshaped(self) -> Reward:
        """Reward without potential shaping."""
        return self

    def __repr__(self) -> str:
        return display.describe(self)

    def _repr_html_(self) -> str:
        return display.card(type(self).__name__, display.facts(display.settings(self)))


def ended(reward: Reward, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
    """Return the states in which the episode has ended: terminal states, and states in which this reward ends it."""
    # Read from the class: Equinox makes a record of a bound method, which takes longer than the computation.
    return mdp.terminal | type(reward).ends(reward, mdp)


def pinned(reward: Reward, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
    """Return the states whose value the reward fixes (dead ends), and that value; other ended states have value 0."""
    return type(reward).pinned(reward, mdp)


def base_of(reward: _T) -> Reward | _T:
    """Return the reward that holds the parameters: the base of a shaped reward, or the reward itself."""
    return reward.unshaped if isinstance(reward, Reward) else reward


def parameter_of(reward: Reward, name: str) -> Any:
    """Return the value or the prior of a parameter: ``"values"``."""
    return getattr(base_of(reward), name)


def reward_parameters(reward: Reward) -> tuple[str, ...]:
    """Return the names of a reward's parameters, as in a fit: ``("reward.values",)``."""
    return tuple(f"reward.{name}" for name in base_of(reward).parameters)


def check_linear(what: str, reward: object) -> Reward:
    """Return the reward that holds the parameters; ``what`` uses multiples of it.

    Raises
    ------
    ValueError
        Where the reward is not known to be linear in its parameters.
    """
    base = base_of(reward)
    if not (isinstance(base, Reward) and base.linear):
        raise ValueError(
            f"{what} needs a reward that is linear in its parameters, and a {type(base).__name__} does not state that "
            "it is: declare linear = True in the class if it is"
        )
    return base


def leaf(value: Leaf | Numbers, what: str, by_name: str | None = None) -> Leaf:
    """Return a distribution or traced values unchanged, and numbers as a host array in float64.

    Numbers with labels are refused: a reward holds numbers in the order of its world, and does not contain the world.
    ``by_name`` is the advice on how to match them.
    """
    if isinstance(value, (pd.Series, pd.DataFrame, xr.DataArray)):
        way = f"match them by name with {by_name}, or " if by_name else ""
        raise TypeError(
            f"{what} is a {type(value).__name__}, whose labels a reward cannot match with a world: {way}sort it in the "
            "order of the world (world.states, world.actions) and give its numbers, .values"
        )
    if isinstance(value, (Distribution, jax.core.Tracer, jax.ShapeDtypeStruct)):
        return value
    if isinstance(value, jax.Array):
        _check_finite(np.asarray(value), what)
        return value
    try:
        if isinstance(value, str) or value is None or np.iscomplexobj(np.asarray(value)):
            raise TypeError
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        if any(isinstance(part, jax.Array) for part in jax.tree.leaves(value)):
            return jnp.asarray(value)
        shown = value.__name__ if isinstance(value, type) else repr(value)
        raise TypeError(
            f"{what}: found {shown}; expected numbers, or a prior such as numpyro.distributions.Normal(0.0, 1.0)"
        ) from None
    _check_finite(array, what)
    return array


def _check_finite(array: np.ndarray, what: str) -> None:
    if np.isfinite(array).all():
        return
    wrong = np.argwhere(~np.isfinite(array))[0]
    number = array[tuple(wrong)]
    location = f"entry {wrong.tolist()} is {number}" if array.ndim else f"found {number}"
    remedy = (
        "; to forbid an action, make it unavailable in the world (available= of gi.from_arrays)"
        if number == -np.inf
        else ""
    )
    raise ValueError(f"{what}: {location}; expected finite numbers{remedy}")


_BY_AXES = {
    1: "gi.StateReward(values, on='departure') or on='arrival'",
    2: "gi.ActionReward(values)",
    3: "gi.TransitionReward(values)",
}


def check_reward(what: str, value: Any) -> None:
    """Refuse a value that is not a reward; for an array, name the class that holds it."""
    if isinstance(value, Reward):
        return
    if value is None or isinstance(value, (str, type)):
        check_kind(what, value, Reward, "a reward, such as gi.StateReward")
    if isinstance(value, Mapping):
        raise TypeError(f"{what} is a mapping; expected one reward, such as gi.StateReward.at(world, mapping, …)")
    if isinstance(value, Distribution):
        raise TypeError(
            f"{what} is a {type(value).__name__}; expected a reward that holds this prior, such as "
            "gi.StateReward(prior, on='departure')"
        )
    try:
        shape = np.shape(value)
    except ValueError:  # ragged lists
        shape = ()
    if not shape:
        check_kind(what, value, Reward, "a reward, such as gi.StateReward")
    suggestion = _BY_AXES.get(len(shape), "a reward, such as gi.StateReward")
    raise TypeError(
        f"{what} is a {type(value).__name__} of shape {shape}; expected a reward, which also defines when the numbers "
        f"are collected: {suggestion}"
    )
