r"""Risk measures: functionals of the outcomes of an action.

A risk measure maps the outcomes of an action, :math:`R(s,a,t)` now and :math:`V(t)` later, to a Q-value. The rational
case is the expectation :math:`\sum_t P(t \mid s,a)\,[R + \gamma V(t)]`; every other one is a bias in this part of the
Bellman update. All are in units of utility: these agents plan without beta.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import lax
from jaxtyping import Array, Float

from goalinf.planning.facts import INVARIANCES, REGULAR, Facts
from goalinf.planning.parameters import INFINITY, DefaultPriors, Parameter, Part, Ranges
from goalinf.types import Numeric

Outcomes = Float[Array, "A K S"]


class RiskMeasure(Part):
    """Functional of the outcomes of an action ``(A, K, S)`` that gives Q ``(A, S)``.

    Called with the reward of each outcome, the value after it, its probability, and the discount factor. Outcomes of
    probability zero have no effect.
    """

    discounts: ClassVar[bool] = True  # the discount factor has an effect

    @property
    def separable(self) -> bool:
        """True where Q is the expectation of a function of the reward plus the discounted value."""
        return False


class Expectation(RiskMeasure):
    r"""Expectation, :math:`Q = \sum_t P\,(R + \gamma V)`, of a rational agent."""

    facts: ClassVar[Facts] = REGULAR

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action."""
        return jnp.sum(probability * (reward + discount * ahead), axis=1)


