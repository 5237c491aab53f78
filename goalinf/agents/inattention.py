r"""Rational inattention: telling states apart costs 1/beta utility per nat (Sims 2003; Matějka and McKay 2015).

What is done is a softmax around a habit q that is the same everywhere, and the best one: no other makes
:math:`\beta` times the value, less the information spent, larger. The iteration of Blahut and Arimoto finds it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax
from scipy.special import rel_entr

from goalinf.agents.bellman import Problem, action_values, passed_on
from goalinf.agents.choice import Acting, Available, LogProbs, Utilities, log_policy
from goalinf.agents.linear import solve_linear
from goalinf.agents.parts import INFINITY, Part, Ranges, check_shape
from goalinf.agents.planners import Plan, Planner
from goalinf.agents.solver import fixed_point, residual
from goalinf.precision import cast
from goalinf.rewards import Reward, ended, pinned
from goalinf.worlds import World

_ROUNDS = 1000  # forty suffice
_GAP = 64  # units of rounding that the rate, in nats, may be wrong by
_FARTHEST = 8.0  # nats that a choice may gain or lose in a round


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
        uniform = jnp.full(q.shape[0], 1.0 / q.shape[0], q.dtype)
        habit = _marginal(_at_once, (visits / visits.sum(), gains), uniform)
        return log_policy(q + jnp.log(habit)[:, None], available)


def policy_complexity(policy: xr.DataArray, visits: Any = None) -> float:
    r"""How much of a state shows in what is done there: the mutual information of states and actions, in nats.

    .. math:: I(S;A) = \sum_s p(s) \sum_a \pi(a \mid s) \log \frac{\pi(a \mid s)}{q(a)},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    What an agent of :func:`~goalinf.rational_inattention` pays 1/beta utility for, per nat.

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

    References
    ----------
    Lai and Gershman (2021).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> round(gi.policy_complexity(gi.boltzmann(beta=0.0).policy(hall, reward)), 6)
    0.0
    """
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
    """

    horizon: ClassVar[None] = None
    outlook: ClassVar[None] = None
    uses_beta: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    ambiguous: ClassVar[bool] = True
    way_out: ClassVar[str] = "a larger beta"

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
        n_actions = problem.reward.shape[0]
        start = jnp.full(n_actions, 1.0 / n_actions, problem.reward.dtype)
        if near is not None:  # half of it what is best where those values hold
            best = jnp.argmax(jnp.where(problem.available, action_values(problem, near), -jnp.inf), axis=0)
            done = jnp.zeros(n_actions).at[best].add(jnp.where(problem.pinned, 0.0, 1.0))
            start = (start + done / done.sum()) / 2
        log_habit = jnp.log(_marginal(_foreseen, problem, start))
        own = _with_habit(problem, log_habit)
        values = fixed_point(own, "soft")
        q = action_values(problem, values) + log_habit[:, None]
        visits, share = _visits(*lax.stop_gradient((problem, values, jnp.exp(log_habit))))
        gap = jnp.log((share @ visits / visits.sum()).max())
        return Plan(q, values, jnp.maximum(residual(own, values, "soft"), gap / (1.0 + abs(values).max())))


class _Growth(NamedTuple):
    """What a habit is worth, and how it grows.

    Parameters
    ----------
    growth : float (A,)
        What q is multiplied by to become the marginal of its policy.
    matrix : float (A, A)
        How much less it grows with the logarithm of q.
    value : float
        What is to be maximal, in nats.
    rounding : float
        By how much that may be wrong.
    """

    growth: Any
    matrix: Any
    value: Any
    rounding: Any


def _at_once(args: Any, habit: Any) -> _Growth:
    """Where values are given: ``args`` are p(s) and exp Q, up to a factor for each state."""
    visits, gains = args
    met = visits > 0  # elsewhere there may be nothing that is ever done
    total = jnp.where(met, habit @ gains, 1.0)
    share = jnp.where(met, gains / total, 0.0)
    matrix = (visits * share) @ share.T * habit
    return _Growth(share @ visits, matrix, visits @ jnp.log(total), jnp.asarray(8 * jnp.finfo(gains.dtype).eps))


def _foreseen(problem: Problem, habit: Any) -> _Growth:
    r"""Where values are those of going on with the habit.

    They are convex in log q. With :math:`D` the discounted visits, :math:`n_a = \sum_s D\,\pi(a|s)`
    and :math:`H` the covariance, over choices and visits, of how Q moves with log q:
    :math:`\partial n_b / \partial \log q_a = H_{ab}`.
    """
    values = fixed_point(_with_habit(problem, jnp.log(habit)), "soft")
    visits, share = _visits(problem, values, habit)
    policy, n_actions = habit[:, None] * share, len(habit)
    passed = passed_on(problem, values, policy)
    # By action a: how the value of a state, and Q of its choices, move with log q(a), in units of q(a).
    values_move = jax.vmap(lambda right: solve_linear(problem, passed, right))(share)
    ahead = jax.vmap(lambda moved: action_values(problem, moved) - problem.reward)(values_move)
    q_moves = habit[:, None, None] * ahead + jnp.eye(n_actions)[:, :, None]
    apart = q_moves - (habit[:, None] * values_move)[:, None]
    seen = visits * policy * apart
    slopes = jnp.einsum("acs,bcs->ba", seen, ahead) + jnp.einsum("s,bs,abs->ba", visits, share, apart)
    growth, total = share @ visits / visits.sum(), visits.sum()
    matrix = jnp.diag(growth) + growth[:, None] * (habit @ slopes) / total - slopes / total
    largest = abs(values).max()
    return _Growth(growth, matrix, problem.initial @ values, 8 * jnp.finfo(growth.dtype).eps * (1.0 + largest))


