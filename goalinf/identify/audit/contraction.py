r"""Contraction of a posterior relative to its prior, in identified and in unidentified directions.

Draws are whitened by the prior, :math:`z = L^{-1}(\theta - m)` with :math:`LL^\top` the prior covariance, so that the
prior has variance one in every direction. The null space is transformed likewise, :math:`L^{-1}\mathcal N`. With a
Gaussian prior the component of :math:`z` in the null space is independent of the data: its posterior equals its prior
exactly. The orthogonal complement holds the identified directions; the eigenvalues of the posterior covariance there
are the generalized eigenvalues :math:`\mu_j` of posterior against prior covariance, and :math:`\sum_j (1 - \mu_j)` is
the effective identified dimension.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpyro.diagnostics import effective_sample_size
from scipy.stats import norm

from goalinf.identify.local.whitening import Frame, gaussian

_FALSE_ALARM = 0.01  # probability of a false difference for a posterior that equals its prior, over all directions
_FEW = 100.0  # effective draws below which no comparison is made


@dataclasses.dataclass(frozen=True, eq=False)
class Contraction:
    """Posterior variance relative to the prior variance, by direction.

    Parameters
    ----------
    identified : float (n2,)
        Generalized eigenvalues of posterior against prior covariance in the identified directions, smallest first: 0
        where the data determine the direction, 1 where they carry no information about it.
    unidentified : float (n1,)
        Ratio of posterior to prior variance along each unidentified direction.
    error : float (n1,)
        Monte Carlo standard errors of these ratios.
    shift, shift_error : float (n1,)
        Posterior mean minus prior mean along the unidentified directions, in prior standard deviations, and its
        standard error.
    effective_draws : float
        Smallest effective sample size along the unidentified directions.
    gaussian : bool
        True where the prior is Gaussian. Under another prior the directions may be dependent, and the data can narrow
        unidentified directions through the prior.
    """

    identified: np.ndarray
    unidentified: np.ndarray
    error: np.ndarray
    shift: np.ndarray
    shift_error: np.ndarray
    effective_draws: float
    gaussian: bool

    @property
    def effective_dimension(self) -> float:
        r"""Effective identified dimension, :math:`\sum_j (1 - \mu_j)`."""
        return float(np.sum(1.0 - self.identified))

    @property
    def equals_prior(self) -> bool | None:
        """True where the unidentified part equals the prior within Monte Carlo error; None with too few draws."""
        if not len(self.unidentified):
            return True
        if not self.effective_draws >= _FEW:
            return None
        bound = norm.isf(_FALSE_ALARM / (4 * len(self.unidentified)))  # two-sided, on a variance and a mean each
        variance = np.abs(self.unidentified - 1.0) <= bound * self.error
        return bool(np.all(variance & (np.abs(self.shift) <= bound * self.shift_error)))


def contraction(draws: np.ndarray, priors: Sequence[Any], null: np.ndarray) -> Contraction | None:
    """Compare draws with their prior along a null space and along its orthogonal complement.

    Parameters
    ----------
    draws : float (chain, draw, P)
        Posterior draws.
    priors : sequence of Distribution
        Independent priors of the parameters of the reward, in the order of the P numbers.
    null : float (n1, P)
        Null directions.

    Returns
    -------
    Contraction or None
        None if a prior has no finite variance.
    """
    if (frame := Frame.of(priors, null)) is None:
        return None
    unidentified, identified = frame.split(draws)
    identified = identified.reshape(int(np.prod(identified.shape[:-1])), identified.shape[-1])
    squares = (unidentified - unidentified.mean((0, 1))) ** 2
    estimable = min(unidentified.shape[1], unidentified.shape[0] * unidentified.shape[1]) >= 4 and len(null) > 0
    effective_draws = np.minimum(_effective(squares), _effective(unidentified)) if estimable else np.zeros(len(null))
    with np.errstate(divide="ignore"):
        standard_error = lambda x: x.std((0, 1)) / np.sqrt(effective_draws)  # noqa: E731
        error, shift_error = standard_error(squares), standard_error(unidentified)
    covariance = np.atleast_2d(np.cov(identified.T)) if identified.size else np.zeros((0, 0))
    return Contraction(
        identified=np.linalg.eigvalsh(covariance),
        unidentified=squares.mean((0, 1)),
        error=error,
        shift=unidentified.mean((0, 1)),
        shift_error=shift_error,
        effective_draws=float(effective_draws.min(initial=np.inf)),
        gaussian=gaussian(priors),
    )


def _effective(x: np.ndarray) -> np.ndarray:
    return np.minimum(np.asarray(effective_sample_size(x)), x.shape[0] * x.shape[1])
