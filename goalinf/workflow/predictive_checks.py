"""Posterior predictive checks: replicated data, and how the observed data compare with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd

from goalinf.agents.agent import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, check_kind, takes_key
from goalinf.data import Trajectories
from goalinf.display import number as shown
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.workflow.recovery import checked_model
from goalinf.workflow.simulated_data import as_template, simulate_like
from goalinf.workflow.statistics import Statistic, named, usual

_TAIL = 0.05  # on each side of the interval of replicated values


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Replications:
    """Replicated data sets with the design of observed data, each from another draw of the parameters.

    Parameters
    ----------
    data : tuple of Trajectories
        Replicated data sets.
    model : StandardModel
        World, agent and reward.
    source : {"posterior", "prior"}
        Distribution of the parameters.
    """

    data: tuple[Trajectories, ...]
    model: StandardModel
    source: str

    def to_frame(self) -> pd.DataFrame:
        """Return all replicated data as one long table, with the number of the data set in the column ``draw``."""
        return pd.concat(
            [data.to_frame().assign(draw=number) for number, data in enumerate(self.data)], ignore_index=True
        )

    def check(self, data: Trajectories, of: Sequence[str] | Mapping[str, Statistic] | None) -> pd.DataFrame:
        """Compare statistics of observed data with those of replicated data; see :func:`predictive_check`."""
        return predictive_check(self, data, of=of)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return (
            f"Replications of {self.data[0].n_trajectories} trajectories: {len(self.data)} draws of the {self.source}"
        )


@takes_key
def posterior_predictive(key: PRNGKey, fit: Fit, *, draws: int = 100, seed: int = 0) -> Replications:
    """Draw replicated data from the posterior predictive distribution of a fit.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    fit : Fit
        Fit of trajectories.
    draws : int
        Number of data sets, each from another posterior draw.
    seed : int
        Seed of the choice of posterior draws.

    Returns
    -------
    Replications

    Raises
    ------
    ValueError
        See :meth:`goalinf.Fit.predict`.

    References
    ----------
    Gelman et al. (2013), "Bayesian data analysis", section 6.3.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(0, hall, gi.agents.boltzmann(beta=2.0), reward, trajectories=5, steps=8)
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))
    >>> fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, method="laplace")
    >>> len(gi.posterior_predictive(2, fit, draws=10))
    10
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    check_kind("fit.data", fit.data, Trajectories, "a fit of trajectories; others have fit.predict")
    replicated = [each for each in fit.predict(key, draws, seed=seed) if isinstance(each, Trajectories)]
    return Replications(tuple(replicated), fit.standard("agent"), "posterior")


@takes_key
def prior_predictive(
    key: PRNGKey,
    world: Worlds,
    *,
    agent: Agent,
    reward: Rewards,
    like: pd.DataFrame | Trajectories,
    draws: int = 100,
) -> Replications:
    """Draw data from the prior predictive distribution of a model; parameters are in ``drawn`` of each data set.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World or mapping from context to World
        World in which the agent acts.
    agent, reward : Agent, and Reward or mapping from context to it
        Model; its priors are drawn for every data set.
    like : DataFrame or Trajectories
        Design (:func:`~goalinf.design`), or data of which the design is taken.
    draws : int
        Number of data sets.

    Returns
    -------
    Replications

    Raises
    ------
    ValueError
        Where no parameter has a prior, or the design does not fit the worlds.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))
    >>> design = gi.design(hall, subjects=1, trajectories=5, steps=8)
    >>> len(gi.prior_predictive(0, hall, agent=agent, reward=reward, like=design, draws=3))
    3
    """
    check_count("draws", draws)
    model, data = checked_model(world, agent, reward), as_template(key, world, like)
    keys = jax.random.split(key, draws)
    return Replications(tuple(simulate_like(each, model, data) for each in keys), model, "prior")


