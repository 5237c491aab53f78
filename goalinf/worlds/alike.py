"""Comparison of worlds: a number identifies the same state or action in two worlds only where the names agree."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from goalinf.worlds.names import label
from goalinf.worlds.world import World


def same_place(world: World, other: World, s: int) -> bool:
    """Return True where a number is the same state in two worlds; on maps a cell may carry a mark in one of them."""
    if world.states[s] == other.states[s]:
        return True
    if s in (world.names.find(other.states[s]), other.names.find(world.states[s])):
        return True
    if not world.layout == other.layout == "map" or world.positions is None or other.positions is None:
        return False
    return bool(np.array_equal(world.positions[s], other.positions[s]))


@lru_cache(maxsize=256)
def different_place(world: World, other: World, axes: frozenset[str]) -> str:
    """Describe the first state, action or successor whose number differs in meaning between worlds; empty if none.

    Parameters
    ----------
    world, other : World
        Worlds of equal size.
    axes : frozenset of str
        Axes of the numbers: ``state``, ``action``, ``successor``.
    """
    if "state" not in axes:
        return ""
    if world.states != other.states:
        for s in range(world.n_states):
            if not same_place(world, other, s):
                return (
                    f"state number {s} is {label(world.states[s])!r} in one and {label(other.states[s])!r} in another"
                )
    if "action" in axes and world.actions != other.actions:
        for s in range(world.n_states):
            for a, (name1, name2) in enumerate(zip(world.action_names(s), other.action_names(s), strict=True)):
                if name1 != name2 and None not in (name1, name2):
                    action = f"action number {a} in state {label(world.states[s])!r}"
                    return f"{action} is {label(name1)!r} in one and {label(name2)!r} in another"
    if "successor" in axes and not np.array_equal(world.mdp.successors, other.mdp.successors):
        return "the successors, to which rewards of transitions refer, differ"
    return ""
