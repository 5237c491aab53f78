"""Memory of agents that learn the values of options: a rule, and the last action."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from goalinf.agents.memory.experience import Experience
from goalinf.agents.memory.memory_agent import MemoryProcess, after_noise, scanned
from goalinf.agents.memory.value_tables import entry_of, is_number, row_of
from goalinf.agents.parts.noise import Noise
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import Learned, Memory, Row, Step
from goalinf.planning.parameters import Parameter
from goalinf.rewards import LinearReward, Reward
from goalinf.worlds import MDP

_Content = tuple[Any, Array]
_Seen = tuple[Array, Array]
_Signal = tuple[Array, Array]
Mask = Bool[Array, "S A N"]
_NONE = -1  # number of the last action before the first one


class LearningRule(eqx.Module):
    """Change of the values of options by an outcome; abstract. Parameters have one number, or one per trajectory."""

    @abc.abstractmethod
    def start(self, shape: tuple[int, int, int], dtype: Any) -> Any:
        """Return what is known of the options before the first outcome, arrays ``(S, A, N)``."""

    @abc.abstractmethod
    def utility(self, content: Any) -> Array:
        """Return the values by which options are chosen, ``(S, A, N)``."""

    @abc.abstractmethod
    def expected(self, content: Any) -> Array:
        """Return the outcomes that are expected of the options, ``(S, A, N)``, from which outcomes deviate."""

    @abc.abstractmethod
    def update(self, content: Any, chosen: Mask, known: Mask, utility: Array) -> Any:
        """Return what is known after a choice.

        ``chosen`` marks the chosen option, ``known`` the options whose outcome was seen, with ``utility`` (A, N).
        """


class OptionMemory(Memory[_Content, _Seen, _Signal]):
    """Memory of a learner of options: what its rule knows of them, and the last action."""

    experience: Experience
    rule: LearningRule
    beta: Any
    persistence: Any
    noise: Noise
    by_state: bool = eqx.field(static=True)

    def start(self, n_states: int, n_actions: int, count: int, dtype: Any) -> _Content:
        """Return what is known before the first choice."""
        shape = (n_states if self.by_state else 1, n_actions, count)
        return self.rule.start(shape, dtype), jnp.full(count, _NONE)

    def read(self, memory: _Content, state: Int[Array, " N"]) -> _Seen:
        """Return the values of the actions in a state, and the last action."""
        content, last = memory
        values = self.rule.utility(content)
        return row_of(values, state) if self.by_state else values[0], last

    def adjust(self, seen: _Seen, row: Row) -> Row:
        """Return log-probabilities of the recorded actions by their learned values."""
        values, last = seen
        repeats = is_number(values.shape[-2], last)
        utility = self.beta * values + self.persistence * repeats
        return after_noise(self.noise, jax.nn.log_softmax(row + utility, axis=-2))

    def signals(self, steps: Step) -> _Signal:
        """Return the utilities of all outcomes (…, A, N), and where they are known."""
        if self.experience.recorded is not None:
            utility = self.experience.utilities(steps)
        else:
            chosen = is_number(self.experience.reward.shape[-2], steps.action)
            utility = jnp.where(chosen, self.experience.reward_of(steps)[..., None, :], jnp.nan)
        known = ~jnp.isnan(utility)  # an infinite utility is no missing outcome
        return jnp.where(known, utility, 0.0), known

    def update(self, memory: _Content, step: Step, signal: _Signal) -> _Content:
        """Return what is known after one more choice; a missing action changes nothing."""
        (content, last), (utility, known) = memory, signal
        n_actions = utility.shape[-2]
        n_states = len(jax.tree.leaves(content)[0])
        here = is_number(n_states, step.state)[:, None] if self.by_state else jnp.ones((1, 1, 1), bool)
        chosen = is_number(n_actions, step.action)
        changed = self.rule.update(content, chosen & here, known & here, utility)
        content = jax.tree.map(lambda new, old: jnp.where(step.observed, new, old), changed, content)
        return content, jnp.where(step.observed, step.action, last)

    def seen(self, start: _Content, steps: Step) -> _Seen:
        """Return the values of the actions, and the last action, at every step."""
        return scanned(self.update, self.read, start, steps, self.signals(steps))

    def learned(self, start: _Content, steps: Step) -> Learned:
        """Return the expected outcomes, and the utility of the outcome minus the expected one."""

        def expected(memory: _Content, state: Array) -> Array:
            values = self.rule.expected(memory[0])
            return row_of(values, state) if self.by_state else values[0]

        signals = self.signals(steps)
        values = scanned(self.update, expected, start, steps, signals)
        utility, known = signals
        outcome = entry_of(jnp.where(known, utility, jnp.nan), steps.action)
        return Learned(values, jnp.where(steps.observed, outcome - entry_of(values, steps.action), jnp.nan))


class OptionLearning(MemoryProcess):
    """Parameters of a learner of options; abstract."""

    @abc.abstractmethod
    def settings(self) -> tuple[LearningRule, Parameter, bool]:
        """Return the rule, the persistence, and True where every state has its own values."""

    def confounded(self, reward: Reward, *, ends: bool) -> dict[str, str]:
        """Return beta, for which a scaled reward compensates."""
        if ends or reward.recorded or isinstance(reward, LinearReward):
            return {}
        return {"beta": "behavior identifies only beta times the reward"}

    def memory(self, agent: PlanningAgent, mdp: MDP, reward: Reward) -> OptionMemory:
        """Return the memory before the first choice."""
        *numbers, by_state = self.settings()
        rule, persistence, beta = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), (*numbers, agent.beta))
        return OptionMemory(Experience.of(mdp, reward), rule, beta, persistence, agent.noise, by_state)
