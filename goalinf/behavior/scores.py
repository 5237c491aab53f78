"""Scores: exact log-probability of actions under policies, also of agents with hidden modes or a memory.

Every choice is scored under every policy, also after a goal of its reward: rewards are compared on the same actions.
Forced actions change memories and are not scored. Data with actions after a terminal state of the world are refused by
``data.fitting.check_fits``.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Int

from goalinf.agents.policy import Policy, Step
from goalinf.data.recorded import Recorded
from goalinf.precision import cast, namespace
from goalinf.types import Numeric

_Content = TypeVar("_Content")
_Seen = TypeVar("_Seen")
_Signal = TypeVar("_Signal")


def score(policy: Policy, data: Recorded) -> Any:
    """Return the log-probability of all choices under policies with a leading context axis."""
    if not _counts(policy):
        return score_steps(policy, data).sum()
    return _score_cells(policy, data).sum()


def score_subjects(policy: Policy, data: Recorded) -> Float[Array, " N"]:
    """Return the log-probability of the choices of every subject with trajectories, in order of their numbers.

    There are no more subjects than trajectories; entries after the last subject are zero.
    """
    if not _counts(policy):
        return data.summed(jnp.asarray(score_steps(policy, data).sum(-1)), "subject")
    # Numbers may have gaps and exceed the number of trajectories, for instance after a selection.
    subject = jnp.asarray(data.subject)
    numbers = jnp.unique(subject, size=subject.size, fill_value=jnp.iinfo(jnp.int32).max)
    rank = jnp.searchsorted(numbers, jnp.asarray(data.cells.subject))
    return jax.ops.segment_sum(jnp.asarray(_score_cells(policy, data)), rank, data.n_trajectories)


@jax.jit
def chained(
    log_weights: Float[Array, " K"], scores: Float[Array, "K N"], group: Int[Array, " N"]
) -> Float[Array, " N"]:
    r"""Return the log-probability of every item given the earlier items of its group; each group is one of K options.

    .. math:: \log \sum_k w_k\,p_k(x_1, \dots, x_i) - \log \sum_k w_k\,p_k(x_1, \dots, x_{i-1})

    Parameters
    ----------
    log_weights : float (K,)
        :math:`\log w_k`.
    scores : float (K, N)
        :math:`\log p_k` of every item.
    group : int (N,)
        Group of every item.
    """
    scores_before, scores_until = accumulated(scores, group)
    log_given, log_joint = (logsumexp(log_weights[:, None] + x, axis=0) for x in (scores_before, scores_until))
    possible = log_given > -jnp.inf  # after an impossible item no conditional probability is defined
    return jnp.where(possible, log_joint - jnp.where(possible, log_given, 0.0), 0.0)


def accumulated(
    scores: Float[Array, "K N"], group: Int[Array, " N"]
) -> tuple[Float[Array, "K N"], Float[Array, "K N"]]:
    """Add the scores of the items of each group, in their order: of all items before each one, and up to it."""
    order = jnp.argsort(group, stable=True)
    ranked, scores = group[order], scores[:, order]
    group_starts = jnp.append(True, ranked[1:] != ranked[:-1])

    def add(left, right):
        (total, starts), (added, begins) = left, right
        return jnp.where(begins, added, total + added), starts | begins

    scores_until, _ = lax.associative_scan(add, (scores, jnp.broadcast_to(group_starts, scores.shape)), axis=1)
    scores_before = jnp.where(group_starts, 0.0, jnp.roll(scores_until, 1, axis=1))
    return jnp.zeros_like(scores).at[:, order].set(scores_before), jnp.zeros_like(scores).at[:, order].set(scores_until)


def _counts(policy: Policy) -> bool:
    """Return True where the score depends on the counts of state-action pairs only."""
    return policy.simple and horizon_of(policy) is None


def _score_cells(policy: Policy, data: Recorded) -> Any:
    """Return the log-probability of each unique state-action pair, times its count."""
    cells = data.cells
    context = policy_number(policy, cells.context)
    xp = namespace(policy.log_probs, cells.weight)
    some = xp.asarray(cells.weight) > 0
    log_probs = xp.asarray(policy.log_probs)[context, cells.state, cells.action]
    scores = cells.weight * xp.where(some, log_probs, 0.0)
    if xp is np:
        return scores
    outside = _outside(policy, cells.state, cells.action) | unplanned(policy, cells.context)
    return jnp.where(some & outside, jnp.nan, scores)


def _outside(policy: Policy, state: Numeric, action: Numeric) -> Array:
    """Return True where a state or action number is out of range: compiled code would use the last one instead."""
    n_states, n_actions = policy.log_probs.shape[-2:]
    return (jnp.asarray(state) >= n_states) | (jnp.asarray(action) >= n_actions)


def unplanned(policy: Policy, context: Numeric) -> Array:
    """Return True where a context has no policy: compiled code would use the policy of another context instead."""
    count = policy.ended.shape[-2]
    return (jnp.asarray(context) < 0) | (jnp.asarray(context) >= count if count > 1 else False)


def score_steps(policy: Policy, data: Recorded) -> Float[Array | np.ndarray, "*G N T"]:
    """Return the log-probability of every choice given the earlier actions; zero elsewhere.

    The policies have an axis of contexts, and may have further axes in front of it.
    """
    steps = data.actions.shape[1]
    horizon = horizon_of(policy)
    if horizon is not None and steps > horizon:
        raise ValueError(
            f"the data have up to {steps} steps, the agent's horizon is {horizon}: give it a longer horizon"
        )
    n_states, n_actions = policy.log_probs.shape[-2:]
    host_data = namespace(data.states, data.actions) is np
    if host_data and data.actions.size and (data.actions.max() >= n_actions or data.states.max() >= n_states):
        raise ValueError(
            f"the data hold states up to number {data.states.max()} and actions up to number {data.actions.max()}; the "
            f"policy has {n_states} states and {n_actions} actions"
        )
    if not policy.simple:
        return _filtered(policy, data, "scores")
    choices = data.choices
    xp = namespace(policy.log_probs, data.states, data.actions, choices, data.context)
    log_probs, states = xp.asarray(policy.log_probs), xp.maximum(data.states[:, :steps], 0)
    context = policy_number(policy, data.context[:, None])
    rows = context if horizon is None else context * horizon + np.arange(steps)
    scores = _entries(log_probs, 3 if horizon is None else 4, (rows * n_states + states) * n_actions + data.actions)
    if xp is jnp:
        outside = _outside(policy, states, data.actions) | unplanned(policy, data.context)[:, None]
        return jnp.where(outside, jnp.nan, jnp.where(choices, scores, 0.0))
    np.copyto(scores, 0.0, where=~choices)
    return scores


def acts_on(policy: Policy, data: Recorded) -> Bool[np.ndarray, "*G N T"]:
    """Return True where a choice is made in or after a state that ends the episode; on the host.

    The policies have an axis of contexts, and may have further axes in front of it.
    """
    states = np.maximum(data.states[:, :-1], 0)
    context = policy_number(policy, data.context[:, None])
    over = _entries(np.asarray(policy.ended), 2, context * policy.ended.shape[-1] + states)
    return np.logical_or.accumulate(over, axis=-1) & data.choices


def _entries(array: Numeric, axes: int, numbers: Numeric) -> Any:
    """Return entries by flat number over the last ``axes`` axes; several indices would take NumPy twice the time."""
    flat = array.reshape(*array.shape[:-axes], -1)
    return flat.take(numbers, axis=-1, mode="clip")


def policy_number(policy: Policy, context: Numeric) -> Any:
    """Return the number of the policy of a context; zero where there is only one policy."""
    return context if policy.ended.shape[-2] > 1 else 0


def horizon_of(policy: Policy) -> int | None:
    """Return the number of decision steps of a policy with contexts; None where the policy is stationary."""
    axes = policy.log_probs.ndim - policy.ended.ndim - (policy.modes is not None)
    return policy.log_probs.shape[-3] if axes == 2 else None


# -- hidden modes and memories -------------------------------------------------------------------

Output = Literal["scores", "modes", "expected modes"]


def believed_modes(policy: Policy, data: Recorded, *, before: bool = False) -> Float[Array, "N T M"]:
    """Return the log posterior probability of every mode at each step, given the actions up to and including it.

    With ``before``, given the earlier actions only.
    """
    return _filtered(policy, data, "expected modes" if before else "modes")


def _filtered(policy: Policy, data: Recorded, output: Output) -> Any:
    """Return :func:`score_steps`, or the posterior of the modes, by a forward filter over modes and memory."""
    arrays = data.states, data.actions, data.observed, data.choices, data.lengths, data.context, data.outcomes
    policy, *steps = cast((policy, *arrays))
    traced = isinstance(policy.log_probs, jax.core.Tracer) or isinstance(steps[0], jax.core.Tracer)
    return (_filter_all if traced else _filter_compiled)(policy, output, *steps)


def _filter_all(policy: Policy, output: Output, *steps: Any) -> Any:
    if policy.ended.ndim > 2:
        return jax.vmap(lambda single_policy: _filter_all(single_policy, output, *steps))(policy)
    states, actions, observed, choices, lengths, context, outcomes = steps
    by_condition = policy.ended.shape[0] > 1
    number = policy_number(policy, context)
    now = step_records(policy, states, actions, observed, outcomes)
    scores = jnp.where(choices.T, _chosen(policy, jnp.broadcast_to(number, context.shape), now), 0.0)
    scores = jnp.where(_outside(policy, now.state, now.action), jnp.nan, scores)
    if policy.modes is None:
        result = scores.T
    else:
        filter_each = jax.vmap(partial(_filter, policy, output), (0 if by_condition else None, -1, 0, 0, 0))
        result = filter_each(number, scores, jnp.maximum(states, 0), choices, lengths)
    wrong = unplanned(policy, context).reshape(-1, *(1,) * (result.ndim - 1))
    return jnp.where(wrong, jnp.nan, result)


_filter_compiled = jax.jit(_filter_all, static_argnums=1)


def outcomes_at(
    outcomes: Array | None, states: Int[Array, N * T], n_states: int, n_actions: int
) -> Float[Array, "*T A N"] | None:
    """Return the outcomes ``(…, A, N)`` of all actions in the states of N trajectories (at T steps)."""
    if outcomes is None:
        return None
    if outcomes.ndim > states.ndim + 1:
        if outcomes.shape[-2] != n_states:
            raise ValueError(
                f"outcomes hold {outcomes.shape[-2]} states and the world has {n_states}: give all of them"
            )
        outcomes = jnp.take_along_axis(outcomes, states[..., None, None], axis=-2)[..., 0, :]
    missing = n_actions - outcomes.shape[-1]
    if missing < 0:
        raise ValueError(
            f"outcomes hold {outcomes.shape[-1]} actions and the world has {n_actions}: give one for every action"
        )
    outcomes = jnp.pad(outcomes, [(0, 0)] * states.ndim + [(0, missing)], constant_values=jnp.nan)
    return jnp.moveaxis(outcomes, 0, -1)


def step_records(
    policy: Policy,
    states: Int[Array, "N visits"],
    actions: Int[Array, "N T"],
    observed: Bool[Array, "N T"],
    outcomes: Array | None,
) -> Step:
    """Return the steps of all trajectories as memories expect them, with a leading axis of steps."""
    state, action, following = (jnp.maximum(x, 0).T for x in (states[:, :-1], actions, states[:, 1:]))
    return Step(state, action, following, observed.T, outcomes_at(outcomes, state.T, *policy.log_probs.shape[-2:]))


def state_cells(policy: Policy, number: Int[Array, " N"], steps: Step) -> tuple[Any, ...]:
    """Return the index of the states of all steps in arrays of a policy, which yields axes ``(T, N, …)``."""
    times = () if horizon_of(policy) is None else (jnp.arange(len(steps.state))[:, None],)
    every_mode = () if policy.modes is None else (slice(None),)
    return (number, *every_mode, *times, steps.state)


def _chosen(policy: Policy, number: Int[Array, " N"], steps: Step) -> Float[Array, "*M T N"]:
    """Return the log-probability of the action of every step, in every mode; only the memory is in a loop."""
    if policy.memory is None:  # with modes: else nothing is filtered
        return jnp.moveaxis(policy.log_probs[(*state_cells(policy, number, steps), steps.action)], 2, 0)
    rows = action_rows(policy, number, steps)
    is_chosen = jnp.arange(rows.shape[-2])[:, None] == steps.action[:, None]
    return jnp.where(is_chosen, rows, 0.0).sum(axis=-2)


def action_rows(policy: Policy, number: Int[Array, " N"], steps: Step) -> Float[Array, "*M T A N"]:
    """Return the log-probabilities of all actions at every step, in every mode, given the earlier steps."""
    rows = jnp.moveaxis(policy.log_probs[state_cells(policy, number, steps)], 1, -1)  # (T, A, N), or (T, M, A, N)
    rows = rows if policy.modes is None else jnp.moveaxis(rows, 1, 0)
    if policy.memory is None:
        return rows
    memory = policy.memory.of_trajectories(number)
    n_states, n_actions = policy.log_probs.shape[-2:]
    start = memory.start(n_states, n_actions, len(number), policy.log_probs.dtype)
    return memory.adjust(memory.seen(start, steps), rows)


def _filter(
    policy: Policy, output: Output, c: Array | int, scores: Array, states: Array, choices: Array, length: Array
) -> Array:
    """Return the scores of one trajectory, given those in every mode (M, T); or the posterior of the modes."""
    modes = jax.tree.map(lambda leaf: leaf[c], policy.modes)
    current, following, times = states[:-1], states[1:], jnp.arange(choices.size)

    def condition(weights, score, counted):
        expected, joint = weights, weights + score
        total = logsumexp(joint)
        possible = total > -jnp.inf
        weights = jnp.where(counted & possible, joint - jnp.where(possible, total, 0.0), weights)
        outputs = {"scores": jnp.where(counted, total, 0.0), "modes": weights, "expected modes": expected}
        return weights, outputs[output]

    if modes.by_state:
        states_until_end = current[jnp.clip(times, 0, jnp.maximum(length - 1, 0))]  # constant after the end

        def revisit(weights, at):
            state, score, counted = at
            posterior, result = condition(weights[state], score, counted)
            return weights.at[state].set(posterior), result

        initial_weights = jnp.broadcast_to(modes.initial, (policy.log_probs.shape[-2], modes.initial.size))
        return lax.scan(revisit, initial_weights, (states_until_end, scores.T, choices))[1]

    def step(weights, at):
        score, following, moves, counted = at
        weights, result = condition(weights, score, counted)
        return jnp.where(moves, modes.move(weights, following), weights), result  # constant after the end

    return lax.scan(step, modes.begin(states[0]), (scores.T, following, times + 1 < length, choices))[1]
