"""The mode of a posterior and its curvature, by second-order steps on the host."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import jax
import numpy as np
from scipy import optimize

from goalinf.infer.density import Density

_NEWTON_SIZE = 1500  # beyond this many parameters the Hessian costs more than it saves


@dataclasses.dataclass(frozen=True)
class Mode:
    """The best point that was found.

    Parameters
    ----------
    flat : float (D,)
        Unconstrained coordinates.
    potential : float
        Minus the log joint density there, in unconstrained coordinates.
    gradient : float
        Largest absolute entry of the gradient there.
    converged : bool
        Whether the gradient vanishes.
    steps : int
        Iterations.
    """

    flat: np.ndarray
    potential: float
    gradient: float
    converged: bool
    steps: int


@partial(jax.jit, static_argnums=0)
def _value_and_gradient(density: Density, flat: Any, data: Any) -> Any:
    return jax.value_and_grad(density.potential)(flat, data)


@partial(jax.jit, static_argnums=0)
def hessian(density: Density, flat: Any, data: Any) -> Any:
    """Second derivatives of the potential, ``(D, D)``."""
    return jax.hessian(density.potential)(flat, data)


def climb(density: Density, data: Any, start: np.ndarray | None = None) -> Mode:
    """Trust-region Newton from the prior medians (L-BFGS beyond some 1,500 parameters).

    The potential can be infinite or undefined away from the start; such points are treated as a very high one.
    """
    start = density.start if start is None else start

    def value_and_gradient(flat):
        value, gradient = jax.device_get(_value_and_gradient(density, flat, data))
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e300, np.zeros(flat.shape)
        return float(value), np.asarray(gradient, float)

    if density.size <= _NEWTON_SIZE:
        found = optimize.minimize(
            value_and_gradient,
            np.asarray(start, float),
            jac=True,
            hess=lambda flat: np.asarray(hessian(density, flat, data), float),
            method="trust-exact",
            options={"gtol": 1e-6, "maxiter": 200, "initial_trust_radius": 1.0, "max_trust_radius": 100.0},
        )
    else:
        found = optimize.minimize(
            value_and_gradient, np.asarray(start, float), jac=True, method="L-BFGS-B", options={"maxiter": 2000}
        )
    largest = float(np.max(np.abs(found.jac)))
    return Mode(found.x, float(found.fun), largest, largest < 1e-3, int(found.nit))
