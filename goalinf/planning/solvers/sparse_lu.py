"""Linear systems on the host: which worlds can be factorized, their factors (LAPACK, SuperLU), and their threads."""

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
from goalinf.worlds import MDP

_LIBRARIES = ThreadpoolController()  # looked for once, and before very many others are loaded
DENSE_STATES = 200  # so many are faster in a dense array
_ANY_STATES = 1500  # so many may be connected in any way
_BAND = 5_000_000  # states times bandwidth of a larger world whose factorization stays sparse, such as a grid
# For SuperLU: the diagonal dominates, so that no pivots are needed, and states share few successors, so that to treat
# several columns together as a panel costs more than it saves.
_DIAGONAL: dict[str, Any] = {"diag_pivot_thresh": 0.0, "panel_size": 1, "options": {"SymmetricMode": True}}


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
                    Calm._limit = _LIBRARIES.limit(limits=1, user_api="blas")

    def __exit__(self, *error: Any) -> None:
        if self._small:
            with Calm._lock:
                Calm._inside -= 1
                if Calm._inside == 0:
                    Calm._limit.restore_original_limits()


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
