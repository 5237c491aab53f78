r"""Simulation-based calibration: ranks of drawn parameters among draws of their posterior.

Where parameters are drawn from the prior, data from the model, and draws from the posterior of these data, the rank of
the drawn value among L draws is uniform on 0, …, L (Talts et al. 2018). The uniformity of ranks is tested by the
largest deviation of their empirical distribution function, whose null distribution is simulated (Säilynoja et al.
2022). The log-likelihood is tested like a parameter: it finds errors that the parameters do not show (Modrák et al.
2023).
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from scipy import stats

from goalinf.agents.agent import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, takes_key
from goalinf.data import Trajectories
from goalinf.display import number as shown
from goalinf.inference.results.fit import Fit
from goalinf.workflow.estimates import Repeated, Sampling
from goalinf.workflow.recovery import checked_model
from goalinf.workflow.runs import Client, Result, identity, run_all
from goalinf.workflow.simulated_data import as_template

LEVEL = 0.05
LIKELIHOOD = "log_likelihood"
_SIMULATED = 4000  # sets of uniform ranks


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """Ranks of drawn parameters among draws of their posterior.

    Parameters
    ----------
    ranks : DataFrame
        One row per run, one column per parameter and one for the log-likelihood. Of a parameter with several numbers,
        the rank of one of them, drawn at random in each run: only ranks of different runs are independent.
    draws : int
        Number L of posterior draws; ranks are from 0 to L.
    failed : int
        Number of fits that did not converge.
    """

    ranks: pd.DataFrame
    draws: int
    failed: int

    @property
    def table(self) -> pd.DataFrame:
        """One row per parameter: ``mean`` of the ranks, as a share of L (.5 if uniform), and ``p`` of uniformity.

        A mean below .5: the posterior is too high. The ``p`` value is that of the largest deviation of the empirical
        distribution function.
        """
        rows = {name: {"mean": ranks.mean() / self.draws, "p": self._p(ranks)} for name, ranks in self.ranks.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    @property
    def calibrated(self) -> bool:
        """True where no deviation was detected at level .05, adjusted for the number of parameters (Bonferroni)."""
        return bool((self.table["p"] * len(self.table) > LEVEL).all())

    @property
    def verdict(self) -> str:
        """Conclusion in words."""
        table, runs = self.table, len(self.ranks)
        smallest = f"smallest p {shown(table['p'].min())} of {len(table)} quantities"
        if self.calibrated:
            text = f"No deviation from calibration was detected in {runs} runs ({smallest})."
            if runs < 100:
                text += f" {runs} runs detect large errors only; use 100 or more for a final check."
        else:
            wrong = table.index[table["p"] * len(table) <= LEVEL]
            parts = [f"{name} ({_direction(self.ranks[name] / self.draws)})" for name in wrong]
            text = f"NOT calibrated: {', '.join(parts)} ({smallest}, {runs} runs)."
        if self.failed:
            text += f" {self.failed} of {runs} fits did not converge, which alone can cause deviations."
        return text

    def _p(self, ranks: pd.Series) -> float:
        statistic = _deviation(ranks.to_numpy()[None], self.draws)[0]
        null = _null(len(ranks), self.draws)
        return float((1 + (null <= statistic).sum()) / (1 + len(null)))

    def __repr__(self) -> str:
        return f"Simulation-based calibration\n{self.table.map(shown).to_string()}\n{self.verdict}"


def _direction(shares: pd.Series) -> str:
    """Describe the deviation of ranks, as shares of the number of draws, from uniformity."""
    if abs(shares.mean() - 0.5) > 2.0 * np.sqrt(1 / 12 / len(shares)):
        return "its posterior is too low" if shares.mean() > 0.5 else "its posterior is too high"
    return "its posterior is too narrow" if shares.var() > 1 / 12 else "its posterior is too wide"


def _deviation(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Return, for sets of ranks ``(B, runs)``, the smallest two-sided p value of their distribution function."""
    runs = ranks.shape[1]
    counts = np.apply_along_axis(np.bincount, 1, ranks.astype(int), minlength=draws + 1).cumsum(axis=1)[:, :-1]
    share = (np.arange(draws) + 1.0) / (draws + 1.0)
    below, above = stats.binom.cdf(counts, runs, share), stats.binom.sf(counts - 1, runs, share)
    return 2.0 * np.minimum(below, above).min(axis=1)


