"""Habits: frequent actions become more probable."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Int

from goalinf.agents.memory.memory_agent import MemoryProcess, after_noise, scanned
from goalinf.agents.memory.value_tables import is_number, row_of
from goalinf.agents.parts.noise import Noise
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import Memory, Row, Step
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Ranges
from goalinf.rewards import Reward
from goalinf.worlds import MDP


class ChoiceKernel(MemoryProcess):
    r"""Choice kernel: an average of past actions; perseveration is the case of a rate of 1.

    .. math:: \pi_t(a) \propto \pi(a \mid s_t)\,e^{\kappa K_t(a)},\quad
        K_{t+1} = K_t + \eta\,(\mathbb 1[a = a_t] - K_t),\quad K_0 = 0

    A missing action (not recorded, or a missed response) leaves the kernel unchanged.

    Parameters
    ----------
    persistence : float or Distribution
        :math:`\kappa`, in nats. Below zero: alternation.
    habit_rate : float or Distribution
        :math:`\eta`, in [0, 1]. 1: the kernel is the last action.
    by_state : bool
        True where every state has its own kernel.
    """

    persistence: Parameter
    habit_rate: Parameter
    by_state: bool = eqx.field(static=True, default=False)
    facts: ClassVar[Facts] = REGULAR
    parameters: ClassVar[Ranges] = {"persistence": (-INFINITY, INFINITY), "habit_rate": SHARE}
    default_priors: ClassVar[DefaultPriors] = {
        "persistence": lambda: dist.Normal(0.0, 1.0),
        "habit_rate": lambda: dist.Beta(2.0, 2.0),
    }

    def memory(self, agent: PlanningAgent, mdp: MDP, reward: Reward) -> Habits:
        """Return the choice kernel before the first step."""
        return Habits(jnp.asarray(self.persistence), jnp.asarray(self.habit_rate), agent.noise, self.by_state)


class Habits(Memory[Array, Array, tuple[()]]):
    """Choice kernel as a memory, of one state or of every state; see :class:`ChoiceKernel`."""

    persistence: Any
    habit_rate: Any
    noise: Noise
    by_state: bool = eqx.field(static=True)

    def start(self, n_states: int, n_actions: int, count: int, dtype: Any) -> Array:
        """Return a kernel of zeros."""
        return jnp.zeros((n_states if self.by_state else 1, n_actions, count), dtype)

    def read(self, memory: Array, state: Int[Array, " N"]) -> Array:
        """Return the kernel of the state."""
        return row_of(memory, state) if self.by_state else memory[0]

    def adjust(self, seen: Array, row: Row) -> Row:
        """Return log-probabilities of the recorded actions in a state, given log-probabilities without habits."""
        return after_noise(self.noise, jax.nn.log_softmax(row + self.persistence * seen, axis=-2))

    def signals(self, steps: Step) -> tuple[()]:
        """Return no signals."""
        return ()

    def update(self, memory: Array, step: Step, signal: tuple[()]) -> Array:
        """Return the kernel after one more action."""
        rate = jnp.where(step.observed, self.habit_rate, 0.0)
        chosen = is_number(memory.shape[-2], step.action)
        if not self.by_state:
            return memory + rate * (chosen - memory)
        here = is_number(len(memory), step.state)[:, None]
        return memory + jnp.where(here, rate * (chosen - memory), 0.0)

    def seen(self, start: Array, steps: Step) -> Array:
        """Return the kernel that applied to the action of every step."""
        return scanned(self.update, self.read, start, steps, self.signals(steps))
