"""Abandonment: the agent gives up its plan with some probability per step, and may resume it."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jax.typing import ArrayLike

from goalinf.agents.abstract_kinds import SingleModeAgent
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.log_space import safe_log
from goalinf.planning.parameters import SHARE, DefaultPriors, Dims, Parameter, Ranges, check_policy
from goalinf.rewards import Reward, ended
from goalinf.worlds import MDP, World


class Abandoning(ModeProcess):
    r"""Hidden modes of an agent that gives up (or forgets) its plan, and may resume it.

    At every step, an agent that follows its plan gives up with probability h and then follows the default policy; an
    agent that has given up resumes its plan with probability :math:`\rho`.

    Parameters
    ----------
    hazard : float or Distribution
        h, in [0, 1], per step.
    recovery : float or Distribution
        :math:`\rho`, in [0, 1], per step.
    default : float (A,) or (S, A), optional
        Default policy after giving up, restricted to the available actions. None: uniform over the available actions.
    """

    hazard: Parameter
    recovery: Parameter = 0.0
    default: ArrayLike | None = None
    facts: ClassVar[Facts] = REGULAR
    parameters: ClassVar[Ranges] = {"hazard": SHARE, "recovery": SHARE}
    default_priors: ClassVar[DefaultPriors] = {
        "hazard": lambda: dist.Beta(1.0, 19.0),
        "recovery": lambda: dist.Beta(1.0, 9.0),
    }
    known: ClassVar[Ranges] = {"default": SHARE}
    dims: ClassVar[Dims] = {"default": ("state", "action")}

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy that does not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))

    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policies of two modes: following the plan, and the default policy."""
        pursuing = agent.policies(mdp, reward)
        idle = jnp.broadcast_to(agent.idle(mdp, reward, self.default), pursuing.log_probs.shape)
        h, rho = jnp.asarray(self.hazard), jnp.asarray(self.recovery)
        kernel = safe_log(jnp.stack([jnp.stack([1.0 - h, h]), jnp.stack([rho, 1.0 - rho])]))
        return Policy(
            jnp.stack([jnp.asarray(pursuing.log_probs), idle]),
            jnp.stack([jnp.asarray(pursuing.values), jnp.zeros_like(pursuing.values)]),
            pursuing.ended,
            pursuing.residual,
            modes=HiddenModes(safe_log(jnp.array([1.0, 0.0])), kernel),
            memory=pursuing.memory,
        )
