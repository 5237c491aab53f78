"""Degenerate pairs of planner and reward with the policy of a given pair (Armstrong and Mindermann 2018)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from goalinf.agents import Agent, Negated, PlanningAgent, lookahead, solve, uniform
from goalinf.agents.agent import SingleAgent, single_agent
from goalinf.behavior import Behavior
from goalinf.checks import check_kind, check_number
from goalinf.data import Trajectories
from goalinf.identify.distance.canonical import canonical
from goalinf.identify.policy_evaluation import without_decisions
from goalinf.rewards import ActionReward, Reward, StateReward, check_reward, negated
from goalinf.worlds import World


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pair:
    """A planner and a reward with a policy.

    Parameters
    ----------
    name : str
        Name of the pair.
    agent : SingleAgent
        The planner.
    reward : Reward
        The reward.
    sentence : str
        Explanation in words.
    """

    name: str
    agent: SingleAgent
    reward: Reward
    sentence: str

    def __repr__(self) -> str:
        return f"Pair({self.name}: {self.sentence})"


def degenerate_pairs(world: World, agent: Agent, reward: Reward) -> tuple[Pair, ...]:
    r"""Construct five pairs of planner and reward with the same policy, which no data from this world distinguish.

    ===============  ====================================================================================
    meant            the given agent and reward, :math:`(p, R)`
    opposite         planner of the negated reward, with the reward negated, :math:`(-p, -R)`
    indifferent      reward-independent policy, with zero reward, :math:`(p_\pi, 0)`
    greedy           one-step lookahead, :math:`(p_g, R_\pi)` with :math:`R_\pi = \log \pi(a \mid s)`
    greedy opposite  the greedy pair with both parts negated, :math:`(-p_g, -R_\pi)`
    ===============  ====================================================================================

    Their likelihoods are equal for all data from this world, so that their posterior odds equal their prior odds. Their
    policies in another world differ.

    Parameters
    ----------
    world : World
        World of the agent.
    agent : Agent
        A known agent with one stationary policy.
    reward : Reward
        A known reward: of states, actions or transitions, or linear, shaped or not.

    Returns
    -------
    tuple of Pair

    Raises
    ------
    ValueError
        If the agent has no such policy, if it gives an available action probability 0, or if the reward cannot be
        negated.

    References
    ----------
    Armstrong and Mindermann (2018), "Occam's razor is insufficient to infer the preferences of irrational agents",
    lemma 6 and proposition 8; there the policy is deterministic, and :math:`R_\pi` is 1 for its action.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> pairs = gi.identify.degenerate_pairs(hall, gi.agents.boltzmann(beta=2.0), reward)
    >>> [round(float(one.agent.policy(hall, one.reward).sel(state="s", action="right")), 4) for one in pairs]
    [0.6275, 0.6275, 0.6275, 0.6275, 0.6275]
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    agent = single_agent("agent", agent)
    check_reward("reward", reward)
    if not agent.one_policy or agent.horizon is not None:
        raise ValueError(
            f"{agent.name} does not act by one stationary policy, and these pairs have one: give an agent without "
            "hidden modes, memory or horizon, such as gi.agents.boltzmann(beta=…)"
        )
    opposite = negated(reward)
    logs = solve(agent, world, reward).log_probs
    available = np.asarray(world.mdp.available & ~without_decisions(world, reward)[:, None])
    if (excluded := np.argwhere(available & ~np.isfinite(logs))).size:
        state, action = excluded[0]
        raise ValueError(
            f"{agent.name} gives action {action} in state {world.states[state]!r} probability 0; expected positive "
            "probabilities of all available actions, such as with a finite beta"
        )
    log_reward = ActionReward(np.where(available, logs, 0.0))
    habits = np.where(available, np.exp(logs), np.asarray(world.mdp.available, float))
    flipped = agent.with_planning(_negated_planner(agent.planning))
    indifferent = uniform(default=habits / habits.sum(1, keepdims=True))
    greedy = lookahead(depth=1, beta=1.0)
    negated_greedy = greedy.with_planning(_negated_planner(greedy.planning))
    return (
        Pair("meant", agent, reward, f"{agent.name} with the given reward"),
        Pair("opposite", flipped, opposite, f"{agent.name} that plans for the negated reward, with the reward negated"),
        Pair("indifferent", indifferent, StateReward.zero(world), "reward-independent policy, with zero reward"),
        Pair("greedy", greedy, log_reward, "one-step lookahead, with the log-probability of each action as its reward"),
        Pair("greedy opposite", negated_greedy, negated(log_reward), "the greedy planner and its reward, both negated"),
    )


def _negated_planner(planning: PlanningAgent) -> PlanningAgent:
    """Return the agent that plans for the negative of its reward."""
    return dataclasses.replace(planning, planner=Negated(planning.planner))


def score_pairs(
    world: World, pairs: Sequence[Pair], data: Trajectories, *, precision: float | int = 0.01
) -> pd.DataFrame:
    r"""Compute log-likelihood and description length of pairs of planner and reward.

    Description lengths do not single out one of the degenerate pairs. The bits of a pair are those of the parameters of
    its agent and of its canonical reward (:func:`goalinf.identify.distance.starc`), rounded to a precision, each number
    n by Elias' code of :math:`2 \lfloor \log_2 m \rfloor + 1` bits with m = 1 + 2|n| or 2|n|, by its sign; and one
    additional bit for a planner of the negated reward. The names of planners count as equally long.

    Parameters
    ----------
    world : World
        World of the data.
    pairs : sequence of Pair
        Pairs from :func:`degenerate_pairs`, or others.
    data : Trajectories
        The trajectories.
    precision : float
        Rounding unit of the numbers, in their own units; above 0.

    Returns
    -------
    DataFrame
        One row per pair: ``log_likelihood`` and its ``difference`` from the first pair (nats), ``bits``, ``meaning``.

    References
    ----------
    Armstrong and Mindermann (2018), propositions 7 and 8; Elias (1975) for the code.
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind("pairs", pairs, Sequence, "a sequence of pairs, such as gi.identify.degenerate_pairs returns")
    for number, pair in enumerate(pairs):
        check_kind(f"pair {number}", pair, Pair, "a pair, such as gi.identify.degenerate_pairs returns")
    check_kind("data", data, Trajectories, "trajectories; read a table with gi.read_trajectories")
    if not check_number("precision", precision, 0.0, np.inf, "a number above 0") > 0:
        raise ValueError(f"precision is {precision!r}; expected a number above 0")
    log_likelihoods = [float(Behavior(world, pair.agent, pair.reward).log_prob(data)) for pair in pairs]
    rows = {
        "log_likelihood": log_likelihoods,
        "difference": [log_likelihood - log_likelihoods[0] for log_likelihood in log_likelihoods],
        "bits": [_bits(world, pair, float(precision)) for pair in pairs],
        "meaning": [p.sentence for p in pairs],
    }
    return pd.DataFrame(rows, index=pd.Index([pair.name for pair in pairs], name="pair"))


def _bits(world: World, pair: Pair, precision: float) -> int:
    """Return the description length of a pair, bits."""
    numbers = [np.ravel(value) for value in pair.agent.parameters.values() if value is not None]
    rounded = np.rint(np.concatenate([*numbers, canonical(world, pair.reward)]) / precision).astype(np.int64)
    positive = np.where(rounded > 0, 2 * rounded, 1 - 2 * rounded)
    return int((2 * np.floor(np.log2(positive)) + 1).sum()) + isinstance(pair.agent.planning.planner, Negated)
