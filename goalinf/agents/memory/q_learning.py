"""Q-learning: a table of values, updated by the rewards of a trajectory."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Int

from goalinf.agents.memory.experience import LEARNS, SCALES, Experience, start_at_zero
from goalinf.agents.memory.memory_agent import MemoryProcess, after_noise, scanned, scanned_steps
from goalinf.agents.memory.value_tables import entry_of, moved, row_of
from goalinf.agents.parts.noise import Noise
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import Learned, Memory, Row, Step
from goalinf.planning.bellman import highest
from goalinf.planning.facts import Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Ranges, discount_prior
from goalinf.rewards import LinearReward, Reward
from goalinf.worlds import MDP

_Signal = tuple[Array, tuple[Array, Array, Array]]


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
        return SCALES if start_at_zero(self.initial) else LEARNS

    def confounded(self, reward: Reward, *, ends: bool) -> dict[str, str]:
        """Return beta and the initial values, for which a scaled or shifted reward compensates."""
        if ends or reward.recorded or isinstance(reward, LinearReward):
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


class LearnedValues(Memory[Array, Array, _Signal]):
    """Table of the values of a Q-learner as a memory; see :class:`QLearning`."""

    experience: Experience
    learning_rate: Any
    discount: Any
    initial: Any
    beta: Any
    noise: Noise

    def start(self, n_states: int, n_actions: int, count: int, dtype: Any) -> Array:
        """Return the initial values."""
        return jnp.full((n_states, n_actions, count), self.initial, dtype)

    def read(self, memory: Array, state: Int[Array, " N"]) -> Array:
        """Return the values of the actions in a state."""
        return row_of(memory, state)

    def adjust(self, seen: Array, row: Row) -> Row:
        """Return log-probabilities of the recorded actions by their learned values."""
        return after_noise(self.noise, jax.nn.log_softmax(row + self.beta * seen, axis=-2))

    def signals(self, steps: Step) -> _Signal:
        """Return the rewards of the steps, and what is known of the next states."""
        return self.experience.reward_of(steps), self.experience.following(steps)

    def update(self, memory: Array, step: Step, signal: _Signal) -> Array:
        """Return the table after one more step."""
        known = ~jnp.isnan(signal[0])
        rate = jnp.where(step.observed & known, self.learning_rate, 0.0)
        return moved(memory, step.state, step.action, rate, self._target(memory, step, signal))

    def _target(self, memory: Array, step: Step, signal: _Signal) -> Array:
        """Return the reward plus the discounted value of the next state; an unknown reward counts as zero."""
        reward, (available, fixed, value) = signal
        best = jnp.where(fixed, value, highest(jnp.where(available, row_of(memory, step.following), -jnp.inf)))
        return jnp.where(jnp.isnan(reward), 0.0, reward) + self.discount * best

    def learned(self, start: Array, steps: Step) -> Learned:
        """Return the values of the actions, and the temporal-difference errors."""

        def read(memory: Array, step: Step, signal: _Signal) -> tuple[Array, Array]:
            row = row_of(memory, step.state)
            return row, self._target(memory, step, signal) - entry_of(row, step.action)

        signals = self.signals(steps)
        values, error = scanned_steps(self.update, read, start, steps, signals)
        return Learned(values, jnp.where(steps.observed & ~jnp.isnan(signals[0]), error, jnp.nan))

    def seen(self, start: Array, steps: Step) -> Array:
        """Return the values of the actions at every step."""
        return scanned(self.update, self.read, start, steps, self.signals(steps))
