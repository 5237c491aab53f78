"""Data against the worlds that they are scored in: the names behind the numbers, and what can happen there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

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
    for number, context in enumerate(contexts):
        world = worlds[min(number, len(worlds) - 1)]
        which = f"the data of context {context!r}" if len(contexts) > 1 else "the data"
        mine = np.asarray(cells.context) == number if len(contexts) > 1 else slice(None)
        states, actions = np.asarray(cells.state)[mine], np.asarray(cells.action)[mine]
        if states.size and states.max() >= world.n_states:
            raise ValueError(f"{which} visit state number {states.max()}; the world has {world.n_states} states")
        if actions.size and actions.max() >= world.n_actions:
            raise ValueError(f"{which} hold action number {actions.max()}; the world has {world.n_actions} actions")
        read = data.labels.worlds[number] if data.labels is not None and data.labels.worlds else world
        if read is not world:
            _check_names(which, read, world, states, actions)
    visits = _Visits(data, tuple(worlds))
    rules.check_ended(visits, visits, visits.state, visits.decision)
    rules.check_available(visits, visits, visits.state, visits.action)
    rules.check_moves(visits, visits, visits.state, np.full_like(visits.action, -1) if slips else visits.action)


@dataclasses.dataclass(frozen=True, eq=False)
class _Visits:
    """The visits of trajectories, one after the other, in the form in which the rules look at the rows of a table."""

    data: Trajectories
    worlds: tuple[World, ...]

    @cached_property
    def state(self) -> np.ndarray:
        """State of every visit, −1 where there is none, ``(N (T + 1),)``."""
        return np.asarray(self.data.states).ravel()

    @cached_property
    def decision(self) -> np.ndarray:
        """Visits in which something is decided, missing choices included."""
        return (np.arange(self._width) < np.asarray(self.data.lengths)[:, None]).ravel()

    @cached_property
    def action(self) -> np.ndarray:
        """Action of every visit, −1 where there is none or it is missing."""
        chosen = np.where(self.data.observed, self.data.actions, -1)
        return np.pad(chosen, ((0, 0), (0, 1)), constant_values=-1).ravel()

    @cached_property
    def following(self) -> np.ndarray:
        """Position of the visit after each decision, −1 where it was not seen."""
        after = np.arange(1, self.state.size + 1)
        seen = self.decision.copy()
        seen[seen] = self.state[after[seen]] >= 0
        return np.where(seen, after, -1)

    @property
    def _width(self) -> int:
        return self.data.states.shape[1]

    def _number(self, position: int) -> int:
        """Number of the world of a visit."""
        return min(int(self.data.context[position // self._width]), len(self.worlds) - 1)

    def base(self, row: int) -> World:
        """The world of a visit."""
        return self.worlds[self._number(row)]

    def name(self, row: int, state: np.ndarray) -> str:
        """Printed name of the state of a visit."""
        return label(self.base(row).states[state[row]])

    def bases(self) -> Iterator[tuple[World, np.ndarray]]:
        """Every world with the positions of its visits."""
        different = {id(world): world for world in self.worlds}
        of_context = np.array([list(different).index(id(world)) for world in self.worlds])
        which = np.repeat(of_context[np.minimum(self.data.context, len(self.worlds) - 1)], self._width)
        for number, world in enumerate(different.values()):
            yield world, np.flatnonzero((which == number) & (self.state >= 0))

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
