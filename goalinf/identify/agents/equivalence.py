r"""Which other planners could have done the same: what infinite behavior cannot say about who planned it.

For every other planner the reward is sought with which it comes closest,

.. math:: \mathrm{gap}_k = \min_r \sum_s d(s) \sum_a \pi(a \mid s) \log \frac{\pi(a \mid s)}{\pi_{k,r}(a \mid s)},

in nats per choice. Where it is zero no behavior in these worlds speaks against the planner, and the Bayes factor of two
such planners stays finite however much is observed: it tends to the ratio of the densities that the priors of their
rewards induce on policies,

.. math:: \log p_k(\pi) = \log \mathcal N(q_k; 0, I) - \sum_i \log \sigma_i(J_k B_2),

with :math:`q_k` the smallest reward (in prior standard deviations) under which planner k has this policy and
:math:`\sigma_i` the singular values of the derivative of its log-policy at right angles to what it does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pandas as pd

from goalinf.agents import Agent
from goalinf.agents.agent import check_known
from goalinf.behavior.conditions import Worlds
from goalinf.checks import check_count, check_kind, check_number
from goalinf.identify.agents.closest import Search
from goalinf.identify.agents.visits import long_run
from goalinf.identify.local.jacobian import Jacobian, log_policy_jacobian
from goalinf.identify.policy_evaluation import check_own_ends
from goalinf.inference.model.priors import fill
from goalinf.rewards import Reward, base_of, check_reward
from goalinf.worlds import label

_ZERO = 1e-8  # nats per choice; a smaller gap is none: a search ends within so much of the best


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
    r"""Which other planners, each with a reward of its own, act like this one; and how many choices tell them apart.

    Parameters
    ----------
    world : World or mapping from context to World
        Where is acted. Several worlds share the reward, and test more.
    agent : Agent
        Who acts: known, with one stationary policy.
    reward : Reward
        What they want: known.
    others : mapping from name to Agent
        Who might have acted instead: known, with one stationary policy.
    prior : reward with a prior, optional
        Among which rewards the others' are sought, and how probable they are beforehand. Default: rewards of the same
        class as `reward`, with standard normal entries.
    visits : float (S,) or mapping from context to float (S,), optional
        How often choices are made in each state; only shares matter. Default: in the long run, episodes beginning anew
        where they end, and all worlds alike.
    nats : float
        How much the data have to speak against a planner, for ``choices``.
    starts : int
        The search begins from so many rewards: the middle of the prior, and draws from it.
    seed : int
        Of these draws.

    Returns
    -------
    DataFrame
        One row per planner: ``gap``, nats per choice, the smallest that a local search found from several starts;
        ``share``, the gap over that of someone who chooses evenly;
        ``choices``, how many are needed for so many nats (infinite where the gap is zero); ``dimension``, how many
        directions of the planner's reward show; ``log_bayes_factor``, of the planner over `agent` after infinite data,
        nats, negative infinity where the gap is not zero, and missing where it is but the planners show different
        numbers of directions, the rewards of one policy do not lie in a plane, or a prior is not normal; ``meaning``.

    Raises
    ------
    ValueError
        Where something is not known, a planner has no stationary policy, the reward ends the episode by itself, or the
        prior has no finite variance.

    References
    ----------
    Armstrong and Mindermann (2018) for the problem; Cao, Cohen and Szpruch (2021) for the rewards of one policy.

    Examples
    --------
    In one world of state rewards, someone who maximizes is not told from someone who takes the soft maximum, and
    someone who lapses now and then is, by thousands of choices:

    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> others = {"hard": gi.agents.boltzmann(beta=2.0), "lapsing": gi.agents.soft_optimal(beta=2.0, lapse=0.1)}
    >>> table = gi.identify.agent_equivalence(hall, gi.agents.soft_optimal(beta=2.0), wants, others)
    >>> table["choices"].round(-3).to_dict()
    {'hard': inf, 'lapsing': 4000.0}
    """
    check_kind("agent", agent, Agent, "an agent, such as gi.agents.soft_optimal(beta=1.0)")
    check_reward("reward", reward)
    if not isinstance(others, Mapping) or not others:
        raise TypeError(f"others is {others!r}; expected a mapping such as {{'hard': gi.agents.boltzmann(beta=2.0)}}")
    for name, one in {"agent": agent, **others}.items():
        check_kind(
            repr(name) if one is not agent else "agent", one, Agent, "an agent, such as gi.agents.boltzmann(beta=1.0)"
        )
        if one.horizon is not None:
            raise ValueError(
                f"{one.name} has a horizon, and these policies are stationary: use gi.agents.lookahead(depth=…)"
            )
    check_count("starts", starts)
    check_count("seed", seed, 0)
    nats = check_number("nats", nats, 0.0, np.inf, "a number of at least 0")
    check_known(agent, reward)
    if prior is not None and type(base_of(prior)) is not type(base_of(reward)):
        kinds = (type(base_of(one)).__name__ for one in (prior, reward))
        raise ValueError("prior is a {} and reward a {}; expected rewards of one kind".format(*kinds))
    if prior is None:
        prior = fill(agent, reward, {f"reward.{name}": dist.Normal(0.0, 1.0) for name in base_of(reward).parameters})[1]
    target = log_policy_jacobian(world, agent, reward)
    for place in world.values() if isinstance(world, Mapping) else (world,):
        check_own_ends(place, reward)
    search = Search.of(
        world, prior, target, long_run(world, target) if visits is None else _shares(world, visits, target)
    )
    rng = np.random.default_rng(seed)
    begin = [np.zeros(search.size), *rng.standard_normal((starts - 1, search.size))]
    uniform = search.divergence(target.rows / np.maximum(target.rows.sum(2, keepdims=True), 1))
    gap, z = search.closest(agent, begin)
    if not np.isfinite(gap):
        raise ValueError(
            f"{agent.name} could not be planned for with any of the rewards that were tried, draws from the prior: an "
            "undiscounted world needs a prior under which steps cost enough, or use a discount below 1"
        )
    own = search.density(agent, z)
    rows = []
    for one in others.values():
        gap, z = search.closest(one, begin)
        if not np.isfinite(gap):
            rows.append((np.nan, np.nan, 0, np.nan))
            continue
        if gap < _ZERO:
            # Where planners are exchanged for rewards, that of one is a good place to look for that of the next.
            begin = [*begin[:starts], z]
        found = search.density(one, z)
        same = found.dimension == own.dimension and found.plane and own.plane and search.normal
        known = found.log_density - own.log_density if same else np.nan
        share = gap / uniform if uniform > 0 else np.nan
        rows.append((gap, share, found.dimension, known if gap < _ZERO else -np.inf))
    table = pd.DataFrame(rows, columns=["gap", "share", "dimension", "log_bayes_factor"], index=pd.Index(list(others)))
    table.insert(2, "choices", np.where(table["gap"] < _ZERO, np.inf, nats / table["gap"].clip(lower=_ZERO)))
    table["meaning"] = [_meaning(row, agent.name, nats) for row in table.itertuples()]
    return table.rename_axis("planner")


def _shares(world: Worlds, visits: Any, target: Jacobian) -> np.ndarray:
    """Visits by context and state, adding up to one."""
    worlds = world if isinstance(world, Mapping) else {None: world}
    given = visits if isinstance(world, Mapping) else {None: visits}
    if not isinstance(given, Mapping) or set(given) != set(worlds):
        raise ValueError(
            f"visits is {visits!r}; expected numbers for each of the worlds {', '.join(map(label, worlds))}"
        )
    shares = np.zeros(target.rows.shape[:2])
    for row, (name, one) in zip(shares, worlds.items(), strict=True):
        array = np.asarray(given[name])
        if array.shape != (one.n_states,) or array.dtype.kind not in "iuf" or not (array >= 0).all():
            raise ValueError(
                f"visits have shape {array.shape} and type {array.dtype}; expected a number for each of {one.n_states} "
                "states, none negative"
            )
        row[: one.n_states] = array
    shares = shares * target.rows.any(2)
    if not 0 < shares.sum() < np.inf:
        raise ValueError("visits are zero wherever a choice is made; expected at least one state with a choice")
    return shares / shares.sum()


def _meaning(row: Any, name: str, nats: float) -> str:
    if np.isnan(row.gap):
        return "it could not be planned for, with none of the rewards that were tried"
    if np.isfinite(row.choices):
        return f"about {row.choices:,.0f} choices speak against it by {nats:g} nats"
    if np.isfinite(row.log_bayes_factor):
        return f"nothing here tells it from {name}; priors alone give it {row.log_bayes_factor:+.2f} nats"
    return f"nothing here tells it from {name}"
