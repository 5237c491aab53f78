r"""Rational inattention: information about the state costs 1/beta utility per nat (Sims 2003; Matějka and McKay 2015).

The policy is a softmax with a default policy q (the habit) that is equal in all states and optimal: it maximizes
:math:`\beta` times the value minus the mutual information of states and actions. The algorithm of Blahut and Arimoto
computes q.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax
from jaxtyping import Array
from scipy.special import rel_entr

from goalinf.agents.parts.choice import Acting, Available, ChoiceRule, LogProbs, Utilities, log_policy
from goalinf.agents.parts.planners import Ambiguity, Planner
from goalinf.planning.bellman import Problem, action_values
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import (
    INFINITY,
    SHARE,
    DefaultPriors,
    Parameter,
    Ranges,
    beta_prior,
    check_shape,
    discount_prior,
)
from goalinf.planning.solution import Plan, residual
from goalinf.planning.solvers.blahut_arimoto import KnownValues, PlannedValues, best_habit, with_habit
from goalinf.planning.solvers.newton import fixed_point
from goalinf.precision import cast
from goalinf.rewards import Reward, ended, pinned
from goalinf.types import Numbers, Numeric
from goalinf.worlds import World


class RationalInattention(ChoiceRule):
    r"""Choice with an information cost of 1/beta utility per nat (Sims 2003; Matějka and McKay 2015).

    .. math:: \pi(a \mid s) = \frac{q(a)\,e^{\beta Q(s,a)}}{\sum_b q(b)\,e^{\beta Q(s,b)}},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    by the accelerated algorithm of Blahut and Arimoto, to a stated tolerance.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature, in 1/utility, at least zero.
    visits : float (S,), optional
        :math:`p(s)`, frequency of each state. None: uniform over the states in which an action is chosen.
    """

    beta: Parameter
    visits: Any = None
    parameters: ClassVar[Ranges] = {"beta": (0.0, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"beta": beta_prior}
    facts: ClassVar[Facts] = REGULAR

    @property
    def inverse_temperature(self) -> Any:
        """Beta."""
        return self.beta

    def __check_init__(self) -> None:
        if self.visits is not None and not _are_weights(self.visits):
            raise ValueError("visits are the frequencies of the states: expected finite numbers >= 0, not all 0")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse frequencies that do not fit the world."""
        if self.visits is None:
            return
        check_shape("visits", self.visits, (world.n_states,), "state")
        if not np.asarray(self.visits)[~ended(reward, world.mdp)].any():
            raise ValueError("visits are 0 in every state with an action; expected a positive number in one of them")

    def __call__(self, q: Utilities, available: Available, acting: Acting) -> LogProbs:
        """Return log-probabilities, given ``q``, which is already multiplied by beta; −inf where unavailable."""
        q, available = jnp.asarray(q), jnp.asarray(available)
        log_probs = lambda utilities: self._log_probs(utilities, available, jnp.asarray(acting))  # noqa: E731
        return log_probs(q) if q.ndim == 2 else jax.vmap(log_probs)(q)

    def _log_probs(self, q: Array, available: Available, acting: Array) -> Any:
        visits = acting.astype(q.dtype) if self.visits is None else jnp.where(acting, jnp.asarray(self.visits), 0.0)
        # A constant added to all Q-values of a state has no effect, and its derivative cancels.
        best = lax.stop_gradient(jnp.where(available, q, -jnp.inf).max(axis=0))
        q = jnp.where(available, q - best, 0.0)
        gains = jnp.where(available, jnp.exp(q), 0.0)  # at most one, and one for the best action of every state
        uniform = jnp.full(q.shape[0], 1.0 / q.shape[0], q.dtype)
        habit = best_habit(KnownValues(visits / visits.sum(), gains), uniform)
        return log_policy(q + jnp.log(habit)[:, None], available)


