"""Statistics of trajectories that predictive checks know by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpyro.distributions import Distribution

from goalinf.behavior.conditions import Conditions
from goalinf.data import Trajectories
from goalinf.inference.model.models import StandardModel
from goalinf.rewards import GoalReward, Reward, StateReward, base_of
from goalinf.worlds import World
from goalinf.worlds.names import label

Statistic: TypeAlias = Callable[[Trajectories], "float | pd.Series | Mapping[Any, float]"]


def named(names: Sequence[str], model: StandardModel, data: Trajectories) -> dict[str, Statistic]:
    """Return the functions of named statistics.

    Raises
    ------
    ValueError
        Where no statistic has the name.
    """
    conditions = Conditions.of(model.world, model.reward, data.context_names)
    pairs = [(world, reward) for world, reward in conditions.pairs()]
    known: dict[str, Statistic] = {
        "choice": lambda each: _choices(each, pairs),
        "stay": _stay,
        "win_stay": _win_stay,
        "path_length": _path_length,
        "occupancy": lambda each: _occupancy(each, pairs),
        "goal_reached": lambda each: _goal_reached(each, pairs),
    }
    given = [names] if isinstance(names, str) else list(names)
    if unknown := [name for name in given if name not in known]:
        raise ValueError(
            f"no statistic is called {unknown[0]!r}; those with a name are {', '.join(known)}; for others give a "
            "mapping from name to function"
        )
    return {name: known[name] for name in given}


def usual(model: StandardModel, data: Trajectories) -> tuple[str, ...]:
    """Return the names of the statistics that are usual for a model: those of choices, or those of paths."""
    pairs = Conditions.of(model.world, model.reward, data.context_names).pairs()
    if all(reward.recorded for _, reward in pairs):
        return ("choice", "stay", "win_stay")
    with_goals = all(_goal_states(world, reward) for world, reward in pairs)
    return ("occupancy", "path_length", "goal_reached") if with_goals else ("occupancy", "path_length", "stay")


def _choices(data: Trajectories, pairs: Sequence[tuple[World, Reward]]) -> pd.Series:
    """Return the share of every action by step, in every context; actions by name where the states share them."""
    shares: dict[str, float] = {}
    for number, context in enumerate(data.context_names):
        rows = np.flatnonzero(np.asarray(data.context) == number)
        world = pairs[number][0]
        chosen = np.asarray(data.choices)[rows]
        counts = np.zeros((data.max_steps, world.n_actions))
        np.add.at(counts, (np.nonzero(chosen)[1], np.asarray(data.actions)[rows][chosen]), 1.0)
        totals = counts.sum(axis=1, keepdims=True)
        share = counts / np.maximum(totals, 1.0)
        names = [str(name) if world.local_actions else label(name) for name in _action_names(world)]
        prefix = f"{label(context)}: " if len(data.context_names) > 1 else ""
        shares |= {f"{prefix}{t}: {names[a]}": share[t, a] for t, a in np.ndindex(share.shape) if totals[t, 0]}
    return pd.Series(shares, dtype=float)


def _action_names(world: World) -> Sequence[Any]:
    return range(world.n_actions) if world.local_actions else world.actions


def _stay(data: Trajectories) -> float:
    both = _choices_after_actions(data)
    same = np.asarray(data.actions)[:, 1:] == np.asarray(data.actions)[:, :-1]
    return float(same[both].mean()) if both.any() else np.nan


def _win_stay(data: Trajectories) -> pd.Series:
    """Return the probability that a choice equals the action before it, by the outcome of that one.

    Raises
    ------
    ValueError
        Where the data hold no outcomes.
    """
    if data.outcomes is None:
        raise ValueError("'win_stay' needs outcomes: name their column, gi.read_trajectories(outcome=…)")
    outcome, actions = data.chosen_outcomes[:, :-1], np.asarray(data.actions)
    both = _choices_after_actions(data)
    same = actions[:, 1:] == actions[:, :-1]
    after = {"after an outcome above 0": outcome > 0, "after an outcome of 0 or below": outcome <= 0}
    return pd.Series({name: float(same[both & each].mean()) for name, each in after.items() if (both & each).any()})


def _choices_after_actions(data: Trajectories) -> np.ndarray:
    """Return True where a choice follows a recorded action, which may be forced, ``(N, T-1)``."""
    return np.asarray(data.choices)[:, 1:] & np.asarray(data.observed)[:, :-1]


def _path_length(data: Trajectories) -> float:
    states = np.asarray(data.states)
    moved = (states[:, 1:] != states[:, :-1]) & (states[:, 1:] >= 0) & (states[:, :-1] >= 0)
    return float(moved.sum(axis=1).mean())


def _by_context(data: Trajectories, pairs: Sequence[tuple[World, Reward]], statistic: Any) -> pd.Series:
    """Compute a statistic in every context; labels name the context where there are several."""
    parts: dict[str, float] = {}
    for number, name in enumerate(data.context_names):
        rows = np.flatnonzero(np.asarray(data.context) == number)
        if rows.size:
            values = statistic(np.asarray(data.states)[rows], *pairs[number])
            prefix = f"{label(name)}: " if len(data.context_names) > 1 else ""
            parts |= {f"{prefix}{key}": value for key, value in values.items()}
    return pd.Series(parts, dtype=float)


def _occupancy(data: Trajectories, pairs: Sequence[tuple[World, Reward]]) -> pd.Series:
    def shares(states: np.ndarray, world: World, _reward: Reward) -> dict[str, float]:
        counts = np.bincount(states[states >= 0], minlength=world.n_states)
        return {label(name): float(share) for name, share in zip(world.states, counts / counts.sum(), strict=True)}

    return _by_context(data, pairs, shares)


def _goal_reached(data: Trajectories, pairs: Sequence[tuple[World, Reward]]) -> pd.Series:
    def shares(states: np.ndarray, world: World, reward: Reward) -> dict[str, float]:
        goals = _goal_states(world, reward)
        if not goals:
            raise ValueError(
                "'goal_reached' needs goals: terminal states, a goal reward, or a known reward with positive states; "
                "give a function instead, such as of={'at a': lambda data: (data.states == 3).any(axis=1).mean()}"
            )
        return {label(world.states[goal]): float((states == goal).any(axis=1).mean()) for goal in goals}

    return _by_context(data, pairs, shares)


def _goal_states(world: World, reward: Reward) -> list[int]:
    """Return the states that count as goals; empty where there are none."""
    ends = np.asarray(world.mdp.terminal)
    base = base_of(reward)
    if isinstance(base, GoalReward):
        ends = ends | np.asarray(base.ends(world.mdp))
    if ends.any():
        return np.flatnonzero(ends).tolist()
    if isinstance(base, StateReward) and not isinstance(base.values, Distribution):
        return np.flatnonzero(np.asarray(base.values) > 0).tolist()
    return []
