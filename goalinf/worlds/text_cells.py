"""Cells of text files: distinction of numbers from names that look like numbers."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_WHOLE_FLOAT = re.compile(r"(0|-?[1-9][0-9]*)\.0")  # whole numbers of a column with missing entries
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?inf")
_MISSING = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")  # a number that is missing, beside other numbers
_EXACT = 2**53  # whole numbers up to here are exact as floats


def is_whole(text: str) -> bool:
    """Return True for text that is a whole number in canonical notation: ``"1"``, but not ``"01"`` or ``"1e3"``."""
    return _WHOLE.fullmatch(text) is not None


def readings(cell: Hashable) -> list[Any]:
    """List the names that a cell of a text file may mean, the literal text first: ``"1"``, then the number 1.

    A tuple holds cells of several columns.
    """
    numbers = tuple(map(_number, cell)) if isinstance(cell, tuple) else _number(cell)
    return [cell] if numbers == cell else [cell, numbers]


def _number(text: Hashable) -> Any:
    if not isinstance(text, str):
        return text
    if is_whole(text):
        return int(text)
    match = _WHOLE_FLOAT.fullmatch(text)
    return int(match[1]) if match else text


def as_names(columns: Sequence[pd.Series]) -> list[pd.Series]:
    """Convert columns of names: to numbers where every cell of all columns is a number in canonical notation.

    ``001`` and ``1`` remain different, and so do ``1e3`` and ``1000``.
    """
    present = set().union(*(column.dropna().unique().tolist() for column in columns))
    if all(map(is_whole, present)) and all(-(2**63) <= int(text) < 2**63 for text in present):
        exact = all(abs(int(text)) <= _EXACT for text in present)
        return [_to_integers(column, exact) for column in columns]
    if all(_NUMBER.fullmatch(text) and text == repr(float(text)) for text in present):
        return [column.astype(float) for column in columns]
    return list(columns)


def _to_integers(column: pd.Series, exact: bool) -> pd.Series:
    if not column.isna().any():
        return column.astype(np.int64)
    return column.astype(float) if exact else column.astype("Int64")


def as_numbers(column: pd.Series) -> pd.Series:
    """Convert a column to numbers; a cell that is not a number remains text."""
    numbers = pd.to_numeric(column, errors="coerce")
    words = numbers.isna() & column.notna()
    return numbers.astype(object).mask(words, column.astype(object)) if words.any() else numbers


def as_values(column: pd.Series) -> pd.Series:
    """Convert a column of unknown type: to numbers or truth values where all cells have that format, else text.

    A number does not begin with zeros, which are part of an identifier; in a column of numbers, ``NA`` and similar
    texts are missing values.
    """
    present = column.dropna().unique().tolist()
    if present and set(present) <= {"True", "False"} and not column.isna().any():
        return column == "True"
    texts = [text for text in present if text not in _MISSING]
    if not all(map(_NUMBER.fullmatch, texts)) or (present and not texts):
        return column
    if len(texts) < len(present):
        column = column.mask(column.isin(_MISSING))
    return as_names([column])[0] if all(map(is_whole, texts)) else column.astype(float)
