"""Checks of the worlds and the prior of a belief world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from goalinf.checks import check_kind
from goalinf.types import Real
from goalinf.worlds.names import label
from goalinf.worlds.world import World

_TOLERANCE = 1e-9


def check_worlds(worlds: Mapping[Any, World]) -> World:
    """Check that the worlds differ only in their transitions, and return the first one.

    Raises
    ------
    ValueError, TypeError
        Where there is none, one of them is no world or has a memory, or they differ in more than transitions.
    """
    check_kind("worlds", worlds, Mapping, "a mapping from name to World, such as {'open': …, 'closed': …}")
    if not worlds:
        raise ValueError("worlds is empty; expected at least one, such as {'open': …, 'closed': …}")
    base_name, base = next(iter(worlds.items()))
    for name, world in worlds.items():
        check_kind(f"worlds[{name!r}]", world, World, "a World, such as gi.gridworld makes")
        if world.memory is not None:
            raise ValueError(f"worlds[{name!r}] has states with a memory or a belief; give a world without them")
        if world.states != base.states:
            raise ValueError(
                f"worlds[{name!r}] {_states(world, base)} worlds[{base_name!r}]; give both the same states"
            )
        if world.actions != base.actions:
            raise ValueError(
                f"worlds[{name!r}] has other actions than worlds[{base_name!r}]; give both the same actions"
            )
        for quantity, remedy in (
            ("available", "make an action that fails in one world leave the state unchanged there"),
            ("terminal", "give both the same terminal states"),
            ("initial", "make the first step lead to the states that differ"),
        ):
            actual, expected = (np.asarray(getattr(compared.mdp, quantity), float) for compared in (world, base))
            if (differs := abs(actual - expected) > _TOLERANCE).any():
                index = np.argwhere(differs)[0]
                raise ValueError(
                    f"worlds[{name!r}] and worlds[{base_name!r}] differ in {quantity} at state "
                    f"{label(base.states[index[0]])}: {actual[tuple(index)]:g} and {expected[tuple(index)]:g}; "
                    f"worlds may differ in their transitions only: {remedy}"
                )
        if world.mdp.discount != base.mdp.discount:
            raise ValueError(
                f"worlds[{name!r}] has discount {float(world.mdp.discount):g}, worlds[{base_name!r}] has "
                f"{float(base.mdp.discount):g}; worlds may differ in their transitions only"
            )
    return base


def _states(world: World, base: World) -> str:
    if world.n_states != base.n_states:
        return f"has {world.n_states} states, not {base.n_states} like"
    i = next(i for i, (a, b) in enumerate(zip(world.states, base.states, strict=True)) if a != b)
    return f"names state number {i} {label(world.states[i])}, not {label(base.states[i])} like"


def check_prior(worlds: Mapping[Any, World], prior: Mapping[Any, Real]) -> np.ndarray:
    """Return the prior probability of every world, ``(W,)``.

    Raises
    ------
    ValueError, TypeError
        Where a name is unknown or missing, or the numbers are not probabilities.
    """
    names = ", ".join(map(repr, worlds))
    check_kind("prior", prior, Mapping, f"a mapping from the names of the worlds ({names}) to probabilities")
    for name in prior:
        if name not in worlds:
            raise ValueError(f"prior names {name!r}, which is no world; the worlds are {names}")
    for name in worlds:
        if name not in prior:
            raise ValueError(f"prior has no probability of {name!r}; give one for each of {names} (0 rules it out)")
    for name, chance in prior.items():
        if isinstance(chance, (str, bool)) or not np.ndim(chance) == 0 or not np.isfinite(chance) or chance < 0:
            raise ValueError(f"prior of {name!r} is {chance!r}; expected a number of at least 0")
    weights = np.array([prior[name] for name in worlds], float)
    if abs(weights.sum() - 1.0) > _TOLERANCE:
        raise ValueError(f"prior sums to {weights.sum():.9g}; expected 1: divide by the sum")
    return weights / weights.sum()
