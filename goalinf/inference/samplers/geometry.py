"""Coordinates of a sampler: an affine map under which a posterior is close to a standard normal."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import linalg

from goalinf.checks import numpy_generator
from goalinf.inference.model.mode import Mode
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.samplers.jumps import Maps
from goalinf.types import PRNGKey


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry:
    """Affine map ``flat = center + scale @ x`` from the coordinates x of a sampler.

    Parameters
    ----------
    center : float (D,)
        Mode.
    scale : float (D, D)
        A square root of the Laplace covariance (triangular), or of the identity.
    whitened : bool
        True where ``scale`` comes from a Laplace approximation.
    maps : Maps or None
        Affine map of each of several modes, in the coordinates x.
    """

    center: np.ndarray
    scale: np.ndarray
    whitened: bool
    maps: Maps | None = None

    @classmethod
    def laplace(cls, mode: Mode) -> Geometry | None:
        """Build from the curvature at the mode; None where it is unknown or not positive definite."""
        curvature = mode.curvature
        if curvature is None or not np.isfinite(curvature).all():
            return None
        try:
            # H = U'U, so that x = U (flat - mode) has unit covariance: flat = mode + U^-1 x.
            upper = linalg.cholesky(0.5 * (curvature + curvature.T))
        except linalg.LinAlgError:
            return None
        # The memory layout in which a file returns it, so that a resumed run is bit-identical.
        scale = np.ascontiguousarray(linalg.solve_triangular(upper, np.eye(len(upper))))
        return cls(mode.flat, scale, True)

    @classmethod
    def plain(cls, center: np.ndarray) -> Geometry:
        """Build with the identity as scale."""
        return cls(center, np.eye(center.size), False)

    def arrays(self) -> tuple[Any, ...]:
        """Return the arguments of compiled programs."""
        return (self.center, self.scale) if self.maps is None else (self.center, self.scale, self.maps)

    def among(self, centers: np.ndarray, scales: np.ndarray, log_mass: np.ndarray) -> Geometry:
        """Add the affine maps of several modes to these coordinates."""
        inner = np.linalg.solve(self.scale, (centers - self.center).T).T
        return dataclasses.replace(self, maps=Maps.of(inner, np.linalg.solve(self.scale, scales), log_mass))


@dataclasses.dataclass(frozen=True, eq=False)
class Coordinates:
    """Posterior in the coordinates of a sampler.

    Parameters
    ----------
    parameterization : Parameterization
        Parameterization of the posterior.
    geometry : Geometry
        Affine map from the coordinates of the sampler to those of the parameterization.
    missed : float
        Estimated probability that a further search would find a mode that is not among those of the geometry.
    """

    parameterization: Parameterization
    geometry: Geometry
    missed: float = 0.0

    @property
    def modes(self) -> int:
        """Number of modes whose affine maps are known."""
        return 1 if self.geometry.maps is None else len(self.geometry.maps.centers)


def spread_out(key: PRNGKey, geometry: Geometry, chains: int) -> np.ndarray:
    """Draw starting points of the chains around the mode, ``(chains, D)``, in the coordinates of the sampler.

    With several modes the chains are distributed in proportion to the mass of the modes, and each mode has at least one
    chain if there are enough. Starts have half the standard deviation of the draws: in many dimensions the Laplace
    approximation covers regions in which the posterior density of rewards is close to zero and chains do not move.
    """
    spread = 0.5 if geometry.whitened else 0.1
    rng = numpy_generator(key)
    noise = spread * rng.standard_normal((chains, geometry.center.size))
    return noise if geometry.maps is None else geometry.maps.shared_out(noise)