def policy_complexity(policy: xr.DataArray, visits: Numbers | None = None) -> float:
    r"""Compute the complexity of a policy: the mutual information of states and actions, in nats.

    .. math:: I(S;A) = \sum_s p(s) \sum_a \pi(a \mid s) \log \frac{\pi(a \mid s)}{q(a)},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    The agent :func:`~goalinf.agents.rational_inattention` pays 1/beta utility per nat, with its own p(s).

    Parameters
    ----------
    policy : DataArray (state, action)
        A policy, as ``agent.policy(world, reward)`` returns it.
    visits : float (S,), optional
        :math:`p(s)`, frequency of each state, up to a factor. None: uniform.

    Returns
    -------
    float
        From 0, for a policy that is equal in all states, to the logarithm of the number of actions.

    Raises
    ------
    ValueError
        Where there is one policy per step, or visits are not frequencies of the states.
    TypeError
        Where the policy has no labels.

    References
    ----------
    Lai and Gershman (2021).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> round(gi.agents.policy_complexity(gi.agents.boltzmann(beta=0.0).policy(hall, reward)), 6)
    0.0
    """
    if not isinstance(policy, xr.DataArray):
        raise TypeError(f"the policy is a {type(policy).__name__}; expected that of agent.policy(world, reward)")
    if policy.dims != ("state", "action"):
        raise ValueError(
            f"the policy has axes {', '.join(map(str, policy.dims))}; expected state and action: one policy"
        )
    frequencies = np.ones(policy.sizes["state"]) if visits is None else np.asarray(visits, float)
    check_shape("visits", frequencies, (policy.sizes["state"],), "state")
    if not _are_weights(frequencies):
        raise ValueError("visits are the frequencies of the states: expected finite numbers >= 0, not all 0")
    joint = (frequencies / frequencies.sum())[:, None] * policy.values
    return float(rel_entr(joint, joint.sum(1, keepdims=True) * joint.sum(0)).sum())


class Inattentive(Planner):
    r"""Planner that takes the later cost of information into account, with the optimal default policy q (habit).

    .. math:: V(s) = \tfrac1\beta \log \sum_a q(a)\,e^{\beta Q(s,a)},\quad Q = r + \gamma P V,\quad
        q(a) \propto \sum_s d(s)\,\pi(a \mid s)

    with :math:`d` the discounted occupancy of the policy itself, from the initial states of the world. The policy
    maximizes the expected discounted reward minus the mutual information of states and actions at 1/beta utility per
    nat (Grau-Moya, Leibfried and Vrancx 2019). There can be several such q; the search starts from the uniform one.

    Parameters
    ----------
    discount : float or Distribution, optional
        The agent's own discount factor. None: the discount factor of the world.
    """

    discount: Parameter | None = None
    parameters: ClassVar[Ranges] = {"discount": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"discount": discount_prior}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=None)
    uses_beta: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    ambiguous: ClassVar[Ambiguity] = Ambiguity("a uniform habit", "a larger beta")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world that starts only in states without a decision."""
        over = ended(reward, world.mdp) | pinned(reward, world.mdp)[0]
        if not np.asarray(world.mdp.initial)[~np.asarray(over)].any():
            raise ValueError(
                "the world starts only in states without a decision; rational inattention averages the policy over the "
                "states that are visited from the start: give the world another initial state"
            )

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan."""
        if problem.default is not None:
            raise ValueError("rational inattention determines its own default policy: leave default out")
        problem = cast(problem)
        if self.discount is not None:
            problem = dataclasses.replace(problem, discount=jnp.asarray(self.discount, problem.reward.dtype))
        n_actions = problem.reward.shape[0]
        start = jnp.full(n_actions, 1.0 / n_actions, problem.reward.dtype)
        if initial_guess is not None:  # half of the start are the frequencies of greedy actions for these values
            greedy = jnp.argmax(jnp.where(problem.available, action_values(problem, initial_guess), -jnp.inf), axis=0)
            greedy_frequencies = jnp.zeros(n_actions).at[greedy].add(jnp.where(problem.fixed, 0.0, 1.0))
            start = (start + greedy_frequencies / greedy_frequencies.sum()) / 2
        log_habit = jnp.log(best_habit(PlannedValues(problem), start))
        soft_problem = with_habit(problem, log_habit)
        values = fixed_point(soft_problem, "soft")
        q = action_values(problem, values) + log_habit[:, None]
        constant_problem, habit, constant_values = lax.stop_gradient((problem, jnp.exp(log_habit), values))
        visits, share, _ = PlannedValues(constant_problem).visits(habit, constant_values)
        gap = jnp.log((share @ visits / visits.sum()).max())
        return Plan(q, values, jnp.maximum(residual(soft_problem, values, "soft"), gap / (1.0 + abs(values).max())))


def _are_weights(values: Any) -> bool:
    if isinstance(values, jax.core.Tracer):
        return True
    weights = np.asarray(values, float)
    return bool(weights.ndim == 1 and np.isfinite(weights).all() and (weights >= 0).all() and weights.any())
