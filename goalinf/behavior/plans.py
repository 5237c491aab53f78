"""Plans of one agent in all conditions, under which observations are scored."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Array, Float

from goalinf.agents.agent import SingleAgent
from goalinf.agents.policy import Policy
from goalinf.behavior.scores import score, score_steps, score_subjects
from goalinf.data import Observations, Trajectories
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
        if not isinstance(trajectories, Trajectories):
            raise TypeError(
                f"plans score the actions of trajectories; found {type(trajectories).__name__}: compute the "
                "log-likelihood of other observations from plans.policy and plans.rewards"
            )
        if unit == "subject":
            return score_subjects(self.policy, trajectories)
        if unit == "data":
            return score(self.policy, trajectories)[None]
        steps = score_steps(self.policy, trajectories)
        return steps if unit == "step" else steps.sum(-1)
