"""The one file that knows which ArviZ is installed: ``arviz`` 1.x, or its preview inside 0.23 on Python 3.11."""

from __future__ import annotations

import copy
import importlib
import sys
import warnings
from importlib import metadata
from typing import Any

import numpy as np
import numpyro.distributions  # noqa: F401 (completed below)
import pandas as pd
import xarray as xr

_WIDEST = 500.0  # nats; weights further apart cannot be told from zero
_ALIKE = 1e-9  # nats; weights closer together differ by rounding
VERSION = metadata.version("arviz")


def _complete_numpyro() -> None:
    """Give the packages of NumPyro their modules as attributes, on which NumPyro itself relies.

    ArviZ 1 loads NumPyro lazily. Where it was imported first, Python runs a package of NumPyro twice (the first that is
    imported, such as ``numpyro.distributions``), and the second has only the names that it imports from its modules.
    """
    for name, module in list(sys.modules.items()):
        package, _, own = name.rpartition(".")
        if package.startswith("numpyro") and own not in vars(sys.modules[package]):
            setattr(sys.modules[package], own, module)


_complete_numpyro()


class _Lazy:
    """ArviZ, imported where it is first used: it takes seconds, and a mode or a goal posterior needs none of it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("arviz" if int(VERSION.split(".")[0]) >= 1 else "arviz.preview"), name)


az: Any = _Lazy()


def summary(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean, sd, 94 % interval, R-hat and effective sample sizes of every scalar, unrounded."""
    plain = dataset.drop_vars([name for name in dataset.coords if name not in dataset.dims])
    with np.errstate(all="ignore"):  # R-hat of a discrete parameter that never varies is not a number
        table = az.summary(plain, ci_prob=0.94, ci_kind="eti", round_to="none")
    return table.astype(float)


def loo(log_likelihood: xr.DataArray, posterior: xr.Dataset) -> Any:
    """PSIS-LOO of a log-likelihood with dimensions ``chain``, ``draw`` and ``unit``, pointwise values included."""
    # Importance weights of a choice that never varies (a corridor) are all alike, which PSIS refuses to rank.
    noise = np.random.default_rng(0).uniform(-1e-10, 1e-10, log_likelihood.shape)
    groups = {"posterior": posterior, "log_likelihood": (log_likelihood + noise).to_dataset(name="choices")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large Pareto k: the table says it
        return az.loo(xr.DataTree.from_dict(groups), var_name="choices", pointwise=True)


def weights(loos: dict[str, Any]) -> pd.Series:
    """Stacking weights of LOO results, best first."""
    # What all models share of a unit cancels; without it, long trajectories would have densities of zero.
    best = np.max([result.elpd_i.values for result in loos.values()], axis=0)
    shifted = {name: copy.copy(result) for name, result in loos.items()}
    for result in shifted.values():
        result.elpd_i = result.elpd_i - best
    unrounded = {} if VERSION.startswith("0.") else {"round_to": "none"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return az.compare(shifted, **unrounded)["weight"].astype(float)


def worst(dataset: xr.Dataset) -> tuple[float, float]:
    """Largest R-hat (NaN where there is one chain) and smallest bulk effective sample size, over scalars that vary."""
    varying = [name for name in dataset.data_vars if float(dataset[name].std(("chain", "draw")).max()) > 0]
    dataset = dataset[varying] if varying else dataset
    bulk = min(float(values.min(skipna=True)) for values in az.ess(dataset).values())
    if dataset.sizes["chain"] == 1:
        return float("nan"), bulk
    return max(float(values.max(skipna=True)) for values in az.rhat(dataset).values()), bulk


def of_indicator(indicator: np.ndarray) -> tuple[float, float]:
    """R-hat and effective sample size of draws ``(chains, draws)`` that are true or false, not all of them alike.

    Ranks say no more than such draws themselves, and draws folded at their median can all be alike: R-hat is that of
    split chains.
    """
    dataset = xr.Dataset({"x": (("chain", "draw"), np.asarray(indicator, float))})
    with np.errstate(all="ignore"):  # chains that never change have no variance
        r_hat, ess = (float(one["x"]) for one in (az.rhat(dataset, method="split"), az.ess(dataset, method="mean")))
    return r_hat, ess


def khat(log_weights: np.ndarray) -> float:
    """Pareto k of importance weights; infinite where the largest dwarf the rest of the tail."""
    n = log_weights.size
    tail = np.sort(log_weights)[-max(1, int(min(n / 5, 3 * np.sqrt(n)))) :]
    if not tail[0] > tail[-1] - _WIDEST:  # exponentials of the others are zero, and the fit of the tail undefined
        return np.inf
    if tail[-1] - tail[0] < _ALIKE:  # no tail, which PSIS refuses to rank
        return 0.0
    # Takes log-likelihoods, whose negatives are the log weights of leaving one out.
    return float(importlib.import_module("arviz_stats.base").array_stats.psislw(-log_weights)[1])


def smallest_ess(draws: np.ndarray) -> float:
    """Smallest bulk effective sample size over the columns of draws ``(chains, draws, D)``."""
    return float(az.ess(xr.Dataset({"x": (("chain", "draw", "column"), draws)}))["x"].min())
