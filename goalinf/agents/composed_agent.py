"""Agents composed of parts, and the computation of a policy for the user."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
import jax
import xarray as xr
from numpyro.distributions import Distribution

from goalinf import display
from goalinf.agents import agent_facts
from goalinf.agents.agent import Agent, SingleAgent, single_agent
from goalinf.agents.plannable import check_known, check_plannable, check_solved, warn_of_others
from goalinf.agents.policy import Policy, labeled
from goalinf.checks import check_kind
from goalinf.planning.parameters import Dims, Parameter, Part, check_parameter, interval
from goalinf.planning.solvers.sparse_lu import factorable
from goalinf.precision import Precision, cast, computing_in
from goalinf.rewards import (
    ActionReward,
    LinearReward,
    Reward,
    StateReward,
    TransitionReward,
    base_of,
    check_reward,
)
from goalinf.types import Numbers
from goalinf.worlds import MDP, World

_Agent = TypeVar("_Agent", bound="ComposedAgent")


class ComposedAgent(SingleAgent):
    """Agent whose parameters and facts are those of its parts; abstract."""

    @property
    @abc.abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The parts, and the parts of parts."""

    # -- parameters -----------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, Any]:
        """Value or prior of every parameter of every part, by name."""
        return {name: getattr(part, name) for part, name in self._owners()}

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every parameter."""
        return {name: part.parameters[name] for part, name in self._owners()}

    @property
    def dims(self) -> Dims:
        """Names of the axes of every parameter; an array with fewer axes has the last ones, a number has none."""
        return {name: part.dims.get(name, ()) for part, name in self._owners()}

    @property
    def default_priors(self) -> dict[str, Distribution]:
        """The usual prior of every parameter that has one."""
        return {name: part.default_priors[name]() for part, name in self._owners() if name in part.default_priors}

    def at(self: _Agent, **parameters: Parameter | Numbers) -> _Agent:
        """Return the agent with other parameter values: ``agent.at(beta=2.0)``.

        Raises
        ------
        ValueError
            Where the agent has no such parameter, or the value is outside its range.
        """
        agent = self
        ranges, dims = self.ranges, self.dims
        for name, value in parameters.items():
            if name not in ranges:
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {', '.join(ranges) or 'none'}")
            if value is None:
                raise ValueError(f"{name} is None; expected a number in {interval(*ranges[name])}, or a prior")
            checked = check_parameter(name, value, *ranges[name], dims[name])
            agent = eqx.tree_at(
                partial(_owned, name=name), agent, checked, is_leaf=lambda x: isinstance(x, Distribution)
            )
        return agent

    def _owners(self) -> list[tuple[Part, str]]:
        owners = [(part, name) for part in self.parts for name in part.parameters]
        return [(part, name) for part, name in owners if getattr(part, name) is not None]

    def check_names(self) -> None:
        """Refuse two parts with a parameter of the same name."""
        names = [name for _, name in self._owners()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: two parts of the agent have a parameter of this name")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world or a reward that a part of the agent does not fit.

        Raises
        ------
        ValueError
            Where it does not; the message has the parameter and both shapes. Where the reward is recorded with the
            data, and the agent plans.
        """
        if reward.recorded and self.planning.planner.plans:
            raise ValueError(
                f"{self.name} plans, and the reward is recorded with the data (gi.RecordedReward): expected an agent "
                "that learns from rewards, such as gi.agents.rescorla_wagner, or a reward of the world, such as "
                "gi.StateReward"
            )
        for part in self.parts:
            part.check(world, reward)
            part.check_shapes(world)
        self.planning.check_beta()
        self.planning.beliefs.check_rows(world)

    # -- facts ----------------------------------------------------------------------------------

    @property
    def invariances(self) -> dict[agent_facts.Invariance, bool | None]:
        r"""Changes of the reward that leave the policy unchanged, in worlds where no episode ends; None where unknown.

        ``constant``: :math:`R + c`; ``potential``: :math:`R + \gamma\Phi(s') - \Phi(s)` with the agent's own discount;
        ``redistribution``: another R with the same :math:`\sum_t P\,R`.
        """
        return agent_facts.invariances(self.parts)

    @property
    def onto(self) -> bool | None:
        """True where every policy of full support is the policy of some reward r(s, a); None where unknown."""
        return agent_facts.onto(self.parts)

    @property
    def scales(self) -> bool:
        """True where the policy is known to depend on beta and the reward only through their product."""
        return all(part.facts.scales is True for part in self.parts)

    def confounded(self, reward: Reward, n_worlds: int = 1, *, ends: bool = False) -> dict[str, str]:
        """Return parameters that behavior does not identify when a reward of this class is unknown: name -> reason.

        Parameters
        ----------
        reward : Reward
            Of the class of the unknown reward.
        n_worlds : int
            Number of worlds in which the agent is observed.
        ends : bool
            True where episodes can end there.

        Returns
        -------
        dict
            Only parameters that are known to be unidentified: a parameter that is missing need not be identified.

        References
        ----------
        For the discount: Rust (1994), Magnac and Thesmar (2002). The rest follows from :attr:`onto`: where the rewards
        of a class attain all policies that an agent can have, a reward compensates for every other parameter.
        """
        reward = base_of(reward)
        if not isinstance(reward, (ActionReward, StateReward, TransitionReward, LinearReward)):
            return {}
        reasons: dict[str, str] = {}
        if "beta" in self.parameters and self.scales:
            reasons["beta"] = "behavior identifies only beta times the reward"
        for part in self.parts:
            reasons |= part.confounded(reward, ends=ends)
        if not (n_worlds > 1 or self.horizon is not None or isinstance(reward, LinearReward)):
            if isinstance(reward, StateReward):
                names = self._compensated_by_states(reward)
                reason = "for every other value of it there are state rewards with the same behavior"
            else:
                names = self._compensated_by_actions()
                reason = "for every other value of it there is a reward r(s, a) with the same behavior"
            reasons = {**dict.fromkeys(names, reason), **reasons}
        return {name: reason for name, reason in reasons.items() if name in self.parameters}

    def _compensated_by_states(self, reward: StateReward) -> set[str]:
        """Return parameters for which a state reward compensates: the policies are all softmaxes of P u, for any u."""
        return self.planning._compensated_by_states(reward)

    def _compensated_by_actions(self) -> set[str]:
        """Return parameters for which a reward r(s, a) compensates: rewards move the policy in every direction."""
        if any(part.facts.saturated is not True for part in self.parts):
            return set()
        return self._bending

    @property
    @abc.abstractmethod
    def _bending(self) -> set[str]:
        """Parameters that change the policy without hidden modes and memory."""

    # -- policies for the user -------------------------------------------------------------------

    def policy(self, world: World, reward: Reward, *, precision: Precision | None = None) -> xr.DataArray:
        """Return action probabilities in each state, labeled; by decision with a horizon, by hidden mode with modes.

        For an agent with a memory these are the probabilities of the first step.

        Parameters
        ----------
        world : World
            World in which the agent acts.
        reward : Reward
            Reward that the agent plans for.
        precision : {"float64", "float32"}, optional
            Default: float64 on a CPU, float32 on an accelerator.

        Returns
        -------
        DataArray
            Dimensions ``([mode, step,] state, action)``. On graphs, where every state has its own actions, the names
            of the actions are in the coordinate ``choice (state, action)``.

        Raises
        ------
        ValueError
            Where the agent or reward still holds a prior, or an undiscounted problem cannot end.
        ConvergenceError, PrecisionError
            Where the planner did not converge, or the precision cannot represent the values.
        """
        check_kind("world", world, World, "a World, such as gi.gridworld makes")
        check_reward("reward", reward)
        return labeled(solve(self, world, reward, precision=precision), world, timed=self.horizon is not None)

    def alternative(self, mdp: MDP, reward: Reward) -> Policy | None:
        """Compute the policy from another start of the search, where there can be several; None where there is one."""
        return None

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={text}' for name, text in self._described().items())})"

    def _repr_html_(self) -> str:
        fields = [field.name for field in dataclasses.fields(self) if field.name != "name"]
        parts = {name: display.describe(getattr(self, name)) for name in fields}
        rows = {f"parameter {name}": text for name, text in self._described().items()}
        return display.card(f"Agent {self.name}", display.facts({**rows, **parts}))

    def _described(self) -> dict[str, str]:
        return {name: display.describe(value) for name, value in self.parameters.items()}


