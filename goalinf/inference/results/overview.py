"""First numbers of a fit for print and notebooks, without diagnostics and other long computations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from goalinf import display
from goalinf.worlds import label

_UNITS = {"subject", "context"}
_TAIL = 0.03  # on each side of the interval, as in Fit.summary


def numbers(posterior: xr.Dataset, shares: xr.Dataset | None, most: int) -> tuple[pd.DataFrame, int]:
    """Return mean, sd and 94 % interval of the first scalars, and the number of scalars.

    Parameters
    ----------
    posterior : Dataset
        Draws of all numeric parameters.
    shares : Dataset, optional
        Probabilities of the options of a discrete parameter; their means over subjects or trajectories come first.
    most : int
        Rows to show.
    """
    rows: dict[str, np.ndarray] = {}
    for name, array in (shares.data_vars if shares is not None else {}).items():
        mean = array.mean([dim for dim in array.dims if dim not in ("chain", "draw", "value")])
        rows |= {f"P({name} = {label(v)})": mean.sel(value=v).values for v in array["value"].values.tolist()}
    total = len(rows)
    # The group before its subjects.
    for name, array in sorted(posterior.data_vars.items(), key=lambda item: bool(_UNITS & set(item[1].dims))):
        dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
        total += int(np.prod([array.sizes[dim] for dim in dims], dtype=int))
        draws = array.transpose("chain", "draw", *dims)
        for index, labels in zip(np.ndindex(draws.shape[2:]), product(*map(array.get_index, dims)), strict=True):
            if len(rows) >= most:
                break
            row = f"{name}[{', '.join(map(label, labels))}]" if dims else str(name)
            rows[row] = draws.values[(slice(None), slice(None), *index)]
    table = {name: _moments(draws) for name, draws in list(rows.items())[:most]}
    return pd.DataFrame.from_dict(table, orient="index", columns=["mean", "sd", "3 %", "97 %"]), total


def _moments(draws: np.ndarray) -> list[float]:
    values = np.asarray(draws, float)
    return [values.mean(), values.std(), *np.quantile(values, [_TAIL, 1 - _TAIL])]


def by_unit(draws: xr.Dataset, unit: str, summary: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of a summary by unit and parameter, for the parameters that have values by unit.

    Parameters
    ----------
    draws : Dataset
        Draws of the posterior.
    unit : str
        Name of the axis, such as ``"subject"``.
    summary : callable
        Name of a variable -> its rows, indexed by the labels of its axes.

    Raises
    ------
    KeyError
        Where no parameter has values by unit.
    """
    tables = []
    for name, array in draws.data_vars.items():
        if unit not in array.dims:
            continue
        rows = summary(str(name)).reset_index()
        others = [str(dim) for dim in array.dims if dim not in ("chain", "draw", unit)]
        texts = [f"[{', '.join(map(label, labels))}]" for labels in rows[others].itertuples(index=False)]
        rows["parameter"] = [f"{name}{text}" for text in (texts if others else [""] * len(rows))]
        tables.append(rows.drop(columns=others).set_index([unit, "parameter"]))
    if not tables:
        raise KeyError(
            f"no parameter of this fit has one value per {unit}: give it the prior gi.partial_pooling(…, by={unit!r})"
        )
    whole = pd.concat(tables)
    order = whole.index.get_level_values(unit).unique()
    return whole.loc[list(order)]


def as_text(table: pd.DataFrame) -> str:
    """Format a table of numbers with three digits, aligned."""
    return table.map(display.number).to_string()
