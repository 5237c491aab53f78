"""Parameter recovery: fits of data that were simulated with known parameters."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from goalinf.agents.agent import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, takes_key
from goalinf.data import Trajectories
from goalinf.display import number as shown
from goalinf.inference.model.models import StandardModel
from goalinf.workflow.estimates import Repeated, Sampling, as_records, estimates, prior_sd
from goalinf.workflow.runs import Client, Result, identity, run_all
from goalinf.workflow.simulated_data import as_template


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Recovery:
    """Estimates of parameters in simulated data, beside the values that simulated them.

    Parameters
    ----------
    estimates : DataFrame
        One row per run and number: ``run``, ``parameter``, ``level``, ``true``, ``mean``, ``sd``, ``low`` and ``high``
        (90 % interval), ``converged``.
    prior_sd : Series
        Prior standard deviation of every parameter.
    """

    estimates: pd.DataFrame
    prior_sd: pd.Series

    @property
    def runs(self) -> int:
        """Number of simulated data sets."""
        return int(self.estimates["run"].nunique())

    @property
    def failed(self) -> int:
        """Number of fits that did not converge; they are among the estimates."""
        return int((~self.estimates.groupby("run")["converged"].first()).sum())

    @property
    def table(self) -> pd.DataFrame:
        r"""One row per parameter, over all runs and levels.

        ``correlation`` of posterior means and true values; ``bias``, their mean difference; ``rmse``, the root of their
        mean squared difference; ``coverage``, the share of 90 % intervals that contain the true value (.90 where the
        model is right); ``contraction``, one minus the median of
        :math:`\mathrm{var}(\theta \mid y) / \mathrm{var}(\theta)` (0: the data say nothing; 1: the parameter is
        known); ``numbers``, how many were compared. The units of bias and rmse are those of the parameter.
        """
        rows = {}
        for name, group in self.estimates.groupby("parameter", sort=False):
            error = group["mean"] - group["true"]
            varies = len(group) > 2 and group["true"].std() > 0 and group["mean"].std() > 0
            inside = (group["low"] <= group["true"]) & (group["true"] <= group["high"])
            rows[name] = {
                "correlation": float(np.corrcoef(group["true"], group["mean"])[0, 1]) if varies else np.nan,
                "bias": float(error.mean()),
                "rmse": float(np.sqrt((error**2).mean())),
                "coverage": float(inside.mean()),
                "contraction": float(1.0 - (group["sd"] ** 2).median() / self.prior_sd[name] ** 2),
                "numbers": len(group),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    def __repr__(self) -> str:
        sets = "1 simulated data set" if self.runs == 1 else f"{self.runs} simulated data sets"
        text = f"Recovery of parameters in {sets}\n{self.table.map(shown).to_string()}"
        if self.failed:
            text += f"\n{self.failed} of {self.runs} fits did NOT converge; their estimates are included."
        return text


@dataclasses.dataclass(frozen=True)
class _Run:
    """One run: simulate, fit, estimate."""

    repeated: Repeated

    def __call__(self, number: int) -> Result:
        data, fit = self.repeated.run(number)
        return {"converged": bool(fit.converged), "estimates": as_records(estimates(data.drawn, fit))}


@takes_key
def recover(
    key: PRNGKey,
    world: Worlds,
    *,
    agent: Agent,
    reward: Rewards,
    like: pd.DataFrame | Trajectories,
    runs: int = 20,
    chains: int = 2,
    draws: int = 500,
    method: str = "auto",
    out: str | Path | None = None,
    workers: int = 1,
    client: Client | None = None,
) -> Recovery:
    """Simulate data from the priors, fit them, and compare the estimates with the values that were drawn.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World or mapping from context to World
        World in which the agent acts.
    agent, reward : Agent, and Reward or mapping from context to it
        Model: its priors are drawn, and it is fitted.
    like : DataFrame or Trajectories
        Design (:func:`~goalinf.design`), or data of which the design is taken.
    runs : int
        Number of simulated data sets.
    chains, draws : int
        Chains of every fit, and kept draws of each; a fit that does not converge is run again with four times as many.
    method : str
        Method of every fit; see :func:`~goalinf.infer`. ``"laplace"`` is several times faster.
    out : path, optional
        Folder to which every run is written when it is finished. An interrupted call goes on where it stopped.
    workers : int
        Number of processes. Each one compiles the model anew; a single process uses several cores for its chains.
    client : dask.distributed.Client, optional
        Cluster on which the runs are computed.

    Returns
    -------
    Recovery

    Raises
    ------
    ValueError
        Where no parameter has a prior, the design does not fit, or the folder holds runs with other settings.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> agent = gi.agents.boltzmann(beta=gi.no_pooling(dist.LogNormal(0.0, 1.0), by="subject"))
    >>> design = gi.design(hall, subjects=10, trajectories=5, steps=10)
    >>> recovery = gi.recover(0, hall, agent=agent, reward=reward, like=design, runs=1, method="laplace")
    >>> bool(recovery.table.loc["agent.beta", "correlation"] > 0.5)
    True
    """
    model = checked_model(world, agent, reward)
    data = as_template(key, world, like)
    sampling = Sampling(chains, draws, method)
    settings = identity(key, world, agent, reward, data, **dataclasses.asdict(sampling))
    run = _Run(Repeated(np.asarray(jax.random.key_data(key)), model, data, sampling))
    results = run_all(run, runs, settings, title="recovery", out=out, workers=workers, client=client)
    tables = [
        pd.DataFrame(result["estimates"]).assign(run=number, converged=result["converged"])
        for number, result in enumerate(results)
    ]
    return Recovery(pd.concat(tables, ignore_index=True), prior_sd(model, data))


def checked_model(world: Worlds, agent: Agent, reward: Rewards) -> StandardModel:
    """Return the model of world, agent and reward; refuse one without unknown parameters.

    Raises
    ------
    ValueError
        Where nothing has a prior.
    """
    model = StandardModel.checked(world, agent, reward)
    if not model.priors:
        raise ValueError(
            "no parameter of the agent or the reward has a prior; expected at least one, such as "
            "gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))"
        )
    return model
