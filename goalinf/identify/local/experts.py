"""Several experts with one reward: their Jacobians side by side, each with parameters of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from goalinf.agents.agent import Agent, SingleAgent, single_agent
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.identify.local.jacobian import PolicyJacobian, log_policy_jacobian
from goalinf.identify.local.jacobian_columns import Column
from goalinf.identify.local.linearization_point import typical_agent
from goalinf.rewards import Reward

Agents = Agent | Mapping[Any, Agent]


def line_up(world: Worlds, agent: Agents, reward: Rewards) -> tuple[Conditions, tuple[SingleAgent, ...]]:
    """Return the world of every context and its agent: one agent for all, or one each. Priors are at their medians.

    Raises
    ------
    TypeError, ValueError
        If a value is not an agent, or if worlds and agents do not name the same contexts.
    """
    if not isinstance(agent, Mapping):
        return Conditions.of(world, reward), (typical_agent(single_agent("agent", agent)),)
    if not agent:
        raise ValueError("the mapping from context to agent is empty")
    experts = {context: single_agent(f"the agent of context {context!r}", expert) for context, expert in agent.items()}
    worlds = world if isinstance(world, Mapping) else dict.fromkeys(agent, world)
    if unmatched := set(worlds) ^ set(agent):
        raise ValueError(
            f"worlds and agents must name the same contexts; {', '.join(sorted(map(repr, unmatched)))} is named by one "
            "of them only"
        )
    return Conditions.of(worlds, reward, tuple(agent)), tuple(map(typical_agent, experts.values()))


def jacobians(
    conditions: Conditions, agents: Sequence[SingleAgent], reward: Reward, wrt: Sequence[str]
) -> tuple[PolicyJacobian, ...]:
    """Compute one Jacobian for one agent in all worlds, or one for each expert in its world, with the same columns.

    A parameter of the agents has one entry for every expert that has the parameter, on an axis ``expert``
    (``expert_with_…`` if some experts do not have it); the discount of the worlds is common to all.
    """
    if len(agents) == 1:
        worlds = dict(zip(conditions.contexts, conditions.worlds, strict=True))
        return (log_policy_jacobian(worlds, agents[0], reward, wrt=wrt),)
    names_by_agent = [
        [name for name in wrt if name.partition("agent.")[2] in ("", *agent.parameters)] for agent in agents
    ]
    if unknown := [name for name in wrt if not any(name in names for names in names_by_agent)]:
        existing = dict.fromkeys(f"agent.{name}" for agent in agents for name in agent.parameters)
        raise ValueError(f"there is no parameter {unknown[0]!r}; there are {', '.join(existing)}")
    by_expert = [
        log_policy_jacobian(world, agent, reward, wrt=names)
        for world, agent, names in zip(conditions.worlds, agents, names_by_agent, strict=True)
    ]
    columns_by_name = [{column.name: column for column in jacobian.columns} for jacobian in by_expert]
    all_names = sorted(
        {name: None for by_name in columns_by_name for name in by_name}, key=lambda name: not name.startswith("reward.")
    )
    columns: list[Column] = []
    positions: list[list[np.ndarray]] = [[] for _ in agents]
    start = 0
    for name in all_names:
        per_expert = name.startswith("agent.")
        holders = [k for k, by_name in enumerate(columns_by_name) if name in by_name]
        first = columns_by_name[holders[0]][name]
        if any(columns_by_name[k][name].shape != first.shape for k in holders):
            raise ValueError(
                f"{name} is one number for some experts and one per state for others: give all experts the same shape"
            )
        for number, k in enumerate(holders):
            positions[k].append(start + per_expert * number * first.size + np.arange(first.size))
        axis = "expert" if len(holders) == len(agents) else f"expert_with_{name.removeprefix('agent.')}"
        shape, dims = ((len(holders), *first.shape), (axis, *first.dims)) if per_expert else (first.shape, first.dims)
        columns.append(Column(name, shape, dims, start))
        start += columns[-1].size
    return tuple(
        _widened(jacobian, np.concatenate(position), columns)
        for jacobian, position in zip(by_expert, positions, strict=True)
    )


def _widened(jacobian: PolicyJacobian, position: np.ndarray, columns: Sequence[Column]) -> PolicyJacobian:
    """Return the derivatives with further columns of zeros."""
    total = columns[-1].start + columns[-1].size

    def widen(array: np.ndarray) -> np.ndarray:
        wide = np.zeros((*array.shape[:-1], total))
        wide[..., position] = array
        return wide

    return dataclasses.replace(
        jacobian,
        log_policy=widen(jacobian.log_policy),
        expected_reward=widen(jacobian.expected_reward),
        columns=tuple(columns),
    )
