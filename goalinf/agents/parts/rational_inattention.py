r"""Rational inattention: telling states apart costs 1/beta utility per nat (Sims 2003; Matějka and McKay 2015).

What is done is a softmax around a habit q that is the same everywhere, and the best one: no other makes
:math:`\beta` times the value, less the information spent, larger. The iteration of Blahut and Arimoto finds it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax
from scipy.special import rel_entr

from goalinf.agents.parts.choice import Acting, Available, ChoiceRule, LogProbs, Utilities, log_policy
from goalinf.agents.parts.planners import Ambiguity, Planner
from goalinf.planning.bellman import Problem, action_values
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import INFINITY, SHARE, Ranges, check_shape
from goalinf.planning.solution import Plan, residual
from goalinf.planning.solvers.blahut_arimoto import Foreseen, Given, best_habit, with_habit
from goalinf.planning.solvers.newton import fixed_point
from goalinf.precision import cast
from goalinf.rewards import Reward, ended, pinned
from goalinf.worlds import World


class RationalInattention(ChoiceRule):
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
    facts: ClassVar[Facts] = REGULAR

    @property
    def inverse_temperature(self) -> Any:
        """Beta."""
        return self.beta

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
        uniform = jnp.full(q.shape[0], 1.0 / q.shape[0], q.dtype)
        habit = best_habit(Given(visits / visits.sum(), gains), uniform)
        return log_policy(q + jnp.log(habit)[:, None], available)


def policy_complexity(policy: xr.DataArray, visits: Any = None) -> float:
    r"""How much of a state shows in what is done there: the mutual information of states and actions, in nats.

    .. math:: I(S;A) = \sum_s p(s) \sum_a \pi(a \mid s) \log \frac{\pi(a \mid s)}{q(a)},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    An agent of :func:`~goalinf.agents.rational_inattention` pays 1/beta utility per nat, with its own p(s).

    Parameters
    ----------
    policy : DataArray (state, action)
        A policy, as that of ``agent.policy(world, reward)``.
    visits : float (S,), optional
        :math:`p(s)`, how often each state is met, up to a factor. None: all states alike.

    Returns
    -------
    float
        From 0, the same everywhere, to the logarithm of the number of actions.

    Raises
    ------
    ValueError
        Where there is one policy per step, or visits are no frequencies of the states.
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
    shares = np.ones(policy.sizes["state"]) if visits is None else np.asarray(visits, float)
    check_shape("visits", shares, (policy.sizes["state"],), "state")
    if not _are_weights(shares):
        raise ValueError("visits are how often each state is met: finite numbers of at least 0, not all 0")
    joint = (shares / shares.sum())[:, None] * policy.values
    return float(rel_entr(joint, joint.sum(1, keepdims=True) * joint.sum(0)).sum())


class Inattentive(Planner):
    r"""Plans for the price of telling states apart, which it will go on paying, with the habit that pays best.

    .. math:: V(s) = \tfrac1\beta \log \sum_a q(a)\,e^{\beta Q(s,a)},\quad Q = r + \gamma P V,\quad
        q(a) \propto \sum_s d(s)\,\pi(a \mid s)

    with :math:`d` the discounted number of visits of the policy itself, from where the world starts: the largest
    expected discounted reward, less the mutual information of states and actions at 1/beta utility per nat (Grau-Moya,
    Leibfried and Vrancx 2019). There can be several such habits; the search starts from the uniform one.

    Parameters
    ----------
    discount : float or Distribution, optional
        The agent's own discount factor. None: that of the world.
    """

    discount: Any = None
    parameters: ClassVar[Ranges] = {"discount": SHARE}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=None)
    uses_beta: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    ambiguous: ClassVar[Ambiguity] = Ambiguity("a uniform habit", "a larger beta")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world that starts where nothing is chosen."""
        over = ended(reward, world.mdp) | pinned(reward, world.mdp)[0]
        if not np.asarray(world.mdp.initial)[~np.asarray(over)].any():
            raise ValueError(
                "the world starts only where nothing is chosen; the habit of rational inattention is that of the "
                "states on the way from its start: give the world another start"
            )

    def __call__(self, problem: Problem, near: Any = None) -> Plan:
        """Plan."""
        if problem.default is not None:
            raise ValueError("a default policy and the habit of rational inattention are two habits: give one of them")
        problem = cast(problem)
        if self.discount is not None:
            problem = dataclasses.replace(problem, discount=jnp.asarray(self.discount, problem.reward.dtype))
        n_actions = problem.reward.shape[0]
        start = jnp.full(n_actions, 1.0 / n_actions, problem.reward.dtype)
        if near is not None:  # half of it what is best where those values hold
            best = jnp.argmax(jnp.where(problem.available, action_values(problem, near), -jnp.inf), axis=0)
            done = jnp.zeros(n_actions).at[best].add(jnp.where(problem.pinned, 0.0, 1.0))
            start = (start + done / done.sum()) / 2
        log_habit = jnp.log(best_habit(Foreseen(problem), start))
        own = with_habit(problem, log_habit)
        values = fixed_point(own, "soft")
        q = action_values(problem, values) + log_habit[:, None]
        known, habit, found = lax.stop_gradient((problem, jnp.exp(log_habit), values))
        visits, share, _ = Foreseen(known).visits(habit, found)
        gap = jnp.log((share @ visits / visits.sum()).max())
        return Plan(q, values, jnp.maximum(residual(own, values, "soft"), gap / (1.0 + abs(values).max())))


def _are_weights(values: Any) -> bool:
    if isinstance(values, jax.core.Tracer):
        return True
    found = np.asarray(values, float)
    return bool(found.ndim == 1 and np.isfinite(found).all() and (found >= 0).all() and found.any())
