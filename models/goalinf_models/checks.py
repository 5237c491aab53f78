"""Checks of the data and the variant that a model of the catalogue is given."""

from __future__ import annotations

import dataclasses
import difflib
import numbers
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

import goalinf as gi
from goalinf.checks import check_kind
from goalinf.data.matching.fitting import check_fits
from goalinf.data.reading.columns import count, keys
from goalinf.worlds import World, label
from goalinf.worlds.table_files import row_name


class Label(NamedTuple):
    """Column of names, such as those of subjects; every row has one."""


class Code(NamedTuple):
    """Column of integer codes.

    Parameters
    ----------
    meanings : mapping
        Number -> its meaning, as it is printed.
    empty : str, optional
        Meaning of an empty cell. None: every row has a number.
    remedy : str
        Remedy for any other number.
    """

    meanings: Mapping[int, str]
    empty: str | None = None
    remedy: str = ""

    def expected(self) -> str:
        """Describe the cells that are allowed: ``"0 (sooner) or 1 (later), or an empty cell (no response)"``."""
        names = [f"{number} ({meaning})" if meaning else str(number) for number, meaning in self.meanings.items()]
        return " or ".join(names) + (f", or an empty cell ({self.empty})" if self.empty else "")

    def allows(self, values: np.ndarray) -> np.ndarray:
        """Mark the valid codes."""
        return np.isin(values, list(self.meanings))

    def hint(self, values: np.ndarray) -> str:
        """Suggest a remedy; says so where all codes are one too high."""
        shifted = sorted(number + 1 for number in self.meanings)
        if np.isin(values, shifted).all() and (values == shifted[-1]).any():
            return f": the codes begin at {shifted[0]}; subtract 1 from the column"
        return f": {self.remedy}" if self.remedy else ""


class Quantity(NamedTuple):
    """Column of finite numbers.

    Parameters
    ----------
    low : float
        Smallest number that is allowed.
    unit : str
        As it is printed.
    whole : bool
        True where the numbers are integers.
    """

    low: float
    unit: str
    whole: bool = False

    @property
    def empty(self) -> None:
        """Meaning of an empty cell: None, as every row has a number."""
        return None

    def expected(self) -> str:
        """Describe the cells that are allowed: ``"a finite number of at least 0 (days)"``."""
        least = "" if self.low == -np.inf else f" of at least {self.low:g}"
        return f"a {'whole' if self.whole else 'finite'} number{least} ({self.unit})"

    def allows(self, values: np.ndarray) -> np.ndarray:
        """Mark the numbers in range."""
        in_range = np.isfinite(values) & (values >= self.low)
        return in_range & (values == np.round(values)) if self.whole else in_range

    def hint(self, values: np.ndarray) -> str:
        """Return no remedy: the range says enough."""
        return ""


