"""Abstract kinds of agents, without hidden modes and with a process around an agent, and policies by condition."""

from __future__ import annotations

import abc
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import equinox as eqx
import jax
from jax.typing import ArrayLike

from goalinf.agents.agent import Axes, SingleAgent
from goalinf.agents.composed_agent import ComposedAgent, parts_of
from goalinf.agents.parts.noise import Available, LogProbs
from goalinf.agents.policy import Memory, Policy
from goalinf.planning.parameters import Part
from goalinf.precision import cast, namespace
from goalinf.rewards import Reward
from goalinf.types import Numeric
from goalinf.worlds import MDP


class SingleModeAgent(ComposedAgent):
    """Agent without hidden modes, which a process of hidden modes can be put around; abstract."""

    @abc.abstractmethod
    def policies_with_errors(self, mdp: MDP, reward: Reward, errors: Numeric) -> Policy:
        """Compute the policies of a plan with these errors of Q (M, A, S), in utility; they have a leading axis."""

    @abc.abstractmethod
    def idle(self, mdp: MDP, reward: Reward, default: ArrayLike | None) -> Any:
        """Return log-probabilities of a default policy (None: uniform), which do not depend on the reward."""

    @abc.abstractmethod
    def recorded(self, log_probs: LogProbs, available: Available) -> Any:
        """Return log-probabilities of the recorded actions, given log-probabilities of the intended actions."""

    @abc.abstractmethod
    def memory(self, mdp: MDP, reward: Reward) -> Memory[Any, Any, Any] | None:
        """Memory before the first step; None without a memory."""


class ProcessAgent(ComposedAgent):
    """Agent with a process around another agent: hidden modes or a memory; abstract."""

    agent: SingleModeAgent
    process: Part
    name: str = eqx.field(static=True, default="agent")

    def __check_init__(self) -> None:
        self.check_names()

    @property
    def planning(self) -> Any:
        """The planning agent inside."""
        return self.agent.planning

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the agent inside, and those of the process."""
        return (*self.agent.parts, *parts_of((self.process,)))

    @property
    def one_policy(self) -> bool:
        """False: action probabilities depend on a hidden mode or on earlier steps."""
        return False

    @property
    def host_plans(self) -> bool:
        """False: the process is computed in compiled code."""
        return False

    @property
    def _bending(self) -> set[str]:
        planning = self.planning
        return planning._bending - set(planning.noise.parameters)


def over_conditions(agent: SingleAgent, conditions: tuple[Any, Any, Any], axes: Axes) -> Policy:
    """Compute the policies of several conditions, in one compiled batch."""
    return jax.vmap(lambda mdp, reward, start: agent.policies(mdp, reward, initial=start), axes)(*cast(conditions))


def one_by_one(function: Callable[..., Any], inputs: tuple[Any, ...], axes: Axes) -> Any:
    """Evaluate a function for every condition, and stack the results."""
    pairs = list(zip(inputs, axes, strict=True))
    count = next(len(jax.tree.leaves(tree)[0]) for tree, axis in pairs if axis is not None)
    results = [
        function(*(tree if axis is None else jax.tree.map(itemgetter((c, ...)), tree) for tree, axis in pairs))
        for c in range(count)
    ]
    return jax.tree.map(lambda *leaves: namespace(*leaves).stack(leaves), *results)
