"""The Bellman problem in the layout that planners sweep over, and one sweep of it.

Everything is on the scale of beta times the reward, at temperature one. Arrays put the state last.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from goalinf import rewards
from goalinf.worlds import MDP

Backup = Literal["soft", "hard"]
_UNROLLED = 16


class Problem(eqx.Module):
    """What a risk-neutral planner solves.

    Parameters
    ----------
    reward : float (A, S)
        Expected reward of each choice, times beta.
    weights : float (A, U, S)
        Probability of each neighbor.
    neighbors : int (U, S)
        States that may follow.
    origins : int (I, S)
        Places in the flattened ``(U, S)`` from which each state is reached; see :class:`~goalinf.worlds.MDP`.
    available : bool (A, S)
        Choices that can be made; in pinned states all of them, so that nothing is ever undefined.
    pinned : bool (S,)
        States whose value is given: ended ones (zero) and dead ends.
    pins : float (S,)
        Their values, times beta.
    discount : float
        Discount factor.
    """

    reward: Float[Array, "A S"]
    weights: Float[Array, "A U S"]
    neighbors: Int[Array, "U S"]
    origins: Int[Array, "I S"]
    available: Bool[Array, "A S"]
    pinned: Bool[Array, " S"]
    pins: Float[Array, " S"]
    discount: Float[Array, ""]

    @classmethod
    def of(cls, mdp: MDP, reward: rewards.Reward, beta: Any) -> Problem:
        """The problem that this reward poses in this MDP to an agent of this inverse temperature."""
        ended = rewards.ended(reward, mdp)
        dead, dead_value = rewards.pinned(reward, mdp)
        probabilities = jnp.asarray(mdp.probabilities)
        values = jnp.broadcast_to(reward(mdp), probabilities.shape)
        pinned = ended | dead
        return cls(
            reward=beta * jnp.sum(probabilities * values, axis=-1).T,
            weights=mdp.weights(),
            neighbors=jnp.asarray(mdp.neighbors),
            origins=jnp.asarray(mdp.origins),
            available=choosable(mdp, pinned).T,
            pinned=pinned,
            pins=jnp.where(dead & ~ended, beta * dead_value, 0.0),
            discount=jnp.asarray(mdp.discount),
        )


def choosable(mdp: MDP, pinned: Bool[Array, " S"]) -> Bool[Array, "S A"]:
    """Available actions; all of them in a state whose value is given and that offers none."""
    available = jnp.asarray(mdp.available)
    return available | (pinned & ~available.any(1))[:, None]


def action_values(problem: Problem, values: Float[Array, " S"]) -> Float[Array, "A S"]:
    r""":math:`Q(s,a) = r(s,a) + \gamma \sum_t P(t \mid s,a) V(t)`."""
    weights, neighbors = problem.weights, problem.neighbors
    ahead = add_up(lambda u: weights[:, u] * values[neighbors[u]], len(neighbors))
    return problem.reward + problem.discount * ahead


def add_up(term: Callable[[Any], Array], count: int) -> Array:
    """Sum of ``term(0)`` … ``term(count - 1)``, written out where they are few: that compiles to far faster code."""
    if count <= _UNROLLED:
        return reduce(operator.add, map(term, range(count)))
    return lax.fori_loop(1, count, lambda index, total: total + term(index), term(0))


def backup(
    problem: Problem, values: Float[Array, " S"], kind: Backup
) -> tuple[Float[Array, " S"], Float[Array, "A S"]]:
    """Values backed up once, and the policy that the backup follows.

    Soft: log-sum-exp, and the softmax of Q. Hard: maximum, and uniform over the maximizers. Pinned states keep their
    value, and a row of zeros in the policy.
    """
    q = jnp.where(problem.available, action_values(problem, values), -jnp.inf)
    if kind == "soft":
        backed_up = jax.nn.logsumexp(q, axis=0)
        policy = jnp.exp(q - backed_up)
    else:
        backed_up = jnp.max(q, axis=0)
        best = jax.lax.stop_gradient(q == backed_up)
        policy = best / best.sum(axis=0)
    return jnp.where(problem.pinned, problem.pins, backed_up), jnp.where(problem.pinned, 0.0, policy)
