"""Part: what beliefs, planners, choice rules and executions have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import numpy as np

INFINITY = float("inf")
SHARE = (0.0, 1.0)
Ranges = dict[str, tuple[float, float]]


class Part(eqx.Module):
    """A part of an agent.

    ``parameters`` are the fields that may carry a prior, with their smallest and largest value. A name belongs to
    exactly one part, so that it says what it is wherever the part stands.
    """

    parameters: ClassVar[Ranges] = {}
    numpy: ClassVar[bool] = False  # whether it also works on the host, where there is nothing to compile

    def __check_init__(self) -> None:
        for name, (low, high) in self.parameters.items():
            check_parameter(name, getattr(self, name), low, high)


def check_parameter(name: str, value: Any, low: float, high: float) -> Any:
    """A number (or array) within its range as a host array; a distribution or traced value as it is.

    Raises
    ------
    ValueError
        Where a number is outside.
    """
    if not isinstance(value, (bool, int, float, list, tuple, np.ndarray, np.generic)):
        return value
    array = np.asarray(value, np.float64)
    wrong = ~((array >= low) & (array <= high) & np.isfinite(array))
    if wrong.any():
        found = array[wrong].ravel()[0]
        raise ValueError(f"{name} is {found:g}; expected a finite number in {_interval(low, high)}")
    return array


def _interval(low: float, high: float) -> str:
    """The range in words; the ends of open ones are just beside a round number."""
    left = "(0" if 0 < low < 1e-6 else f"[{low:g}"
    right = "1)" if 1 - 1e-6 < high < 1 else f"{high:g}]"
    return f"{left}, {right}"
