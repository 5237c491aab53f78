"""Planners and rewards that explain a policy as well as the ones that are meant: Armstrong and Mindermann's pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from goalinf.agents import Agent, Negated, PlanningAgent, lookahead, solve, uniform
from goalinf.behavior import Behavior
from goalinf.checks import check_kind, check_number
from goalinf.data import Trajectories
from goalinf.identify.distance.canonical import canonical
from goalinf.identify.policy_evaluation import over
from goalinf.rewards import ActionReward, Reward, StateReward, check_reward, negated
from goalinf.worlds import World


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pair:
    """A planner and a reward that make a policy together.

    Parameters
    ----------
    name : str
        Which one.
    agent : Agent
        The planner.
    reward : Reward
        What it wants.
    sentence : str
        The same in words.
    """

    name: str
    agent: Agent
    reward: Reward
    sentence: str

    def __repr__(self) -> str:
        return f"Pair({self.name}: {self.sentence})"


def degenerate_pairs(world: World, agent: Agent, reward: Reward) -> tuple[Pair, ...]:
    r"""Five pairs of planner and reward with the same behavior, which no data tell apart.

    ===============  ====================================================================================
    meant            the agent and the reward, :math:`(p, R)`
    opposite         who plans for the opposite of the opposite, :math:`(-p, -R)`
    indifferent      who wants nothing and does it by habit, :math:`(p_\pi, 0)`
    greedy           who likes each choice for itself, :math:`(p_g, R_\pi)` with :math:`R_\pi = \log \pi(a \mid s)`
    greedy opposite  the opposite of that, :math:`(-p_g, -R_\pi)`
    ===============  ====================================================================================

    Their likelihood is the same for all data from this world; so are their posterior odds those of the prior. What they
    do in another world is not the same.

    Parameters
    ----------
    world : World
        Where they act.
    agent : Agent
        A known agent that acts by one stationary policy.
    reward : Reward
        A known reward: of states, choices or transitions, or linear, shaped or not.

    Returns
    -------
    tuple of Pair

    Raises
    ------
    ValueError
        Where the agent acts by no such policy, never makes some choice, or the reward has no opposite.

    References
    ----------
    Armstrong and Mindermann (2018), "Occam's razor is insufficient to infer the preferences of irrational agents",
    lemma 6 and proposition 8; there the policy makes one choice in every state, and :math:`R_\pi` is 1 for it.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> pairs = gi.identify.degenerate_pairs(hall, gi.agents.boltzmann(beta=2.0), wants)
    >>> [round(float(one.agent.policy(hall, one.reward).sel(state="s", action="right")), 4) for one in pairs]
    [0.6275, 0.6275, 0.6275, 0.6275, 0.6275]
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind("agent", agent, Agent, "an agent, such as gi.agents.soft_optimal(beta=1.0)")
    check_reward("reward", reward)
    if not agent.one_policy or agent.horizon is not None:
        raise ValueError(
            f"{agent.name} does not act by one stationary policy, and these pairs have one: ask about the agent "
            "without hidden modes, history or horizon, such as gi.agents.boltzmann(beta=…)"
        )
    opposite = negated(reward)
    logs = solve(agent, world, reward).log_probs
    offered = np.asarray(world.mdp.available & ~over(world, reward)[:, None])
    if (never := np.argwhere(offered & ~np.isfinite(logs))).size:
        state, action = never[0]
        raise ValueError(
            f"{agent.name} never makes choice {action} in state {world.states[state]!r}; expected an agent that makes "
            "every choice now and then, such as one with a finite beta"
        )
    liking = ActionReward(np.where(offered, logs, 0.0))
    habit = np.where(offered, np.exp(logs), np.asarray(world.mdp.available, float))
    turned = agent.with_planning(_against(agent.planning))
    indifferent = uniform(default=habit / habit.sum(1, keepdims=True))
    greedy = lookahead(depth=1, beta=1.0)
    against = greedy.with_planning(_against(greedy.planning))
    return (
        Pair("meant", agent, reward, f"{agent.name}, with the reward"),
        Pair("opposite", turned, opposite, f"{agent.name} that plans for the opposite, with the opposite reward"),
        Pair("indifferent", indifferent, StateReward.zero(world), "wants nothing, and follows the policy by habit"),
        Pair("greedy", greedy, liking, "looks one step ahead and likes every choice for itself"),
        Pair("greedy opposite", against, negated(liking), "the opposite of the greedy planner and of what it likes"),
    )


def _against(planning: PlanningAgent) -> PlanningAgent:
    """Agent that plans for the opposite of its reward."""
    return dataclasses.replace(planning, planner=Negated(planning.planner))


def score_pairs(
    world: World, pairs: Sequence[Pair], data: Trajectories, *, precision: float | int = 0.01
) -> pd.DataFrame:
    r"""Log-likelihood of every pair, how many nats it is behind the first, and how many bits it takes to say it.

    Simplicity does not help: the bits of a pair are those of the numbers that its agent holds and of its reward (in
    canonical form, :func:`goalinf.identify.distance.starc`), rounded to a precision, each number n by Elias' code of
    :math:`2 \lfloor \log_2 m \rfloor + 1` bits with m = 1 + 2|n| or 2|n|, by its sign; and one bit more for planning
    the opposite. The names of planners are taken for equally long.

    Parameters
    ----------
    world : World
        Where the data come from.
    pairs : sequence of Pair
        From :func:`degenerate_pairs`, or your own.
    data : Trajectories
        What was done.
    precision : float
        Of the numbers, in their own units; above 0.

    Returns
    -------
    DataFrame
        One row per pair: ``log_likelihood`` and ``difference`` (nats), ``bits``, ``meaning``.

    References
    ----------
    Armstrong and Mindermann (2018), propositions 7 and 8; Elias (1975) for the code.
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind("pairs", pairs, Sequence, "pairs such as gi.identify.degenerate_pairs makes")
    for number, pair in enumerate(pairs):
        check_kind(f"pair {number}", pair, Pair, "one such as gi.identify.degenerate_pairs makes")
    check_kind("data", data, Trajectories, "trajectories; read a table with gi.read_trajectories")
    if not check_number("precision", precision, 0.0, np.inf, "a number above 0") > 0:
        raise ValueError(f"precision is {precision!r}; expected a number above 0")
    logs = [float(Behavior(world, pair.agent, pair.reward).log_prob(data)) for pair in pairs]
    rows = {
        "log_likelihood": logs,
        "difference": [one - logs[0] for one in logs],
        "bits": [_bits(world, pair, float(precision)) for pair in pairs],
        "meaning": [p.sentence for p in pairs],
    }
    return pd.DataFrame(rows, index=pd.Index([pair.name for pair in pairs], name="pair"))


def _bits(world: World, pair: Pair, precision: float) -> int:
    """Length of the description of a pair."""
    numbers = [np.ravel(value) for value in pair.agent.parameters.values() if value is not None]
    rounded = np.rint(np.concatenate([*numbers, canonical(world, pair.reward)]) / precision).astype(np.int64)
    positive = np.where(rounded > 0, 2 * rounded, 1 - 2 * rounded)
    return int((2 * np.floor(np.log2(positive)) + 1).sum()) + isinstance(pair.agent.planning.planner, Negated)
