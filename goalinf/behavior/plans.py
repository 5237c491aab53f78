"""Plans of one agent in all conditions, under which observations are scored."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.agents.plannable import check_known, check_plannable, check_solved
from goalinf.agents.policy import Policy
from goalinf.behavior.conditions import Conditions
from goalinf.behavior.roll_out import roll_out_like
from goalinf.behavior.scores import score, score_steps, score_subjects, unplanned
from goalinf.data import Observations, Trajectories
from goalinf.precision import Precision, cast, on_host
from goalinf.rewards import Reward
from goalinf.worlds import World


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

        In compiled code it is NaN where a number of a context has no policy.

        Raises
        ------
        ValueError
            Where the data have no such unit.
        """
        if unit not in data.units:
            raise ValueError(f"the unit is {unit!r}; {type(data).__name__} have {', '.join(data.units)}")
        if on_host(data) or isinstance(data, Trajectories):  # trajectories are checked where their cells are scored
            return data.log_likelihood(self, unit)
        # Indices may be traced: an array of NumPy cannot be indexed by them.
        policy, rewards = cast((self.policy, self.rewards))
        scores = data.log_likelihood(dataclasses.replace(self, policy=policy, rewards=rewards), unit)
        return jnp.where(unplanned(self.policy, data.context).any(), jnp.nan, scores)

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


def planned(conditions: Conditions, agent: Agent, precision: Precision) -> tuple[Policy, ...]:
    """Plan the policies of all distinct conditions, for every option of a mixture, with every check.

    Raises
    ------
    ValueError
        Where agent or reward holds a prior, or an undiscounted problem cannot end.
    ConvergenceError, PrecisionError
        Where the planner fails.
    """
    check_known(agent, conditions.rewards)
    for one_world, one_reward in conditions.distinct.pairs():
        check_plannable(agent, one_world, one_reward)
    policies = agent.plan_each(conditions.distinct.plan)
    for actor, policy in zip(agent.components, policies, strict=True):
        check_solved(policy.residual, policy.values, precision, actor, conditions.distinct.worlds)
    return policies
