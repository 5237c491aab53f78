r"""Planning on the host: Newton's method with SciPy's sparse factorization, without compilation.

A policy, a mode or the posterior over a few goals takes milliseconds on the host, and seconds to compile. The steps are
those of :mod:`goalinf.planning.solvers.newton`; every linear system is factorized (LAPACK, SuperLU) instead of
iterated. Where every action has one outcome, hard planning needs no linear system.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import sparse

from goalinf.planning.bellman import Backup, Problem, backup
from goalinf.planning.log_space import log_sum_exp
from goalinf.planning.solution import residual, solved
from goalinf.planning.solvers.sparse_lu import Factors

_MAX_STEPS = 100
_MAX_SWEEPS = 500  # largest number of sweeps, the length of a path to an end; longer ones need linear systems
_SWEEPS = 10
_REUSED = 0.1  # residual in nats up to which old factors are used: for larger ones the steps can cycle
_FAST = 0.3  # largest ratio of residuals in a step with old factors: ten such steps cost one factorization
_RUNAWAY = 1e9  # values above this size are solved again, one problem at a time
_STEPS_TOGETHER = 40  # largest number of steps for many problems at once; they cost as much as solving one by itself


def fixed_point(
    problem: Problem, kind: Backup, start: np.ndarray | None = None, factors: Factors | None = None
) -> np.ndarray:
    """Solve for the fixed point of a backup, to rounding; not a number where there is none.

    ``start`` is an initial guess, such as the values of a similar reward (ignored where they are not finite);
    ``factors`` are the factors of a similar policy. Soft backups use them, and reuse the same factors while the
    residual decreases fast enough. For a problem of several rewards the values have a leading axis.
    """
    values = _deterministic_values(problem) if kind == "hard" else np.full(problem.fixed.shape, np.nan)
    if values.ndim == 1:
        return values if np.isfinite(values).all() else _newton(problem, kind, start, factors)
    for g in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        values[g] = _newton(problem.select(g), kind, None if start is None else start[g], factors)
    return values


def _deterministic_values(problem: Problem) -> np.ndarray:
    """Compute hard values where every action has one outcome, by value iteration from below; elsewhere not finite.

    The value of a state is minus infinity until a path to a state with a fixed value is known; each sweep adds the
    paths that are one step longer. When all optimal paths are known the values are constant, even in rounding, unless a
    loop has a positive return. The result are the values of a policy that reaches an end, as undiscounted planning
    requires.
    """
    discount, n_states = problem.discount, problem.neighbors.shape[1]
    deterministic = discount > 0 and (problem.weights.max(axis=1) == 1.0).all()
    if not (deterministic and problem.fixed.any()):
        return np.full(problem.fixed.shape, np.nan)
    following = problem.neighbors[problem.weights.argmax(axis=1), np.arange(n_states)]
    # The axis of rewards comes last, so that whole rows are gathered.
    reward = np.where(problem.available, problem.reward, -np.inf).reshape(-1, *following.shape)
    reward = np.ascontiguousarray(np.moveaxis(reward, 0, -1))
    fixed, fixed_value = (np.ascontiguousarray(x.reshape(-1, n_states).T) for x in (problem.fixed, problem.fixed_value))
    values: Any = np.where(fixed, fixed_value, -np.inf)
    for _ in range(min(n_states, _MAX_SWEEPS)):
        last = values
        q = (discount * last).take(following, axis=0)
        q += reward
        values = q.max(axis=0)
        np.copyto(values, fixed_value, where=fixed)
        if (values == last).all():
            return values.T.reshape(problem.fixed.shape)
    return np.full(problem.fixed.shape, np.nan)


def _newton(problem: Problem, kind: Backup, start: np.ndarray | None, factors: Factors | None) -> np.ndarray:
    try:
        if start is None or kind == "hard" or not np.isfinite(start).all():
            start = _from_below(problem, kind)
        values = start
        last, renewed = np.inf, False
        for step in range(_MAX_STEPS):
            backed_up, policy = backup(problem, values, kind)
            change = backed_up - values
            size, scale = np.abs(change).max(), 1.0 + np.abs(values).max()
            # Quadratic convergence ends at rounding level, where the change stops decreasing.
            stalled = renewed and step > 3 and last <= 2 * size <= 2e-6 * scale
            if not size > 64 * np.finfo(float).eps * scale or stalled:
                break
            if renewed := factors is None or kind == "hard" or size > min(_REUSED, _FAST * last):
                factors = Factors(problem, policy)
            values, last = values + factors.solve(change), size
    except RuntimeError:  # a singular matrix: the problem does not end
        return np.full(problem.fixed.size, np.nan)
    return values


def _from_below(problem: Problem, kind: Backup) -> Any:
    """Return values of the uniform policy after some sweeps: finite where the problem can end, below the solution."""
    n_available = problem.available.sum(axis=0)
    uniform = np.where(problem.fixed, 0.0, problem.available / n_available)
    reward = (uniform * problem.reward).sum(axis=0) + (np.log(n_available) if kind == "soft" else 0.0)
    values: Any = Factors(problem, uniform).solve(np.where(problem.fixed, problem.fixed_value, reward))
    for _ in range(_SWEEPS):
        values = backup(problem, values, kind)[0]
    return values


def fixed_points(
    problem: Problem, moves: sparse.csr_array, rewards: np.ndarray, start: np.ndarray, factors: Factors
) -> np.ndarray:
    """Compute soft values ``(S, B)`` of many rewards ``(A, S, B)`` at once; not a number where there are none.

    The axis of rewards comes last, so that whole rows are gathered and solved for; in a :class:`Problem` of several
    rewards it comes first, so that single problems can be selected.

    ``moves`` are the :func:`transitions`, ``start (S, B)`` an initial guess, ``factors`` the factors of a similar
    policy. All rewards take steps with these factors, each combined with the two steps before it (Anderson 1965);
    rewards that do not converge are solved one by one.
    """
    available = problem.available[..., None]
    solution = np.full_like(start, np.nan)
    column, reward, values = np.arange(start.shape[1]), rewards, start
    history: list[tuple[np.ndarray, np.ndarray]] = []  # values and the steps from there
    for _ in range(_STEPS_TOGETHER):
        q = reward + problem.discount * (moves @ values).reshape(reward.shape)
        backed_up = log_sum_exp(np.where(available, q, -np.inf))
        backed_up[problem.fixed] = problem.fixed_value[problem.fixed, None]
        change = backed_up - values
        unsolved = np.abs(change).max(axis=0) > 64 * np.finfo(float).eps * (1.0 + np.abs(values).max(axis=0))
        if not unsolved.all():
            solution[:, column[~unsolved]] = values[:, ~unsolved]
            column, reward, values, change = (
                column[unsolved],
                reward[..., unsolved],
                values[:, unsolved],
                change[:, unsolved],
            )
            history = [(v[:, unsolved], f[:, unsolved]) for v, f in history]
        if not column.size:
            break
        step = factors.solve(change)
        following = values + step
        if history:
            step_changes = np.stack([step - f for _, f in history])
            gram = np.einsum("isb,jsb->bij", step_changes, step_changes)
            ridge = 1e-14 * np.trace(gram, axis1=1, axis2=2) + 1e-300
            gram += ridge[:, None, None] * np.eye(len(history))
            coefficients = np.linalg.solve(gram, np.einsum("isb,sb->bi", step_changes, step)[..., None])[..., 0].T
            for step_change, (v, _), coefficient in zip(step_changes, history, coefficients, strict=True):
                following = following - coefficient * (values - v + step_change)
        history = [*history[-1:], (values, step)]
        values = following
    # Where there is no fixed point, values can diverge until every change is within their rounding.
    for column_number in np.flatnonzero(~(np.abs(solution).max(axis=0) < _RUNAWAY)):
        single_problem = dataclasses.replace(problem, reward=rewards[..., column_number])
        solution[:, column_number] = soft_values(single_problem, start[:, column_number], factors)
    return solution


def soft_values(problem: Problem, start: np.ndarray | None = None, factors: Factors | None = None) -> np.ndarray:
    """Solve for the soft fixed point from the initial guess or, where this fails, from below; else not a number."""
    for values in (fixed_point(problem, "soft", *initial) for initial in ((start, factors), ())):
        if solved(residual(problem, values, "soft"), values):
            return values
    return np.full(problem.fixed.size, np.nan)
