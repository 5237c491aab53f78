r"""Planning on the host: the same backups with SciPy's sparse factorization, nothing to compile.

A policy, a mode or the posterior over a few goals takes milliseconds here, and seconds to compile. The steps are those
of :mod:`goalinf.agents.solver`; every linear system is factorized (LAPACK, SuperLU) instead of iterated. Where every
choice has one outcome, hard planning needs no linear system at all.
"""

from __future__ import annotations

import dataclasses
import threading
import weakref
from functools import cache
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse import csgraph
from scipy.sparse.linalg import spilu, splu
from threadpoolctl import ThreadpoolController

from goalinf.agents.bellman import Backup, Problem, backup, log_sum_exp
from goalinf.agents.checks import solved
from goalinf.agents.solver import residual
from goalinf.worlds import MDP

DENSE_STATES = 200  # so many are faster in a dense array
_ANY_STATES = 1500  # so many may be connected in any way
_BAND = 5_000_000  # states times bandwidth of a larger world whose factorization stays sparse, such as a grid
# For SuperLU: the diagonal dominates, so that no pivots are needed, and states share few successors, so that to treat
# several columns together as a panel costs more than it saves.
_DIAGONAL: dict[str, Any] = {"diag_pivot_thresh": 0.0, "panel_size": 1, "options": {"SymmetricMode": True}}
_MAX_STEPS = 100
_MAX_SWEEPS = 500  # steps of the longest way that is looked for; linear systems find longer ones
_SWEEPS = 10
_NEAR = 0.1  # residual in nats up to which factors may be old: further out they can lead in circles
_FAST = 0.3  # factor by which a step with old factors has to shrink the residual: ten of them cost one factorization
_RUNAWAY = 1e9  # values so large are looked at closely
_STEPS_TOGETHER = 40  # with old factors for many problems at once, where they cost as much as solving one by itself


def factorable(mdp: MDP) -> bool:
    """Whether its linear systems are cheap to factorize: a small world, or one in which steps are short."""
    n_states = mdp.n_states
    if n_states <= _ANY_STATES:
        return True
    rows, columns = np.tile(np.arange(n_states), len(mdp.neighbors)), np.asarray(mdp.neighbors).ravel()
    graph = sparse.csr_array((np.ones(columns.size), (rows, columns)), shape=(n_states, n_states))
    place = np.empty(n_states, int)
    place[csgraph.reverse_cuthill_mckee(sparse.csr_array(graph + graph.T), symmetric_mode=True)] = np.arange(n_states)
    return n_states * int(np.abs(place[rows] - place[columns]).max()) <= _BAND


class Calm:
    """Linear algebra on one thread where the arrays are small: to wake a second one costs three times what it saves.

    The setting is one of the process: the first thread that comes in makes it, the last one that leaves undoes it.
    """

    _lock, _inside = threading.Lock(), 0
    _limit: ClassVar[Any] = None

    def __init__(self, n_states: int):
        self._small = n_states <= DENSE_STATES

    def __enter__(self) -> None:
        if self._small:
            with Calm._lock:
                Calm._inside += 1
                if Calm._inside == 1:
                    Calm._limit = _libraries().limit(limits=1, user_api="blas")

    def __exit__(self, *error: Any) -> None:
        if self._small:
            with Calm._lock:
                Calm._inside -= 1
                if Calm._inside == 0:
                    Calm._limit.restore_original_limits()


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


class Factors:
    r""":math:`I - \gamma P_\pi`, factorized; rows of pinned states are those of the identity.

    Raises
    ------
    RuntimeError
        Where the matrix is singular.
    """

    def __init__(self, problem: Problem, policy: Any):
        n_states = problem.pinned.size
        here = np.arange(n_states)
        weights = -problem.discount * np.einsum("as,aus->us", policy, problem.weights)
        self._dense = n_states <= DENSE_STATES
        if self._dense:
            matrix = np.zeros((n_states, n_states))
            np.add.at(matrix, (here, problem.neighbors), weights)
            matrix[here, here] += 1.0
            self._lu, self._pivots, place = lapack.dgetrf(matrix, overwrite_a=True)
            if place > 0:
                raise RuntimeError("the matrix is singular")
            return
        self._pattern = _Pattern.of(problem.neighbors)
        self._super = splu(self._pattern.matrix(weights), permc_spec="NATURAL", **_DIAGONAL)

    def solve(self, right: Any) -> np.ndarray:
        """Solve for one right-hand side ``(S,)`` or several ``(S, F)``."""
        if self._dense:
            return self._substitute(right, trans=0)
        return self._pattern.restored(self._super.solve(right[self._pattern.order]))

    def solve_transposed(self, right: Any) -> np.ndarray:
        """The same with the transposed matrix."""
        if self._dense:
            return self._substitute(right, trans=1)
        return self._pattern.restored(self._super.solve(right[self._pattern.order], trans="T"))

    def _substitute(self, right: Any, trans: int) -> np.ndarray:
        # SciPy counts the pivots from one while it calls LAPACK, in place: every thread needs some of its own.
        return lapack.dgetrs(self._lu, self._pivots.copy(), right, trans=trans)[0]


