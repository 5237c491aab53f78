"""Plan noise: errors of the Q-values that are constant within an episode."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from goalinf.agents.abstract_kinds import SingleModeAgent
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess, of_modes
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.checks import check_count
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import INFINITY, DefaultPriors, Parameter, Ranges
from goalinf.precision import cast
from goalinf.rewards import Reward
from goalinf.sizes import check_memory
from goalinf.worlds import MDP


class PlanNoise(ModeProcess):
    r"""Errors of the plan, drawn once per episode: :math:`\tilde Q = Q + \sigma \xi`, :math:`\xi \sim N(0, I)`.

    Errors are constant within an episode, unlike the errors of noisy choices. The integral over :math:`\xi` is an
    average over M fixed draws. Errors of different states are independent, so that every state is averaged by itself:
    M draws represent :math:`M^{|S|}` plans.

    Parameters
    ----------
    plan_noise : float or Distribution
        :math:`\sigma`, in utility, at least 0.
    draws : int
        M, the number of draws of :math:`\xi`.
    seed : int
        Seed of the draws.
    """

    plan_noise: Parameter
    draws: int = eqx.field(static=True, default=64)
    seed: int = eqx.field(static=True, default=0)
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, scales=False)
    parameters: ClassVar[Ranges] = {"plan_noise": (0.0, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"plan_noise": lambda: dist.HalfNormal(1.0)}

    def __check_init__(self) -> None:
        check_count("draws", self.draws)
        check_count("seed", self.seed, least=0)

    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policies of the modes: one for each draw; the mode of a state holds for the whole trajectory."""
        what = f"plans with {self.draws:,} draws of the noise in {mdp.n_states:,} states with {mdp.n_actions:,} actions"
        check_memory(what, 32.0 * self.draws * mdp.n_actions * mdp.n_states, "take fewer draws")
        # By action, then by state: a padded world has the same errors as the world itself.
        sources = (np.random.default_rng([self.seed, action]) for action in range(mdp.n_actions))
        noise = np.stack([rng.normal(size=(mdp.n_states, self.draws)) for rng in sources]).transpose(2, 0, 1)
        policies = agent.policies_with_errors(mdp, reward, self.plan_noise * cast(noise))
        modes = HiddenModes(jnp.full(self.draws, -jnp.log(self.draws)), by_state=True)
        return of_modes(policies, modes, policies.ended[0])
