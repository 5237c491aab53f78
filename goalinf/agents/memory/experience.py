"""Rewards of a world as learners receive them, and the planner of agents that do not plan."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpyro.distributions import Distribution

from goalinf.agents.memory.value_tables import entry_of
from goalinf.agents.parts.planners import Planner
from goalinf.agents.policy import Step, Tables
from goalinf.planning.bellman import Problem
from goalinf.planning.facts import INVARIANCES, REGULAR, Facts
from goalinf.planning.solution import Plan
from goalinf.precision import cast
from goalinf.rewards import RecordedReward, Reward, ended, pinned
from goalinf.types import Numeric
from goalinf.worlds import MDP

LEARNS = Facts(breaks=INVARIANCES, onto=True, saturated=False, learns=True, scales=False)
SCALES = dataclasses.replace(LEARNS, scales=True)  # a scaled reward scales all values that start at zero
_MOST = 100_000  # entries of a table of rewards by state, action and next state


def start_at_zero(*values: Any) -> bool:
    """Return True where numbers are known to be zero: they are neither priors nor traced."""
    unknown = (Distribution, jax.core.Tracer)
    return not any(isinstance(value, unknown) or np.any(value) for value in values)


class Experience(Tables):
    """Rewards of a world, by step; all tables have a leading axis of plans where there are several.

    Parameters
    ----------
    reward, probability : float (S, A, K)
        Reward and probability of every outcome.
    successors : int (S, A, K)
        State of every outcome.
    available : bool (S, A)
        Available actions.
    fixed : bool (S,)
        States with a fixed value, which is not learned: ended states and dead ends.
    values : float (S,)
        Fixed values, in utility; zero elsewhere.
    recorded : RecordedReward, optional
        Utility of recorded outcomes, in place of the rewards of the world.
    plan : int (N,), optional
        Number of the plan of every trajectory.
    """

    reward: Float[Array, "*P S A K"]
    probability: Float[Array, "*P S A K"]
    successors: Int[Array, "*P S A K"]
    available: Bool[Array, "*P S A"]
    fixed: Bool[Array, "*P S"]
    values: Float[Array, "*P S"]
    recorded: RecordedReward | None = None
    plan: Int[Array, " N"] | None = None

    @classmethod
    def of(cls, mdp: MDP, reward: Reward) -> Experience:
        """Return the rewards of this world under this reward."""
        mdp, reward = cast((mdp, reward))
        rewards = jnp.broadcast_to(reward(mdp), mdp.probabilities.shape)
        dead_ends, value = pinned(reward, mdp)
        fixed = ended(reward, mdp) | dead_ends
        values = jnp.where(dead_ends, value, jnp.zeros(()))
        tables = (rewards, mdp.probabilities, mdp.successors, mdp.available, fixed, values)
        recorded = reward if isinstance(reward, RecordedReward) else None
        return cls(*jax.tree.map(jnp.asarray, (*tables, recorded)))

    def of_trajectories(self, plan: Int[Array, " N"]) -> Experience:
        """Return the same tables with the number of the plan of every trajectory."""
        several = len(self.reward) > 1
        recorded = jax.tree.map(lambda leaf: leaf[plan] if several else leaf[0], self.recorded)
        return dataclasses.replace(self, plan=plan, recorded=recorded)

    def utilities(self, steps: Step) -> Array:
        """Return the utility of the recorded outcomes of all actions ``(…, A, N)``; NaN where unknown.

        Raises
        ------
        ValueError
            Where the data hold no outcomes.
        """
        assert self.recorded is not None
        if steps.outcomes is None:
            raise ValueError(
                "the reward is recorded with the data (gi.RecordedReward), and these data hold no outcomes: name their "
                "column, gi.read_trajectories(outcome=…), or give gi.Trajectories.of(outcomes=…)"
            )
        return self.recorded.utility(steps.outcomes)

    def reward_of(self, steps: Step) -> Array:
        """Return the reward of each step: the expected reward over the outcomes with the observed next state.

        Recorded rewards are NaN where the outcome of the action is unknown.
        """
        if self.recorded is not None:
            return entry_of(self.utilities(steps), steps.action)
        n_plans, n_states, n_actions, n_outcomes = self.reward.shape
        if n_outcomes == 1:
            return self.reward[self._at(steps.state, steps.action, 0)]
        if n_states * self.reward[0].size <= _MOST:
            cell = (*np.ogrid[:n_plans, :n_states, :n_actions, :n_outcomes][:3], self.successors)
            zeros = jnp.zeros((n_plans, n_states, n_actions, n_states), self.reward.dtype)
            total = zeros.at[cell].add(self.probability)
            mean = zeros.at[cell].add(self.probability * self.reward) / jnp.where(total > 0, total, 1.0)
            table = jnp.where(total > 0, mean, self.reward.mean(axis=-1, keepdims=True))
            return table[self._at(steps.state, steps.action, steps.following)]
        at = self._at(steps.state, steps.action)
        weight = jnp.where(self.successors[at] == steps.following[..., None], self.probability[at], 0.0)
        total = weight.sum(axis=-1)
        mean = (weight * self.reward[at]).sum(axis=-1) / jnp.where(total > 0, total, 1.0)
        return jnp.where(total > 0, mean, self.reward[at].mean(axis=-1))

    def following(self, steps: Step) -> tuple[Array, Array, Array]:
        """Return the available actions ``(…, A, N)`` of the next states, and where these have which fixed value."""
        at = self._at(steps.following)
        return self.available[at].swapaxes(-1, -2), self.fixed[at], self.values[at]

    def by_trajectory(self, table: Array) -> Array:
        """Return a table ``(P, …)`` with a last axis of trajectories, of size 1 where all have the same plan."""
        return jnp.moveaxis(table if len(table) == 1 else table[self.plan], 0, -1)

    def _at(self, *numbers: Array | int) -> tuple[Any, ...]:
        return (self.plan if len(self.reward) > 1 else 0, *numbers)


class NoPlanning(Planner):
    """Planner with values of zero, for agents that learn their values."""

    endless: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    facts: ClassVar[Facts] = REGULAR

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Return values of zero."""
        zeros = jnp.zeros_like(cast(problem).reward)
        return Plan(zeros, zeros[0], zeros[0, 0])
