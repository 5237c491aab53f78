"""Simulation of agents."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PyTree

from goalinf.agents.agent import Agent, SingleAgent, check_agent
from goalinf.agents.memory.habits import Step
from goalinf.agents.plannable import check_known, check_plannable, check_solved
from goalinf.agents.policy import HiddenModes, Memory, Policy
from goalinf.behavior.conditions import Conditions, Rewards, Worlds, stacked_mdp
from goalinf.behavior.scores import horizon_of, policy_number
from goalinf.checks import PRNGKey, check_count, takes_key
from goalinf.data import Labels, Trajectories
from goalinf.data.labels import provenance
from goalinf.precision import Precision, cast, computing_in
from goalinf.sizes import check_memory
from goalinf.types import Real, StateName
from goalinf.worlds import MDP, World

_STEP_BYTES = 60.0  # of a simulated step: state, action and a flag, on the host and on the device, and random keys


class Gaps(NamedTuple):
    """Steps ``(N, T)`` with a missing action, and the steps among them without any action, at which the state stays."""

    missing: Array
    missed: Array

    @classmethod
    def of(cls, mdp: MDP, like: Trajectories, condition: Array | np.ndarray, one_world: bool) -> Gaps:
        """Find the gaps of a data set: no action was made where the state stays and no action can keep it."""
        states, steps = jnp.asarray(like.states), jnp.arange(like.actions.shape[1])
        missing = ~jnp.asarray(like.observed) & (steps < jnp.asarray(like.lengths)[:, None])
        here = jnp.arange(mdp.successors.shape[-3])[:, None, None]
        loops = (mdp.successors == here) & (jnp.asarray(mdp.probabilities) > 0) & mdp.available[..., None]
        returns = loops.any(axis=(-2, -1))
        now = jnp.maximum(states[:, :-1], 0)
        returns = returns[now] if one_world else returns[condition[:, None], now]
        return cls(missing, missing & (states[:, 1:] == states[:, :-1]) & ~returns)


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
) -> tuple[Array, Array, Array]:
    """Simulate states ``(N, T+1)``, actions ``(N, T)`` and a flag ``(N, T)`` that is True where a step was taken.

    Hidden modes and memories are updated by the kernels that also score them. ``slip`` is the probability of an
    execution error: the world moves by a random available action instead of the recorded one; None for no errors. A
    missing action does not change a memory, in simulation as in scoring.
    """
    policy = cast(policy)
    successors, probabilities = jnp.asarray(mdp.successors), jnp.asarray(mdp.probabilities)
    numbers = policy_number(policy, context)
    # Every trajectory has its own mode and memory, with the parameters of its context.
    modes, memory = jax.tree.map(lambda leaf: leaf[numbers], (policy.modes, policy.memory))
    each = 0 if policy.ended.shape[-2] > 1 else None
    timed, rows = horizon_of(policy) is not None, jnp.arange(len(starts))

    def per_trajectory(method: str, part: HiddenModes | Memory[Any, Any, Any], *arguments: PyTree) -> Any:
        return jax.vmap(lambda part, *args: getattr(part, method)(*args), (each, *(0,) * len(arguments)))(
            part, *arguments
        )

    def drawn(key: Array, log_probs: Array) -> Array:
        return jax.random.categorical(key, log_probs).astype(starts.dtype)

    def slipped(key: Array, action: Array, state: Array, slip: Real) -> Array:
        offered = jnp.asarray(mdp.available)[state if one_world else (context, state)]
        whether, what = jax.random.split(jax.random.fold_in(key, 2))
        slips = jax.random.bernoulli(whether, slip, action.shape)
        return jnp.where(slips, jax.random.categorical(what, jnp.where(offered, 0.0, -jnp.inf)), action)

    def step(carry, now):
        state, mode, past = carry
        key, t, gap = now
        choose, move = jax.random.split(key)
        in_mode = () if modes is None else (mode[rows, state] if modes.by_state else mode,)
        place = (*in_mode, *((t,) if timed else ()), state)
        log_probs = policy.log_probs[(numbers, *place)]
        if memory is not None:
            log_probs = per_trajectory("adjust", memory, per_trajectory("read", memory, past, state), log_probs)
        action = jax.random.categorical(choose, log_probs)
        done = action if slip is None else slipped(move, action, state, slip)
        place = (state, done) if one_world else (context, state, done)
        slot = jax.random.categorical(move, jnp.log(probabilities[place]))
        alive = ~policy.ended[numbers, state]
        moves = alive if gap is None else alive & ~gap.missed
        following = jnp.where(moves, successors[(*place, slot)], state)
        if modes is not None and not modes.stays:
            here = jnp.where(jnp.arange(policy.log_probs.shape[1]) == mode[:, None], 0.0, -jnp.inf)
            mode = drawn(jax.random.fold_in(move, 1), per_trajectory("move", modes, here, following))
        if memory is not None:
            taken = Step(state, action, following, alive if gap is None else alive & ~gap.missing)
            past = per_trajectory("update", memory, past, taken, per_trajectory("signals", memory, taken))
        return (following, mode, past), (state, action, alive)

    mode = past = None
    if modes is not None and modes.by_state:
        each_state = len(starts), policy.log_probs.shape[-2], policy.log_probs.shape[1]
        chances = jnp.broadcast_to(modes.initial[..., None, :], each_state)
        mode = drawn(jax.random.fold_in(key, steps), chances)
    elif modes is not None:
        mode = drawn(jax.random.fold_in(key, steps), per_trajectory("begin", modes, starts))
    if memory is not None:
        past = jax.vmap(lambda part, _: part.start(policy.log_probs), (each, 0))(memory, starts)
    keys = jax.random.split(key, steps)
    by_step = None if gaps is None else jax.tree.map(jnp.transpose, gaps)
    (last, *_), (states, actions, alive) = lax.scan(step, (starts, mode, past), (keys, jnp.arange(steps), by_step))
    return jnp.concatenate([states, last[None]]).T, actions.T, alive.T


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
) -> tuple[Array, Array, Array]:
    """Simulate by :func:`roll_out`, each trajectory under the policy and the execution errors of its own option."""
    outcomes = [
        roll_out(key, mdp, policy, slip, starts, context, steps, one_world, gaps)
        for policy, slip in zip(policies, slips, strict=True)
    ]
    return jax.tree.map(lambda *each: jnp.stack(each)[option, jnp.arange(len(option))], *outcomes)


_roll_out = jax.jit(roll_out_one_of, static_argnums=(7, 8))


@takes_key
def simulate(
    key: PRNGKey,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    *,
    trajectories: int,
    steps: int,
    starts: StateName | list[StateName] | None = None,
    subject: Hashable | None = None,
    precision: Precision | None = None,
) -> Trajectories:
    """Sample trajectories of an agent.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world, reward : World and Reward, or mappings from context to them
        World in which the agent acts, and its reward.
    agent : Agent
        Agent. An option of a mixture is drawn once for all trajectories, or for each with ``by="trajectory"``.
    trajectories : int
        Number of trajectories, N; in each context where there are several.
    steps : int
        Largest number of decisions in a trajectory, T; a trajectory ends earlier at a state that ends the episode.
    starts : state or sequence of states, optional
        First state of all trajectories, or of each; default: drawn from the world's initial distribution.
    subject : hashable, optional
        Name of the subject; default: no name.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    Trajectories

    Raises
    ------
    ValueError
        Where a count is not positive or the trajectories exceed the memory of this machine, a start is unknown, agent
        or reward holds a prior, the horizon is too short, or an undiscounted problem cannot end.
    ConvergenceError, PrecisionError
        Where the planner fails.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=1.0), reward, trajectories=2, steps=3).n_steps
    6
    """
    for name, count in (("trajectories", trajectories), ("steps", steps)):
        check_count(name, count)
    check_agent("agent", agent)
    conditions = Conditions.of(world, reward)
    for option in agent.components:
        horizon = option.horizon
        if horizon is not None and steps > horizon:
            raise ValueError(f"steps is {steps}, above the agent's horizon of {horizon}: give it a longer horizon")
    each = f" in each of {len(conditions.contexts)} contexts" if len(conditions.contexts) > 1 else ""
    check_memory(
        f"{trajectories:,} trajectories of {steps:,} steps{each}",
        _STEP_BYTES * len(conditions.contexts) * float(trajectories) * float(steps) * len(agent.components),
        "simulate fewer, or shorter ones",
    )
    key_starts, key_walk = jax.random.split(key)
    context = np.repeat(np.arange(len(conditions.contexts), dtype=np.int32), trajectories)
    first = _starts(key_starts, conditions, context, starts)
    alike = np.zeros(len(context), np.int32)
    group = np.arange(len(context), dtype=np.int32) if agent.by == "trajectory" else alike
    states, actions, alive = _walk(key_walk, conditions, agent, first, context, group, int(steps), precision)
    labels = Labels(
        tuple(range(len(states))),
        subjects=(0 if subject is None else subject,),
        contexts=conditions.contexts,
        **provenance(conditions.worlds, conditions.rewards, len(conditions.contexts)),
    )
    return Trajectories.of(states, actions, lengths=alive.sum(1), context=context, labels=labels)


def roll_out_like(
    key: Array, agent: SingleAgent, policy: Policy, worlds: Sequence[World], data: Trajectories
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate as :func:`roll_out` from the starts of a data set, with its missing actions; on the host.

    The policy has an axis of contexts; there is one world per context, or one for all.
    """
    mdp, single = stacked_mdp(worlds), len(worlds) == 1
    starts, context = np.asarray(data.states)[:, 0], np.asarray(data.context)
    gaps = Gaps.of(mdp, data, context, single)
    option, slips = np.zeros(len(starts), np.int32), hidden_slips(agent)
    arguments = cast(mdp), (policy,), slips, option, starts, context, data.max_steps, single, gaps
    return jax.device_get(_roll_out(key, *arguments))


