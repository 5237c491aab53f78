"""Names of states and actions as the numbers of their world, row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from goalinf.data.columns import Keys, Rows
from goalinf.worlds.world import World, label


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """Which world each row of the table belongs to. On worlds with memory, ``base`` is the world of single states."""

    worlds: tuple[World, ...]  # the different ones
    which: np.ndarray  # (R,) numbers into worlds

    def base(self, row: int) -> World:
        """The first-order world of a row: the table holds its states."""
        return base(self.worlds[self.which[row]])

    def name(self, row: int, state: np.ndarray) -> str:
        """Printed name of the state in a row, given the states of all rows."""
        return label(self.base(row).states[state[row]])

    def each(self) -> Iterator[tuple[World, np.ndarray]]:
        """Every world with the positions of its rows."""
        order = np.argsort(self.which, kind="stable")
        ends = np.cumsum(np.bincount(self.which, minlength=len(self.worlds)))
        yield from zip(self.worlds, np.split(order, ends[:-1]), strict=True)

    def bases(self) -> Iterator[tuple[World, np.ndarray]]:
        """The first-order world of every world, with the positions of its rows."""
        for world, chosen in self.each():
            yield base(world), chosen


def base(world: World) -> World:
    """The world whose states a table holds: on worlds with memory, the first-order one."""
    return world if world.memory is None else world.memory.base


def states(rows: Rows, places: Places, key: Keys, columns: list) -> np.ndarray:
    """Number of the state of every row, ``(R,)``."""
    rows.refuse(key.codes < 0, lambda i: f"the state is missing (column {_shown(columns)}); every row needs one")
    found, said = np.empty(len(key.codes), np.int64), {}
    for world, chosen in places.each():
        unique, inverse = np.unique(key.codes[chosen], return_inverse=True)
        numbers = np.empty(len(unique), np.int64)
        for i, code in enumerate(unique):
            try:
                numbers[i] = base(world).index(key.names[code])
            except ValueError as error:
                numbers[i], said[id(world), code] = -1, _unknown(base(world), key.names[code], error, columns)
        found[chosen] = numbers[inverse]
    rows.refuse(found < 0, lambda i: said[id(places.worlds[places.which[i]]), key.codes[i]])
    return found


def actions(rows: Rows, places: Places, state: np.ndarray, key: Keys) -> np.ndarray:
    """Number of the action of every row, ``(R,)``, −1 where it is missing."""
    found, said = np.full(len(key.codes), -1), {}
    for world, chosen in places.each():
        here = base(world)
        recorded = chosen[key.codes[chosen] >= 0]
        # Where every state has action names of its own, the name means something only together with the state.
        place = state[recorded] if here.local_actions else 0
        unique, inverse = np.unique(place * len(key.names) + key.codes[recorded], return_inverse=True)
        numbers = np.empty(len(unique), np.int64)
        for i, pair in enumerate(unique):
            s, code = divmod(int(pair), len(key.names))
            try:
                numbers[i] = _action(here, key.names[code], s if here.local_actions else None)
            except ValueError as error:
                numbers[i], said[id(world), pair] = -2, str(error)
        found[recorded] = numbers[inverse]

    def say(i: int) -> str:
        world = places.worlds[places.which[i]]
        place = state[i] if base(world).local_actions else 0
        return said[id(world), place * len(key.names) + key.codes[i]]

    rows.refuse(found < -1, say)
    return found


def _action(world: World, name: Hashable, state: int | None) -> int:
    """Number of an action, given by name or, where no name is an integer, by number."""
    names = world.action_names(state)
    numbered = not any(isinstance(known, int) for known in names)
    if numbered and isinstance(name, int) and 0 <= name < len(names):
        return name
    try:
        return world.action_index(name, state)
    except ValueError as error:
        hint = f" (or their numbers, 0 to {len(names) - 1})" if numbered else ""
        raise ValueError(f"{error}{hint}") from None


def _unknown(world: World, name: Any, error: ValueError, columns: list) -> str:
    """Why there is no such state; text where the world has numbers (or the reverse) is the commonest slip."""
    twin = next((known for known in world.states if label(known) == label(name)), None)
    if twin is None:
        return str(error)
    kinds = "text where the world has numbers" if isinstance(name, str) else "numbers where the world has text"
    return f"unknown state {name!r}: the world names it {twin!r}. The table holds {kinds}: convert {_shown(columns)}"


def _shown(columns: list) -> str:
    return ", ".join(repr(column) for column in columns)
