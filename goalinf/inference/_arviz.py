"""Access to ArviZ, and nowhere else: ``arviz`` 1.x, or its preview inside 0.23 on Python 3.11."""

from __future__ import annotations

import copy
import importlib
import sys
import warnings
from importlib import metadata
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpyro.distributions  # noqa: F401 (completed below)
import pandas as pd
import xarray as xr

_WIDEST = 500.0  # nats; a weight smaller than the largest by more than this is zero in floating point
_ALIKE = 1e-9  # nats; weights closer together differ by rounding
VERSION = metadata.version("arviz")


def _complete_numpyro() -> None:
    """Set the modules of NumPyro's packages as their attributes, on which NumPyro relies.

    ArviZ 1 loads NumPyro lazily. Where it was imported first, Python runs a package of NumPyro twice (the first that is
    imported, such as ``numpyro.distributions``), and the second has only the names that it imports from its modules.
    """
    for name, module in list(sys.modules.items()):
        package, _, attribute = name.rpartition(".")
        if package.startswith("numpyro") and attribute not in vars(sys.modules[package]):
            setattr(sys.modules[package], attribute, module)


_complete_numpyro()


class _Lazy:
    """ArviZ, imported at its first use: the import takes seconds, and a mode or a goal posterior does not need it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("arviz" if int(VERSION.split(".")[0]) >= 1 else "arviz.preview"), name)


az: Any = _Lazy()


def summary(dataset: xr.Dataset) -> pd.DataFrame:
    """Return mean, sd, 94 % interval, R-hat and effective sample sizes of every scalar, unrounded."""
    plain = dataset.drop_vars([name for name in dataset.coords if name not in dataset.dims])
    with np.errstate(all="ignore"):  # R-hat of a discrete parameter that never varies is not a number
        table = az.summary(plain, ci_prob=0.94, ci_kind="eti", round_to="none")
    return table.astype(float)


@runtime_checkable
class LOO(Protocol):
    """Leave-one-out predictive accuracy: the fields of ArviZ's ``ELPDData`` that are used."""

    elpd_i: xr.DataArray
    pareto_k: xr.DataArray
    p: float
    se: float


def loo(log_likelihood: xr.DataArray, posterior: xr.Dataset) -> LOO:
    """Compute PSIS-LOO of a log-likelihood with dimensions ``chain``, ``draw`` and ``unit``, with pointwise values."""
    # Importance weights of an action whose probability is constant (a corridor) are all equal, and PSIS rejects ties.
    noise = np.random.default_rng(0).uniform(-1e-10, 1e-10, log_likelihood.shape)
    groups = {"posterior": posterior, "log_likelihood": (log_likelihood + noise).to_dataset(name="choices")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large Pareto k: reported in the table
        result = az.loo(xr.DataTree.from_dict(groups), var_name="choices", pointwise=True)
    result.se = standard_error(result.elpd_i.values)  # earlier versions divide by n where later ones divide by n - 1
    return result


def standard_error(terms: np.ndarray) -> float:
    r"""Compute the standard error of a sum, :math:`\sqrt{n}` times the sample sd (Vehtari, Gelman and Gabry 2017)."""
    return float(np.sqrt(len(terms)) * terms.std(ddof=1))


def weights(loos: dict[str, LOO]) -> pd.Series:
    """Return stacking weights of LOO results, best first."""
    # A common factor of a unit's densities cancels; without this shift, densities of long trajectories underflow.
    best = np.max([result.elpd_i.values for result in loos.values()], axis=0)
    shifted = {name: copy.copy(result) for name, result in loos.items()}
    for result in shifted.values():
        result.elpd_i = result.elpd_i - best
    unrounded = {} if VERSION.startswith("0.") else {"round_to": "none"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return az.compare(shifted, **unrounded)["weight"].astype(float)


def worst(dataset: xr.Dataset) -> tuple[float, float]:
    """Return the largest R-hat (NaN for one chain) and the smallest bulk effective sample size of varying scalars."""
    varying = [name for name in dataset.data_vars if float(dataset[name].std(("chain", "draw")).max()) > 0]
    dataset = dataset[varying] if varying else dataset
    bulk = min(float(values.min(skipna=True)) for values in az.ess(dataset).values())
    if dataset.sizes["chain"] == 1:
        return float("nan"), bulk
    return max(float(values.max(skipna=True)) for values in az.rhat(dataset).values()), bulk


def of_indicator(indicator: np.ndarray) -> tuple[float, float]:
    """Return R-hat and effective sample size of Boolean draws ``(chains, draws)`` that are not all equal.

    R-hat is computed from split chains without ranks: ranks of Boolean draws add no information, and draws folded at
    their median can all be equal.
    """
    dataset = xr.Dataset({"x": (("chain", "draw"), np.asarray(indicator, float))})
    with np.errstate(all="ignore"):  # chains that never change have no variance
        r_hat, ess = (
            float(statistic["x"]) for statistic in (az.rhat(dataset, method="split"), az.ess(dataset, method="mean"))
        )
    return r_hat, ess


def khat(log_weights: np.ndarray) -> float:
    """Return Pareto k of importance weights; infinite where weights in the tail differ by more than 500 nats."""
    n = log_weights.size
    tail = np.sort(log_weights)[-max(1, int(min(n / 5, 3 * np.sqrt(n)))) :]
    if not tail[0] > tail[-1] - _WIDEST:  # the other weights underflow to zero, and the fit of the tail is undefined
        return np.inf
    if tail[-1] - tail[0] < _ALIKE:  # equal weights have no tail, and PSIS rejects ties
        return 0.0
    # Takes log-likelihoods, whose negatives are the log weights of leaving one out.
    return float(importlib.import_module("arviz_stats.base").array_stats.psislw(-log_weights)[1])


def smallest_ess(draws: np.ndarray) -> float:
    """Return the smallest bulk effective sample size over the columns of draws ``(chains, draws, D)``."""
    return float(az.ess(xr.Dataset({"x": (("chain", "draw", "column"), draws)}))["x"].min())


def power_scaling(posterior: xr.Dataset, log_prior: np.ndarray, log_likelihood: np.ndarray) -> pd.DataFrame:
    """Return the sensitivity of every scalar to power scaling of prior and likelihood, ``(chains, draws)``."""
    plain = posterior.drop_vars([name for name in posterior.coords if name not in posterior.dims])
    terms = {"prior": log_prior, "likelihood": log_likelihood}
    groups = {
        f"log_{name}": xr.Dataset({"total": (("chain", "draw"), values)}, coords=plain[["chain", "draw"]].coords)
        for name, values in terms.items()
    }
    tree = xr.DataTree.from_dict({"posterior": plain, **groups})
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = {name: az.psense(tree, group=name) for name in terms}
    columns = {
        name: np.concatenate([values[each].values.ravel() for each in plain.data_vars])
        for name, values in found.items()
    }
    return pd.DataFrame(columns, index=summary(posterior).index)
