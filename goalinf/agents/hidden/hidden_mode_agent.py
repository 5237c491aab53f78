"""Agents with hidden modes, which follow one of several policies at a time."""

from __future__ import annotations

import abc

import jax

from goalinf.agents.abstract_kinds import ProcessAgent, SingleModeAgent, over_conditions
from goalinf.agents.agent import Axes, SingleAgent
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.planning.parameters import Part, part_of_kind
from goalinf.precision import cast
from goalinf.rewards import Reward
from goalinf.types import Numeric
from goalinf.worlds import MDP


class ModeProcess(Part):
    """Policies of the hidden modes of an agent, with the initial distribution and the transitions of the mode."""

    def check_agent(self, agent: SingleModeAgent) -> None:
        """Refuse an agent that the process does not fit."""

    @abc.abstractmethod
    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policy of every mode, with the modes; ``agent`` is the agent without modes."""


class HiddenModeAgent(ProcessAgent):
    """Agent that follows one of several policies at a time; the mode is hidden and changes by a Markov process.

    Parameters
    ----------
    agent : PlanningAgent or MemoryAgent
        The agent without modes.
    process : ModeProcess
        Hidden modes, such as :class:`~goalinf.agents.Abandoning`, :class:`~goalinf.agents.Switching` or
        :class:`~goalinf.agents.Options`.
    name : str
        Name in messages.

    Raises
    ------
    ValueError
        Where the agent has hidden modes already, or two parts have a parameter of the same name.

    Examples
    --------
    >>> import goalinf as gi
    >>> from goalinf.agents import Abandoning, HiddenModeAgent
    >>> HiddenModeAgent(gi.agents.boltzmann(beta=2.0), Abandoning(hazard=0.1)).parameters
    {'beta': array(2.), 'hazard': 0.1, 'recovery': 0.0}
    """

    agent: SingleModeAgent
    process: ModeProcess

    def __init__(self, agent: object, process: object, name: str = "agent"):
        if not isinstance(agent, SingleModeAgent):
            raise ValueError(f"agent is {agent!r}; expected an agent without hidden modes")
        self.agent, self.process, self.name = agent, part_of_kind("process", process, ModeProcess), name

    def __check_init__(self) -> None:
        self.process.check_agent(self.agent)

    def with_planning(self, planning: SingleAgent) -> HiddenModeAgent:
        """Return an agent with these modes that contains another planning agent."""
        return HiddenModeAgent(self.agent.with_planning(planning), self.process, self.name)

    def policies(self, mdp: MDP, reward: Reward, *, initial: Numeric | None = None) -> Policy:
        """Compute the policy of every mode, with the modes."""
        return self.process.policies(self.agent, *cast((mdp, reward)))

    def policies_each(self, mdp: MDP, reward: Reward, initial: Numeric | None, axes: Axes) -> Policy:
        """Compute the policies of several conditions."""
        return over_conditions(self, (mdp, reward, initial), axes)


@jax.jit
def policies_of_rewards(agent: SingleAgent, mdp: MDP, rewards: Reward) -> Policy:
    """Compute policies for rewards with a leading axis; compiled once."""
    return jax.vmap(lambda reward: agent.policies(mdp, reward))(rewards)


def of_modes(policies: Policy, modes: HiddenModes, ended: Numeric) -> Policy:
    """Combine policies with a leading axis into the modes of one agent, all of which share one memory."""
    memory = jax.tree.map(lambda leaf: leaf[0], policies.memory)
    residual = policies.residual.max()
    return Policy(policies.log_probs, policies.values, ended, residual, modes, memory, policies.planned)
