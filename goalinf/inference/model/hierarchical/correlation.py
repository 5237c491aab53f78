r"""Prior of correlations between effects: LKJ, on the pairs of effects.

.. math:: p(R) \propto |R|^{\eta - 1}

over correlation matrices R. Correlations are held as the entries of R below its diagonal, row by row, so that each of
them is a number of its own in tables and figures, and none is constant.

References
----------
Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and extended onion
method", section 3; the normalizing constant is their equation 16.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, LKJCholesky, biject_to, constraints
from numpyro.distributions.transforms import Transform
from scipy.special import betaln

from goalinf.inference.model.hierarchical.triangular import Root
from goalinf.types import Numeric, PRNGKey


def size_of(pairs: int) -> int:
    """Return the number of effects with this number of pairs."""
    return round((1 + (1 + 8 * pairs) ** 0.5) / 2)


def pair_names(effects: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all pairs of effects, in the order of the rows below the diagonal."""
    return tuple(f"{effects[j]}, {effects[i]}" for i in range(len(effects)) for j in range(i))


def root_of(correlations: Any) -> Root:
    """Return the triangular root of correlation matrices, given their pairs (P, E); NaN where there is none."""
    ones = jnp.ones_like(correlations[0])
    return Root.factorized(
        size_of(correlations.shape[0]), lambda i, j: ones if i == j else correlations[i * (i - 1) // 2 + j]
    )


class _Pairs(constraints.Constraint):
    """Pairs of correlation matrices, along the first axis of an event."""

    def __init__(self, event_dim: int):
        self._event_dim = event_dim

    @property
    def event_dim(self) -> int:
        """Number of axes: of pairs, and of the entries of the parameter."""
        return self._event_dim

    def __call__(self, value: Any) -> Any:
        """Return True where the matrices are positive definite."""
        pairs = jnp.moveaxis(jnp.asarray(value), -self._event_dim, 0)
        smallest = jnp.stack([row[-1] for row in root_of(pairs).rows]).min(axis=0)
        return (smallest > 0.0).all(axis=tuple(range(-self._event_dim + 1, 0)))

    def feasible_like(self, prototype: Any) -> Any:
        """Return correlations of zero."""
        return jnp.zeros_like(prototype)

    def tree_flatten(self) -> Any:
        """Return no arrays, and the number of axes."""
        return (), ((), {"_event_dim": self._event_dim})

    def eq(self, other: object, static: bool = False) -> bool:
        """Return True for the same number of axes."""
        return isinstance(other, _Pairs) and other.event_dim == self._event_dim


class _FromReals(Transform):
    r"""Map from real numbers to correlations, through partial correlations :math:`\tanh x`, as in NumPyro."""

    def __init__(self, event_dim: int):
        self._event_dim = event_dim

    @property
    def domain(self) -> constraints.Constraint:
        """All real numbers."""
        return constraints.independent(constraints.real, self._event_dim)

    @property
    def codomain(self) -> constraints.Constraint:
        """Pairs of correlation matrices."""
        return _Pairs(self._event_dim)

    def _first(self, value: Any) -> Any:
        return jnp.moveaxis(jnp.asarray(value), -self._event_dim, 0)

    def __call__(self, x: Any) -> Any:
        """Return correlations."""
        rows = self._rows(x)[0]
        pairs = [sum(rows[i][k] * rows[j][k] for k in range(j + 1)) for i in range(len(rows)) for j in range(i)]
        return jnp.moveaxis(jnp.stack(pairs), 0, -self._event_dim)

    def _inverse(self, y: Any) -> Any:
        partial, rows = [], root_of(self._first(y)).rows
        for row in rows:
            remaining = jnp.ones_like(row[-1])
            for entry in row[:-1]:
                partial.append(jnp.arctanh(entry / jnp.sqrt(remaining)))
                remaining = remaining - entry**2
        return jnp.moveaxis(jnp.stack(partial), 0, -self._event_dim)

    def _rows(self, x: Any) -> tuple[list[list[Any]], Any]:
        """Return the rows of the triangular root, and the logarithm of the slope of the root."""
        first = self._first(x)
        partial = jnp.tanh(first)
        log_slope = jnp.log1p(-(partial**2)).sum(axis=0)
        rows, number = [[jnp.ones_like(partial[0])]], 0
        for i in range(1, size_of(len(partial))):
            row, remaining = [], jnp.ones_like(partial[0])
            for _ in range(i):
                row.append(partial[number] * jnp.sqrt(remaining))
                log_slope = log_slope + 0.5 * jnp.log(remaining)
                remaining = remaining * (1.0 - partial[number] ** 2)
                number += 1
            rows.append([*row, jnp.sqrt(remaining)])
        return rows, log_slope

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        """Return the logarithm of the volume of correlations by real numbers."""
        rows, log_slope = self._rows(x)
        of_pairs = [(len(rows) - 1 - i) * jnp.log(row[-1]) for i, row in enumerate(rows)]
        return (log_slope + sum(of_pairs)).sum(axis=tuple(range(-self._event_dim + 1, 0)))

    def tree_flatten(self) -> Any:
        """Return no arrays, and the number of axes."""
        return (), ((), {"_event_dim": self._event_dim})

    def eq(self, other: object, static: bool = False) -> bool:
        """Return True for the same number of axes."""
        return isinstance(other, _FromReals) and other._event_dim == self._event_dim


def _to_pairs(constraint: _Pairs) -> _FromReals:
    return _FromReals(constraint.event_dim)


biject_to.register(_Pairs, _to_pairs)


class Correlations(Distribution):
    """LKJ prior of the correlations of all pairs of effects, (P, E); matrices of different entries are independent.

    Parameters
    ----------
    concentration : float
        Concentration; 1 is uniform over correlation matrices, and larger numbers favor correlations near zero.
    size : int
        Number of effects, at least 2.
    entries : tuple of int
        Axes E of the parameter.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_aux_fields = ("concentration", "size", "entries")

    def __init__(self, concentration: float, size: int, entries: tuple[int, ...] = ()):
        self.concentration, self.size, self.entries = concentration, size, entries
        super().__init__(event_shape=(size * (size - 1) // 2, *entries))

    @property
    def support(self) -> constraints.Constraint:
        """Pairs of positive definite matrices."""
        return _Pairs(len(self.event_shape))

    def log_prob(self, value: Numeric) -> Any:
        """Return the log density of all pairs."""
        correlations = jnp.moveaxis(jnp.asarray(value), -len(self.event_shape), 0)
        log_det = 2.0 * jnp.stack([jnp.log(row[-1]) for row in root_of(correlations).rows]).sum(axis=0)
        log_density = (self.concentration - 1.0) * log_det - self._log_constant
        return log_density.sum(axis=tuple(range(-len(self.entries), 0)))

    @property
    def _log_constant(self) -> float:
        others = np.arange(self.size - 1, 0, -1)  # d - k in the paper
        exponent = 2.0 * (self.concentration - 1.0) + others
        shape = self.concentration + (others - 1.0) / 2.0
        return float((others * (exponent * np.log(2.0) + betaln(shape, shape))).sum())

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw the correlations of all pairs."""
        root = LKJCholesky(self.size, self.concentration).sample(key, (*sample_shape, *self.entries))
        below = jnp.tril_indices(self.size, -1)
        pairs = jnp.matmul(root, jnp.swapaxes(root, -1, -2), precision=jax.lax.Precision.HIGHEST)[(..., *below)]
        return jnp.moveaxis(pairs, -1, len(sample_shape))
