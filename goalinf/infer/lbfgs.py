"""The mode of a posterior with more parameters than Newton steps are worth, and its curvature column by column."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from goalinf.infer.density import Density
from goalinf.infer.mode import Mode, Target

STEPS = 5000
_REMEMBERED = 50  # changes of the gradient: the default of 10 takes half as many steps again
_REACHED, _SMALL = 1e-5, 1e-3  # largest entry of the gradient: where the search stops, and where a mode counts as one
_UNDEFINED = 1e300  # potential of a point at which there is none
_TOGETHER = 16  # columns of the curvature at a time


def climb(target: Target, *, steps: int | None = None) -> Mode:
    """Find the mode by L-BFGS from where the target says, in at most so many steps (default: 5,000).

    The potential can be infinite or undefined away from the start; such points are treated as a very high one.
    """

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope, _ = target.derivatives(flat)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return _UNDEFINED, np.zeros(flat.shape)
        return value, slope

    most = STEPS if steps is None else steps
    # Only the gradient ends the search: the potential of many choices changes by less than its default tolerance.
    options = {"maxiter": most, "maxfun": 20 * most, "maxcor": _REMEMBERED, "ftol": 0.0, "gtol": _REACHED}
    found = optimize.minimize(
        value_and_gradient, np.asarray(target.start, float), jac=True, method="L-BFGS-B", options=options
    )
    largest = float(np.max(np.abs(found.jac)))
    converged = bool(largest < _SMALL and found.fun < _UNDEFINED)
    return Mode(found.x, float(found.fun), largest, converged, int(found.nit), None)


def curvature(density: Density, flat: np.ndarray, data: Any) -> np.ndarray:
    """Hessian of the potential ``(D, D)``, a few columns at a time: all together would not fit into memory."""

    def columns(flat: Any, data: Any) -> Any:
        _, push = jax.linearize(lambda x: jax.grad(density.potential)(x, data), flat)
        return jax.lax.map(push, jnp.eye(flat.size, dtype=flat.dtype), batch_size=_TOGETHER)

    program = density.program("curvature", lambda: jax.jit(columns))
    return np.asarray(jax.device_get(program(flat, data)), float)
