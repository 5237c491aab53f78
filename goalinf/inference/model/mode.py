"""The mode of a posterior and its curvature, by second-order steps on the host."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from scipy import optimize

from goalinf.inference.model.log_density import Density
from goalinf.interrupt import heed

STEPS = 200  # of Newton's method
LBFGS_STEPS = 5000
_REMEMBERED = 50  # changes of the gradient: SciPy's default of 10 takes half as many steps again
NEWTON_SIZE = 1500  # beyond this many parameters the Hessian costs more than it saves
_UNDEFINED = 1e300  # potential of a point at which there is none


@dataclasses.dataclass(frozen=True)
class Mode:
    """The best point that was found.

    Parameters
    ----------
    flat : float (D,)
        Unconstrained coordinates.
    potential : float
        Minus the log joint density there, in unconstrained coordinates; infinite where it is defined nowhere that was
        tried.
    gradient : float
        Largest absolute entry of the gradient there.
    converged : bool
        Whether the gradient vanishes.
    steps : int
        Iterations.
    curvature : float (D, D) or None
        Hessian of the potential there; None beyond some 1,500 parameters.
    """

    flat: np.ndarray
    potential: float
    gradient: float
    converged: bool
    steps: int
    curvature: np.ndarray | None


@runtime_checkable
class Target(Protocol):
    """A potential with its derivatives: :class:`Compiled`, or a closed form."""

    @property
    def start(self) -> np.ndarray:
        """Where to begin, ``(D,)``."""

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Potential, gradient and Hessian (None beyond some 1,500 parameters)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Compiled:
    """The potential of a density given its data, by one compiled program for all who need it."""

    density: Density
    data: Any

    @property
    def start(self) -> np.ndarray:
        """Prior medians."""
        return self.density.start

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Potential, gradient and Hessian (None beyond some 1,500 parameters)."""
        density = self.density
        if density.size > NEWTON_SIZE:
            program = density.program("first order", lambda: jax.jit(jax.value_and_grad(density.potential)))
            value, slope = jax.device_get(program(flat, self.data))
            return float(value), np.asarray(slope, float), None
        program = density.program("second order", lambda: jax.jit(_to_second_order(density.potential)))
        value, slope, curvature = jax.device_get(program(flat, self.data))
        return float(value), np.asarray(slope, float), np.asarray(curvature, float)


class Remembered:
    """A target that remembers the last point it was asked for: checks, optimizers and samplers ask again and again.

    Parameters
    ----------
    target : Target
        What is asked at every new point.
    """

    def __init__(self, target: Target):
        self.target = target
        self._last: tuple[bytes, Any] = (b"", None)

    @property
    def start(self) -> np.ndarray:
        """Where to begin, ``(D,)``."""
        return self.target.start

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Potential, gradient and Hessian (None beyond some 1,500 parameters)."""
        if (point := flat.tobytes()) != self._last[0]:
            heed()
            self._last = point, self.target.derivatives(flat)
        return self._last[1]


def _to_second_order(potential: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(flat, data):
        value, slope = jax.value_and_grad(potential)(flat, data)
        return slope, (value, slope)

    def derivatives(flat, data):
        curvature, (value, slope) = jax.jacfwd(gradient, has_aux=True)(flat, data)
        return value, slope, curvature

    return derivatives


def climb(
    target: Target,
    start: np.ndarray | None = None,
    *,
    steps: int | None = None,
    gradient: float = 1e-6,
    until: Callable[[np.ndarray], bool] | None = None,
) -> Mode:
    """Find a mode by trust-region Newton steps (L-BFGS beyond 1,500 parameters).

    The potential can be infinite or undefined away from the start; such points are treated as a very high one.

    Parameters
    ----------
    target : Target
        A potential.
    start : float (D,), optional
        Where to begin; default: where the target says.
    steps : int, optional
        Most steps; default: 200 of Newton's method, 5,000 of L-BFGS.
    gradient : float
        Largest absolute entry of the gradient at which the climb ends (ten times as much for L-BFGS).
    until : callable, optional
        Ends the climb early at a point for which it is true.
    """
    start = np.asarray(target.start if start is None else start, float)

    def value_and_gradient(flat):
        value, slope, _ = target.derivatives(flat)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return _UNDEFINED, np.zeros(flat.shape)
        return value, slope

    def curvature(flat):  # SciPy asks for it where the potential is undefined, too, before it turns back
        found = target.derivatives(flat)[2]
        return found if found is not None and np.isfinite(found).all() else np.eye(flat.size)

    most = (STEPS if start.size <= NEWTON_SIZE else LBFGS_STEPS) if steps is None else steps

    def look(flat):
        if until is not None and until(flat):
            raise StopIteration

    if start.size <= NEWTON_SIZE:
        # First steps twice as long lead so far out that planners factorize a quarter more often (24 data sets, grids).
        found = optimize.minimize(
            value_and_gradient,
            start,
            jac=True,
            hess=curvature,
            method="trust-exact",
            callback=look,
            options={"gtol": gradient, "maxiter": most, "initial_trust_radius": 0.5, "max_trust_radius": 100.0},
        )
    else:
        # Only the gradient ends the climb: the potential of many choices changes by less than SciPy's tolerance.
        options = {"maxiter": most, "maxfun": 20 * most, "maxcor": _REMEMBERED, "ftol": 0.0, "gtol": 10 * gradient}
        found = optimize.minimize(
            value_and_gradient, start, jac=True, method="L-BFGS-B", callback=look, options=options
        )
    largest = float(np.max(np.abs(found.jac)))
    potential = float(found.fun) if found.fun < _UNDEFINED else np.inf
    converged = bool(largest < 1e-3 and np.isfinite(potential))
    bends = target.derivatives(found.x)[2] if start.size <= NEWTON_SIZE else None
    return Mode(found.x, potential, largest, converged, int(found.nit), bends)
