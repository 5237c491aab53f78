"""Names of states: names, marks on a map, positions, and messages for unknown names."""

from __future__ import annotations

import dataclasses
import difflib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from goalinf.types import StateName, States


def label(name: StateName) -> str:
    """Return the printed name of a state or action: ``"1,2"`` for a position, the text itself for other names."""
    if not isinstance(name, tuple):
        return str(name)
    return ",".join(f"({label(part)})" if isinstance(part, tuple) else str(part) for part in name)


def plain(name: States) -> Any:
    """Convert NumPy scalars to Python scalars and lists to tuples, so that equal names compare and hash equally."""
    if isinstance(name, np.generic):
        return name.item()
    if isinstance(name, (tuple, list)):
        return tuple(plain(part) for part in name)
    return name


def canonical(name: States) -> Any:
    """Return a name by :func:`plain`, and 5 for 5.0 (integers become floats in a column with missing entries)."""
    name = plain(name)
    if isinstance(name, tuple):
        return tuple(canonical(part) for part in name)
    return int(name) if isinstance(name, float) and name.is_integer() else name


def texts(name: StateName) -> set[str]:
    """Return the texts of a name in print and in files: ``"0,1"`` and ``"(0, 1)"`` for a position."""
    return {label(name), str(name)}


def check_alike(names: Iterable[Hashable], what: str) -> None:
    """Refuse different names with equal printed texts, such as 1 and ``"1"``, which are ambiguous in files.

    Raises
    ------
    ValueError
        Where there are two; ``what`` is the plural noun of the named objects.
    """
    names = list(names)
    if len(set(map(type, names)) - {int}) == 0 or set(map(type, names)) == {str}:
        return
    # Positions, of which a map may have many, print with a comma: names without a comma differ from them.
    compared = [name for name in names if not _is_integer_tuple(name)]
    if any("," in text for name in compared for text in texts(name)):
        compared = names
    name_of_text: dict[str, Hashable] = {}
    for name in compared:
        for text in texts(name):
            if (earlier := name_of_text.setdefault(text, name)) != name:
                raise ValueError(
                    f"the {what} {earlier!r} and {name!r} both print as {text}; rename one, so that print and files "
                    "distinguish them"
                )


def check_present(names: Iterable[Any], what: str) -> None:
    """Refuse names that mean a missing value in a table: None, not a number, empty text.

    Raises
    ------
    ValueError
        Where there is one.
    """
    for name in names:
        if not isinstance(name, (int, tuple)) and ((pd.api.types.is_scalar(name) and pd.isna(name)) or name == ""):
            raise ValueError(f"a name of the {what} is {name!r}, which means a missing value in a table; rename it")


def check_names(names: Sequence[Any], what: str) -> None:
    """Refuse names that mean a missing value, that occur twice, or that have equal printed texts.

    Raises
    ------
    ValueError
        Where there are such names; ``what`` is the plural noun of the named objects.
    """
    check_present(names, what)
    try:
        repeated = len(set(names)) < len(names)
    except TypeError:
        raise ValueError("a name cannot be hashed; expected integers, text, or tuples of them") from None
    if repeated:
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"two {what} are named {label(twice)}; names must be unique")
    check_alike(names, what)


