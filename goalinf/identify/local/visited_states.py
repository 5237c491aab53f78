"""States of the data in which actions were scored: part of what trajectories identify."""

from __future__ import annotations

import dataclasses

import numpy as np

from goalinf.behavior.conditions import Conditions
from goalinf.data import Trajectories
from goalinf.identify.local.jacobian import PolicyJacobian
from goalinf.worlds import label


@dataclasses.dataclass(frozen=True)
class VisitedStates:
    """States with scored actions.

    Parameters
    ----------
    unvisited : tuple of str
        States without a scored action (with the context, if there are several), without terminal states.
    n_states : int
        Number of states in which an action can be scored.
    """

    unvisited: tuple[str, ...]
    n_states: int

    @classmethod
    def of(cls, visited: np.ndarray, jacobian: PolicyJacobian, conditions: Conditions) -> VisitedStates:
        """Build from the visited states ``(C, S)`` or ``(C, T, S)``."""
        visited_ever = np.asarray(visited.any(1)) if visited.ndim == 3 else visited
        scorable = np.argwhere(jacobian.rows.any(2)).tolist()
        return cls(tuple(_state_name(conditions, c, s) for c, s in scorable if not visited_ever[c, s]), len(scorable))


def scored_states(data: Trajectories, jacobian: PolicyJacobian) -> tuple[np.ndarray, int]:
    """Return states with scored actions, bool ``(C, S)`` or ``(C, T, S)`` with a finite horizon, and their number."""
    steps = data.actions.shape[1]
    n_contexts, n_states, _ = jacobian.rows.shape
    live = np.asarray(jacobian.rows.any(2))
    context = np.asarray(data.context) if n_contexts > 1 else np.zeros(len(data.context), int)
    context = np.broadcast_to(context[:, None], data.actions.shape)
    states = np.maximum(np.asarray(data.states)[:, :steps], 0)
    scored = np.asarray(data.choices) & live[context, states]
    if jacobian.log_policy.ndim == 4:
        visited = np.zeros((n_contexts, n_states), bool)
        visited[context[scored], states[scored]] = True
    else:
        visited = np.zeros((n_contexts, jacobian.log_policy.shape[1], n_states), bool)
        time = np.broadcast_to(np.arange(steps), data.actions.shape)
        visited[context[scored], time[scored], states[scored]] = True
    return visited, int(scored.sum())


def _state_name(conditions: Conditions, context: int, state: int) -> str:
    """Return the name of a state, with its context if there are several policies."""
    world = conditions.worlds[min(context, len(conditions.worlds) - 1)]
    contexts_differ = len(conditions.worlds) > 1 or len(conditions.rewards) > 1
    return label(world.states[state]) + (f" (context {label(conditions.contexts[context])})" if contexts_differ else "")