class _Pattern:
    """Places of the entries of sparse matrices of one world, whose states are eliminated in a certain order.

    Parameters
    ----------
    neighbors : int (U, S)
        States that may follow each state.
    order : int (S,)
        Which state is eliminated first, second, ….
    """

    _known: ClassVar[dict[int, _Pattern]] = {}

    def __init__(self, neighbors: Any, order: np.ndarray):
        place = np.argsort(order)
        rows, columns = np.tile(place, 1 + len(neighbors)), np.concatenate([place, place[neighbors].ravel()])
        entries, self._entry = np.unique(columns * order.size + rows, return_inverse=True)
        self._rows = (entries % order.size).astype(np.intc)
        self._first = np.searchsorted(entries, order.size * np.arange(order.size + 1)).astype(np.intc)
        self.order = order

    @classmethod
    def of(cls, neighbors: Any) -> _Pattern:
        """The pattern of a world in an order that keeps its factors sparse: found once, it serves all of its policies.

        Worlds are recognized by the array of their neighbors, and forgotten together with it.
        """
        if id(neighbors) not in cls._known:
            as_given = cls(neighbors, np.arange(neighbors.shape[1]))
            example = as_given.matrix(np.full(neighbors.shape, -0.5 / len(neighbors)))
            # Only the order is wanted: factors of which everything small is dropped cost half as much.
            found = spilu(example, drop_tol=1.0, fill_factor=1.0, permc_spec="MMD_AT_PLUS_A", **_DIAGONAL)
            cls._known[id(neighbors)] = cls(neighbors, np.argsort(found.perm_c))
            weakref.finalize(neighbors, cls._known.pop, id(neighbors), None)
        return cls._known[id(neighbors)]

    def matrix(self, weights: np.ndarray) -> sparse.csc_array:
        """The identity plus the weights ``(U, S)`` of the neighbors."""
        values = np.concatenate([np.ones(self.order.size), weights.ravel()])
        data = np.bincount(self._entry, values, self._rows.size)
        return sparse.csc_array((data, self._rows, self._first), shape=2 * self.order.shape)

    def restored(self, x: np.ndarray) -> np.ndarray:
        """Numbers for the states ``(S,)`` or ``(S, F)``, from the order of elimination back to that of the world."""
        restored = np.empty_like(x)
        restored[self.order] = x
        return restored


def transitions(problem: Problem) -> sparse.csr_array:
    """Transition probabilities of every choice, ``(A * S, S)``."""
    n_actions, width, n_states = problem.weights.shape
    columns, rows = np.tile(problem.neighbors.T.ravel(), n_actions), np.arange(0, problem.weights.size + 1, width)
    chances = problem.weights.transpose(0, 2, 1).ravel()
    return sparse.csr_array((chances, columns, rows), shape=(n_actions * n_states, n_states))


def fixed_point(
    problem: Problem, kind: Backup, start: np.ndarray | None = None, factors: Factors | None = None
) -> np.ndarray:
    """Values at which the backup changes nothing, to rounding; not a number where there are none.

    ``start`` are values nearby, such as those of a reward that is a little different (ignored where they are not
    finite); ``factors`` those of a policy nearby. Soft backups use them, and go on with the same factors while these
    bring them closer fast enough. Where the problem is that of several rewards, so are the values.
    """
    values = _best_ways(problem) if kind == "hard" else np.full(problem.pinned.shape, np.nan)
    if values.ndim == 1:
        return values if np.isfinite(values).all() else _newton(problem, kind, start, factors)
    for g in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        values[g] = _newton(problem.one(g), kind, None if start is None else start[g], factors)
    return values


