"""Do these data belong to this world? Numbers mean what they say only where they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from goalinf.data.labels import decision_name
from goalinf.worlds.world import World, label

if TYPE_CHECKING:
    from goalinf.data.trajectories import Trajectories


def check_numbers(data: Trajectories, worlds: Sequence[World]) -> None:
    """Every state, action and context is a number of these worlds; compiled code would clamp others.

    Parameters
    ----------
    data : Trajectories
        What was observed. Nothing is checked where its arrays are traced, or hold a batch of data sets.
    worlds : sequence of World
        One per context of the data, or one for all.

    Raises
    ------
    ValueError
        Where a number is too large; the trajectory, the step (the row, where there is a table) and the numbers that
        exist are named.
    """
    arrays = data.states, data.actions, data.context
    if any(isinstance(array, jax.core.Tracer) for array in arrays) or np.ndim(data.states) != 2:
        return
    states, actions, context = map(np.asarray, arrays)
    if len(worlds) == 1:
        context = np.zeros_like(context)
    elif context.max() >= len(worlds):
        n = int((context >= len(worlds)).argmax())
        raise ValueError(
            f"trajectory {label(data.trajectory_names[n])} is of context number {context[n]}; expected 0 to "
            f"{len(worlds) - 1}, because there are {len(worlds)} worlds"
        )
    for what, values, sizes in (
        ("state", states, np.array([world.n_states for world in worlds])),
        ("action", actions, np.array([world.n_actions for world in worlds])),
    ):
        if values.size == 0 or values.max() < sizes.min():
            continue
        wrong = values >= sizes[context][:, None]
        if wrong.any():
            n, t = np.argwhere(wrong)[0].tolist()
            size = int(sizes[context[n]])
            high = values[values >= 0].min() >= 1 and values.max() == size
            hint = ". The numbers are one too high: subtract 1" if high else ""
            more = f" ({wrong.sum():,} such entries)" if wrong.sum() > 1 else ""
            raise ValueError(
                f"{decision_name(data, n, t)}: {what} number {values[n, t]}; the world has {size} {what}s, numbers 0 "
                f"to {size - 1}{hint}{more}"
            )


def check_fits(data: Trajectories, worlds: Sequence[World]) -> None:
    """Every choice exists in its world, under the name that it had where the data were read or simulated.

    Parameters
    ----------
    data : Trajectories
        What was observed.
    worlds : sequence of World
        One per context of the data, or one for all.

    Raises
    ------
    ValueError
        Where a state or an action does not exist, or is another one: first-order data in a world with memory, say.
    """
    check_numbers(data, worlds)
    cells, contexts = data.cells, data.context_names
    for number, context in enumerate(contexts):
        world = worlds[min(number, len(worlds) - 1)]
        which = f"the data of context {context!r}" if len(contexts) > 1 else "the data"
        mine = np.asarray(cells.context) == number if len(contexts) > 1 else slice(None)
        states, actions = np.asarray(cells.state)[mine], np.asarray(cells.action)[mine]
        read = data.labels.worlds[number] if data.labels is not None and data.labels.worlds else world
        if read is not world:
            _check_names(which, read, world, states, actions)


def _check_names(which: str, read: World, world: World, states: np.ndarray, actions: np.ndarray) -> None:
    remedy = "read or simulate them in the world that they are fitted in"
    for s in np.unique(states).tolist():
        if not _same_place(read, world, s):
            there, here = label(read.states[s]), label(world.states[s])
            raise ValueError(
                f"{which} come from another world, where state number {s} is {there}; here it is {here}: {remedy}"
            )
    for s, a in zip(states.tolist(), actions.tolist(), strict=True):
        there, here = read.action_names(s)[a], world.action_names(s)[a]
        if there != here and None not in (there, here):
            place = f"action number {a} in state {label(world.states[s])}"
            raise ValueError(
                f"{which} come from another world, where {place} is {label(there)}; here it is {label(here)}: {remedy}"
            )


def _same_place(one: World, other: World, s: int) -> bool:
    """Whether a number means one state in two worlds; on maps a cell may carry a mark in one of them only."""
    if one.states[s] == other.states[s] or s in (one.names.find(other.states[s]), other.names.find(one.states[s])):
        return True
    if not one.layout == other.layout == "map" or one.positions is None or other.positions is None:
        return False
    return bool(np.array_equal(one.positions[s], other.positions[s]))
