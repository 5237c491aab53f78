"""Whitened coordinates: a prior has variance one in every direction, identified or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from numpyro import distributions as dist
from numpyro.distributions import Distribution
from scipy.linalg import block_diag, solve_triangular

from goalinf.planning.parameters import entry_prior
from goalinf.precision import computing_in

_SEED, _DRAWS = 0, 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates in which a prior has variance one in every direction, the unidentified directions first.

    Parameters
    ----------
    mean : float (P,)
        Prior mean.
    root : float (P, P)
        Cholesky factor of the prior covariance.
    axes : float (P, P)
        Columns: the unidentified directions, then their orthogonal complement.
    n_unidentified : int
        Number of unidentified directions, n1.
    """

    mean: np.ndarray
    root: np.ndarray
    axes: np.ndarray
    n_unidentified: int

    @classmethod
    def of(cls, priors: Sequence[Any], null: np.ndarray) -> Frame | None:
        """Build from priors and a null space ``(n1, P)``; None if a prior has no finite variance."""
        moments = [prior_moments(prior) for prior in priors]
        mean = np.concatenate([mean for mean, _ in moments])
        covariance = block_diag(*[covariance for _, covariance in moments])
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            return None
        try:
            root = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:  # smooth priors are singular up to rounding
            root = np.linalg.cholesky(covariance + 1e-10 * np.trace(covariance) / len(mean) * np.eye(len(mean)))
        axes = np.linalg.qr(solve_triangular(root, null.T, lower=True), mode="complete")[0]
        return cls(mean, root, axes, len(null))

    def split(self, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split rewards ``(…, P)`` into unidentified ``(…, n1)`` and identified ``(…, n2)`` coordinates."""
        flat = (rewards - self.mean).reshape(-1, len(self.mean)).T
        white = (solve_triangular(self.root, flat, lower=True).T @ self.axes).reshape(rewards.shape)
        return white[..., : self.n_unidentified], white[..., self.n_unidentified :]


def gaussian(priors: Sequence[Any]) -> bool:
    """Return True where all priors are normal."""
    return all(isinstance(entry_prior(prior), (dist.Normal, dist.MultivariateNormal)) for prior in priors)


def prior_draws(priors: Sequence[Any], n: int, *, seed: int = _SEED) -> np.ndarray:
    """Draw from several independent priors, side by side, ``(n, P)``."""
    with computing_in("float64"):
        keys = jax.random.split(jax.random.key(seed), len(priors))
        parts = [np.asarray(prior.sample(key, (n,)), float) for key, prior in zip(keys, priors, strict=True)]
    return np.concatenate([part.reshape(n, -1) for part in parts], axis=1)


def prior_moments(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Return mean ``(P,)`` and covariance ``(P, P)`` of a prior over an array; from draws if it has no formula."""
    entry = entry_prior(prior)
    with computing_in("float64"):
        try:
            if isinstance(entry, dist.MultivariateNormal) and entry.batch_shape == ():
                return np.asarray(entry.mean, float).ravel(), np.asarray(entry.covariance_matrix, float)
            if not entry.event_shape:
                mean, variance = (
                    np.broadcast_to(np.asarray(x, float), prior.shape()) for x in (prior.mean, prior.variance)
                )
                return mean.ravel(), np.diag(variance.ravel())
        except NotImplementedError:
            pass
    draws = prior_draws([prior], _DRAWS)
    return draws.mean(0), np.atleast_2d(np.cov(draws.T))