Column = Label | Code | Quantity


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Checked table.

    Parameters
    ----------
    frame : DataFrame
        Unchanged input.
    values : mapping
        Column -> numbers ``(R,)``: of labels numbers into ``names``; of codes integers, -1 where empty; of quantities
        floats, or integers where they are whole.
    names : mapping
        Column of labels -> names in sorted order.
    """

    frame: pd.DataFrame
    values: dict[str, np.ndarray]
    names: dict[str, tuple[Hashable, ...]]

    def __getitem__(self, column: str) -> np.ndarray:
        """Numbers of a column."""
        return self.values[column]

    def refuse(self, wrong: np.ndarray, say: Callable[[int], str]) -> None:
        """Raise an error about the first wrong row, by its name in the table, with the number of wrong rows."""
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(f"{row_name(self.frame, first)}: {say(first)}{count(wrong)}")


def checked_table(frame: pd.DataFrame, columns: Mapping[str, Column], *, choices: Iterable[str]) -> Table:
    """Check every cell of the columns of a model.

    Parameters
    ----------
    frame : DataFrame
        One row per trial, offer or step. It is not changed; further columns are ignored.
    columns : mapping
        Name -> valid cells.
    choices : iterable of str
        Columns of which at least one cell has to be filled.

    Raises
    ------
    ValueError
        Where the table is empty, a column is missing or duplicate, a cell holds an invalid value, or no
        choice is given at all. The message names the first such row, its column, what was found, what was expected,
        and the number of such rows.
    """
    check_kind("the table", frame, pd.DataFrame, "a pandas data frame")
    _require(frame, columns)
    table = Table(frame, {}, {})
    for name, kind in columns.items():
        if isinstance(kind, Label):
            _read_labels(table, name)
        else:
            _read_numbers(table, name, kind)
    if not any((table[name] >= 0).any() for name in choices):
        raise ValueError(f"the table has no choice at all: every cell of {' and '.join(choices)} is empty")
    return table


def check_behavior(data: gi.Trajectories, world: World) -> None:
    """Refuse data that are no trajectories, or that hold states or actions outside this world."""
    check_kind("data", data, gi.Trajectories, "Trajectories, such as gi.read_trajectories(...) makes of a table")
    check_fits(data, [world])
    if data.states.max() >= world.n_states:
        raise ValueError(f"the data visit state number {data.states.max()}; the world has {world.n_states} states")


def check_variant(variant: str, variants: Iterable[str]) -> None:
    """Refuse a variant that the model does not have."""
    names = list(variants)
    if variant not in names:
        close = difflib.get_close_matches(str(variant), names, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"variant is {variant!r}{hint}; expected {' or '.join(map(repr, names))}")


def _require(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    existing = [str(name) for name in frame.columns]
    for name in columns:
        count = existing.count(name)
        if count > 1:
            raise ValueError(f"the table has {count} columns named {name!r}; names must be unique")
        if count == 0 and name in frame.index.names:
            raise ValueError(f"{name!r} is an index of the table, not a column: call reset_index()")
        if count == 0:
            spelled = {name_found.lower(): name_found for name_found in existing}
            close = [spelled[match] for match in difflib.get_close_matches(name.lower(), spelled, n=3, cutoff=0.5)]
            hint = f"did you mean {' or '.join(close)}? Rename it to {name!r}. " if close else ""
            raise ValueError(f"no column {name!r}: {hint}The table has {', '.join(existing) or 'no columns'}")
    if len(frame) == 0:
        raise ValueError(f"the table is empty (0 rows, {len(existing)} columns)")


def _read_labels(table: Table, name: str) -> None:
    key = keys(table.frame, [name], name)
    missing = np.array([value == "" for value in key.names] + [True])  # the last one where the code is −1
    table.refuse(missing[key.codes], lambda i: f"{name} is missing; every row needs one")
    printed: dict[str, Hashable] = {}
    for value in key.names:
        other = printed.setdefault(label(value), value)
        if other is not value:
            raise ValueError(f"column {name!r} holds {other!r} and {value!r}, which print alike: use one type of name")
    table.values[name], table.names[name] = key.codes, key.names


def _read_numbers(table: Table, name: str, kind: Code | Quantity) -> None:
    series = table.frame[name]
    empty = series.isna().to_numpy(bool)
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        not_a_number = np.zeros(len(series), bool)
    else:
        cells = series.to_numpy(object)
        not_a_number = ~empty & np.array([isinstance(cell, (bool, np.bool_)) or not _is_real(cell) for cell in cells])

    def convert(i: int) -> str:
        cell = series.iloc[i]
        return (
            f"{name} is {cell!r} ({type(cell).__name__}); expected {kind.expected()}: convert the column to numbers, "
            f"for example with table[{name!r}].astype(float)"
        )

    table.refuse(not_a_number, convert)
    values = np.full(len(series), np.nan)
    values[~empty] = series[~empty].to_numpy(float)
    filled = values[~empty]
    if kind.empty is None:
        table.refuse(empty, lambda i: f"{name} is missing; expected {kind.expected()}")
    wrong = np.zeros(len(series), bool)
    wrong[~empty] = ~kind.allows(filled)
    table.refuse(wrong, lambda i: f"{name} is {values[i]:g}; expected {kind.expected()}{kind.hint(filled)}")
    is_whole = isinstance(kind, Code) or kind.whole
    table.values[name] = np.where(empty, -1, values).astype(int) if is_whole else values


def _is_real(cell: object) -> bool:
    return isinstance(cell, (numbers.Real, np.number))