def predictive_check(
    replications: Replications,
    data: Trajectories,
    *,
    of: Sequence[str] | Mapping[str, Statistic] | None = None,
) -> pd.DataFrame:
    r"""Compare statistics of observed data with those of replicated data.

    The statistics with a name:

    - ``"choice"``: share of every action among the choices of each step;
    - ``"stay"``: probability that a choice equals the action before it, in the same trajectory;
    - ``"win_stay"``: the same, after an outcome above zero and after all other outcomes;
    - ``"path_length"``: moves from one state to another, mean per trajectory;
    - ``"occupancy"``: share of every state among the visited states;
    - ``"goal_reached"``: share of the trajectories that visit each goal (see Notes).

    A forced action is no choice: it is not counted in ``"choice"``, and no action that stays. The action *before* a
    choice may be forced: staying with it is a choice. Statistics of states count all steps.

    Parameters
    ----------
    replications : Replications
        From :func:`posterior_predictive` or :func:`prior_predictive`.
    data : Trajectories
        Observed data.
    of : sequence of str, or mapping from name to function, optional
        Statistics. A function of trajectories returns a number, or a Series or mapping of numbers. Default: occupancy,
        path length and goals reached (stay probability without goals); for rewards that are recorded with the data,
        choices by step and stay probabilities.

    Returns
    -------
    DataFrame
        One row per statistic and label: ``observed``; ``replicated`` (mean), ``low`` and ``high`` (90 % interval) over
        the replicated data; ``p``, the share of replicated values that are larger (ties count half). Values near 0 or 1
        show that the model does not describe this statistic; they are no significance tests.

    Raises
    ------
    ValueError
        Where a statistic is unknown or the data have another design.

    Notes
    -----
    Goals are terminal states of the world and the goals of a goal reward; where there are none, the states where a
    known reward of states is positive.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(0, hall, gi.agents.boltzmann(beta=2.0), reward, trajectories=5, steps=8)
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))
    >>> fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, method="laplace")
    >>> check = gi.posterior_predictive(2, fit, draws=20)
    >>> list(gi.predictive_check(check, data, of=["stay"]).columns)
    ['observed', 'replicated', 'low', 'high', 'p']
    """
    check_kind("replications", replications, Replications, "what gi.posterior_predictive returns")
    check_kind("data", data, Trajectories, "the observed trajectories")
    if data.n_trajectories != replications.data[0].n_trajectories:
        raise ValueError(
            f"the data have {data.n_trajectories} trajectories and the replicated data "
            f"{replications.data[0].n_trajectories}: give the data of the fit"
        )
    names = usual(replications.model, data) if of is None else of
    statistics = dict(names) if isinstance(names, Mapping) else named(names, replications.model, data)
    tables = []
    for name, statistic in statistics.items():
        observed = _series(name, statistic(data))
        replicated = pd.DataFrame([_series(name, statistic(each)) for each in replications.data])
        replicated = replicated.reindex(columns=observed.index.union(replicated.columns, sort=False)).fillna(0.0)
        observed = observed.reindex(replicated.columns).fillna(0.0)
        larger = (replicated > observed).mean() + 0.5 * (replicated == observed).mean()
        table = pd.DataFrame(
            {
                "observed": observed,
                "replicated": replicated.mean(),
                "low": replicated.quantile(_TAIL),
                "high": replicated.quantile(1.0 - _TAIL),
                "p": larger,
            }
        )
        table.index = pd.MultiIndex.from_product([[name], table.index], names=["statistic", "label"])
        tables.append(table)
    return pd.concat(tables)


def _series(name: str, value: Any) -> pd.Series:
    if isinstance(value, (float, int, np.number)):
        return pd.Series({"": float(value)})
    if isinstance(value, (pd.Series, Mapping)):
        return pd.Series(dict(value), dtype=float)
    raise ValueError(f"the statistic {name!r} is a {type(value).__name__}; expected a number, a Series or a mapping")


def check_in_words(table: pd.DataFrame) -> str:
    """Describe the statistics whose observed value is outside the interval of replicated values."""
    outside = table[(table["observed"] < table["low"]) | (table["observed"] > table["high"])]
    if outside.empty:
        return f"All {len(table)} observed values are inside the 90 % intervals of the replicated data."
    names = [f"{name} {key}".strip() for name, key in outside.index[:5]]
    return (
        f"{len(outside)} of {len(table)} observed values are outside the 90 % intervals of the replicated data "
        f"(expected {shown(0.1 * len(table))}): {', '.join(names)}{', …' if len(outside) > 5 else ''}."
    )
