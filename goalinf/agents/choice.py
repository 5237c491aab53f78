"""Choice: from Q-values to log-probabilities of actions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from goalinf.agents.bellman import highest, log_sum_exp
from goalinf.agents.parts import INFINITY, SHARE, Part, Ranges, check_policy, check_shape
from goalinf.precision import namespace
from goalinf.rewards import Reward, ended
from goalinf.worlds import World

Utilities = Float[Array | np.ndarray, "*T A S"]
Available = Bool[Array | np.ndarray, "A S"]
Acting = Bool[Array | np.ndarray, " S"]
LogProbs = Float[Array | np.ndarray, "*T S A"]

_ROUNDS = 1000  # forty suffice
_GAP = 512  # units of rounding that the rate of rational inattention, in nats, may be wrong by
_FARTHEST = 8.0  # nats that a choice may gain or lose in a round


class Softmax(Part):
    r"""Luce's choice rule over the available actions.

    .. math:: \pi(a \mid s) \propto \pi_0(a \mid s)\,e^{\pm\beta\,Q(s,a)}

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature, in 1/utility, at least zero; one number, or one for each state.
    default : float (A,), (S, A) or Distribution, optional
        :math:`\pi_0`, the policy that is followed where nothing matters, cut to the available actions. None: uniform.
    sign : {1, -1}
        -1: the worse, the likelier.
    """

    beta: Any
    default: Any = None
    sign: Literal[1, -1] = eqx.field(static=True, default=1)
    parameters: ClassVar[Ranges] = {"beta": (0.0, INFINITY), "default": SHARE}
    numpy: ClassVar[bool] = True

    def __check_init__(self) -> None:
        if self.sign not in (1, -1):
            raise ValueError(f"sign is {self.sign!r}; expected 1, or -1 for choices that are the likelier the worse")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy or inverse temperatures that do not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))
        if np.ndim(self.beta):
            check_shape("beta", self.beta, (world.n_states,), "state")

    def log_default(self, available: Available) -> Any:
        """Log-probability of each available choice under the default policy, ``(A, S)``; None where it is uniform.

        What it gives to actions that are not available goes to the others. Where nothing is left, as where an episode
        has ended, it is uniform.
        """
        if self.default is None:
            return None
        xp = namespace(self.default, available)
        default = xp.asarray(self.default)
        default = xp.where(available, default.T if default.ndim == 2 else default[:, None], 0.0)
        default = xp.where(default.any(axis=0), default, available)
        possible = default > 0
        default = default / default.sum(axis=0)
        return xp.where(possible, xp.log(xp.where(possible, default, 1.0)), -xp.inf)

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities from ``q``, which is already multiplied by beta; −inf where unavailable."""
        q = self.sign * q
        default = self.log_default(available)
        return _softmax(q if default is None else q + default, available)


def _are_weights(values: Any) -> bool:
    if isinstance(values, jax.core.Tracer):
        return True
    found = np.asarray(values, float)
    return bool(found.ndim == 1 and np.isfinite(found).all() and (found >= 0).all() and found.any())


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

    by the iteration of Blahut and Arimoto, accelerated, to a stated gap.

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

    def __check_init__(self) -> None:
        if self.visits is not None and not _are_weights(self.visits):
            raise ValueError("visits are how often each state is met: finite numbers of at least 0, not all 0")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse frequencies that do not fit the world, and more than one beta: it is the price of telling apart."""
        if np.ndim(self.beta):
            raise ValueError(f"beta has shape {np.shape(self.beta)}; rational inattention has one: give one number")
        if self.visits is None:
            return
        check_shape("visits", self.visits, (world.n_states,), "state")
        if not np.asarray(self.visits)[~ended(reward, world.mdp)].any():
            raise ValueError("visits are 0 wherever something is chosen; expected some state that is met")

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities from ``q``, which is already multiplied by beta; −inf where unavailable."""
        q, available = jnp.asarray(q), jnp.asarray(available)
        one = lambda utilities: self._one(utilities, available, jnp.asarray(acting))  # noqa: E731
        return one(q) if q.ndim == 2 else jax.vmap(one)(q)

    def _one(self, q: Any, available: Any, acting: Any) -> Any:
        visits = acting.astype(q.dtype) if self.visits is None else jnp.where(acting, jnp.asarray(self.visits), 0.0)
        # What all choices of a state have in common changes nothing, and its derivative cancels.
        best = lax.stop_gradient(jnp.where(available, q, -jnp.inf).max(axis=0))
        q = jnp.where(available, q - best, 0.0)
        gains = jnp.where(available, jnp.exp(q), 0.0)  # at most one, and one for the best choice of every state
        return _softmax(q + jnp.log(_marginal(visits / visits.sum(), gains))[:, None], available)


