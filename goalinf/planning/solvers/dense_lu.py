"""Dense linear systems in compiled code, factorized one matrix at a time on a CPU.

The factorization of a batch by LAPACK is divided among the threads that also run the program, and waits for them: where
as many programs run at once as there are threads, as chains do, they wait forever (jaxlib 0.10, ``ParallelBatchMap``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float


def solve(matrix: Float[Array, "S S"], right: Float[Array, " S"]) -> Float[Array, " S"]:
    """Solve a linear system; differentiable, and batched by ``vmap``."""
    lu, order = _factorize(lax.stop_gradient(matrix))
    return lax.custom_linear_solve(
        lambda x: matrix @ x,
        right,
        solve=lambda _, b: _substitute(lu, order, b[:, None])[:, 0],
        transpose_solve=lambda _, b: _substitute_transposed(lu, order, b[:, None])[:, 0],
    )


@custom_vmap
def _factorize(matrix: Array) -> tuple[Array, Array]:
    """Return the factors and the order of the rows."""
    lu, _, order = lax.linalg.lu(matrix)
    return lu, order


@_factorize.def_vmap
def _factorize_batch(_size: int, batched: list[bool], matrix: Array) -> tuple[tuple[Array, Array], tuple[bool, bool]]:
    if not batched[0]:
        return _factorize(matrix), (False, False)
    return _each(_factorize, lambda each: tuple(lax.linalg.lu(each)[::2]), matrix), (True, True)


def _solved(lu: Array, order: Array, right: Array) -> Array:
    """Solve for the columns of a matrix."""
    x = lax.linalg.triangular_solve(lu, right[order], left_side=True, lower=True, unit_diagonal=True)
    return lax.linalg.triangular_solve(lu, x, left_side=True, lower=False)


def _solved_transposed(lu: Array, order: Array, right: Array) -> Array:
    """Solve the transposed system for the columns of a matrix."""
    x = lax.linalg.triangular_solve(lu, right, left_side=True, lower=False, transpose_a=True)
    x = lax.linalg.triangular_solve(lu, x, left_side=True, lower=True, transpose_a=True, unit_diagonal=True)
    return jnp.zeros_like(x).at[order].set(x)


def _with_batches(solved: Callable[[Array, Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    """Return a function that takes a batch of right-hand sides of one matrix as columns, and of others in turn."""
    function = custom_vmap(solved)

    @function.def_vmap
    def batch(size: int, batched: list[bool], lu: Array, order: Array, right: Array) -> tuple[Array, bool]:
        if not batched[0]:
            columns = jnp.moveaxis(right, 0, 1).reshape(right.shape[1], -1)
            return jnp.moveaxis(function(lu, order, columns).reshape(right.shape[1], size, -1), 1, 0), True
        right = right if batched[2] else jnp.broadcast_to(right, (size, *right.shape))
        return _each(lambda each: function(*each), lambda all_: jax.vmap(solved)(*all_), (lu, order, right)), True

    return function


_substitute, _substitute_transposed = _with_batches(_solved), _with_batches(_solved_transposed)


def _each(function: Callable[[Any], Any], batched: Callable[[Any], Any], arguments: Any) -> Any:
    """Apply a function to every item in turn on a CPU, and at once on an accelerator."""
    return lax.platform_dependent(arguments, cpu=partial(lax.map, function), default=batched)
