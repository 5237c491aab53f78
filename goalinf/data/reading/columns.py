"""Columns of a table as numbers: keys are numbered, steps are checked, rows are put in sequence."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from goalinf.data.labels import step_name
from goalinf.data.reading.faults import Faults, Gathered
from goalinf.worlds.names import canonical
from goalinf.worlds.table_files import row_name
from goalinf.worlds.world import label

_LARGEST = 2.0**53  # above this, float64 does not represent every integer
# Characters between cells of a text file that was read with another one, and the remedy.
_MARKS = {
    ";": "semicolons (delimiter=';')",
    "\t": "tabs: let the name of the file end in .tsv",
    "|": "bars (delimiter='|')",
    ",": "commas: let the name of the file end in .csv",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Keys:
    """A column (or several, read as a tuple) as numbers into its sorted unique values; −1 where missing."""

    codes: np.ndarray  # (R,)
    names: tuple[Hashable, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table in sequence: trajectory, step and following row of each."""

    frame: pd.DataFrame
    source: str | None
    trajectories: tuple[Hashable, ...]
    values: np.ndarray  # (R,) steps as the table numbers them
    trajectory: np.ndarray  # (R,)
    step: np.ndarray  # (R,) counted from 0 in every trajectory
    following: np.ndarray  # (R,) position of the next row of the trajectory, −1 at its end or where it is refused
    sound: np.ndarray  # (R,) True where trajectory, step, state and action of a row are known; changed by refuse
    faults: Faults | Gathered

    def owner(self, position: int) -> str:
        """Return the name of a row as the table or file numbers it: ``"row 17"``."""
        return row_name(self.frame, position, self.source)

    def name(self, position: int) -> str:
        """Return ``"row 17 (trajectory 3, step 5)"``; the row alone where its trajectory or step is not known."""
        if self.trajectory[position] < 0 or self.step[position] < 0:
            return self.owner(position)
        step = step_name(self.trajectories[self.trajectory[position]], int(self.values[position]))
        return f"{self.owner(position)} ({step})"

    def report(self, wrong: np.ndarray, say: Callable[[int], str]) -> None:
        """Report the first wrong row, from the top of the table, and the number of wrong rows."""
        if wrong.any():
            position = int(np.argmax(wrong))
            self.faults.add(f"{self.name(position)}: {say(position)}{count(wrong)}")

    def refuse(self, wrong: np.ndarray, say: Callable[[int], str], among: np.ndarray | None = None) -> None:
        """Report wrong rows, and exclude them from further checks.

        ``among`` are the rows to which the check applies; default: the rows that passed all checks so far.
        """
        wrong = wrong & (self.sound if among is None else among)
        self.report(wrong, say)
        self.sound[wrong] = False
        self.following[(self.following >= 0) & wrong[self.following]] = -1


def count(wrong: np.ndarray) -> str:
    """Return a phrase with the number of rows that have a fault; empty for one row."""
    return f" ({wrong.sum():,} rows have this fault; this is the first)" if wrong.sum() > 1 else ""


def require(frame: pd.DataFrame, parts: dict[str, list[Hashable]], faults: Faults | Gathered) -> bool:
    """Report an empty table and missing or duplicate columns; return True where there is no fault."""
    if len(frame.columns) == 0 or len(frame) == 0:
        size = f"{len(frame)} rows, {len(frame.columns)} columns"
        faults.add(f"the table is empty ({size}); expected one row per step")
        return False
    existing = [str(name) for name in frame.columns]
    if len(existing) == 1 and (mark := next((mark for mark in _MARKS if mark in existing[0]), None)):
        faults.add(f"the table has one column, {existing[0]!r}: its cells are separated by {_MARKS[mark]}")
        return False
    complete = True
    for part, columns in parts.items():
        for column in columns:
            occurrences = int((frame.columns == column).sum())
            if occurrences == 1:
                continue
            complete = False
            if occurrences > 1:
                faults.add(f"the table has {occurrences} columns named {column!r} ({part}=); names must be unique")
            elif column in frame.index.names:
                faults.add(f"{column!r} ({part}=) is an index of the table, not a column: call reset_index()")
            else:
                close = difflib.get_close_matches(str(column), existing, n=3, cutoff=0.5)
                hint = f"did you mean {' or '.join(close)}? " if close else ""
                faults.add(f"no column {column!r} ({part}=): {hint}The table has {', '.join(existing)}")
    return complete


def keys(frame: pd.DataFrame, columns: Sequence[Hashable], part: str) -> Keys:
    """Assign numbers to the unique values of some columns in sorted order: the order of rows does not matter."""
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


def _sorted_codes(series: pd.Series, part: str) -> tuple[np.ndarray, list[Any]]:
    try:
        codes, unique = pd.factorize(series.array)
    except TypeError:
        raise ValueError(
            f"column {series.name!r} ({part}=) holds values that cannot be compared, such as lists; use tuples or text"
        ) from None
    names = [canonical(value) for value in unique.tolist()]
    try:
        order = sorted(range(len(names)), key=names.__getitem__)
    except TypeError:  # text beside numbers
        order = sorted(range(len(names)), key=lambda i: (type(names[i]).__name__, str(names[i])))
    rank = np.empty(len(names) + 1, np.int64)
    rank[order] = np.arange(len(names))
    rank[-1] = -1  # where the code is −1: missing
    return rank[codes], [names[i] for i in order]


