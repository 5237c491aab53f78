"""Meaning of composite states: a state with the last state, or a state with a belief."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from goalinf.types import Numeric
from goalinf.worlds.mdp import MDP

_World = Any  # a World, whose class is built on this module


@dataclasses.dataclass(frozen=True, eq=False)
class Memory:
    """Pairs of the last state and the current state that the states of a second-order world stand for."""

    base: _World
    pairs: np.ndarray  # (S, 2): last state (−1 at the start) and this state, as numbers of the base world
    mean: ClassVar[str] = "mean over the last states"  # what is drawn where the base world is

    def number(self, previous: Numeric | Sequence[int] | int, current: Numeric | Sequence[int] | int) -> np.ndarray:
        """Look up the state of each pair by number (previous −1: at the start), −1 where there is none."""
        keys, order = self._sorted
        key = (np.asarray(previous, np.int64) + 1) * self.base.n_states + current
        position = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        return np.where(keys[position] == key, order[position], -1)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        keys = (self.pairs[:, 0].astype(np.int64) + 1) * self.base.n_states + self.pairs[:, 1]
        order = np.argsort(keys)
        return keys[order], order


@dataclasses.dataclass(frozen=True, eq=False)
class Belief:
    """Pairs of a belief and a state that the states of a belief world stand for.

    Parameters
    ----------
    base : World
        The world that is seen: the true one, or one in which all that may happen is possible.
    pairs : int (S, 2)
        The belief and the state of the base world, by number.
    beliefs : float (B, W)
        The beliefs; the first is the prior.
    successors : int (S', A, K)
        States of the base world that may follow in any of the worlds; successors of pairs stand in the same places.
    laws : float (W, S', A, K)
        Their probabilities in each.
    worlds : tuple (W,)
        Names of the worlds.
    """

    base: _World
    pairs: np.ndarray
    beliefs: np.ndarray
    successors: np.ndarray
    laws: np.ndarray
    worlds: tuple[Hashable, ...]
    mean: ClassVar[str] = "mean over beliefs"

    def expected(self, belief: np.ndarray, state: np.ndarray) -> np.ndarray:
        """Probabilities ``(N, A, K)`` of what follows some states ``(N,)``, by some beliefs (numbers, ``(N,)``)."""
        return np.einsum("nw,wnak->nak", self.beliefs[belief], self.laws[:, state])

    def start(self, state: np.ndarray) -> np.ndarray:
        """Look up the pair of each state and the prior by number, −1 where there is none."""
        pair_of_state = np.full(self.base.n_states, -1)
        pair = np.flatnonzero(self.pairs[:, 0] == 0)
        pair_of_state[self.pairs[pair, 1]] = pair
        return pair_of_state[state]

    def follow(self, mdp: MDP, pair: np.ndarray, action: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Look up the next pair in the belief world of this MDP by number, given the next state.

        −1 where that is impossible; −2 where the action is not known (−1) and the belief depends on it.
        """
        successors = np.asarray(mdp.successors)[pair]
        hits = (self.laws.max(axis=0)[self.pairs[pair, 1]] > 0) & mdp.available[pair][:, :, None]
        hits &= self.pairs[successors, 1] == following[:, None, None]
        possible_action = np.asarray(action[:, None] == np.arange(mdp.n_actions)) | (action < 0)[:, None]
        hits &= possible_action[:, :, None]
        lowest = np.where(hits, successors, mdp.n_states).min(axis=(1, 2))
        highest = np.where(hits, successors, -1).max(axis=(1, 2))
        return np.where(lowest < highest, -2, highest)
