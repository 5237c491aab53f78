"""Several rewards together: alternatives of which one is wanted, and arrays of one shape for all."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from goalinf.precision import namespace
from goalinf.rewards.base import Reward, ended
from goalinf.rewards.shaped import ShapedReward
from goalinf.worlds import MDP


class Alternatives(Reward):
    """One of several rewards is wanted, and nobody says which: what ``gi.one_of({name: reward, ...})`` makes.

    Parameters
    ----------
    options : tuple of Reward
        All of one kind.
    weights : float (K,)
        Prior probability of each.
    names : tuple
        What they are called.
    """

    options: tuple[Reward, ...]
    weights: Float[Array | np.ndarray, " K"]
    names: tuple[Hashable, ...] = eqx.field(static=True)

    def __call__(self, mdp: MDP) -> Any:
        """Alternatives have no values of their own."""
        raise ValueError("this agent wants one reward; several alternatives are for a switching agent")

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """None of its own."""
        return {}

    @property
    def parameters(self) -> tuple[str, ...]:
        """None of its own."""
        return ()

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """Where the episode ends whichever is wanted."""
        return reduce(lambda one, other: one & other, (ended(option, mdp) for option in self.options))


def pad_reward(reward: Any, sizes: Mapping[str, int]) -> Any:
    """A reward for a padded MDP: zeros on the states, actions and successors that were added."""

    def padded(name: str, axes: tuple[str, ...]):
        value = getattr(reward, name)
        widths = [(0, sizes.get(axis, size) - size) for axis, size in zip(axes, jnp.shape(value), strict=True)]
        return (np if isinstance(value, np.ndarray) else jnp).pad(value, widths)

    if isinstance(reward, Alternatives):
        return Alternatives(tuple(pad_reward(option, sizes) for option in reward.options), reward.weights, reward.names)
    names = [name for name, axes in reward.dims.items() if axes]
    fields = {name: padded(name, reward.dims[name]) for name in names}
    if isinstance(reward, ShapedReward):
        fields["base"] = pad_reward(reward.base, sizes)
    return eqx.tree_at(lambda r: [getattr(r, name) for name in fields], reward, list(fields.values()))


def stack_rewards(rewards: Sequence[Reward]) -> Any:
    """Rewards of one kind with a leading axis on every array.

    Raises
    ------
    ValueError
        Where they are of different kinds.
    """
    structures = {jax.tree.structure(reward) for reward in rewards}
    if len(structures) > 1:
        kinds = ", ".join(sorted({type(reward).__name__ for reward in rewards}))
        raise ValueError(f"the rewards of one data set must be of one kind and timing; found {kinds}")
    return jax.tree.map(lambda *leaves: namespace(leaves).stack(leaves), *rewards)
