"""What states are called: names, marks on a map, positions, and what to say when a name is wrong."""

from __future__ import annotations

import dataclasses
import difflib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd


def label(name: Any) -> str:
    """Printed name of a state or action: ``"1,2"`` for a position, the text itself for anything else."""
    if not isinstance(name, tuple):
        return str(name)
    return ",".join(f"({label(part)})" if isinstance(part, tuple) else str(part) for part in name)


def plain(name: Any) -> Any:
    """Python scalars in place of NumPy's and tuples in place of lists, so that names compare and hash alike."""
    if isinstance(name, np.generic):
        return name.item()
    if isinstance(name, (tuple, list)):
        return tuple(plain(part) for part in name)
    return name


def canonical(name: Any) -> Any:
    """A name as :func:`plain` gives it, and 5 for 5.0: integers become floats where an entry of a column is missing."""
    name = plain(name)
    if isinstance(name, tuple):
        return tuple(canonical(part) for part in name)
    return int(name) if isinstance(name, float) and name.is_integer() else name


def texts(name: Any) -> set[str]:
    """Texts that a name appears as in print and in files: ``"0,1"`` and ``"(0, 1)"`` for a position."""
    return {label(name), str(name)}


def check_alike(names: Iterable[Hashable], what: str) -> None:
    """Refuse different names that print alike, such as 1 and ``"1"``: labels and files could not tell them apart.

    Raises
    ------
    ValueError
        Where there are two; ``what`` says what they name.
    """
    names = list(names)
    if len(set(map(type, names)) - {int}) == 0 or set(map(type, names)) == {str}:
        return
    # Positions, of which a map may have many, print with a comma: nothing without one can be taken for them.
    others = [name for name in names if not _is_place(name)]
    if any("," in text for name in others for text in texts(name)):
        others = names
    seen: dict[str, Hashable] = {}
    for name in others:
        for text in texts(name):
            if (first := seen.setdefault(text, name)) != name:
                raise ValueError(
                    f"the {what} {first!r} and {name!r} both print as {text}; rename one, so that print and files tell "
                    "them apart"
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
    """Refuse names that stand for a missing value, that occur twice, or that print alike.

    Raises
    ------
    ValueError
        Where that is so; ``what`` says what they name.
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
    """The names of a world's states, and every other way to point at one.

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
    def _written(self) -> dict[str, int]:
        return {text: i for name, i in self._numbers.items() for text in texts(name)}

    @cached_property
    def _marked(self) -> dict[str, list[int]]:
        marked: dict[str, list[int]] = {}
        for i, mark in enumerate(self.marks or ()):
            marked.setdefault(mark, []).append(i)
        return marked

    def find(self, state: Any) -> int | None:
        """Number of the state with this name (a tuple also as arrays print it, ``"1,2"``), or None."""
        name = plain(state)
        try:
            found = self._numbers.get(name)
        except TypeError:  # not hashable
            return None
        return self._printed.get(name) if found is None and isinstance(name, str) else found

    def find_text(self, text: str) -> int | None:
        """Number of the state whose name appears as this text in print or in a file, or None."""
        return self._written.get(text)

    def index(self, state: Any) -> int:
        """Number of the state with this name; a ValueError with a suggestion where there is none."""
        found = self.find(state)
        if found is None:
            raise ValueError(f"unknown state {plain(state)!r}: {self._suggest(plain(state))}")
        return found

    def cells(self, key: Any) -> list[int]:
        """Numbers of all states that a key names: every cell carrying that mark, or the one state of that name."""
        if isinstance(key, str) and key in self._marked:
            return self._marked[key]
        return [self.index(key)]

    def known(self, key: Any) -> bool:
        """Whether the key by itself is a name, a mark or (on maps) a position, inside the map or not."""
        if self.find(key) is not None or (isinstance(key, str) and key in self._marked):
            return True
        return self.rows is not None and _is_position(plain(key))

    def split(self, keys: Any) -> list[Any]:
        """One key, several keys, a string of marks, or a mask over the states: always a list of keys."""
        if self.known(keys):
            return [keys]
        if isinstance(keys, str):
            return list(keys) if self.marks is not None else [keys]
        if not isinstance(keys, Iterable):
            return [keys]
        several = list(keys)
        if several and all(isinstance(plain(key), bool) for key in several):
            if len(several) != len(self.states):
                raise ValueError(f"a mask of {len(several)} entries for {len(self.states)} states; give one per state")
            return [name for name, chosen in zip(self.states, several, strict=True) if chosen]
        return several

    def _suggest(self, name: Any) -> str:
        if isinstance(name, str) and len(self._marked.get(name, ())) > 1:
            several = [label(self.states[i]) for i in self._marked[name]]
            return f"{len(several)} cells carry that mark; name one of them by its position, such as ({several[0]})"
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
        shown = ", ".join(printed[:8]) + (", …" if len(printed) > 8 else "")
        return f"this world has {len(printed)} states: {shown}"


def _is_position(name: Any) -> bool:
    return _is_place(name) and len(name) == 2


def _is_place(name: Any) -> bool:
    return isinstance(name, tuple) and len(name) > 1 and all(isinstance(part, int) for part in name)
