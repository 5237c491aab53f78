r"""Linear systems of derivatives and of policy iteration, :math:`(I - \gamma P_\pi)\,x = b`, in compiled code.

In small worlds the matrix is factorized. In others the system is solved by BiCGSTAB (van der Vorst 1992) with sparse
sweeps; a sweep of a few hundred states is a thousand times cheaper than a factorization. Where the iteration stalls,
the matrix is factorized in worlds of up to ``RESCUED_STATES``. Transposed systems (reverse mode) gather over
predecessors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from goalinf.planning.bellman import Problem, add_up
from goalinf.planning.solvers.dense_lu import solve

DENSE_STATES = 48  # up to this size a factorization is cheaper than an iteration
RESCUED_STATES = 1500  # up to this size a factorization has an acceptable cost
_PATIENCE = 100  # iterations before a factorization
_LAST_RESORT = 1000  # iterations where the world is too large for a factorization


def solve_linear(
    problem: Problem, weights: Float[Array, "U S"], right: Float[Array, " S"], accuracy: ArrayLike = 1e-11
) -> Float[Array, " S"]:
    r"""Solve :math:`(I - \gamma P_\pi)\,x = b`; rows of states with a fixed value are rows of the identity.

    ``weights`` are the entries of :math:`\gamma P_\pi`, by neighbor and state.

    ``accuracy`` is the residual, relative to b, at which an iteration stops; with the default, derivatives are accurate
    to about 1e-8 even where the residual is amplified by :math:`1/(1-\gamma)` = 1000.
    """
    n_states = right.shape[0]

    def matrix(weights):
        rows = jnp.arange(n_states)
        return jnp.eye(n_states, dtype=weights.dtype).at[rows[None], problem.neighbors].add(-weights)

    if n_states <= DENSE_STATES:
        return solve(matrix(weights), right)

    def sweep(factors, indices):
        return lambda x: x - add_up(lambda u: factors[u] * x[indices[u]], len(factors))

    def transposed():
        if not len(problem.origins):  # a state has very many predecessors: a scatter is cheaper than padded lists
            return lambda x: x.at[problem.neighbors].add(-weights * x)
        # Weights are gathered once, so that a sweep over predecessors costs as much as a sweep over successors.
        return sweep(jnp.append(weights.ravel(), 0.0)[problem.origins], problem.origins % n_states)

    def iterate(apply, matrix, b):
        precision = jnp.maximum(accuracy, 64 * jnp.finfo(b.dtype).eps)
        if n_states > RESCUED_STATES:
            return bicgstab(apply, b, precision, _LAST_RESORT)[0]

        # A loop of at most one round: no matrix is factorized where no problem of a batch needs it. The barrier keeps
        # the matrix inside the loop; otherwise the compiler moves the factorization out of the loop.
        def rescue(carry):
            _, kept_weights = lax.optimization_barrier((carry, weights))
            return solve(matrix(kept_weights), b), True

        solution = bicgstab(apply, b, precision, _PATIENCE)
        return lax.while_loop(lambda carry: ~carry[1], rescue, solution)[0]

    apply = sweep(weights, problem.neighbors)
    return lax.custom_linear_solve(
        apply,
        right,
        solve=lambda _, b: iterate(apply, matrix, b),
        transpose_solve=lambda _, b: iterate(transposed(), lambda weights: matrix(weights).T, b),
    )


def bicgstab(
    apply: Callable[[Any], Any], b: Float[Array, " S"], accuracy: ArrayLike, patience: int
) -> tuple[Float[Array, " S"], Any]:
    """Iterate to a residual of ``accuracy`` relative to b; also return True where it was reached.

    The shadow residual is a fixed random vector. The usual one, b itself, breaks down for right-hand sides that are
    symmetric or sparse, such as ones and unit vectors, which occur in derivatives.
    """

    def dot(x, y):
        return jnp.sum(x * y)

    shadow = jnp.asarray(np.random.default_rng(0).normal(size=b.shape), b.dtype)
    goal = accuracy**2 * dot(b, b)

    def unfinished(carry):
        _, residual, _, _, step = carry
        size = dot(residual, residual)
        return (size > goal) & jnp.isfinite(size) & (step < patience)

    def improve(carry):
        x, residual, direction, rho, step = carry
        along = apply(direction)
        alpha = rho / dot(shadow, along)
        half = residual - alpha * along
        after = apply(half)
        length = dot(after, after)
        omega = jnp.where(length > 0.0, dot(after, half) / length, 0.0)
        x = x + alpha * direction + omega * half
        residual = half - omega * after
        last, rho = rho, dot(shadow, residual)
        direction = residual + rho / last * alpha / omega * (direction - omega * along)
        # The residual decides when to stop, so that an undefined direction after the last step has no effect.
        return x, residual, direction, rho, step + 1

    x, residual, *_ = lax.while_loop(unfinished, improve, (jnp.zeros_like(b), b, b, dot(shadow, b), 0))
    return x, dot(residual, residual) <= goal
