"""Planners: from a believed world and a reward to Q-values, on the scale of beta times the reward."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from goalinf.agents.bellman import Backup, Problem, action_values, backup
from goalinf.agents.solver import fixed_point, residual


class Plan(eqx.Module):
    """What a planner returns; with a finite horizon everything but the residual has a leading time axis.

    Parameters
    ----------
    q : float (A, S) or (T, A, S)
        beta times Q.
    values : float (S,) or (T, S)
        beta times V.
    residual : float
        Relative residual of the fixed point; zero with a finite horizon.
    """

    q: Float[Array, "*T A S"]
    values: Float[Array, "*T S"]
    residual: Float[Array, ""]


class ValueIteration(eqx.Module):
    r"""Exact planning: :math:`Q = r + \gamma P V` with :math:`V` the backup of :math:`Q` over actions.

    Parameters
    ----------
    backup : {"soft", "hard"}
        ``"soft"``: :math:`V = \frac1\beta\log\sum_a e^{\beta Q}` (maximum causal entropy, Ziebart 2010);
        ``"hard"``: :math:`V = \max_a Q`.
    horizon : int, optional
        Number of decisions, after which nothing is collected. None: infinite.
    """

    backup: Backup = eqx.field(static=True)
    horizon: int | None = eqx.field(static=True, default=None)

    @property
    def scales(self) -> bool:
        """Whether c times the reward has c times the values, for every c >= 0."""
        return self.backup == "hard"

    def __call__(self, problem: Problem) -> Plan:
        """Plan; a stationary plan without a horizon, one per time step with it."""
        if self.horizon is None:
            values = fixed_point(problem, self.backup)
            gap = residual(problem, values, self.backup)
            return Plan(action_values(problem, values), values, gap)

        def back(values, _):
            now = backup(problem, values, self.backup)[0]
            return now, (action_values(problem, values), now)

        end = jnp.where(problem.pinned, problem.pins, 0.0)
        _, (q, values) = lax.scan(back, end, None, length=self.horizon, reverse=True)
        return Plan(q, values, jnp.zeros((), values.dtype))
