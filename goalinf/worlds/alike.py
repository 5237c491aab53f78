"""Comparison of worlds: a number identifies the same state or action in two worlds only where the names agree."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from goalinf.worlds.names import label
from goalinf.worlds.world import World


def same_place(one: World, other: World, s: int) -> bool:
    """Return True where a number is the same state in two worlds; on maps a cell may carry a mark in one of them."""
    if one.states[s] == other.states[s] or s in (one.names.find(other.states[s]), other.names.find(one.states[s])):
        return True
    if not one.layout == other.layout == "map" or one.positions is None or other.positions is None:
        return False
    return bool(np.array_equal(one.positions[s], other.positions[s]))


@lru_cache(maxsize=256)
def different_place(one: World, other: World, axes: frozenset[str]) -> str:
    """Describe the first state, action or successor whose number differs in meaning between worlds; empty if none.

    Parameters
    ----------
    one, other : World
        Worlds of equal size.
    axes : frozenset of str
        Axes of the numbers: ``state``, ``action``, ``successor``.
    """
    if "state" not in axes:
        return ""
    if one.states != other.states:
        for s in range(one.n_states):
            if not same_place(one, other, s):
                return f"state number {s} is {label(one.states[s])!r} in one and {label(other.states[s])!r} in another"
    if "action" in axes and one.actions != other.actions:
        for s in range(one.n_states):
            for a, (first, second) in enumerate(zip(one.action_names(s), other.action_names(s), strict=True)):
                if first != second and None not in (first, second):
                    place = f"action number {a} in state {label(one.states[s])!r}"
                    return f"{place} is {label(first)!r} in one and {label(second)!r} in another"
    if "successor" in axes and not np.array_equal(one.mdp.successors, other.mdp.successors):
        return "the successors, to which rewards of transitions refer, differ"
    return ""
