"""Labeled arrays of null directions: the axes of the reward and of the free parameters of agents."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from goalinf.agents import SingleAgent
from goalinf.identify.local.jacobian_columns import Column
from goalinf.inference.model.site_labels import axis_labels
from goalinf.rewards import LinearReward, Reward, base_of
from goalinf.worlds import World, label


def labeled(
    basis: np.ndarray,
    kinds: Sequence[str],
    columns: Sequence[Column],
    world: World,
    reward: Reward,
    experts: Mapping[Any, SingleAgent],
) -> tuple[xr.DataArray, xr.Dataset]:
    """Return the part of each direction ``(n, P)`` in the reward, and its part in the free parameters of the agents.

    ``kinds`` are the kinds of the directions, and ``experts`` the agents by name where there are several.
    """
    reward_columns = [column for column in columns if column.name.startswith("reward.")]
    agent_columns = columns[len(reward_columns) :]
    n_reward = sum(column.size for column in reward_columns)
    array = xr.DataArray(
        basis[:, :n_reward].reshape(len(basis), *_reward_shape(reward_columns)),
        dims=("direction", *_reward_dims(reward_columns)),
        coords={**_coords(world, reward, reward_columns), "kind": ("direction", np.array(kinds, str))},
        name="reward",
    )
    rows = {
        column.name: (
            ("direction", *column.dims),
            basis[:, column.start : column.start + column.size].reshape(len(basis), *column.shape),
        )
        for column in agent_columns
    }
    labels = _world_coords(world, {axis for column in agent_columns for axis in column.dims})
    labels |= _expert_coords(columns, experts)
    return array, xr.Dataset(rows, coords={"kind": array.coords["kind"], **labels} if rows else None)


def _expert_coords(columns: Sequence[Column], experts: Mapping[Any, SingleAgent]) -> dict[Hashable, Any]:
    """Return the names of the experts along the axes of experts."""
    coords: dict[Hashable, Any] = {}
    for column in columns if experts else ():
        if column.dims and column.dims[0].startswith("expert"):
            parameter = column.name.removeprefix("agent.")
            owners = [expert for expert, agent in experts.items() if parameter in agent.parameters]
            coords[column.dims[0]] = axis_labels("experts", owners)
    return coords


def _reward_shape(columns: Sequence[Column]) -> tuple[int, ...]:
    return columns[0].shape if len(columns) == 1 and columns[0].dims else (sum(column.size for column in columns),)


def _reward_dims(columns: Sequence[Column]) -> tuple[str, ...]:
    return columns[0].dims if len(columns) == 1 and columns[0].dims else ("parameter",)


def _coords(world: World, reward: Reward, columns: Sequence[Column]) -> dict[Hashable, Any]:
    """Return labels along the axes of the parameter of the reward."""
    dims = _reward_dims(columns)
    if dims == ("parameter",):
        return {"parameter": [column.name for column in columns]}
    coords = _world_coords(world, dims)
    base = base_of(reward)
    if dims == ("feature",):
        names = base.names if isinstance(base, LinearReward) else None
        coords["feature"] = list(names) if names else list(range(columns[0].size))
    return coords


def _world_coords(world: World, dims: Collection[str]) -> dict[Hashable, Any]:
    """Return labels of the states and the actions of a world, where these are axes."""
    coords: dict[Hashable, Any] = dict(world.coords().items()) if "state" in dims else {}
    if "action" in dims and not world.local_actions:
        coords["action"] = [label(name) for name in world.actions]
    return coords
