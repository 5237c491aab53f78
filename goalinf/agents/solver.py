r"""The fixed point of the Bellman backup, solved to a stated residual and differentiated implicitly.

:math:`V = T(V;\theta)` is solved by Newton's method, which for these backups is policy iteration:
:math:`V \leftarrow V + (I - \gamma P_\pi)^{-1}(T(V) - V)` with :math:`\pi` the policy the backup follows at
:math:`V` (Puterman and Brumelle 1979). Its derivative is one linear solve with the same matrix,
:math:`dV = (I - \gamma P_\pi)^{-1}\,\partial_\theta T\,d\theta`; one ``custom_jvp`` rule serves forward, reverse
and second order. Small worlds factorize the matrix; large ones use BiCGSTAB on sparse backups.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from goalinf.agents.bellman import Backup, Problem, backup

DENSE_STATES = 160  # up to here an LU factorization is cheaper than iterating
_MAX_STEPS = 100
_FORCING = 1e-3  # of an iterative solve inside Newton: the next residual is this, or quadratic, whichever is larger


def fixed_point(problem: Problem, kind: Backup) -> Float[Array, " S"]:
    """Values at which the backup changes nothing, with implicit derivatives."""
    return _solve(problem, kind)


def residual(problem: Problem, values: Float[Array, " S"], kind: Backup) -> Float[Array, ""]:
    r"""How far the values are from a fixed point: :math:`\max|T(V) - V| / (1 + \max|V|)`; no derivative."""
    problem, values = lax.stop_gradient((problem, values))
    return _size(backup(problem, values, kind)[0] - values) / (1.0 + _size(values))


def tolerance(dtype: jnp.dtype) -> float:
    """Residual that counts as solved: 64 units of rounding."""
    return 64 * float(jnp.finfo(dtype).eps)


def _size(x: Float[Array, " S"]) -> Float[Array, ""]:
    return jnp.max(jnp.abs(x))


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _solve(problem: Problem, kind: Backup) -> Float[Array, " S"]:
    goal = tolerance(problem.reward.dtype)

    def unfinished(carry):
        values, change, _, last, step = carry
        scale = 1.0 + _size(values)
        # Quadratic convergence ends at rounding level, where the change stops shrinking.
        stalled = (step > 3) & (_size(change) >= 0.5 * last) & (_size(change) <= 1e-6 * scale)
        return (step < _MAX_STEPS) & (_size(change) > goal * scale) & ~stalled

    def newton(carry):
        values, change, policy, _, step = carry
        moved = values + solve_linear(problem, policy, change, _FORCING)
        backed_up, policy = backup(problem, moved, kind)
        return moved, backed_up - moved, policy, _size(change), step + 1

    # The value of choosing uniformly: finite wherever the problem can end, and below every fixed point.
    choices = problem.available.sum(axis=0)
    uniform = jnp.where(problem.pinned, 0.0, problem.available / choices)
    income = jnp.sum(uniform * problem.reward, axis=0) + (jnp.log(choices) if kind == "soft" else 0.0)
    values = solve_linear(problem, uniform, jnp.where(problem.pinned, problem.pins, income), _FORCING)
    backed_up, policy = backup(problem, values, kind)
    start = (values, backed_up - values, policy, jnp.full_like(values[0], jnp.inf), 0)
    return lax.while_loop(unfinished, newton, start)[0]


@_solve.defjvp
def _solve_jvp(kind: Backup, primals, tangents):
    (problem,), (direction,) = primals, tangents
    values = _solve(problem, kind)
    policy = backup(problem, values, kind)[1]
    _, change = jax.jvp(lambda moved: backup(moved, values, kind)[0], (problem,), (direction,))
    return values, solve_linear(problem, policy, change)


def solve_linear(
    problem: Problem, policy: Float[Array, "A S"], right: Float[Array, " S"], accuracy: float = 1e-11
) -> Float[Array, " S"]:
    r"""Solve :math:`(I - \gamma P_\pi)\,x = b`; rows of pinned states are those of the identity.

    ``accuracy`` is the relative residual that suffices where the solution is iterated; the default
    leaves derivatives exact to about 1e-8 even where it is amplified by :math:`1/(1-\gamma)` = 1000.
    """
    weights = problem.discount * jnp.einsum("as,aus->us", policy, problem.weights)
    n_states = right.shape[0]
    if n_states <= DENSE_STATES:
        rows = jnp.arange(n_states)
        matrix = jnp.eye(n_states, dtype=weights.dtype).at[rows[None], problem.neighbors].add(-weights)
        return jnp.linalg.solve(matrix, right)

    def apply(x):
        return x - jnp.sum(weights * x[problem.neighbors], axis=0)

    def iterate(matvec, b):
        precision = max(accuracy, tolerance(b.dtype))
        return jax.scipy.sparse.linalg.bicgstab(matvec, b, tol=precision, atol=0.0, maxiter=10 * _MAX_STEPS)[0]

    return lax.custom_linear_solve(apply, right, iterate, transpose_solve=iterate)
