"""First numbers of a fit for print and notebooks, without diagnostics and other long computations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from goalinf import display
from goalinf.worlds import label

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
    for name, array in posterior.data_vars.items():
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


def as_text(table: pd.DataFrame) -> str:
    """Format a table of numbers with three digits, aligned."""
    return table.map(display.number).to_string()
