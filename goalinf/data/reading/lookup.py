"""Conversion of names of states and actions to the numbers of their world, row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from goalinf.data.reading.columns import Keys, Rows
from goalinf.worlds.names import texts
from goalinf.worlds.text_cells import is_whole, readings
from goalinf.worlds.world import World, label


@dataclasses.dataclass(frozen=True, eq=False)
class RowWorlds:
    """World of each row of a table. For worlds with memory, ``base`` is the world of single states."""

    worlds: tuple[World, ...]  # the different ones
    world_number: np.ndarray  # (R,) numbers into worlds
    known: np.ndarray  # (R,) the world of the row is known

    def base(self, row: int) -> World:
        """Return the first-order world of a row, whose states the table holds."""
        return base(self.worlds[self.world_number[row]])

    def name(self, row: int, state: np.ndarray) -> str:
        """Return the printed name of the state in a row, given the states of all rows."""
        return label(self.base(row).states[state[row]])

    def each(self) -> Iterator[tuple[World, np.ndarray]]:
        """Yield every world with the positions of its rows."""
        rows = np.flatnonzero(self.known)
        order = rows[np.argsort(self.world_number[rows], kind="stable")]
        ends = np.cumsum(np.bincount(self.world_number[rows], minlength=len(self.worlds)))
        yield from zip(self.worlds, np.split(order, ends[:-1]), strict=True)

    def bases(self) -> Iterator[tuple[World, np.ndarray]]:
        """Yield the first-order world of every world, with the positions of its rows."""
        for world, chosen in self.each():
            yield base(world), chosen


def base(world: World) -> World:
    """Return the world whose states a table holds: for a world with memory, the first-order world."""
    return world if world.memory is None else world.memory.base


def states(rows: Rows, row_worlds: RowWorlds, key: Keys, columns: Sequence[Hashable], *, text: bool) -> np.ndarray:
    """Return the state number of every row, ``(R,)``; −1 where there is none. ``text``: names are cells of a file."""
    rows.refuse(
        key.codes < 0,
        lambda i: f"the state is missing (column {_shown(columns)}); every row needs one",
        among=row_worlds.known,
    )
    numbers_by_row, reasons = np.full(len(key.codes), -1), {}
    for world, chosen in row_worlds.each():
        named = chosen[key.codes[chosen] >= 0]
        unique, inverse = np.unique(key.codes[named], return_inverse=True)
        numbers = np.empty(len(unique), np.int64)
        for i, code in enumerate(unique):
            try:
                numbers[i] = _state(base(world), key.names[code], columns, text=text)
            except ValueError as error:
                numbers[i], reasons[id(world), code] = -1, str(error)
        numbers_by_row[named] = numbers[inverse]
    rows.refuse(
        (numbers_by_row < 0) & (key.codes >= 0),
        lambda i: reasons[id(row_worlds.worlds[row_worlds.world_number[i]]), key.codes[i]],
        among=row_worlds.known,
    )
    return numbers_by_row


def actions(
    rows: Rows, row_worlds: RowWorlds, state: np.ndarray, key: Keys, column: Hashable, *, text: bool
) -> np.ndarray:
    """Return the action number of every row, ``(R,)``, −1 where it is missing."""
    numbers_by_row, reasons = np.full(len(key.codes), -1), {}
    for world, chosen in row_worlds.each():
        world_of_rows = base(world)
        recorded = chosen[(key.codes[chosen] >= 0) & ((state[chosen] >= 0) | (not world_of_rows.local_actions))]
        # Where every state has its own action names, a name identifies an action only together with the state.
        state_key = state[recorded] if world_of_rows.local_actions else 0
        unique, inverse = np.unique(state_key * len(key.names) + key.codes[recorded], return_inverse=True)
        numbers = np.empty(len(unique), np.int64)
        coded = _coded(world_of_rows)
        one_too_high = _one_too_high(world_of_rows, [key.names[int(pair) % len(key.names)] for pair in unique], coded)
        for i, pair in enumerate(unique):
            s, code = divmod(int(pair), len(key.names))
            try:
                numbers[i] = _action(
                    world_of_rows, key.names[code], s if world_of_rows.local_actions else None, coded, text=text
                )
            except ValueError as error:
                numbers[i], reasons[id(world), pair] = -2, f"{error} (column {column!r}){one_too_high}"
        numbers_by_row[recorded] = numbers[inverse]

    def say(i: int) -> str:
        world = row_worlds.worlds[row_worlds.world_number[i]]
        state_key = state[i] if base(world).local_actions else 0
        return reasons[id(world), state_key * len(key.names) + key.codes[i]]

    rows.refuse(numbers_by_row < -1, say, among=row_worlds.known)
    return numbers_by_row


def _state(world: World, name: Hashable, columns: Sequence[Hashable], *, text: bool) -> int:
    """Return the number of a state; in a text file a cell stands for the name that prints as this text."""
    if not text:
        try:
            return world.index(name)
        except ValueError as error:
            raise ValueError(_unknown(world, name, error, columns)) from None
    candidates = readings(name)
    numbers = [number for reading in candidates if (number := world.names.find(reading)) is not None]
    if numbers:
        return numbers[0]
    number = world.names.find_text(label(name))
    return world.index(candidates[-1]) if number is None else number


def _action(world: World, name: Hashable, state: int | None, coded: bool, *, text: bool) -> int:
    """Return the number of an action, given by name or, where no name is a whole number, by number."""
    names = world.action_names(state)
    candidates = readings(name) if text else [name]
    for reading in candidates:
        if reading in names:
            return world.action_index(reading, state)
    if text and (printed := [i for i, action in enumerate(names) if action is not None and name in texts(action)]):
        return printed[0]
    number = candidates[-1]
    if coded and isinstance(number, int) and 0 <= number < len(names):
        return number
    try:
        return world.action_index(number, state)
    except ValueError as error:
        hint = f" (or their numbers, 0 to {len(names) - 1})" if coded else ""
        raise ValueError(f"{error}{hint}") from None


def _coded(world: World) -> bool:
    """Return True where actions may be given by number, because no name is a whole number."""
    every = [name for names in world.actions for name in names] if world.local_actions else world.actions
    return not any(is_whole(label(name)) for name in every if name is not None)


def _one_too_high(world: World, recorded: list[Hashable], coded: bool) -> str:
    """Return the remedy for action codes counted from 1 where the world counts from 0; empty otherwise."""
    codes = {number for name in recorded if isinstance(number := readings(label(name))[-1], int)}
    names = [str(name) for name in world.actions]
    if world.local_actions or not (coded or names == [str(i) for i in range(len(names))]):
        return ""
    if len(codes) < len(recorded) or codes != codes & set(range(1, len(names) + 1)) or len(names) not in codes:
        return ""
    return f". The codes are one too high: they run from {min(codes)} to {max(codes)}, expected 0 to {max(codes) - 1}"


def _unknown(world: World, name: Hashable, error: ValueError, columns: Sequence[Hashable]) -> str:
    """Return the reason why a state is unknown; the most frequent one is text where the world has numbers."""
    namesake = next((state for state in world.states if label(state) == label(name)), None)
    if namesake is None:
        return str(error)
    kinds = "text where the world has numbers" if isinstance(name, str) else "numbers where the world has text"
    return (
        f"unknown state {name!r}: the world names it {namesake!r}. The table holds {kinds}: convert {_shown(columns)}"
    )


def _shown(columns: Sequence[Hashable]) -> str:
    return ", ".join(repr(column) for column in columns)
