r"""Equivalence of planners: planners that infinite behavior does not distinguish.

For every other planner the search minimizes the divergence over its reward,

.. math:: \mathrm{gap}_k = \min_r \sum_s d(s) \sum_a \pi(a \mid s) \log \frac{\pi(a \mid s)}{\pi_{k,r}(a \mid s)},

in nats per action. If the gap is zero, no behavior in these worlds is evidence against the planner, and the Bayes
factor of two such planners stays finite for any amount of data: it tends to the ratio of the densities that the priors
of their rewards induce on policies,

.. math:: \log p_k(\pi) = \log \mathcal N(q_k; 0, I) - \sum_i \log \sigma_i(J_k B_2),

with :math:`q_k` the smallest reward (in prior standard deviations) under which planner k has this policy and
:math:`\sigma_i` the singular values of the derivative of its log-policy in the orthogonal complement of its null space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pandas as pd

from goalinf.agents import Agent
from goalinf.agents.agent import single_agent
from goalinf.agents.plannable import check_known
from goalinf.behavior.conditions import Worlds
from goalinf.behavior.fill import fill
from goalinf.checks import check_count, check_number
from goalinf.identify.agents.closest import Search
from goalinf.identify.agents.visits import long_run
from goalinf.identify.local.jacobian import PolicyJacobian, log_policy_jacobian
from goalinf.identify.policy_evaluation import check_own_ends
from goalinf.rewards import Reward, base_of, check_reward
from goalinf.types import Numbers
from goalinf.worlds import label

_ZERO = 1e-8  # nats per action; smaller gaps count as zero: the accuracy of a search


def agent_equivalence(
    world: Worlds,
    agent: Agent,
    reward: Reward,
    others: Mapping[str, Agent],
    *,
    prior: Reward | None = None,
    visits: Mapping[Any, Any] | Any = None,
    nats: float | int = 5.0,
    starts: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Compute how closely other planners, each with a reward of its own, reproduce the policy of an agent.

    Parameters
    ----------
    world : World or mapping from context to World
        World of the agent. Several worlds share the reward, and distinguish more planners.
    agent : Agent
        A known agent with one stationary policy.
    reward : Reward
        The known reward of the agent.
    others : mapping from name to Agent
        Other known agents with one stationary policy.
    prior : reward with a prior, optional
        Class and prior of the rewards of the other planners. Default: rewards of the class of `reward`, with standard
        normal entries.
    visits : float (S,) or mapping from context to float (S,), optional
        Weights of the decisions in each state; only shares matter. Default: long-run frequencies, with a new episode
        after each end, and equal weights of the worlds.
    nats : float
        Evidence against a planner that defines ``choices``.
    starts : int
        Number of starts of the search: the prior mean, and draws from the prior.
    seed : int
        Seed of these draws.

    Returns
    -------
    DataFrame
        One row per planner: ``gap``, nats per action, the minimum of local searches from several starts; ``share``, the
        gap relative to the gap of the uniform policy; ``choices``, number of actions with expected evidence ``nats``
        (infinite for gap zero); ``dimension``, number of identified directions of the reward of the planner;
        ``log_bayes_factor`` of the planner over `agent` after infinite data, nats: negative infinity for a positive
        gap, and missing for gap zero if the two planners have different dimensions, if the rewards of one policy do not
        form an affine space, or if a prior is not normal; ``meaning``.

    Raises
    ------
    ValueError
        If an agent or the reward holds a prior, if a planner has no stationary policy, if the reward ends the episode
        by itself, or if the prior has no finite variance.

    References
    ----------
    Armstrong and Mindermann (2018) for the problem; Cao, Cohen and Szpruch (2021) for the rewards of one policy.

    Examples
    --------
    In one world with state rewards, a planner with hard maximum is not distinguished from the planner with soft
    maximum; a planner with lapses is distinguished by thousands of actions:

    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> others = {"hard": gi.agents.boltzmann(beta=2.0), "lapsing": gi.agents.soft_optimal(beta=2.0, lapse=0.1)}
    >>> table = gi.identify.agent_equivalence(hall, gi.agents.soft_optimal(beta=2.0), reward, others)
    >>> table["choices"].round(-3).to_dict()
    {'hard': inf, 'lapsing': 4000.0}
    """
    _check_arguments(agent, reward, others, prior)
    check_count("starts", starts)
    check_count("seed", seed, 0)
    nats = check_number("nats", nats, 0.0, np.inf, "a number of at least 0")
    if prior is None:
        prior = fill(agent, reward, {f"reward.{name}": dist.Normal(0.0, 1.0) for name in base_of(reward).parameters})[1]
    target = log_policy_jacobian(world, agent, reward)
    for context_world in world.values() if isinstance(world, Mapping) else (world,):
        check_own_ends(context_world, reward)
    weights = long_run(world, target) if visits is None else _shares(world, visits, target)
    search = Search.of(world, prior, target, weights)
    rng = np.random.default_rng(seed)
    initial_guesses = [np.zeros(search.size), *rng.standard_normal((starts - 1, search.size))]
    table = _closest_rewards(search, target, agent, others, initial_guesses)
    table.insert(2, "choices", np.where(table["gap"] < _ZERO, np.inf, nats / table["gap"].clip(lower=_ZERO)))
    table["meaning"] = [_meaning(row, agent.name, nats) for row in table.itertuples()]
    return table


