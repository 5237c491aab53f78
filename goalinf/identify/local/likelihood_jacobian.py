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
_UNCHANGED = 3  # further draws that must leave the dimension of the common null space as it is


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
        log_likelihood, expected_reward = self.log_likelihood[:, :n], self.expected_reward[..., :n]
        return dataclasses.replace(
            self, log_likelihood=log_likelihood, expected_reward=expected_reward, columns=self.reward_columns
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
    arrays, unlabeled, n_observed = model.own_arrays(), data.unlabeled(), int(scored.sum())
    source = f"{'this' if n_observed == 1 else 'these'} {many(n_observed, data.noun)}"

    def evaluate(draw: Draw, observations: Observations) -> Any:
        agent, reward = arrays.filled(draw)
        agent = single_agent("agent", agent)
        conditions = Conditions.of(arrays.world, reward, contexts)
        columns = columns_of(agent, conditions.rewards[0], names)

        def scores(x):
            moved_agent, _, moved_reward = moved_by(agent, conditions.world.mdp, conditions.rewards[0], columns, x)
            rewards = reward if isinstance(reward, Mapping) else moved_reward  # rewards by context are known
            behavior = Behavior(arrays.world, moved_agent, rewards, contexts=contexts)
            return behavior.log_prob_by(unit, observations), behavior.policy

        zero_step = jnp.zeros(sum(column.size for column in columns))
        mdps = cast(stack([world.mdp for world in conditions.worlds]))
        varies = (len(conditions.worlds) > 1, len(conditions.rewards) > 1)
        expected_reward, rows = in_each_world(
            lambda mdp, context_reward: expected_rewards(agent, mdp, context_reward, columns),
            mdps,
            conditions.stacked_reward(),
            varies,
        )
        return *jax.jacfwd(scores, has_aux=True)(zero_step), expected_reward, rows

    def jacobian(draw: Draw) -> LikelihoodJacobian:
        agent, reward = arrays.filled(draw)
        agent, conditions = single_agent("agent", agent), Conditions.of(arrays.world, reward, contexts)
        columns = columns_of(agent, conditions.rewards[0], names)
        check_size(n_observed, sum(column.size for column in columns))
        with computing_in("float64"):
            program_key = recipe(*arrays.contents(), contexts, "float64", shapes(unlabeled))
            program = shared(program_key, ("derivatives", names), lambda: jax.jit(evaluate))
            derivative, policy, expected_reward, rows = jax.device_get(program(cast(dict(draw)), unlabeled))
        check_solved(policy.residual, policy.values, "float64", agent, conditions.distinct.worlds)
        wrong = np.argwhere(scored & ~np.isfinite(derivative).all(axis=-1))
        if len(wrong):
            raise ValueError(
                f"{data.where(unit, *wrong[0].tolist())}: the derivative of its log-probability is not finite "
                f"({len(wrong)} such {unit}s): compute log_likelihood without a logarithm of zero"
            )
        beta = float(np.max(agent.parameters.get("beta", 1.0)))
        return LikelihoodJacobian(expected_reward, rows, columns, beta, source, derivative[scored])

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
    null, n_unchanged = np.eye(n_rewards), 0
    for index in (total - 1, *np.random.default_rng(_SEED).permutation(total - 1).tolist()):
        of_reward = jacobian({name: values[index] for name, values in flat.items()}).reward_part()
        previous_dimension, null = len(null), kernel(of_reward.matrix() @ null.T, of_reward.tolerance).basis @ null
        n_unchanged = n_unchanged + 1 if len(null) == previous_dimension else 0
        if n_unchanged == _UNCHANGED or not len(null):
            break
    return null
