"""Small worlds whose nullities are known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from oracles import random_law


class Specimen(NamedTuple):
    """Transitions with what is known about them. `period` is None where the graph is not strongly connected."""

    P: np.ndarray
    nullity: int  # of r[s, a]: S
    kappa: int  # of state rewards; of r[s, a] at two discounts
    period: int | None
    kappa_inf: int  # of r[s, a] with policies of an endless finite horizon


def moves(successors: Sequence[Sequence[int]]) -> np.ndarray:
    """Deterministic transitions from a table: successors[s][a]."""
    P = np.zeros((len(successors), len(successors[0]), len(successors)))
    for s, row in enumerate(successors):
        for a, t in enumerate(row):
            P[s, a, t] = 1.0
    return P


def ring(n: int) -> np.ndarray:
    """n states in a circle, one step left or right."""
    return moves([[(s - 1) % n, (s + 1) % n] for s in range(n)])


def grid(side: int, *, wrap: bool = False, stay: bool = False) -> np.ndarray:
    """A square of cells, row by row: up, down, left, right (and stay); at the border wrap around, or bump and stay."""
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)] + [(0, 0)] * stay
    successors = []
    for row, column in itertools.product(range(side), repeat=2):
        places = [(row + dy, column + dx) for dy, dx in steps]
        if wrap:
            places = [(y % side, x % side) for y, x in places]
        else:
            places = [(min(max(y, 0), side - 1), min(max(x, 0), side - 1)) for y, x in places]
        successors.append([y * side + x for y, x in places])
    return moves(successors)


def exogenous(n_controlled: int, law: np.ndarray) -> np.ndarray:
    """State (k, z): the action is the next k, and z moves by its own law."""
    n_z = len(law)
    P = np.zeros((n_controlled * n_z, n_controlled, n_controlled * n_z))
    for k, z, a, y in itertools.product(range(n_controlled), range(n_z), range(n_controlled), range(n_z)):
        P[k * n_z + z, a, a * n_z + y] = law[z, y]
    return P


def zoo() -> dict[str, Specimen]:
    """Small worlds with known nullities."""
    rng = np.random.default_rng(0)
    no_choice = np.repeat(random_law(rng, 4, 1, 4), 3, axis=1)
    switches = moves([[0, 1], [1, 0], [2, 3], [3, 2]])
    return {
        "bandit": Specimen(np.ones((1, 3, 1)), 1, 1, 1, 1),
        "stay or switch": Specimen(moves([[0, 1], [1, 0]]), 2, 1, 1, 1),
        "ring of 3": Specimen(ring(3), 3, 1, 1, 1),
        "ring of 4": Specimen(ring(4), 4, 2, 2, 2),
        "ring of 6": Specimen(ring(6), 6, 2, 2, 2),
        "torus of 3": Specimen(grid(3, wrap=True), 9, 1, 1, 1),
        "torus of 4": Specimen(grid(4, wrap=True), 16, 2, 2, 2),
        "torus of 4 with stay": Specimen(grid(4, wrap=True, stay=True), 16, 1, 1, 1),
        "grid of 3": Specimen(grid(3), 9, 1, 1, 1),
        "triangle": Specimen(moves([[1, 1], [2, 2], [0, 1]]), 3, 2, 1, 1),
        "cycle of 4 with a chord": Specimen(moves([[1, 1], [2, 2], [3, 3], [0, 1]]), 4, 3, 1, 1),
        "chain with an absorbing end": Specimen(moves([[1, 0], [2, 0], [2, 2]]), 3, 1, None, 1),
        "two disconnected switches": Specimen(switches, 4, 2, None, 2),
        "no choice": Specimen(no_choice, 4, 4, 1, 4),
        "exogenous": Specimen(exogenous(3, random_law(rng, 2, 2)), 6, 2, 1, 2),
        "random": Specimen(random_law(rng, 5, 2, 5), 5, 1, 1, 1),
    }
