"""Solutions of planning problems: the plan record, its residual, and the tolerance of a solver."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from goalinf.planning.bellman import Backup, Problem, backup
from goalinf.types import Numeric

LOG_PROB_ERROR = 1e-3  # largest accepted rounding error of a log-probability


class Plan(eqx.Module):
    """Values and action values that a planner returns; with a finite horizon both have a time axis.

    The plans of several problems have a leading axis G.

    Parameters
    ----------
    q : float (A, S) or (T, A, S)
        beta times Q.
    values : float (S,) or (T, S)
        beta times V.
    residual : float
        Relative residual of the fixed point; zero with a finite horizon.
    """

    q: Float[Array | np.ndarray, "*T A S"]
    values: Float[Array | np.ndarray, "*T S"]
    residual: Float[Array | np.ndarray, "*G"]


def residual(
    problem: Problem, values: Float[Array | np.ndarray, "*G S"], kind: Backup
) -> Float[Array | np.ndarray, "*G"]:
    r"""Compute the relative residual of a fixed point, :math:`\max|T(V) - V| / (1 + \max|V|)`, without derivative."""
    if problem.xp is not np:
        problem, values = lax.stop_gradient((problem, values))
    relative = size(backup(problem, values, kind)[0] - values) / (1.0 + size(values))
    return np.asarray(relative) if isinstance(relative, float) else relative


def tolerance(dtype: jnp.dtype) -> float:
    """Return the residual at which a problem counts as solved: 64 units of rounding."""
    return 64 * float(jnp.finfo(dtype).eps)


def size(x: Numeric) -> Any:
    """Return the largest absolute value along the last axis."""
    absolute: Any = abs(x)  # mypy: object, for an array of either kind
    return absolute.max(axis=-1)


def solved(residual: Numeric, values: Numeric) -> Any:
    """Return True where every fixed point was reached; traceable.

    The relative residual has to be within a thousand times the tolerance of the solver. Where values diverge because
    there is no fixed point, the relative residual decreases as they grow: the absolute residual has to be small, too.
    """
    worst = residual.max()
    error = worst * (1.0 + size(values).max())
    return (worst <= 1e3 * tolerance(worst.dtype)) & (error <= _error_allowed(worst.dtype))


def _error_allowed(dtype: np.dtype) -> float:
    # In float32 the rounding of values of a few thousand exceeds the limit of float64: the relative residual decides.
    return LOG_PROB_ERROR if np.dtype(dtype) == np.float64 else 0.1
