r"""Scale–temperature ridge: posterior dependence between beta and the size of the reward.

Behavior depends on their product. In the posterior, :math:`\log\beta` and :math:`\log\|B_2^\top r\|` (the norm of
the reward in the identified directions) therefore have a correlation near −1, while the logarithm of the product has a
small variance. The priors alone determine how the product is divided between the two factors.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from goalinf.identify.local.whitening import prior_draws

_SEED, _DRAWS = 1, 4000


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Posterior and prior standard deviations of log beta, of the log size of the reward, and of their sum.

    Parameters
    ----------
    correlation : float
        Between log beta and the log of the size of the reward, in the posterior.
    beta, size, product : float
        Posterior standard deviations of log beta, of the log of the size, and of the log of their product.
    prior_beta, prior_size, prior_product : float
        The same under the prior.
    """

    correlation: float
    beta: float
    size: float
    product: float
    prior_beta: float
    prior_size: float
    prior_product: float

    def __str__(self) -> str:
        return (
            f"Scale and temperature: the posterior standard deviation of log beta is {self.beta:.2f} (prior "
            f"{self.prior_beta:.2f}), that of the log size of the reward {self.size:.2f} (prior "
            f"{self.prior_size:.2f}); their correlation is {self.correlation:.2f}. Only the product of beta and the "
            f"reward is identified: the standard deviation of its log is {self.product:.2f} (prior "
            f"{self.prior_product:.2f})."
        )


def ridge(beta: np.ndarray, reward: np.ndarray, priors: tuple[Any, list[Any]], null: np.ndarray) -> Ridge:
    """Compute the scale–temperature ridge of a posterior.

    Parameters
    ----------
    beta : float (n,)
        Draws of beta.
    reward : float (n, P)
        Draws of the reward.
    priors : Distribution and list of Distribution
        Of beta, and of the parts of the reward.
    null : float (n1, P)
        Null directions of the reward: orthonormal rows.
    """
    prior_values = prior_draws([priors[0], *priors[1]], _DRAWS, seed=_SEED)
    prior_beta, prior_reward = prior_values[:, 0], prior_values[:, 1:]
    posterior = np.log([beta, _size(reward, null)])
    prior = np.log([prior_beta, _size(prior_reward, null)])
    return Ridge(
        float(np.corrcoef(posterior)[0, 1]),
        *(float(x.std()) for x in (*posterior, posterior.sum(0))),
        *(float(x.std()) for x in (*prior, prior.sum(0))),
    )


def _size(reward: np.ndarray, null: np.ndarray) -> np.ndarray:
    return np.linalg.norm(reward - reward @ null.T @ null, axis=1)
