"""The one file that knows which ArviZ is installed: ``arviz`` 1.x, or its preview inside 0.23 on Python 3.11."""

from __future__ import annotations

from typing import Any

import arviz as _installed
import numpy as np
import pandas as pd
import xarray as xr

if int(_installed.__version__.split(".")[0]) >= 1:
    az: Any = _installed
else:
    import arviz.preview as az

VERSION = _installed.__version__


def summary(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean, sd, 94 % interval, R-hat and effective sample sizes of every scalar, unrounded."""
    plain = dataset.drop_vars([name for name in dataset.coords if name not in dataset.dims])
    table = az.summary(plain, ci_prob=0.94, ci_kind="eti", round_to="none")
    return table.astype(float)


def compare(loos: dict[str, Any]) -> pd.DataFrame:
    """ArviZ's comparison of LOO results, best first, with the columns of the newer version."""
    table = az.compare(loos, round_to="none") if VERSION.startswith("0.") else az.compare(loos)
    return table


def loo(tree: xr.DataTree, name: str) -> Any:
    """PSIS-LOO of one log-likelihood variable, pointwise values included."""
    return az.loo(tree, var_name=name, pointwise=True)


def worst(dataset: xr.Dataset) -> tuple[float, float]:
    """Largest R-hat and smallest bulk effective sample size over all scalars that vary."""
    r_hat = max(float(np.nanmax(values)) for values in az.rhat(dataset).values())
    bulk = min(float(np.nanmin(values)) for values in az.ess(dataset).values())
    return r_hat, bulk
