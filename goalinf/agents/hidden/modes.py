r"""Latent modes: agents that are in one of several states of mind, which nobody sees.

In mode m the agent acts by the policy :math:`\pi_m`; from step to step the mode moves by a kernel. What it does is
scored exactly by summing over all paths of modes, in log space and forward in time (Baum and Petrie 1966):

.. math:: \alpha_1(m) = p_1(m),\quad
    p(a_t \mid \text{past}) = \sum_m \hat\alpha_t(m)\,\pi_m(a_t \mid s_t),\quad
    \alpha_{t+1}(m') = \sum_m \hat\alpha_t(m)\,\pi_m(a_t \mid s_t)\,\mathrm{Tr}(m' \mid m, s_{t+1})
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from goalinf.planning.bellman import log_sum_exp


class Modes(eqx.Module):
    """How the mode of an agent begins and moves.

    Parameters
    ----------
    initial : float (M,) or (S, M)
        Log-probability of each mode at the first step; by first state where it depends on that.
    kernel : float (M, M) or (S, M, M), optional
        Log-probability of each mode given the one before; by the state that was arrived at where it depends on that.
        None: the mode stays.
    jump : int (S, M), optional
        Where arriving in a state changes the mode for sure: the mode it becomes, before the kernel moves it on. It
        holds for the first state as well.
    by_state : bool
        Whether every state has a mode of its own, drawn when it is first met, that stays: no kernel, no jump.
    """

    initial: Float[Array | np.ndarray, "*S M"]
    kernel: Float[Array | np.ndarray, "*S M M"] | None = None
    jump: Int[Array | np.ndarray, "S M"] | None = None
    by_state: bool = eqx.field(static=True, default=False)

    @property
    def stays(self) -> bool:
        """Whether the mode never changes."""
        return self.kernel is None and self.jump is None

    def begin(self, state: Int[Array, ""]) -> Float[Array, " M"]:
        """Log-probability of each mode in the first state."""
        return self._jumped(self.initial[state] if self.initial.ndim == 2 else self.initial, state)

    def move(self, log_weights: Float[Array, " M"], state: Int[Array, ""]) -> Float[Array, " M"]:
        """Log-weights of the modes after arriving in a state."""
        landed = self._jumped(log_weights, state)
        if self.kernel is None:
            return landed
        return _sums(landed[:, None] + (self.kernel[state] if self.kernel.ndim == 3 else self.kernel))

    def _jumped(self, log_weights: Any, state: Any) -> Any:
        if self.jump is None:
            return log_weights
        landed = self.jump[state][:, None] == jnp.arange(log_weights.size)
        return _sums(jnp.where(landed, log_weights[:, None], -jnp.inf))


def _sums(terms: Any) -> Any:
    """Log-sum-exp over the first axis, in which all terms may be minus infinity."""
    some = (terms > -jnp.inf).any(axis=0)
    return jnp.where(some, log_sum_exp(jnp.where(some, terms, 0.0)), -jnp.inf)
