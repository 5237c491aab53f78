"""Columns of a table as numbers: keys are counted, steps are checked, rows are put in sequence."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from goalinf.data.labels import step_name
from goalinf.worlds.table_files import row_name
from goalinf.worlds.world import label

_LARGEST = 2.0**53  # beyond this a float has no neighbors one apart


@dataclasses.dataclass(frozen=True, eq=False)
class Keys:
    """A column (or several, read as a tuple) as numbers into its sorted unique values; −1 where missing."""

    codes: np.ndarray  # (R,)
    names: tuple[Hashable, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a table in sequence: which trajectory and step each is, and which row follows it."""

    frame: pd.DataFrame
    source: str | None
    trajectories: tuple[Hashable, ...]
    values: np.ndarray  # (R,) steps as the table numbers them
    trajectory: np.ndarray  # (R,)
    step: np.ndarray  # (R,) counted from 0 in every trajectory
    following: np.ndarray  # (R,) position of the next row of the trajectory, −1 at its end

    def owner(self, position: int) -> str:
        """``"row 17"``, as the owner of the table would find it."""
        return row_name(self.frame, position, self.source)

    def name(self, position: int) -> str:
        """``"row 17 (trajectory 3, step 5)"``."""
        where = step_name(self.trajectories[self.trajectory[position]], int(self.values[position]))
        return f"{self.owner(position)} ({where})"

    def refuse(self, wrong: np.ndarray, say: Callable[[int], str]) -> None:
        """Raise about the first row, from the top of the table, that is wrong, and count the others."""
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(f"{self.name(first)}: {say(first)}{count(wrong)}")


def count(wrong: np.ndarray) -> str:
    """A closing sentence where more than one row has the fault."""
    return f" ({wrong.sum():,} rows have this fault; this is the first)" if wrong.sum() > 1 else ""


def require(frame: pd.DataFrame, parts: dict[str, list]) -> None:
    """Raise where the table is empty, or a column is not there or there twice."""
    if len(frame.columns) == 0 or len(frame) == 0:
        size = f"{len(frame)} rows, {len(frame.columns)} columns"
        raise ValueError(f"the table is empty ({size}); expected one row per step")
    have = [str(name) for name in frame.columns]
    for part, columns in parts.items():
        for column in columns:
            found = int((frame.columns == column).sum())
            if found > 1:
                raise ValueError(f"the table has {found} columns named {column!r} ({part}=); names must be unique")
            if found == 0 and column in frame.index.names:
                raise ValueError(f"{column!r} ({part}=) is an index of the table, not a column: call reset_index()")
            if found == 0:
                close = difflib.get_close_matches(str(column), have, n=3, cutoff=0.5)
                hint = f"did you mean {' or '.join(close)}? " if close else ""
                raise ValueError(f"no column {column!r} ({part}=): {hint}The table has {', '.join(have)}")


