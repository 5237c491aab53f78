"""Choice: from Q-values to log-probabilities of actions."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from goalinf.agents.bellman import log_sum_exp
from goalinf.precision import namespace


class Softmax(eqx.Module):
    r"""Luce's choice rule, :math:`\pi(a \mid s) = \mathrm{softmax}_a(\beta\,Q(s,a))` over the available actions.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature, in 1/utility, at least zero.
    """

    beta: Any
    parameters: ClassVar[dict[str, tuple[float, float]]] = {"beta": (0.0, float("inf"))}

    def __call__(
        self, q: Float[Array | np.ndarray, "*T A S"], available: Bool[Array | np.ndarray, "A S"]
    ) -> Float[Array | np.ndarray, "*T S A"]:
        """Log-probabilities from ``q``, which is already multiplied by beta; −inf where unavailable."""
        xp = namespace(q, available)
        q = xp.where(available, q, -xp.inf)
        if xp is not np:
            return xp.swapaxes(jax.nn.log_softmax(q, axis=-2), -1, -2)
        q = q - q.max(axis=-2, keepdims=True)  # first, so that every row sums to one however large the values are
        return np.swapaxes(q - np.expand_dims(log_sum_exp(q, axis=-2), -2), -1, -2)
