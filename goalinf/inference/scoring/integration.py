r"""Likelihoods of items of the data with the effects of their owners integrated out, given the other parameters.

.. math:: p(y_i \mid \phi) = \int p(y_i \mid u, \phi)\,p(u \mid \phi)\,du
    \approx \frac1M \sum_m \frac{p(y_i \mid u_m, \phi)\,p(u_m \mid \phi)}{q(u_m)}

Half of the points :math:`u_m` are from the group, :math:`p(u \mid \phi)`, and half from a t distribution with the mean
and the covariance of the effects given the data of the owner; q is the mixture of both, so that no ratio of densities
exceeds 2 (defensive importance sampling). Every draw of :math:`\phi` has points of its own. Independent rounds of
points show the Monte Carlo error.

References
----------
Merkle, Furr and Rabe-Hesketh (2019), "Bayesian comparison of latent variable models: conditional versus marginal
likelihoods"; Hesterberg (1995), "Weighted average importance sampling and defensive mixture distributions"; Owen and
Zhou (2000), "Safe and effective importance sampling".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

from goalinf.inference.scoring.by_option import AgentScorer
from goalinf.inference.scoring.effects import Effects

_POINTS = 4  # from each of the two distributions in a round
_LEAST, _MOST = 2, 32  # rounds; the difference between rounds shows the error
_DEGREES = 5.0  # of freedom of the t distribution: heavier tails than the effects have
_PILOTS = 3  # rounds that find mean and covariance, where no draws of the effects are known
_SEED = 0  # the points belong to the method: equal fits have equal scores
Joint = Callable[[np.ndarray, np.ndarray], np.ndarray]  # log weights and scores of options -> log-likelihoods (D, I)


@dataclasses.dataclass(frozen=True, eq=False)
class Integral:
    """Log-likelihoods of items at D draws, and the squared relative Monte Carlo error of the likelihoods, (D, I)."""

    log_likelihood: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, rounds: np.ndarray) -> Integral:
        """Average the log-likelihoods (R, D, I) of independent rounds."""
        count = len(rounds)
        mean = _log_mean(rounds)
        relative = np.exp(rounds - np.where(np.isneginf(mean), 0.0, mean))
        return cls(mean, relative.var(axis=0, ddof=1) / count)


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Mean (Q,) of the effects of every owner, triangular root (Q, Q) of their covariance, and its inverse."""

    mean: list[np.ndarray]
    root: list[np.ndarray]
    inverse: list[np.ndarray]

    @classmethod
    def of(cls, points: Sequence[np.ndarray], log_weights: np.ndarray | None = None) -> Moments:
        """Compute the moments of points (B, Q) of every owner with log weights (B, owners); default: equal ones."""
        means, roots = [], []
        for owner, of_owner in enumerate(points):
            count, size = of_owner.shape
            weights = np.full(count, 1.0 / count) if log_weights is None else _tempered(log_weights[:, owner], size)
            mean = weights @ of_owner
            covariance = (of_owner - mean).T @ (weights[:, None] * (of_owner - mean))
            means.append(mean)
            roots.append(np.linalg.cholesky(covariance + np.diag(1e-6 * np.diag(covariance) + 1e-12)))
        return cls(means, roots, [np.linalg.inv(root) for root in roots])


def integrate(
    scorer: AgentScorer,
    effects: Sequence[Effects],
    joint: Joint,
    owner: np.ndarray,
    enough: Callable[[Integral], bool],
    *,
    drawn: bool,
) -> Integral:
    """Integrate the likelihoods of items over the effects of their owners.

    Parameters
    ----------
    scorer : AgentScorer
        Likelihood of the data.
    effects : sequence of Effects
        Effects by parameter.
    joint : callable
        Log weights (D, K) and log-likelihoods (D, K, N) of the options to log-likelihoods (D, I) of the items.
    owner : int (I,)
        Number of the owner of every item, without gaps. The last item of an owner has all of its data.
    enough : callable
        True for an integral that is exact enough; otherwise further rounds follow, up to 32.
    drawn : bool
        True where the draws of the effects are from their posterior given the data.
    """
    points = _Points(scorer, effects, int(owner.max()) + 1)
    if drawn:
        moments = Moments.of([points.of_owner([each.drawn for each in effects], i) for i in range(points.owners)])
    else:
        last = np.array([np.flatnonzero(owner == number)[-1] for number in range(points.owners)])
        moments = points.moments(lambda *options: joint(*options)[:, last])
    rounds: list[np.ndarray] = []
    while True:
        terms = [log_ratio[:, owner] + possible(joint(*options)) for _, log_ratio, options in points.round(moments)]
        rounds.append(_log_mean(np.stack(terms)))
        if len(rounds) >= _LEAST:
            integral = Integral.of(np.stack(rounds))
            if len(rounds) == _MOST or enough(integral):
                return integral


