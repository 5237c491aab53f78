r"""Piecewise Chebyshev interpolation of several functions of one variable.

An interval is divided into pieces of equal length. On each piece a function is replaced by the polynomial through its
values at Q Chebyshev nodes, :math:`\sum_q c_q T_q(t)` with t in [-1, 1]. For an analytic function the error decreases
geometrically in Q (Trefethen 2019, *Approximation Theory and Approximation Practice*, Theorem 8.2).
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial.chebyshev import chebpts1, chebvander

from goalinf.types import Numeric

_NODES = 16  # of each piece
_PIECES = (32, 128)  # numbers of pieces that are tried in turn
_BETWEEN = (-0.93, 0.03, 0.96)  # points of each piece at which the interpolation is checked
_TOLERANCE = 1e-10  # largest error, relative to one plus the absolute value
_KINK = 1e-4  # such an error in the longest pieces, which is that of a function with kinks, whatever the pieces


class Piecewise(eqx.Module):
    """Interpolated functions.

    Parameters
    ----------
    coefficients : float (R, M, Q, K)
        Chebyshev coefficients of K functions for each of R rows, on M pieces.
    low, high : float
        The interval.
    """

    coefficients: Float[Array | np.ndarray, "R M Q K"]
    low: Float[Array | np.ndarray, ""]
    high: Float[Array | np.ndarray, ""]

    @classmethod
    def through(cls, function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> Piecewise | None:
        """Interpolate a function from points ``(B,)`` to values ``(B, K, R)``.

        Returns
        -------
        Piecewise or None
            None where the error at three further points of a piece exceeds 1e-10 (1 + absolute value).

        Raises
        ------
        FloatingPointError
            Where a value is not finite.
        """
        points = np.concatenate([chebpts1(_NODES), _BETWEEN])
        to_coefficients = np.linalg.inv(chebvander(chebpts1(_NODES), _NODES - 1))
        for count in _PIECES:
            edges = np.linspace(low, high, count + 1)
            at = edges[:-1, None] + 0.5 * (points + 1.0) * np.diff(edges)[:, None]
            values = np.asarray(function(at.ravel()), float)
            values = values.reshape(count, points.size, *values.shape[1:])
            if not np.isfinite(values).all():
                raise FloatingPointError(f"a value between {low:.3g} and {high:.3g} is not finite")
            coefficients = np.einsum("qn,mnkr->rmqk", to_coefficients, values[:, :_NODES])
            interpolated = np.einsum("pq,rmqk->mpkr", chebvander(_BETWEEN, _NODES - 1), coefficients)
            exact = values[:, _NODES:]
            error = (np.abs(interpolated - exact) / (1.0 + np.abs(exact))).max()
            if error <= _TOLERANCE:
                return cls(coefficients, np.asarray(float(low)), np.asarray(float(high)))
            if error > _KINK:
                break
        return None

    def summed(self, group: np.ndarray, count: int) -> Piecewise:
        """Return the sums of the functions over the rows of each group; ``group (R,)`` numbers the groups."""
        totals = np.zeros((count, *self.coefficients.shape[1:]))
        np.add.at(totals, group, self.coefficients)
        return Piecewise(totals, self.low, self.high)

    def __call__(self, x: Float[Array | np.ndarray, " R"]) -> Array:
        """Evaluate the functions of every row at its point, (K, R); minus infinity outside the interval."""
        pieces, nodes = self.coefficients.shape[1:3]
        position = (x - self.low) / (self.high - self.low) * pieces
        inside = (position >= 0.0) & (position <= pieces)
        position = jnp.where(inside, position, 0.0)
        piece = jnp.clip(jnp.floor(position).astype(int), 0, pieces - 1)
        t = 2.0 * (position - piece) - 1.0
        basis: list[Numeric] = [jnp.ones_like(t), t]
        while len(basis) < nodes:
            basis.append(2.0 * t * basis[-1] - basis[-2])
        coefficients = jnp.asarray(self.coefficients)[jnp.arange(t.size), piece]
        values = jnp.einsum("rqk,qr->kr", coefficients, jnp.stack(basis))
        return jnp.where(inside, values, -jnp.inf)