def in_sequence(
    frame: pd.DataFrame, source: str | None, trajectory: Keys, step: Hashable, faults: Faults | Gathered
) -> Rows:
    """Find the step of every row and the row that follows it.

    Faults: a trajectory or step that is missing or no integer; steps that are duplicated or not consecutive.
    """
    unnamed = trajectory.codes < 0
    _present(frame, source, unnamed, "trajectory", faults)
    values, numbered = _steps(frame, source, step, faults)
    usable = np.flatnonzero(~unnamed & numbered)
    order = usable[np.lexsort((values[usable], trajectory.codes[usable]))]
    codes, sorted_values = trajectory.codes[order], values[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    within, before, following = (np.full(len(frame), -1) for _ in range(3))
    within[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    same, gap = codes[1:] == codes[:-1], np.diff(sorted_values)
    before[order[1:]] = order[:-1]
    next_one = same & (gap == 1)
    following[order[:-1][next_one]] = order[1:][next_one]
    sound = ~unnamed & numbered
    rows = Rows(frame, source, trajectory.names, values, trajectory.codes, within, following, sound, faults)

    duplicate, after_gap = np.zeros(len(frame), bool), np.zeros(len(frame), bool)
    duplicate[order[1:][same & (gap == 0)]] = True
    # Where a row without trajectory or step is not in the sequence, a step that seems to be missing may be that row.
    complete = ~np.isin(codes[1:], trajectory.codes[~unnamed & ~numbered]) & (not unnamed.any())
    after_gap[order[1:][same & (gap > 1) & complete]] = True
    times = f" {time_stamps(step, source)}" if after_gap.sum() > 0.5 * max(same.sum(), 1) else ""
    rows.refuse(
        duplicate,
        lambda i: (
            f"{rows.owner(int(before[i]))} is the same step of the same trajectory. Remove one of them, or, if "
            "numbering starts anew for each subject or block, name the trajectory by several columns: "
            "trajectory=['subject', 'episode']"
        ),
    )
    rows.report(
        after_gap,
        lambda i: (
            f"the step before it is {values[before[i]]}; steps must be consecutive within a trajectory. Add the "
            "missing rows (an action that was not recorded is a row with an empty action), or cut the trajectory "
            f"there.{times}"
        ),
    )
    return rows


def time_stamps(step: Hashable, source: str | None) -> str:
    """Return the remedy for a column of times that is given as steps."""
    text = f"If column {step!r} holds time stamps, use their rank within the trajectory, 1, 2, 3, …"
    return text if source is not None else f"{text}: table.groupby(trajectory)[{step!r}].rank(method='first')"


def _present(
    frame: pd.DataFrame, source: str | None, missing: np.ndarray, part: str, faults: Faults | Gathered
) -> None:
    if missing.any():
        row = row_name(frame, int(np.argmax(missing)), source)
        faults.add(f"{row}: the {part} is missing; every row needs one{count(missing)}")


def _steps(
    frame: pd.DataFrame, source: str | None, column: Hashable, faults: Faults | Gathered
) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps as integers, ``(R,)``, and True for the rows whose step is an integer."""
    series = frame[column]
    missing = series.isna().to_numpy(bool)
    _present(frame, source, missing, "step", faults)
    numeric = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
    number = np.full(len(series), True) if numeric else series.map(_is_number).to_numpy(bool)
    wrong = ~number & ~missing
    if wrong.any():
        i = int(np.argmax(wrong))
        kind = "a time stamp" if _is_time(series.iloc[i]) else f"a {type(series.iloc[i]).__name__}"
        remedy = f": convert column {column!r}, for example with astype(int)" if source is None else ""
        if _is_time(series.iloc[i]):
            remedy = f". {time_stamps(column, source)}"
        fault = f"step {_shown(series.iloc[i])} is {kind}; expected integers{remedy}"
        faults.add(f"{row_name(frame, i, source)}: {fault}{count(wrong)}")
    values = np.full(len(series), np.nan)
    values[number & ~missing] = series[number & ~missing].to_numpy(float)
    wrong = number & ~missing & (~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > _LARGEST))
    if wrong.any():
        i = int(np.argmax(wrong))
        row = row_name(frame, i, source)
        times = f". {time_stamps(column, source)}" if np.isfinite(values[i]) else ""
        fault = f"step {values[i]:g} is not an integer; count steps 0, 1, 2, …{times}"
        faults.add(f"{row}: {fault}{count(wrong)}")
    sound = number & ~missing & ~wrong
    return np.where(sound, values, 0).astype(np.int64), sound


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    """Return True for a date or time, and for text that can be parsed as one."""
    if isinstance(value, str):
        try:
            return any(mark in value for mark in "-:/") and not pd.isna(pd.Timestamp(value))
        except ValueError:
            return False
    return isinstance(value, (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64))


def _shown(value: Any) -> str:
    return f"{str(value)!r}" if _is_time(value) else repr(value)


def constant(rows: Rows, key: Keys, part: str, remedy: str) -> np.ndarray:
    """Return the value of a key in each trajectory, ``(N,)``; faults: it is missing, or there are several."""
    _present(rows.frame, rows.source, key.codes < 0, part, rows.faults)
    first_rows = np.flatnonzero(rows.step == 0)
    of_trajectory = np.full(len(rows.trajectories), -1)
    of_trajectory[rows.trajectory[first_rows]] = key.codes[first_rows]
    expected = of_trajectory[rows.trajectory]
    rows.report(
        (key.codes != expected) & (key.codes >= 0) & (expected >= 0) & (rows.trajectory >= 0),
        lambda i: (
            f"the {part} is {label(key.names[key.codes[i]])}, at the start of the trajectory it is "
            f"{label(key.names[expected[i]])}. {remedy}"
        ),
    )
    return of_trajectory
