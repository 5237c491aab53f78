"""Fits of simulated data: settings that several functions share, and estimates beside the true values."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array

from goalinf.checks import check_count
from goalinf.data import Trajectories
from goalinf.inference.infer import infer
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import prior_draws
from goalinf.inference.results.fit import Fit
from goalinf.precision import computing_in
from goalinf.types import PRNGKey
from goalinf.workflow.simulated_data import simulate_like
from goalinf.worlds.names import label

INTERVAL = (0.05, 0.95)
_PRIOR_DRAWS = 2000
_LONGER = 4  # times as many draws for a fit that did not converge


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Settings of the fits of simulated data.

    Parameters
    ----------
    chains, draws : int
        Chains, and kept draws of each.
    method : str
        Method of :func:`~goalinf.infer`.
    """

    chains: int
    draws: int
    method: str

    def __post_init__(self) -> None:
        check_count("chains", self.chains)
        check_count("draws", self.draws)

    def fit(self, key: PRNGKey, model: StandardModel, data: Trajectories) -> Fit:
        """Fit a model to data; chains that did not converge are run again with four times as many draws."""
        if self.method in ("laplace", "svi"):
            return self._fit(key, model, data, chains=None, draws=self.draws * self.chains)
        fit = self._fit(key, model, data, chains=self.chains, draws=self.draws)
        if fit.converged:
            return fit
        return self._fit(jax.random.fold_in(key, 1), model, data, chains=self.chains, draws=_LONGER * self.draws)

    def _fit(self, key: PRNGKey, model: StandardModel, data: Trajectories, *, chains: int | None, draws: int) -> Fit:
        return infer(
            key,
            model.world,
            agent=model.agent,
            reward=model.reward,
            data=data,
            method=self.method,
            chains=chains,
            draws=draws,
            progress=False,
        )


@dataclasses.dataclass(frozen=True)
class Repeated:
    """Simulated data sets and their fits, by number.

    Parameters
    ----------
    key_data : uint32 array
        Key of all runs, as numbers, which can be sent to other processes.
    model : StandardModel
        Model that simulates and is fitted.
    data : Trajectories
        Data with the design.
    sampling : Sampling
        Settings of the fits.
    """

    key_data: np.ndarray
    model: StandardModel
    data: Trajectories
    sampling: Sampling

    def run(self, number: int) -> tuple[Trajectories, Fit]:
        """Simulate and fit the data set of this number."""
        key_data, key_fit = jax.random.split(numbered_key(self.key_data, number))
        data = simulate_like(key_data, self.model, self.data)
        return data, self.sampling.fit(key_fit, self.model, data)


def numbered_key(key_data: np.ndarray, number: int) -> Array:
    """Return the key of a run."""
    return jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(key_data)), number)


def estimates(drawn: xr.Dataset, fit: Fit) -> pd.DataFrame:
    """Return true value, posterior mean, standard deviation and 90 % interval of every number that was drawn.

    One row per number: ``parameter``, ``level`` (its labels), ``true``, ``mean``, ``sd``, ``low``, ``high``. Options of
    mixtures that are no numbers are left out.
    """
    rows = []
    posterior = fit.posterior
    for name, true in drawn.data_vars.items():
        if name not in posterior or posterior[name].dtype.kind not in "fiu":
            continue
        draws = posterior[name].transpose("chain", "draw", *true.dims).values.reshape(-1, *true.shape)
        low, high = np.quantile(draws, INTERVAL, axis=0)
        for index in np.ndindex(true.shape):
            labels = [label(true[dim].values[i]) for dim, i in zip(true.dims, index, strict=True)]
            values = (true.values[index], draws.mean(0)[index], draws.std(0)[index], low[index], high[index])
            rows.append((str(name), ", ".join(labels), *map(float, values)))
    return pd.DataFrame(rows, columns=["parameter", "level", "true", "mean", "sd", "low", "high"])


def prior_sd(model: StandardModel, data: Trajectories) -> pd.Series:
    """Return the prior standard deviation of every parameter, over draws and its entries."""
    with computing_in("float64"):
        draws = prior_draws(jax.random.key(0), model.sites(data), _PRIOR_DRAWS)
    return pd.Series({name: float(np.mean(np.std(values, axis=0))) for name, values in draws.items()})


def as_records(table: pd.DataFrame) -> dict[str, Any]:
    """Return the columns of a table as lists, for JSON."""
    return {str(name): values.tolist() for name, values in table.items()}