def _check_arguments(agent: Agent, reward: Reward, others: Mapping[str, Agent], prior: Reward | None) -> None:
    """Refuse arguments that cannot be compared."""
    check_reward("reward", reward)
    if not isinstance(others, Mapping) or not others:
        raise TypeError(f"others is {others!r}; expected a mapping such as {{'hard': gi.agents.boltzmann(beta=2.0)}}")
    for name, planner in {"agent": agent, **others}.items():
        if single_agent(repr(name) if planner is not agent else "agent", planner).horizon is not None:
            raise ValueError(
                f"{planner.name} has a horizon, and these policies are stationary: use gi.agents.lookahead(depth=…)"
            )
    check_known(agent, reward)
    if prior is not None and type(base_of(prior)) is not type(base_of(reward)):
        kinds = (type(base_of(record)).__name__ for record in (prior, reward))
        raise ValueError("prior is a {} and reward a {}; expected rewards of one class".format(*kinds))


def _closest_rewards(
    search: Search, target: PolicyJacobian, agent: Agent, others: Mapping[str, Agent], initial_guesses: list[np.ndarray]
) -> pd.DataFrame:
    """Find the closest reward of every planner; each search starts at every initial guess."""
    starts = len(initial_guesses)
    uniform = search.divergence(target.rows / np.maximum(target.rows.sum(2, keepdims=True), 1))
    gap, z = search.closest(agent, initial_guesses)
    if not np.isfinite(gap):
        raise ValueError(
            f"planning of {agent.name} failed for all tried rewards, draws from the prior: an undiscounted world "
            "needs a prior with a sufficient cost per step; otherwise use a discount below 1"
        )
    target_density = search.density(agent, z)
    rows = []
    for planner in others.values():
        gap, z = search.closest(planner, initial_guesses)
        if not np.isfinite(gap):
            rows.append((np.nan, np.nan, 0, np.nan))
            continue
        if gap < _ZERO:
            # The reward of an equivalent planner is a good initial guess for the next planner.
            initial_guesses = [*initial_guesses[:starts], z]
        density = search.density(planner, z)
        comparable = (
            density.dimension == target_density.dimension and density.plane and target_density.plane and search.normal
        )
        log_factor = density.log_density - target_density.log_density if comparable else np.nan
        share = gap / uniform if uniform > 0 else np.nan
        rows.append((gap, share, density.dimension, log_factor if gap < _ZERO else -np.inf))
    columns = ["gap", "share", "dimension", "log_bayes_factor"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(others), name="planner"))


def _shares(world: Worlds, visits: Numbers | Mapping[Any, Numbers] | None, target: PolicyJacobian) -> np.ndarray:
    """Return visits by context and state with sum one."""
    worlds = world if isinstance(world, Mapping) else {None: world}
    counts = visits if isinstance(world, Mapping) else {None: visits}
    if not isinstance(counts, Mapping) or set(counts) != set(worlds):
        raise ValueError(
            f"visits is {visits!r}; expected numbers for each of the worlds {', '.join(map(label, worlds))}"
        )
    shares = np.zeros(target.rows.shape[:2])
    for row, (name, context_world) in zip(shares, worlds.items(), strict=True):
        array = np.asarray(counts[name])
        if array.shape != (context_world.n_states,) or array.dtype.kind not in "iuf" or not (array >= 0).all():
            raise ValueError(
                f"visits have shape {array.shape} and type {array.dtype}; expected a number for each of "
                f"{context_world.n_states} states, none negative"
            )
        row[: context_world.n_states] = array
    shares = shares * target.rows.any(2)
    if not 0 < shares.sum() < np.inf:
        raise ValueError("visits are zero in all states with decisions; expected at least one positive number there")
    return shares / shares.sum()


def _meaning(row: Any, name: str, nats: float) -> str:
    if np.isnan(row.gap):
        return "planning failed for all tried rewards"
    if np.isfinite(row.choices):
        return f"about {row.choices:,.0f} actions give {nats:g} nats of evidence against it"
    if np.isfinite(row.log_bayes_factor):
        factor = f"log Bayes factor {row.log_bayes_factor:+.2f} nats, from the priors alone"
        return f"not distinguished from {name} in these worlds; {factor}"
    return f"not distinguished from {name} in these worlds"
