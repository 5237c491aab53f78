"""Several rewards: alternatives of an agent with switching goals, padding, and stacking."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from goalinf.precision import namespace
from goalinf.rewards.base import Reward, ended
from goalinf.rewards.shaped import ShapedReward
from goalinf.types import Numeric
from goalinf.worlds import MDP

_R = TypeVar("_R", bound=Reward)


class Alternatives(Reward):
    """One of several rewards, unknown which; made by ``gi.one_of({name: reward, ...})``.

    Parameters
    ----------
    options : tuple of Reward
        Rewards of one class.
    weights : float (K,)
        Prior probability of each reward.
    names : tuple
        Names of the rewards.
    """

    options: tuple[Reward, ...]
    weights: Float[Array | np.ndarray, " K"]
    names: tuple[Hashable, ...] = eqx.field(static=True)

    def __call__(self, mdp: MDP) -> Any:
        """Refuse: alternatives have no values."""
        raise ValueError("this agent needs one reward; several alternatives are for a switching agent")

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Empty: only the options have fields."""
        return {}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Empty: only the options have fields."""
        return ()

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """Return the states in which the episode ends under every option."""
        return reduce(lambda a, b: a & b, (ended(option, mdp) for option in self.options))


def pad_reward(reward: _R, sizes: Mapping[str, int]) -> _R:
    """Pad a reward for a padded MDP: zeros for added states, actions and successors."""

    def padded(name: str, axes: tuple[str, ...]) -> Numeric:
        value = getattr(reward, name)
        widths = [(0, sizes.get(axis, size) - size) for axis, size in zip(axes, jnp.shape(value), strict=True)]
        return (np if isinstance(value, np.ndarray) else jnp).pad(value, widths)

    if isinstance(reward, Alternatives):
        return dataclasses.replace(reward, options=tuple(pad_reward(option, sizes) for option in reward.options))
    names = [name for name, axes in reward.dims.items() if axes]
    fields: dict[str, Numeric | Reward] = {name: padded(name, reward.dims[name]) for name in names}
    if isinstance(reward, ShapedReward):
        fields["base"] = pad_reward(reward.base, sizes)
    return eqx.tree_at(lambda r: [getattr(r, name) for name in fields], reward, list(fields.values()))


def stack_rewards(rewards: Sequence[Reward]) -> Any:
    """Stack rewards of one class, with a leading axis on every array.

    Raises
    ------
    ValueError
        Where they are of different classes.
    """
    structures = {jax.tree.structure(reward) for reward in rewards}
    if len(structures) > 1:
        kinds = ", ".join(sorted({type(reward).__name__ for reward in rewards}))
        raise ValueError(f"the rewards of one data set must be of one kind and timing; found {kinds}")
    return jax.tree.map(lambda *leaves: namespace(*leaves).stack(leaves), *rewards)
