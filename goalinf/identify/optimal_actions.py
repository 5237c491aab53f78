"""Optimal actions under a reward, and the set of rewards with the same optimal actions."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from goalinf.agents import Agent, Policy, boltzmann, solve
from goalinf.checks import check_kind, takes_key
from goalinf.identify.distance.canonical import TRIVIAL, canonical
from goalinf.identify.policy_evaluation import check_own_ends, expected_rewards, without_decisions
from goalinf.precision import computing_in
from goalinf.rewards import ActionReward, Reward, TransitionReward
from goalinf.types import PRNGKey
from goalinf.worlds import World

_TIE = 1e-9  # actions whose values differ by less count as equal, for a reward of norm one


def optimal_actions(world: World, reward: Reward, agent: Agent | None = None) -> np.ndarray:
    """Return the optimal actions in states that are not terminal, with ties: bool ``(S, A)``.

    Parameters
    ----------
    world : World
        World of the agent.
    reward : Reward
        A known reward.
    agent : Agent, optional
        Agent whose most probable actions are returned; default: an agent with optimal values.
    """
    agent, live = boltzmann(beta=1.0) if agent is None else agent, ~without_decisions(world, reward)
    if np.array_equal(~live, world.mdp.terminal):
        # Canonical and of norm one, so that neither scale nor shaping affects the tolerance of ties.
        expected, rows, _ = expected_rewards(world, reward)
        canonical_reward = canonical(world, reward)
        size = np.linalg.norm(canonical_reward)
        if size <= TRIVIAL * np.linalg.norm(expected):
            return rows
        table = np.zeros(rows.shape)
        table[rows] = canonical_reward / size
        reward = ActionReward(table)
    policy = solve(agent, world, reward)
    return most_probable(policy) & live[:, None]


def most_probable(policy: Policy) -> np.ndarray:
    """Mark the most probable actions up to rounding, ``(…, S, A)``; for boltzmann(1) and rewards of norm one."""
    tie = _TIE * np.maximum(1.0, np.abs(policy.values).max(axis=-1))[..., None, None]
    return np.asarray(policy.log_probs >= policy.log_probs.max(axis=-1, keepdims=True) - tie)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OptimalityPreserving:
    r"""Set of rewards with the same optimal actions: the rewards that the set of all optimal policies leaves possible.

    .. math:: r(s, a) = \Psi(s) - \gamma \sum_t P(t \mid s, a)\,\Psi(t) - A(s, a),\quad
        A = 0 \text{ for optimal actions},\ A > 0 \text{ for the others}

    Parameters
    ----------
    world : World
        Transitions and discount.
    optimal : bool (S, A)
        The optimal actions.
    """

    world: World
    optimal: np.ndarray

    @classmethod
    def of(cls, world: World, reward: Reward) -> OptimalityPreserving:
        """Build from a known reward."""
        check_kind("world", world, World, "a World, such as gi.gridworld makes")
        check_own_ends(world, reward)
        return cls(world, optimal_actions(world, reward))

    def contains(self, reward: Reward) -> bool:
        """Return True where a reward has exactly these optimal actions."""
        return bool(np.array_equal(optimal_actions(self.world, reward), self.optimal))

    @takes_key
    def draw(self, key: PRNGKey, *, size: float | int = 1.0) -> TransitionReward:
        """Draw one reward: potentials from a normal and losses from an exponential distribution of the given size.

        Parameters
        ----------
        key : int or jax.random key
            A seed, or a source of randomness, which is consumed.
        size : float
            Scale of both distributions, in utility.
        """
        mdp, live = self.world.mdp, np.asarray(~self.world.mdp.terminal)
        with computing_in("float64"):
            key_values, key_losses = jax.random.split(key)
            values = float(size) * np.asarray(jax.random.normal(key_values, (self.world.n_states,)), float) * live
            losses = float(size) * np.asarray(jax.random.exponential(key_losses, self.optimal.shape), float)
        table = values[:, None, None] - float(mdp.discount) * values[np.asarray(mdp.successors)]
        return TransitionReward(table - np.where(self.optimal, 0.0, losses)[..., None])
