"""Choice: from Q-values to log-probabilities of actions."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Softmax(eqx.Module):
    r"""Luce's choice rule, :math:`\pi(a \mid s) = \mathrm{softmax}_a(\beta\,Q(s,a))` over the available actions.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature, in 1/utility, at least zero.
    """

    beta: Any
    parameters: ClassVar[dict[str, tuple[float, float]]] = {"beta": (0.0, float("inf"))}

    def __call__(self, q: Float[Array, "*T A S"], available: Bool[Array, "A S"]) -> Float[Array, "*T S A"]:
        """Log-probabilities from ``q``, which is already multiplied by beta; −inf where unavailable."""
        log_probs = jax.nn.log_softmax(jnp.where(available, q, -jnp.inf), axis=-2)
        return jnp.swapaxes(log_probs, -1, -2)
