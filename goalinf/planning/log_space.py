"""Logarithms of probabilities and of sums of exponentials, on the host or in compiled code."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from goalinf.precision import namespace
from goalinf.types import Numeric


def safe_log(probabilities: Numeric) -> Any:
    """Compute logarithms, −inf (with zero derivative) for a probability of zero."""
    xp = namespace(probabilities)
    some = probabilities > 0
    return xp.where(some, xp.log(xp.where(some, probabilities, 1.0)), -xp.inf)


def log_sum_exp(x: Numeric, axis: int = 0) -> Any:
    """Compute log-sum-exp; not all of the terms are minus infinity."""
    if isinstance(x, jax.Array):
        return jax.nn.logsumexp(x, axis=axis)
    highest = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - highest).sum(axis=axis)) + highest.squeeze(axis)
