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

from goalinf.planning.bellman import Backup, Problem, backup, backup_jacobian
from goalinf.planning.solution import size, tolerance
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.types import Numeric

_MAX_STEPS = 100
_MAX_CAREFUL = 300  # rounds of a Newton step or ten sweeps; discount 0.99 needs that many
_PATIENCE = 8  # Newton steps without progress: policy iteration may need as many to find the best actions
_SWEEPS = 10  # sweeps of value iteration before the first Newton step: they cost less than one and save about two


def fixed_point(problem: Problem, kind: Backup, initial_guess: Numeric | None = None) -> Float[Array, " S"]:
    """Solve for the fixed point of a backup, with implicit derivatives.

    Newton's method starts from the values ``initial_guess`` where they are given and finite. A hard backup ignores
    them: from values that are not the values of a policy, an undiscounted greedy policy may never reach an end.
    """
    if initial_guess is None or kind == "hard":
        return _solve(problem, None, kind)
    return _solve(problem, jnp.where(jnp.isfinite(initial_guess).all(), initial_guess, 0.0), kind)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _solve(problem: Problem, initial_guess: Array | None, kind: Backup) -> Float[Array, " S"]:
    if kind == "mean" or problem.outcomes is not None:
        return _safeguarded_newton(problem, kind, initial_guess)
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
        largest = 0.1 if initial_guess is not None else jnp.where(step == 0, 1e-3, 0.1)
        accuracy = jnp.clip(size(change), 1e-6, largest) if kind == "soft" else 1e-11
        updated = values + solve_linear(problem, backup_jacobian(problem, values, policy), change, accuracy)
        if initial_guess is None:
            sweeps = jnp.where(step == 0, _SWEEPS, 0)
            updated = lax.fori_loop(0, sweeps, lambda _, values: backup(problem, values, kind)[0], updated)
        backed_up, policy = backup(problem, updated, kind)
        return updated, backed_up - updated, policy, size(change), step + 1

    if initial_guess is not None:
        backed_up, policy = backup(problem, initial_guess, kind)
        start = (initial_guess, backed_up - initial_guess, policy, jnp.full_like(initial_guess[0], jnp.inf), 0)
        return lax.while_loop(unfinished, newton, start)[0]

    # The first step evaluates the uniform policy: finite wherever the problem can end, and below every fixed point.
    n_available = problem.available.sum(axis=0)
    uniform = jnp.where(problem.fixed, 0.0, problem.available / n_available)
    reward = jnp.sum(uniform * problem.reward, axis=0) + (jnp.log(n_available) if kind == "soft" else 0.0)
    reward = jnp.where(problem.fixed, problem.fixed_value, reward)
    start = (jnp.zeros_like(reward), reward, uniform, jnp.full_like(reward[0], jnp.inf), 0)
    return lax.while_loop(unfinished, newton, start)[0]


def _safeguarded_newton(problem: Problem, kind: Backup, initial_guess: Array | None) -> Float[Array, " S"]:
    """Solve by Newton's method for backups that need be neither monotone nor smooth, by default from values of zero.

    Where several steps in a row do not reduce the residual, sweeps of value iteration follow from the best values so
    far; sweeps of the mean backup, which is no contraction, have step size one half. Where there are several fixed
    points, the result depends on the start.
    """
    goal = tolerance(problem.reward.dtype)
    start = jnp.where(problem.fixed, problem.fixed_value, 0.0 if initial_guess is None else initial_guess)
    patience, pace = (1, 0.5) if kind == "mean" else (_PATIENCE, 1.0)

    def unfinished(carry):
        (values, change, _), (_, best_change, _), last, _, step = carry
        scale = 1.0 + size(values)
        stalled = (step > 3) & (size(change) >= 0.5 * last) & (size(change) <= 1e-12 * scale)
        diverged = ~jnp.isfinite(size(best_change))  # there are no finite values to continue from
        return (step < _MAX_CAREFUL) & ~(size(change) <= goal * scale) & ~stalled & ~diverged

    def at(values):
        backed_up, dv_dq = backup(problem, values, kind)
        return values, backed_up - values, dv_dq

    def improve(carry):
        current, best, _, n_failures, step = carry
        values, change, dv_dq = current
        newton = at(values + solve_linear(problem, backup_jacobian(problem, values, dv_dq), change))
        improved = size(newton[1]) < 0.5 * size(best[1])  # False where it is not a number
        n_failures = jnp.where(improved, 0, jnp.where(jnp.isfinite(size(newton[1])), n_failures + 1, patience))
        restart = n_failures >= patience
        following = lax.cond(restart, lambda: at(sweep(best[0])), lambda: newton)
        best = jax.tree.map(lambda new, old: jnp.where(improved | restart, new, old), following, best)
        return following, best, size(change), jnp.where(restart, 0, n_failures), step + 1

    def sweep(values):
        relax = lambda _, values: values + pace * (backup(problem, values, kind)[0] - values)  # noqa: E731
        return lax.fori_loop(0, _SWEEPS, relax, values)

    first = at(start if kind == "mean" else sweep(start))
    return lax.while_loop(unfinished, improve, (first, first, jnp.inf, 0, 0))[0][0]


@_solve.defjvp
def _solve_jvp(
    kind: Backup, primals: tuple[Problem, Array | None], tangents: tuple[Problem, Array | None]
) -> tuple[Array, Array]:
    (problem, initial_guess), (direction, _) = primals, tangents
    values = _solve(problem, initial_guess, kind)
    policy = backup(problem, values, kind)[1]
    _, change = jax.jvp(lambda perturbed: backup(perturbed, values, kind)[0], (problem,), (direction,))
    return values, solve_linear(problem, backup_jacobian(problem, values, policy), change)
