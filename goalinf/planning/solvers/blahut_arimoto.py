r"""The habit on the frontier of reward and information: what is done alike everywhere, at the best.

A policy is a softmax around a habit q; the mutual information of states and actions, which it is charged for, is
smallest where q is the marginal of the policy. The iteration of Blahut and Arimoto, accelerated, finds such a habit to
a stated gap; its derivatives are those of the equation that it solves.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from goalinf.planning.bellman import Problem, action_values, passed_on
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.planning.solvers.newton import fixed_point

_ROUNDS = 1000  # forty suffice
_GAP = 64  # units of rounding that the rate, in nats, may be wrong by
_FARTHEST = 8.0  # nats that a choice may gain or lose in a round


class Growth(NamedTuple):
    """What a habit is worth, and how it grows.

    Parameters
    ----------
    growth : float (A,)
        What q is multiplied by to become the marginal of its policy.
    value : float
        What is to be maximal, in nats.
    rounding : float
        By how much that may be wrong.
    values : float (S,) or ()
        Values of the states, where they go with the habit.
    """

    growth: Any
    value: Any
    rounding: Any
    values: Any


class Given(eqx.Module):
    """Where values are given: p(s), (S,), and exp Q, (A, S), up to a factor for each state."""

    visits: Any
    gains: Any

    @property
    def table(self) -> Any:
        """What tells choices apart, (A, …)."""
        return self.gains

    def grow(self, habit: Any, near: Any) -> Growth:
        """How this habit grows."""
        share, total = self._share(habit)
        rounding = jnp.asarray(8 * jnp.finfo(total.dtype).eps, total.dtype)
        return Growth(share @ self.visits, self.visits @ jnp.log(total), rounding, jnp.zeros_like(rounding))

    def slopes(self, habit: Any, at: Growth) -> Any:
        """How much less it grows with the logarithm of q, (A, A)."""
        share, _ = self._share(habit)
        return (self.visits * share) @ share.T * habit

    def _share(self, habit: Any) -> tuple[Any, Any]:
        met = self.visits > 0  # elsewhere there may be nothing that is ever done
        total = jnp.where(met, habit @ self.gains, 1.0)
        return jnp.where(met, self.gains / total, 0.0), total


class Foreseen(eqx.Module):
    r"""Where values are those of going on with the habit.

    They are convex in log q. With :math:`D` the discounted visits, :math:`n_a = \sum_s D\,\pi(a|s)` and :math:`H` the
    covariance, over choices and visits, of how Q moves with log q: :math:`\partial n_b / \partial \log q_a = H_{ab}`.
    """

    problem: Problem

    @property
    def table(self) -> Any:
        """What tells choices apart, (A, …)."""
        problem = self.problem
        parts = (problem.reward[:, None], problem.weights, problem.available[:, None].astype(problem.reward.dtype))
        return jnp.concatenate(parts, axis=1).reshape(len(problem.reward), -1)

    def grow(self, habit: Any, near: Any) -> Growth:
        """How this habit grows."""
        values = fixed_point(with_habit(self.problem, jnp.log(habit)), "soft", near)
        visits, share, _ = self.visits(habit, values)
        rounding = 2 * jnp.finfo(values.dtype).eps * (1.0 + abs(values).max())
        return Growth(share @ visits / visits.sum(), self.problem.initial @ values, rounding, values)

    def visits(self, habit: Any, values: Any) -> tuple[Any, Any, Any]:
        """Discounted visits to states where something is chosen; policy over habit, (A, S); what is passed on."""
        problem = self.problem
        acting = problem.available & ~problem.pinned
        share = jnp.where(acting, jnp.exp(jnp.where(acting, action_values(problem, values) - values, 0.0)), 0.0)
        passed = passed_on(problem, values, habit[:, None] * share)
        from_start = jax.linear_transpose(lambda right: solve_linear(problem, passed, right, 0.0), values)
        visits = jnp.where(problem.pinned, 0.0, from_start(problem.initial)[0])
        noise = 64 * jnp.finfo(visits.dtype).eps * visits.sum()  # where nobody comes, there is nothing else
        return jnp.where(visits > noise, visits, 0.0), share, passed

    def slopes(self, habit: Any, at: Growth) -> Any:
        """How much less it grows with the logarithm of q, (A, A)."""
        problem = self.problem
        visits, share, passed = self.visits(habit, at.values)
        # By action a: how the value of a state, and Q of its choices, move with log q(a), in units of q(a).
        values_move = jax.vmap(lambda right: solve_linear(problem, passed, right))(share)
        ahead = jax.vmap(lambda moved: action_values(problem, moved) - problem.reward)(values_move)
        q_moves = habit[:, None, None] * ahead + jnp.eye(len(habit))[:, :, None]
        apart = q_moves - (habit[:, None] * values_move)[:, None]
        moved = jnp.einsum("acs,bcs->ba", visits * habit[:, None] * share * apart, ahead)
        moved = (moved + jnp.einsum("s,bs,abs->ba", visits, share, apart)) / visits.sum()
        return jnp.diag(at.growth) + at.growth[:, None] * (habit @ moved) - moved


def with_habit(problem: Problem, log_habit: Any) -> Problem:
    """The problem of who is charged for every departure from a habit, whatever is available."""
    return dataclasses.replace(problem, default=jnp.broadcast_to(log_habit[:, None], problem.available.shape))


@jax.custom_jvp
def best_habit(frontier: Given | Foreseen, start: Any) -> Any:
    """q: rounds of Blahut and Arimoto, which never lose, or damped ones of Newton where these gain more."""
    eps, least = jnp.finfo(start.dtype).eps, jnp.finfo(start.dtype).tiny ** 0.5  # of a habit: its inverse is finite
    alike = (frontier.table[:, None] == frontier.table).all(axis=-1)  # such choices are made equally often

    def unfinished(carry):
        _, at, _, _, step = carry
        return (step == 0) | ((step < _ROUNDS) & ~(jnp.log(at.growth.max()) <= _GAP * at.rounding))

    def moved(habit, change):
        habit = jnp.maximum(habit * jnp.exp(change - change.max()), least)
        habit = alike @ habit / alike.sum(axis=1)
        return habit / habit.sum()

    def better(carry):
        both, last, _, damping, step = carry
        ats = jax.vmap(lambda habit: frontier.grow(habit, last.values))(both)
        nearer = ats.growth[1].max() < ats.growth[0].max()  # decides where the values differ by rounding
        good = ats.value[1] > ats.value[0] + ats.rounding[0] * jnp.where(nearer, -1, 1)
        habit, at = jax.tree.map(lambda each: each[jnp.where(good, 1, 0)], (both, ats))
        lowest = 1e3 * eps
        more = jnp.where(damping > 0.1, lowest, 10 * damping)
        damping = jnp.where(good, jnp.maximum(damping / 10, lowest), more)
        matrix = _slackened(frontier.slopes(habit, at), at) + damping * jnp.eye(at.growth.size)
        change = jnp.linalg.solve(matrix, at.growth - 1.0)
        newton = change * jnp.minimum(1.0, _FARTHEST / abs(change).max())
        plain = jnp.log(jnp.maximum(at.growth, least))
        candidates = jnp.stack([moved(habit, plain), moved(habit, newton)])
        return candidates, at, habit, damping, step + 1

    shapes = jax.eval_shape(lambda habit: frontier.grow(habit, None), start)
    nothing = jax.tree.map(lambda shaped: jnp.zeros(shaped.shape, shaped.dtype), shapes)
    damping = jnp.asarray(1e4 * eps, start.dtype)
    return lax.while_loop(unfinished, better, (jnp.stack([start, start]), nothing, start, damping, 0))[2]


@best_habit.defjvp
def _best_habit_jvp(primals: Any, tangents: Any) -> Any:
    (frontier, start), (direction, _) = primals, tangents
    habit = best_habit(frontier, start)
    at, moved = jax.jvp(lambda frontier: frontier.grow(habit, None), (frontier,), (direction,))
    # Choices that are alike everywhere share what they have: there are many solutions, and this is the smallest.
    matrix = _slackened(frontier.slopes(habit, at), at)
    spread = jnp.linalg.pinv(matrix, rtol=1e4 * jnp.finfo(habit.dtype).eps)
    return habit, habit * (spread @ moved.growth)


def _slackened(slopes: Any, at: Growth) -> Any:
    """The matrix of Newton's method, in which choices that are not made shrink at their own pace."""
    slack = 1.0 - at.growth
    return slopes + jnp.diag(jnp.where(slack > 1e3 * _GAP * at.rounding, slack, 0.0))
