"""From trajectories back to a long table, with trial-wise outputs aligned to its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from goalinf.data.recorded import Recorded
from goalinf.types import Numbers
from goalinf.worlds.world import World, label


def to_frame(data: Recorded, columns: Mapping[str, Numbers]) -> pd.DataFrame:
    """See :meth:`goalinf.Trajectories.to_frame`."""
    labels = data.labels
    if labels is not None and labels.table is not None and labels.rows is not None:
        rows = labels.rows
        trajectory, step = np.nonzero(rows >= 0)
        in_order = np.argsort(rows[trajectory, step], kind="stable")
        trajectory, step = trajectory[in_order], step[in_order]
        frame = labels.table.iloc[rows[trajectory, step]].copy()
    else:
        trajectory, step = np.nonzero(np.arange(data.max_steps) < np.asarray(data.lengths)[:, None])
        frame = _decisions(data, trajectory, step)
    for name in columns:
        if name in frame.columns:
            raise ValueError(f"the table has a column {name!r} already; give the new column another name")
    aligned = {name: _aligned(name, values, data, trajectory, step) for name, values in columns.items()}
    return pd.concat([frame, pd.DataFrame(aligned, index=frame.index)], axis=1) if columns else frame


def _aligned(name: str, values: Numbers, data: Recorded, trajectory: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Values of the decisions in these rows; NaN (None for text) where no action was recorded."""
    values = np.asarray(values)
    shape = (data.n_trajectories, data.max_steps)
    if values.shape != shape:
        raise ValueError(f"column {name!r} has shape {values.shape}; expected {shape}: one value per step")
    # A visit to the last state of the longest trajectory stands one place behind the decisions.
    recorded = np.pad(np.asarray(data.observed), ((0, 0), (0, 1)))[trajectory, step]
    numeric = values.dtype.kind in "biuf"
    aligned = np.full(len(step), np.nan if numeric else None, float if numeric else object)
    aligned[recorded] = values[trajectory[recorded], step[recorded]]
    return aligned


def _decisions(data: Recorded, trajectory: np.ndarray, step: np.ndarray) -> pd.DataFrame:
    """One row per decision, for data that came from no table."""
    labels = data.labels
    context: list[int] = np.asarray(data.context)[trajectory].tolist()
    state: list[int] = np.asarray(data.states)[trajectory, step].tolist()
    next_state: list[int] = np.asarray(data.states)[trajectory, step + 1].tolist()
    action: list[int] = np.asarray(data.actions)[trajectory, step].tolist()
    columns: dict[str, list[Any]] = {
        "subject": [data.subject_names[i] for i in np.asarray(data.subject)[trajectory]],
        "trajectory": [data.trajectory_names[i] for i in trajectory],
        "step": step.tolist(),
    }
    if data.n_contexts > 1 or (labels is not None and "context" in labels.columns):
        columns["context"] = [data.context_names[i] for i in context]
    if labels is not None and labels.covariates is not None:
        columns |= {str(name): values.iloc[trajectory].tolist() for name, values in labels.covariates.items()}
    worlds = labels.worlds if labels is not None else ()
    if worlds:
        columns["state"] = [_state_name(worlds[c], s) for c, s in zip(context, state, strict=True)]
        if all(_base(world, 0)[0].layout == "map" for world in worlds):
            positions = [_map_position(worlds[c], s) for c, s in zip(context, state, strict=True)]
            columns["row"], columns["col"] = ([position[i] for position in positions] for i in (0, 1))
        columns["action"] = [_action_name(worlds[c], s, a) for c, s, a in zip(context, state, action, strict=True)]
        columns["next_state"] = [_state_name(worlds[c], s) for c, s in zip(context, next_state, strict=True)]
    else:
        columns["state"] = state
        columns["action"] = [a if a >= 0 else None for a in action]
        columns["next_state"] = [s if s >= 0 else None for s in next_state]
    if data.outcomes is not None:
        columns |= _outcomes(data, trajectory, step)
    if data.forced is not None:
        columns["forced"] = np.asarray(data.forced)[trajectory, step].tolist()
    # Built as objects, so that tuples stay tuples; then columns of plain numbers or text become that.
    return pd.DataFrame({name: _column(values) for name, values in columns.items()}).infer_objects()


def _outcomes(data: Recorded, trajectory: np.ndarray, step: np.ndarray) -> dict[str, list[float]]:
    """Return the outcomes of chosen actions, and of every action where those of other actions are known, by name."""
    chosen, every = data.chosen_outcomes, data.outcomes_at_states
    columns = {"outcome": chosen[trajectory, step].tolist()}
    if np.isfinite(every).sum() > np.isfinite(chosen).sum():
        worlds = data.labels.worlds if data.labels is not None else ()
        named = worlds and all(not world.local_actions and world.actions == worlds[0].actions for world in worlds)
        names = [label(name) for name in worlds[0].actions] if named else list(map(str, range(every.shape[2])))
        by_action = zip(names, np.moveaxis(every, 2, 0), strict=False)
        columns |= {f"outcome of {name}": values[trajectory, step].tolist() for name, values in by_action}
    return columns


def _column(values: list[Any]) -> pd.Series:
    if all(isinstance(value, (int, float, np.number, str)) or value is None for value in values):
        return pd.Series(values)
    return pd.Series(values, dtype=object)


def _base(world: World, state: int) -> tuple[World, int]:
    """On worlds with memory, the first-order world and this node in it."""
    return (world, state) if world.memory is None else (world.memory.base, int(world.memory.pairs[state, 1]))


def _state_name(world: World, state: int) -> Any:
    if state < 0:
        return None
    world, state = _base(world, state)
    return world.states[state]


def _action_name(world: World, state: int, action: int) -> Any:
    return None if action < 0 else world.action_names(state)[action]


def _map_position(world: World, state: int) -> tuple[int, int]:
    world, state = _base(world, state)
    assert world.positions is not None
    col, row = world.positions[state]
    return int(row), int(col)
