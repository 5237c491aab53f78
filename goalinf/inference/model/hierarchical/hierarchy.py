"""Values of a parameter at all levels, from its group and the deviations of its units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, constraints

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


class Hierarchy(Distribution):
    r"""Values of a parameter at all levels, given its group and the deviations of its units.

    On the scale of the link, the value of unit i at level l of its covariates is :math:`x_{il} = f_{il} + z_{il}^\top
    u_i`, with the fixed part f of the regression and deviations u, whose distribution is that of
    :class:`~goalinf.inference.model.hierarchical.unit_effects.UnitEffects`.

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

    @property
    def site_name(self) -> str:
        """Name of the drawn site: of the values by level, or of the deviations."""
        return self.name if self.sampled else self.deviations_name

    def drawn_deviations(self, values: Values) -> Any:
        """Return the deviations (U, Q, E) among the values of all sites."""
        if not self.design.effects:
            return jnp.zeros(self.deviations_shape)
        return self.deviations(values, values[self.site_name])

    def site(self, values: Values, deviations: Numeric) -> Any:
        """Return the value of the site, given the group and the deviations (U, Q, E)."""
        return self.value(values, deviations) if self.sampled else jnp.reshape(deviations, self.site_shape)

    def spread(self, values: Values) -> Any:
        """Return standard deviations of the deviations, (Q, E)."""
        return jnp.asarray(values[f"{self.name}.sd"]).reshape(self.deviations_shape[1:])

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Refuse: values are drawn together with their group.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(f"{self.name} has values by level, which are drawn with their group")
