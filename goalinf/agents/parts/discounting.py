"""Planners with discounting by delay: quasi-hyperbolic and hyperbolic."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import lax

from goalinf.agents.parts.planners import Ambiguity, Planner
from goalinf.agents.parts.value_iteration import check_sweeps, stationary
from goalinf.checks import check_count, check_flag
from goalinf.planning.bellman import Problem, action_values, biased_values
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Ranges, discount_prior
from goalinf.planning.solution import Plan
from goalinf.precision import cast
from goalinf.rewards import LinearReward, Reward, StateReward
from goalinf.types import Numeric


class QuasiHyperbolic(Planner):
    r"""Quasi-hyperbolic discounting: at each decision, all later utility is multiplied by :math:`b` (Laibson 1997).

    Naive: :math:`Q = r + b\,\delta P V_\delta` with :math:`V_\delta` the optimal values at discount :math:`\delta`: the
    agent assumes that its later selves are unbiased. Sophisticated: :math:`Q = r + b\,\delta P U` and
    :math:`U = \sum_a \pi_a (r + \delta P U)_a` with :math:`\pi = \mathrm{softmax}(\beta Q)`: a stationary
    Markov-perfect equilibrium with its later selves, of which there can be several at high beta.

    Parameters
    ----------
    present_bias : float or Distribution
        :math:`b`, in [0, 1]. 1: no bias.
    discount : float or Distribution, optional
        :math:`\delta`. None: the discount factor of the world.
    sophisticated : bool
        True: the agent predicts its later bias.
    """

    present_bias: Parameter
    discount: Parameter | None = None
    sophisticated: bool = eqx.field(static=True, default=False)
    parameters: ClassVar[Ranges] = {"present_bias": SHARE, "discount": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"present_bias": lambda: dist.Beta(4.0, 2.0), "discount": discount_prior}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("potential",), state_values=True)

    def __check_init__(self) -> None:
        check_flag("sophisticated", self.sophisticated)

    def confounded(self, reward: Reward, *, ends: bool) -> dict[str, str]:
        """Return present bias, for rewards on departure: they are equal for all actions now, and scaled by b later."""
        if isinstance(reward, StateReward | LinearReward) and reward.on == "departure":
            return {"present_bias": "behavior identifies only its product with the reward"}
        return {}

    @property
    def uses_beta(self) -> bool:
        """True where the agent is sophisticated: it predicts its own later action probabilities."""
        return self.sophisticated

    @property
    def smooth(self) -> bool:
        """True where the agent is sophisticated: no maximum is taken."""
        return self.sophisticated

    @property
    def ambiguous(self) -> Ambiguity | None:
        """Start of the search, for a sophisticated agent: there can be several equilibria with its later selves."""
        return Ambiguity() if self.sophisticated else None

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan."""
        problem = cast(problem)
        discount = problem.discount if self.discount is None else jnp.asarray(self.discount)
        bias = jnp.asarray(self.present_bias, problem.reward.dtype)
        biased = dataclasses.replace(problem, discount=discount, present_bias=bias)
        if self.sophisticated:
            return stationary(biased, "mean", initial_guess)
        plan = stationary(dataclasses.replace(problem, discount=discount), "hard")
        return Plan(biased_values(biased, plan.q), plan.values, plan.residual)


class Hyperbolic(Planner):
    r"""Hyperbolic discounting: weight :math:`D(d) = 1/(1 + k d)` after d steps (Evans, Stuhlmüller and Goodman 2016).

    With n decisions left, at a delay of d steps from the current decision,

    .. math:: EU_n(s,a,d) &= D(d)\,r(s,a) + \sum_t P(t \mid s,a) \sum_{a'} C_{n-1}(a' \mid t, d')\,EU_{n-1}(t,a',d+1)\\
        C_n(a \mid s,d) &= \mathrm{softmax}_a(\beta\,EU_n(s,a,d))

    and the policy is :math:`C_n(a \mid s, 0)`. Naive: :math:`d' = d + 1`, later selves are assumed to measure delays
    from the current decision. Sophisticated: :math:`d' = 0`. The discount factor of the world has no effect.

    Parameters
    ----------
    k : float or Distribution
        Discount rate per step, at least 0. 0: no discounting.
    horizon : int
        Number of decisions.
    sophisticated : bool
        True: the agent predicts the discounting of its later selves.
    """

    k: Parameter
    horizon: int = eqx.field(static=True, default=0)
    sophisticated: bool = eqx.field(static=True, default=False)
    parameters: ClassVar[Ranges] = {"k": (0.0, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"k": lambda: dist.LogNormal(0.0, 1.0)}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("potential",), onto=None)
    endless: ClassVar[bool] = False
    uses_beta: ClassVar[bool] = True
    smooth: ClassVar[bool] = True

    def __check_init__(self) -> None:
        if self.horizon is None:
            raise ValueError("horizon is None; hyperbolic planning needs an end: give a whole number of decisions")
        check_count("horizon", self.horizon)
        check_flag("sophisticated", self.sophisticated)

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan: one policy per decision."""
        problem = cast(problem)
        check_sweeps("horizon", self.horizon, problem)
        # Weight of every delay; the weight of the horizon itself is for dead ends after the last decision.
        delay_weights = 1.0 / (1.0 + self.k * jnp.arange(self.horizon + 1, dtype=problem.reward.dtype))
        fixed_values = delay_weights[:, None] * problem.fixed_value
        log_default = 0.0 if problem.default is None else problem.default
        undiscounted = dataclasses.replace(problem, discount=jnp.ones_like(problem.discount))
        expected_next = jax.vmap(lambda values: action_values(undiscounted, values) - problem.reward)

        def step_back(values, _):
            """Return values ``(D, S)`` at every delay with one more decision, and Q-values at zero delay."""
            later = jnp.concatenate([values[1:], values[-1:]])  # the last one is not used
            utility = delay_weights[:, None, None] * problem.reward + expected_next(later)
            logits = (utility[:1] if self.sophisticated else utility) + log_default
            logits = jnp.where(problem.available, logits, -jnp.inf)
            expected = (jax.nn.softmax(logits, axis=1) * utility).sum(axis=1)
            backed_up = jnp.where(problem.fixed, fixed_values, expected)
            return backed_up, (utility[0], backed_up[0])

        end = jnp.where(problem.fixed, fixed_values, 0.0)
        _, (q, values) = lax.scan(step_back, end, None, length=self.horizon, reverse=True)
        return Plan(q, values, jnp.zeros((), values.dtype))
