"""Effects of a unit: values of parameters at the levels that this unit alone has, and their distribution in the group.

Coordinates of effects are unconstrained numbers. For a parameter with a group they are the coefficients of a unit,
:math:`c = u + Z^+ f` with deviations u, covariates Z and the fixed part f of the regression (without covariates the
value itself, on the scale of the link), which are normal given the group. Without a group they are the value on the
scale of the link, with the prior of the parameter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from goalinf.data import Observations
from goalinf.data.covariates import level_names, level_numbers
from goalinf.inference.model.hierarchical.hierarchy import Hierarchy
from goalinf.inference.model.hierarchical.unit_effects import UnitEffects
from goalinf.inference.model.priors import Site
from goalinf.inference.scoring.by_option import Draws
from goalinf.planning.parameters import entry_prior
from goalinf.planning.pooling import link_of

_DRAWS = 1000  # of a prior, for its moments
_LARGEST = 500.0  # coordinate; draws that round to an end of the support would be infinite
SHARED, EMPTY = -2, -1  # in place of the number of an item


@dataclasses.dataclass(frozen=True, eq=False)
class Effects:
    """Values at all levels of one parameter, or of several with correlated deviations, at D draws of the others.

    Parameters
    ----------
    sites : tuple of Site
        Values by level, or deviations by level; several of them where their deviations are correlated.
    owner : int (U,)
        Number of the item that alone has data at a level; negative for other levels.
    drawn : float (D, U, Q)
        Coordinates of the posterior draws.
    shift : float (D, U, Q)
        Coordinates of deviations of zero; zero without a group.
    spread : float (D, U, Q), optional
        Standard deviation of the coordinates given the group. None: there is no group.
    root : float (D, Q, Q), optional
        Triangular root of the covariance of the coordinates of a level. None: they are independent.
    """

    sites: tuple[Site, ...]
    owner: np.ndarray
    drawn: np.ndarray
    shift: np.ndarray
    spread: np.ndarray | None = None
    root: np.ndarray | None = None

    @classmethod
    def of(cls, sites: tuple[Site, ...], owner: np.ndarray, draws: Draws) -> Effects:
        """Return the effects of sites with a common distribution at draws of all sites."""
        (site, *_), count, levels = sites, len(draws[sites[0].name]), len(owner)
        if site.effects is None:
            drawn = np.asarray(link_of(site.entry).inv(jnp.asarray(draws[site.name]))).reshape(count, levels, -1)
            return cls(sites, owner, drawn, np.zeros_like(drawn))
        members, arrays = site.effects.members, _arrays(draws)
        moments = zip(*_moments(members, arrays), strict=True)
        shift, deviations, spread = (np.concatenate(parts, axis=2) for parts in moments)
        root = None if site.effects.correlation is None else _covariance_root(site.effects, draws)
        drawn = deviations.reshape(shift.shape) + shift
        return cls(sites, owner, drawn, shift, spread, root)

    @property
    def mean(self) -> np.ndarray:
        """Mean of the coordinates (D, U, Q) given the group; of a prior, from draws."""
        return self._moments[0]

    def precision(self, levels: np.ndarray) -> np.ndarray:
        """Return the precision (D, n, n) of the coordinates at some levels given the group; of a prior, from draws."""
        count, size = len(levels), self.drawn.shape[2]
        precision = np.zeros((len(self.drawn), count, size, count, size))
        for number, level in enumerate(levels):
            if self.root is None:
                of_level = np.eye(size) * (self._moments[1][:, level, :, None] ** -2.0)
            else:
                inverse = np.linalg.inv(self.root)
                of_level = np.swapaxes(inverse, 1, 2) @ inverse
            precision[:, number, :, number] = of_level
        return precision.reshape(len(self.drawn), count * size, count * size)

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the coordinates (D, U, Q)."""
        if self.spread is not None:
            return self.shift, self.spread
        (site,) = self.sites
        entries = link_of(site.entry).inv(site.entry.sample(jax.random.key(0), (_DRAWS,)))
        drawn = np.clip(np.asarray(entries).reshape(_DRAWS, 1, -1), -_LARGEST, _LARGEST)
        mean, sd = (np.broadcast_to(moment, self.drawn.shape) for moment in (drawn.mean(axis=0), drawn.std(axis=0)))
        return mean, sd

    def log_prior(self, coordinates: np.ndarray) -> np.ndarray:
        """Return terms of the log density (D, U, Q) given the group; their sum over Q is the density of a level."""
        if self.root is not None:
            standard = np.linalg.solve(self.root[:, None], (coordinates - self.shift)[..., None])[..., 0]
            return np.asarray(stats.norm.logpdf(standard) - np.log(np.einsum("dqq->dq", self.root))[:, None])
        if self.spread is not None:
            return np.asarray(stats.norm.logpdf(coordinates, self.shift, self.spread))
        (site,) = self.sites
        link, shape = link_of(site.entry), (*coordinates.shape[:2], *site.entry.shape())
        entries = jnp.asarray(coordinates).reshape(shape)
        value = link(entries)
        log_density = entry_prior(site.entry).log_prob(value) + link.log_abs_det_jacobian(entries, value)
        return np.asarray(log_density).reshape(coordinates.shape)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw coordinates (D, U, Q) given the group."""
        if self.root is not None:
            return self.shift + np.einsum("dqp,dup->duq", self.root, rng.standard_normal(self.drawn.shape))
        if self.spread is not None:
            return self.shift + self.spread * rng.standard_normal(self.drawn.shape)
        (site,) = self.sites
        drawn = site.entry.sample(jax.random.key(rng.integers(2**31)), self.drawn.shape[:2])
        return np.clip(np.asarray(link_of(site.entry).inv(drawn)).reshape(self.drawn.shape), -_LARGEST, _LARGEST)

    def values(self, coordinates: np.ndarray, draws: Draws) -> dict[str, np.ndarray]:
        """Return draws of the sites in which levels with an owner have these coordinates (D, U, Q)."""
        owned, changed, start = (self.owner >= 0)[:, None], {}, 0
        for site in self.sites:
            of_site = draws[site.name].reshape(*coordinates.shape[:2], -1)
            part = slice(start, start + of_site.shape[2])
            deviates = site.hierarchy is not None and not site.hierarchy.sampled
            own = coordinates[..., part] - self.shift[..., part]
            if not deviates:
                own = np.asarray(link_of(site.entry)(jnp.asarray(coordinates[..., part])))
            changed[site.name] = np.where(owned, own, of_site).reshape(draws[site.name].shape)
            start = part.stop
        return changed


def _moments(members: Sequence[Hierarchy], draws: Mapping[str, jax.Array]) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield shift, deviations and spread of every member, (D, U, Q)."""
    for member in members:
        varying = member.design.varying
        fixed = np.asarray(jax.vmap(member.fixed)(draws))
        count = len(fixed)
        fixed = fixed.reshape(count, *varying.shape[:2], -1)
        shift = np.einsum("uqc,duce->duqe", np.linalg.pinv(varying), fixed)
        deviations = np.asarray(jax.vmap(member.drawn_deviations)(draws))
        spread = np.broadcast_to(np.reshape(draws[f"{member.name}.sd"], (count, 1, *shift.shape[2:])), shift.shape)
        flat = (count, len(varying), -1)
        yield shift.reshape(flat), deviations.reshape(flat), spread.reshape(flat)


