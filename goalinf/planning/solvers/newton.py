r"""Fixed point of the Bellman backup in compiled code, solved to a stated residual and differentiated implicitly.

:math:`V = T(V;\theta)` is solved by Newton's method, which for these backups is policy iteration:
:math:`V \leftarrow V + (I - \gamma P_\pi)^{-1}(T(V) - V)` with :math:`\pi` the policy of the backup at
:math:`V` (Puterman and Brumelle 1979). Its derivative is one linear solve with the same matrix,
:math:`dV = (I - \gamma P_\pi)^{-1}\,\partial_\theta T\,d\theta`; one ``custom_jvp`` rule serves forward, reverse
and second order (see :mod:`goalinf.planning.solvers.bicgstab`).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from goalinf.planning.bellman import Backup, Problem, backup, passed_on
from goalinf.planning.solution import size, tolerance
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.types import Numeric

_MAX_STEPS = 100
_MAX_CAREFUL = 300  # rounds of a Newton step or ten sweeps; discount 0.99 needs that many
_PATIENCE = 8  # Newton steps without progress: policy iteration may need as many to find the best actions
_SWEEPS = 10  # sweeps of value iteration before the first Newton step: they cost less than one and save about two


def fixed_point(problem: Problem, kind: Backup, near: Numeric | None = None) -> Float[Array, " S"]:
    """Solve for the fixed point of a backup, with implicit derivatives.

    Newton's method starts from the values ``near`` where they are given and finite. A hard backup ignores them: from
    values that are not the values of a policy, an undiscounted greedy policy may never reach an end.
    """
    if near is None or kind == "hard":
        return _solve(problem, None, kind)
    return _solve(problem, jnp.where(jnp.isfinite(near).all(), near, 0.0), kind)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _solve(problem: Problem, near: Array | None, kind: Backup) -> Float[Array, " S"]:
    if kind == "mean" or problem.outcomes is not None:
        return _careful(problem, kind, near)
    goal = tolerance(problem.reward.dtype)

    def unfinished(carry):
        values, change, _, last, step = carry
        scale = 1.0 + size(values)
        # Quadratic convergence ends at rounding level, where the change stops decreasing.
        stalled = (step > 3) & (size(change) >= 0.5 * last) & (size(change) <= 1e-6 * scale)
        return (step == 0) | ((step < _MAX_STEPS) & (size(change) > goal * scale) & ~stalled)

    def newton(carry):
        values, change, policy, _, step = carry
        # Soft: as accurate as Newton's own error at this distance (values are in nats, curved on a scale of one).
        # Hard: exact, so that the values remain the values of a policy.
        soft = jnp.clip(size(change), 1e-6, 0.1 if near is not None else jnp.where(step == 0, 1e-3, 0.1))
        accuracy = soft if kind == "soft" else 1e-11
        moved = values + solve_linear(problem, passed_on(problem, values, policy), change, accuracy)
        if near is None:
            sweeps = jnp.where(step == 0, _SWEEPS, 0)
            moved = lax.fori_loop(0, sweeps, lambda _, values: backup(problem, values, kind)[0], moved)
        backed_up, policy = backup(problem, moved, kind)
        return moved, backed_up - moved, policy, size(change), step + 1

    if near is not None:
        backed_up, policy = backup(problem, near, kind)
        start = (near, backed_up - near, policy, jnp.full_like(near[0], jnp.inf), 0)
        return lax.while_loop(unfinished, newton, start)[0]

    # The first step evaluates the uniform policy: finite wherever the problem can end, and below every fixed point.
    choices = problem.available.sum(axis=0)
    uniform = jnp.where(problem.pinned, 0.0, problem.available / choices)
    reward = jnp.sum(uniform * problem.reward, axis=0) + (jnp.log(choices) if kind == "soft" else 0.0)
    reward = jnp.where(problem.pinned, problem.pins, reward)
    start = (jnp.zeros_like(reward), reward, uniform, jnp.full_like(reward[0], jnp.inf), 0)
    return lax.while_loop(unfinished, newton, start)[0]


def _careful(problem: Problem, kind: Backup, near: Array | None) -> Float[Array, " S"]:
    """Solve by Newton's method for backups that need be neither monotone nor smooth, by default from values of zero.

    Where several steps in a row do not reduce the residual, sweeps of value iteration follow from the best values so
    far; sweeps of the mean backup, which is no contraction, have step size one half. Where there are several fixed
    points, the result depends on the start.
    """
    goal = tolerance(problem.reward.dtype)
    start = jnp.where(problem.pinned, problem.pins, 0.0 if near is None else near)
    patience, pace = (1, 0.5) if kind == "mean" else (_PATIENCE, 1.0)

    def unfinished(carry):
        (values, change, _), (_, best_change, _), last, _, step = carry
        scale = 1.0 + size(values)
        stalled = (step > 3) & (size(change) >= 0.5 * last) & (size(change) <= 1e-12 * scale)
        lost = ~jnp.isfinite(size(best_change))  # there are no finite values to continue from
        return (step < _MAX_CAREFUL) & ~(size(change) <= goal * scale) & ~stalled & ~lost

    def at(values):
        backed_up, shares = backup(problem, values, kind)
        return values, backed_up - values, shares

    def improve(carry):
        here, best, _, missed, step = carry
        values, change, shares = here
        newton = at(values + solve_linear(problem, passed_on(problem, values, shares), change))
        good = size(newton[1]) < 0.5 * size(best[1])  # False where it is not a number
        missed = jnp.where(good, 0, jnp.where(jnp.isfinite(size(newton[1])), missed + 1, patience))
        lost = missed >= patience
        following = lax.cond(lost, lambda: at(swept(best[0])), lambda: newton)
        best = jax.tree.map(lambda new, old: jnp.where(good | lost, new, old), following, best)
        return following, best, size(change), jnp.where(lost, 0, missed), step + 1

    def swept(values):
        go = lambda _, values: values + pace * (backup(problem, values, kind)[0] - values)  # noqa: E731
        return lax.fori_loop(0, _SWEEPS, go, values)

    first = at(start if kind == "mean" else swept(start))
    return lax.while_loop(unfinished, improve, (first, first, jnp.inf, 0, 0))[0][0]


@_solve.defjvp
def _solve_jvp(
    kind: Backup, primals: tuple[Problem, Array | None], tangents: tuple[Problem, Array | None]
) -> tuple[Array, Array]:
    (problem, near), (direction, _) = primals, tangents
    values = _solve(problem, near, kind)
    policy = backup(problem, values, kind)[1]
    _, change = jax.jvp(lambda moved: backup(moved, values, kind)[0], (problem,), (direction,))
    return values, solve_linear(problem, passed_on(problem, values, policy), change)
