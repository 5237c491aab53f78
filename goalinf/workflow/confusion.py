"""Model recovery: how often the model that simulated data is selected, and what a selection says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from goalinf.agents.agent import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_choice, check_count, takes_key
from goalinf.data import Trajectories
from goalinf.inference.bridge_sampling import marginal_likelihood
from goalinf.inference.model.models import StandardModel
from goalinf.inference.scoring.leave_one_out import loo
from goalinf.workflow.estimates import Sampling, numbered_key
from goalinf.workflow.runs import Client, Result, identity, run_all
from goalinf.workflow.simulated_data import as_template, simulate_like

_CRITERIA = ("loo", "marginal_likelihood")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Confusion:
    """Selections of models for simulated data.

    Parameters
    ----------
    scores : DataFrame
        One row per run and fitted model: ``run``, ``simulated``, ``fitted``, ``score`` (nats), ``converged``.
    criterion : str
        Score by which the best model is selected.
    """

    scores: pd.DataFrame
    criterion: str

    @property
    def matrix(self) -> pd.DataFrame:
        """P(selected | simulated): a row for every model that simulated data; rows add up to one."""
        best = self.scores.loc[self.scores.groupby(["simulated", "run"], sort=False)["score"].idxmax()]
        names = list(dict.fromkeys(self.scores["simulated"]))
        counts = pd.crosstab(best["simulated"], best["fitted"]).reindex(index=names, columns=names, fill_value=0)
        shares = counts.div(counts.sum(axis=1), axis=0)
        return shares.rename_axis(index="simulated", columns="selected")

    @property
    def inversion(self) -> pd.DataFrame:
        """P(simulated | selected) with equal prior probabilities: columns add up to one; NaN where none was selected.

        References
        ----------
        Wilson and Collins (2019), "Ten simple rules for the computational modeling of behavioral data", box 5.
        """
        matrix = self.matrix
        return matrix.div(matrix.sum(axis=0).replace(0.0, np.nan), axis=1)

    @property
    def failed(self) -> int:
        """Number of fits that did not converge; their scores are used."""
        return int((~self.scores["converged"]).sum())

    def __repr__(self) -> str:
        runs = len(self.scores.groupby(["simulated", "run"]))
        text = (
            f"Selections by {self.criterion.replace('_', ' ')} for {runs} simulated data sets\n"
            f"P(selected | simulated)\n{self.matrix.round(2).to_string()}\n"
            f"P(simulated | selected)\n{self.inversion.round(2).to_string()}"
        )
        if self.failed:
            text += f"\n{self.failed} of {len(self.scores)} fits did NOT converge; their scores are included."
        return text


@dataclasses.dataclass(frozen=True)
class _Run:
    """One run: simulate one model, fit all of them."""

    key_data: np.ndarray
    models: Mapping[str, StandardModel]
    data: Trajectories
    sampling: Sampling
    criterion: str

    def __call__(self, number: int) -> Result:
        key = numbered_key(self.key_data, number)
        names = list(self.models)
        simulated = names[number % len(names)]
        key_data, *keys = jax.random.split(key, 1 + 2 * len(names))
        data = simulate_like(key_data, self.models[simulated], self.data)
        scores, converged = {}, {}
        for row, name in enumerate(names):
            fit = self.sampling.fit(keys[2 * row], self.models[name], data)
            converged[name] = bool(fit.converged)
            if self.criterion == "loo":
                scores[name] = float(np.sum(loo(fit).elpd_i))
            else:
                scores[name] = marginal_likelihood(keys[2 * row + 1], fit).log_evidence
        return {"simulated": simulated, "scores": scores, "converged": converged}


@takes_key
def confusion(
    key: PRNGKey,
    world: Worlds,
    *,
    agents: Mapping[str, Agent],
    reward: Rewards,
    like: pd.DataFrame | Trajectories,
    runs: int = 20,
    criterion: str = "loo",
    chains: int = 2,
    draws: int = 500,
    method: str = "auto",
    out: str | Path | None = None,
    workers: int = 1,
    client: Client | None = None,
) -> Confusion:
    """Simulate data from each of several agents, fit all agents to them, and count which is selected.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World or mapping from context to World
        World in which the agents act.
    agents : mapping from name to Agent
        Two agents or more, with priors.
    reward : Reward or mapping from context to Reward
        Reward of all agents.
    like : DataFrame or Trajectories
        Design (:func:`~goalinf.design`), or data of which the design is taken.
    runs : int
        Number of data sets that each agent simulates.
    criterion : {"loo", "marginal_likelihood"}
        Leave-one-out predictive accuracy by trajectory, or the marginal likelihood by bridge sampling.
    chains, draws, method, out, workers, client
        See :func:`~goalinf.recover`.

    Returns
    -------
    Confusion

    Raises
    ------
    ValueError
        Where there are fewer than two agents, the design does not fit, or the folder holds runs with other settings.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a..s..b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0, "b": -1.0}, default=0.0, on="departure")
    >>> prior = dist.LogNormal(1.0, 0.5)
    >>> agents = {"soft": gi.agents.soft_optimal(beta=prior), "opposite": gi.agents.anti_rational(beta=prior)}
    >>> design = gi.design(hall, subjects=1, trajectories=8, steps=10)
    >>> found = gi.confusion(0, hall, agents=agents, reward=reward, like=design, runs=2, method="laplace")
    >>> found.matrix.shape
    (2, 2)
    """
    if not isinstance(agents, Mapping) or len(agents) < 2:
        raise ValueError("agents is no mapping of two or more agents; expected {'name': agent, …}")
    check_choice("criterion", criterion, _CRITERIA)
    check_count("runs", runs)
    models = {str(name): StandardModel.checked(world, agent, reward) for name, agent in agents.items()}
    data = as_template(key, world, like)
    sampling = Sampling(chains, draws, method)
    settings = identity(key, world, reward, data, dict(agents), criterion=criterion, **dataclasses.asdict(sampling))
    run = _Run(np.asarray(jax.random.key_data(key)), models, data, sampling, criterion)
    results = run_all(run, runs * len(models), settings, title="confusion", out=out, workers=workers, client=client)
    rows = [
        (number // len(models), result["simulated"], name, score, result["converged"][name])
        for number, result in enumerate(results)
        for name, score in result["scores"].items()
    ]
    return Confusion(pd.DataFrame(rows, columns=["run", "simulated", "fitted", "score", "converged"]), criterion)
