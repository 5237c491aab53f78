r"""Optimal default policy of rational inattention (the habit q), by the accelerated algorithm of Blahut and Arimoto.

A policy is a softmax with a default policy q that is equal in all states; its information cost, the mutual information
of states and actions, is smallest where q is the marginal of the policy. The algorithm solves this equation to a stated
tolerance; derivatives are those of the equation (implicit differentiation).
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from goalinf.planning.bellman import Problem, action_values, backup_jacobian
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.planning.solvers.dense_lu import solve
from goalinf.planning.solvers.newton import fixed_point

_ROUNDS = 1000  # forty rounds suffice in practice
_GAP = 64  # largest accepted log growth factor, in units of the rounding error of the objective
_FARTHEST = 8.0  # largest change of a log-probability in a round, in nats


class Growth(NamedTuple):
    """Objective of a habit q, and its growth factors in a round of Blahut and Arimoto.

    Parameters
    ----------
    growth : float (A,)
        Factors that turn q into the marginal of its policy.
    value : float
        Objective to maximize, in nats.
    rounding : float
        Rounding error of the objective.
    values : float (S,) or ()
        Values of the states, where they depend on the habit.
    """

    growth: Any
    value: Any
    rounding: Any
    values: Any


class KnownValues(eqx.Module):
    """Problem with known values: p(s), (S,), and exp Q, (A, S), up to a factor for each state."""

    visits: Any
    gains: Any

    @property
    def table(self) -> Any:
        """Array whose rows are equal for equivalent actions, (A, …)."""
        return self.gains

    def grow(self, habit: Array, initial_guess: Array | None) -> Growth:
        """Compute the growth factors and the objective of a habit."""
        share, total = self._share(habit)
        rounding = jnp.asarray(8 * jnp.finfo(total.dtype).eps, total.dtype)
        return Growth(share @ self.visits, self.visits @ jnp.log(total), rounding, jnp.zeros_like(rounding))

    def slopes(self, habit: Array, at: Growth) -> Any:
        """Compute minus the derivative of the growth factors with respect to log q, (A, A)."""
        share, _ = self._share(habit)
        return (self.visits * share) @ share.T * habit

    def _share(self, habit: Array) -> tuple[Any, Any]:
        visited = self.visits > 0  # in other states there may be no available action
        total = jnp.where(visited, habit @ self.gains, 1.0)
        return jnp.where(visited, self.gains / total, 0.0), total


class PlannedValues(eqx.Module):
    r"""Problem whose values depend on the habit at later steps.

    Values are convex in log q. With :math:`D` the discounted visits, :math:`n_a = \sum_s D\,\pi(a|s)` and :math:`H` the
    covariance, over actions and visits, of the derivatives of Q with respect to log q:
    :math:`\partial n_b / \partial \log q_a = H_{ab}`.
    """

    problem: Problem

    @property
    def table(self) -> Any:
        """Array whose rows are equal for equivalent actions, (A, …)."""
        problem = self.problem
        parts = (problem.reward[:, None], problem.weights, problem.available[:, None].astype(problem.reward.dtype))
        return jnp.concatenate(parts, axis=1).reshape(len(problem.reward), -1)

    def grow(self, habit: Array, initial_guess: Array | None) -> Growth:
        """Compute the growth factors and the objective of a habit."""
        values = fixed_point(with_habit(self.problem, jnp.log(habit)), "soft", initial_guess)
        visits, share, _ = self.visits(habit, values)
        rounding = 2 * jnp.finfo(values.dtype).eps * (1.0 + abs(values).max())
        return Growth(share @ visits / visits.sum(), self.problem.initial @ values, rounding, values)

    def visits(self, habit: Array, values: Array) -> tuple[Any, Any, Any]:
        """Compute discounted visits to states with a decision; policy over habit, (A, S); derivatives of the backup."""
        problem = self.problem
        acting = problem.available & ~problem.fixed
        share = jnp.where(acting, jnp.exp(jnp.where(acting, action_values(problem, values) - values, 0.0)), 0.0)
        jacobian = backup_jacobian(problem, values, habit[:, None] * share)
        from_start = jax.linear_transpose(lambda right: solve_linear(problem, jacobian, right, 0.0), values)
        visits = jnp.where(problem.fixed, 0.0, from_start(problem.initial)[0])
        noise = 64 * jnp.finfo(visits.dtype).eps * visits.sum()  # rounding error in states that are not visited
        return jnp.where(visits > noise, visits, 0.0), share, jacobian

    def slopes(self, habit: Array, at: Growth) -> Any:
        """Compute minus the derivative of the growth factors with respect to log q, (A, A)."""
        problem = self.problem
        visits, share, jacobian = self.visits(habit, at.values)
        # By action a: derivatives of the value of a state, and of Q of its actions, by log q(a), in units of q(a).
        values_move = jax.vmap(lambda right: solve_linear(problem, jacobian, right))(share)
        ahead = jax.vmap(lambda moved: action_values(problem, moved) - problem.reward)(values_move)
        q_moves = habit[:, None, None] * ahead + jnp.eye(len(habit))[:, :, None]
        advantage_moves = q_moves - (habit[:, None] * values_move)[:, None]
        moved = jnp.einsum("acs,bcs->ba", visits * habit[:, None] * share * advantage_moves, ahead)
        moved = (moved + jnp.einsum("s,bs,abs->ba", visits, share, advantage_moves)) / visits.sum()
        return jnp.diag(at.growth) + at.growth[:, None] * (habit @ moved) - moved


Frontier: TypeAlias = KnownValues | PlannedValues


def with_habit(problem: Problem, log_habit: Array) -> Problem:
    """Return the problem with a cost of divergence from a habit, whatever actions are available."""
    return dataclasses.replace(problem, default=jnp.broadcast_to(log_habit[:, None], problem.available.shape))


@jax.custom_jvp
def best_habit(frontier: Frontier, start: Array) -> Any:
    """Compute q by rounds of Blahut and Arimoto, which are monotone, or damped Newton steps where these gain more."""
    eps, least = jnp.finfo(start.dtype).eps, jnp.finfo(start.dtype).tiny ** 0.5  # smallest q: its inverse is finite
    equivalent = (frontier.table[:, None] == frontier.table).all(axis=-1)  # equivalent actions have equal probabilities

    def unfinished(carry):
        _, at, _, _, step = carry
        return (step == 0) | ((step < _ROUNDS) & ~(jnp.log(at.growth.max()) <= _GAP * at.rounding))

    def moved(habit, change):
        habit = jnp.maximum(habit * jnp.exp(change - change.max()), least)
        habit = equivalent @ habit / equivalent.sum(axis=1)
        return habit / habit.sum()

    def better(carry):
        both, last, _, damping, step = carry
        ats = jax.vmap(lambda habit: frontier.grow(habit, last.values))(both)
        smaller_gap = ats.growth[1].max() < ats.growth[0].max()  # decides where the objectives differ by rounding only
        newton_is_better = ats.value[1] > ats.value[0] + ats.rounding[0] * jnp.where(smaller_gap, -1, 1)
        habit, at = jax.tree.map(lambda each: each[jnp.where(newton_is_better, 1, 0)], (both, ats))
        least_damping = 1e3 * eps
        raised_damping = jnp.where(damping > 0.1, least_damping, 10 * damping)
        damping = jnp.where(newton_is_better, jnp.maximum(damping / 10, least_damping), raised_damping)
        matrix = _slackened(frontier.slopes(habit, at), at) + damping * jnp.eye(at.growth.size)
        change = solve(matrix, at.growth - 1.0)
        newton = change * jnp.minimum(1.0, _FARTHEST / abs(change).max())
        log_growth = jnp.log(jnp.maximum(at.growth, least))
        candidates = jnp.stack([moved(habit, log_growth), moved(habit, newton)])
        return candidates, at, habit, damping, step + 1

    shapes = jax.eval_shape(lambda habit: frontier.grow(habit, None), start)
    zero_growth = jax.tree.map(lambda shaped: jnp.zeros(shaped.shape, shaped.dtype), shapes)
    damping = jnp.asarray(1e4 * eps, start.dtype)
    return lax.while_loop(unfinished, better, (jnp.stack([start, start]), zero_growth, start, damping, 0))[2]


@best_habit.defjvp
def _best_habit_jvp(primals: tuple[Frontier, Array], tangents: tuple[Frontier, Array]) -> Any:
    (frontier, start), (direction, _) = primals, tangents
    habit = best_habit(frontier, start)
    at, moved = jax.jvp(lambda frontier: frontier.grow(habit, None), (frontier,), (direction,))
    # For equivalent actions there are many solutions; this is the one of smallest norm.
    matrix = _slackened(frontier.slopes(habit, at), at)
    spread = jnp.linalg.pinv(matrix, rtol=1e4 * jnp.finfo(habit.dtype).eps)
    return habit, habit * (spread @ moved.growth)


def _slackened(slopes: Array, at: Growth) -> Any:
    """Return the matrix of Newton's method; actions of vanishing probability decrease by their growth factor."""
    slack = 1.0 - at.growth
    return slopes + jnp.diag(jnp.where(slack > 1e3 * _GAP * at.rounding, slack, 0.0))