class EntropicRisk(RiskMeasure):
    r"""Entropic risk measure, nested exponential utility (Howard and Matheson 1972).

    .. math:: Q = \tfrac1\theta \log \sum_t P\,e^{\theta (R + \gamma V)}

    Parameters
    ----------
    risk : float or Distribution
        :math:`\theta` in 1/utility. Below zero: risk-averse; 0: the expectation; above: risk-seeking; towards
        ±infinity: the best or worst possible outcome.
    """

    risk: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",), scales=False)
    parameters: ClassVar[Ranges] = {"risk": (-INFINITY, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"risk": lambda: dist.Normal(0.0, 1.0)}

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action."""
        outcome = reward + discount * ahead
        mean = jnp.sum(probability * outcome, axis=1)
        spread = jnp.where(probability > 0, outcome - mean[:, None], 0.0)
        theta = jnp.asarray(self.risk)
        # Where all outcomes are within a small number of nats, the cumulants are accurate, and the quotient is not.
        nats = lax.stop_gradient(jnp.abs(theta * spread).max(axis=1))
        small = nats < jnp.finfo(mean.dtype).eps ** 0.25
        safe = jnp.where(small, 1.0, theta)
        exact = jax.nn.logsumexp(safe[:, None] * spread, axis=1, b=probability) / safe
        variance = jnp.sum(probability * spread**2, axis=1)
        skewness = jnp.sum(probability * spread**3, axis=1)
        return mean + jnp.where(small, theta / 2 * variance + theta**2 / 6 * skewness, exact)


class CVaR(RiskMeasure):
    r"""Conditional value at risk, nested: the mean of the worst share of the outcomes.

    .. math:: Q = \tfrac1\alpha \int_0^\alpha F^{-1}(u)\,du,\quad F \text{ the distribution of } R + \gamma V

    (Majumdar et al. 2017). The static measure over whole returns is time-inconsistent and not covered.

    Parameters
    ----------
    tail : float or Distribution
        :math:`\alpha`, above 0 and up to 1. 1: the expectation; towards 0: the worst possible outcome.
    """

    tail: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",))
    parameters: ClassVar[Ranges] = {"tail": (1e-9, 1.0)}
    default_priors: ClassVar[DefaultPriors] = {"tail": lambda: dist.Beta(2.0, 2.0)}

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action."""
        outcome, mass = lax.sort((reward + discount * ahead, probability), dimension=1)
        share = jnp.clip(self.tail - (jnp.cumsum(mass, axis=1) - mass), 0.0, mass) / self.tail
        return jnp.sum(share * outcome, axis=1)


class Optimism(RiskMeasure):
    r"""Optimism: the probabilities of better outcomes are overestimated (Chan, Critch and Dragan 2021).

    .. math:: T(t) \propto P\,e^{w (R + \gamma V)},\quad Q = \sum_t T\,(R + \gamma V)

    Not monotone in the values: for large :math:`|w|` there can be several fixed points.

    Parameters
    ----------
    optimism : float or Distribution
        :math:`w` in 1/utility. 0: the expectation; below: pessimism; towards ±infinity: the best or worst outcome.
    """

    optimism: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",), scales=False)
    parameters: ClassVar[Ranges] = {"optimism": (-INFINITY, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"optimism": lambda: dist.Normal(0.0, 1.0)}

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action."""
        outcome = reward + discount * ahead
        possible = probability > 0
        tilt = jnp.where(possible, self.optimism * outcome, -jnp.inf)
        # A constant has no effect; the maximum is not differentiated, because compiled code may round it in two ways.
        tilted = probability * jnp.exp(tilt - lax.stop_gradient(tilt.max(axis=1, keepdims=True)))
        return jnp.sum(tilted * outcome, axis=1) / tilted.sum(axis=1)


class Extremal(RiskMeasure):
    r"""Peak-end rule: value of the best step of an outcome, regardless of duration (Chan, Critch and Dragan 2021).

    .. math:: Q = \sum_t P \max\{R,\ (1 - a) R + a V(t)\}

    The discount of the world has no effect: :math:`a` replaces it.

    Parameters
    ----------
    peak : float or Distribution
        :math:`a`, in [0, 1). 0: greedy.
    """

    peak: Parameter
    discounts: ClassVar[bool] = False
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("potential", "redistribution"))
    parameters: ClassVar[Ranges] = {"peak": (0.0, 1.0 - 1e-9)}
    default_priors: ClassVar[DefaultPriors] = {"peak": lambda: dist.Beta(4.0, 2.0)}

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action."""
        return jnp.sum(probability * (reward + self.peak * jnp.maximum(ahead - reward, 0.0)), axis=1)


class Prospect(RiskMeasure):
    r"""Prospect theory: loss aversion and diminishing sensitivity (Kahneman and Tversky 1979; Chan et al. 2021).

    .. math:: Q = \sum_t P\,[u(R) + \gamma V(t)],\quad
        u(x) = x^a \text{ for gains},\ -\lambda |x|^a \text{ for losses}

    The reference point is zero, so that a constant added to all rewards changes behavior.

    With a weighting c, outcomes :math:`x = u(R) + \gamma V` have rank-dependent decision weights, cumulated from the
    best outcome for gains and from the worst for losses (cumulative prospect theory, Tversky and Kahneman 1992):

    .. math:: Q = \sum_{x \ge 0} [w(P(X \ge x)) - w(P(X > x))]\,x + \sum_{x < 0} [w(P(X \le x)) - w(P(X < x))]\,x,\quad
        w(p) = \frac{p^c}{(p^c + (1-p)^c)^{1/c}}

    Parameters
    ----------
    loss_aversion : float or Distribution
        :math:`\lambda`, at least 0; the usual estimate is 2.25.
    exponent : float, Distribution or None
        :math:`a`, above 0; the usual estimate is 0.88. None: :math:`\log(1 + |x|)` instead of :math:`|x|^a`.
    weighting : float, Distribution or None
        :math:`c`, from 0.28, below which w is not monotone, to 1, where weights are probabilities; the usual estimate
        is 0.61 to 0.69. None: probabilities.
    """

    loss_aversion: Parameter
    exponent: Parameter | None = None
    weighting: Parameter | None = None
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=INVARIANCES, scales=False)
    parameters: ClassVar[Ranges] = {
        "loss_aversion": (0.0, INFINITY),
        "exponent": (1e-9, INFINITY),
        "weighting": (0.28, 1.0),
    }
    default_priors: ClassVar[DefaultPriors] = {
        "loss_aversion": lambda: dist.LogNormal(0.6931471805599453, 0.5),
        "exponent": lambda: dist.Beta(8.0, 2.0),
        "weighting": lambda: dist.Uniform(0.28, 1.0),
    }

    @property
    def separable(self) -> bool:
        """True without a weighting of probabilities."""
        return self.weighting is None

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action."""
        size = jnp.abs(reward)
        if self.exponent is None:
            utility = jnp.log1p(size)
        else:  # for a reward of zero the derivative is set to one: it is zero or infinite there
            utility = size * jnp.where(size > 0, size, 1.0) ** (self.exponent - 1.0)
        outcome = jnp.where(reward < 0, -self.loss_aversion * utility, utility) + discount * ahead
        if self.weighting is None:
            return jnp.sum(probability * outcome, axis=1)
        # Sums from both ends: a small probability is not the difference of two large ones.
        outcome, mass = lax.sort((outcome, probability), dimension=1)
        upto, onward = jnp.cumsum(mass, axis=1), lax.cumsum(mass, axis=1, reverse=True)
        before = jnp.pad(upto[:, :-1], ((0, 0), (1, 0), (0, 0)))
        after = jnp.pad(onward[:, 1:], ((0, 0), (0, 1), (0, 0)))
        weight = partial(_decision_weight, self.weighting)
        loss, gain = weight(upto, after) - weight(before, onward), weight(onward, before) - weight(after, upto)
        return jnp.sum(jnp.where(outcome < 0, loss, gain) * outcome, axis=1)


def _decision_weight(c: Parameter, probability: Outcomes, complement: Outcomes) -> Any:
    """Compute w(p), given a probability and the probability of all other outcomes."""
    power, complement_power = (jnp.where(p > 0, jnp.where(p > 0, p, 1.0) ** c, 0.0) for p in (probability, complement))
    return power / (power + complement_power) ** (1.0 / c)


class HyperbolicBellman(RiskMeasure):
    r"""Hyperbolic Bellman update (Alexander and Brown 2010; Chan, Critch and Dragan 2021).

    .. math:: Q = \sum_t P\,\frac{R + \gamma V(t)}{1 + k V(t)}

    It requires :math:`1 + k V > 0`. It does not discount delays; see :func:`~goalinf.agents.hyperbolic` for that.

    Parameters
    ----------
    curvature : float or Distribution
        :math:`k` in 1/utility, at least 0. 0: the expectation.
    """

    curvature: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=INVARIANCES, onto=None, scales=False)
    parameters: ClassVar[Ranges] = {"curvature": (0.0, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"curvature": lambda: dist.HalfNormal(0.2)}

    def __call__(self, reward: Outcomes, ahead: Outcomes, probability: Outcomes, discount: Numeric) -> Any:
        """Compute Q of every action; not a number where :math:`1 + kV` is not above zero."""
        scale = jnp.where(probability > 0, 1.0 + self.curvature * ahead, 1.0)
        return jnp.sum(probability * (reward + discount * ahead) / jnp.where(scale > 0, scale, jnp.nan), axis=1)
