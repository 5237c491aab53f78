"""Is this a world? Names that fit the numbers, rows that sum to one, a discount in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import check_names, label

_World = Any  # a World, whose class is built on this module
_SUM_TOLERANCE = 1e-9
_BELIEF_TOLERANCE = 1e-6  # beliefs may be computed in float32


def validate(world: _World) -> None:
    """Raise a ValueError where the names do not fit the numbers or the numbers are no MDP."""
    _check_names(world)
    mdp, states = world.mdp, world.states
    n_states = mdp.n_states
    discount = float(mdp.discount)
    if not 0.0 <= discount <= 1.0:
        raise ValueError(f"discount is {discount:g}; expected a number in [0, 1]")
    negative = ~np.isfinite(mdp.initial) | (mdp.initial < 0)
    if negative.any():
        i = int(negative.argmax())
        raise ValueError(f"the initial probability of state {label(states[i])} is {mdp.initial[i]}; expected 0 or more")
    if abs(mdp.initial.sum() - 1) > _SUM_TOLERANCE:
        raise ValueError(f"the initial probabilities sum to {mdp.initial.sum():.12g}; expected 1: divide by the sum")
    invalid = (mdp.successors < 0) | (mdp.successors >= n_states)
    if invalid.any():
        s, a, k = np.argwhere(invalid)[0].tolist()
        transition = f"{_location(world, s, a)} leads to state number {mdp.successors[s, a, k]}"
        raise ValueError(f"{transition}; expected a number from 0 to {n_states - 1}")
    check_rows(mdp, partial(_location, world), _SUM_TOLERANCE)
    stuck = ~mdp.terminal & ~mdp.available.any(1)
    if stuck.any():
        examples = ", ".join(label(states[i]) for i in np.flatnonzero(stuck)[:5])
        raise ValueError(f"no action is available in state {examples}: mark it terminal, or give it a way on")


def check_believed(mdp: MDP, world: _World) -> None:
    """Refuse an MDP that an agent believes in where a row of an available action is no distribution."""

    def location(s: int, a: int) -> str:
        named = mdp.n_states == len(world.states)  # other states have no names
        return f"the agent believes that {_location(world, s, a) if named else f'state number {s}, action number {a}'}"

    check_rows(mdp, location, _BELIEF_TOLERANCE)


def check_rows(mdp: MDP, location: Callable[[int, int], str], tolerance: float) -> None:
    """Refuse an MDP where a row of an available action is no distribution; ``location`` names a row.

    Raises
    ------
    ValueError
        Where a probability is negative or not a number, or a row does not sum to one.
    """
    probabilities = np.asarray(mdp.probabilities)
    live = np.asarray(mdp.available & ~mdp.terminal[:, None])
    faulty = live & (~np.isfinite(probabilities).all(2) | (probabilities < 0).any(2))
    if faulty.any():
        row = location(*np.argwhere(faulty)[0].tolist())
        raise ValueError(f"{row} has a probability below 0 or not a number; correct it{_count_of_faults(faulty)}")
    unnormalized = live & (np.abs(probabilities.sum(2) - 1) > tolerance)
    if unnormalized.any():
        s, a = np.argwhere(unnormalized)[0].tolist()
        total = probabilities[s, a].sum()
        remedy = "make the action unavailable there" if total == 0 else "correct the row, or divide it by its sum"
        raise ValueError(
            f"{location(s, a)} has probabilities that sum to {total:.12g}; expected 1: {remedy}"
            f"{_count_of_faults(unnormalized)}"
        )


def _check_names(world: _World) -> None:
    n_states, n_actions = world.mdp.available.shape
    if len(world.states) != n_states:
        raise ValueError(f"{len(world.states)} state names for {n_states} states; give one name per state")
    check_names(world.states, "states")
    if world.marks is not None and len(world.marks) != n_states:
        raise ValueError(f"{len(world.marks)} marks for {n_states} states; give one per state")
    if world.positions is not None and np.shape(world.positions) != (n_states, 2):
        raise ValueError(f"positions have shape {np.shape(world.positions)}; expected ({n_states}, 2)")
    if not world.local_actions:
        if len(world.actions) != n_actions:
            raise ValueError(f"{len(world.actions)} action names for {n_actions} actions; give one name per action")
        check_names(world.actions, "actions")
        return
    if len(world.actions) != n_states:
        raise ValueError(
            f"action names that are tuples mean one tuple per state: found {len(world.actions)} for {n_states} states; "
            "name actions with text or numbers where all states share them"
        )
    for i, names in enumerate(world.actions):
        if len(names) != n_actions:
            raise ValueError(f"state {label(world.states[i])} has {len(names)} action names; expected {n_actions}")
        check_names([name for name in names if name is not None], f"actions of state {label(world.states[i])}")
    named = np.array([[name is not None for name in names] for names in world.actions])
    if (named != world.mdp.available).any():
        s, a = np.argwhere(named != world.mdp.available)[0].tolist()
        fault = "has a name but is not available" if named[s, a] else "is available but has no name"
        raise ValueError(
            f"action number {a} of state {label(world.states[s])} {fault}; name what is available, no more"
        )


def _count_of_faults(faults: np.ndarray) -> str:
    return f" ({faults.sum()} rows have this fault; this is the first)" if faults.sum() > 1 else ""


def _location(world: _World, s: int, a: int) -> str:
    return f"state {label(world.states[s])}, action {label(world.action_names(s)[a])}"
