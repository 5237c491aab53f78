r"""Jumps between the modes of a posterior: one chain visits all modes, in proportion to their probability.

Every mode m has an affine map :math:`x = c_m + S_m z` under which the posterior around it is close to a standard
normal. A jump takes x, whose nearest mode is m, to the point with the same z around another mode m':

.. math:: x' = c_{m'} + S_{m'} S_m^{-1} (x - c_m)

It is accepted with probability :math:`\min(1, p(x') |S_{m'}| / p(x) |S_m|)` if m' is the nearest mode of x', and
rejected otherwise, because the reverse jump would then differ. The map is its own inverse and m' is drawn uniformly, so
that the posterior is invariant (deterministic proposals with a Jacobian: Green 1995; between modes: Andricioaei, Straub
and Voter 2001).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from goalinf.precision import namespace
from goalinf.types import Numeric, PRNGKey


class Maps(eqx.Module):
    r"""Affine maps of all modes, in the coordinates of a sampler.

    Parameters
    ----------
    centers : float (M, D)
        :math:`c_m`.
    scales, inverses : float (M, D, D)
        :math:`S_m` and its inverse.
    log_volumes : float (M,)
        :math:`\log |S_m|`.
    log_mass : float (M,)
        Logarithm of the Laplace approximation of the probability of each mode; the probabilities sum to one.
    """

    centers: Float[Array | np.ndarray, "M D"]
    scales: Float[Array | np.ndarray, "M D D"]
    inverses: Float[Array | np.ndarray, "M D D"]
    log_volumes: Float[Array | np.ndarray, " M"]
    log_mass: Float[Array | np.ndarray, " M"]

    @classmethod
    def of(cls, centers: np.ndarray, scales: np.ndarray, log_mass: np.ndarray) -> Maps:
        """Build from centers, scales, and logarithms of unnormalized masses."""
        log_share = log_mass - np.logaddexp.reduce(log_mass)
        return cls(centers, scales, np.linalg.inv(scales), np.linalg.slogdet(scales)[1], log_share)

    def white(self, x: Numeric) -> Any:
        """Convert points x ``(…, D)`` to coordinates z ``(…, M, D)`` around every mode."""
        return namespace(x, self.centers).einsum("mij,...mj->...mi", self.inverses, x[..., None, :] - self.centers)

    def nearest(self, x: Numeric) -> Any:
        """Return the mode whose Laplace approximation, normalized to equal mass, is the highest at x ``(…, D)``."""
        return (-0.5 * (self.white(x) ** 2).sum(-1) - self.log_volumes).argmax(-1)

    def propose(self, key: PRNGKey, x: Float[Array, " D"]) -> tuple[Any, Any, Any]:
        """Propose a jump from x: end point, log of the change of volume, and True where the reverse jump exists."""
        mode = self.nearest(x)
        target = (mode + jax.random.randint(key, (), 1, len(self.centers))) % len(self.centers)
        proposal = self.centers[target] + self.scales[target] @ (self.inverses[mode] @ (x - self.centers[mode]))
        return proposal, self.log_volumes[target] - self.log_volumes[mode], self.nearest(proposal) == target

    def shared_out(self, noise: np.ndarray) -> np.ndarray:
        """Distribute the chains over the modes; returns starts ``(chains, D)`` from their noise around a mode."""
        share = np.exp(self.log_mass)
        order = np.argsort(-share, kind="stable")
        counts = np.zeros(len(share), int)
        counts[order[: len(noise)]] = 1
        while counts.sum() < len(noise):  # add a chain to the mode with the fewest chains for its mass
            counts[np.argmax(share / (counts + 1))] += 1
        modes = np.repeat(np.arange(len(share)), counts)
        return np.asarray(self.centers)[modes] + np.einsum("nij,nj->ni", np.asarray(self.scales)[modes], noise)

    def log_density(self, x: np.ndarray, freedom: float) -> np.ndarray:
        """Compute the log density, up to a constant, of the mixture of Student-t distributions around all modes."""
        size = np.shape(x)[-1]
        log_densities = -0.5 * (freedom + size) * np.log1p((self.white(x) ** 2).sum(-1) / freedom) - self.log_volumes
        return np.logaddexp.reduce(log_densities + self.log_defensive, axis=-1)

    @property
    def log_defensive(self) -> np.ndarray:
        """Logarithms of the shares of independent proposals, bounded below against errors of the Laplace masses."""
        share = np.maximum(np.exp(np.asarray(self.log_mass)), _SMALLEST / len(self.log_mass))
        return np.log(share / share.sum())


_SMALLEST = 0.2  # smallest share of the proposals of a mode, relative to an equal share