def _visits(problem: Problem, values: Any, habit: Any) -> tuple[Any, Any]:
    """Discounted visits to states where something is chosen, and policy over habit, (A, S)."""
    acting = problem.available & ~problem.pinned
    share = jnp.where(acting, jnp.exp(jnp.where(acting, action_values(problem, values) - values, 0.0)), 0.0)
    passed = passed_on(problem, values, habit[:, None] * share)
    from_start = jax.linear_transpose(lambda right: solve_linear(problem, passed, right), values)
    return jnp.where(problem.pinned, 0.0, from_start(problem.initial)[0]), share


def _with_habit(problem: Problem, log_habit: Any) -> Problem:
    return dataclasses.replace(problem, default=jnp.broadcast_to(log_habit[:, None], problem.available.shape))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _marginal(grow: Callable[[Any, Any], _Growth], args: Any, start: Any) -> Any:
    """q: rounds of Blahut and Arimoto, which never lose, or damped ones of Newton where these gain more."""
    eps, tiny = jnp.finfo(start.dtype).eps, jnp.finfo(start.dtype).tiny
    alike = _alike(args)  # such choices are made equally often

    def unfinished(carry):
        _, at, _, _, step = carry
        return (step == 0) | ((step < _ROUNDS) & ~(jnp.log(at.growth.max()) <= _GAP * at.rounding))

    def moved(habit, change):
        habit = jnp.maximum(habit * jnp.exp(change - change.max()), tiny)
        habit = alike @ habit / alike.sum(axis=1)
        return habit / habit.sum()

    def better(carry):
        both, _, _, damping, step = carry
        ats = jax.vmap(lambda habit: grow(args, habit))(both)
        nearer = ats.growth[1].max() < ats.growth[0].max()  # decides where the values differ by rounding
        good = ats.value[1] > ats.value[0] + ats.rounding[0] * jnp.where(nearer, -1, 1)
        habit, at = jax.tree.map(lambda each: each[jnp.where(good, 1, 0)], (both, ats))
        least = 1e3 * eps
        more = jnp.where(damping > 0.1, least, 10 * damping)
        damping = jnp.where(good, jnp.maximum(damping / 10, least), more)
        change = jnp.linalg.solve(_slackened(at) + damping * jnp.eye(at.growth.size), at.growth - 1.0)
        newton = change * jnp.minimum(1.0, _FARTHEST / abs(change).max())
        candidates = jnp.stack([moved(habit, jnp.log(at.growth)), moved(habit, newton)])
        return candidates, at, habit, damping, step + 1

    nothing = jax.tree.map(lambda shaped: jnp.zeros(shaped.shape, shaped.dtype), jax.eval_shape(grow, args, start))
    damping = jnp.asarray(1e4 * eps, start.dtype)
    return lax.while_loop(unfinished, better, (jnp.stack([start, start]), nothing, start, damping, 0))[2]


@_marginal.defjvp
def _marginal_jvp(grow: Any, primals: Any, tangents: Any) -> Any:
    (args, start), (direction, _) = primals, tangents
    habit = _marginal(grow, args, start)
    at = grow(args, habit)
    _, change = jax.jvp(lambda moved: grow(moved, habit).growth, (args,), (direction,))
    # Choices that are alike everywhere share what they have: there are many solutions, and this is the smallest.
    spread = jnp.linalg.pinv(_slackened(at), rtol=1e4 * jnp.finfo(habit.dtype).eps)
    return habit, habit * (spread @ change)


def _slackened(at: _Growth) -> Any:
    """The matrix of Newton's method, in which choices that are not made shrink at their own pace."""
    slack = 1.0 - at.growth
    return at.matrix + jnp.diag(jnp.where(slack > 1e3 * _GAP * at.rounding, slack, 0.0))


def _alike(args: Any) -> Any:
    """Which choices are the same everywhere, (A, A)."""
    if isinstance(args, Problem):
        parts = [args.reward[:, None], args.weights, args.available[:, None].astype(args.reward.dtype)]
        table = jnp.concatenate(parts, axis=1).reshape(len(args.reward), -1)
    else:
        table = args[1]
    return (table[:, None] == table).all(axis=-1)


def _are_weights(values: Any) -> bool:
    if isinstance(values, jax.core.Tracer):
        return True
    found = np.asarray(values, float)
    return bool(found.ndim == 1 and np.isfinite(found).all() and (found >= 0).all() and found.any())
