"""Successor representation: values of a default policy, without a maximum over actions."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike

from goalinf.agents.parts.planners import Planner
from goalinf.agents.parts.value_iteration import stationary
from goalinf.planning.bellman import Problem, action_values, backup_jacobian
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import SHARE, DefaultPriors, Dims, Parameter, Ranges, check_policy
from goalinf.planning.solution import Plan
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.precision import cast
from goalinf.rewards import Reward, ended
from goalinf.types import Numeric
from goalinf.worlds import World


class SuccessorRepresentation(Planner):
    r"""Values of a default policy by its successor representation, or mixed with optimal values (Dayan 1993).

    .. math:: Q = w\,Q^* + (1 - w)\,(r + \gamma P M r_{\pi_0}),\quad M = (I - \gamma P_{\pi_0})^{-1}

    (Russek et al. 2017 for the mixture.)

    Parameters
    ----------
    default : float (A,) or (S, A), optional
        :math:`\pi_0`, restricted to the available actions. None: uniform.
    model_based : float or Distribution
        :math:`w`, in [0, 1]. 0: only the successor representation; 1: optimal planning.
    """

    default: ArrayLike | None = None
    model_based: Parameter = 0.0
    parameters: ClassVar[Ranges] = {"model_based": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"model_based": lambda: dist.Beta(1.0, 1.0)}
    known: ClassVar[Ranges] = {"default": SHARE}
    dims: ClassVar[Dims] = {"default": ("state", "action")}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=None, state_values=True)

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy that does not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan."""
        problem = cast(problem)
        default = jnp.ones(problem.reward.shape[0]) if self.default is None else jnp.asarray(self.default)
        default = default.T if default.ndim == 2 else default[:, None]
        default = jnp.where(problem.available & ~problem.fixed, default, 0.0)
        default = default / jnp.where(problem.fixed, 1.0, default.sum(axis=0))
        reward = jnp.where(problem.fixed, problem.fixed_value, (default * problem.reward).sum(axis=0))
        values = solve_linear(problem, backup_jacobian(problem, reward, default), reward)
        q, zero = action_values(problem, values), problem.reward.dtype.type(0.0)
        if isinstance(self.model_based, np.ndarray) and self.model_based == 0.0:
            return Plan(q, values, jnp.zeros_like(zero))
        best = stationary(problem, "hard")
        weight = jnp.asarray(self.model_based)
        return Plan(weight * best.q + (1.0 - weight) * q, weight * best.values + (1.0 - weight) * values, best.residual)
