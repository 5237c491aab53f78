"""Types of arguments: numbers, random keys, names of states."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jax import Array
from jax.typing import ArrayLike

PRNGKey = Array | np.ndarray | int | np.integer  # a JAX random key, or a seed
StateName = Hashable
States = StateName | Iterable[StateName]  # one name, several names, a string of marks, or a mask
InitialStates = States | Mapping[StateName, float]  # or probabilities
Numeric = Array | np.ndarray  # an array on a device or traced, or on the host
Real = Numeric | np.integer | np.floating | float | int  # one number, or an array of them
Numbers = ArrayLike | Sequence[ArrayLike | Sequence[Any]]  # numbers, or (nested) lists of numbers
