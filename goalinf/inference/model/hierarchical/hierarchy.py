"""Distribution of the values of a parameter at all levels, and the standardized differences that samplers see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution, TransformedDistribution, constraints

from goalinf.inference.model.hierarchical.design_matrix import Design
from goalinf.planning.parameters import entry_prior
from goalinf.planning.pooling import link_of
from goalinf.types import Numeric, PRNGKey

Values = Mapping[str, Any]  # site name -> value


class Evidence(NamedTuple):
    """Normal approximation of the likelihood of every level, on the scale of the link; zeros: no information.

    Parameters
    ----------
    precision : float (U, C, E)
        Inverse variance, at least 0.
    weighted : float (U, C, E)
        Precision times the mean.
    """

    precision: Numeric
    weighted: Numeric


class Root(NamedTuple):
    """Lower triangular root L of matrices :math:`1 + T` of few rows; loops are unrolled, without LAPACK.

    Parameters
    ----------
    rows : tuple of tuple of float (U, E)
        Entries on and below the diagonal.
    """

    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, total: Any) -> Root:
        """Factorize matrices with ``total`` (U, Q, Q, E)."""
        rows: list[tuple[Any, ...]] = []
        for i in range(total.shape[1]):
            row: list[Any] = []
            for j in range(i + 1):
                entry = total[:, i, j] + (1.0 if i == j else 0.0)
                entry = entry - sum(row[k] * (row[k] if i == j else rows[j][k]) for k in range(j))
                row.append(jnp.sqrt(entry) if i == j else entry / rows[j][j])
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

    def times_transposed(self, right: Any) -> Any:
        r"""Return :math:`L^\top b` for (U, Q, E)."""
        size = len(self.rows)
        products = [sum(self.rows[k][i] * right[:, k] for k in range(i, size)) for i in range(size)]
        return jnp.stack(products, axis=1)

    @property
    def log_det(self) -> Any:
        """Sum of the logarithms of the diagonals."""
        return sum(jnp.log(jnp.broadcast_to(row[-1], self.rows[0][0].shape)).sum() for row in self.rows)


class Differences(Distribution):
    r"""Prior of standardized differences: :math:`\epsilon = L^\top v - w` with standard normal v, (U, Q, E).

    Parameters
    ----------
    root : Root
        L.
    white : float (U, Q, E)
        w.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("root", "white")

    def __init__(self, root: Root, white: Any):
        self.root, self.white = root, white
        super().__init__(event_shape=jnp.shape(white))

    @property
    def support(self) -> constraints.Constraint:
        """All real numbers."""
        return constraints.independent(constraints.real, len(self.event_shape))

    def log_prob(self, value: Numeric) -> Any:
        """Compute the log density of all differences."""
        standard = self.root.solve_transposed(jnp.asarray(value) + self.white)
        return dist.Normal().log_prob(standard).sum() - self.root.log_det

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw all differences; one draw at a time."""
        assert sample_shape == ()
        return self.root.times_transposed(jax.random.normal(key, jnp.shape(self.white))) - self.white


class Hierarchy(Distribution):
    r"""Distribution of the values of a parameter at all levels, with its group integrated out.

    On the scale of the link, the value of unit i at level l of its covariates is :math:`x_{il} = f_{il} + z_{il}^\top
    u_i`, with the fixed part f of the regression and deviations :math:`u_i \sim \mathrm{Normal}(0, \Sigma)`. Samplers
    see the deviations as standardized differences :math:`\epsilon_i` from their conditional mean given the group, where
    the likelihood of each level is replaced by a normal approximation with precision :math:`\tau_{il}` and mean
    :math:`\hat x_{il}`:

    .. math:: P_i = \Sigma^{-1} + \sum_l \tau_{il} z_{il} z_{il}^\top,\qquad
        u_i = P_i^{-1} \sum_l \tau_{il} z_{il} (\hat x_{il} - f_{il}) + P_i^{-1/2} \epsilon_i

    Without information (:math:`\tau = 0`) this is the non-centered parameterization, with much of it nearly the
    centered one; with a normal likelihood the differences are independent of the group and of each other.

    Parameters
    ----------
    name : str
        Name of the parameter. The group consists of the sites ``<name>.mean``, ``<name>.sd`` and one site for each term
        of the regression.
    prior : Distribution
        Prior of the median of the group; its axes E are those of one value.
    design : Design
        Units and covariates.
    sampled : bool
        True where the values themselves are a site, without covariates; False where the deviations are, from which the
        values are computed.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("prior",)
    pytree_aux_fields = ("name", "design", "sampled")

    def __init__(self, name: str, prior: Distribution, design: Design, *, sampled: bool):
        self.name, self.prior, self.design, self.sampled = name, prior, design, sampled
        super().__init__(event_shape=(*design.shape, *prior.shape()))

    @property
    def support(self) -> constraints.Constraint:
        """Support of the prior, for all values."""
        return constraints.independent(entry_prior(self.prior).support, len(self.event_shape))

    @property
    def site_shape(self) -> tuple[int, ...]:
        """Shape of the site: of the values by level, or of the deviations by unit (and effect, where several vary)."""
        if self.sampled:
            return tuple(self.event_shape)
        effects = (self.design.varying.shape[2],) if self.design.slopes else ()
        return (*self.design.unit_shape, *effects, *self.prior.shape())

    @property
    def deviations_shape(self) -> tuple[int, ...]:
        """Shape of the deviations (U, Q, E)."""
        return (self.design.units, self.design.varying.shape[2], *self.prior.shape())

    @property
    def levels_shape(self) -> tuple[int, ...]:
        """Shape of the values with one axis of units and one of the covariates within them, (U, C, E)."""
        return (*self.design.varying.shape[:2], *self.prior.shape())

    @property
    def uninformed(self) -> Evidence:
        """No information about the levels."""
        return Evidence(np.zeros(self.levels_shape), np.zeros(self.levels_shape))

    # -- the regression ---------------------------------------------------------------------------

    def fixed(self, values: Values) -> Any:
        """Return the fixed part of the regression on the scale of the link, (U, C, E), given the group."""
        fixed = link_of(self.prior).inv(jnp.asarray(values[f"{self.name}.mean"]))
        for term, columns in self.design.fixed.items():
            coefficients = jnp.asarray(values[f"{self.name}.{term}"])
            coefficients = coefficients.reshape(columns.shape[2], *self.prior.shape())
            fixed = fixed + jnp.tensordot(columns, coefficients, 1)
        return jnp.broadcast_to(fixed, self.levels_shape)

    def linear(self, values: Values, deviations: Numeric) -> Any:
        """Return the values on the scale of the link, (U, C, E), given the group and the deviations (U, Q, E)."""
        return self.fixed(values) + jnp.einsum("ucq,uq...->uc...", self.design.varying, jnp.asarray(deviations))

    def value(self, values: Values, deviations: Numeric, shift: Numeric | None = None) -> Any:
        """Return the values by level; ``shift`` (U, C, E) is added on the scale of the link."""
        linear = self.linear(values, deviations)
        return link_of(self.prior)(linear if shift is None else linear + shift).reshape(self.event_shape)

    def deviations(self, values: Values, site: Numeric) -> Any:
        """Return the deviations (U, Q, E), given the group and the value of the site."""
        if not self.sampled:
            return jnp.asarray(site).reshape(self.deviations_shape)
        return link_of(self.prior).inv(jnp.asarray(site)).reshape(self.levels_shape) - self.fixed(values)

    @property
    def deviations_name(self) -> str:
        """Name of the site of the deviations, such as ``agent.beta.subject``."""
        return f"{self.name}.{'_'.join(self.design.axes[: len(self.design.unit_shape)])}"

    def drawn_deviations(self, values: Values) -> Any:
        """Return the deviations (U, Q, E) among the values of all sites."""
        if not self.design.effects:
            return jnp.zeros(self.deviations_shape)
        return self.deviations(values, values[self.name if self.sampled else self.deviations_name])

    def site(self, values: Values, deviations: Numeric) -> Any:
        """Return the value of the site, given the group and the deviations (U, Q, E)."""
        return self.value(values, deviations) if self.sampled else jnp.reshape(deviations, self.site_shape)

    # -- standardized differences -------------------------------------------------------------------

    def standardized(self, values: Values, evidence: Evidence) -> Differences:
        """Return the prior of the standardized differences, (U, Q, E), given the group."""
        return Differences(*self._scaled(values, evidence))

    def located(self, values: Values, differences: Numeric, evidence: Evidence) -> Any:
        """Return the deviations (U, Q, E), given the group and standardized differences."""
        root, white = self._scaled(values, evidence)
        return self._spread(values) * root.solve_transposed(jnp.asarray(differences) + white)

    def differences(self, values: Values, deviations: Numeric, evidence: Evidence) -> Any:
        """Return the standardized differences of deviations (U, Q, E), given the group."""
        root, white = self._scaled(values, evidence)
        return root.times_transposed(jnp.asarray(deviations) / self._spread(values)) - white

    def _scaled(self, values: Values, evidence: Evidence) -> tuple[Root, Any]:
        r"""Return root L and whitened mean w, (U, Q, E), of the deviations in units of their spread.

        With precision :math:`P = L L^\top` and mean m of these scaled deviations, :math:`w = L^\top m`.
        """
        varying, sd = self.design.varying, self._spread(values)
        residual = evidence.weighted - evidence.precision * self.fixed(values)
        total = jnp.einsum("ucq,ucp,uc...->uqp...", varying, varying, jnp.asarray(evidence.precision))
        root = Root.of(sd[:, None] * total * sd)
        return root, root.solve(sd * jnp.einsum("ucq,uc...->uq...", varying, residual))

    def _spread(self, values: Values) -> Any:
        """Return standard deviations of the deviations, (Q, E)."""
        return jnp.asarray(values[f"{self.name}.sd"]).reshape(self.deviations_shape[1:])

    # -- distributions ------------------------------------------------------------------------------

    def given(self, values: Values) -> Distribution:
        """Return the distribution of the site: of the values by level, or of the deviations, given the group."""
        if not self.sampled:
            sd = jnp.broadcast_to(self._spread(values), self.deviations_shape).reshape(self.site_shape)
            return dist.Normal(0.0, sd).to_event(len(self.site_shape))
        link = link_of(self.prior)
        middle = link.inv(jnp.asarray(values[f"{self.name}.mean"]))
        normal = dist.Normal(middle, self._spread(values)[0]).expand(self.event_shape)
        return TransformedDistribution(normal, link).to_event(len(self.event_shape))

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Refuse: values are drawn together with their group.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(f"{self.name} has values by level, which are drawn with their group")
