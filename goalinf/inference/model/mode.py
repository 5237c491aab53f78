"""Search for the mode of a posterior and its curvature, by second-order steps on the host."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from scipy import optimize

from goalinf.agents import Agent
from goalinf.errors import ConvergenceError
from goalinf.inference.model.curvature import second_order
from goalinf.inference.model.log_density import Density
from goalinf.interrupt import heed

STEPS = 200  # of Newton's method
LBFGS_STEPS = 5000
_REMEMBERED = 50  # gradient differences kept by L-BFGS: SciPy's default of 10 takes 1.5 times as many steps
NEWTON_SIZE = 1500  # largest number of parameters for which Hessians reduce the total time
_NO_MODE = "the posterior may have no mode (use a tighter prior), or float32 may be too coarse"
_MORE = "use more steps (steps=) or a tighter prior; the posterior may have no mode"
_KINKS = (
    "this agent plans with a hard maximum: its posterior has kinks where best actions tie, and the gradient does not "
    "vanish at a mode on a kink: use gi.infer, or gi.agents.soft_optimal, whose posterior is smooth"
)
_SLOPES_FIRST = 100  # parameters above which a search starts with L-BFGS
_NEAR = 1e-2  # gradient at which Newton's method takes over from it
_UNDEFINED = 1e300  # potential of a point at which the density is undefined


@dataclasses.dataclass(frozen=True)
class Mode:
    """End point of an optimization.

    Parameters
    ----------
    flat : float (D,)
        Unconstrained coordinates.
    potential : float
        Minus the log joint density at the point, in unconstrained coordinates; infinite where it is undefined at all
        points that were tried.
    gradient : float
        Largest absolute entry of the gradient at the point.
    converged : bool
        True where the gradient vanishes.
    steps : int
        Number of iterations.
    curvature : float (D, D) or None
        Hessian of the potential at the point; None above 1,500 parameters.
    """

    flat: np.ndarray
    potential: float
    gradient: float
    converged: bool
    steps: int
    curvature: np.ndarray | None

    @cached_property
    def bends(self) -> bool:
        """True where the density drops in every direction; False where the curvature is not known."""
        if self.curvature is None or not np.isfinite(self.curvature).all():
            return False
        return bool(np.linalg.eigvalsh(self.curvature)[0] > 0)


@runtime_checkable
class Target(Protocol):
    """Potential with its derivatives: :class:`Compiled`, or a closed form."""

    @property
    def start(self) -> np.ndarray:
        """Starting point, ``(D,)``."""

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Return potential, gradient and Hessian (None above 1,500 parameters)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Compiled:
    """Potential of a density given its data, by a shared compiled program."""

    density: Density
    data: Any

    @property
    def start(self) -> np.ndarray:
        """Prior medians."""
        return self.density.start

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Return potential, gradient and Hessian (None above 1,500 parameters)."""
        density = self.density
        if density.size > NEWTON_SIZE:
            return *self.slope(flat), None
        program = density.program("second order", lambda: jax.jit(second_order(density.potential, density.owner)))
        value, slope, curvature = jax.device_get(program(flat, self.data))
        return float(value), np.asarray(slope, float), np.asarray(curvature, float)

    def slope(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Return potential and gradient."""
        density = self.density
        program = density.program("first order", lambda: jax.jit(jax.value_and_grad(density.potential)))
        value, slope = jax.device_get(program(flat, self.data))
        return float(value), np.asarray(slope, float)


class Remembered:
    """Target that caches its last point: checks, optimizers and samplers evaluate the same point repeatedly.

    Parameters
    ----------
    target : Target
        Target that is evaluated at every new point.
    """

    def __init__(self, target: Target):
        self.target = target
        self._last: tuple[bytes, Any] = (b"", None)

    @property
    def start(self) -> np.ndarray:
        """Starting point, ``(D,)``."""
        return self.target.start

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Return potential, gradient and Hessian (None above 1,500 parameters)."""
        if (point := flat.tobytes()) != self._last[0]:
            heed()
            self._last = point, self.target.derivatives(flat)
        return self._last[1]

    @property
    def slopes_first(self) -> bool:
        """True where a Hessian takes much longer than a gradient: most of a search then goes without."""
        return isinstance(self.target, Compiled) and self.target.density.size > _SLOPES_FIRST

    def slope(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Return potential and gradient, without a Hessian where it takes long."""
        if isinstance(self.target, Compiled) and self.slopes_first and flat.tobytes() != self._last[0]:
            heed()
            return self.target.slope(flat)
        return self.derivatives(flat)[:2]


def climb(
    target: Remembered,
    start: np.ndarray | None = None,
    *,
    steps: int | None = None,
    gradient: float = 1e-6,
    until: Callable[[np.ndarray], bool] | None = None,
) -> Mode:
    """Find a mode by trust-region Newton steps (L-BFGS above 1,500 parameters, and where no step is found).

    The potential can be infinite or undefined away from the start; such points get a very large potential.

    Parameters
    ----------
    target : Remembered
        Potential with derivatives.
    start : float (D,), optional
        Starting point; default: the start of the target.
    steps : int, optional
        Largest number of steps; default: 200 of Newton's method, 5,000 of L-BFGS.
    gradient : float
        Largest absolute entry of the gradient at which the search ends (for L-BFGS ten times this value).
    until : callable, optional
        Condition on a point; the search ends early where it is True.
    """
    start = np.asarray(target.start if start is None else start, float)

    def stop_early(flat):
        if until is not None and until(flat):
            raise StopIteration

    def lbfgs(start: np.ndarray, largest: float) -> optimize.OptimizeResult:
        # Only the gradient ends the search: for many actions the potential changes by less than SciPy's tolerance.
        limit = LBFGS_STEPS if steps is None else steps
        options = {"maxiter": limit, "maxfun": 20 * limit, "maxcor": _REMEMBERED, "ftol": 0.0, "gtol": largest}
        first_order = partial(_first_order, target)
        return optimize.minimize(first_order, start, jac=True, method="L-BFGS-B", callback=stop_early, options=options)

    result, taken = None, 0
    if start.size <= NEWTON_SIZE:
        if target.slopes_first:
            near = lbfgs(start, _NEAR)
            start, taken = near.x, int(near.nit)
            if until is not None and until(start):
                result, taken = near, 0
        if result is None:
            result = _newton(target, start, stop_early, STEPS if steps is None else steps, gradient)
    if result is None:
        result = lbfgs(start, 10 * gradient)
    largest = float(np.max(np.abs(result.jac)))
    potential = float(result.fun) if result.fun < _UNDEFINED else np.inf
    converged = bool(largest < 1e-3 and np.isfinite(potential))
    hessian = target.derivatives(result.x)[2] if start.size <= NEWTON_SIZE else None
    return Mode(result.x, potential, largest, converged, taken + int(result.nit), hessian)


def _newton(
    target: Remembered, start: np.ndarray, stop_early: Callable[[np.ndarray], None], limit: int, gradient: float
) -> optimize.OptimizeResult | None:
    """Minimize by trust-region Newton steps; None where SciPy finds no step, at a very indefinite curvature."""

    def curvature(flat):  # SciPy also evaluates it where the potential is undefined, before it rejects the step
        hessian = target.derivatives(flat)[2]
        return hessian if hessian is not None and np.isfinite(hessian).all() else np.eye(flat.size)

    # With first steps twice as long, planners factorize a quarter more often (24 data sets in gridworlds).
    options = {"gtol": gradient, "maxiter": limit, "initial_trust_radius": 0.5, "max_trust_radius": 100.0}
    first_order = partial(_first_order, target)
    try:
        with np.errstate(over="ignore"):  # of the ratio to a predicted decrease of zero, before an undefined point
            return optimize.minimize(
                first_order, start, jac=True, hess=curvature, method="trust-exact", callback=stop_early, options=options
            )
    except UnboundLocalError:  # its search for the step ended, after 25 factorizations, without any step
        return None


def _first_order(target: Remembered, flat: np.ndarray) -> tuple[float, np.ndarray]:
    value, slope = target.slope(flat)
    if not (np.isfinite(value) and np.isfinite(slope).all()):
        return _UNDEFINED, np.zeros(flat.shape)
    return value, slope


def has_kinks(agent: Agent | None) -> bool:
    """Return True where the agent plans with a hard maximum, so that its posterior is not smooth."""
    return agent is not None and not all(option.smooth for option in agent.components)


def not_reached(function: str, mode: Mode, agent: Agent | None, steps: int | None) -> ConvergenceError:
    """Return the error of a search that ended where the gradient does not vanish."""
    method, most = ("L-BFGS", LBFGS_STEPS) if mode.curvature is None else ("Newton's method", STEPS)
    used_up = mode.steps >= (most if steps is None else steps)
    why = _MORE if used_up else _KINKS if has_kinks(agent) else _NO_MODE
    state = f"the gradient is {mode.gradient:.2g}" if np.isfinite(mode.gradient) else "the gradient is undefined"
    return ConvergenceError(f"{function}: the mode was not reached in {mode.steps} steps of {method}: {state}; {why}")
