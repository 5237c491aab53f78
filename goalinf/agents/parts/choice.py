"""Choice rules: maps from Q-values to log-probabilities of actions."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float

from goalinf.planning.bellman import highest
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.log_space import log_sum_exp, safe_log
from goalinf.planning.parameters import (
    INFINITY,
    SHARE,
    DefaultPriors,
    Dims,
    Parameter,
    Part,
    Ranges,
    beta_prior,
    check_policy,
)
from goalinf.precision import namespace
from goalinf.rewards import Reward, ended
from goalinf.types import Numeric
from goalinf.worlds import World

Utilities = Float[Array | np.ndarray, "*T A S"]
Available = Bool[Array | np.ndarray, "A S"]
Acting = Bool[Array | np.ndarray, " S"]
LogProbs = Float[Array | np.ndarray, "*T S A"]


class ChoiceRule(Part):
    """Map from Q-values to log-probabilities of the available actions."""

    @property
    def inverse_temperature(self) -> Any:
        """Factor beta of the Q-values; None for a rule without one."""
        return None

    @property
    def softmax(self) -> bool:
        """True where action probabilities are proportional to exp(beta Q), as a planner that foresees them assumes."""
        return False

    @property
    def opposite(self) -> ChoiceRule | None:
        """Choice rule with reversed preferences; None where there is none."""
        return None

    def log_default(self, available: Available) -> Any:
        """Return log-probabilities ``(A, S)`` of the default policy that weights exp(Q); None where it is uniform."""
        return None

    @abc.abstractmethod
    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Return log-probabilities, given ``q``, times beta where the rule has a beta; −inf where unavailable."""


class Softmax(ChoiceRule):
    r"""Luce's choice rule over the available actions.

    .. math:: \pi(a \mid s) \propto \pi_0(a \mid s)\,e^{\pm\beta\,Q(s,a)}

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature, in 1/utility, at least zero; one number, or one for each state.
    default : float (A,), (S, A) or Distribution, optional
        :math:`\pi_0`, the policy for equal Q-values, restricted to the available actions. None: uniform.
    sign : {1, -1}
        -1: actions of lower value are more probable.
    """

    beta: Parameter
    default: Parameter | None = None
    sign: Literal[1, -1] = eqx.field(static=True, default=1)
    parameters: ClassVar[Ranges] = {"beta": (0.0, INFINITY), "default": SHARE}
    dims: ClassVar[Dims] = {"beta": ("state",), "default": ("state", "action")}
    default_priors: ClassVar[DefaultPriors] = {"beta": beta_prior}
    numpy: ClassVar[bool] = True
    facts: ClassVar[Facts] = REGULAR

    @property
    def inverse_temperature(self) -> Any:
        """Beta."""
        return self.beta

    @property
    def softmax(self) -> bool:
        """True for a positive sign."""
        return self.sign == 1

    @property
    def opposite(self) -> Softmax:
        """Softmax with the other sign."""
        return dataclasses.replace(self, sign=-self.sign)

    def __check_init__(self) -> None:
        if self.sign not in (1, -1):
            raise ValueError(f"sign is {self.sign!r}; expected 1, or -1 to prefer actions of lower value")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy that does not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))

    def log_default(self, available: Available) -> Any:
        """Return the log-probability of each available action under the default policy, ``(A, S)``; None: uniform.

        The probability of unavailable actions is redistributed over the others in proportion. Where no action has a
        positive probability, as where an episode has ended, the policy is uniform.
        """
        if self.default is None:
            return None
        xp = namespace(self.default, available)
        default = xp.asarray(self.default)
        default = xp.where(available, default.T if default.ndim == 2 else default[:, None], 0.0)
        default = xp.where(default.any(axis=0), default, available)
        return safe_log(default / default.sum(axis=0))

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Return log-probabilities, given ``q``, which is already multiplied by beta; −inf where unavailable."""
        q = self.sign * q
        default = self.log_default(available)
        return log_policy(q if default is None else q + default, available)


def log_policy(q: Numeric, available: Available) -> LogProbs:
    """Return log-probabilities of a softmax over the available actions, ``(*T, S, A)``, of values ``(*T, A, S)``."""
    xp = namespace(q)
    q = xp.where(available, q, -xp.inf)
    if xp is not np:
        return xp.swapaxes(jax.nn.log_softmax(q, axis=-2), -1, -2)
    q = q - q.max(axis=-2, keepdims=True)  # first, so that every row sums to one however large the values are
    return np.swapaxes(q - np.expand_dims(log_sum_exp(q, axis=-2), -2), -1, -2)


class Satisficing(ChoiceRule):
    r"""Satisficing choice (Simon 1956) with a soft threshold.

    .. math:: \pi(a \mid s) \propto \sigma\big(k\,(Q(s,a) - \max_b Q(s,b) + c)\big)

    Parameters
    ----------
    aspiration : float or Distribution
        :math:`c`, in utility, at least 0: margin below the best value that is accepted.
    sharpness : float or Distribution
        :math:`k`, in 1/utility, above 0. With :math:`c = 0` and large :math:`k` only the best actions are accepted.
    """

    aspiration: Parameter
    sharpness: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, scales=False)
    parameters: ClassVar[Ranges] = {
        "aspiration": (0.0, INFINITY),
        "sharpness": (1e-9, INFINITY),
    }
    default_priors: ClassVar[DefaultPriors] = {
        "aspiration": lambda: dist.HalfNormal(1.0),
        "sharpness": lambda: dist.LogNormal(1.6094379124341003, 0.7),
    }

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Return log-probabilities, given ``q`` in utility; −inf where unavailable."""
        q, available = jnp.asarray(q), jnp.asarray(available)
        short = q - highest(jnp.where(available, q, -jnp.inf))[..., None, :]
        good = jax.nn.log_sigmoid(self.sharpness * (jnp.where(available, short, 0.0) + self.aspiration))
        return log_policy(good, available)


class DefaultPolicy(ChoiceRule):
    """Reward-independent policy; uniform over the available actions by default.

    Parameters
    ----------
    default : float (A,), (S, A) or Distribution, optional
        The policy. None: uniform over the available actions.
    """

    default: Parameter | None = None
    parameters: ClassVar[Ranges] = {"default": SHARE}
    dims: ClassVar[Dims] = {"default": ("state", "action")}
    numpy: ClassVar[bool] = True
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=False, saturated=False, ignores_reward=True)

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a policy that does not fit the world."""
        Softmax(0.0, self.default).check(world, reward)

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Return log-probabilities that do not depend on ``q``."""
        return Softmax(0.0, self.default)(0.0 * q, available, acting)