def parts_of(tree: eqx.Module | tuple[eqx.Module, ...]) -> Iterator[Part]:
    """Iterate over every part in a tree, and the parts of parts."""
    for part in jax.tree.leaves(tree, is_leaf=lambda node: node is not tree and isinstance(node, eqx.Module)):
        if isinstance(part, Part):
            yield part
        if isinstance(part, eqx.Module):
            yield from parts_of(part)


def _owned(agent: ComposedAgent, name: str) -> Any:
    return next(getattr(part, name) for part, owned in agent._owners() if owned == name)


def plan_to_depths(agent: SingleAgent, depths: Sequence[int], plan_one: Callable[[SingleAgent], Policy]) -> Policy:
    """Compute the policies of several lookaheads with ``plan_one``, on the time axis; every sweep is done once."""
    planning = agent.planning
    return plan_one(agent.with_planning(dataclasses.replace(planning, planner=planning.planner.looking(depths))))


@jax.jit
def _policies(agent: SingleAgent, mdp: MDP, reward: Reward) -> Policy:
    return agent.policies(mdp, reward)


@jax.jit
def _alternative(agent: ComposedAgent, mdp: MDP, reward: Reward) -> Policy | None:
    return agent.alternative(mdp, reward)


def solve(agent: Agent, world: World, reward: Reward, *, precision: Precision | None = None) -> Policy:
    """Compute a policy as host arrays: check agent, world and reward, plan, check the residual.

    Raises
    ------
    ValueError
        Where agent, world and reward do not fit together, or the agent is a mixture.
    ConvergenceError, PrecisionError
        Where the planner did not converge, or the precision cannot represent the values.
    """
    agent = single_agent("agent", agent)
    check_known(agent, reward)
    check_plannable(agent, world, reward)
    with computing_in(precision) as precision_used:
        if precision_used == "float64" and agent.host_plans and factorable(world.mdp):
            on_host, mdp, host_reward = jax.device_get((agent, world.mdp, reward))
            policy = jax.device_get(on_host.policies(mdp, host_reward))
        else:
            policy = jax.device_get(_policies(*cast((agent, world.mdp, reward))))
        ambiguous = agent.planning.planner.ambiguous
        alternative_policy = None
        if ambiguous is not None and policy.modes is None:
            alternative_policy = jax.device_get(_alternative(*cast((agent, world.mdp, reward))))
    check_solved(policy.residual, policy.values, precision_used, agent, [world])
    if alternative_policy is not None:
        warn_of_others(policy, alternative_policy, world, precision_used, ambiguous)
    return policy
