"""Search for the modes of a posterior: optimization from many starts; modes are separated by density barriers.

Chains that start around one mode agree with one another even if there is a second mode, so that R-hat, effective
sample sizes and importance weights cannot detect it. The search therefore starts from several points: the draws of the
prior whose nearest neighbor of higher density is far away ("nearest-better" distances, Preuss 2010), the draws whose
density exceeds the Laplace approximations at the modes found so far by most, the draws that most favor one option of a
mixture of agents, and the mirror images of the modes. Where a density is cheap, thousands of draws are evaluated, some
of them stretched beyond the prior. Two optimizations with different end points have found one mode if the density
drops by less than 1 nat between them. The share of optimizations whose mode no other optimization has found estimates
the probability that a further start would reach a new mode (Good 1953).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import norm

from goalinf.inference.model.mode import Mode, climb
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.model.posterior import Posterior
from goalinf.types import PRNGKey

MISSED = 0.25  # probability that a further start of the search finds a new mode, above which modes are missing
Favored = Callable[[np.ndarray], list[int]]

POOL = 256  # draws of the prior among which starts are selected
_LARGEST_POOL = 2**14  # where a density is cheap: in eight dimensions a mode of half the width has 1/256 of the volume
_OPERATIONS = 4e9  # for the density of a larger pool, some tenths of a second
_STRETCHES = (1.0, 1.5, 1.0, 2.0)  # factors of the distance from the median, for draws after the first POOL
SCANNED = 20  # dimensions up to which the density of all draws is computed: above, all neighbors are far apart
_STARTS, _FEW_STARTS = 8, 4  # starts from the prior: with computed densities, and without
_MOST_STARTS = 40
_BARRIER = 1.0  # smallest drop of the log density between two modes, in nats
_BETWEEN = 15  # points evaluated on the line between two modes
_CLOSE = 0.5  # Laplace standard deviations within which two end points are one mode
_NEGLIGIBLE = 12.0  # nats of mass and of density below the mode of largest mass, above which a mode is dropped
_FLATTEST = 1e-8  # smallest curvature relative to the largest: at kinks it is zero or negative
_WIDEST = 2.0  # standard deviations of the prior: a wider Laplace approximation belongs to a kink or a plateau


@dataclasses.dataclass(frozen=True, eq=False)
class Modes:
    """Modes with a relevant share of the probability, in descending order of their mass.

    Parameters
    ----------
    peaks : tuple of Mode
        Modes.
    climbs : int
        Number of starts of the search.
    missed : float
        Estimated probability that a further start would reach a mode that is not among these.
    spread : float (D,), optional
        Standard deviations of the prior, where known.
    """

    peaks: tuple[Mode, ...]
    climbs: int = 1
    missed: float = 0.0
    spread: np.ndarray | None = None

    @property
    def centers(self) -> np.ndarray:
        """Coordinates of the modes, ``(M, D)``."""
        return np.stack([peak.flat for peak in self.peaks])

    @property
    def scales(self) -> np.ndarray:
        """Square roots of the covariance of the Laplace approximation at each mode, ``(M, D, D)``."""
        return np.stack([_scale(peak, self.spread) for peak in self.peaks])

    @property
    def log_mass(self) -> np.ndarray:
        """Logarithm of the integral of each Laplace approximation, in nats, ``(M,)``."""
        return np.array([_log_mass(peak, self.spread) for peak in self.peaks])


def find_modes(
    key: PRNGKey, parameterization: Parameterization, favored: Favored | None = None, first: Mode | None = None
) -> Modes:
    """Search from the start of the target, from draws of the prior, and from mirror images of the modes.

    Parameters
    ----------
    key : jax.random key
        Key for draws of the prior.
    parameterization : Parameterization
        Parameterization of the posterior.
    favored : callable, optional
        Maps draws of the prior ``(B, D)`` to the numbers of the draws at which the log-likelihood of each option of a
        mixture exceeds the best of the others by most.
    first : Mode, optional
        End point of an optimization from the start of the target, if known.
    """
    scan = parameterization.closed is None and parameterization.size <= SCANNED
    size = int(np.clip(_OPERATIONS / parameterization.operations(), POOL, _LARGEST_POOL)) if scan else POOL
    pool = _stretched(parameterization.draw_prior(key, size))
    search = _Search(parameterization, _spread(pool))
    search.ended(climb(parameterization.target) if first is None else first)
    potentials = -parameterization.log_density(pool) if scan else None
    few = pool[:POOL]  # draws that are compared with one another, or planned for under every option
    ranked = iter(range(len(few)) if potentials is None else _ranked(few, potentials[:POOL]))
    for index in favored(few) if favored is not None else ():
        search.climb_from(pool[index])
    search.climb_from_some(pool, ranked, _STARTS if scan else _FEW_STARTS)
    if potentials is not None:
        search.climb_from_unexplained(few, potentials[:POOL], _STARTS)
    if potentials is not None and size > POOL:
        search.climb_from_unexplained(pool, potentials, _STARTS)
    search.climb_from_mirrors()
    while search.missed > MISSED and len(search.reached) < _MOST_STARTS:
        before = len(search.reached)
        search.climb_from_some(pool, ranked, _FEW_STARTS)
        if len(search.reached) == before:
            break
    return search.modes()


def modes_of(
    posterior: Posterior,
    parameterization: Parameterization,
    key: PRNGKey,
    key_split: PRNGKey,
    first: Mode | None = None,
) -> Modes:
    """Search from the options of a mixture, too; ``key_split`` is for draws of beta where it is summed out."""
    favored = partial(posterior.favored, key_split, parameterization) if posterior.mixture is not None else None
    return _inside(posterior, parameterization, find_modes(key, parameterization, favored, first))


def natural_modes(key: PRNGKey, posterior: Posterior, steps: int | None) -> Modes:
    """Find modes of the bounded density; from one start where the posterior has one mode or is large."""
    parameterization = posterior.bounded
    first = climb(parameterization.target, steps=steps)
    if parameterization.closed is not None or first.curvature is None or not first.converged:
        return _inside(posterior, parameterization, Modes((first,)))
    return modes_of(posterior, parameterization, key, key, first)


def _inside(posterior: Posterior, parameterization: Parameterization, modes: Modes) -> Modes:
    """Return the modes; refuse a highest one at the end of a table of log-likelihoods."""
    if posterior.table is not None and parameterization is posterior.bounded:
        posterior.check_inside(posterior.at(modes.peaks[0].flat))
    return modes


class _Search:
    """State of a search: the modes so far, and the mode that each optimization has reached."""

    def __init__(self, parameterization: Parameterization, spread: np.ndarray | None = None):
        self.parameterization = parameterization
        self.spread = spread
        self.peaks: list[Mode] = []
        self.reached: list[int] = []

    def climb_from(self, flat: np.ndarray) -> None:
        """Optimize from one start and record the mode that is reached."""
        self.ended(climb(self.parameterization.target, flat, until=lambda at: self._close_to(at) is not None))

    def ended(self, end: Mode) -> None:
        """Record the end point of an optimization as a known or a new mode."""
        if not np.isfinite(end.potential):
            if not self.peaks:  # the caller reports why the density is undefined at the start
                self._add(end)
            return
        number = self._close_to(end.flat)
        if number is None:
            number = next((i for i, peak in enumerate(self.peaks) if not self._apart(peak, end)), None)
        if number is None:
            self._add(end)
            return
        if end.potential < self.peaks[number].potential - 1e-3:
            self.peaks[number] = end
        self.reached.append(number)

    def climb_from_some(self, pool: np.ndarray, ranked: Iterator[int], count: int) -> None:
        """Search from the next draws of the prior."""
        for _, index in zip(range(count), ranked, strict=False):
            self.climb_from(pool[index])

    def climb_from_unexplained(self, pool: np.ndarray, potentials: np.ndarray, count: int) -> None:
        """Search from the draws whose density exceeds the Laplace approximations so far by most."""
        unused = np.isfinite(potentials)
        for _ in range(min(count, int(unused.sum()))):
            explained = [
                peak.potential + 0.5 * (np.linalg.solve(_scale(peak, self.spread), (pool - peak.flat).T) ** 2).sum(0)
                for peak in self.peaks
            ]
            index = int(np.where(unused, np.min(explained, axis=0) - potentials, -np.inf).argmax())
            unused[index] = False
            self.climb_from(pool[index])

    def climb_from_mirrors(self) -> None:
        """Search from the mirror images of the modes, about the origin and about the start of the search."""
        middle = np.asarray(self.parameterization.target.start, float)
        for peak in self.peaks[:_FEW_STARTS]:
            self.climb_from(-peak.flat)
            if middle.any():
                self.climb_from(2 * middle - peak.flat)

    @property
    def missed(self) -> float:
        """Share of the optimizations that have reached a relevant mode that no other optimization has reached."""
        counts = np.bincount(self.reached, minlength=len(self.peaks))
        return float(((counts == 1) & self._matter()).sum() / max(len(self.reached), 1))

    def modes(self) -> Modes:
        """Return the relevant modes, in descending order of their mass."""
        matter = self._matter()
        order = [int(i) for i in np.argsort(-self._log_mass()) if matter[i]]
        # After a single optimization no mode can have been reached twice.
        missed = self.missed if len(self.reached) > 1 else 0.0
        return Modes(tuple(self.peaks[i] for i in order), len(self.reached), missed, self.spread)

    def _add(self, end: Mode) -> None:
        self.peaks.append(end)
        self.reached.append(len(self.peaks) - 1)

    def _log_mass(self) -> np.ndarray:
        return np.array([_log_mass(peak, self.spread) for peak in self.peaks])

    def _matter(self) -> np.ndarray:
        """Return True for modes of large mass or high density; Laplace's mass is wrong for peaks with wide flanks."""
        log_mass, potential = self._log_mass(), np.array([peak.potential for peak in self.peaks])
        if len(log_mass) == 1:
            return np.ones(1, bool)
        heavy = log_mass >= log_mass.max() - _NEGLIGIBLE
        return heavy | (potential <= potential[heavy].min() + _NEGLIGIBLE)

    def _close_to(self, flat: np.ndarray) -> int | None:
        """Return the number of the mode close to a point; None if there is none, or if the mode is a kink."""
        for number, peak in enumerate(self.peaks):
            step = flat - peak.flat
            if peak.bends and step @ peak.curvature @ step < _CLOSE**2:
                return number
        return None

    def _apart(self, mode: Mode, other: Mode) -> bool:
        """Return True where the density drops on the line between two modes."""
        share = np.linspace(0.0, 1.0, _BETWEEN + 2)[1:-1, None]
        between = [self.parameterization.value(flat) for flat in mode.flat + share * (other.flat - mode.flat)]
        return not max(between) <= max(mode.potential, other.potential) + _BARRIER


