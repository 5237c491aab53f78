"""The null space of a matrix, with an absolute tolerance."""

from __future__ import annotations

import dataclasses

import numpy as np

_NEEDLESS_ROWS = 2  # this many times more rows than columns, and the rows are first folded by QR


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """The null space of a matrix.

    Parameters
    ----------
    basis : float (n, P)
        Orthonormal rows.
    singular_values : float (P,)
        Of the matrix, largest first; zeros where it has fewer rows than columns.
    gap : float
        Smallest singular value that counts over the largest that does not; infinite where one of them is missing.
    """

    basis: np.ndarray
    singular_values: np.ndarray
    gap: float

    @property
    def dimension(self) -> int:
        """Number of independent directions that the matrix maps to zero."""
        return len(self.basis)


def kernel(matrix: np.ndarray, tolerance: float) -> Kernel:
    """Null space of a matrix ``(R, P)``: singular directions up to an *absolute* tolerance.

    A tolerance relative to the largest singular value would find a null space of dimension zero for a matrix that is
    all rounding errors, as the Jacobian of a world without choices is.
    """
    n_columns = matrix.shape[1]
    if len(matrix) > _NEEDLESS_ROWS * n_columns > 0:
        matrix = np.asarray(np.linalg.qr(matrix, mode="r"))
    padded = np.concatenate([matrix, np.zeros((max(n_columns - len(matrix), 0), n_columns))])
    _, sizes, directions = np.linalg.svd(padded, full_matrices=False)
    null = sizes <= tolerance
    kept, dropped = sizes[~null].min(initial=np.inf), sizes[null].max(initial=0.0)
    gap = float(kept / dropped) if dropped > 0 and np.isfinite(kept) else float("inf")
    return Kernel(directions[null], sizes, gap)
