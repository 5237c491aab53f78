"""Forced trials in a column of a table."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from goalinf.data.reading.columns import Rows
from goalinf.worlds.names import canonical, label

_WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}  # as cells print, in any case


def forced_rows(rows: Rows, frame: pd.DataFrame, column: Hashable, action: np.ndarray) -> np.ndarray:
    """Return True for the rows whose action was forced, ``(R,)``, after all checks.

    A cell is true or false, as a truth value, a word in any case, or the number 1 or 0. It may be empty where the row
    has no action.
    """
    cells = frame[column].astype(object)
    words = cells.map(lambda cell: label(canonical(cell)).lower())
    forced = words.map(_WORDS)
    empty, unclear = cells.isna().to_numpy(bool), forced.isna().to_numpy(bool)
    rows.refuse(
        unclear & ~empty,
        lambda i: f"column {column!r} (forced=) holds {cells.iloc[i]!r}; expected true or false, or 1 or 0",
    )
    rows.refuse(
        empty & (action >= 0),
        lambda i: (
            f"column {column!r} (forced=) is empty, and there is an action; expected true where the action was set by "
            "the experimenter, and false where it was chosen"
        ),
    )
    is_forced = forced.eq(True).to_numpy(bool)
    rows.refuse(
        is_forced & (action < 0),
        lambda i: (
            f"column {column!r} (forced=) is true, and there is no action; give the action that was forced, or false "
            "where no action was made"
        ),
    )
    return is_forced & (action >= 0)
