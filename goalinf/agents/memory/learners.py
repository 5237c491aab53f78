"""Model-free learners: a table of values, updated by the rewards of a trajectory.

A missing action (not recorded, or a missed response) leaves the table unchanged.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float, Int
from numpyro.distributions import Distribution

from goalinf.agents.memory.memory_agent import MemoryProcess, after_noise
from goalinf.agents.parts.noise import Noise
from goalinf.agents.parts.planners import Planner
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import Memory, Row, Step
from goalinf.checks import check_count
from goalinf.planning.bellman import Problem, highest
from goalinf.planning.facts import INVARIANCES, REGULAR, Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Ranges, discount_prior
from goalinf.planning.solution import Plan
from goalinf.precision import cast
from goalinf.rewards import LinearReward, Reward, ended, pinned
from goalinf.types import Numeric
from goalinf.worlds import MDP, World, label

LEARNS = Facts(breaks=INVARIANCES, onto=True, saturated=False, learns=True)
_Three = tuple[Array, Array, Array]
_UNSEEN = -1  # number of a first-stage action that was not observed: it matches no cell of the table


class Experience(eqx.Module):
    """Rewards of a world, by step.

    Parameters
    ----------
    reward, probability : float (S, A, K)
        Reward and probability of every outcome.
    successors : int (S, A, K)
        State of every outcome.
    available : bool (S, A)
        Available actions.
    given : bool (S,)
        States with a fixed value, which is not learned: ended states and dead ends.
    values : float (S,)
        Fixed values, in utility; zero elsewhere.
    """

    reward: Float[Array, "S A K"]
    probability: Float[Array, "S A K"]
    successors: Int[Array, "S A K"]
    available: Bool[Array, "S A"]
    fixed: Bool[Array, " S"]
    values: Float[Array, " S"]

    @classmethod
    def of(cls, mdp: MDP, reward: Reward) -> Experience:
        """Return the rewards of this world under this reward."""
        mdp, reward = cast((mdp, reward))
        rewards = jnp.broadcast_to(reward(mdp), mdp.probabilities.shape)
        dead_ends, value = pinned(reward, mdp)
        fixed = ended(reward, mdp) | dead_ends
        arrays = (mdp.probabilities, mdp.successors, mdp.available, fixed, jnp.where(dead_ends, value, jnp.zeros(())))
        return cls(rewards, *map(jnp.asarray, arrays))

    def reward_of(self, steps: Step) -> Array:
        """Return the reward of each step: the expected reward over the outcomes with the observed next state."""
        cell = steps.state, steps.action
        is_successor = self.successors[cell] == steps.following[..., None]
        weight = jnp.where(is_successor, self.probability[cell], 0.0)
        total = weight.sum(axis=-1)
        mean = (weight * self.reward[cell]).sum(axis=-1) / jnp.where(total > 0, total, 1.0)
        return jnp.where(total > 0, mean, self.reward[cell].mean(axis=-1))

    def best(self, row: Array, state: Array) -> Any:
        """Return the largest action value in a state; the fixed value where the state has one."""
        offered = jnp.where(self.available[state], row, -jnp.inf)
        return jnp.where(self.fixed[state], self.values[state], highest(offered[:, None])[0])


class NoPlanning(Planner):
    """Planner with values of zero, for agents that learn their values."""

    endless: ClassVar[bool] = False
    facts: ClassVar[Facts] = REGULAR

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Return values of zero."""
        zeros = jnp.zeros_like(cast(problem).reward)
        return Plan(zeros, zeros[0], zeros[0, 0])


