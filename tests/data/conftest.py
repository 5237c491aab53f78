"""Worlds made by hand, so that these tests need no builder."""

import pytest
from hand_worlds import graph_of, grid_world


@pytest.fixture(scope="session")
def grid():
    """2 rows, 3 columns, terminal in the corner (1, 2)."""
    return grid_world(2, 3, terminal=[(1, 2)])


@pytest.fixture(scope="session")
def ring():
    """Four nodes 10, 20, 30, 40 in a circle, walked both ways; staying is possible."""
    circle = [(10, 20), (20, 30), (30, 40), (40, 10)]
    return graph_of(circle + [(b, a) for a, b in circle], stay=True)
