"""Linear systems on the host: factorization (LAPACK, SuperLU), the worlds that allow it, and threads."""

from __future__ import annotations

import threading
import weakref
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse import csgraph
from scipy.sparse.linalg import spilu, splu
from threadpoolctl import ThreadpoolController

from goalinf.planning.bellman import Problem
from goalinf.types import Numeric
from goalinf.worlds import MDP

_LIBRARIES = ThreadpoolController()  # searches the loaded libraries once, before many others are loaded
DENSE_STATES = 200  # up to this size a dense array is faster
_ANY_STATES = 1500  # up to this size a world is factorized whatever its connections
_BAND = 5_000_000  # states times bandwidth of a larger world whose factorization is sparse, such as a grid
# For SuperLU: the diagonal dominates, so that no pivots are needed, and states share few successors, so that panels of
# several columns cost more than they save.
_DIAGONAL: dict[str, Any] = {"diag_pivot_thresh": 0.0, "panel_size": 1, "options": {"SymmetricMode": True}}


def factorable(mdp: MDP) -> bool:
    """Return True where linear systems are cheap to factorize: in a small world, or one with a small bandwidth."""
    n_states = mdp.n_states
    if n_states <= _ANY_STATES:
        return True
    rows, columns = np.tile(np.arange(n_states), len(mdp.neighbors)), np.asarray(mdp.neighbors).ravel()
    graph = sparse.csr_array((np.ones(columns.size), (rows, columns)), shape=(n_states, n_states))
    position = np.empty(n_states, int)
    order = csgraph.reverse_cuthill_mckee(sparse.csr_array(graph + graph.T), symmetric_mode=True)
    position[order] = np.arange(n_states)
    return n_states * int(np.abs(position[rows] - position[columns]).max()) <= _BAND


class OneThread:
    """Context in which linear algebra of small arrays uses one thread: a second one costs three times what it saves.

    The setting belongs to the process: the first thread that enters sets it, the last thread that leaves restores it.
    """

    _lock, _inside = threading.Lock(), 0
    _limit: ClassVar[Any] = None

    def __init__(self, n_states: int):
        self._small = n_states <= DENSE_STATES

    def __enter__(self) -> None:
        if self._small:
            with OneThread._lock:
                OneThread._inside += 1
                if OneThread._inside == 1:
                    OneThread._limit = _LIBRARIES.limit(limits=1, user_api="blas")

    def __exit__(self, *error: object) -> None:
        if self._small:
            with OneThread._lock:
                OneThread._inside -= 1
                if OneThread._inside == 0:
                    OneThread._limit.restore_original_limits()


class Factors:
    r"""Factorization of :math:`I - \gamma P_\pi`; rows of states with a fixed value are rows of the identity.

    Raises
    ------
    RuntimeError
        Where the matrix is singular.
    """

    def __init__(self, problem: Problem, policy: np.ndarray):
        n_states = problem.fixed.size
        states = np.arange(n_states)
        weights = -problem.discount * np.einsum("as,aus->us", policy, problem.weights)
        self._dense = n_states <= DENSE_STATES
        if self._dense:
            matrix = np.zeros((n_states, n_states))
            np.add.at(matrix, (states, problem.neighbors), weights)
            matrix[states, states] += 1.0
            self._lu, self._pivots, zero_pivot = lapack.dgetrf(matrix, overwrite_a=True)
            if zero_pivot > 0:
                raise RuntimeError("the matrix is singular")
            return
        self._pattern = _Pattern.of(problem.neighbors)
        self._super = splu(self._pattern.matrix(weights), permc_spec="NATURAL", **_DIAGONAL)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for one right-hand side ``(S,)`` or several ``(S, F)``."""
        if self._dense:
            return self._substitute(right, trans=0)
        return self._pattern.restored(self._super.solve(right[self._pattern.order]))

    def solve_transposed(self, right: np.ndarray) -> np.ndarray:
        """Solve with the transposed matrix."""
        if self._dense:
            return self._substitute(right, trans=1)
        return self._pattern.restored(self._super.solve(right[self._pattern.order], trans="T"))

    def _substitute(self, right: np.ndarray, trans: int) -> np.ndarray:
        # SciPy shifts the pivots in place while it calls LAPACK: every thread needs its own copy.
        return lapack.dgetrs(self._lu, self._pivots.copy(), right, trans=trans)[0]


class _Pattern:
    """Sparsity pattern of the matrices of one world, with an order of elimination of the states.

    Parameters
    ----------
    neighbors : int (U, S)
        States that may follow each state.
    order : int (S,)
        Number of the state that is eliminated first, second, ….
    """

    _cache: ClassVar[dict[int, _Pattern]] = {}

    def __init__(self, neighbors: Numeric, order: np.ndarray):
        position = np.argsort(order)
        rows, columns = np.tile(position, 1 + len(neighbors)), np.concatenate([position, position[neighbors].ravel()])
        entries, self._entry = np.unique(columns * order.size + rows, return_inverse=True)
        self._rows = (entries % order.size).astype(np.intc)
        self._first = np.searchsorted(entries, order.size * np.arange(order.size + 1)).astype(np.intc)
        self.order = order

    @classmethod
    def of(cls, neighbors: Numeric) -> _Pattern:
        """Return the pattern of a world in an order with sparse factors, computed once for all of its policies.

        Worlds are identified by the array of their neighbors; the pattern is deleted together with this array.
        """
        if id(neighbors) not in cls._cache:
            as_given = cls(neighbors, np.arange(neighbors.shape[1]))
            example = as_given.matrix(np.full(neighbors.shape, -0.5 / len(neighbors)))
            # Only the order is needed: an incomplete factorization costs half as much.
            incomplete = spilu(example, drop_tol=1.0, fill_factor=1.0, permc_spec="MMD_AT_PLUS_A", **_DIAGONAL)
            cls._cache[id(neighbors)] = cls(neighbors, np.argsort(incomplete.perm_c))
            weakref.finalize(neighbors, cls._cache.pop, id(neighbors), None)
        return cls._cache[id(neighbors)]

    def matrix(self, weights: np.ndarray) -> sparse.csc_array:
        """Return the identity plus the weights ``(U, S)`` of the neighbors."""
        values = np.concatenate([np.ones(self.order.size), weights.ravel()])
        data = np.bincount(self._entry, values, self._rows.size)
        return sparse.csc_array((data, self._rows, self._first), shape=2 * self.order.shape)

    def restored(self, x: np.ndarray) -> np.ndarray:
        """Reorder numbers for the states ``(S,)`` or ``(S, F)`` from the order of elimination to that of the world."""
        restored = np.empty_like(x)
        restored[self.order] = x
        return restored


def transitions(problem: Problem) -> sparse.csr_array:
    """Return the transition probabilities of every action, ``(A * S, S)``."""
    n_actions, width, n_states = problem.weights.shape
    columns, rows = np.tile(problem.neighbors.T.ravel(), n_actions), np.arange(0, problem.weights.size + 1, width)
    chances = problem.weights.transpose(0, 2, 1).ravel()
    return sparse.csr_array((chances, columns, rows), shape=(n_actions * n_states, n_states))
