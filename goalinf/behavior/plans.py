"""Plans of one agent in all conditions, under which observations are scored."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.agents.policy import Policy
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.roll_out import drawn_options, roll_out_like
from goalinf.behavior.scores import score, score_steps, score_subjects
from goalinf.behavior.simulation import planned
from goalinf.data import Observations, Trajectories
from goalinf.precision import Precision, computing_in
from goalinf.rewards import Reward
from goalinf.worlds import World

_Data = TypeVar("_Data", bound=Observations)


@dataclasses.dataclass(frozen=True, eq=False)
class AgentPlans:
    """Policies of an agent; see :class:`goalinf.data.observations.Plans`.

    Parameters
    ----------
    agent : SingleAgent
        The agent.
    policy : Policy
        Policies and values, with a leading axis of conditions.
    worlds, rewards : tuple
        World and reward of every condition, or one for all.
    """

    agent: SingleAgent
    policy: Policy
    worlds: tuple[World, ...]
    rewards: tuple[Reward, ...]

    def log_likelihood(self, data: Observations, unit: str) -> Float[Array | np.ndarray, ...]:
        """Return the log-probability of the observations of every item of a unit.

        Raises
        ------
        ValueError
            Where the data have no such unit.
        """
        if unit not in data.units:
            raise ValueError(f"the unit is {unit!r}; {type(data).__name__} have {', '.join(data.units)}")
        return data.log_likelihood(self, unit)

    def actions(self, trajectories: Observations, unit: str) -> Float[Array | np.ndarray, ...]:
        """Return the log-probability of the observed actions by step ``(N, T)``, trajectory, subject or in all (1,).

        Raises
        ------
        TypeError
            Where the observations are no trajectories.
        """
        trajectories = _checked(trajectories)
        if unit == "subject":
            return score_subjects(self.policy, trajectories)
        if unit == "data":
            return score(self.policy, trajectories)[None]
        steps = score_steps(self.policy, trajectories)
        return steps if unit == "step" else steps.sum(-1)

    def rolled_out(self, key: Array, trajectories: Observations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Simulate states ``(N, T+1)``, actions and a flag for steps taken ``(N, T)`` from the starts of trajectories.

        Here the policies have an axis of contexts. Missing actions are missing in memory, too.

        Raises
        ------
        TypeError
            Where the observations are no trajectories.
        """
        return roll_out_like(key, self.agent, self.policy, self.worlds, _checked(trajectories))


def _checked(trajectories: Observations) -> Trajectories:
    if not isinstance(trajectories, Trajectories):
        raise TypeError(
            f"plans score and simulate the actions of trajectories; found {type(trajectories).__name__}: compute "
            "other observations from plans.policy and plans.rewards"
        )
    return trajectories


def replicate(
    key: Array,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    data: _Data,
    *,
    option: np.ndarray | None = None,
    precision: Precision | None = None,
) -> _Data:
    """Draw replicated data of a known agent: new observations with the design of a data set.

    Parameters
    ----------
    key : jax.random key
        Source of randomness, which is consumed.
    world, reward : World and Reward, or mappings from context to them
        World in which the agent acts, and its reward.
    agent : Agent
        Agent.
    data : Trajectories or other Observations
        The design: subjects and contexts; for trajectories, starts, lengths and missing actions.
    option : int (N,), optional
        Number of the option of each trajectory (or other unit) in a mixture; default: drawn.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    Observations
        Of the class of the data.

    Raises
    ------
    ValueError
        Where agent or reward holds a prior, or a context has no world or no reward.
    ConvergenceError, PrecisionError
        Where the planner fails.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> agent = gi.agents.soft_optimal(beta=1.0)
    >>> data = gi.simulate(jax.random.key(0), hall, agent, reward, trajectories=2, steps=3)
    >>> replicate(jax.random.key(1), hall, agent, reward, data).n_steps
    6
    """
    conditions = Conditions.of(world, reward, data.context_names)
    number = conditions.number
    with computing_in(precision) as chosen:
        policies = planned(conditions, agent, chosen)
        if option is None:
            group = np.unique(np.asarray(data.members(agent.by or "data")), return_inverse=True)[1]
            option = np.asarray(drawn_options(key, agent, len(group)))[group]
        worlds = conditions.worlds if len(conditions.distinct.worlds) > 1 else conditions.distinct.worlds
        by_context = [jax.tree.map(lambda leaf: leaf[number], policy) for policy in policies]
        pairs = zip(agent.components, by_context, strict=True)
        plans = [AgentPlans(actor, policy, worlds, conditions.rewards) for actor, policy in pairs]
        return data.replicated(key, plans, option)
