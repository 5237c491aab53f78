"""Distribution of the values of all levels of a group, and their standardized differences."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution, TransformedDistribution, constraints

from goalinf.planning.parameters import entry_prior
from goalinf.planning.pooling import link_of
from goalinf.types import Numeric, PRNGKey


class Evidence(NamedTuple):
    """Normal approximation of the likelihood of every level, on the scale of the link; zeros: no information.

    Parameters
    ----------
    precision : float (L, E)
        Inverse variance, at least 0.
    weighted : float (L, E)
        Precision times the mean.
    """

    precision: Numeric
    weighted: Numeric


class Hierarchy(Distribution):
    r"""Distribution of the values of all levels of a group, with its median and spread integrated out.

    Samplers see the value :math:`x_i` of a level, on the scale of the link, as a standardized difference from its
    conditional mean given the group, where the likelihood of the level is replaced by a normal approximation with
    precision :math:`\tau_i` and mean :math:`\hat x_i`:

    .. math:: x_i = \frac{\tau_i \hat x_i + \mu / \sigma^2}{\tau_i + 1 / \sigma^2}
        + \frac{\epsilon_i}{\sqrt{\tau_i + 1 / \sigma^2}}

    Without information (:math:`\tau_i = 0`) this is the non-centered parameterization, with much of it nearly the
    centered one; with a normal likelihood the differences are independent of the group and of each other.

    Parameters
    ----------
    prior : Distribution
        Prior of the median of the group; its axes E are those of one value.
    spread : Distribution
        Prior of the standard deviation on the scale of the link, with the same axes.
    levels : tuple of int
        Numbers of levels, L.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("prior", "spread")
    pytree_aux_fields = ("levels",)

    def __init__(self, prior: Distribution, spread: Distribution, levels: tuple[int, ...]):
        self.prior, self.spread, self.levels = prior, spread, levels
        super().__init__(event_shape=(*levels, *prior.shape()))

    @property
    def support(self) -> constraints.Constraint:
        """Support of the prior, for all values."""
        return constraints.independent(entry_prior(self.prior).support, len(self.event_shape))

    @property
    def uninformed(self) -> Evidence:
        """No information about the levels."""
        return Evidence(np.zeros(self.event_shape), np.zeros(self.event_shape))

    def standardized(self, mean: Numeric, sd: Numeric, evidence: Evidence) -> Distribution:
        """Return the prior of the standardized differences, (L, E), given median and spread (E)."""
        middle, sd = self._group(mean, sd)
        ratio = jnp.sqrt(1.0 + sd**2 * evidence.precision)  # of standard deviations: of the prior, and conditional
        offset = sd * (evidence.precision * middle - evidence.weighted) / ratio
        return dist.Normal(offset, ratio).to_event(len(self.event_shape))

    def located(self, mean: Numeric, sd: Numeric, differences: Numeric, evidence: Evidence) -> Any:
        """Return the values ``(…, L, E)``, given median and spread ``(…, E)`` and standardized differences."""
        center, scale = self._conditional(mean, sd, evidence)
        return link_of(self.prior)(center + scale * differences)

    def differences(self, mean: Numeric, sd: Numeric, values: Numeric, evidence: Evidence) -> Any:
        """Return the standardized differences ``(…, L, E)`` of values, given median and spread ``(…, E)``."""
        center, scale = self._conditional(mean, sd, evidence)
        return (link_of(self.prior).inv(values) - center) / scale

    def evidence(
        self, mean: Numeric, sd: Numeric, differences: Numeric, evidence: Evidence, curvature: np.ndarray
    ) -> Evidence:
        """Approximate the likelihood of every level at a mode of the posterior, in standardized differences.

        Parameters
        ----------
        mean, sd, differences : float (E), (E), (L, E)
            The mode.
        evidence : Evidence
            Approximation that standardized the differences.
        curvature : float (L, E)
            Second derivatives of minus the log posterior density by the differences, at the mode.
        """
        center, scale = (np.asarray(x) for x in self._conditional(mean, sd, evidence))
        middle, sd = (np.asarray(x) for x in self._group(mean, sd))
        value = center + scale * np.asarray(differences)
        # By the value, prior and likelihood have slopes that cancel at the mode, and curvatures that add up.
        precision = curvature / scale**2 - 1.0 / sd**2
        weighted = precision * value + (value - middle) / sd**2
        informative = precision > 0.0
        return Evidence(np.where(informative, precision, 0.0), np.where(informative, weighted, 0.0))

    def _conditional(self, mean: Numeric, sd: Numeric, evidence: Evidence) -> tuple[Any, Any]:
        """Return conditional means and standard deviations of the levels, on the scale of the link."""
        middle, sd = self._group(mean, sd)
        ratio = 1.0 + sd**2 * evidence.precision  # finite for a spread of zero, too
        return (middle + sd**2 * evidence.weighted) / ratio, sd / jnp.sqrt(ratio)

    def _group(self, mean: Numeric, sd: Numeric) -> tuple[Any, Any]:
        """Return median and spread on the scale of the link, with axes for the levels."""
        mean, sd = (self._beside_levels(jnp.asarray(x)) for x in (mean, sd))
        return link_of(self.prior).inv(mean), sd

    def given(self, mean: Numeric, sd: Numeric) -> Distribution:
        """Return the distribution of the values, (L, E), given median and spread (E)."""
        link = link_of(self.prior)
        normal = dist.Normal(link.inv(mean), sd).expand(self.event_shape)
        return TransformedDistribution(normal, link).to_event(len(self.event_shape))

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw median and spread of a group, and the values of its levels."""
        keys = jax.random.split(key, 3)
        mean, sd = self.prior.sample(keys[0], sample_shape), self.spread.sample(keys[1], sample_shape)
        differences = jax.random.normal(keys[2], (*sample_shape, *self.event_shape))
        return self.located(mean, sd, differences, self.uninformed)

    def _beside_levels(self, entry: Numeric) -> Any:
        ndim = len(self.prior.shape())
        lead = entry.shape[: entry.ndim - ndim]
        return entry.reshape(*lead, *(1,) * len(self.levels), *entry.shape[entry.ndim - ndim :])