def planned(conditions: Conditions, agent: Agent, precision: Precision) -> tuple[Policy, ...]:
    """Plan the policies of all distinct conditions, for every option of a mixture, with every check.

    Raises
    ------
    ValueError
        Where agent or reward holds a prior, or an undiscounted problem cannot end.
    ConvergenceError, PrecisionError
        Where the planner fails.
    """
    check_known(agent, conditions.rewards)
    for one_world, one_reward in conditions.distinct.pairs():
        check_plannable(agent, one_world, one_reward)
    policies = agent.plan_each(conditions.distinct.plan)
    for actor, policy in zip(agent.components, policies, strict=True):
        check_solved(policy.residual, policy.values, precision, actor, conditions.distinct.worlds)
    return policies


def _walk(
    key: Array,
    conditions: Conditions,
    agent: Agent,
    first: np.ndarray,
    context: np.ndarray,
    group: np.ndarray,
    steps: int,
    precision: Precision | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check, plan and simulate; returns arrays on the host. Each group draws its option of a mixture."""
    single = len(conditions.distinct.worlds) == 1
    with computing_in(precision) as chosen:
        policies = planned(conditions, agent, chosen)
        which = drawn_options(key, agent, len(first))[group]
        mdp, condition = cast(conditions.distinct.mdp()), conditions.number[context]
        arguments = mdp, policies, hidden_slips(agent), which, first, condition, steps, single, None
        return jax.device_get(_roll_out(key, *arguments))


def hidden_slips(agent: Agent) -> tuple[Real | None, ...]:
    """Return the probability of an unrecorded execution error of every option; None for no errors."""
    return tuple(option.hidden_slip for option in agent.components)


def drawn_options(key: Array, agent: Agent, count: int) -> Array:
    """Draw the option of a mixture for each of ``count`` units."""
    return jax.random.categorical(jax.random.fold_in(key, 1), agent.log_weights, shape=(count,))


def _starts(
    key: Array, conditions: Conditions, context: np.ndarray, starts: StateName | list[StateName] | None
) -> np.ndarray:
    """Return the number of the first state of every trajectory."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    worlds = [world for world, _ in conditions.pairs()]
    if starts is None:
        return np.array([rng.choice(worlds[c].n_states, p=worlds[c].mdp.initial) for c in context], np.int32)
    if isinstance(starts, list):
        if len(starts) != len(context):
            raise ValueError(f"{len(starts)} starts for {len(context)} trajectories; give one for each, or one for all")
        return np.array([worlds[c].index(start) for c, start in zip(context, starts, strict=True)], np.int32)
    return np.array([worlds[c].index(starts) for c in context], np.int32)
