"""Do these data belong to this world? Numbers mean what they say only where they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from goalinf.worlds.alike import same_place
from goalinf.worlds.world import World, label

if TYPE_CHECKING:
    from goalinf.data.trajectories import Trajectories


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
    cells, contexts = data.cells, data.context_names
    for number, context in enumerate(contexts):
        world = worlds[min(number, len(worlds) - 1)]
        which = f"the data of context {context!r}" if len(contexts) > 1 else "the data"
        mine = np.asarray(cells.context) == number if len(contexts) > 1 else slice(None)
        states, actions = np.asarray(cells.state)[mine], np.asarray(cells.action)[mine]
        if states.size and states.max() >= world.n_states:
            raise ValueError(f"{which} visit state number {states.max()}; the world has {world.n_states} states")
        if actions.size and actions.max() >= world.n_actions:
            raise ValueError(f"{which} hold action number {actions.max()}; the world has {world.n_actions} actions")
        read = data.labels.worlds[number] if data.labels is not None and data.labels.worlds else world
        if read is not world:
            _check_names(which, read, world, states, actions)


def check_same_conditions(
    data: Trajectories, fitted: Trajectories, *, worlds: bool, rewards: bool, remedy: str
) -> None:
    """Contexts of one name are one condition in new data and in data that were fitted.

    Parameters
    ----------
    data, fitted : Trajectories
        New data, and those of the fit.
    worlds, rewards : bool
        True where the worlds, or the known rewards, of the fit are used for the new data.
    remedy : str
        Arguments by which the error is avoided, with ``{0}`` for ``"world"`` or ``"reward"``.

    Raises
    ------
    ValueError
        Where the data were read or simulated in another world, or simulated with another reward.
    """
    if data.labels is None or fitted.labels is None:
        return
    known = {name: number for number, name in enumerate(fitted.context_names)}
    for number, name in enumerate(data.context_names):
        if name not in known:
            continue
        which = f"the data of context {name!r}" if len(known) > 1 or name != 0 else "the data"
        if worlds and data.labels.worlds and fitted.labels.worlds:
            here, there = data.labels.worlds[number], fitted.labels.worlds[known[name]]
            if changed := _changed(here, there):
                raise ValueError(
                    f"{which} are of another world than the fitted data of that name: {changed} differ. Give "
                    f"{remedy.format('world')} to score them in the fitted one"
                )
        simulated = data.labels.rewards and fitted.labels.rewards
        if rewards and simulated and data.labels.rewards[number] != fitted.labels.rewards[known[name]]:
            raise ValueError(
                f"{which} were simulated with another reward than the fitted data of that name. Give "
                f"{remedy.format('reward')} to score them with the fitted one"
            )


def _changed(one: World, other: World) -> str:
    """What differs between two worlds in which an agent would plan; empty where nothing does."""
    if one is other:
        return ""
    parts = ("successors", "probabilities", "available", "terminal", "discount")
    found = [(np.asarray(getattr(one.mdp, name)), np.asarray(getattr(other.mdp, name))) for name in parts]
    return ", ".join(name for name, pair in zip(parts, found, strict=True) if not np.array_equal(*pair))


def _check_names(which: str, read: World, world: World, states: np.ndarray, actions: np.ndarray) -> None:
    remedy = "read or simulate them in the world that they are fitted in"
    for s in np.unique(states).tolist():
        if not same_place(read, world, s):
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
