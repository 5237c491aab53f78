"""Counts of choices n(s, a) as trajectories of one step each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import pandas as pd
import xarray as xr

from goalinf.checks import check_kind
from goalinf.data.labels import Labels
from goalinf.types import Numbers
from goalinf.worlds.names import label
from goalinf.worlds.world import World

_MOST = 100_000  # choices: a fit of 4,000 draws keeps the log-likelihood of each, 3.2 GB in all
_Named: TypeAlias = Mapping[Any, Any] | pd.Series | pd.DataFrame
Counts: TypeAlias = Numbers | _Named  # in the order of the world, or by names of states and actions
_LONG = {"state", "action", "count"}


def from_counts(world: World, counts: Counts) -> dict[str, Any]:
    """Arguments of :meth:`goalinf.Trajectories.of` that make each choice a trajectory of one step."""
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    table = _by_name(world, _entries(counts)) if _has_names(counts) else _array(world, counts)
    mdp = world.mdp
    chosen = np.argwhere(table > 0)
    for s, a in chosen.tolist():
        if mdp.terminal[s]:
            raise ValueError(f"{_cell(world, s, a)}: the count is {table[s, a]}, and the state is terminal")
        if not mdp.available[s, a]:
            raise ValueError(f"{_cell(world, s, a)}: the count is {table[s, a]}; the action is not available there")
    total = int(table.sum())
    if not 1 <= total <= _MOST:
        raise ValueError(
            f"the counts hold {total:,} choices; expected 1 to {_MOST:,}, because each becomes a trajectory of one "
            "step: draw some of them at random, or give the trajectories"
        )
    states, actions = np.repeat(chosen, table[tuple(chosen.T)], axis=0).T
    labels = Labels(tuple(range(total)), worlds=(world,), counted=True)
    return {"states": np.stack([states, np.full(total, -1)], axis=1), "actions": actions[:, None], "labels": labels}


def _has_names(counts: Counts) -> TypeGuard[_Named]:
    if isinstance(counts, xr.DataArray):
        raise TypeError("counts are a DataArray; give counts.to_pandas(), which is matched with the world by name")
    return isinstance(counts, (Mapping, pd.DataFrame, pd.Series))


def _array(world: World, counts: Counts) -> np.ndarray:
    shape = (world.n_states, world.n_actions)
    expected = f"expected {shape}, one row per state, one column per action"
    try:
        array = np.asarray(counts)
    except ValueError:
        raise ValueError(f"counts have rows of different lengths; {expected}") from None
    if array.shape != shape:
        raise ValueError(f"counts have shape {array.shape}; {expected}")
    table = np.zeros(shape, np.int64)
    for s, a in np.ndindex(shape):
        table[s, a] = _count_value(array[s, a], _cell(world, s, a))
    return table


def _entries(counts: _Named) -> Iterator[tuple[Any, Any, Any]]:
    """State, action and count, by name."""
    if isinstance(counts, pd.DataFrame) and set(counts.columns) >= _LONG:
        yield from zip(counts["state"], counts["action"], counts["count"], strict=True)
        return
    if isinstance(counts, pd.DataFrame):
        for state, row in counts.iterrows():
            yield from ((state, action, count) for action, count in row.dropna().items())  # NaN: no such action there
        return
    for key, value in counts.items():
        if isinstance(value, Mapping):
            yield from ((key, action, count) for action, count in value.items())
        elif isinstance(key, tuple) and len(key) == 2:
            yield (*key, value)
        else:
            raise ValueError(
                f"counts hold the key {key!r}; expected pairs (state, action), or a mapping from state to a mapping "
                "from action to count"
            )


def _by_name(world: World, entries: Iterator[tuple[Any, Any, Any]]) -> np.ndarray:
    table = np.full((world.n_states, world.n_actions), -1, np.int64)
    for state, action, count in entries:
        s = world.index(state)
        a = world.action_index(action, s)
        if table[s, a] >= 0:
            raise ValueError(f"{_cell(world, s, a)}: two counts are given; add them up")
        table[s, a] = _count_value(count, _cell(world, s, a))
    return np.maximum(table, 0)


def _count_value(count: Any, location: str) -> int:
    number = count.item() if isinstance(count, np.generic) else count
    is_whole = isinstance(number, int) or (isinstance(number, float) and number.is_integer())
    if isinstance(number, bool) or not is_whole or number < 0:
        raise ValueError(f"{location}: the count is {number!r}; expected a whole number of at least 0")
    return int(number)


def _cell(world: World, s: int, a: int) -> str:
    name = world.action_names(s)[a]
    return f"state {label(world.states[s])}, action {a if name is None else label(name)}"
