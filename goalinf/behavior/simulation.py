"""Simulation of agents."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Array

from goalinf.agents.agent import Agent, check_agent
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.plans import AgentPlans, planned
from goalinf.behavior.roll_out import compiled_roll_out, drawn_options, hidden_slips
from goalinf.checks import PRNGKey, check_count, numpy_generator, takes_key
from goalinf.data import Labels, Observations, Trajectories
from goalinf.data.labels import provenance
from goalinf.data.trajectory_arrays import schedule_of
from goalinf.precision import Precision, cast, computing_in
from goalinf.sizes import check_memory
from goalinf.types import Numbers, StateName

_Data = TypeVar("_Data", bound=Observations)
_STEP_BYTES = 60.0  # of a simulated step: state, action and a flag, on the host and on the device, and random keys


@takes_key
def sample_trajectories(
    key: PRNGKey,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    *,
    trajectories: int,
    steps: int,
    starts: StateName | list[StateName] | None = None,
    subject: Hashable | None = None,
    outcomes: Numbers | None = None,
    precision: Precision | None = None,
) -> Trajectories:
    """Sample trajectories of a known agent; see :func:`goalinf.simulate` for the arguments."""
    for name, count in (("trajectories", trajectories), ("steps", steps)):
        check_count(name, count)
    check_agent("agent", agent)
    conditions = Conditions.of(world, reward)
    for option in agent.components:
        horizon = option.horizon
        if horizon is not None and steps > horizon:
            raise ValueError(f"steps is {steps}, above the agent's horizon of {horizon}: give it a longer horizon")
    by_context = f" in each of {len(conditions.contexts)} contexts" if len(conditions.contexts) > 1 else ""
    check_memory(
        f"{trajectories:,} trajectories of {steps:,} steps{by_context}",
        _STEP_BYTES * len(conditions.contexts) * float(trajectories) * float(steps) * len(agent.components),
        "simulate fewer, or shorter ones",
    )
    key_starts, key_steps = jax.random.split(key)
    context = np.repeat(np.arange(len(conditions.contexts), dtype=np.int32), trajectories)
    first_states = _starts(key_starts, conditions, context, starts)
    one_group = np.zeros(len(context), np.int32)
    group = np.arange(len(context), dtype=np.int32) if agent.by == "trajectory" else one_group
    schedule = None if outcomes is None else schedule_of(outcomes, len(context), steps)
    if schedule is None and any(known.recorded for known in conditions.rewards):
        raise ValueError(
            "the reward is recorded with the data (gi.RecordedReward): give outcomes=, an array (T, A), (N, T, A) or "
            "(N, T, S, A) of the outcome that every action would have"
        )
    states, actions, alive = _simulate(
        key_steps, conditions, agent, first_states, context, group, int(steps), precision, schedule
    )
    labels = Labels(
        tuple(range(len(states))),
        subjects=(0 if subject is None else subject,),
        contexts=conditions.contexts,
        **provenance(conditions.worlds, conditions.rewards, len(conditions.contexts)),
    )
    numbers = {"lengths": alive.sum(1), "context": context}
    return Trajectories.of(states, actions, **numbers, labels=labels, outcomes=schedule)


def replicate(
    key: Array,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    data: _Data,
    *,
    option: np.ndarray | None = None,
    precision: Precision | None = None,
) -> _Data:
    """Draw replicated data of a known agent: new observations with the design of a data set.

    Parameters
    ----------
    key : jax.random key
        Source of randomness, which is consumed.
    world, reward : World and Reward, or mappings from context to them
        World in which the agent acts, and its reward.
    agent : Agent
        Agent.
    data : Trajectories or other Observations
        The design: subjects and contexts; for trajectories, starts, lengths, missing and forced actions.
    option : int (N,), optional
        Number of the option of each trajectory (or other unit) in a mixture; default: drawn.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    Observations
        Of the class of the data.

    Raises
    ------
    ValueError
        Where agent or reward holds a prior, or a context has no world or no reward.
    ConvergenceError, PrecisionError
        Where the planner fails.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> agent = gi.agents.soft_optimal(beta=1.0)
    >>> data = gi.simulate(jax.random.key(0), hall, agent, reward, trajectories=2, steps=3)
    >>> replicate(jax.random.key(1), hall, agent, reward, data).n_steps
    6
    """
    conditions = Conditions.of(world, reward, data.context_names)
    number = conditions.number
    with computing_in(precision) as chosen:
        policies = planned(conditions, agent, chosen)
        if option is None:
            option = options_of_units(key, agent, data)
        worlds = conditions.worlds if len(conditions.distinct.worlds) > 1 else conditions.distinct.worlds
        by_context = [jax.tree.map(lambda leaf: leaf[number], policy) for policy in policies]
        pairs = zip(agent.components, by_context, strict=True)
        plans = [AgentPlans(actor, policy, worlds, conditions.rewards) for actor, policy in pairs]
        return data.replicated(key, plans, option)


def options_of_units(key: Array, agent: Agent, data: Observations) -> np.ndarray:
    """Draw the number of the option of each trajectory (or other item): one for every unit of a mixture."""
    group = np.unique(np.asarray(data.members(agent.by or "data")), return_inverse=True)[1]
    return np.asarray(drawn_options(key, agent, len(group)))[group]


def _simulate(
    key: Array,
    conditions: Conditions,
    agent: Agent,
    first_states: np.ndarray,
    context: np.ndarray,
    group: np.ndarray,
    steps: int,
    precision: Precision | None,
    outcomes: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check, plan and simulate; returns arrays on the host. Each group draws its option of a mixture."""
    single = len(conditions.distinct.worlds) == 1
    with computing_in(precision) as chosen:
        policies = planned(conditions, agent, chosen)
        option = drawn_options(key, agent, len(first_states))[group]
        mdp, condition = cast(conditions.distinct.mdp()), conditions.number[context]
        schedule = None if outcomes is None else cast(outcomes)
        arguments = mdp, policies, hidden_slips(agent), option, first_states, condition, steps, single, None, schedule
        return jax.device_get(compiled_roll_out(key, *arguments))


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
