"""Rows and cells of tables of many trajectories, ``(…, S, A, N)``, at a state of each trajectory."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_FEW = 16  # states up to which a comparison with all of them is faster than an index that differs between trajectories

Table = Float[Array, "*T S A N"]
Numbers = Int[Array, "*T N"]


def row_of(table: Table, state: Numbers) -> Float[Array, "*T A N"]:
    """Return the rows of the states."""
    if table.shape[-3] > _FEW:
        return jnp.take_along_axis(table, state[..., None, None, :], axis=-3)[..., 0, :, :]
    return jnp.where(is_number(table.shape[-3], state)[..., None, :], table, 0.0).sum(axis=-3)


def cell_of(table: Table, state: Numbers, action: Numbers) -> Float[Array, "*T N"]:
    """Return the entries of states and actions; zero for an action below zero."""
    return entry_of(row_of(table, state), action)


def entry_of(row: Float[Array, "*T A N"], action: Numbers) -> Float[Array, "*T N"]:
    """Return the entries of actions; zero for an action below zero."""
    return jnp.where(is_number(row.shape[-2], action), row, 0.0).sum(axis=-2)


def moved(table: Float[Array, "S A N"], state: Any, action: Any, rate: Any, target: Any) -> Any:
    """Move the entries of states and actions, all (N,), by a rate toward a target."""
    n_states, n_actions, count = table.shape
    if n_states > _FEW:
        cell = state, action, jnp.arange(count)
        return table.at[cell].add(rate * (target - table[cell]))
    is_cell = is_number(n_states, state)[:, None] & is_number(n_actions, action)
    return jnp.where(is_cell, table + rate * (target - table), table)


def is_number(size: int, number: Numbers) -> Bool[Array, "*T size N"]:
    """Return an indicator of numbers below a size, along a new axis before the last."""
    return jnp.arange(size)[:, None] == number[..., None, :]
