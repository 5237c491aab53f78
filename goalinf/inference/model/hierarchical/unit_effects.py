"""Deviations of units from their groups, in one or several parameters, and the standardized differences of samplers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution, TransformedDistribution, constraints

from goalinf.inference.model.hierarchical.correlation import root_of
from goalinf.inference.model.hierarchical.hierarchy import Evidence, Hierarchy, Values
from goalinf.inference.model.hierarchical.triangular import Root, Scale
from goalinf.planning.pooling import link_of
from goalinf.types import Numeric, PRNGKey

EvidenceBySite = Mapping[str, Evidence]


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


class Deviations(Distribution):
    r"""Distribution of deviations, :math:`u = m + A v` with standard normal v.

    Parameters
    ----------
    offset : float (U, Q, E)
        m.
    scale : Scale
        A.
    shape : tuple of int
        Shape of the site.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("offset", "scale")
    pytree_aux_fields = ("shape_of_site",)

    def __init__(self, offset: Any, scale: Scale, shape: tuple[int, ...]):
        self.offset, self.scale, self.shape_of_site = offset, scale, shape
        super().__init__(event_shape=shape)

    @property
    def support(self) -> constraints.Constraint:
        """All real numbers."""
        return constraints.independent(constraints.real, len(self.event_shape))

    def log_prob(self, value: Numeric) -> Any:
        """Compute the log density of all deviations."""
        deviations = jnp.asarray(value).reshape(jnp.shape(self.offset)) - self.offset
        standard = self.scale.solve(deviations)
        return dist.Normal().log_prob(standard).sum() - len(standard) * self.scale.log_det

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw all deviations; one draw at a time."""
        assert sample_shape == ()
        standard = jax.random.normal(key, jnp.shape(self.offset))
        return (self.offset + self.scale.times(standard)).reshape(self.shape_of_site)


@dataclasses.dataclass(frozen=True, eq=False)
class UnitEffects:
    r"""Deviations of units in the parameters whose deviations have a common distribution.

    The deviations of unit i are :math:`u_i \sim \mathrm{Normal}(0, A A^\top)` with :math:`A = D L`: standard deviations
    D and the triangular root L of correlations, in all effects of all members. Samplers see the deviations as
    standardized differences :math:`\epsilon_i` from their conditional mean given the groups, where the likelihood of
    each level of each member is replaced by a normal approximation with precision :math:`\tau_{il}` and mean
    :math:`\hat x_{il}`:

    .. math:: P_i = (A A^\top)^{-1} + \sum_l \tau_{il} z_{il} z_{il}^\top,\qquad
        u_i = P_i^{-1} \sum_l \tau_{il} z_{il} (\hat x_{il} - f_{il}) + P_i^{-1/2} \epsilon_i

    Without information (:math:`\tau = 0`) this is the non-centered parameterization, with much of it nearly the
    centered one; with a normal likelihood the differences are independent of the groups and of each other.

    Parameters
    ----------
    members : tuple of Hierarchy
        Parameters, with deviations of the same units.
    correlation : str, optional
        Name of the site of correlations, (P, E). None: deviations are independent.
    """

    members: tuple[Hierarchy, ...]
    correlation: str | None = None

    @property
    def name(self) -> str:
        """Name of the first drawn site."""
        return self.members[0].site_name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the deviations in all effects, (U, Q, E)."""
        units, _, *entries = self.members[0].deviations_shape
        return (units, sum(member.deviations_shape[1] for member in self.members), *entries)

    # -- standardized differences -------------------------------------------------------------------

    def standardized(self, values: Values, evidence: EvidenceBySite) -> Differences:
        """Return the prior of the standardized differences, (U, Q, E), given the groups."""
        return Differences(*self._scaled(values, evidence))

    def located(self, values: Values, differences: Numeric, evidence: EvidenceBySite) -> tuple[Any, ...]:
        """Return the deviations of every member, (U, Q, E), given the groups and standardized differences."""
        root, white = self._scaled(values, evidence)
        deviations = self.scale(values).times(root.solve_transposed(jnp.asarray(differences) + white))
        return tuple(deviations[:, start:stop] for start, stop in self._slices)

    def differences(self, values: Values, deviations: Sequence[Numeric], evidence: EvidenceBySite) -> Any:
        """Return the standardized differences (U, Q, E) of the deviations of every member, given the groups."""
        root, white = self._scaled(values, evidence)
        joined = jnp.concatenate([jnp.asarray(each) for each in deviations], axis=1)
        return root.times_transposed(self.scale(values).solve(joined)) - white

    def _scaled(self, values: Values, evidence: EvidenceBySite) -> tuple[Root, Any]:
        r"""Return root L and whitened mean w, (U, Q, E), of the standard deviates v.

        With precision :math:`P = L L^\top` and mean m of v, :math:`w = L^\top m`.
        """
        scale, blocks, weighted = self.scale(values), [], []
        for member in self.members:
            precision, weighted_mean = map(jnp.asarray, evidence[member.site_name])
            varying = member.design.varying
            blocks.append(jnp.einsum("ucq,ucp,uc...->uqp...", varying, varying, precision))
            weighted.append(jnp.einsum("ucq,uc...->uq...", varying, weighted_mean - precision * member.fixed(values)))
        root = Root.of(scale.whitened(self._diagonal(blocks)))
        return root, root.solve(scale.times_transposed(jnp.concatenate(weighted, axis=1)))

    def _diagonal(self, blocks: Sequence[Any]) -> Any:
        """Return matrices (U, Q, Q, E) with these blocks along the diagonal."""
        if len(blocks) == 1:
            return blocks[0]
        units, effects, *entries = self.shape
        total = jnp.zeros((units, effects, effects, *entries))
        for block, (start, stop) in zip(blocks, self._slices, strict=True):
            total = total.at[:, start:stop, start:stop].set(block)
        return total

    # -- distributions ------------------------------------------------------------------------------

    def scale(self, values: Values) -> Scale:
        """Return the root of the covariance of the deviations, given the groups."""
        sd = jnp.concatenate([member.spread(values) for member in self.members])
        return Scale(sd, None if self.correlation is None else root_of(jnp.asarray(values[self.correlation])))

    def given(self, member: Hierarchy, values: Values) -> Distribution:
        """Return the distribution of the site of a member, given the groups and the members before it."""
        offset, scale = self._conditional(member, values)
        if not member.sampled:
            return Deviations(offset, scale, member.site_shape)
        link = link_of(member.prior)
        middle = link.inv(jnp.asarray(values[f"{member.name}.mean"])) + offset[:, 0]
        sd = scale.sd[0] if scale.root is None else scale.sd[0] * scale.root.rows[0][0]
        normal = dist.Normal(middle.reshape(member.event_shape), sd).expand(member.event_shape)
        return TransformedDistribution(normal, link).to_event(len(member.event_shape))

    def _conditional(self, member: Hierarchy, values: Values) -> tuple[Any, Scale]:
        """Return mean (U, Q, E) and root of the covariance of the deviations of a member, given those before it."""
        position = next(number for number, each in enumerate(self.members) if each.name == member.name)
        scale, (start, stop) = self.scale(values), self._slices[position]
        offset = jnp.zeros((self.shape[0], stop - start, *self.shape[2:]))
        if scale.root is not None and start:
            before = [each.drawn_deviations(values) for each in self.members[:position]]
            standard = scale.part(0, start).solve(jnp.concatenate(before, axis=1))
            rows = [sum(row[k] * standard[:, k] for k in range(start)) for row in scale.root.rows[start:stop]]
            offset = scale.sd[start:stop] * jnp.stack(rows, axis=1)
        return offset, scale.part(start, stop)

    @property
    def _slices(self) -> list[tuple[int, int]]:
        """First effect of every member, and the one after its last."""
        ends = np.cumsum([member.deviations_shape[1] for member in self.members]).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))
