"""Kinds of experiments: demonstrations and preference queries."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from scipy.special import expit, log_expit

from goalinf.agents import Agent
from goalinf.agents.agent import single_agent
from goalinf.agents.plannable import check_known
from goalinf.behavior import sample_trajectories
from goalinf.checks import check_count, check_kind, check_number, takes_key
from goalinf.data import Trajectories
from goalinf.data.matching.fitting import check_numbers
from goalinf.identify.candidates import log_likelihood, policies_of
from goalinf.identify.local.jacobian import TOLERANCE, log_policy_jacobian
from goalinf.identify.policy_evaluation import collected
from goalinf.rewards import Reward
from goalinf.rewards.base import parameter_of
from goalinf.types import PRNGKey
from goalinf.worlds import World, label


@dataclasses.dataclass(frozen=True, eq=False)
class Demonstrations:
    """Demonstrations of an agent in a world.

    Parameters
    ----------
    world : World
        World of the demonstrations: the world of the data so far, or another one.
    agent : Agent
        The demonstrator, without priors. Another discount or another demonstrator is another experiment.
    trajectories, steps : int
        Number of trajectories, and largest number of decision steps in each.
    starts : state, optional
        Initial state of all trajectories; default: the initial distribution of the world.
    """

    world: World
    agent: Agent
    trajectories: int = 1
    steps: int = 20
    starts: Any = None

    def __post_init__(self) -> None:
        check_kind("world", self.world, World, "a World, such as gi.gridworld makes")
        single_agent("agent", self.agent)
        for name in ("trajectories", "steps"):
            check_count(name, getattr(self, name))
        check_known(self.agent)
        if self.starts is not None:
            self.world.index(self.starts)

    @takes_key
    def outcomes(self, key: PRNGKey, rewards: Sequence[Reward], data_sets: int) -> tuple[np.ndarray, np.ndarray]:
        """Simulate data sets: log-likelihood ``(D, K)`` of every candidate, and weight ``(D,)`` of each data set.

        D is at least ``data_sets``, with equally many data sets of every candidate; with more candidates than
        ``data_sets``, one data set of each of ``data_sets`` candidates drawn at random.
        """
        key_reward, key_data = jax.random.split(key)
        sampled = np.asarray(jax.random.permutation(key_reward, len(rewards)))[:data_sets]
        copies = -(-data_sets // len(sampled))
        data = sample_trajectories(
            key_data,
            self.world,
            self.agent,
            {number: rewards[k] for number, k in enumerate(sampled.tolist())},
            trajectories=copies * self.trajectories,
            steps=self.steps,
            starts=self.starts,
            precision="float64",
        )
        log_likelihoods = log_likelihood(policies_of(self.world, self.agent, rewards), data, copies * len(sampled))
        return log_likelihoods, np.full(len(log_likelihoods), 1.0 / len(log_likelihoods))

    def rows(self, reward: Reward, names: Sequence[str]) -> np.ndarray:
        """Return derivatives of the log-policy in parameters of the reward ``(R, P)``, in units of their tolerance."""
        jacobian = log_policy_jacobian(self.world, self.agent, reward, wrt=names)
        return jacobian.matrix() / jacobian.tolerance

    def fisher(self, reward: Reward, names: Sequence[str]) -> np.ndarray:
        """Compute the expected Fisher information about parameters of the reward ``(P, P)``, at a reward."""
        jacobian = log_policy_jacobian(self.world, self.agent, reward, wrt=names)
        mdp, rows = self.world.mdp, jacobian.rows[0]
        transitions = mdp.dense()
        occupancy = np.asarray(mdp.initial, float)
        if self.starts is not None:
            occupancy = np.zeros(self.world.n_states)
            occupancy[self.world.index(self.starts)] = 1.0
        visits = np.zeros((self.steps, self.world.n_states))
        for step in range(self.steps):
            policy = jacobian.policy[0] if jacobian.policy.ndim == 3 else jacobian.policy[0, step]
            visits[step] = np.where(rows.any(1), occupancy, 0.0)
            occupancy = np.einsum("s,sa,sat->t", visits[step], np.where(rows, policy, 0.0), transitions)
        return self.trajectories * jacobian.fisher(visits.sum(0) if jacobian.policy.ndim == 3 else visits[None])


@dataclasses.dataclass(frozen=True, eq=False)
class PreferenceQuery:
    r"""Comparison of two trajectories: the first is preferred with probability :math:`1/(1 + e^{-\beta(G_1 - G_2)})`.

    :math:`G = \sum_t \gamma^t R(s_t, a_t, s_{t+1})` is the return of a trajectory (Bradley and Terry 1952).

    Parameters
    ----------
    world : World
        Transitions and discount.
    walks : Trajectories
        The two trajectories.
    beta : float
        Inverse temperature of the answer, in 1/utility, at least 0.
    """

    world: World
    walks: Trajectories
    beta: float | int = 1.0

    def __post_init__(self) -> None:
        check_kind("world", self.world, World, "a World, such as gi.gridworld makes")
        check_kind("walks", self.walks, Trajectories, "two trajectories in one gi.Trajectories")
        if self.walks.n_trajectories != 2:
            raise ValueError(f"walks holds {self.walks.n_trajectories} trajectories; expected two to compare")
        check_number("beta", self.beta, 0.0, np.inf, "a number of at least 0")
        check_numbers(self.walks, [self.world])
        self._transitions()

    @takes_key
    def outcomes(self, key: PRNGKey, rewards: Sequence[Reward], data_sets: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-likelihood ``(2, K)`` of both answers under every candidate, and their exact probabilities."""
        differences = float(self.beta) * np.array([self._difference(reward) for reward in rewards])
        log_probs = log_expit(np.stack([differences, -differences]))
        return log_probs, np.exp(log_probs).mean(axis=1)

    def rows(self, reward: Reward, names: Sequence[str]) -> np.ndarray:
        """Return the derivative of the difference of returns ``(1, P)``, in units of its tolerance."""
        return self._slope(reward, names)[None] / TOLERANCE

    def fisher(self, reward: Reward, names: Sequence[str]) -> np.ndarray:
        """Compute the expected Fisher information about parameters of the reward ``(P, P)``, at a reward."""
        slope = float(self.beta) * self._slope(reward, names)
        probability = expit(float(self.beta) * self._difference(reward))
        return probability * (1.0 - probability) * np.outer(slope, slope)

    def _slope(self, reward: Reward, names: Sequence[str]) -> np.ndarray:
        """Return the derivative of the difference of returns in parameters in which the reward is affine, ``(P,)``."""
        slopes = []
        for name in names:
            entries = partial(parameter_of, name=name.removeprefix("reward."))
            values = np.asarray(entries(reward), float)
            units = np.eye(values.size).reshape(-1, *values.shape)
            zero = self._difference(eqx.tree_at(entries, reward, np.zeros(values.shape)))
            slopes += [self._difference(eqx.tree_at(entries, reward, unit)) - zero for unit in units]
        return np.array(slopes)

    def _transitions(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return states, actions and numbers of the successors of both trajectories."""
        mdp, transitions = self.world.mdp, []
        for number in range(2):
            length = int(self.walks.lengths[number])
            states, actions = (
                np.asarray(self.walks.states)[number, : length + 1],
                np.asarray(self.walks.actions)[number, :length],
            )
            observed = np.asarray(self.walks.observed)[number, :length] & (states[1:] >= 0)
            if not observed.all():
                raise ValueError(
                    f"trajectory {number}, step {int(observed.argmin())}: the action or its next state is missing; "
                    "expected trajectories without missing steps"
                )
            hits = np.asarray(mdp.successors)[states[:-1], actions] == states[1:, None]
            hits &= np.asarray(mdp.probabilities)[states[:-1], actions] > 0
            if (impossible := np.flatnonzero(~hits.any(1))).size:
                step = int(impossible[0])
                departure, arrival = (label(self.world.states[int(s)]) for s in states[step : step + 2])
                raise ValueError(
                    f"trajectory {number}, step {step}: in this world, the action does not lead from {departure} to "
                    f"{arrival}"
                )
            transitions.append((states[:-1], actions, hits.argmax(1)))
        return transitions

    def _difference(self, reward: Reward) -> float:
        """Return the difference of the returns of the first and the second trajectory."""
        mdp = self.world.mdp
        table = collected(mdp, reward)
        return1, return2 = (
            float(float(mdp.discount) ** np.arange(len(states)) @ table[states, actions, successors])
            for states, actions, successors in self._transitions()
        )
        return return1 - return2


Experiment = Demonstrations | PreferenceQuery