def _best_ways(problem: Problem) -> np.ndarray:
    """Hard values where every choice has one outcome, by value iteration from below; elsewhere not finite.

    A state is worth minus infinity until a way to a pinned one is known; each sweep learns the ways of one more step.
    When all of the best ways are known nothing changes any more, not even in rounding, unless it pays to go round in
    circles. What is found are the values of a policy that gets to an end, as undiscounted planning needs them.
    """
    discount, n_states = problem.discount, problem.neighbors.shape[1]
    sure = discount > 0 and (problem.weights.max(axis=1) == 1.0).all()
    if not (sure and problem.pinned.any()):
        return np.full(problem.pinned.shape, np.nan)
    following = problem.neighbors[problem.weights.argmax(axis=1), np.arange(n_states)]
    # The rewards come last here: what is gathered are then whole rows.
    income = np.where(problem.available, problem.reward, -np.inf).reshape(-1, *following.shape)
    income = np.ascontiguousarray(np.moveaxis(income, 0, -1))
    pinned, pins = (np.ascontiguousarray(x.reshape(-1, n_states).T) for x in (problem.pinned, problem.pins))
    values: Any = np.where(pinned, pins, -np.inf)
    for _ in range(min(n_states, _MAX_SWEEPS)):
        last = values
        ahead = (discount * last).take(following, axis=0)
        ahead += income
        values = ahead.max(axis=0)
        np.copyto(values, pins, where=pinned)
        if (values == last).all():
            return values.T.reshape(problem.pinned.shape)
    return np.full(problem.pinned.shape, np.nan)


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
            # Quadratic convergence ends at rounding level, where the change stops shrinking.
            stalled = renewed and step > 3 and last <= 2 * size <= 2e-6 * scale
            if not size > 64 * np.finfo(float).eps * scale or stalled:
                break
            if renewed := factors is None or kind == "hard" or size > min(_NEAR, _FAST * last):
                factors = Factors(problem, policy)
            values, last = values + factors.solve(change), size
    except RuntimeError:  # a singular matrix: the problem does not end
        return np.full(problem.pinned.size, np.nan)
    return values


def _from_below(problem: Problem, kind: Backup) -> Any:
    """Values of the uniform policy, and some sweeps: finite wherever the problem can end, and below the fixed point."""
    choices = problem.available.sum(axis=0)
    uniform = np.where(problem.pinned, 0.0, problem.available / choices)
    income = (uniform * problem.reward).sum(axis=0) + (np.log(choices) if kind == "soft" else 0.0)
    values: Any = Factors(problem, uniform).solve(np.where(problem.pinned, problem.pins, income))
    for _ in range(_SWEEPS):
        values = backup(problem, values, kind)[0]
    return values


def fixed_points(
    problem: Problem, moves: sparse.csr_array, rewards: np.ndarray, start: np.ndarray, factors: Factors
) -> np.ndarray:
    """Soft values ``(S, B)`` of many rewards ``(A, S, B)`` at once; not a number where there are none.

    ``moves`` are the :func:`transitions`, ``start (S, B)`` values nearby, ``factors`` those of a policy nearby. All
    rewards take steps with these factors, each of which is combined with the two before it (Anderson 1965); what they
    do not reach is solved by itself.
    """
    available = problem.available[..., None]
    found = np.full_like(start, np.nan)
    column, income, values = np.arange(start.shape[1]), rewards, start
    before: list[tuple[np.ndarray, np.ndarray]] = []  # values and the steps from there
    for _ in range(_STEPS_TOGETHER):
        q = income + problem.discount * (moves @ values).reshape(income.shape)
        backed_up = log_sum_exp(np.where(available, q, -np.inf))
        backed_up[problem.pinned] = problem.pins[problem.pinned, None]
        change = backed_up - values
        left = np.abs(change).max(axis=0) > 64 * np.finfo(float).eps * (1.0 + np.abs(values).max(axis=0))
        if not left.all():
            found[:, column[~left]] = values[:, ~left]
            column, income, values, change = column[left], income[..., left], values[:, left], change[:, left]
            before = [(v[:, left], f[:, left]) for v, f in before]
        if not column.size:
            break
        step = factors.solve(change)
        following = values + step
        if before:
            bends = np.stack([step - f for _, f in before])
            gram = np.einsum("isb,jsb->bij", bends, bends)
            ridge = 1e-14 * np.trace(gram, axis1=1, axis2=2) + 1e-300
            gram += ridge[:, None, None] * np.eye(len(before))
            share = np.linalg.solve(gram, np.einsum("isb,sb->bi", bends, step)[..., None])[..., 0].T
            for bend, (v, _), weight in zip(bends, before, share, strict=True):
                following = following - weight * (values - v + bend)
        before = [*before[-1:], (values, step)]
        values = following
    # Where there is no fixed point values can run away until every change is within their rounding.
    for number in np.flatnonzero(~(np.abs(found).max(axis=0) < _RUNAWAY)):
        one = dataclasses.replace(problem, reward=rewards[..., number])
        found[:, number] = soft_values(one, start[:, number], factors)
    return found


def soft_values(problem: Problem, start: np.ndarray | None = None, factors: Factors | None = None) -> np.ndarray:
    """The soft fixed point, from values nearby or, where those lead nowhere, from below; not a number without one."""
    for values in (fixed_point(problem, "soft", *near) for near in ((start, factors), ())):
        if solved(residual(problem, values, "soft"), values):
            return values
    return np.full(problem.pinned.size, np.nan)
