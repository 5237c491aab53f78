"""The null space of a matrix, with an absolute tolerance."""

from __future__ import annotations

import dataclasses

import numpy as np

_NEEDLESS_ROWS = 2  # ratio of rows to columns above which the rows are first reduced by QR


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """Null space of a matrix.

    Parameters
    ----------
    basis : float (n, P)
        Orthonormal rows.
    singular_values : float (P,)
        Singular values of the matrix, largest first; zeros if it has fewer rows than columns.
    gap : float
        Ratio of the smallest nonzero singular value to the largest that counts as zero; infinite if one is missing.
    """

    basis: np.ndarray
    singular_values: np.ndarray
    gap: float

    @property
    def dimension(self) -> int:
        """Number of independent directions that the matrix maps to zero."""
        return len(self.basis)


def kernel(matrix: np.ndarray, tolerance: float) -> Kernel:
    """Compute the null space of a matrix ``(R, P)``: singular directions up to an *absolute* tolerance.

    A tolerance relative to the largest singular value gives a null space of dimension zero for a matrix of rounding
    errors, such as the Jacobian of a world with one action per state.
    """
    n_columns = matrix.shape[1]
    if len(matrix) > _NEEDLESS_ROWS * n_columns > 0:
        matrix = np.asarray(np.linalg.qr(matrix, mode="r"))
    padded = np.concatenate([matrix, np.zeros((max(n_columns - len(matrix), 0), n_columns))])
    _, sizes, directions = np.linalg.svd(padded, full_matrices=False)
    null = sizes <= tolerance
    smallest, largest_null = sizes[~null].min(initial=np.inf), sizes[null].max(initial=0.0)
    gap = float(smallest / largest_null) if largest_null > 0 and np.isfinite(smallest) else float("inf")
    return Kernel(directions[null], sizes, gap)