class _Points:
    """Source of points of the effects of all owners, with ratios of densities and the scores of the data there."""

    def __init__(self, scorer: AgentScorer, effects: Sequence[Effects], owners: int):
        self.scorer, self.effects, self.owners = scorer, effects, owners
        self.levels = [[np.flatnonzero(each.owner == number) for each in effects] for number in range(owners)]
        self.rng = np.random.default_rng(_SEED)

    def of_owner(self, arrays: Sequence[np.ndarray], owner: int) -> np.ndarray:
        """Return the entries (D, Q) of arrays (D, U, Q) of all parameters at the levels of one owner."""
        parts = [array[:, at].reshape(len(array), -1) for array, at in zip(arrays, self.levels[owner], strict=True)]
        return np.concatenate(parts, axis=1)

    def moments(self, total: Joint) -> Moments:
        """Find the moments of the effects given the data, whose log-likelihoods (D, owners) are ``total``."""
        moments = None
        for _ in range(_PILOTS):
            by_owner: list[list[np.ndarray]] = [[] for _ in range(self.owners)]
            log_weights = []
            for coordinates, log_ratio, options in self.round(moments):
                log_weights.append(log_ratio + possible(total(*options)))
                for owner, points in enumerate(by_owner):
                    points.append(self.of_owner(coordinates, owner))
            moments = Moments.of([np.concatenate(points) for points in by_owner], np.concatenate(log_weights))
        assert moments is not None
        return moments

    def round(
        self, moments: Moments | None
    ) -> Iterator[tuple[list[np.ndarray], np.ndarray, tuple[np.ndarray, np.ndarray]]]:
        """Yield coordinates by parameter, log ratios of densities (D, owners), and scores of the options.

        Without moments all points are from the group.
        """
        for number in range(2 * _POINTS):
            if moments is None or number % 2 == 0:
                key = jax.random.key(self.rng.integers(2**31))
                coordinates = [each.sample(key, self.rng.standard_normal(each.drawn.shape)) for each in self.effects]
            else:
                coordinates = self._from_t(moments)
            changed = {
                each.site.name: each.value(values, self.scorer.draws[each.site.name])
                for each, values in zip(self.effects, coordinates, strict=True)
            }
            yield coordinates, self._log_ratio(coordinates, moments), self.scorer.at(changed)

    def _from_t(self, moments: Moments) -> list[np.ndarray]:
        """Draw the coordinates of all owners from t distributions."""
        coordinates = [each.drawn.copy() for each in self.effects]
        for owner, levels in enumerate(self.levels):
            mean, root = moments.mean[owner], moments.root[owner]
            normal = self.rng.standard_normal((len(coordinates[0]), len(mean)))
            scale = np.sqrt(_DEGREES / self.rng.chisquare(_DEGREES, (len(normal), 1)))
            points, start = mean + scale * normal @ root.T, 0
            for values, at in zip(coordinates, levels, strict=True):
                size = len(at) * values.shape[2]
                values[:, at] = points[:, start : start + size].reshape(len(points), len(at), values.shape[2])
                start += size
        return coordinates

    def _log_ratio(self, coordinates: Sequence[np.ndarray], moments: Moments | None) -> np.ndarray:
        """Return log densities in the group relative to the mixture of group and t distribution, (D, owners)."""
        if moments is None:
            return np.zeros((len(coordinates[0]), self.owners))
        priors = [each.log_prior(values) for each, values in zip(self.effects, coordinates, strict=True)]
        log_prior = np.stack([self.of_owner(priors, owner).sum(axis=1) for owner in range(self.owners)], axis=1)
        log_t = np.stack(
            [
                _log_t(self.of_owner(coordinates, owner), moments.mean[owner], moments.inverse[owner])
                for owner in range(self.owners)
            ],
            axis=1,
        )
        return np.log(2.0) - np.logaddexp(0.0, log_t - log_prior)


def possible(log_likelihood: np.ndarray) -> np.ndarray:
    """Return the log-likelihoods; minus infinity where the planner failed, as for samplers."""
    return np.where(np.isnan(log_likelihood), -np.inf, log_likelihood)


def _log_mean(terms: np.ndarray) -> np.ndarray:
    """Average exponentials over the first axis."""
    return np.asarray(logsumexp(terms, axis=0)) - np.log(len(terms))


def _log_t(points: np.ndarray, mean: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return the log density (D,) of a multivariate t distribution, given the inverse root of its scale matrix."""
    size = len(mean)
    squared = (((points - mean) @ inverse.T) ** 2).sum(axis=1)
    constant = gammaln((_DEGREES + size) / 2) - gammaln(_DEGREES / 2) - size / 2 * np.log(_DEGREES * np.pi)
    log_det = -np.log(np.diag(inverse)).sum()
    return np.asarray(constant - log_det - (_DEGREES + size) / 2 * np.log1p(squared / _DEGREES))


def _tempered(log_weights: np.ndarray, size: int) -> np.ndarray:
    """Return normalized weights, raised to a power below one where too few points have nearly all of the weight."""
    largest = log_weights.max()
    finite = (
        np.where(np.isneginf(log_weights), -1e300, log_weights - largest) if np.isfinite(largest) else 0 * log_weights
    )
    least = np.log(10.0 * (size + 1.0))  # effective points, for moments of this size

    def excess(power: float) -> float:
        return float(2.0 * logsumexp(power * finite) - logsumexp(2.0 * power * finite)) - least

    power = 1.0 if excess(1.0) > 0 else brentq(excess, 1e-6, 1.0) if excess(1e-6) > 0 else 1e-6
    weights = np.exp(power * finite)
    return np.asarray(weights / weights.sum())
