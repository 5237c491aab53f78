"""Switching: the reward that the agent plans for changes from step to step."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist

from goalinf.agents.abstract_kinds import SingleModeAgent
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess, of_modes, policies_of_rewards
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.log_space import safe_log
from goalinf.planning.parameters import SHARE, DefaultPriors, Parameter, Ranges
from goalinf.rewards import Alternatives, Reward, stack_rewards
from goalinf.worlds import MDP


class Switching(ModeProcess):
    r"""Hidden modes of an agent whose reward changes from step to step (Baker et al. 2009, model M2).

    .. math:: g_{t+1} = g_t \text{ with probability } 1 - s, \text{ else } g_{t+1} \sim p(g)

    The reward has to be one of several, ``gi.one_of({name: reward, …})``, whose weights are :math:`p(g)`.

    Parameters
    ----------
    switch : float or Distribution
        s, in [0, 1], per step.
    """

    switch: Parameter
    facts: ClassVar[Facts] = REGULAR
    parameters: ClassVar[Ranges] = {"switch": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"switch": lambda: dist.Beta(1.0, 9.0)}

    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policies of the modes: one for each reward."""
        if not isinstance(reward, Alternatives):
            raise ValueError(
                f"a switching agent needs several rewards; found a {type(reward).__name__}: "
                "give reward=gi.one_of({name: reward, …})"
            )
        policies = policies_of_rewards(agent, mdp, stack_rewards(reward.options))
        prior, s = jnp.asarray(reward.weights), jnp.asarray(self.switch)
        kernel = (1.0 - s) * jnp.eye(prior.size) + s * prior
        return of_modes(
            policies,
            HiddenModes(safe_log(prior), safe_log(kernel)),
            policies.ended.all(axis=0),
        )