def _ranked(pool: np.ndarray, potentials: np.ndarray) -> list[int]:
    """Order draws by their distance from the nearest draw of higher density, farthest first; drop undefined ones."""
    order = [int(i) for i in np.argsort(potentials, kind="stable") if np.isfinite(potentials[i])]
    if len(order) < 2:
        return order
    # Ranks, because outliers of a prior with heavy tails are far from all other draws.
    white = pool[order].argsort(axis=0, kind="stable").argsort(axis=0, kind="stable").astype(float)
    distance = cdist(white, white)
    distance[np.triu_indices(len(order))] = np.inf
    nearest = distance[1:].min(axis=1)
    return [order[0], *(order[1 + int(i)] for i in np.argsort(-nearest, kind="stable"))]


def _log_mass(peak: Mode, spread: np.ndarray | None = None) -> float:
    """Return the logarithm of the integral of the Laplace approximation at a mode, in nats."""
    log_volume = 0.0 if peak.curvature is None else float(np.linalg.slogdet(_scale(peak, spread))[1])
    return -peak.potential + 0.5 * peak.flat.size * np.log(2 * np.pi) + log_volume


def _scale(peak: Mode, spread: np.ndarray | None = None) -> np.ndarray:
    """Return a square root of the inverse curvature, at most twice as wide as the prior.

    Negative eigenvalues of the curvature count by their absolute value.
    """
    curvature = peak.curvature
    if curvature is None or not np.isfinite(curvature).all():
        return np.eye(peak.flat.size)
    unit = np.ones(peak.flat.size) if spread is None else spread
    bends, axes = np.linalg.eigh(0.5 * (curvature + curvature.T) * np.outer(unit, unit))
    bends = np.abs(bends)
    least = max(_FLATTEST * bends.max(), 1e-300) if spread is None else _WIDEST**-2
    return unit[:, None] * axes / np.sqrt(np.maximum(bends, least))


def _stretched(pool: np.ndarray) -> np.ndarray:
    """Stretch draws after the first POOL from the median: modes can be in the tails where data contradict the prior."""
    by = np.where(np.arange(len(pool)) < POOL, 1.0, np.resize(_STRETCHES, len(pool)))
    center = np.median(pool, axis=0)
    return center + (pool - center) * by[:, None]


def _spread(pool: np.ndarray) -> np.ndarray | None:
    """Return standard deviations of draws of the prior, robust to outliers (from quartiles)."""
    low, high = np.quantile(pool, [0.25, 0.75], axis=0)
    spread = (high - low) / (2 * norm.ppf(0.75))
    return spread if np.isfinite(spread).all() and (spread > 0).all() else None