@dataclasses.dataclass(frozen=True, eq=False)
class Names:
    """Names of the states of a world, and further names: aliases, marks, positions.

    Parameters
    ----------
    states : tuple (S,)
        One name per state.
    aliases : mapping
        Further names: name -> state number.
    marks : tuple of str (S,), optional
        On maps, the character of each state's cell.
    rows : tuple of str, optional
        On maps, the lines of the map.
    """

    states: tuple[Hashable, ...]
    aliases: Mapping[Hashable, int] = dataclasses.field(default_factory=dict)
    marks: tuple[str, ...] | None = None
    rows: tuple[str, ...] | None = None

    @cached_property
    def _numbers(self) -> dict[Hashable, int]:
        return {**self.aliases, **{name: i for i, name in enumerate(self.states)}}

    @cached_property
    def _printed(self) -> dict[str, int]:
        return {text: i for name, i in self._numbers.items() if isinstance(name, tuple) for text in texts(name)}

    @cached_property
    def _by_text(self) -> dict[str, int]:
        return {text: i for name, i in self._numbers.items() for text in texts(name)}

    @cached_property
    def _marked(self) -> dict[str, list[int]]:
        marked: dict[str, list[int]] = {}
        for i, mark in enumerate(self.marks or ()):
            marked.setdefault(mark, []).append(i)
        return marked

    def find(self, state: States) -> int | None:
        """Return the number of the state with this name (a tuple also in its printed form ``"1,2"``), or None."""
        name = plain(state)
        try:
            number = self._numbers.get(name)
        except TypeError:  # not hashable
            return None
        return self._printed.get(name) if number is None and isinstance(name, str) else number

    def find_text(self, text: str) -> int | None:
        """Return the number of the state whose name has this text in print or in a file, or None."""
        return self._by_text.get(text)

    def index(self, state: StateName) -> int:
        """Return the number of the state with this name; raise a ValueError with a suggestion where there is none."""
        number = self.find(state)
        if number is None:
            raise ValueError(f"unknown state {plain(state)!r}: {self._suggest(plain(state))}")
        return number

    def cells(self, key: StateName) -> list[int]:
        """Return the numbers of all states that a key names: every cell with that mark, or the state of that name."""
        if isinstance(key, str) and key in self._marked:
            return self._marked[key]
        return [self.index(key)]

    def known(self, key: States) -> bool:
        """Return True where the key itself is a name, a mark or (on maps) a position, inside the map or not."""
        if self.find(key) is not None or (isinstance(key, str) and key in self._marked):
            return True
        return self.rows is not None and _is_position(plain(key))

    def split(self, keys: States) -> list[Any]:
        """Convert one key, several keys, a string of marks, or a mask over the states to a list of keys."""
        if self.known(keys):
            return [keys]
        if isinstance(keys, str):
            return list(keys) if self.marks is not None else [keys]
        if not isinstance(keys, Iterable):
            return [keys]
        listed = list(keys)
        if listed and all(isinstance(plain(key), bool) for key in listed):
            if len(listed) != len(self.states):
                raise ValueError(f"a mask of {len(listed)} entries for {len(self.states)} states; give one per state")
            return [name for name, chosen in zip(self.states, listed, strict=True) if chosen]
        return listed

    def _suggest(self, name: StateName) -> str:
        if isinstance(name, str) and len(self._marked.get(name, ())) > 1:
            cells = [label(self.states[i]) for i in self._marked[name]]
            return f"{len(cells)} cells carry that mark; name one of them by its position, such as ({cells[0]})"
        if self.rows is not None and _is_position(name):
            row, col = name
            if not (0 <= row < len(self.rows) and 0 <= col < len(self.rows[0])):
                return f"the map has rows 0 to {len(self.rows) - 1} and columns 0 to {len(self.rows[0]) - 1}"
            return f"cell (row {row}, column {col}) is {self.rows[row][col]!r}, a wall; name a free cell"
        numbers = [state for state in self.states if isinstance(state, int)]
        if len(numbers) == len(self.states):
            return f"the {len(numbers)} states are numbers from {min(numbers)} to {max(numbers)}"
        printed = [label(state) for state in self.states]
        close = difflib.get_close_matches(label(name), printed, n=3)
        if close:
            return f"did you mean {' or '.join(close)}?"
        examples = ", ".join(printed[:8]) + (", …" if len(printed) > 8 else "")
        return f"this world has {len(printed)} states: {examples}"


def _is_position(name: States) -> TypeGuard[tuple[int, int]]:
    return _is_integer_tuple(name) and len(name) == 2


def _is_integer_tuple(name: States) -> TypeGuard[tuple[int, ...]]:
    return isinstance(name, tuple) and len(name) > 1 and all(isinstance(part, int) for part in name)
