"""States and actions of simulated trajectories, step by step, in compiled code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PyTree

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.agents.policy import HiddenModes, Policy, Step
from goalinf.behavior.conditions import stacked_mdp
from goalinf.behavior.scores import horizon_of, outcomes_at, policy_number
from goalinf.data import Trajectories
from goalinf.precision import cast
from goalinf.types import Real
from goalinf.worlds import MDP, World


class Gaps(NamedTuple):
    """Steps ``(N, T)`` at which nothing is chosen.

    Parameters
    ----------
    missing : bool (N, T)
        Steps with a missing action.
    missed : bool (N, T)
        Steps among them without any action, at which the state stays.
    forced : int (N, T), optional
        Number of the forced action, -1 where none is forced.
    """

    missing: Array
    missed: Array
    forced: Array | None = None

    @classmethod
    def of(cls, mdp: MDP, like: Trajectories, condition: Array | np.ndarray, one_world: bool) -> Gaps:
        """Find the gaps of a data set: no action was made where the state stays and no action can keep it."""
        states, steps = jnp.asarray(like.states), jnp.arange(like.actions.shape[1])
        missing = ~jnp.asarray(like.observed) & (steps < jnp.asarray(like.lengths)[:, None])
        own_state = jnp.arange(mdp.successors.shape[-3])[:, None, None]
        loops = (mdp.successors == own_state) & (jnp.asarray(mdp.probabilities) > 0) & mdp.available[..., None]
        returns = loops.any(axis=(-2, -1))
        now = jnp.maximum(states[:, :-1], 0)
        returns = returns[now] if one_world else returns[condition[:, None], now]
        forced = None if like.forced is None else jnp.where(jnp.asarray(like.forced), jnp.asarray(like.actions), -1)
        return cls(missing, missing & (states[:, 1:] == states[:, :-1]) & ~returns, forced)


def roll_out(
    key: Array,
    mdp: MDP,
    policy: Policy,
    slip: Real | None,
    starts: Array,
    context: Array,
    steps: int,
    one_world: bool,
    gaps: Gaps | None = None,
    outcomes: Array | None = None,
    given: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Simulate states ``(N, T+1)``, actions ``(N, T)`` and a flag ``(N, T)`` that is True where a step was taken.

    Hidden modes and memories are updated by the kernels that also score them. ``slip`` is the probability of an
    execution error: the world moves by a random available action instead of the recorded one; None for no errors. A
    missing action does not change a memory, in simulation as in scoring, and a forced action replaces the choice.
    ``outcomes`` (N, T, A) or (N, T, S, A) are those from which agents learn, and ``given`` (N, T+1) are states that
    follow whatever is chosen.
    """
    policy = cast(policy)
    successors, probabilities = jnp.asarray(mdp.successors), jnp.asarray(mdp.probabilities)
    numbers = policy_number(policy, context)
    # Every trajectory has its own mode and memory, with the parameters of its context.
    modes = jax.tree.map(lambda leaf: leaf[numbers], policy.modes)
    numbers = jnp.broadcast_to(numbers, starts.shape)
    memory = None if policy.memory is None else policy.memory.of_trajectories(numbers)
    axis = 0 if policy.ended.shape[-2] > 1 else None
    by_trajectory = partial(_by_trajectory, axis)
    timed, rows = horizon_of(policy) is not None, jnp.arange(len(starts))

    def step(carry, now):
        state, mode, past = carry
        key, t, gap, outcome, next_given = now
        choose, move = jax.random.split(key)
        in_mode = () if modes is None else (mode[rows, state] if modes.by_state else mode,)
        log_probs = policy.log_probs[(numbers, *in_mode, *((t,) if timed else ()), state)]
        if memory is not None:
            log_probs = memory.adjust(memory.read(past, state), log_probs.T).T
        action = _made(jax.random.categorical(choose, log_probs), gap)
        index = (state,) if one_world else (context, state)
        executed = action if slip is None else _slipped(move, action, jnp.asarray(mdp.available)[index], slip)
        slot = jax.random.categorical(move, jnp.log(probabilities[(*index, executed)]))
        alive = ~policy.ended[numbers, state]
        moves = alive if gap is None else alive & ~gap.missed
        following = jnp.where(moves, successors[(*index, executed, slot)], state)
        if next_given is not None:
            following = jnp.where(moves & (next_given >= 0), next_given, following)
        if modes is not None and not modes.stays:
            log_mode = jnp.where(jnp.arange(policy.log_probs.shape[1]) == mode[:, None], 0.0, -jnp.inf)
            mode = _drawn(jax.random.fold_in(move, 1), by_trajectory(modes, "move", log_mode, following), mode.dtype)
        if memory is not None:
            observed = alive if gap is None else alive & ~gap.missing
            at_state = outcomes_at(outcome, state, *policy.log_probs.shape[-2:])
            step_record = Step(state, action, following, observed, at_state)
            past = memory.update(past, step_record, memory.signals(step_record))
        return (following, mode, past), (state, action, alive)

    mode = None if modes is None else _first_modes(jax.random.fold_in(key, steps), policy, modes, starts, by_trajectory)
    shape = (*policy.log_probs.shape[-2:], len(starts), policy.log_probs.dtype)
    past = None if memory is None else memory.start(*shape)
    keys = jax.random.split(key, steps)
    gaps_by_step = None if gaps is None else jax.tree.map(jnp.transpose, gaps)
    outcomes_by_step = None if outcomes is None else jnp.swapaxes(outcomes, 0, 1)
    by_step = keys, jnp.arange(steps), gaps_by_step, outcomes_by_step, None if given is None else given.T[1:]
    (final, *_), (states, actions, alive) = lax.scan(step, (starts, mode, past), by_step)
    return jnp.concatenate([states, final[None]]).T, actions.T, alive.T