class QLearning(MemoryProcess):
    r"""Q-learning: values are updated by the temporal-difference error (Watkins 1989).

    .. math:: \pi_t = \mathrm{softmax}_a(\beta\,Q_t(s_t, a)),\quad
        Q(s,a) \leftarrow Q(s,a) + \alpha\,[R + \gamma \max_b Q(s',b) - Q(s,a)]

    The updates follow a trajectory; all values start at ``initial``.

    Parameters
    ----------
    learning_rate : float or Distribution
        :math:`\alpha`, in [0, 1].
    discount : float or Distribution, optional
        :math:`\gamma`. None: the discount factor of the world.
    initial : float or Distribution
        Initial value of every state and action, in utility.
    """

    learning_rate: Parameter
    discount: Parameter | None = None
    initial: Parameter = 0.0
    parameters: ClassVar[Ranges] = {"learning_rate": SHARE, "discount": SHARE, "initial": (-INFINITY, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {
        "learning_rate": lambda: dist.Beta(2.0, 2.0),
        "discount": discount_prior,
        "initial": lambda: dist.Normal(0.0, 1.0),
    }

    @property
    def facts(self) -> Facts:
        """Facts of a learner; beta and the reward are confounded only where the initial values are zero."""
        known = not isinstance(self.initial, (Distribution, jax.core.Tracer)) and not np.any(self.initial)
        return dataclasses.replace(LEARNS, scales=known)

    def confounded(self, reward: Reward, *, ends: bool) -> dict[str, str]:
        """Return beta and the initial values, for which a scaled or shifted reward compensates."""
        if ends or isinstance(reward, LinearReward):
            return {}
        return {
            "beta": "behavior identifies only beta times the reward",
            "initial": "adding c to every reward and c / (1 - discount) to it changes no action probability",
        }

    def memory(self, agent: PlanningAgent, mdp: MDP, reward: Reward) -> LearnedValues:
        """Return the table of values before the first step."""
        discount = mdp.discount if self.discount is None else self.discount
        rate, discount, initial, beta = (
            jnp.asarray(x, float) for x in (self.learning_rate, discount, self.initial, agent.beta)
        )
        return LearnedValues(Experience.of(mdp, reward), rate, discount, initial, beta, agent.noise)


class LearnedValues(Memory[Array, Array, Array]):
    """Table of the values of a Q-learner as a memory; see :class:`QLearning`."""

    experience: Experience
    learning_rate: Any
    discount: Any
    initial: Any
    beta: Any
    noise: Noise

    def start(self, log_probs: Float[Array, "*T S A"]) -> Array:
        """Return the initial values."""
        return jnp.full(log_probs.shape[-2:], self.initial, log_probs.dtype)

    def read(self, memory: Array, state: Int[Array, ""]) -> Array:
        """Return the values of the actions in a state."""
        return memory[state]

    def adjust(self, seen: Array, row: Row) -> Row:
        """Return log-probabilities of the recorded actions by their learned values."""
        return after_noise(self.noise, jax.nn.log_softmax(row + self.beta * seen))

    def signals(self, steps: Step) -> Array:
        """Return the rewards of the steps."""
        return self.experience.reward_of(steps)

    def update(self, memory: Array, step: Step, signal: Array) -> Array:
        """Return the table after one more step."""
        cell = step.state, step.action
        target = signal + self.discount * self.experience.best(memory[step.following], step.following)
        rate = jnp.where(step.observed, self.learning_rate, 0.0)
        return memory.at[cell].add(rate * (target - memory[cell]))


class TwoStep(MemoryProcess):
    r"""Hybrid of model-based and model-free learning in the two-step task (Daw et al. 2011).

    In the first state the action follows a softmax of :math:`\beta_1\,[w\,Q_{MB} + (1 - w)\,Q_{MF} +
    p\,\mathrm{rep}]`, in a second-stage state a softmax of :math:`\beta_2\,Q_2`, where :math:`Q_{MB}(a) = \sum_{s'}
    P(s' \mid a) \max_b Q_2(s', b)` and rep indicates the last first-stage action. After the reward R of a trial, both
    with :math:`Q_2` before the update,

    .. math:: Q_{MF}(a) &\leftarrow Q_{MF}(a) + \alpha_1\,[Q_2 - Q_{MF}(a)] + \alpha_1 \lambda\,[R - Q_2]\\
        Q_2 &\leftarrow Q_2 + \alpha_2\,[R - Q_2]

    Parameters
    ----------
    learning_rate_1, learning_rate_2 : float or Distribution
        :math:`\alpha_1` and :math:`\alpha_2`, in [0, 1].
    beta_1, beta_2 : float or Distribution
        Inverse temperatures of both stages, at least 0.
    eligibility : float or Distribution
        :math:`\lambda`, in [0, 1]: weight of the second-stage prediction error in the first-stage update.
    repetition : float or Distribution
        p, in utility: bonus of repeating the last first-stage action.
    model_based : float or Distribution
        w, in [0, 1]. 0: model-free; 1: model-based.
    first : int (static)
        Number of the first state; the second-stage states are its successors.
    """

    learning_rate_1: Parameter
    learning_rate_2: Parameter
    beta_1: Parameter
    beta_2: Parameter
    eligibility: Parameter
    repetition: Parameter
    model_based: Parameter
    first: int = eqx.field(static=True, default=0)
    facts: ClassVar[Facts] = dataclasses.replace(LEARNS, scales=False)
    parameters: ClassVar[Ranges] = {
        "learning_rate_1": SHARE,
        "learning_rate_2": SHARE,
        "beta_1": (0.0, INFINITY),
        "beta_2": (0.0, INFINITY),
        "eligibility": SHARE,
        "repetition": (-INFINITY, INFINITY),
        "model_based": SHARE,
    }
    default_priors: ClassVar[DefaultPriors] = {
        "learning_rate_1": lambda: dist.Beta(2.0, 2.0),
        "learning_rate_2": lambda: dist.Beta(2.0, 2.0),
        "beta_1": lambda: dist.LogNormal(1.0986122886681098, 0.7),
        "beta_2": lambda: dist.LogNormal(1.0986122886681098, 0.7),
        "eligibility": lambda: dist.Beta(1.0, 1.0),
        "repetition": lambda: dist.Normal(0.0, 1.0),
        "model_based": lambda: dist.Beta(1.0, 1.0),
    }

    def __check_init__(self) -> None:
        check_count("first, the number of the first state,", self.first, least=0)

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a first state in which no trial can begin."""
        if self.first >= world.n_states:
            raise ValueError(f"first is {self.first}; expected the number of a state, below {world.n_states}")
        if ended(reward, world.mdp)[self.first]:
            raise ValueError(
                f"first is {self.first}, state {label(world.states[self.first])}, where the episode has ended: give "
                "the number of the state in which trials begin"
            )

    def memory(self, agent: PlanningAgent, mdp: MDP, reward: Reward) -> Trials:
        """Return the memory before the first trial."""
        numbers = {name: jnp.asarray(getattr(self, name), float) for name in self.parameters}
        return Trials(experience=Experience.of(mdp, reward), noise=agent.noise, first=self.first, **numbers)


class Trials(Memory[_Three, _Three, _Three]):
    """Memory of a :class:`TwoStep` agent: table, first-stage action of this trial, last observed one."""

    experience: Experience
    learning_rate_1: Any
    learning_rate_2: Any
    beta_1: Any
    beta_2: Any
    eligibility: Any
    repetition: Any
    model_based: Any
    noise: Noise
    first: int = eqx.field(static=True)

    def start(self, log_probs: Float[Array, "*T S A"]) -> _Three:
        """Return a memory of zero values and no action."""
        n_states, n_actions = log_probs.shape[-2:]
        table, repeated = jnp.zeros((n_states, n_actions), log_probs.dtype), jnp.zeros(n_actions, log_probs.dtype)
        return table, jnp.asarray(_UNSEEN), repeated

    def read(self, memory: _Three, state: Int[Array, ""]) -> _Three:
        """Return the state, the whole table, which is small in this task, and the last first-stage action."""
        values, _, repeated = memory
        return state, values, repeated

    def adjust(self, seen: _Three, row: Row) -> Row:
        """Return log-probabilities of the recorded actions by their learned values."""
        state, values, repeated = seen
        world = self.experience
        best = jax.vmap(world.best)(values, jnp.arange(len(values)))
        planned = (world.probability[self.first] * best[world.successors[self.first]]).sum(axis=-1)
        mixed = self.model_based * planned + (1.0 - self.model_based) * values[self.first]
        first = self.beta_1 * (mixed + self.repetition * repeated)
        utility = jnp.where(state == self.first, first, self.beta_2 * values[state])
        return after_noise(self.noise, jax.nn.log_softmax(row + utility))

    def signals(self, steps: Step) -> _Three:
        """Return the rewards, an indicator of the first step of a trial, and an indicator of a second-stage action."""
        world, begins = self.experience, steps.state == self.first
        follows = (world.successors[self.first] == steps.state[..., None, None]) & (world.probability[self.first] > 0)
        return world.reward_of(steps), begins, steps.observed & ~begins & follows.any(axis=(-2, -1))

    def update(self, memory: _Three, step: Step, signal: _Three) -> _Three:
        """Return the content of the memory after one more step."""
        (values, chosen, repeated), (reward, begins, second) = memory, signal
        # Both updates use the value of the second-stage action before the update.
        at_first, at_second = _cell(values, self.first, chosen), _cell(values, step.state, step.action)
        expected = (values * at_second).sum()
        before = expected - (values * at_first).sum()
        rate_1, rate_2 = (jnp.where(second, rate, 0.0) for rate in (self.learning_rate_1, self.learning_rate_2))
        surprise = reward - expected
        first_learned = at_first * rate_1 * (before + self.eligibility * surprise)
        return (
            values + first_learned + at_second * rate_2 * surprise,
            jnp.where(begins, jnp.where(step.observed, step.action, _UNSEEN), chosen),
            jnp.where(begins & step.observed, jnp.arange(len(repeated)) == step.action, repeated),
        )


def _cell(table: Array, row: Array | int, column: Array | int) -> Any:
    """Return an indicator of one cell of a small table: faster than an index that differs between trajectories."""
    rows, columns = map(jnp.arange, table.shape)
    return ((rows == row)[:, None] & (columns == column)).astype(table.dtype)
