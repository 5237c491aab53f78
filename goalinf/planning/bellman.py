"""Bellman problem in the array layout of the planners, and one sweep of value iteration.

All quantities are on the scale of beta times the reward, at temperature one. The last axis of arrays is the state. On
the host the problems of several rewards in one world are one problem, whose arrays have a leading axis G.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from types import ModuleType
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from goalinf.planning.log_space import log_sum_exp
from goalinf.planning.risk import RiskMeasure
from goalinf.precision import cast, namespace, on_host
from goalinf.rewards import Reward, ended, pinned
from goalinf.types import Numeric
from goalinf.worlds import MDP

Backup = Literal["soft", "hard", "mean"]
_UNROLLED = 16


class Outcomes(eqx.Module):
    """Outcomes of every action, for a risk measure other than the expectation.

    Parameters
    ----------
    outlook : RiskMeasure
        Risk measure of the outcomes.
    reward, probability : float (A, K, S)
        Reward and probability of each outcome.
    successors, slots : int (A, K, S)
        State of each outcome, and its position among the neighbors.
    """

    outlook: Any
    reward: Float[Array | np.ndarray, "A K S"]
    probability: Float[Array | np.ndarray, "A K S"]
    successors: Int[Array | np.ndarray, "A K S"]
    slots: Int[Array | np.ndarray, "A K S"]

    def __call__(self, ahead: Array, discount: Numeric) -> Any:
        """Compute Q ``(A, S)`` from the values after each outcome."""
        return self.outlook(self.reward, ahead, self.probability, discount)


class Problem(eqx.Module):
    """Bellman problem that a planner solves.

    Parameters
    ----------
    reward : float (A, S) or (G, A, S)
        Expected reward of each action, times beta.
    weights : float (A, U, S)
        Probability of each neighbor.
    neighbors : int (U, S)
        States that may follow.
    origins : int (I, S)
        Positions in the flattened ``(U, S)`` from which each state is reached; see :class:`~goalinf.worlds.MDP`.
    available : bool (A, S) or (G, A, S)
        Available actions; in states with a fixed value and no available action, all, so that maxima are defined.
    fixed : bool (S,) or (G, S)
        States with a fixed value: dead ends, and ended states (zero).
    fixed_value : float (S,) or (G, S)
        Fixed values, times beta.
    discount : float
        Discount factor.
    initial : float (S,)
        Distribution of the first state.
    outcomes : Outcomes, optional
        Outcomes and risk measure, where :math:`Q` is not the expectation.
    beta : float (S,), optional
        Inverse temperature of every state, where the reward is not on the scale of beta.
    default : float (A, S), optional
        Log-probability of each action under the default policy of soft values.
    present_bias : float, optional
        Factor of all later utility in the Q-values of the choice rule, but not in the values of states.
    """

    reward: Float[Array | np.ndarray, "*G A S"]
    weights: Float[Array | np.ndarray, "A U S"]
    neighbors: Int[Array | np.ndarray, "U S"]
    origins: Int[Array | np.ndarray, "I S"]
    available: Bool[Array | np.ndarray, "*G A S"]
    fixed: Bool[Array | np.ndarray, "*G S"]
    fixed_value: Float[Array | np.ndarray, "*G S"]
    discount: Float[Array | np.ndarray, ""]
    initial: Float[Array | np.ndarray, " S"]
    outcomes: Outcomes | None = None
    beta: Float[Array | np.ndarray, " S"] | None = None
    default: Float[Array | np.ndarray, "A S"] | None = None
    present_bias: Float[Array | np.ndarray, ""] | None = None

    @property
    def xp(self) -> ModuleType:
        """Backend that solves the problem: ``numpy`` where the arrays are on the host, ``jax.numpy`` in compiled code.

        All arrays of a problem are of one kind; ``goalinf.precision.cast`` converts a problem of the host.
        """
        return namespace(self.reward)

    @classmethod
    def of(cls, mdp: MDP, reward: Reward, beta: ArrayLike, outlook: RiskMeasure | None = None) -> Problem:
        """Make the problem of a reward, times beta, in an MDP, with a risk measure (default: the expectation).

        It is a problem of the host where MDP, reward and beta are on the host.
        """
        host = on_host(mdp, reward, beta)
        weights = mdp.weights()
        if not host:
            mdp, reward, beta = cast((mdp, reward, beta))
        fields = {**_mdp_fields(mdp), **_reward_fields(np if host else jnp, mdp, reward, beta), "weights": weights}
        if outlook is not None:
            arrays: tuple[Any, ...] = (
                beta * np.broadcast_to(1.0, mdp.probabilities.shape) * reward(mdp),
                mdp.probabilities,
            )
            arrays += (mdp.successors, mdp.slots)
            fields["outcomes"] = Outcomes(outlook, *(array.transpose(1, 2, 0) for array in arrays))
        return cls(**(fields if host else cast(fields)))

    @classmethod
    def of_each(cls, mdp: MDP, rewards: Sequence[Reward], beta: ArrayLike) -> Problem:
        """Make the problem of several rewards in one world, on the host."""
        by_reward = [_reward_fields(np, mdp, reward, beta) for reward in rewards]
        stacked: dict[str, Any] = {name: np.stack([fields[name] for fields in by_reward]) for name in by_reward[0]}
        return cls(**_mdp_fields(mdp), **stacked, weights=mdp.weights())

    def select(self, g: int) -> Problem:
        """Select one of several problems."""
        selected = {name: getattr(self, name)[g] for name in ("reward", "available", "fixed", "fixed_value")}
        return dataclasses.replace(self, **selected)


def _mdp_fields(mdp: MDP) -> dict[str, Any]:
    """Return the fields of a problem that are fields of the MDP."""
    return {"neighbors": mdp.neighbors, "origins": mdp.origins, "discount": mdp.discount, "initial": mdp.initial}


def _reward_fields(xp: ModuleType, mdp: MDP, reward: Reward, beta: ArrayLike) -> dict[str, Any]:
    """Return the fields of a problem that depend on the reward."""
    dead, dead_value = pinned(reward, mdp)
    fixed = ended(reward, mdp) | dead
    return {
        "reward": beta * xp.sum(mdp.probabilities * reward(mdp), axis=-1).T,
        "available": choosable(mdp, fixed).T,
        "fixed": fixed,
        "fixed_value": xp.where(dead, beta * dead_value, 0.0),
    }


def choosable(mdp: MDP, fixed: Bool[Array | np.ndarray, " S"]) -> Bool[Array | np.ndarray, "S A"]:
    """Return the available actions; all of them in a state with a fixed value and no available action."""
    return mdp.available | (fixed & ~mdp.available.any(1))[:, None]


def action_values(problem: Problem, values: Float[Array | np.ndarray, "*G S"]) -> Float[Array | np.ndarray, "*G A S"]:
    r"""Compute :math:`Q(s,a) = r(s,a) + \gamma \sum_t P(t \mid s,a) V(t)`, or the risk measure of the outcomes."""
    if problem.outcomes is not None:
        return problem.outcomes(jnp.asarray(values)[problem.outcomes.successors], problem.discount)
    weights, neighbors = problem.weights, problem.neighbors
    if problem.xp is np:
        ahead = np.einsum("aus,...us->...as", weights, values[..., neighbors])
        return problem.reward + problem.discount * ahead
    ahead = add_up(lambda u: weights[:, u] * values[neighbors[u]], len(neighbors))
    return problem.reward + problem.discount * ahead


def biased_values(problem: Problem, q: Numeric) -> Any:
    """Return the Q-values of the choice rule: all later utility is multiplied by the present bias, where given."""
    return q if problem.present_bias is None else problem.reward + problem.present_bias * (q - problem.reward)


def backup_jacobian(problem: Problem, values: Float[Array, " S"], dv_dq: Float[Array, "A S"]) -> Float[Array, "U S"]:
    r"""Compute the derivative of the backed-up values with respect to the value of every neighbor.

    ``dv_dq`` are the derivatives of a state's value with respect to its Q-values (see :func:`backup`).
    """
    if problem.outcomes is None:
        return problem.discount * add_up(lambda a: dv_dq[a] * problem.weights[a], len(dv_dq))
    outcomes = problem.outcomes
    slopes = jax.grad(lambda ahead: outcomes(ahead, problem.discount).sum())(values[outcomes.successors])
    slopes = dv_dq[:, None] * slopes
    count = len(problem.neighbors)
    if count <= _UNROLLED:  # faster than a scatter
        return jnp.stack([jnp.where(outcomes.slots == u, slopes, 0.0).sum(axis=(0, 1)) for u in range(count)])
    return jnp.zeros_like(problem.weights[0]).at[outcomes.slots, jnp.arange(values.size)].add(slopes)


def add_up(term: Callable[[Any], Any], count: int) -> Any:
    """Sum ``term(0)`` … ``term(count - 1)``, unrolled where there are few: this compiles to much faster code."""
    if count <= _UNROLLED:
        return reduce(operator.add, map(term, range(count)))
    return lax.fori_loop(1, count, lambda index, total: total + term(index), term(0))


def _greedy(q: Numeric) -> Any:
    """Return the uniform distribution over the actions of highest value, (A, S).

    Compiled code may compute Q twice with different rounding, so that a maximum need not be equal to any entry.
    """
    xp = namespace(q)
    first = xp.arange(q.shape[-2])[:, None] == q.argmax(axis=-2)[..., None, :]
    best = first | (q == q.max(axis=-2, keepdims=True))
    return best / best.sum(axis=-2, keepdims=True)


@jax.custom_jvp
def highest(q: Numeric) -> Any:
    """Compute the maximum over actions, with the mean over the maximizers as derivative (JAX tests for equality)."""
    return q.max(axis=-2)


@highest.defjvp
def _highest_jvp(primals: tuple[Array], tangents: tuple[Array]) -> Any:
    (q,), (change,) = primals, tangents
    return q.max(axis=-2), (_greedy(q) * change).sum(axis=-2)


def backup(problem: Problem, values: Float[Array | np.ndarray, "*G S"], kind: Backup) -> tuple[Any, Any]:
    """Apply one backup to the values; also return its derivatives with respect to the Q-values of each state.

    Soft: log-sum-exp, and the softmax of Q. Hard: maximum, and uniform over the maximizers. In both cases the
    derivatives are the policy of the backup. Mean: expectation of Q under its softmax; it is not monotone, and its
    derivatives need not be probabilities. States with a fixed value keep it, with derivatives of zero.
    """
    xp = problem.xp
    q = action_values(problem, values)
    beta = 1.0 if problem.beta is None else problem.beta
    if kind == "hard":
        q = xp.where(problem.available, q, -xp.inf)
        backed_up = q.max(axis=-2) if xp is np else highest(q)
        dv_dq = _greedy(q)
    else:
        score = beta * biased_values(problem, q) + (0.0 if problem.default is None else problem.default)
        score = xp.where(problem.available, score, -xp.inf)
        total = log_sum_exp(score, axis=-2)
        policy = xp.exp(score - total[..., None, :])
        if kind == "soft":
            backed_up, dv_dq = total / beta, policy
        else:
            backed_up = (policy * q).sum(axis=-2)
            later = 1.0 if problem.present_bias is None else problem.present_bias
            dv_dq = policy * (1.0 + beta * later * (q - backed_up[..., None, :]))
    return (
        xp.where(problem.fixed, problem.fixed_value, backed_up),
        xp.where(problem.fixed[..., None, :], 0.0, dv_dq),
    )
