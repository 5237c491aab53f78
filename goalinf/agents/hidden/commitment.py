"""Commitment: the agent plans to some depth, follows the plan for several steps, and plans again."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float

from goalinf.agents.abstract_kinds import SingleModeAgent
from goalinf.agents.composed_agent import plan_to_depths
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.log_space import safe_log
from goalinf.planning.parameters import SHARE, DefaultPriors, Parameter, Ranges
from goalinf.rewards import Reward
from goalinf.sizes import check_memory
from goalinf.worlds import MDP


class PlanCommitment(ModeProcess):
    r"""Hidden modes of an agent that plans to some depth, follows the plan for several steps, and plans again.

    At a planning event the depth d is drawn from ``depths`` and the agent follows the policy of depth-d lookahead for
    :math:`\min(d, L)` steps; then, or at every step with probability p, it plans again. The hidden mode is the depth
    and the number of steps since planning.

    Parameters
    ----------
    replan : float or Distribution
        p, in [0, 1], per step.
    depths : float (D,)
        Probability of planning to depth 1, 2, …, D.
    commitment : int, optional
        L, the largest number of steps for which a plan is followed. None: no limit.
    """

    replan: Parameter
    depths: Float[Array | np.ndarray, " D"]
    commitment: int | None = eqx.field(static=True, default=None)
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("potential",))
    parameters: ClassVar[Ranges] = {"replan": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"replan": lambda: dist.Beta(1.0, 9.0)}

    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policies of the modes: one for each depth and number of steps since planning."""
        by_depth = plan_to_depths(
            agent, range(1, len(self.depths) + 1), lambda depth_agent: depth_agent.policies(mdp, reward)
        )
        depths = np.arange(len(self.depths))
        lasts = np.ones_like(depths) if self.commitment is None else np.minimum(depths + 1, self.commitment)
        what = f"the changes between {lasts.sum():,} hidden modes, one for each depth and step since planning,"
        check_memory(what, 32.0 * float(lasts.sum()) ** 2, "give fewer depths, or a smaller commitment")
        depth, since = np.array([(d, j) for d in depths for j in range(lasts[d])]).T
        fresh = jnp.where(since == 0, jnp.asarray(self.depths)[depth], 0.0)
        p = jnp.asarray(self.replan)
        follows = since[:, None] + (self.commitment is not None) == since
        continues = (depth[:, None] == depth) & follows
        plan_ends = ~continues.any(axis=1)
        kernel = jnp.where(plan_ends[:, None], fresh, (1.0 - p) * continues + p * fresh)
        modes = HiddenModes(safe_log(fresh), safe_log(kernel))
        log_probs, values = jnp.asarray(by_depth.log_probs)[depth], jnp.asarray(by_depth.values)[depth]
        return Policy(log_probs, values, by_depth.ended, by_depth.residual, modes, by_depth.memory)
