"""Planners: from a believed world and a reward to Q-values, on the scale of beta times the reward."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from goalinf.agents import host, solver
from goalinf.agents.bellman import Backup, Problem, action_values, backup
from goalinf.agents.factors import Calm
from goalinf.precision import cast, namespace, on_host


class Plan(eqx.Module):
    """What a planner returns; with a finite horizon everything but the residual has a time axis.

    The plans of several problems have a leading axis G.

    Parameters
    ----------
    q : float (A, S) or (T, A, S)
        beta times Q.
    values : float (S,) or (T, S)
        beta times V.
    residual : float
        Relative residual of the fixed point; zero with a finite horizon.
    """

    q: Float[Array | np.ndarray, "*T A S"]
    values: Float[Array | np.ndarray, "*T S"]
    residual: Float[Array | np.ndarray, "*G"]


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

    def __call__(self, problem: Problem, near: Any = None) -> Plan:
        """Plan; a stationary plan without a horizon, one per time step with it.

        ``near`` are values of a problem that is a little different, from which a stationary soft plan starts.
        """
        if self.horizon is None:
            if on_host(problem, near):
                # The residual says whether values are numbers.
                with np.errstate(all="ignore"), Calm(problem.neighbors.shape[1]):
                    values = host.fixed_point(problem, self.backup, near)
                    gap = solver.residual(problem, values, self.backup)
                    return Plan(action_values(problem, values), values, gap)
            problem, near = cast((problem, near))
            found = solver.fixed_point(problem, self.backup, near)
            return Plan(action_values(problem, found), found, solver.residual(problem, found, self.backup))

        def back(values, _):
            now = backup(problem, values, self.backup)[0]
            return now, (action_values(problem, values), now)

        xp = namespace(problem)
        end = xp.where(problem.pinned, problem.pins, 0.0)
        if xp is np:
            sweeps = []
            for _ in range(self.horizon):
                end, found = back(end, None)
                sweeps.append(found)
            q, values = (np.stack(each[::-1], axis=end.ndim - 1) for each in zip(*sweeps, strict=True))
        else:
            _, (q, values) = lax.scan(back, end, None, length=self.horizon, reverse=True)
        return Plan(q, values, xp.zeros(end.shape[:-1], values.dtype))
