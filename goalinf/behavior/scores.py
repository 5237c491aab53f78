"""Scores: the log-probability of choices under policies, and exactly so where a mode or a memory lies behind them.

Every observed choice is scored under every policy, whatever ended under its reward: rewards are compared on the same
choices. Choices behind a terminal state of the world do not exist: ``data.fitting.check_fits`` refuses them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float

from goalinf.agents.policy import Policy, Step
from goalinf.data import Trajectories
from goalinf.precision import cast, namespace


def score(policy: Policy, data: Trajectories) -> Any:
    """Log-probability of all observed choices under policies with a leading context axis."""
    if not _counts(policy):
        return score_steps(policy, data).sum()
    return namespace(policy, data.cells).sum(_score_cells(policy, data))


def score_subjects(policy: Policy, data: Trajectories) -> Float[Array, " N"]:
    """Log-probability of the observed choices of every subject with trajectories, in the order of their numbers.

    There are no more subjects than trajectories; zero stands behind the last subject.
    """
    subject = jnp.asarray(data.subject)
    # Numbers may have gaps, and be larger than the number of trajectories: after a selection, say.
    numbers, rank = jnp.unique(subject, return_inverse=True, size=subject.size, fill_value=jnp.iinfo(jnp.int32).max)
    if _counts(policy):
        scores, rank = _score_cells(policy, data), jnp.searchsorted(numbers, jnp.asarray(data.cells.subject))
    else:
        scores = score_steps(policy, data).sum(-1)
    return jax.ops.segment_sum(jnp.asarray(scores), rank, data.n_trajectories)


@jax.jit
def chained(log_weights: Any, scores: Any, group: Any) -> Any:
    r"""Log-probability of every item given those before it in its group, of which each is one of several options.

    .. math:: \log \sum_k w_k\,p_k(x_1, \dots, x_i) - \log \sum_k w_k\,p_k(x_1, \dots, x_{i-1})

    Parameters
    ----------
    log_weights : float (K,)
        :math:`\log w_k`.
    scores : float (K, N)
        :math:`\log p_k` of every item.
    group : int (N,)
        Whose it is.
    """
    order = jnp.argsort(group, stable=True)
    ranked, scores = group[order], scores[:, order]
    first = jnp.append(True, ranked[1:] != ranked[:-1])

    def add(one, other):
        (total, starts), (more, begins) = one, other
        return jnp.where(begins, more, total + more), starts | begins

    until, _ = lax.associative_scan(add, (scores, jnp.broadcast_to(first, scores.shape)), axis=1)
    before = jnp.where(first, 0.0, jnp.roll(until, 1, axis=1))
    given, total = (logsumexp(log_weights[:, None] + x, axis=0) for x in (before, until))
    possible = given > -jnp.inf  # after what cannot happen nothing has a probability
    return jnp.zeros_like(total).at[order].set(jnp.where(possible, total - jnp.where(possible, given, 0.0), 0.0))


def _counts(policy: Policy) -> bool:
    """Whether counts of equal choices are all that matters."""
    return policy.simple and horizon_of(policy) is None


def _score_cells(policy: Policy, data: Trajectories) -> Any:
    """Log-probability of each unique choice, times how often it was made."""
    cells = data.cells
    context = policy_number(policy, cells.context)
    xp = namespace(policy, cells)
    some = xp.asarray(cells.weight) > 0
    log_probs = xp.asarray(policy.log_probs)[context, cells.state, cells.action]
    scores = cells.weight * xp.where(some, log_probs, 0.0)
    if xp is np:
        return scores
    return jnp.where(some & _outside(policy, cells.state, cells.action), jnp.nan, scores)


def _outside(policy: Policy, state: Any, action: Any) -> Any:
    """Where a number is none of a state or an action: compiled code would read the last one in its place."""
    n_states, n_actions = policy.log_probs.shape[-2:]
    return (jnp.asarray(state) >= n_states) | (jnp.asarray(action) >= n_actions)


def score_steps(policy: Policy, data: Trajectories) -> Float[Array | np.ndarray, "*G N T"]:
    """Log-probability of every observed choice, given those before it; zero elsewhere.

    The policies have an axis of contexts, and may have others in front of it.
    """
    steps = data.actions.shape[1]
    horizon = horizon_of(policy)
    if horizon is not None and steps > horizon:
        raise ValueError(
            f"the data have up to {steps} steps, the agent's horizon is {horizon}: give it a longer horizon"
        )
    n_states, n_actions = policy.log_probs.shape[-2:]
    on_host = namespace(data.states, data.actions) is np
    if on_host and data.actions.size and (data.actions.max() >= n_actions or data.states.max() >= n_states):
        raise ValueError(
            f"the data hold states up to number {data.states.max()} and actions up to number {data.actions.max()}; the "
            f"policy has {n_states} states and {n_actions} actions"
        )
    if not policy.simple:
        return _filtered(policy, data, "scores")
    xp = namespace(policy.log_probs, data.states, data.actions, data.observed, data.context)
    log_probs, states = xp.asarray(policy.log_probs), xp.maximum(data.states[:, :steps], 0)
    context = policy_number(policy, data.context[:, None])
    rows = context if horizon is None else context * horizon + np.arange(steps)
    scores = _entries(log_probs, 3 if horizon is None else 4, (rows * n_states + states) * n_actions + data.actions)
    if xp is jnp:
        return jnp.where(_outside(policy, states, data.actions), jnp.nan, jnp.where(data.observed, scores, 0.0))
    np.copyto(scores, 0.0, where=~data.observed)
    return scores


def acts_on(policy: Policy, data: Trajectories) -> Bool[np.ndarray, "*G N T"]:
    """Which observed choices are made in or behind a state that ends the episode; on the host.

    The policies have an axis of contexts, and may have others in front of it.
    """
    states = np.maximum(data.states[:, :-1], 0)
    context = policy_number(policy, data.context[:, None])
    over = _entries(np.asarray(policy.ended), 2, context * policy.ended.shape[-1] + states)
    return np.logical_or.accumulate(over, axis=-1) & data.observed


def _entries(array: Any, axes: int, numbers: Any) -> Any:
    """Entries of the last so many axes by their numbers there; several indices would cost NumPy twice the time."""
    flat = array.reshape(*array.shape[:-axes], -1)
    return flat.take(numbers, axis=-1, mode="clip")


def policy_number(policy: Policy, context: Any) -> Any:
    """Which policy a context follows: its own, or the only one."""
    return context if policy.ended.shape[-2] > 1 else 0


def horizon_of(policy: Policy) -> int | None:
    """Number of decisions that have a policy each; None where it is stationary. The policies have contexts."""
    axes = policy.log_probs.ndim - policy.ended.ndim - (policy.modes is not None)
    return policy.log_probs.shape[-3] if axes == 2 else None


# -- latent modes and memories -------------------------------------------------------------------

Wanted = Literal["scores", "modes"]


def believed_modes(policy: Policy, data: Trajectories) -> Float[Array, "N T M"]:
    """Log-probability of every mode at each step, given what was done until then, that step included."""
    return _filtered(policy, data, "modes")


def _filtered(policy: Policy, data: Trajectories, wanted: Wanted) -> Any:
    """:func:`score_steps`, or what is believed of the modes, by a forward filter over modes, along with the memory."""
    policy, *steps = cast((policy, data.states, data.actions, data.observed, data.lengths, data.context))
    traced = isinstance(policy.log_probs, jax.core.Tracer) or isinstance(steps[0], jax.core.Tracer)
    return (_filter_all if traced else _filter_compiled)(policy, wanted, *steps)


def _filter_all(policy: Policy, wanted: Wanted, *steps: Any) -> Any:
    if policy.ended.ndim > 2:
        return jax.vmap(lambda one: _filter_all(one, wanted, *steps))(policy)
    *each, context = steps
    several = policy.ended.shape[0] > 1
    one = jax.vmap(partial(_filter, policy, wanted), (0 if several else None, 0, 0, 0, 0))
    return one(policy_number(policy, context), *each)


_filter_compiled = jax.jit(_filter_all, static_argnums=1)


def _filter(policy: Policy, wanted: Wanted, c: Any, states: Any, actions: Any, observed: Any, length: Any) -> Any:
    """The scores of one trajectory, or its modes. Only what depends on the step before is in a loop."""
    modes, memory = jax.tree.map(lambda leaf: leaf[c], (policy.modes, policy.memory))
    states, actions = jnp.maximum(states, 0), jnp.maximum(actions, 0)
    now, following, times = states[:-1], states[1:], jnp.arange(actions.size)
    by_mode = policy.log_probs[c] if modes is not None else policy.log_probs[c][None]
    rows = by_mode[:, now] if horizon_of(policy) is None else by_mode[:, times, now]
    if memory is not None:
        steps = Step(now, actions, following, observed)
        before = lax.scan(partial(_pass, memory), memory.start(policy.log_probs), (steps, memory.signals(steps)))[1]
        rows = jax.vmap(jax.vmap(memory.adjust), (None, 0))(before, rows)
    scores = jnp.where(observed, jnp.take_along_axis(rows, actions[None, :, None], axis=2)[..., 0], 0.0)
    scores = jnp.where(_outside(policy, now, actions), jnp.nan, scores)
    if modes is None:
        return scores[0]

    def told(weights, score, counted):
        joint = weights + score
        total = logsumexp(joint)
        possible = total > -jnp.inf
        weights = jnp.where(counted & possible, joint - jnp.where(possible, total, 0.0), weights)
        return weights, jnp.where(counted, total, 0.0) if wanted == "scores" else weights

    if modes.by_state:
        here = now[jnp.clip(times, 0, jnp.maximum(length - 1, 0))]  # behind the end it stays

        def revisit(weights, at):
            state, score, counted = at
            one, found = told(weights[state], score, counted)
            return weights.at[state].set(one), found

        begin = jnp.broadcast_to(modes.initial, (by_mode.shape[-2], modes.initial.size))
        return lax.scan(revisit, begin, (here, scores.T, observed))[1]

    def step(weights, at):
        score, following, moves, counted = at
        weights, found = told(weights, score, counted)
        return jnp.where(moves, modes.move(weights, following), weights), found  # behind the end it stays

    return lax.scan(step, modes.begin(states[0]), (scores.T, following, times + 1 < length, observed))[1]


def _pass(memory: Any, past: Any, now: tuple[Step, Any]) -> tuple[Any, Any]:
    """What is carried on after a step, and what the choice at that step was bent by."""
    step, brought = now
    return memory.update(past, step, brought), memory.read(past, step.state)
