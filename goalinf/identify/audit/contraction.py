r"""How much narrower than the prior a posterior is: in the directions that behavior can show, and in the others.

Draws are whitened by the prior, :math:`z = L^{-1}(\theta - m)` with :math:`LL^\top` the prior covariance, so that the
prior has variance one in every direction. The null space is carried along, :math:`L^{-1}\mathcal N`. With a Gaussian
prior the part of :math:`z` inside it is independent of the data: its posterior is its prior, exactly. What lies at
right angles to it is what behavior can show; the eigenvalues of its covariance are the generalized eigenvalues
:math:`\mu_j` of posterior against prior, and :math:`\sum_j (1 - \mu_j)` is the effective identified dimension.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpyro.diagnostics import effective_sample_size
from scipy.stats import norm

from goalinf.identify.local.whitening import Frame, gaussian

_FALSE_ALARM = 0.01  # probability of calling a posterior that equals its prior different, over all directions
_FEW = 100.0  # effective draws below which nothing is called equal


@dataclasses.dataclass(frozen=True, eq=False)
class Contraction:
    """Posterior against prior, by direction.

    Parameters
    ----------
    identified : float (n2,)
        Generalized eigenvalues of posterior against prior variance in the directions that behavior can show,
        smallest first: 0 where the data say everything, 1 where they say nothing.
    unidentified : float (n1,)
        Posterior over prior variance along each direction that behavior cannot show.
    error : float (n1,)
        Monte Carlo standard errors of these ratios.
    shift, shift_error : float (n1,)
        Posterior mean minus prior mean along the same directions, in prior standard deviations, and its standard error.
    effective_draws : float
        Smallest effective sample size along them.
    gaussian : bool
        Whether the prior is Gaussian. Otherwise the prior itself may tie directions together, and data can narrow
        through the prior what behavior cannot show.
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
        """Whether the unidentified part is the prior within Monte Carlo error; None where draws are too few to say."""
        if not len(self.unidentified):
            return True
        if not self.effective_draws >= _FEW:
            return None
        bound = norm.isf(_FALSE_ALARM / (4 * len(self.unidentified)))  # two-sided, on a variance and a mean each
        variance = np.abs(self.unidentified - 1.0) <= bound * self.error
        return bool(np.all(variance & (np.abs(self.shift) <= bound * self.shift_error)))


def contraction(draws: np.ndarray, priors: Sequence[Any], null: np.ndarray) -> Contraction | None:
    """Compare draws with their prior along a null space and at right angles to it.

    Parameters
    ----------
    draws : float (chain, draw, P)
        Posterior draws.
    priors : sequence of Distribution
        Priors of the parts of the P numbers, in their order, independent of one another.
    null : float (n1, P)
        What behavior cannot show.

    Returns
    -------
    Contraction or None
        None where a prior has no finite variance.
    """
    if (frame := Frame.of(priors, null)) is None:
        return None
    hidden, shown = frame.split(draws)
    shown = shown.reshape(int(np.prod(shown.shape[:-1])), shown.shape[-1])
    square = (hidden - hidden.mean((0, 1))) ** 2
    enough = min(hidden.shape[1], hidden.shape[0] * hidden.shape[1]) >= 4 and len(null) > 0
    effective = np.minimum(_effective(square), _effective(hidden)) if enough else np.zeros(len(null))
    with np.errstate(divide="ignore"):
        standard_error = lambda x: x.std((0, 1)) / np.sqrt(effective)  # noqa: E731
        error, shift_error = standard_error(square), standard_error(hidden)
    spread = np.atleast_2d(np.cov(shown.T)) if shown.size else np.zeros((0, 0))
    return Contraction(
        identified=np.linalg.eigvalsh(spread),
        unidentified=square.mean((0, 1)),
        error=error,
        shift=hidden.mean((0, 1)),
        shift_error=shift_error,
        effective_draws=float(effective.min(initial=np.inf)),
        gaussian=gaussian(priors),
    )


def _effective(x: np.ndarray) -> np.ndarray:
    return np.minimum(np.asarray(effective_sample_size(x)), x.shape[0] * x.shape[1])
