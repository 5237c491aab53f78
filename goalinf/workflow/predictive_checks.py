"""Posterior predictive checks: replicated data, and how the observed data compare with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
import pandas as pd
from numpyro.distributions import Distribution

from goalinf.agents.agent import Agent
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, check_kind, takes_key
from goalinf.data import Trajectories
from goalinf.display import number as shown
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.rewards import GoalReward, Reward, StateReward, base_of
from goalinf.workflow.recovery import checked_model
from goalinf.workflow.simulated_data import as_template, simulate_like
from goalinf.worlds import World
from goalinf.worlds.names import label

Statistic: TypeAlias = Callable[[Trajectories], "float | pd.Series | Mapping[Any, float]"]
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

    def check(self, data: Trajectories, of: Sequence[str] | Mapping[str, Statistic]) -> pd.DataFrame:
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
    of: Sequence[str] | Mapping[str, Statistic] = ("occupancy", "path_length", "goal_reached"),
) -> pd.DataFrame:
    r"""Compare statistics of observed data with those of replicated data.

    The statistics with a name:

    - ``"choice"``: share of every action among the observed actions of each step;
    - ``"stay"``: probability that an action equals the action before it, in the same trajectory;
    - ``"path_length"``: moves from one state to another, mean per trajectory;
    - ``"occupancy"``: share of every state among the visited states;
    - ``"goal_reached"``: share of the trajectories that visit each goal (see Notes).

    Parameters
    ----------
    replications : Replications
        From :func:`posterior_predictive` or :func:`prior_predictive`.
    data : Trajectories
        Observed data.
    of : sequence of str, or mapping from name to function
        Statistics. A function of trajectories returns a number, or a Series or mapping of numbers.

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
    statistics = dict(of) if isinstance(of, Mapping) else _named(of, replications, data)
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


def _named(names: Sequence[str], replications: Replications, data: Trajectories) -> dict[str, Statistic]:
    """Return the functions of named statistics."""
    conditions = Conditions.of(replications.model.world, replications.model.reward, data.context_names)
    pairs = [(world, reward) for world, reward in conditions.pairs()]
    known: dict[str, Statistic] = {
        "choice": lambda each: _choices(each, pairs[0][0]),
        "stay": _stay,
        "path_length": _path_length,
        "occupancy": lambda each: _occupancy(each, pairs),
        "goal_reached": lambda each: _goal_reached(each, pairs),
    }
    given = [names] if isinstance(names, str) else list(names)
    if unknown := [name for name in given if name not in known]:
        raise ValueError(
            f"no statistic is called {unknown[0]!r}; those with a name are {', '.join(known)}; for others give a "
            "mapping from name to function"
        )
    return {name: known[name] for name in given}


def _choices(data: Trajectories, world: World) -> pd.Series:
    """Return the share of every action by step; actions by name where the states share them."""
    _, step = np.nonzero(data.observed)
    action = np.asarray(data.actions)[np.asarray(data.observed)]
    counts = np.zeros((data.max_steps, world.n_actions))
    np.add.at(counts, (step, action), 1.0)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1.0)
    names = [str(number) if world.local_actions else label(name) for number, name in enumerate(_action_names(world))]
    return pd.Series({f"{t}: {names[a]}": shares[t, a] for t, a in np.ndindex(shares.shape) if totals[t, 0]})


def _action_names(world: World) -> Sequence[Any]:
    return range(world.n_actions) if world.local_actions else world.actions


def _stay(data: Trajectories) -> float:
    both = np.asarray(data.observed)[:, 1:] & np.asarray(data.observed)[:, :-1]
    same = np.asarray(data.actions)[:, 1:] == np.asarray(data.actions)[:, :-1]
    return float(same[both].mean()) if both.any() else np.nan


def _path_length(data: Trajectories) -> float:
    states = np.asarray(data.states)
    moved = (states[:, 1:] != states[:, :-1]) & (states[:, 1:] >= 0) & (states[:, :-1] >= 0)
    return float(moved.sum(axis=1).mean())


def _by_context(data: Trajectories, pairs: Sequence[tuple[World, Reward]], statistic: Any) -> pd.Series:
    """Compute a statistic in every context; labels name the context where there are several."""
    parts: dict[str, float] = {}
    for number, name in enumerate(data.context_names):
        rows = np.flatnonzero(np.asarray(data.context) == number)
        if rows.size:
            values = statistic(np.asarray(data.states)[rows], *pairs[number])
            prefix = f"{label(name)}: " if len(data.context_names) > 1 else ""
            parts |= {f"{prefix}{key}": value for key, value in values.items()}
    return pd.Series(parts, dtype=float)


def _occupancy(data: Trajectories, pairs: Sequence[tuple[World, Reward]]) -> pd.Series:
    def shares(states: np.ndarray, world: World, _reward: Reward) -> dict[str, float]:
        counts = np.bincount(states[states >= 0], minlength=world.n_states)
        return {label(name): float(share) for name, share in zip(world.states, counts / counts.sum(), strict=True)}

    return _by_context(data, pairs, shares)


def _goal_reached(data: Trajectories, pairs: Sequence[tuple[World, Reward]]) -> pd.Series:
    def shares(states: np.ndarray, world: World, reward: Reward) -> dict[str, float]:
        goals = _goals(world, reward)
        return {label(world.states[goal]): float((states == goal).any(axis=1).mean()) for goal in goals}

    return _by_context(data, pairs, shares)


def _goals(world: World, reward: Reward) -> list[int]:
    """Return the states that count as goals.

    Raises
    ------
    ValueError
        Where there are none.
    """
    ends = np.asarray(world.mdp.terminal)
    base = base_of(reward)
    if isinstance(base, GoalReward):
        ends = ends | np.asarray(base.ends(world.mdp))
    if ends.any():
        return np.flatnonzero(ends).tolist()
    if isinstance(base, StateReward) and not isinstance(base.values, Distribution):
        positive = np.flatnonzero(np.asarray(base.values) > 0)
        if positive.size:
            return positive.tolist()
    raise ValueError(
        "'goal_reached' needs goals: terminal states, a goal reward, or a known reward with positive states; give a "
        "function instead, such as of={'at a': lambda data: (data.states == 3).any(axis=1).mean()}"
    )


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