def _covariance_root(effects: UnitEffects, draws: Draws) -> np.ndarray:
    """Return triangular roots (D, Q, Q) of the covariances of the deviations of a unit in all effects and entries."""
    assert effects.correlation is not None
    pairs = draws[effects.correlation]
    count, size, entries = len(pairs), effects.shape[1], int(np.prod(effects.shape[2:], dtype=int))
    sd = np.concatenate(
        [np.reshape(draws[f"{each.name}.sd"], (count, -1, entries)) for each in effects.members], axis=1
    )
    row, column = np.tril_indices(size, -1)
    below = np.zeros((count, entries, size, size))
    below[..., row, column] = np.moveaxis(pairs.reshape(count, -1, entries), 1, 2)
    root = np.linalg.cholesky(below + np.swapaxes(below, 2, 3) + np.eye(size))
    scaled = np.moveaxis(sd, 1, 2)[..., None] * root
    joint = np.zeros((count, size, entries, size, entries))
    for entry in range(entries):
        joint[:, :, entry, :, entry] = scaled[:, entry]
    return joint.reshape(count, size * entries, size * entries)


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


def with_common_effects(sites: Sequence[Site]) -> list[tuple[Site, ...]]:
    """Return the sites that are drawn and have one value per level, those with correlated deviations together."""
    groups: dict[str, list[Site]] = {}
    for site in with_levels(sites):
        groups.setdefault(site.name if site.effects is None else site.effects.name, []).append(site)
    return [tuple(group) for group in groups.values()]


def _arrays(draws: Draws) -> dict[str, jax.Array]:
    return {name: jnp.asarray(values) for name, values in draws.items()}
