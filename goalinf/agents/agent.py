"""Agent and SingleAgent: the interfaces of all agents and of agents that are no mixtures."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import equinox as eqx
import jax.numpy as jnp
import xarray as xr
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from goalinf.agents.policy import Policy
from goalinf.checks import check_kind
from goalinf.planning.parameters import Dims, Parameter
from goalinf.precision import Precision
from goalinf.rewards import Reward
from goalinf.types import Numbers, Numeric
from goalinf.worlds import MDP, World

By = Literal["subject", "trajectory", "data"]
_Agent = TypeVar("_Agent", bound="Agent")
Axes = tuple[int | None, int | None, int | None]


class Agent(eqx.Module):
    """Map from a world and a reward to behavior; abstract.

    The kinds of agents are :class:`~goalinf.agents.PlanningAgent`; :class:`~goalinf.agents.HiddenModeAgent`, which
    follows one of several policies at a time; :class:`~goalinf.agents.MemoryAgent`, whose policy depends on earlier
    steps; and :class:`~goalinf.agents.MixtureAgent`, a finite mixture of agents of the other kinds, which are its
    components. An agent of another kind is its own only component. The named constructors
    (:func:`~goalinf.agents.boltzmann`, :func:`~goalinf.agents.optimistic`, …) make the usual agents. A parameter that
    is a NumPyro distribution makes the agent a prior over agents.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Name in messages."""

    @property
    @abc.abstractmethod
    def components(self) -> tuple[SingleAgent, ...]:
        """Components of the mixture; the agent itself where it is no mixture."""

    @property
    @abc.abstractmethod
    def log_weights(self) -> Float[Array, " K"]:
        """Logarithms of the prior probabilities of the components."""

    @property
    @abc.abstractmethod
    def by(self) -> By | None:
        """Unit that has one component: every subject, every trajectory, or all of the data; None without a mixture."""

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Value or prior of every parameter, by name."""

    @property
    @abc.abstractmethod
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every parameter."""

    @property
    @abc.abstractmethod
    def dims(self) -> Dims:
        """Names of the axes of every parameter; an array with fewer axes has the last ones, a number has none."""

    @property
    @abc.abstractmethod
    def default_priors(self) -> dict[str, Distribution]:
        """The usual prior of every parameter, for rewards of about unit size: ``agent.at(**agent.default_priors)``."""

    @abc.abstractmethod
    def at(self: _Agent, **parameters: Parameter | Numbers) -> _Agent:
        """Return the agent with other parameter values: ``agent.at(beta=2.0)``.

        Raises
        ------
        ValueError
            Where the agent has no such parameter, or the value is outside its range.
        """

    @property
    @abc.abstractmethod
    def scales(self) -> bool:
        """True where behavior is known to depend on beta and the reward only through their product."""

    @abc.abstractmethod
    def confounded(self, reward: Reward, n_worlds: int = 1, *, ends: bool = False) -> dict[str, str]:
        """Return parameters that behavior does not identify when a reward of this class is unknown: name -> reason."""

    @abc.abstractmethod
    def policy(self, world: World, reward: Reward, *, precision: Precision | None = None) -> xr.DataArray:
        """Return labeled action probabilities in each state; a mixture has none, as each component has its own."""

    @abc.abstractmethod
    def plan_each(self, plan: Callable[[SingleAgent], Policy]) -> tuple[Policy, ...]:
        """Compute the policies of every component with ``plan``; what components share is planned once."""


class SingleAgent(Agent):
    """Agent that is no mixture: its own only component; abstract."""

    @property
    def components(self) -> tuple[SingleAgent, ...]:
        """The agent itself."""
        return (self,)

    @property
    def log_weights(self) -> Float[Array, " K"]:
        """Zero: the only component has probability one."""
        return jnp.zeros(1)

    @property
    def by(self) -> None:
        """None: the agent is no mixture."""
        return

    def plan_each(self, plan: Callable[[SingleAgent], Policy]) -> tuple[Policy, ...]:
        """Compute the policies with ``plan``."""
        return (plan(self),)

    @property
    @abc.abstractmethod
    def planning(self) -> Any:
        """The :class:`~goalinf.agents.PlanningAgent` inside; itself for a planning agent."""

    @abc.abstractmethod
    def policies(self, mdp: MDP, reward: Reward, *, initial: Numeric | None = None) -> Policy:
        """Compute the policy in a world under a reward; traceable.

        ``initial`` are the values of a similar policy, from which a solver may start.
        """

    @abc.abstractmethod
    def policies_each(self, mdp: MDP, reward: Reward, initial: Numeric | None, axes: Axes) -> Policy:
        """Compute policies of several conditions; ``axes`` are the leading axes of MDP, reward and values, or None."""

    @abc.abstractmethod
    def with_planning(self, planning: SingleAgent) -> SingleAgent:
        """Return an agent of this kind that contains another planning agent."""

    @property
    @abc.abstractmethod
    def one_policy(self) -> bool:
        """True where the policy depends only on the state and the time."""

    @property
    @abc.abstractmethod
    def host_plans(self) -> bool:
        """True where every part also works on the host, with NumPy arrays."""

    @abc.abstractmethod
    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world or a reward that a part of the agent does not fit.

        Raises
        ------
        ValueError
            Where it does not; the message has the parameter and both shapes.
        """

    # -- properties of the planning agent inside ------------------------------------------------

    @property
    def beta(self) -> Any:
        """Inverse temperature; None where the action probabilities do not depend on it."""
        return self.planning.beta

    @property
    def plan_parameters(self) -> set[str]:
        """Names of the parameters on which plans depend; the others affect the choice among planned values only."""
        return self.planning.plan_parameters

    @property
    def horizon(self) -> int | None:
        """Number of decisions; None: the policy is stationary."""
        return self.planning.horizon

    @property
    def depth(self) -> int | None:
        """Number of decisions of a lookahead; None without one."""
        return self.planning.depth

    @property
    def discount(self) -> Any:
        """The agent's own discount factor; None: the discount factor of the world."""
        return self.planning.discount

    @property
    def endless(self) -> bool:
        """True where values are infinite sums, which have to be finite."""
        return self.planning.endless

    @property
    def smooth(self) -> bool:
        """True where the policy is a smooth function of the reward."""
        return self.planning.smooth

    @property
    def slip(self) -> Any:
        """Probability of an execution error (slip); None without slips."""
        return self.planning.slip

    @property
    def hidden_slip(self) -> Any:
        """Probability of a slip that data do not record (the world moves by the executed action); None without."""
        return self.planning.hidden_slip


def check_agent(what: str, agent: object) -> None:
    """Refuse an argument that is no agent.

    Raises
    ------
    TypeError
        Where it is none.
    """
    check_kind(what, agent, Agent, "an agent, such as gi.agents.soft_optimal(beta=1.0)")


def single_agent(what: str, agent: object) -> SingleAgent:
    """Return an argument that is an agent and no mixture; refuse others.

    Raises
    ------
    TypeError
        Where it is no agent.
    ValueError
        Where it is a mixture.
    """
    check_agent(what, agent)
    if not isinstance(agent, SingleAgent):
        raise ValueError(f"{what} is {agent!r}; expected one of its agents, such as agent.components[0]")
    return agent
