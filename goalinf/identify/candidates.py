"""Finitely many candidate rewards: likelihoods of data, and optimal policies for mixtures of rewards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array
from scipy import sparse
from scipy.sparse import linalg as splinalg

from goalinf.agents import Agent, Policy, boltzmann
from goalinf.agents.agent import single_agent
from goalinf.agents.plannable import check_known, check_plannable, check_solved
from goalinf.behavior import Behavior, score_steps
from goalinf.data import Trajectories
from goalinf.identify.distance.canonical import TRIVIAL, canonical_rewards
from goalinf.identify.distance.regret import check_range
from goalinf.identify.optimal_actions import most_probable
from goalinf.identify.policy_evaluation import check_own_ends, expected_rewards, shapings
from goalinf.precision import cast, computing_in
from goalinf.rewards import ActionReward, Reward
from goalinf.worlds import MDP, World

_BATCH = 64  # rewards per call of a compiled planner


@dataclasses.dataclass(frozen=True, eq=False)
class CandidateRewards:
    """Candidate rewards in one world, as canonical rewards of the possible actions.

    A canonical reward is linear in the reward: the canonical reward of a mean is the mean of the canonical rewards.

    Parameters
    ----------
    world : World
        World of the agent.
    rows : bool (S, A)
        The R possible state-action pairs.
    canonical : float (K, R)
        Canonical rewards.
    expected : float (K, R)
        Expected rewards.
    """

    world: World
    rows: np.ndarray
    canonical: np.ndarray
    expected: np.ndarray

    @classmethod
    def of(cls, world: World, rewards: Sequence[Reward]) -> CandidateRewards:
        """Build from known rewards.

        Raises
        ------
        ValueError
            If a reward ends the episode by itself, or if no best or no worst policy exists.
        """
        for reward in rewards:
            check_known(reward)
            check_own_ends(world, reward)
        check_range(world, rewards[0])
        evaluated = [expected_rewards(world, reward) for reward in rewards]
        expected, rows = np.stack([reward_vector for reward_vector, *_ in evaluated]), evaluated[0][1]
        return cls(world, rows, canonical_rewards(world, rows, expected), expected)

    def combined(self, weights: np.ndarray) -> CandidateRewards:
        """Return linear combinations ``(B, K)`` of the candidates as new candidates."""
        return CandidateRewards(self.world, self.rows, weights @ self.canonical, weights @ self.expected)

    @property
    def units(self) -> np.ndarray:
        """Canonical candidates of norm one, ``(K, R)``; zero where all policies have the same return."""
        lengths = np.linalg.norm(self.canonical, axis=1, keepdims=True)
        nontrivial = lengths > TRIVIAL * np.linalg.norm(self.expected, axis=1, keepdims=True)
        return np.where(nontrivial, self.canonical / np.where(nontrivial, lengths, 1.0), 0.0)

    def directions(self, weights: np.ndarray) -> np.ndarray:
        """Return weighted means of the candidates, normalized to norm one, ``(B, R)``."""
        return self.combined(weights).units

    def greedy(self, rewards: np.ndarray) -> np.ndarray:
        """Compute optimal policies for rewards ``(B, R)``, uniform over ties: ``(B, S, A)``."""
        tables = np.zeros((len(rewards) + -len(rewards) % _BATCH, *self.rows.shape))
        tables[: len(rewards), self.rows] = rewards
        with computing_in("float64"):
            parts = [
                jax.device_get(_plan_tables(*cast((self.world.mdp, tables[start : start + _BATCH]))))
                for start in range(0, len(tables), _BATCH)
            ]
        solution = jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(rewards)], *parts)
        check_solved(solution.residual, solution.values, "float64", boltzmann(beta=1.0), [self.world])
        optimal = most_probable(solution) & self.rows
        return optimal / np.maximum(optimal.sum(axis=2, keepdims=True), 1)

    def returns(self, policies: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        """Compute the expected return of every policy ``(B, S, A)`` under its reward ``(B, R)``, ``(B,)``."""
        acting, states = self.rows.any(axis=1), np.nonzero(self.rows)[0]
        shaping = shapings(self.world, self.rows)[:, acting]
        state_number = np.cumsum(acting)[states] - 1  # of the state of every action, among states that are not terminal
        size, starts = int(acting.sum()), np.asarray(self.world.mdp.initial)[acting]
        expected_returns = np.empty(len(policies))
        for first in range(0, len(policies), _BATCH):
            block = slice(first, first + _BATCH)
            probabilities, batch = policies[block][:, self.rows], rewards[block]
            # One block per policy: the mean advantage over its actions is zero, which gives its values.
            rows = (size * np.arange(len(probabilities))[:, None] + state_number).ravel()
            shape = (size * len(probabilities), rows.size)
            mean = sparse.csr_array((probabilities.ravel(), (rows, np.arange(rows.size))), shape=shape)
            system = mean @ sparse.block_diag([shaping] * len(probabilities), format="csr")
            values = splinalg.splu(system.tocsc()).solve(mean @ batch.ravel())
            expected_returns[block] = values.reshape(len(probabilities), size) @ starts
        return expected_returns


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """Target world of a policy, with equally probable rewards.

    Parameters
    ----------
    candidates : CandidateRewards
        The rewards in the target world.
    now : float (K,)
        Return under each reward of the policy that is optimal for the mean reward.
    best : float (K,)
        Return under each reward of its optimal policy.
    """

    candidates: CandidateRewards
    now: np.ndarray
    best: np.ndarray

    @classmethod
    def of(cls, candidates: CandidateRewards) -> Target:
        """Build from the candidate rewards in a world."""
        count = len(candidates.canonical)
        policy = candidates.greedy(candidates.directions(np.full((1, count), 1.0 / count)))
        now = candidates.returns(np.repeat(policy, count, axis=0), candidates.expected)
        return cls(candidates, now, candidates.returns(candidates.greedy(candidates.units), candidates.expected))

    @property
    def gains(self) -> np.ndarray:
        """Value of perfect information under each reward, ``(K,)``."""
        return self.best - self.now

    def gains_of(self, posterior: np.ndarray) -> np.ndarray:
        """Compute the value of information of each posterior ``(D, K)``, ``(D,)``."""
        policies = self.candidates.greedy(self.candidates.directions(posterior))
        return self.candidates.returns(policies, posterior @ self.candidates.expected) - posterior @ self.now


@jax.jit
def _plan_tables(mdp: MDP, tables: Array) -> Policy:
    return jax.vmap(lambda table: boltzmann(beta=1.0).policies(mdp, ActionReward(table)))(tables)


def policies_of(world: World, agent: Agent, rewards: Sequence[Reward]) -> Policy:
    """Compute the policies of an agent under all candidates, with an axis of contexts ``(K, 1, …)``, and check them."""
    agent = single_agent("agent", agent)
    check_known(agent)
    for reward in rewards:
        check_plannable(agent, world, reward)
    behavior = Behavior(world, agent, dict(enumerate(rewards)))
    policies = behavior.policy
    check_solved(policies.residual, policies.values, "float64", agent, [world])
    index = behavior.conditions.number  # one reward that occurs twice is planned once
    return jax.tree.map(lambda leaf: leaf[index, None], policies)


def log_likelihood(policies: Policy, data: Trajectories, data_sets: int) -> np.ndarray:
    """Compute the log-likelihood of every candidate by data set, ``(D, K)``, from contiguous trajectories."""
    data = dataclasses.replace(data, context=np.zeros_like(data.context), labels=None, contexts=None)
    by_trajectory = np.asarray(score_steps(policies, data), float).sum(axis=-1)
    return by_trajectory.reshape(len(by_trajectory), data_sets, -1).sum(axis=-1).T
