"""Plan noise: errors of the plan that are consistent within an episode."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from goalinf.agents.agent import Agent
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess, of_modes
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.checks import check_count
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import INFINITY, Ranges
from goalinf.precision import cast
from goalinf.rewards import Reward
from goalinf.sizes import check_memory
from goalinf.worlds import MDP


class PlanNoise(ModeProcess):
    r"""The plan itself is wrong, once per episode: :math:`\tilde Q = Q + \sigma \xi`, :math:`\xi \sim N(0, I)`.

    Errors are then consistent within an episode, as those of noisy choices are not. The integral over :math:`\xi` is
    an average over so many draws that never change. Errors of one state say nothing of those of another, so that every
    state is averaged by itself: M draws stand for :math:`M^{|S|}` plans.

    Parameters
    ----------
    plan_noise : float or Distribution
        :math:`\sigma`, in utility, at least 0.
    draws : int
        How many :math:`\xi`.
    seed : int
        Which.
    """

    plan_noise: Any
    draws: int = eqx.field(static=True, default=64)
    seed: int = eqx.field(static=True, default=0)
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, scales=False)
    parameters: ClassVar[Ranges] = {"plan_noise": (0.0, INFINITY)}

    def __check_init__(self) -> None:
        check_count("draws", self.draws)
        check_count("seed", self.seed, least=0)

    def policies(self, agent: Agent, mdp: MDP, reward: Reward) -> Policy:
        """One mode for each draw; which one holds in a state does so for the whole trajectory."""
        what = f"plans with {self.draws:,} draws of the noise in {mdp.n_states:,} states with {mdp.n_actions:,} actions"
        check_memory(what, 32.0 * self.draws * mdp.n_actions * mdp.n_states, "take fewer draws")
        # By action, then by state: a world that is padded to the size of another has the same errors as by itself.
        sources = (np.random.default_rng([self.seed, action]) for action in range(mdp.n_actions))
        noise = np.stack([rng.normal(size=(mdp.n_states, self.draws)) for rng in sources]).transpose(2, 0, 1)
        policies = agent.policies_with_errors(mdp, reward, self.plan_noise * cast(noise))
        modes = HiddenModes(jnp.full(self.draws, -jnp.log(self.draws)), by_state=True)
        return of_modes(policies, modes, policies.ended[0])
