r"""Jumps between the modes of a posterior: one chain visits them all, in the proportion of their probability.

Every mode m has an affine map :math:`x = c_m + S_m z` under which the posterior around it is nearly a standard normal.
A jump takes x from the mode that it is nearest to, m, to the place of another one, m', that has the same z:

.. math:: x' = c_{m'} + S_{m'} S_m^{-1} (x - c_m)

and is accepted with probability :math:`\min(1, p(x') |S_{m'}| / p(x) |S_m|)`, where m' is the mode that x' is nearest
to; else the way back would be another one. The map is its own inverse and m' is chosen evenly, so that the posterior is
left as it is (deterministic proposals with a Jacobian: Green 1995; between modes: Andricioaei, Straub and Voter 2001).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from goalinf.precision import namespace


class Maps(eqx.Module):
    r"""The affine maps of all modes, in the coordinates of a sampler.

    Parameters
    ----------
    centers : float (M, D)
        :math:`c_m`.
    scales, inverses : float (M, D, D)
        :math:`S_m` and its inverse.
    log_volumes : float (M,)
        :math:`\log |S_m|`.
    log_mass : float (M,)
        Logarithm of the Laplace approximation of the probability of each, all of them together one.
    """

    centers: Float[Array | np.ndarray, "M D"]
    scales: Float[Array | np.ndarray, "M D D"]
    inverses: Float[Array | np.ndarray, "M D D"]
    log_volumes: Float[Array | np.ndarray, " M"]
    log_mass: Float[Array | np.ndarray, " M"]

    @classmethod
    def of(cls, centers: np.ndarray, scales: np.ndarray, log_mass: np.ndarray) -> Maps:
        """From centers, scales, and the logarithms of masses of any unit."""
        log_share = log_mass - np.logaddexp.reduce(log_mass)
        return cls(centers, scales, np.linalg.inv(scales), np.linalg.slogdet(scales)[1], log_share)

    def white(self, x: Any) -> Any:
        """Coordinates z ``(…, M, D)`` of places x ``(…, D)`` around every mode."""
        return namespace(x, self.centers).einsum("mij,...mj->...mi", self.inverses, x[..., None, :] - self.centers)

    def nearest(self, x: Any) -> Any:
        """Number of the mode whose Laplace approximation is the highest at x ``(…, D)``, each with the same mass."""
        return (-0.5 * (self.white(x) ** 2).sum(-1) - self.log_volumes).argmax(-1)

    def propose(self, key: Any, x: Float[Array, " D"]) -> tuple[Any, Any, Any]:
        """Where a jump from x leads, the logarithm of its change of volume, and whether there is a way back."""
        here = self.nearest(x)
        there = (here + jax.random.randint(key, (), 1, len(self.centers))) % len(self.centers)
        landed = self.centers[there] + self.scales[there] @ (self.inverses[here] @ (x - self.centers[here]))
        return landed, self.log_volumes[there] - self.log_volumes[here], self.nearest(landed) == there

    def shared_out(self, noise: np.ndarray) -> np.ndarray:
        """Starts ``(chains, D)`` of all chains, from their noise around a mode."""
        share = np.exp(self.log_mass)
        order = np.argsort(-share, kind="stable")
        counts = np.zeros(len(share), int)
        counts[order[: len(noise)]] = 1
        while counts.sum() < len(noise):  # the mode that has the fewest chains for its mass
            counts[np.argmax(share / (counts + 1))] += 1
        modes = np.repeat(np.arange(len(share)), counts)
        return np.asarray(self.centers)[modes] + np.einsum("nij,nj->ni", np.asarray(self.scales)[modes], noise)

    def log_density(self, x: np.ndarray, freedom: float) -> np.ndarray:
        """Log density, but for a constant, of the mixture of Student-t distributions around all modes."""
        size = np.shape(x)[-1]
        around = -0.5 * (freedom + size) * np.log1p((self.white(x) ** 2).sum(-1) / freedom) - self.log_volumes
        return np.logaddexp.reduce(around + self.log_defensive, axis=-1)

    @property
    def log_defensive(self) -> np.ndarray:
        """Logarithms of the shares of independent proposals, none so small that an error of its mass would matter."""
        share = np.maximum(np.exp(np.asarray(self.log_mass)), _SMALLEST / len(self.log_mass))
        return np.log(share / share.sum())


_SMALLEST = 0.2  # of an even share of the proposals, for modes whose Laplace approximation has nearly no mass
