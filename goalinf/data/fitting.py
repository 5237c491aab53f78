"""Data against the worlds that they are scored in: the names behind the numbers, and what can happen there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from goalinf.data import rules
from goalinf.worlds.world import World, label

if TYPE_CHECKING:
    from goalinf.data.trajectories import Trajectories


def check_fits(data: Trajectories, worlds: Sequence[World], *, slips: bool = False) -> None:
    """Refuse data that cannot come from these worlds, whether they were read from a table or given as arrays.

    Every state and action exists, under the name that it had where the data were read or simulated. The rules of
    :func:`~goalinf.read_trajectories` hold: nothing is decided in a terminal state, every chosen action is available,
    and every transition has a positive probability.

    Parameters
    ----------
    data : Trajectories
        What was observed.
    worlds : sequence of World
        One per context of the data, or one for all.
    slips : bool
        Whether data hold intended actions where the world moves by executed ones: a transition is then possible where
        any available action makes it.

    Raises
    ------
    ValueError
        Where a state or an action does not exist, or is another one: first-order data in a world with memory, say; or
        where a rule is broken. Trajectory and step are named, and the row where the data came from a table.
    """
    cells, contexts = data.cells, data.context_names
    highest_state, highest_action = (_highest(x, data.context, len(contexts)) for x in (data.states, data.actions))
    for number, context in enumerate(contexts):
        world = worlds[min(number, len(worlds) - 1)]
        which = f"the data of context {context!r}" if len(contexts) > 1 else "the data"
        if (state := highest_state[number]) >= world.n_states:
            raise ValueError(f"{which} visit state number {state}; the world has {world.n_states} states")
        if (action := highest_action[number]) >= world.n_actions:
            raise ValueError(f"{which} hold action number {action}; the world has {world.n_actions} actions")
        read = data.labels.worlds[number] if data.labels is not None and data.labels.worlds else world
        if read is not world:
            mine = np.asarray(cells.context) == number if len(contexts) > 1 else slice(None)
            _check_names(which, read, world, np.asarray(cells.state)[mine], np.asarray(cells.action)[mine])
    visits = _Visits.of(data, worlds)
    state, action = visits.state, visits.action
    rules.check_ended(visits, visits, state, visits.decision)
    rules.check_available(visits, visits, state, action)
    rules.check_moves(visits, visits, state, np.full_like(action, -1) if slips else action)


@dataclasses.dataclass(frozen=True, eq=False)
class _Visits:
    """The visits of trajectories, one after the other, in the form in which the rules look at the rows of a table."""

    data: Trajectories
    worlds: tuple[World, ...]  # one per context, or one for all
    state: np.ndarray  # (N (T + 1),), −1 where there is no visit
    action: np.ndarray  # (N (T + 1),), −1 where there is none or it is missing
    decision: np.ndarray  # (N (T + 1),), missing choices included
    following: np.ndarray  # (N (T + 1),) position of the visit after a decision, −1 where it was not seen

    @classmethod
    def of(cls, data: Trajectories, worlds: Sequence[World]) -> _Visits:
        """All visits of these data."""
        states = np.asarray(data.states)
        width = states.shape[1]
        decision = np.arange(width) < np.asarray(data.lengths)[:, None]
        action, following = np.full(states.shape, -1), np.full(states.shape, -1)
        np.copyto(action[:, :-1], data.actions, where=np.asarray(data.observed))
        seen = decision[:, :-1] & (states[:, 1:] >= 0)
        np.copyto(following[:, :-1], np.arange(1, states.size + 1).reshape(states.shape)[:, :-1], where=seen)
        return cls(data, tuple(worlds), states.ravel(), action.ravel(), decision.ravel(), following.ravel())

    @property
    def _width(self) -> int:
        return self.data.states.shape[1]

    def base(self, row: int) -> World:
        """The world of a visit."""
        return self.worlds[min(int(self.data.context[row // self._width]), len(self.worlds) - 1)]

    def name(self, row: int, state: np.ndarray) -> str:
        """Printed name of the state of a visit."""
        return label(self.base(row).states[state[row]])

    def bases(self) -> Sequence[tuple[World, np.ndarray]]:
        """Every world with the positions of its visits."""
        return self._located

    @cached_property
    def _located(self) -> list[tuple[World, np.ndarray]]:
        visited = self.state >= 0
        different = list({id(world): world for world in self.worlds}.values())
        if len(different) == 1:
            return [(different[0], np.flatnonzero(visited))]
        of_context = np.array([[one is other for other in different].index(True) for one in self.worlds])
        which = np.repeat(of_context[np.asarray(self.data.context)], self._width)
        return [(world, np.flatnonzero((which == number) & visited)) for number, world in enumerate(different)]

    def owner(self, position: int) -> str:
        """``"trajectory 3, step 5"``; with its row where the data came from a table."""
        n, t = divmod(position, self._width)
        labels = self.data.labels
        return labels.where(n, t) if labels is not None else f"trajectory {n}, step {t}"

    def refuse(self, wrong: np.ndarray, say: Callable[[int], str]) -> None:
        """Raise about the first visit that is wrong, and count the others."""
        if wrong.any():
            first = int(wrong.argmax())
            more = f" ({wrong.sum():,} steps have this fault; this is the first)" if wrong.sum() > 1 else ""
            raise ValueError(f"{self.owner(first)}: {say(first)}{more}")


def _highest(values: ArrayLike, context: ArrayLike, count: int) -> np.ndarray:
    """The highest of the numbers ``(N, …)`` of every context, −1 where there is none."""
    found = np.full(count, -1)
    np.maximum.at(found, np.asarray(context), np.max(np.asarray(values), axis=1, initial=-1))
    return found


def _check_names(which: str, read: World, world: World, states: np.ndarray, actions: np.ndarray) -> None:
    remedy = "read or simulate them in the world that they are fitted in"
    for s in np.unique(states).tolist():
        if not _same_place(read, world, s):
            there, here = label(read.states[s]), label(world.states[s])
            raise ValueError(
                f"{which} come from another world, where state number {s} is {there}; here it is {here}: {remedy}"
            )
    for s, a in zip(states.tolist(), actions.tolist(), strict=True):
        there, here = read.action_names(s)[a], world.action_names(s)[a]
        if there != here and None not in (there, here):
            place = f"action number {a} in state {label(world.states[s])}"
            raise ValueError(
                f"{which} come from another world, where {place} is {label(there)}; here it is {label(here)}: {remedy}"
            )


def _same_place(one: World, other: World, s: int) -> bool:
    """Whether a number means one state in two worlds; on maps a cell may carry a mark in one of them only."""
    if one.states[s] == other.states[s] or s in (one.names.find(other.states[s]), other.names.find(one.states[s])):
        return True
    if not one.layout == other.layout == "map" or one.positions is None or other.positions is None:
        return False
    return bool(np.array_equal(one.positions[s], other.positions[s]))
