"""Agents with a memory: action probabilities depend on the earlier steps of the trajectory."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from goalinf.agents.abstract_kinds import ProcessAgent, SingleModeAgent
from goalinf.agents.agent import Axes, SingleAgent
from goalinf.agents.parts.noise import Available, LogProbs, Noise, NoNoise
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import Memory, Policy, Row, Step
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import Part, part_of_kind
from goalinf.precision import cast
from goalinf.rewards import Reward
from goalinf.types import Numeric
from goalinf.worlds import MDP

_Content = TypeVar("_Content")
_Seen = TypeVar("_Seen")
_Signal = TypeVar("_Signal")


class MemoryProcess(Part):
    """Parameters of a memory."""

    @abc.abstractmethod
    def memory(self, agent: PlanningAgent, mdp: MDP, reward: Reward) -> Memory[Any, Any, Any]:
        """Return the memory of this agent in a world under a reward; the memory applies the noise of the agent."""


class MemoryAgent(ProcessAgent, SingleModeAgent):
    """Agent whose action probabilities are adjusted by a memory of the earlier steps of the trajectory.

    Parameters
    ----------
    agent : PlanningAgent
        The agent without a memory. Its noise is applied after the memory.
    process : MemoryProcess
        Memory, such as :class:`~goalinf.agents.ChoiceKernel` or :class:`~goalinf.agents.QLearning`.
    name : str
        Name in messages.

    Raises
    ------
    ValueError
        Where the agent is no planning agent, or two parts have a parameter of the same name.

    Examples
    --------
    >>> import goalinf as gi
    >>> from goalinf.agents import ChoiceKernel, MemoryAgent
    >>> MemoryAgent(gi.agents.boltzmann(beta=2.0), ChoiceKernel(persistence=0.5, habit_rate=1.0)).parameters
    {'beta': array(2.), 'persistence': 0.5, 'habit_rate': 1.0}
    """

    agent: PlanningAgent
    process: MemoryProcess

    def __init__(self, agent: object, process: object, name: str = "agent"):
        if not isinstance(agent, PlanningAgent):
            raise ValueError(f"agent is {agent!r}; expected a planning agent, without a memory or hidden modes")
        self.agent, self.process, self.name = agent, part_of_kind("process", process, MemoryProcess), name

    @property
    def _before_noise(self) -> PlanningAgent:
        return dataclasses.replace(self.agent, noise=Deferred(self.agent.noise))

    def with_planning(self, planning: SingleAgent) -> MemoryAgent:
        """Return an agent with this memory that contains another planning agent."""
        return MemoryAgent(planning, self.process, self.name)

    def policies(self, mdp: MDP, reward: Reward, *, initial: Numeric | None = None) -> Policy:
        """Compute the policy of the first step, with the memory."""
        policy = self._before_noise.policies(mdp, reward, initial=initial)
        return dataclasses.replace(policy, memory=self.memory(mdp, reward))

    def policies_each(self, mdp: MDP, reward: Reward, initial: Numeric | None, axes: Axes) -> Policy:
        """Compute the policies of several conditions."""
        policy = self._before_noise.policies_each(mdp, reward, initial, axes)
        return dataclasses.replace(policy, memory=jax.vmap(self.memory, axes[:2])(*cast((mdp, reward))))

    def policies_with_errors(self, mdp: MDP, reward: Reward, errors: Numeric) -> Policy:
        """Compute the policies of a plan with these errors of Q (M, A, S), in utility, with the memory."""
        policies = self._before_noise.policies_with_errors(mdp, reward, errors)
        memories = jax.vmap(lambda _: self.memory(mdp, reward))(errors)
        return dataclasses.replace(policies, memory=memories)

    def idle(self, mdp: MDP, reward: Reward, default: ArrayLike | None) -> Any:
        """Return log-probabilities of a default policy, before memory and noise."""
        return self._before_noise.idle(mdp, reward, default)

    def recorded(self, log_probs: LogProbs, available: Available) -> Any:
        """Return the log-probabilities unchanged: noise is applied after the memory."""
        return log_probs

    def memory(self, mdp: MDP, reward: Reward) -> Memory[Any, Any, Any]:
        """Return the memory in a world under a reward."""
        return jax.tree.map(jnp.asarray, self.process.memory(self.agent, mdp, reward))

    def alternative(self, mdp: MDP, reward: Reward) -> Policy | None:
        """Compute the policy of the first step from another start of the search."""
        return self._before_noise.alternative(mdp, reward)


class Deferred(Noise):
    """Noise that is applied later, after a memory; planners foresee its slips as usual.

    Parameters
    ----------
    noise : Noise
        The noise that is applied later.
    """

    noise: Noise
    facts: ClassVar[Facts] = REGULAR

    @property
    def numpy(self) -> bool:
        """True: nothing is computed."""
        return True

    @property
    def slip_probability(self) -> Any:
        """Probability of a slip of the noise."""
        return self.noise.slip_probability

    @property
    def hides_slips(self) -> bool:
        """True where the noise hides slips."""
        return self.noise.hides_slips

    def __call__(self, log_probs: LogProbs, available: Available) -> Any:
        """Return the log-probabilities unchanged."""
        return log_probs


def after_noise(noise: Noise, row: Row) -> Row:
    """Return log-probabilities of the recorded actions ``(…, A, N)``, given those of the intended actions.

    Parameters of the noise are single numbers, or there is one for every trajectory ``(N,)``.
    """
    if isinstance(noise, NoNoise):
        return row

    def of_trajectory(noise: Noise, row: Any) -> Any:
        return noise(row, row > -jnp.inf)

    axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, noise)
    return jax.vmap(of_trajectory, (axes, -1), -1)(noise, row)


def scanned(
    update: Callable[[_Content, Any, _Signal], _Content],
    read: Callable[[_Content, Any], _Seen],
    start: _Content,
    steps: Step,
    signals: _Signal,
) -> _Seen:
    """Return what is read from a memory at every step, before its update, in a loop over the steps."""
    return scanned_steps(update, lambda content, step, _: read(content, step.state), start, steps, signals)


def scanned_steps(
    update: Callable[[_Content, Any, _Signal], _Content],
    read: Callable[[_Content, Any, _Signal], _Seen],
    start: _Content,
    steps: Step,
    signals: _Signal,
) -> _Seen:
    """Return what is read from a memory at every step, given the step and its signals, as :func:`scanned`."""

    # Storing the content alone, and computing the rest of an update again, takes half the time of a gradient.
    @partial(jax.checkpoint, prevent_cse=False)
    def both(content: _Content, now: tuple[Step, _Signal]) -> tuple[_Content, _Seen]:
        step, signal = now
        return update(content, step, signal), read(content, step, signal)

    return lax.scan(both, start, (steps, signals))[1]
