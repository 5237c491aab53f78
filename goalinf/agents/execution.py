"""Execution: from the action that was chosen to the action that is done, log-probabilities to log-probabilities."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float


class AsIntended(eqx.Module):
    """What is chosen is done."""

    def __call__(
        self, log_probs: Float[Array | np.ndarray, "*T S A"], available: Bool[Array | np.ndarray, "S A"]
    ) -> Float[Array | np.ndarray, "*T S A"]:
        """The same log-probabilities."""
        return log_probs
