"""Learners of bandits: rules by which the outcome of a choice changes the values of the options."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from goalinf.agents.memory.experience import LEARNS, SCALES, start_at_zero
from goalinf.agents.memory.option_memory import LearningRule, Mask, OptionLearning
from goalinf.planning.facts import Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Ranges

_PERSISTENCE: Ranges = {"persistence": (-INFINITY, INFINITY)}
_COMMON: DefaultPriors = {"persistence": lambda: dist.Normal(0.0, 1.0), "initial": lambda: dist.Normal(0.0, 1.0)}


class RescorlaWagner(OptionLearning):
    r"""Rescorla-Wagner rule, with rates for gains and losses, unchosen options, and forgetting.

    .. math:: V(c) &\leftarrow V(c) + \alpha_{\pm}\,[u_c - V(c)],\quad \alpha_+ \text{ where } u_c \ge V(c)\\
        V(o) &\leftarrow V(o) + \alpha_u\,[u_o - V(o)] \text{ for outcomes of other options that were seen}\\
        V(o) &\leftarrow V(o) + \phi\,[V_0 - V(o)] \text{ for all others}

    Parameters
    ----------
    learning_rate : float or Distribution
        :math:`\alpha_+`, in [0, 1]; also :math:`\alpha_-` without ``loss_rate``.
    loss_rate : float or Distribution, optional
        :math:`\alpha_-`, for outcomes below the value, in [0, 1].
    unchosen_rate : float or Distribution
        :math:`\alpha_u`, in [0, 1]. 0: outcomes of options that were not chosen are ignored.
    forgetting : float or Distribution
        :math:`\phi`, in [0, 1].
    initial : float or Distribution
        :math:`V_0`, in utility.
    persistence : float or Distribution
        Bonus of the last action, in nats; below zero: alternation.
    by_state : bool
        True where every state has its own values; False where options have the same value in all states.
    """

    learning_rate: Parameter
    loss_rate: Parameter | None = None
    unchosen_rate: Parameter = 0.0
    forgetting: Parameter = 0.0
    initial: Parameter = 0.0
    persistence: Parameter = 0.0
    by_state: bool = eqx.field(static=True, default=False)
    parameters: ClassVar[Ranges] = {
        "learning_rate": SHARE,
        "loss_rate": SHARE,
        "unchosen_rate": SHARE,
        "forgetting": SHARE,
        "initial": (-INFINITY, INFINITY),
        **_PERSISTENCE,
    }
    default_priors: ClassVar[DefaultPriors] = {
        **dict.fromkeys(("learning_rate", "loss_rate", "unchosen_rate", "forgetting"), lambda: dist.Beta(2.0, 2.0)),
        **_COMMON,
    }

    @property
    def facts(self) -> Facts:
        """Facts of a learner; only beta times the reward matters where the initial values are zero."""
        return SCALES if start_at_zero(self.initial) else LEARNS

    def settings(self) -> tuple[LearningRule, Parameter, bool]:
        """Return the rule, the persistence, and True where every state has its own values."""
        loss_rate = self.learning_rate if self.loss_rate is None else self.loss_rate
        rule = DeltaRule(self.learning_rate, loss_rate, self.unchosen_rate, self.forgetting, self.initial)
        return rule, self.persistence, self.by_state


class DeltaRule(LearningRule):
    """See :class:`RescorlaWagner`."""

    gain_rate: Any
    loss_rate: Any
    unchosen_rate: Any
    forgetting: Any
    initial: Any

    def start(self, shape: tuple[int, int, int], dtype: Any) -> Array:
        """Return the initial values."""
        return jnp.full(shape, self.initial, dtype)

    def utility(self, content: Array) -> Array:
        """Return the values."""
        return content

    def expected(self, content: Array) -> Array:
        """Return the values."""
        return content

    def update(self, content: Array, chosen: Mask, known: Mask, utility: Array) -> Array:
        """Return the values after a choice."""
        error = utility - content
        of_chosen = jnp.where(error >= 0, self.gain_rate, self.loss_rate)
        learned = jnp.where(chosen, of_chosen, self.unchosen_rate) * error
        forgotten = jnp.where(chosen, 0.0, self.forgetting * (self.initial - content))
        taught = known & (chosen | (self.unchosen_rate > 0))
        return content + jnp.where(taught, learned, forgotten)


class KalmanLearner(OptionLearning):
    r"""Kalman filter: the learning rate of an option is larger, the less is known of it.

    .. math:: K = \frac{v(c)}{v(c) + \sigma_o^2},\quad m(c) \leftarrow m(c) + K\,[u_c - m(c)],\quad
        v(c) \leftarrow (1 - K)\,v(c),\quad \text{then } v(o) \leftarrow v(o) + \sigma_d^2 \text{ for all } o

    Options are chosen by :math:`m + b\,\sqrt{v}`.

    Parameters
    ----------
    observation_sd : float or Distribution
        :math:`\sigma_o`, standard deviation of outcomes of one option, in utility, at least 0.
    drift_sd : float or Distribution
        :math:`\sigma_d`, change of the mean of an option from trial to trial, in utility, at least 0.
    initial, initial_sd : float or Distribution
        Mean and standard deviation of an option before its first outcome, in utility.
    exploration : float or Distribution
        b, bonus of uncertain options, per standard deviation.
    persistence : float or Distribution
        Bonus of the last action, in nats.
    by_state : bool
        True where every state has its own values.
    """

    observation_sd: Parameter
    drift_sd: Parameter = 0.0
    initial: Parameter = 0.0
    initial_sd: Parameter = 1.0
    exploration: Parameter = 0.0
    persistence: Parameter = 0.0
    by_state: bool = eqx.field(static=True, default=False)
    parameters: ClassVar[Ranges] = {
        "observation_sd": (0.0, INFINITY),
        "drift_sd": (0.0, INFINITY),
        "initial": (-INFINITY, INFINITY),
        "initial_sd": (0.0, INFINITY),
        "exploration": (-INFINITY, INFINITY),
        **_PERSISTENCE,
    }
    default_priors: ClassVar[DefaultPriors] = {
        **dict.fromkeys(("observation_sd", "drift_sd", "initial_sd"), lambda: dist.LogNormal(0.0, 1.0)),
        "exploration": lambda: dist.Normal(0.0, 1.0),
        **_COMMON,
    }

    @property
    def facts(self) -> Facts:
        """Facts of a learner; only beta times the reward matters where the initial values and the bonus are zero."""
        return SCALES if start_at_zero(self.initial, self.exploration) else LEARNS

    def settings(self) -> tuple[LearningRule, Parameter, bool]:
        """Return the rule, the persistence, and True where every state has its own values."""
        rule = KalmanFilter(self.observation_sd, self.drift_sd, self.initial, self.initial_sd, self.exploration)
        return rule, self.persistence, self.by_state


class KalmanFilter(LearningRule):
    """See :class:`KalmanLearner`."""

    observation_sd: Any
    drift_sd: Any
    initial: Any
    initial_sd: Any
    exploration: Any

    def start(self, shape: tuple[int, int, int], dtype: Any) -> tuple[Array, Array]:
        """Return initial means and variances."""
        return jnp.full(shape, self.initial, dtype), jnp.full(shape, self.initial_sd**2, dtype)

    def utility(self, content: tuple[Array, Array]) -> Array:
        """Return the means, with the bonus of uncertain options."""
        mean, variance = content
        certain = variance <= 0  # the root has no derivative at zero
        sd = jnp.where(certain, 0.0, jnp.sqrt(jnp.where(certain, 1.0, variance)))
        return mean + self.exploration * sd

    def expected(self, content: tuple[Array, Array]) -> Array:
        """Return the means."""
        return content[0]

    def update(self, content: tuple[Array, Array], chosen: Mask, known: Mask, utility: Array) -> tuple[Array, Array]:
        """Return means and variances after a choice, of the chosen option and of all others."""
        mean, variance = content
        total = variance + self.observation_sd**2
        gain = jnp.where(chosen & known & (total > 0), variance / jnp.where(total > 0, total, 1.0), 0.0)
        return mean + gain * (utility - mean), (1.0 - gain) * variance + self.drift_sd**2


class PearceHall(OptionLearning):
    r"""Pearce-Hall rule: the learning rate of an option follows the size of its recent prediction errors.

    .. math:: \delta = u_c - V(c),\quad V(c) \leftarrow V(c) + \kappa\,a(c)\,\delta,\quad
        a(c) \leftarrow (1 - \eta)\,a(c) + \eta\,|\delta|

    Parameters
    ----------
    learning_rate : float or Distribution
        :math:`\kappa`, in [0, 1].
    associability_rate : float or Distribution
        :math:`\eta`, in [0, 1]. 0: the Rescorla-Wagner rule with rate :math:`\kappa a_0`.
    initial_associability : float or Distribution
        :math:`a_0`, at least 0.
    initial : float or Distribution
        Initial value, in utility; outcomes of about one unit of utility keep :math:`\kappa a` below one.
    persistence : float or Distribution
        Bonus of the last action, in nats.
    by_state : bool
        True where every state has its own values.
    """

    learning_rate: Parameter
    associability_rate: Parameter
    initial_associability: Parameter = 1.0
    initial: Parameter = 0.0
    persistence: Parameter = 0.0
    by_state: bool = eqx.field(static=True, default=False)
    facts: ClassVar[Facts] = LEARNS
    parameters: ClassVar[Ranges] = {
        "learning_rate": SHARE,
        "associability_rate": SHARE,
        "initial_associability": (0.0, INFINITY),
        "initial": (-INFINITY, INFINITY),
        **_PERSISTENCE,
    }
    default_priors: ClassVar[DefaultPriors] = {
        **dict.fromkeys(("learning_rate", "associability_rate"), lambda: dist.Beta(2.0, 2.0)),
        "initial_associability": lambda: dist.LogNormal(0.0, 0.5),
        **_COMMON,
    }

    def settings(self) -> tuple[LearningRule, Parameter, bool]:
        """Return the rule, the persistence, and True where every state has its own values."""
        rule = Associability(self.learning_rate, self.associability_rate, self.initial_associability, self.initial)
        return rule, self.persistence, self.by_state


class Associability(LearningRule):
    """See :class:`PearceHall`."""

    learning_rate: Any
    associability_rate: Any
    initial_associability: Any
    initial: Any

    def start(self, shape: tuple[int, int, int], dtype: Any) -> tuple[Array, Array]:
        """Return initial values and associabilities."""
        return jnp.full(shape, self.initial, dtype), jnp.full(shape, self.initial_associability, dtype)

    def utility(self, content: tuple[Array, Array]) -> Array:
        """Return the values."""
        return content[0]

    def expected(self, content: tuple[Array, Array]) -> Array:
        """Return the values."""
        return content[0]

    def update(self, content: tuple[Array, Array], chosen: Mask, known: Mask, utility: Array) -> tuple[Array, Array]:
        """Return values and associabilities after a choice."""
        values, associability = content
        error = utility - values
        taught = chosen & known
        learned = values + self.learning_rate * associability * error
        attended = associability + self.associability_rate * (jnp.abs(error) - associability)
        return jnp.where(taught, learned, values), jnp.where(taught, attended, associability)
