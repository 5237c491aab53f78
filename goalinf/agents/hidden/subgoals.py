"""Subgoals: states that are visited before the goal."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Bool

from goalinf.agents.abstract_kinds import SingleModeAgent
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess, of_modes, policies_of_rewards
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.log_space import safe_log
from goalinf.planning.parameters import SHARE, DefaultPriors, Parameter, Ranges, check_dead_ends, check_shape
from goalinf.rewards import GoalReward, Reward, stack_rewards
from goalinf.worlds import MDP, World


class Subgoal(ModeProcess):
    r"""Hidden modes of an agent that first visits a subgoal (Baker, Saxe and Tenenbaum 2009, model M3).

    With probability :math:`\kappa` the agent first pursues a subgoal, drawn uniformly from ``places``, until it is
    reached; after that, or from the start with probability :math:`1 - \kappa`, it pursues the goal.

    Parameters
    ----------
    detour : float or Distribution
        :math:`\kappa`, in [0, 1].
    places : bool (V, S)
        States of each subgoal.
    dead : bool (V, S)
        States from which each subgoal cannot be reached.
    """

    detour: Parameter
    places: Bool[Array | np.ndarray, "V S"]
    dead: Bool[Array | np.ndarray, "V S"]
    facts: ClassVar[Facts] = REGULAR
    parameters: ClassVar[Ranges] = {"detour": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"detour": lambda: dist.Beta(1.0, 1.0)}

    def check(self, world: World, reward: Reward) -> None:
        """Refuse subgoals of another world."""
        for name in ("places", "dead"):
            check_shape(name, getattr(self, name), (len(self.places), world.n_states), "place, state")
        for place, dead in zip(self.places, self.dead, strict=True):
            check_dead_ends("a subgoal", np.asarray(place), np.asarray(dead), world)

    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policies of the modes: one for each subgoal, and the last one for the goal."""
        if not isinstance(reward, GoalReward):
            raise ValueError(f"an agent with subgoals needs a goal; found a {type(reward).__name__}: use gi.goals")
        # Where a subgoal cannot be reached, the agent is indifferent, by the value of dead ends.
        subgoals = [
            GoalReward(place, dead, step_cost=reward.step_cost, bonus=reward.bonus, dead_end=reward.dead_end)
            for place, dead in zip(self.places, self.dead, strict=True)
        ]
        policies = policies_of_rewards(agent, mdp, stack_rewards([*subgoals, reward]))
        count = len(subgoals)
        kappa = jnp.asarray(self.detour)
        initial = jnp.append(jnp.full(count, kappa / count), 1.0 - kappa)
        arrived = jnp.append(jnp.asarray(self.places), jnp.zeros_like(self.places[:1]), axis=0).T
        jump = jnp.where(arrived, count, jnp.arange(count + 1))
        modes = HiddenModes(safe_log(initial), jump=jump)
        return of_modes(policies, modes, policies.ended[-1])
