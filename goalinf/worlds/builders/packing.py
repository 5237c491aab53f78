"""Common functions of builders: packing transitions, ordering names, resolving terminal and initial states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jax.typing import ArrayLike

from goalinf.checks import as_number
from goalinf.sizes import check_world
from goalinf.types import InitialStates, Numbers, States
from goalinf.worlds.names import Names, label, plain

_ROUNDINGS = 8  # rounding errors allowed in the sum of a row in float32, however short it is


def pack(
    s: Numbers, a: Numbers, t: Numbers, p: Numbers, n_states: int, n_actions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Make arrays ``successors`` and ``probabilities`` ``(S, A, K)`` from a list of steps s, a -> t of probability p.

    The successors of a row are sorted and unique (probabilities of repeated ones are added up); K is the longest row.
    """
    s, a, t, p = np.asarray(s, np.int64), np.asarray(a, np.int64), np.asarray(t, np.int64), np.asarray(p, np.float64)
    key = (s * n_actions + a) * n_states + t
    order = np.argsort(key, kind="stable")
    key = key[order]
    group_starts = np.flatnonzero(np.diff(key, prepend=-1))
    row, target = np.divmod(key[group_starts], n_states)
    slot = np.arange(len(row)) - np.searchsorted(row, row)
    width = int(slot.max(initial=0)) + 1
    check_world(n_states, n_actions, width)
    successors = np.repeat(np.arange(n_states, dtype=np.int32), n_actions * width).reshape(-1, width)
    probabilities = np.zeros((n_states * n_actions, width))
    if len(group_starts):
        successors[row, slot] = target
        probabilities[row, slot] = np.add.reduceat(p[order], group_starts)
    shape = (n_states, n_actions, width)
    return successors.reshape(shape), probabilities.reshape(shape)


def renormalized(probabilities: np.ndarray, original: Numbers | States | None) -> np.ndarray:
    """Convert rows to float64, divided by their sums where they were in float32 and sum to one within its precision."""
    if getattr(original, "dtype", None) != np.float32:
        return probabilities
    total = probabilities.sum(axis=-1, keepdims=True)
    normalized = is_one_in_float32(total, probabilities.shape[-1])
    return np.divide(probabilities, total, out=probabilities.copy(), where=normalized)


def is_one_in_float32(total: np.ndarray, count: ArrayLike) -> np.ndarray:
    """Return True where sums are one up to the rounding of ``count`` numbers in float32."""
    return np.abs(total - 1) <= float(np.finfo(np.float32).eps) * np.maximum(_ROUNDINGS, count)


def ordered(names: Iterable[Any]) -> list[Any]:
    """Return each name once: sorted where they can be sorted, else in order of appearance."""
    once = list(dict.fromkeys(plain(name) for name in names))
    try:
        return sorted(once)
    except TypeError:
        return once


def terminal_mask(names: Names, terminal: States | None) -> np.ndarray:
    """Return the mask of the states in ``terminal``: one name, several names, a string of marks, or a mask."""
    mask = np.zeros(len(names.states), bool)
    try:
        for key in names.split(() if terminal is None else terminal):
            mask[names.cells(key)] = True
    except ValueError as error:
        raise ValueError(f"terminal: {error}") from None
    return mask


def initial_distribution(names: Names, initial: InitialStates | None, otherwise: np.ndarray) -> np.ndarray:
    """Return the distribution of the first state ``(S,)``.

    ``initial`` is a name or several (uniform over what they name), a mapping from names to probabilities (a mark
    shares its probability evenly among its cells), one probability per state, or None: uniform over the mask
    ``otherwise``.
    """
    n_states = len(names.states)
    if initial is None:
        if not otherwise.any():
            raise ValueError("every state is terminal, so that no episode can start; expected a state that is not")
        return otherwise / otherwise.sum()
    try:
        if isinstance(initial, (Mapping, pd.Series)):
            shares = [(names.cells(key), as_number(f"the probability of {key!r}", p)) for key, p in initial.items()]
        elif _are_probabilities(names, initial):
            values = renormalized(np.asarray(initial, np.float64), initial)
            if values.shape != (n_states,):
                raise ValueError(f"{values.size} probabilities for {n_states} states; give one per state")
            return values
        else:
            cells = [i for key in names.split(initial) for i in names.cells(key)]
            twice = next((names.states[i] for i, count in Counter(cells).items() if count > 1), None)
            if twice is not None:
                raise ValueError(f"state {label(twice)} is named twice; probabilities are floats, one per state")
            if not cells:
                raise ValueError("no state is named; name at least one, or leave initial out")
            shares = [(cells, 1.0)]
    except ValueError as error:
        raise ValueError(f"initial: {error}") from None
    distribution = np.zeros(n_states)
    for cells, share in shares:
        distribution[cells] += share / len(cells)
    return distribution


def _are_probabilities(names: Names, initial: InitialStates | None) -> bool:
    if names.known(initial) or isinstance(initial, str) or not isinstance(initial, Iterable):
        return False
    kind = getattr(getattr(initial, "dtype", None), "kind", None)
    return kind == "f" or (kind is None and any(isinstance(plain(part), float) for part in initial))


def place_nodes(positions: Mapping[Any, Numbers] | Numbers | None, states: tuple[Hashable, ...]) -> np.ndarray | None:
    """Return plot coordinates ``(S, 2)`` from a mapping name -> (x, y) or an array in the order of the states."""
    if positions is None:
        return None
    if isinstance(positions, Mapping):
        keyed = {plain(name): position for name, position in positions.items()}
        unplaced = [label(name) for name in states if name not in keyed]
        if unplaced:
            raise ValueError(f"positions: state {unplaced[0]} has none ({len(unplaced)} missing); give every state one")
        positions = [keyed[name] for name in states]
    placed = np.asarray(positions, np.float64)
    if placed.shape != (len(states), 2):
        raise ValueError(f"positions: found shape {placed.shape}; expected ({len(states)}, 2), one (x, y) per state")
    return placed
