"""Simulation of agents."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from goalinf.agents.agent import Agent, check_agent
from goalinf.agents.plannable import check_known, check_plannable, check_solved
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.roll_out import Gaps, drawn_options, hidden_slips, roll_out_one_of
from goalinf.checks import PRNGKey, check_count, numpy_generator, takes_key
from goalinf.data import Labels, Trajectories
from goalinf.precision import Precision, cast, computing_in
from goalinf.rewards import digest
from goalinf.sizes import check_memory
from goalinf.types import StateName

_STEP_BYTES = 60.0  # of a simulated step: state, action and a flag, on the host and on the device, and random keys
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
        **_provenance(conditions),
    )
    return Trajectories.of(states, actions, lengths=alive.sum(1), context=context, labels=labels)


def simulate_like(
    key: Array,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    data: Trajectories,
    *,
    option: np.ndarray | None = None,
    precision: Precision | None = None,
) -> Trajectories:
    """Sample trajectories of an agent with the starts, lengths, missing actions, subjects and contexts of a data set.

    ``option (N,)`` is the number of the agent of each trajectory in a mixture; default: drawn.
    """
    conditions = Conditions.of(world, reward, data.context_names)
    steps = data.max_steps
    subject = np.unique(data.subject, return_inverse=True)[1]  # numbers of subjects may have gaps
    groups = {"trajectory": np.arange(data.n_trajectories), "subject": subject}
    group = groups.get(agent.by or "data", np.zeros(data.n_trajectories, np.int32))
    first, context = np.asarray(data.states)[:, 0], np.asarray(data.context)
    states, actions, alive = _walk(key, conditions, agent, first, context, group, steps, precision, option, data)
    alive = alive & (np.arange(steps) < np.asarray(data.lengths)[:, None])
    labels = data.labels and dataclasses.replace(data.labels, table=None, rows=None, **_provenance(conditions))
    return Trajectories.of(
        states,
        actions,
        lengths=alive.sum(1),
        observed=alive & np.asarray(data.observed),
        subject=data.subject,
        context=data.context,
        labels=labels,
        contexts=data.contexts,
    )


def _provenance(conditions: Conditions) -> dict[str, Any]:
    """Return world and digest of the reward of every context, for the labels of simulated data."""
    pairs = conditions.pairs()
    return {
        "worlds": tuple(world for world, _ in pairs),
        "rewards": tuple(digest(reward, world.mdp) for world, reward in pairs),
    }


def _walk(
    key: Array,
    conditions: Conditions,
    agent: Agent,
    first: np.ndarray,
    context: np.ndarray,
    group: np.ndarray,
    steps: int,
    precision: Precision | None,
    option: np.ndarray | None = None,
    like: Trajectories | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check, plan and simulate; returns arrays on the host. Each group draws its option of a mixture."""
    check_known(agent, conditions.rewards)
    planned, condition = conditions.distinct, conditions.number[context]
    for one_world, one_reward in planned.pairs():
        check_plannable(agent, one_world, one_reward)
    single = len(planned.worlds) == 1
    with computing_in(precision) as chosen:
        mdp, policies = planned.mdp(), agent.plan_each(planned.plan)
        for actor, policy in zip(agent.components, policies, strict=True):
            check_solved(policy.residual, policy.values, chosen, actor, planned.worlds)
        which = drawn_options(key, agent, len(first))[group] if option is None else jnp.asarray(option)
        gaps = None if like is None else Gaps.of(mdp, like, condition, single)
        arguments = cast(mdp), policies, hidden_slips(agent), which, first, condition, steps, single, gaps
        return jax.device_get(_roll_out(key, *arguments))


def _starts(
    key: Array, conditions: Conditions, context: np.ndarray, starts: StateName | list[StateName] | None
) -> np.ndarray:
    """Return the number of the first state of every trajectory."""
    rng = numpy_generator(key)
    worlds = [world for world, _ in conditions.pairs()]
    if starts is None:
        return np.array([rng.choice(worlds[c].n_states, p=worlds[c].mdp.initial) for c in context], np.int32)
    if isinstance(starts, list):
        if len(starts) != len(context):
            raise ValueError(f"{len(starts)} starts for {len(context)} trajectories; give one for each, or one for all")
        return np.array([worlds[c].index(start) for c, start in zip(context, starts, strict=True)], np.int32)
    return np.array([worlds[c].index(starts) for c in context], np.int32)