@cache
def _null(runs: int, draws: int) -> np.ndarray:
    """Return the statistic of sets of uniform ranks."""
    return _deviation(np.random.default_rng(0).integers(0, draws + 1, (_SIMULATED, runs)), draws)


@dataclasses.dataclass(frozen=True)
class _Run:
    """One run: simulate, fit, rank."""

    repeated: Repeated
    draws: int

    def __call__(self, number: int) -> Result:
        data, fit = self.repeated.run(number)
        return {"converged": bool(fit.converged), "ranks": ranks_of(fit, data, self.draws, number)}


def ranks_of(fit: Fit, data: Trajectories, draws: int, seed: int) -> dict[str, int]:
    """Return the rank of one number of every drawn parameter, and of the log-likelihood, among posterior draws."""
    rng = np.random.default_rng(seed)
    ranks = {}
    total = fit.n_draws
    chosen = np.linspace(0, total - 1, draws).round().astype(int)
    for name, true in data.drawn.data_vars.items():
        if name not in fit.posterior or fit.posterior[name].dtype.kind != "f":
            continue
        posterior = fit.posterior[name].transpose("chain", "draw", *true.dims).values.reshape(total, *true.shape)
        index = tuple(int(rng.integers(size)) for size in true.shape)
        ranks[str(name)] = _rank(posterior[chosen][(slice(None), *index)], float(true.values[index]), rng)
    values = {str(name): np.asarray(array) for name, array in data.drawn.data_vars.items()}
    scores = np.asarray(fit.tree["log_likelihood"].to_dataset()["choices"].values).reshape(total, -1).sum(1)[chosen]
    model = fit.standard("agent")
    if model.mixture is None:
        behavior = model.behavior(values, data.context_names, model.levels(data))
        ranks[LIKELIHOOD] = _rank(scores, float(behavior.log_prob(data)), rng)
    return ranks


def _rank(draws: np.ndarray, true: float, rng: np.random.Generator) -> int:
    """Return the number of draws below a value; ties are broken at random."""
    ties = int((draws == true).sum())
    return int((draws < true).sum()) + int(rng.integers(ties + 1))


@takes_key
def calibrate(
    key: PRNGKey,
    world: Worlds,
    *,
    agent: Agent,
    reward: Rewards,
    like: pd.DataFrame | Trajectories,
    runs: int = 100,
    chains: int = 2,
    draws: int = 500,
    ranked: int = 99,
    method: str = "auto",
    out: str | Path | None = None,
    workers: int = 1,
    client: Client | None = None,
) -> Calibration:
    """Test by simulation whether posteriors are right: simulation-based calibration.

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
    ranked : int
        Number of draws, evenly spaced, among which the drawn values are ranked; they should be nearly independent.
    method, out, workers, client
        See :func:`~goalinf.recover`.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        As :func:`~goalinf.recover`; or where there are fewer draws than ``ranked``.

    References
    ----------
    Talts et al. (2018), "Validating Bayesian inference algorithms with simulation-based calibration"; Säilynoja et al.
    (2022), "Graphical test for discrete uniformity"; Modrák et al. (2023), "Simulation-based calibration checking".

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))
    >>> design = gi.design(hall, subjects=1, trajectories=5, steps=10)
    >>> calibration = gi.calibrate(0, hall, agent=agent, reward=reward, like=design, runs=5)
    >>> calibration.ranks.shape
    (5, 2)
    """
    model = checked_model(world, agent, reward)
    check_count("ranked", ranked, 9)
    sampling = Sampling(chains, draws, method)
    if chains * draws < ranked:
        raise ValueError(f"ranked is {ranked}; {chains} chains of {draws} draws have {chains * draws}: draw more")
    data = as_template(key, world, like)
    settings = identity(key, world, agent, reward, data, ranked=ranked, **dataclasses.asdict(sampling))
    run = _Run(Repeated(np.asarray(jax.random.key_data(key)), model, data, sampling), ranked)
    results = run_all(run, runs, settings, title="calibration", out=out, workers=workers, client=client)
    ranks = pd.DataFrame([result["ranks"] for result in results]).rename_axis("run")
    return Calibration(ranks, ranked, sum(not result["converged"] for result in results))
