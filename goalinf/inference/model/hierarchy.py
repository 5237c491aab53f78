"""Distribution of the values of a parameter at all levels, and the standardized differences that samplers see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution, TransformedDistribution, constraints

from goalinf.inference.model.design_matrix import Design
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
    def differences_shape(self) -> tuple[int, ...]:
        """Shape of the standardized differences: (U, 1, E) for one effect by unit, else (U, E, Q)."""
        units, effects, *entries = self.deviations_shape
        return (units, *entries, effects) if effects > 1 else self.deviations_shape

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

    def standardized(self, values: Values, evidence: Evidence) -> Distribution:
        """Return the prior of the standardized differences, given the group."""
        sd, precision, weighted = self._scaled(values, evidence)
        if self.design.varying.shape[2] == 1:
            ratio = jnp.sqrt(precision)  # of standard deviations: of the prior, and conditional
            return dist.Normal(-weighted / ratio, ratio).to_event(len(self.deviations_shape))
        root = jnp.linalg.cholesky(precision)
        mean = jax.scipy.linalg.solve_triangular(root, weighted[..., None], lower=True)[..., 0]
        normal = dist.MultivariateNormal(-mean, covariance_matrix=jnp.swapaxes(root, -1, -2) @ root)
        return normal.to_event(len(self.differences_shape) - 1)

    def located(self, values: Values, differences: Numeric, evidence: Evidence) -> Any:
        """Return the deviations (U, Q, E), given the group and standardized differences."""
        sd, precision, weighted = self._scaled(values, evidence)
        if self.design.varying.shape[2] == 1:
            return sd * (weighted / precision + differences / jnp.sqrt(precision))
        root = jnp.linalg.cholesky(precision)
        solve = jax.scipy.linalg.solve_triangular
        white = solve(root, weighted[..., None], lower=True)[..., 0] + differences
        return sd * jnp.moveaxis(solve(root, white[..., None], lower=True, trans=1)[..., 0], -1, 1)

    def differences(self, values: Values, deviations: Numeric, evidence: Evidence) -> Any:
        """Return the standardized differences of deviations (U, Q, E), given the group."""
        sd, precision, weighted = self._scaled(values, evidence)
        if self.design.varying.shape[2] == 1:
            return (deviations / sd - weighted / precision) * jnp.sqrt(precision)
        root = jnp.linalg.cholesky(precision)
        white = jax.scipy.linalg.solve_triangular(root, weighted[..., None], lower=True)[..., 0]
        scaled = jnp.moveaxis(deviations / sd, 1, -1)
        return (jnp.swapaxes(root, -1, -2) @ scaled[..., None])[..., 0] - white

    def _scaled(self, values: Values, evidence: Evidence) -> tuple[Any, Any, Any]:
        """Return the spread (Q, E), and precision and precision times mean of the deviations in units of it.

        The prior has precision one. They are (U, 1, E) for one effect by unit, else (U, E, Q, Q) and (U, E, Q).
        """
        varying, sd = self.design.varying, self._spread(values)
        precision, residual = evidence.precision, evidence.weighted - evidence.precision * self.fixed(values)
        if varying.shape[2] == 1:
            column = varying.reshape(varying.shape[:2] + (1,) * len(self.prior.shape()))
            total = (column**2 * precision).sum(axis=1, keepdims=True)
            return sd, 1.0 + sd**2 * total, sd * (column * residual).sum(axis=1, keepdims=True)
        last = jnp.moveaxis(sd, 0, -1)  # (E, Q)
        total = jnp.einsum("ucq,ucp,uc...->u...qp", varying, varying, precision)
        total = jnp.eye(varying.shape[2]) + last[..., None] * total * last[..., None, :]
        return sd, total, last * jnp.einsum("ucq,uc...->u...q", varying, residual)

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
