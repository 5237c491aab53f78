"""What every reward answers, and what may stand in its fields."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array, Bool, Float
from numpyro.distributions import Distribution

from goalinf import display
from goalinf.worlds import MDP

Leaf = Any  # an array, or a NumPyro distribution over one


class Reward(eqx.Module):
    """What every reward answers.

    A reward may also declare ``ends(mdp) -> bool (S,)``, the states in which the episode ends under it, and
    ``pinned(mdp) -> (bool (S,), value)``, states whose value is fixed and need not be zero (dead ends).
    """

    @abc.abstractmethod
    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Values broadcastable to ``(S, A, K)``, aligned with ``mdp.successors``."""

    @property
    @abc.abstractmethod
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Names of the axes of every array field, among ``state``, ``action``, ``successor``, ``feature``."""

    @property
    @abc.abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Fields that may carry a prior."""

    def __repr__(self) -> str:
        return display.describe(self)

    def _repr_html_(self) -> str:
        return display.card(type(self).__name__, display.facts(display.settings(self)))


def ended(reward: Reward, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
    """Where nothing more happens: the terminal states, and those in which this reward ends the episode."""
    # Asked of the class: Equinox makes a record of a bound method, which takes longer than what is computed.
    ends = getattr(type(reward), "ends", None)
    return mdp.terminal if ends is None else mdp.terminal | ends(reward, mdp)


def pinned(reward: Reward, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
    """States whose value the reward fixes (dead ends), and that value; ended states that are not among them have 0."""
    pins = getattr(type(reward), "pinned", None)
    return (np.zeros(mdp.n_states, bool), np.zeros(())) if pins is None else pins(reward, mdp)


def leaf(value: Leaf, what: str, by_name: str | None = None) -> Leaf:
    """A distribution as it is; numbers as a host array in float64; traced values untouched.

    Numbers with labels are refused: a reward holds numbers in the order of its world, and does not know the world.
    ``by_name`` says how to match them.
    """
    if isinstance(value, (pd.Series, pd.DataFrame, xr.DataArray)):
        way = f"match them by name with {by_name}, or " if by_name else ""
        raise TypeError(
            f"{what} is a {type(value).__name__}, whose labels a reward cannot match with a world: {way}put it in the "
            "order of the world (world.states, world.actions) and give its numbers, .values"
        )
    if isinstance(value, (Distribution, jax.Array, jax.ShapeDtypeStruct)):
        return value
    try:
        if isinstance(value, str):
            raise TypeError
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        if any(isinstance(part, jax.Array) for part in jax.tree.leaves(value)):
            return jnp.asarray(value)
        shown = value.__name__ if isinstance(value, type) else repr(value)
        raise TypeError(
            f"{what}: found {shown}; expected numbers, or a prior such as numpyro.distributions.Normal(0.0, 1.0)"
        ) from None
    if not np.isfinite(array).all():
        where = f"entry {np.argwhere(~np.isfinite(array))[0]}" if array.ndim else f"{value}"
        raise ValueError(f"{what}: {where} is not a finite number")
    return array
