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

from goalinf.agents.bellman import Backup, Problem, greedy, sweep

DENSE_STATES = 160  # up to here an LU factorization is cheaper than iterating
_MAX_STEPS = 100


def fixed_point(problem: Problem, backup: Backup) -> Float[Array, " S"]:
    """Values at which the backup changes nothing, with implicit derivatives."""
    return _solve(problem, backup)


def residual(problem: Problem, values: Float[Array, " S"], backup: Backup) -> Float[Array, ""]:
    r"""How far the values are from a fixed point: :math:`\max|T(V) - V| / (1 + \max|V|)`; no derivative."""
    problem, values = lax.stop_gradient((problem, values))
    gap = jnp.max(jnp.abs(sweep(problem, values, backup) - values))
    return gap / (1.0 + jnp.max(jnp.abs(values)))


def tolerance(dtype: jnp.dtype) -> float:
    """Residual that counts as solved: 64 units of rounding."""
    return 64 * float(jnp.finfo(dtype).eps)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _solve(problem: Problem, backup: Backup) -> Float[Array, " S"]:
    goal = tolerance(problem.reward.dtype)

    def unfinished(carry):
        values, change, last, step = carry
        size = jnp.max(jnp.abs(change))
        # Quadratic convergence ends at rounding level, where the gap stops shrinking.
        stalled = (step > 3) & (size >= 0.5 * last) & (size <= 1e-6 * (1.0 + jnp.max(jnp.abs(values))))
        return (step < _MAX_STEPS) & (size > goal * (1.0 + jnp.max(jnp.abs(values)))) & ~stalled

    def newton(carry):
        values, change, _, step = carry
        policy = greedy(problem, values, backup)
        values = values + solve_linear(problem, policy, change)
        return values, sweep(problem, values, backup) - values, jnp.max(jnp.abs(change)), step + 1

    # The value of choosing uniformly: finite wherever the problem can end, and below every fixed point.
    uniform = jnp.where(problem.pinned, 0.0, problem.available / problem.available.sum(axis=0))
    income = jnp.sum(uniform * problem.reward, axis=0)
    if backup == "soft":
        income = income + jnp.log(problem.available.sum(axis=0))
    values = solve_linear(problem, uniform, jnp.where(problem.pinned, problem.pins, income))
    change = sweep(problem, values, backup) - values
    values, *_ = lax.while_loop(unfinished, newton, (values, change, jnp.inf * jnp.ones_like(values[0]), 0))
    return values


@_solve.defjvp
def _solve_jvp(backup: Backup, primals, tangents):
    (problem,), (direction,) = primals, tangents
    values = _solve(problem, backup)
    _, change = jax.jvp(lambda moved: sweep(moved, values, backup), (problem,), (direction,))
    return values, solve_linear(problem, greedy(problem, values, backup), change)


def solve_linear(problem: Problem, policy: Float[Array, "A S"], right: Float[Array, " S"]) -> Float[Array, " S"]:
    r"""Solve :math:`(I - \gamma P_\pi)\,x = b`; rows of pinned states are those of the identity."""
    weights = problem.discount * jnp.einsum("as,aus->us", policy, problem.weights)
    n_states = right.shape[0]
    if n_states <= DENSE_STATES:
        rows = jnp.arange(n_states)
        matrix = jnp.eye(n_states, dtype=weights.dtype).at[rows[None], problem.neighbors].add(-weights)
        return jnp.linalg.solve(matrix, right)

    def apply(x):
        return x - jnp.sum(weights * x[problem.neighbors], axis=0)

    def iterate(matvec, b):
        precision = 2 * float(jnp.finfo(b.dtype).eps)
        return jax.scipy.sparse.linalg.bicgstab(matvec, b, tol=precision, atol=0.0, maxiter=20 * _MAX_STEPS)[0]

    return lax.custom_linear_solve(apply, right, iterate, transpose_solve=iterate)
