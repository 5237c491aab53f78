"""Covariates: columns of the data that are constant within each trajectory."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from goalinf.data.labels import Labels
from goalinf.data.observations import Observations
from goalinf.data.recorded import Recorded
from goalinf.worlds.names import label
from goalinf.worlds.table_files import row_name

_SHOWN = 3  # rows or trajectories that a message names


def covariates_of(data: Observations, names: Iterable[str]) -> pd.DataFrame:
    """Return covariates by trajectory, ``(N, columns)``; ``"subject"`` and ``"context"`` are those of the data.

    Raises
    ------
    TypeError
        Where the data are no trajectories.
    ValueError
        Where a column is unknown, varies within a trajectory, or is missing in one.
    """
    if not isinstance(data, Recorded):
        raise TypeError(f"covariates are columns of trajectories; {type(data).__name__} have none")
    return pd.DataFrame({name: _covariate(data, name) for name in names}, index=range(data.n_trajectories))


def level_names(data: Observations, unit: str) -> tuple[Hashable, ...]:
    """Return the names of the levels of a unit: of all subjects or contexts, or the sorted values of a covariate."""
    if unit == "subject":
        return data.names("subject")
    if unit == "context":
        return data.context_names
    return _sorted(covariates_of(data, [unit])[unit])


def level_numbers(data: Observations, unit: str) -> np.ndarray:
    """Return the number of the level of a unit for every trajectory (or other observation), ``(N,)``."""
    if unit == "subject":
        return np.asarray(data.subject)
    if unit == "context":
        return np.asarray(data.context)
    column = covariates_of(data, [unit])[unit]
    number_of = {name: number for number, name in enumerate(_sorted(column))}
    return np.array([number_of[value] for value in column], np.int32)


def constant_columns(data: Recorded) -> pd.DataFrame | None:
    """Return all covariates that are constant within every trajectory, with missing values; None where there are none.

    Columns with a meaning of their own, such as states and subjects, are left out.
    """
    labels = data.labels
    if labels is None:
        return None
    if labels.table is None or labels.rows is None:
        return labels.covariates
    known: set[Hashable] = set()
    for column in labels.columns.values():
        known.update(column if isinstance(column, tuple) else [column])
    trajectory, position = _positions(labels)
    columns = {}
    for name in labels.table.columns:
        if isinstance(name, str) and name not in known:
            column = labels.table[name].iloc[position]
            if not _varying(column, trajectory).any():
                columns[name] = column.iloc[_first(trajectory)].to_numpy()
    return pd.DataFrame(columns) if columns else None


def _covariate(data: Recorded, name: str) -> pd.Series:
    """Return one covariate by trajectory."""
    labels = data.labels
    if labels is not None and labels.covariates is not None and name in labels.covariates:
        column = labels.covariates[name].reset_index(drop=True)
    elif labels is not None and labels.table is not None and labels.rows is not None and name in labels.table:
        column = _from_table(labels, name)
    elif name == "subject":
        return pd.Series([data.subject_names[i] for i in np.asarray(data.subject)])
    elif name == "context":
        return pd.Series([data.context_names[i] for i in np.asarray(data.context)])
    else:
        known: list[Hashable] = ["subject", "context"]
        if labels is not None:
            known += [] if labels.covariates is None else list(labels.covariates)
            known += [] if labels.table is None else list(labels.table)
        raise ValueError(
            f"the data have no covariate {name!r}; they have {', '.join(map(label, dict.fromkeys(known)))}. Covariates "
            "are columns of the table that gi.read_trajectories reads, or of the design that gi.simulate is given"
        )
    missing = np.flatnonzero(column.isna())
    if missing.size:
        names = ", ".join(label(data.trajectory_names[i]) for i in missing[:_SHOWN])
        raise ValueError(
            f"covariate {name!r} is missing in {missing.size} of {len(column)} trajectories (trajectory {names}"
            f"{', …' if missing.size > _SHOWN else ''}): fill the cells, for instance with the value of the subject in "
            "its other trajectories, or leave these trajectories out with data.select"
        )
    return column


def _from_table(labels: Labels, name: str) -> pd.Series:
    """Return a column of the table by trajectory.

    Raises
    ------
    ValueError
        Where it has several values in one trajectory.
    """
    assert labels.table is not None
    trajectory, position = _positions(labels)
    column = labels.table[name].iloc[position]
    varying = _varying(column, trajectory)
    if varying.any():
        row = int(varying.argmax())
        number = trajectory[row]
        start = column.iloc[int((trajectory == number).argmax())]
        count = len(np.unique(trajectory[varying]))
        raise ValueError(
            f"covariate {name!r} varies within {count} of {len(labels.trajectories)} trajectories: it is {start!r} at "
            f"the start of trajectory {label(labels.trajectories[number])} and {column.iloc[row]!r} in "
            f"{row_name(labels.table, int(position[row]), labels.source)}. Expected one value per trajectory"
        )
    return column.iloc[_first(trajectory)].reset_index(drop=True)


def _positions(labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Return the trajectory of every row that belongs to one, in order, and its position in the table."""
    assert labels.rows is not None
    trajectory, visit = np.nonzero(labels.rows >= 0)
    return trajectory, labels.rows[trajectory, visit]


def _first(trajectory: np.ndarray) -> np.ndarray:
    return np.unique(trajectory, return_index=True)[1]


def _varying(column: pd.Series, trajectory: np.ndarray) -> np.ndarray:
    """Return True for rows whose value is not that of the first row of the trajectory."""
    codes = pd.factorize(column)[0]
    first = codes[_first(trajectory)]
    return codes != first[np.unique(trajectory, return_inverse=True)[1]]


def _sorted(column: pd.Series) -> tuple[Hashable, ...]:
    """Return the different values: in the order of the categories where there are some, else sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(column.unique().tolist())
        return tuple(name for name in column.cat.categories.tolist() if name in used)
    values = list(dict.fromkeys(column.tolist()))
    try:
        return tuple(sorted(values))
    except TypeError:  # of several types
        return tuple(sorted(values, key=lambda value: (type(value).__name__, label(value))))


def replicated_labels(data: Recorded, **source: Any) -> Labels | None:
    """Return the labels of replicated data: those of the data with their covariates, without the table."""
    if data.labels is None:
        return None
    covariates = constant_columns(data)
    return dataclasses.replace(data.labels, table=None, rows=None, covariates=covariates, drawn=None, **source)
