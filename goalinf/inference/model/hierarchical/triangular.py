"""Triangular roots of small matrices, one for each unit: loops are unrolled, without LAPACK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp


class Root(NamedTuple):
    """Lower triangular root L of matrices of few rows.

    Parameters
    ----------
    rows : tuple of tuple of float (U, E)
        Entries on and below the diagonal.
    """

    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, total: Any) -> Root:
        """Factorize matrices :math:`1 + T` with ``total`` (U, Q, Q, E)."""
        return cls.factorized(total.shape[1], lambda i, j: total[:, i, j] + (1.0 if i == j else 0.0))

    @classmethod
    def factorized(cls, size: int, entry: Callable[[int, int], Any]) -> Root:
        """Factorize matrices, given their entries by row and column, on and below the diagonal."""
        rows: list[tuple[Any, ...]] = []
        for i in range(size):
            row: list[Any] = []
            for j in range(i + 1):
                remaining = entry(i, j) - sum(row[k] * (row[k] if i == j else rows[j][k]) for k in range(j))
                row.append(jnp.sqrt(remaining) if i == j else remaining / rows[j][j])
            rows.append(tuple(row))
        return cls(tuple(rows))

    def solve(self, right: Any) -> Any:
        """Return :math:`L^{-1} b` for (U, Q, E)."""
        solved: list[Any] = []
        for i, row in enumerate(self.rows):
            solved.append((right[:, i] - sum(row[k] * solved[k] for k in range(i))) / row[i])
        return jnp.stack(solved, axis=1)

    def solve_transposed(self, right: Any) -> Any:
        r"""Return :math:`L^{-\top} b` for (U, Q, E)."""
        solved: dict[int, Any] = {}
        for i in reversed(range(len(self.rows))):
            later = sum(self.rows[k][i] * solved[k] for k in range(i + 1, len(self.rows)))
            solved[i] = (right[:, i] - later) / self.rows[i][i]
        return jnp.stack([solved[i] for i in range(len(self.rows))], axis=1)

    def times(self, right: Any) -> Any:
        """Return :math:`L b` for (U, Q, E)."""
        return jnp.stack([sum(row[k] * right[:, k] for k in range(i + 1)) for i, row in enumerate(self.rows)], axis=1)

    def times_transposed(self, right: Any) -> Any:
        r"""Return :math:`L^\top b` for (U, Q, E)."""
        size = len(self.rows)
        products = [sum(self.rows[k][i] * right[:, k] for k in range(i, size)) for i in range(size)]
        return jnp.stack(products, axis=1)

    @property
    def log_det(self) -> Any:
        """Sum of the logarithms of the diagonals."""
        return sum(jnp.log(jnp.broadcast_to(row[-1], self.rows[0][0].shape)).sum() for row in self.rows)


class Scale(NamedTuple):
    r"""Root :math:`A = D L` of the covariance of deviations, from standard deviations and correlations.

    Parameters
    ----------
    sd : float (Q, E)
        Standard deviations, the diagonal of D.
    root : Root, optional
        Root L of the correlations. None: deviations are independent.
    """

    sd: Any
    root: Root | None

    def times(self, standard: Any) -> Any:
        """Return :math:`A v` for (U, Q, E)."""
        return self.sd * (standard if self.root is None else self.root.times(standard))

    def times_transposed(self, right: Any) -> Any:
        r"""Return :math:`A^\top b` for (U, Q, E)."""
        scaled = self.sd * right
        return scaled if self.root is None else self.root.times_transposed(scaled)

    def solve(self, deviations: Any) -> Any:
        """Return :math:`A^{-1} u` for (U, Q, E)."""
        standard = deviations / self.sd
        return standard if self.root is None else self.root.solve(standard)

    def whitened(self, total: Any) -> Any:
        r"""Return :math:`A^\top T A` for matrices (U, Q, Q, E)."""
        scaled = self.sd[:, None] * total * self.sd
        if self.root is None:
            return scaled
        half = jnp.swapaxes(self.root.times_transposed(scaled), 1, 2)
        return self.root.times_transposed(half)

    def part(self, start: int, stop: int) -> Scale:
        """Return the root of the conditional covariance of some deviations, given those before them."""
        rows = None if self.root is None else Root(tuple(row[start:] for row in self.root.rows[start:stop]))
        return Scale(self.sd[start:stop], rows)

    @property
    def log_det(self) -> Any:
        """Sum of the logarithms of the diagonals, over entries."""
        return jnp.log(self.sd).sum() + (0.0 if self.root is None else self.root.log_det)
