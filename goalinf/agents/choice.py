"""Choice: from Q-values to log-probabilities of actions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from goalinf.agents.bellman import log_sum_exp
from goalinf.agents.parts import INFINITY, SHARE, Part, Ranges
from goalinf.precision import namespace

Utilities = Float[Array | np.ndarray, "*T A S"]
Available = Bool[Array | np.ndarray, "A S"]
Acting = Bool[Array | np.ndarray, " S"]
LogProbs = Float[Array | np.ndarray, "*T S A"]

_ROUNDS = 100_000
_GAP = 1e-13  # bits of rate that rational inattention may be wrong by


class Softmax(Part):
    r"""Luce's choice rule over the available actions.

    .. math:: \pi(a \mid s) \propto \pi_0(a \mid s)\,e^{\pm\beta\,Q(s,a)}

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature, in 1/utility, at least zero; one number, or one for each state.
    default : float (A,), (S, A) or Distribution, optional
        :math:`\pi_0`, the policy that is followed where nothing matters. None: uniform.
    sign : {1, -1}
        -1: the worse, the likelier.
    """

    beta: Any
    default: Any = None
    sign: Literal[1, -1] = eqx.field(static=True, default=1)
    parameters: ClassVar[Ranges] = {"beta": (0.0, INFINITY), "default": SHARE}
    numpy: ClassVar[bool] = True

    def log_default(self, n_states: int) -> Any:
        """Log-probability of each choice under the default policy, ``(A, S)``; None where it is uniform."""
        if self.default is None:
            return None
        xp = namespace(self.default)
        default = xp.asarray(self.default)
        default = default.T if default.ndim == 2 else xp.broadcast_to(default[:, None], (default.size, n_states))
        possible = default > 0
        return xp.where(possible, xp.log(xp.where(possible, default, 1.0)), -xp.inf)

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities from ``q``, which is already multiplied by beta; −inf where unavailable."""
        q = self.sign * q
        default = self.log_default(q.shape[-1])
        return _softmax(q if default is None else q + default, available)


def _softmax(q: Any, available: Any) -> Any:
    xp = namespace(q, available)
    q = xp.where(available, q, -xp.inf)
    if xp is not np:
        return xp.swapaxes(jax.nn.log_softmax(q, axis=-2), -1, -2)
    q = q - q.max(axis=-2, keepdims=True)  # first, so that every row sums to one however large the values are
    return np.swapaxes(q - np.expand_dims(log_sum_exp(q, axis=-2), -2), -1, -2)


class RationalInattention(Part):
    r"""Telling states apart costs 1/beta utility per nat (Sims 2003; Matějka and McKay 2015).

    .. math:: \pi(a \mid s) = \frac{q(a)\,e^{\beta Q(s,a)}}{\sum_b q(b)\,e^{\beta Q(s,b)}},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    by the iteration of Blahut and Arimoto, to a stated gap.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature, in 1/utility, at least zero.
    visits : float (S,), optional
        :math:`p(s)`, how often each state is met. None: all states in which something is chosen alike.
    """

    beta: Any
    visits: Any = None
    parameters: ClassVar[Ranges] = {"beta": (0.0, INFINITY)}

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities from ``q``, which is already multiplied by beta; −inf where unavailable."""
        q, available = jnp.asarray(q), jnp.asarray(available)
        one = lambda utilities: self._one(utilities, available, jnp.asarray(acting))  # noqa: E731
        return one(q) if q.ndim == 2 else jax.vmap(one)(q)

    def _one(self, q: Any, available: Any, acting: Any) -> Any:
        visits = acting.astype(q.dtype) if self.visits is None else jnp.where(acting, jnp.asarray(self.visits), 0.0)
        visits = visits / visits.sum()
        q = jnp.where(available, q - jnp.where(available, q, -jnp.inf).max(axis=0), 0.0)
        gains = jnp.where(available, jnp.exp(q), 0.0)  # at most one, and one for the best choice of every state

        def growth(marginal):
            """What the marginal is multiplied by to become that of the policy it makes."""
            return (visits * gains / (marginal @ gains)).sum(axis=1)

        def unfinished(carry):
            marginal, step = carry
            return (step < _ROUNDS) & (jnp.log(growth(marginal).max()) > _GAP)

        def settle(_, start):
            return lax.while_loop(unfinished, lambda c: (c[0] * growth(c[0]), c[1] + 1), (start, 0))[0]

        def solve(apply, right):
            return jnp.linalg.solve(jax.vmap(apply, out_axes=1)(jnp.eye(right.size, dtype=right.dtype)), right)

        start = jnp.full(q.shape[0], 1.0 / q.shape[0], q.dtype)
        marginal = lax.custom_root(lambda m: m - m * growth(m), start, settle, solve)
        marginal = jnp.maximum(marginal, jnp.finfo(q.dtype).tiny)
        return _softmax(q + jnp.log(marginal)[:, None], available)


class Satisficing(Part):
    r"""Anything that is good enough will do (Simon 1956), softened.

    .. math:: \pi(a \mid s) \propto \sigma\big(k\,(Q(s,a) - \max_b Q(s,b) + c)\big)

    Parameters
    ----------
    aspiration : float or Distribution
        :math:`c`, in utility, at least 0: how much less than the best is good enough.
    sharpness : float or Distribution
        :math:`k`, in 1/utility, above 0. With :math:`c = 0` and large :math:`k` only the best will do.
    """

    aspiration: Any
    sharpness: Any
    parameters: ClassVar[Ranges] = {
        "aspiration": (0.0, INFINITY),
        "sharpness": (1e-9, INFINITY),
    }

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities from ``q`` in utility; −inf where unavailable."""
        q, available = jnp.asarray(q), jnp.asarray(available)
        short = q - jnp.where(available, q, -jnp.inf).max(axis=-2, keepdims=True)
        good = jax.nn.log_sigmoid(self.sharpness * (jnp.where(available, short, 0.0) + self.aspiration))
        return _softmax(good, available)


class DefaultPolicy(Part):
    """What is done does not depend on what is wanted: uniform, or a given policy.

    Parameters
    ----------
    default : float (A,), (S, A) or Distribution, optional
        The policy. None: uniform over the available actions.
    """

    default: Any = None
    parameters: ClassVar[Ranges] = {"default": SHARE}
    numpy: ClassVar[bool] = True

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities whatever ``q`` is."""
        return Softmax(0.0, self.default)(0.0 * q, available, acting)
