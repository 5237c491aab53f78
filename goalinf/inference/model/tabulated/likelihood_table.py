"""Log-likelihoods of trajectories as interpolated functions of one parameter, and the behavior that they describe."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int
from numpyro.distributions import constraints

from goalinf.agents.agent import Agent
from goalinf.behavior.scores import chained
from goalinf.inference.model.tabulated.piecewise import Piecewise


class LikelihoodTable(eqx.Module):
    """Log-likelihoods of all options of an agent, as functions of one parameter on the scale of its link.

    Parameters
    ----------
    functions : Piecewise
        One row for each trajectory, or for several of the same plan and unit, and one function for each option.
    plan : int (R,)
        Number of the plan of every row, which has the value of the parameter.
    group : int (R,)
        Number of the unit (``agent.by``) of every row, without gaps; zero for a single agent.
    groups : int
        Number of these units.
    """

    functions: Piecewise
    plan: Int[Array | np.ndarray, " R"]
    group: Int[Array | np.ndarray, " R"]
    groups: int = eqx.field(static=True)

    @property
    def unit(self) -> str:
        """Unit of the rows of a table that has not been summed."""
        return "trajectory"

    @property
    def shape(self) -> tuple[int, ...]:
        """Batch shape: a table is one observation (NumPyro asks for it)."""
        return ()

    def by_plan(self) -> LikelihoodTable:
        """Return a table with one row for each plan of each unit."""
        members = np.stack([self.plan, self.group], axis=1)
        rows, row = np.unique(members, axis=0, return_inverse=True)
        return LikelihoodTable(self.functions.summed(row.ravel(), len(rows)), rows[:, 0], rows[:, 1], self.groups)


class TabulatedBehavior(dist.Distribution):
    """Behavior of an agent of which one parameter is unknown; see :class:`~goalinf.Behavior`.

    The value of this distribution is a :class:`LikelihoodTable`.

    Parameters
    ----------
    agent : Agent
        Agent; of its parameters only the weights of options are used.
    x : float (P,)
        Value of the parameter in every plan, on the scale of its link.
    """

    support = constraints.real
    arg_constraints: ClassVar[dict[str, Any]] = {}
    reparametrized_params: ClassVar[list[str]] = []

    def __init__(self, agent: Agent, x: Float[Array | np.ndarray, " P"]):
        self.agent, self.x = agent, jnp.asarray(x)
        super().__init__(batch_shape=(), event_shape=(), validate_args=False)

    @property
    def residual(self) -> Any:
        """Largest relative residual of the planners: tables hold solved plans only."""
        return jnp.zeros(())

    def log_prob(self, value: LikelihoodTable) -> Any:
        """Compute the log-probability of all observations, in nats; minus infinity outside the table."""
        if self.agent.by is None:
            return self._scores(value).sum()
        log_weights, scores = self.by_option(self.agent.by, value)
        return logsumexp(log_weights[:, None] + scores, axis=0).sum()

    def by_option(self, unit: str, value: Any) -> tuple[Any, Any]:
        """Return log weights of the options, and log-likelihoods ``(K, R)`` of all rows, or of units, under each.

        ``unit`` is that of the agent's mixture, or that of the rows.
        """
        scores = self._scores(value)
        if unit == self.agent.by:
            scores = jax.ops.segment_sum(scores.T, jnp.asarray(value.group), value.groups).T
        return self.agent.log_weights, scores

    def log_prob_by(self, unit: str, value: Any) -> Any:
        """Compute the log-likelihood of every row; under a mixture, given the earlier rows of the same unit."""
        scores = self._scores(value)
        if self.agent.by is None:
            return scores[0]
        return chained(self.agent.log_weights, scores, jnp.asarray(value.group))

    def _scores(self, table: LikelihoodTable) -> Array:
        return table.functions(self.x[jnp.asarray(table.plan)])
