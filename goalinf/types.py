"""Types of arguments: numbers, random keys, names of states."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jax import Array
from jax.typing import ArrayLike

PRNGKey = Array | np.ndarray | int | np.integer  # a JAX random key, or a seed
Numeric = Array | np.ndarray  # an array on a device or traced, or on the host
StateName = Hashable | list[Any]  # a position in a file is a list
States = StateName | Iterable[StateName] | Numeric  # one name, several names, a string of marks, or a mask
InitialStates = States | Mapping[Any, float]  # or probabilities
Real = Numeric | np.integer | np.floating | float | int  # one number, or an array of them
Numbers = ArrayLike | Sequence[ArrayLike | Sequence[Any]]  # numbers, or (nested) lists of numbers