@jax.custom_jvp
def _marginal(visits: Any, gains: Any) -> Any:
    """q: rounds of Blahut and Arimoto, which never lose, or damped ones of Newton where these gain more."""
    rounding, tiny = jnp.finfo(gains.dtype).eps, jnp.finfo(gains.dtype).tiny
    alike = (gains[:, None] == gains).all(axis=-1)  # such choices are made equally often

    def unfinished(carry):
        _, (growth, _, _), _, step = carry
        return (step < _ROUNDS) & ~(jnp.log(growth.max()) <= _GAP * rounding)

    def moved(marginal, change):
        marginal = jnp.maximum(marginal * jnp.exp(change - change.max()), tiny)
        marginal = alike @ marginal / alike.sum(axis=1)
        marginal = marginal / marginal.sum()
        return marginal, _growth(visits, gains, marginal)

    def better(carry):
        marginal, (growth, matrix, _), damping, step = carry
        plain = moved(marginal, jnp.log(growth))
        change = jnp.linalg.solve(_slackened(growth, matrix) + damping * jnp.eye(growth.size), growth - 1.0)
        newton = moved(marginal, change * jnp.minimum(1.0, _FARTHEST / abs(change).max()))
        nearer = newton[1][0].max() < plain[1][0].max()  # decides where the values differ by rounding
        good = newton[1][2] > plain[1][2] + 8 * rounding * jnp.where(nearer, -1, 1)
        found = jax.tree.map(lambda one, other: jnp.where(good, one, other), newton, plain)
        least = 1e3 * rounding
        more = jnp.where(damping > 0.1, least, 10 * damping)
        return *found, jnp.where(good, jnp.maximum(damping / 10, least), more), step + 1

    start = jnp.full(gains.shape[0], 1.0 / gains.shape[0], gains.dtype)
    damping = jnp.asarray(1e5 * rounding, gains.dtype)
    return lax.while_loop(unfinished, better, (start, _growth(visits, gains, start), damping, 0))[0]


@_marginal.defjvp
def _marginal_jvp(primals: Any, tangents: Any) -> Any:
    visits, gains = primals
    marginal = _marginal(visits, gains)
    growth, matrix, _ = _growth(visits, gains, marginal)
    _, change = jax.jvp(lambda visits, gains: _growth(visits, gains, marginal)[0], primals, tangents)
    # Choices that are alike everywhere share what they have: there are many solutions, and this is the smallest.
    spread = jnp.linalg.pinv(_slackened(growth, matrix), rtol=1e4 * jnp.finfo(growth.dtype).eps)
    return marginal, marginal * (spread @ change)


def _growth(visits: Any, gains: Any, marginal: Any) -> tuple[Any, Any, Any]:
    """What the marginal is multiplied by to become that of its policy; how much less for its logarithm; the value."""
    met = visits > 0  # elsewhere there may be nothing that is ever done
    total = jnp.where(met, marginal @ gains, 1.0)
    share = jnp.where(met, gains / total, 0.0)
    return share @ visits, (visits * share) @ share.T * marginal, visits @ jnp.log(total)


def _slackened(growth: Any, matrix: Any) -> Any:
    """The matrix of Newton's method, in which choices that are not made shrink at their own pace."""
    slack = 1.0 - growth
    return matrix + jnp.diag(jnp.where(slack > 1e3 * _GAP * jnp.finfo(growth.dtype).eps, slack, 0.0))


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
    scales: ClassVar[bool] = False
    parameters: ClassVar[Ranges] = {
        "aspiration": (0.0, INFINITY),
        "sharpness": (1e-9, INFINITY),
    }

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities from ``q`` in utility; −inf where unavailable."""
        q, available = jnp.asarray(q), jnp.asarray(available)
        short = q - highest(jnp.where(available, q, -jnp.inf))[..., None, :]
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

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a policy that does not fit the world."""
        Softmax(0.0, self.default).check(world, reward)

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Log-probabilities whatever ``q`` is."""
        return Softmax(0.0, self.default)(0.0 * q, available, acting)
