r"""Exact Jacobian of the log-likelihood of every observation with respect to the reward and the agent.

For observations that are not trajectories: :math:`\partial\log p(y_i) / \partial\theta` through the planner, in forward
mode and float64. Along directions in its null space the likelihood of no observation changes, to first order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.agents.agent import single_agent
from goalinf.agents.plannable import check_solved
from goalinf.behavior import Behavior
from goalinf.behavior.conditions import Conditions
from goalinf.data import Observations
from goalinf.data.trajectory_arrays import many
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.jacobian import Jacobian
from goalinf.identify.local.jacobian_columns import check_size, columns_of, expected_rewards, in_each_world, moved_by
from goalinf.inference.model.models import Draw, StandardModel
from goalinf.inference.model.program_cache import recipe, shapes, shared
from goalinf.precision import cast, computing_in
from goalinf.worlds import stack

_SEED = 0
_SAME = 3  # further draws that must leave the dimension of the common null space as it is


@dataclasses.dataclass(frozen=True, eq=False)
class LikelihoodJacobian(Jacobian):
    r"""Derivatives of the log-likelihood of observations; see :class:`Jacobian` for the other fields.

    Parameters
    ----------
    log_likelihood : float (R, P)
        :math:`\partial \log p(y_i) / \partial\theta` of every observation i.
    """

    log_likelihood: np.ndarray

    def matrix(self) -> np.ndarray:
        """Return the derivatives of all observations, ``(R, P)``."""
        return self.log_likelihood

    def reward_part(self) -> LikelihoodJacobian:
        """Return the derivatives with respect to the reward alone."""
        n = self.n_rewards
        return dataclasses.replace(
            self, log_likelihood=self.log_likelihood[:, :n], income=self.income[..., :n], columns=self.reward_columns
        )


def likelihood_jacobians(
    model: StandardModel, data: Observations, names: tuple[str, ...]
) -> Callable[[Draw], LikelihoodJacobian]:
    """Return the function that computes the Jacobian of all observations at a draw of these parameters.

    Raises
    ------
    ValueError
        If the Jacobian does not fit in memory; the function raises it where a derivative is not finite.
    ConvergenceError, PrecisionError
        The function raises it where the planner fails.
    """
    unit, contexts, scored = data.units[0], data.context_names, data.scored(data.units[0])
    own, bare, n_observed = model.own_arrays(), data.unlabeled(), int(scored.sum())
    source = f"{'this' if n_observed == 1 else 'these'} {many(n_observed, data.noun)}"

    def evaluate(draw: Draw, seen: Observations) -> Any:
        agent, reward = own.filled(draw)
        agent = single_agent("agent", agent)
        conditions = Conditions.of(own.world, reward, contexts)
        columns = columns_of(agent, conditions.rewards[0], names)

        def scores(x):
            moved, _, one = moved_by(agent, conditions.world.mdp, conditions.rewards[0], columns, x)
            wanted = reward if isinstance(reward, Mapping) else one  # rewards by context are known
            behavior = Behavior(own.world, moved, wanted, contexts=contexts)
            return behavior.log_prob_by(unit, seen), behavior.policy

        here = jnp.zeros(sum(column.size for column in columns))
        mdps = cast(stack([one.mdp for one in conditions.worlds]))
        several = (len(conditions.worlds) > 1, len(conditions.rewards) > 1)
        income, rows = in_each_world(
            lambda mdp, wanted: expected_rewards(agent, mdp, wanted, columns),
            mdps,
            conditions.stacked_reward(),
            several,
        )
        return *jax.jacfwd(scores, has_aux=True)(here), income, rows

    def jacobian(draw: Draw) -> LikelihoodJacobian:
        agent, reward = own.filled(draw)
        agent, conditions = single_agent("agent", agent), Conditions.of(own.world, reward, contexts)
        columns = columns_of(agent, conditions.rewards[0], names)
        check_size(n_observed, sum(column.size for column in columns))
        with computing_in("float64"):
            made_of = recipe(*own.contents(), contexts, "float64", shapes(bare))
            program = shared(made_of, ("derivatives", names), lambda: jax.jit(evaluate))
            derivative, policy, income, rows = jax.device_get(program(cast(dict(draw)), bare))
        check_solved(policy.residual, policy.values, "float64", agent, conditions.distinct.worlds)
        wrong = np.argwhere(scored & ~np.isfinite(derivative).all(axis=-1))
        if len(wrong):
            raise ValueError(
                f"{data.where(unit, *wrong[0].tolist())}: the derivative of its log-probability is not finite "
                f"({len(wrong)} such {unit}s): compute log_likelihood without a logarithm of zero"
            )
        beta = float(np.max(agent.parameters.get("beta", 1.0)))
        return LikelihoodJacobian(income, rows, columns, beta, source, derivative[scored])

    return jacobian


def common_null_space(
    jacobian: Callable[[Draw], Jacobian], draws: Mapping[str, np.ndarray], n_rewards: int
) -> np.ndarray:
    """Return directions of reward ``(n, P)`` along which no log-likelihood changes at several ``(chain, draw, …)``.

    The draws are the last one, and further ones in random order until the dimension stays the same. The null space of
    few observations differs from draw to draw; only in the common part does a Gaussian posterior equal its prior.
    """
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.items()}
    total = len(next(iter(flat.values())))
    null, same = np.eye(n_rewards), 0
    for number in (total - 1, *np.random.default_rng(_SEED).permutation(total - 1).tolist()):
        alone = jacobian({name: values[number] for name, values in flat.items()}).reward_part()
        before, null = len(null), kernel(alone.matrix() @ null.T, alone.tolerance).basis @ null
        same = same + 1 if len(null) == before else 0
        if same == _SAME or not len(null):
            break
    return null