def keys(frame: pd.DataFrame, columns: Sequence[Hashable], part: str) -> Keys:
    """Number the unique values of some columns, in sorted order, so that the order of rows does not matter."""
    codes, names = _sorted_codes(frame[columns[0]], part)
    if len(columns) > 1:
        names = [(name,) for name in names]
    for column in columns[1:]:
        more, values = _sorted_codes(frame[column], part)
        pairs = np.where((codes < 0) | (more < 0), -1, codes * len(values) + more)
        unique, codes = np.unique(pairs, return_inverse=True)
        if unique[0] < 0:
            unique, codes = unique[1:], codes - 1
        names = [(*names[pair // len(values)], values[pair % len(values)]) for pair in unique]
    return Keys(codes, tuple(names))


def _sorted_codes(series: pd.Series, part: str) -> tuple[np.ndarray, list]:
    try:
        codes, unique = pd.factorize(series.array)
    except TypeError:
        raise ValueError(
            f"column {series.name!r} ({part}=) holds values that cannot be compared, such as lists; use tuples or text"
        ) from None
    names = [_plain(value) for value in unique.tolist()]
    try:
        order = sorted(range(len(names)), key=names.__getitem__)
    except TypeError:  # text beside numbers
        order = sorted(range(len(names)), key=lambda i: (type(names[i]).__name__, str(names[i])))
    rank = np.empty(len(names) + 1, np.int64)
    rank[order] = np.arange(len(names))
    rank[-1] = -1  # where the code is −1: missing
    return rank[codes], [names[i] for i in order]


def _plain(value: Any) -> Any:
    """Python's scalars for NumPy's, and 5 for 5.0: integers become floats as soon as one entry is missing."""
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def in_sequence(frame: pd.DataFrame, source: str | None, trajectory: Keys, step: Hashable) -> Rows:
    """Find the step of every row and the row that follows it.

    Raises
    ------
    ValueError
        Where a trajectory or step is missing or no integer, or steps are duplicated or not consecutive.
    """
    _present(frame, source, trajectory.codes < 0, "trajectory")
    values = _steps(frame, source, step)
    order = np.lexsort((values, trajectory.codes))
    codes, sorted_values = trajectory.codes[order], values[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    within = np.empty(len(order), np.int64)
    within[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    same = codes[1:] == codes[:-1]
    following = np.full(len(order), -1)
    following[order[:-1][same]] = order[1:][same]
    rows = Rows(frame, source, trajectory.names, values, trajectory.codes, within, following)

    gap = np.diff(sorted_values)
    twice, broken = np.zeros(len(order), bool), np.zeros(len(order), bool)
    twice[order[1:][same & (gap == 0)]] = True
    broken[order[1:][same & (gap > 1)]] = True
    before = np.full(len(order), -1)
    before[order[1:]] = order[:-1]
    rows.refuse(
        twice,
        lambda i: (
            f"{rows.owner(int(before[i]))} is the same step of the same trajectory. Remove one of them, or, if "
            "numbering starts anew for each subject or block, name the trajectory by several columns: "
            "trajectory=['subject', 'episode']"
        ),
    )
    rows.refuse(
        broken,
        lambda i: (
            f"the step before it is {values[before[i]]}; steps must be consecutive within a trajectory. Add what "
            "is missing (a choice that was not recorded is a row with an empty action), or cut the trajectory there"
        ),
    )
    return rows


def _present(frame: pd.DataFrame, source: str | None, missing: np.ndarray, part: str) -> None:
    if missing.any():
        row = row_name(frame, int(np.argmax(missing)), source)
        raise ValueError(f"{row}: the {part} is missing; every row needs one{count(missing)}")


def _steps(frame: pd.DataFrame, source: str | None, column: Hashable) -> np.ndarray:
    series = frame[column]
    _present(frame, source, series.isna().to_numpy(bool), "step")
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        numbers = series.map(lambda value: isinstance(value, (int, float, np.number)) and not isinstance(value, bool))
        wrong = ~numbers.to_numpy(bool)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueError(
                f"{row_name(frame, i, source)}: step {series.iloc[i]!r} is a {type(series.iloc[i]).__name__}; expected "
                f"integers: convert column {column!r}, for example with astype(int){count(wrong)}"
            )
    values = series.to_numpy(float)
    wrong = ~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > _LARGEST)
    if wrong.any():
        i = int(np.argmax(wrong))
        row = row_name(frame, i, source)
        raise ValueError(f"{row}: step {values[i]:g} is not an integer; count steps 0, 1, 2, …{count(wrong)}")
    return values.astype(np.int64)


def constant(rows: Rows, key: Keys, part: str, remedy: str) -> np.ndarray:
    """The one value of a key in each trajectory, ``(N,)``; an error where it is missing or there are several."""
    _present(rows.frame, rows.source, key.codes < 0, part)
    first = np.flatnonzero(rows.step == 0)
    of_trajectory = np.empty(len(rows.trajectories), np.int64)
    of_trajectory[rows.trajectory[first]] = key.codes[first]
    expected = of_trajectory[rows.trajectory]
    rows.refuse(
        key.codes != expected,
        lambda i: (
            f"the {part} is {label(key.names[key.codes[i]])}, at the start of the trajectory it is "
            f"{label(key.names[expected[i]])}. {remedy}"
        ),
    )
    return of_trajectory