def _made(chosen: Array, gap: Gaps | None) -> Array:
    """Return the actions of a step: the chosen ones, or those that were forced."""
    if gap is None or gap.forced is None:
        return chosen
    return jnp.where(gap.forced >= 0, gap.forced, chosen).astype(chosen.dtype)


def _by_trajectory(axis: int | None, part: HiddenModes, method: str, *arguments: PyTree) -> Any:
    """Apply a method of the modes to every trajectory; the modes of all trajectories are on the axis."""
    axes = (axis, *(0,) * len(arguments))
    return jax.vmap(lambda part, *args: getattr(part, method)(*args), axes)(part, *arguments)


def _drawn(key: Array, log_probs: Array, dtype: np.dtype) -> Array:
    return jax.random.categorical(key, log_probs).astype(dtype)


def _first_modes(
    key: Array, policy: Policy, modes: HiddenModes, starts: Array, by_trajectory: Callable[..., Any]
) -> Array:
    """Draw the mode at the first step, ``(N,)``; ``(N, S)`` where each state has its own mode."""
    if not modes.by_state:
        return _drawn(key, by_trajectory(modes, "begin", starts), starts.dtype)
    shape = len(starts), policy.log_probs.shape[-2], policy.log_probs.shape[1]
    return _drawn(key, jnp.broadcast_to(modes.initial[..., None, :], shape), starts.dtype)


def _slipped(key: Array, action: Array, available: Array, slip: Real) -> Array:
    """Return the executed actions: with the probability of a slip, a random one of those that are offered."""
    slip_key, action_key = jax.random.split(jax.random.fold_in(key, 2))
    slips = jax.random.bernoulli(slip_key, slip, action.shape)
    return jnp.where(slips, jax.random.categorical(action_key, jnp.where(available, 0.0, -jnp.inf)), action)


def roll_out_one_of(
    key: Array,
    mdp: MDP,
    policies: Sequence[Policy],
    slips: Sequence[Real | None],
    option: Array,
    starts: Array,
    context: Array,
    steps: int,
    one_world: bool,
    gaps: Gaps | None,
    outcomes: Array | None = None,
    given: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Simulate by :func:`roll_out`, each trajectory under the policy and the execution errors of its own option."""
    simulated = [
        roll_out(key, mdp, policy, slip, starts, context, steps, one_world, gaps, outcomes, given)
        for policy, slip in zip(policies, slips, strict=True)
    ]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves)[option, jnp.arange(len(option))], *simulated)


compiled_roll_out = jax.jit(roll_out_one_of, static_argnums=(7, 8))


def roll_out_like(
    key: Array, agent: SingleAgent, policy: Policy, worlds: Sequence[World], data: Trajectories
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate as :func:`roll_out` from the starts of a data set, with its missing and forced actions; on the host.

    The policy has an axis of contexts; there is one world per context, or one for all.
    """
    mdp, single = stacked_mdp(worlds), len(worlds) == 1
    starts, context = np.asarray(data.states)[:, 0], np.asarray(data.context)
    gaps = Gaps.of(mdp, data, context, single)
    option, slips = np.zeros(len(starts), np.int32), hidden_slips(agent)
    outcomes = None if data.outcomes is None else cast(data.outcomes)
    settings = data.max_steps, single, gaps, outcomes, recorded_states(mdp, data)
    arguments = cast(mdp), (policy,), slips, option, starts, context, *settings
    return jax.device_get(compiled_roll_out(key, *arguments))


def recorded_states(mdp: MDP, like: Trajectories) -> Array | None:
    """Return the recorded states where outcomes hold in these only, and no choice changes them: cues and offers.

    Raises
    ------
    ValueError
        Where a choice changes the state, so that another one can be reached than that in which outcomes were recorded.
    """
    if like.outcomes is None or like.outcomes.ndim > 3 or mdp.terminal.shape[-1] == 1:
        return None
    available = np.asarray(mdp.available)[..., None]
    first = np.asarray(mdp.available).argmax(axis=-1)[..., None, None]
    for table in (np.asarray(mdp.successors), np.asarray(mdp.probabilities)):
        if ((table != np.take_along_axis(table, first, axis=-2)) & available).any():
            raise ValueError(
                "the outcomes were recorded in the states of the data, and other choices lead to other states: give "
                "outcomes= by state, an array (N, T, S, A)"
            )
    return jnp.asarray(like.states)


def hidden_slips(agent: Agent) -> tuple[Real | None, ...]:
    """Return the probability of an unrecorded execution error of every option; None for no errors."""
    return tuple(option.hidden_slip for option in agent.components)


def drawn_options(key: Array, agent: Agent, count: int) -> Array:
    """Draw the option of a mixture for each of ``count`` units."""
    return jax.random.categorical(jax.random.fold_in(key, 1), agent.log_weights, shape=(count,))
