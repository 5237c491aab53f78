"""Quantities of every step: the probability of the choice, and what the agent expected and learned."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from goalinf.agents.memory.value_tables import entry_of
from goalinf.agents.policy import PlannedValues, Policy, Step
from goalinf.behavior.scores import (
    accumulated,
    action_rows,
    believed_modes,
    policy_number,
    score_steps,
    state_cells,
    step_records,
)
from goalinf.data.recorded import Recorded
from goalinf.precision import cast

Quantities = dict[str, Array | np.ndarray]  # arrays (N, T); "values" (N, T, A), "options" (N, T, K), "modes" (N, T, M)


def step_values(
    policies: Sequence[Policy], log_weights: Float[Array, " K"], group: Int[Array, " N"], data: Recorded
) -> Quantities:
    r"""Compute quantities of every step under the policies of a mixture; see :meth:`goalinf.Behavior.step_values`.

    Parameters
    ----------
    policies : sequence of Policy
        Policies of every option, with an axis of contexts.
    log_weights : float (K,)
        Logarithms of the prior probabilities of the options.
    group : int (N,)
        Number of the unit, which has one option, of every trajectory.
    data : Trajectories
        Observed behavior.
    """
    options = [_of_option(policy, data) for policy in policies]
    before, after = _posterior_of_options(policies, log_weights, group, data)
    rows = jnp.stack([log_probs for log_probs, _ in options])
    log_probs = rows[0] if len(options) == 1 else logsumexp(before[..., None] + rows, axis=0)
    chosen = jnp.take_along_axis(log_probs, jnp.maximum(data.actions, 0)[..., None], axis=-1)[..., 0]
    possible = log_probs > -jnp.inf
    each = jnp.exp(log_probs) * jnp.where(possible, log_probs, 0.0)
    result: Quantities = {
        "choice_probability": jnp.exp(chosen),
        "surprise": -chosen,
        "entropy": -each.sum(axis=-1),
    }
    weights = jnp.exp(before)
    for name in options[0][1]:
        if all(name in quantities for _, quantities in options):
            stacked = jnp.stack([quantities[name] for _, quantities in options])
            shares = weights.reshape(*weights.shape, *(1,) * (stacked.ndim - weights.ndim))
            result[name] = (shares * stacked).sum(axis=0)
    if len(policies) > 1:
        result["options"] = jnp.moveaxis(jnp.exp(after), 0, -1)
    elif policies[0].modes is not None:
        result["modes"] = jnp.exp(believed_modes(policies[0], data))
    return result


def _posterior_of_options(
    policies: Sequence[Policy], log_weights: Float[Array, " K"], group: Int[Array, " N"], data: Recorded
) -> tuple[Float[Array, "K N T"], Float[Array, "K N T"]]:
    """Return log posterior probabilities of the options before every step and after it, given the steps of the unit."""
    if len(policies) == 1:
        certain = jnp.zeros((1, *data.actions.shape))
        return certain, certain
    scores = jnp.stack([jnp.asarray(score_steps(policy, data)) for policy in policies])
    flat = scores.reshape(len(scores), -1)
    summed = accumulated(flat, jnp.repeat(group, flat.shape[1] // group.size))
    joint = [log_weights[:, None] + each for each in summed]
    before, after = (each - logsumexp(each, axis=0) for each in joint)
    return before.reshape(scores.shape), after.reshape(scores.shape)


def _of_option(policy: Policy, data: Recorded) -> tuple[Float[Array, "N T A"], Quantities]:
    """Return log-probabilities of all actions, given the past, and the values of a policy."""
    policy, outcomes = cast((policy, data.outcomes))
    states, actions, observed, context = map(jnp.asarray, (data.states, data.actions, data.observed, data.context))
    steps = step_records(policy, states, actions, observed, None if outcomes is None else jnp.asarray(outcomes))
    number = jnp.broadcast_to(policy_number(policy, context), context.shape)
    rows = action_rows(policy, number, steps)
    log_modes = None
    if policy.modes is not None:
        log_modes = jnp.moveaxis(believed_modes(policy, data, before=True), -1, 0).swapaxes(1, 2)  # (M, T, N)
        rows = logsumexp(log_modes[:, :, None] + rows, axis=0)
    available = rows > -jnp.inf
    quantities = _learned(policy, number, steps, available)
    if not quantities and policy.planned is not None:
        quantities = _planned(policy, policy.planned, number, steps, log_modes)
    by_trajectory: Quantities = {name: jnp.moveaxis(each, -1, 0) for name, each in quantities.items()}
    return jnp.moveaxis(rows, -1, 0), by_trajectory


def _learned(policy: Policy, number: Int[Array, " N"], steps: Step, available: Array) -> Quantities:
    """Return values and prediction errors ``(T, …, N)`` of a learner; nothing for other agents."""
    if policy.memory is None:
        return {}
    memory = policy.memory.of_trajectories(number)
    n_states, n_actions = policy.log_probs.shape[-2:]
    learned = memory.learned(memory.start(n_states, n_actions, len(number), policy.log_probs.dtype), steps)
    if learned is None:
        return {}
    parts = {f"value_{name}": each for name, each in learned.parts.items()}
    return {
        "value": entry_of(learned.values, steps.action),
        "values": jnp.where(available, learned.values, jnp.nan),
        **parts,
        "prediction_error": learned.error,
    }


def _planned(
    policy: Policy, planned: PlannedValues, number: Int[Array, " N"], steps: Step, log_modes: Array | None
) -> Quantities:
    """Return V, Q and the advantage ``(T, N)`` of a planner; of hidden modes, their expectation given the past."""
    cells = state_cells(policy, number, steps)
    state = jnp.asarray(planned.state)[cells]  # (T, N), or (T, N, M)
    action = jnp.asarray(planned.action).swapaxes(-1, -2)[(*cells, steps.action)]
    if log_modes is not None:
        weights = jnp.moveaxis(jnp.exp(log_modes), 0, -1)
        state, action = ((weights * each).sum(axis=-1) for each in (state, action))
    return {"state_value": state, "action_value": action, "advantage": action - state}
