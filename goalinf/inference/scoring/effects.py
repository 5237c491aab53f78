"""Effects of a unit: values of parameters at the levels that this unit alone has, and their distribution in the group.

Coordinates of effects are unconstrained numbers. For a parameter with a group they are the coefficients of a unit,
:math:`c = u + Z^+ f` with deviations u, covariates Z and the fixed part f of the regression (without covariates the
value itself, on the scale of the link), which are normal given the group. Without a group they are the value on the
scale of the link, with the prior of the parameter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions.transforms import Transform
from scipy import stats

from goalinf.data import Observations
from goalinf.data.covariates import level_names, level_numbers
from goalinf.inference.model.priors import Site
from goalinf.inference.scoring.by_option import Draws
from goalinf.planning.parameters import entry_prior
from goalinf.planning.pooling import link_of

_DRAWS = 1000  # of a prior, for its moments
_LARGEST = 500.0  # coordinate; draws that round to an end of the support would be infinite
SHARED, EMPTY = -2, -1  # in place of the number of an item


@dataclasses.dataclass(frozen=True, eq=False)
class Effects:
    """Values of one parameter at all of its levels, at D draws of the other parameters.

    Parameters
    ----------
    site : Site
        Values by level, or deviations by level.
    owner : int (U,)
        Number of the item that alone has data at a level; negative for other levels.
    drawn : float (D, U, Q)
        Coordinates of the posterior draws.
    shift : float (D, U, Q)
        Coordinates of deviations of zero; zero without a group.
    spread : float (D, U, Q), optional
        Standard deviation of the coordinates given the group. None: there is no group.
    """

    site: Site
    owner: np.ndarray
    drawn: np.ndarray
    shift: np.ndarray
    spread: np.ndarray | None

    @classmethod
    def of(cls, site: Site, owner: np.ndarray, draws: Draws) -> Effects:
        """Return the effects of a site at draws of all sites."""
        count, levels = len(draws[site.name]), len(owner)
        hierarchy = site.hierarchy
        if hierarchy is None:
            drawn = np.asarray(link_of(site.entry).inv(jnp.asarray(draws[site.name]))).reshape(count, levels, -1)
            return cls(site, owner, drawn, np.zeros_like(drawn), None)
        varying = hierarchy.design.varying
        fixed = np.asarray(jax.vmap(hierarchy.fixed)(_arrays(draws))).reshape(count, *varying.shape[:2], -1)
        shift = np.einsum("uqc,duce->duqe", np.linalg.pinv(varying), fixed)
        deviations = np.asarray(jax.vmap(lambda draw: hierarchy.deviations(draw, draw[site.name]))(_arrays(draws)))
        spread = np.reshape(draws[f"{hierarchy.name}.sd"], (count, 1, *shift.shape[2:]))
        flat = (count, levels, -1)
        drawn = deviations.reshape(shift.shape) + shift
        return cls(
            site, owner, drawn.reshape(flat), shift.reshape(flat), np.broadcast_to(spread, shift.shape).reshape(flat)
        )

    @property
    def _link(self) -> Transform:
        return link_of(self.site.entry)

    @property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the coordinates (D, U, Q) given the group; of a prior, from draws."""
        if self.spread is not None:
            return self.shift, self.spread
        entries = self._link.inv(self.site.entry.sample(jax.random.key(0), (_DRAWS,)))
        drawn = np.clip(np.asarray(entries).reshape(_DRAWS, 1, -1), -_LARGEST, _LARGEST)
        mean, sd = (np.broadcast_to(moment, self.drawn.shape) for moment in (drawn.mean(axis=0), drawn.std(axis=0)))
        return mean, sd

    def log_prior(self, coordinates: np.ndarray) -> np.ndarray:
        """Return the log density of every coordinate (D, U, Q) given the group."""
        if self.spread is not None:
            return np.asarray(stats.norm.logpdf(coordinates, self.shift, self.spread))
        entries = jnp.asarray(coordinates).reshape(*coordinates.shape[:2], *self.site.entry.shape())
        value = self._link(entries)
        log_density = entry_prior(self.site.entry).log_prob(value) + self._link.log_abs_det_jacobian(entries, value)
        return np.asarray(log_density).reshape(coordinates.shape)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw coordinates (D, U, Q) given the group."""
        if self.spread is not None:
            return self.shift + self.spread * rng.standard_normal(self.drawn.shape)
        drawn = self.site.entry.sample(jax.random.key(rng.integers(2**31)), self.drawn.shape[:2])
        return np.clip(np.asarray(self._link.inv(drawn)).reshape(self.drawn.shape), -_LARGEST, _LARGEST)

    def value(self, coordinates: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Return draws of the site in which levels with an owner have these coordinates (D, U, Q)."""
        owned = (self.owner >= 0)[:, None]
        deviates = self.site.hierarchy is not None and not self.site.hierarchy.sampled
        changed = coordinates - self.shift if deviates else np.asarray(self._link(jnp.asarray(coordinates)))
        return np.where(owned, changed, draws.reshape(changed.shape)).reshape(draws.shape)


def owners(site: Site, data: Observations, item: np.ndarray) -> np.ndarray:
    """Return for every level of a site the number of the only item with observations there, SHARED or EMPTY.

    Parameters
    ----------
    item : int (N,)
        Number of the item to which each trajectory (or other unit) belongs.
    """
    sizes = tuple(len(level_names(data, unit)) for unit in site.by)
    level = np.ravel_multi_index([level_numbers(data, unit) for unit in site.by], sizes)
    pairs = np.unique(np.stack([level, item])[:, data.scored(data.unit)], axis=1)
    owner = np.full(int(np.prod(sizes, dtype=int)), EMPTY)
    owner[pairs[0]] = pairs[1]
    numbers, count = np.unique(pairs[0], return_counts=True)
    owner[numbers[count > 1]] = SHARED
    return owner


def with_levels(sites: Sequence[Site]) -> list[Site]:
    """Return the sites that are drawn and have one value per level."""
    return [site for site in sites if site.by and not site.computed]


def _arrays(draws: Draws) -> dict[str, jax.Array]:
    return {name: jnp.asarray(values) for name, values in draws.items()}
