"""Outcomes of choices in the columns of a table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from goalinf.data.reading.columns import Rows
from goalinf.worlds.world import World, label

Outcome = Hashable | Mapping[Hashable, Hashable]  # column of the chosen action, or column of every action


def columns_of(outcome: Outcome) -> list[Hashable]:
    """Return the columns with outcomes."""
    return list(outcome.values()) if isinstance(outcome, Mapping) else [outcome]


def outcomes(
    rows: Rows, frame: pd.DataFrame, outcome: Outcome, worlds: tuple[World, ...], action: np.ndarray
) -> np.ndarray:
    """Return the outcome of every action at every row ``(R, A)``, NaN where it is not known, after all checks.

    Raises
    ------
    ValueError
        Where a mapping names an action that the world does not have, or worlds name their actions differently.
    """
    values = {column: _numbers(rows, frame, column) for column in columns_of(outcome)}
    if not isinstance(outcome, Mapping):
        (given,) = values.values()
        rows.refuse(
            np.isfinite(given) & (action < 0),
            lambda i: f"there is the outcome {given[i]:g} and no action; give the action, or leave the outcome empty",
        )
        n_actions = max(world.n_actions for world in worlds)
        return np.where(np.arange(n_actions) == action[:, None], given[:, None], np.nan)
    names = worlds[0].actions
    if worlds[0].local_actions or any(world.actions != names for world in worlds):
        raise ValueError(
            "outcome= is a mapping from action, and actions have other names in other states or worlds; name one "
            "column with the outcome of the chosen action"
        )
    if unknown := [name for name in outcome if name not in names]:
        raise ValueError(f"outcome= names the action {unknown[0]!r}; the world has {', '.join(map(label, names))}")
    if absent := [name for name in names if name not in outcome]:
        raise ValueError(
            f"outcome= names no column for the action {absent[0]!r}; give one for every action, or the one column with "
            "the outcome of the chosen action"
        )
    by_action = np.full((len(frame), len(names)), np.nan)
    for name, column in outcome.items():
        by_action[:, names.index(name)] = values[column]
    return by_action


def _numbers(rows: Rows, frame: pd.DataFrame, column: Hashable) -> np.ndarray:
    """Return a column as numbers, NaN where a cell is empty."""
    cells = frame[column]
    if cells.dtype.kind in "bcmM":
        raise ValueError(
            f"column {column!r} (outcome=) holds {cells.dtype}; expected numbers: convert it with .astype(float)"
        )
    values = pd.to_numeric(cells, errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = (np.isnan(values) & cells.notna().to_numpy()) | np.isinf(values)
    rows.refuse(
        wrong,
        lambda i: (
            f"column {column!r} (outcome=) holds {cells.iloc[i]!r}; expected a finite number, or an empty cell where "
            "there was no outcome"
        ),
    )
    return np.where(wrong, np.nan, values)
