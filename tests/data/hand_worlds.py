"""Worlds made by hand, so that these tests need no builder."""

import numpy as np

from goalinf.worlds.mdp import MDP
from goalinf.worlds.world import Memory, World

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def grid_world(height, width, *, terminal=(), slip=0.0):
    """Cells named by position, four moves, none into the wall; with a slip, any other neighbor may follow."""
    cells = [(r, c) for r in range(height) for c in range(width)]
    number = {cell: i for i, cell in enumerate(cells)}
    successors, probabilities = np.zeros((len(cells), 4, 4), int), np.zeros((len(cells), 4, 4))
    available = np.zeros((len(cells), 4), bool)
    for i, (r, c) in enumerate(cells):
        near = [number.get((r + dr, c + dc), -1) for dr, dc in MOVES.values()]
        available[i] = np.array(near) >= 0
        successors[i] = np.where(available[i], near, i)
        probabilities[i] = np.where(available[i][None], slip / max(available[i].sum(), 1), 0.0)
        probabilities[i] += (1 - slip) * np.eye(4)
    ends = np.isin(np.arange(len(cells)), [number[cell] for cell in terminal])
    mdp = MDP.of(successors, probabilities, available, ends, np.full(len(cells), 1 / len(cells)), 0.9)
    return World(mdp, tuple(cells), tuple(MOVES))


def graph_of(edges, *, stay=False):
    """Nodes in sorted order, one action per edge named by the node it leads to, and "stay"."""
    nodes = sorted({node for edge in edges for node in edge})
    ways = {node: [b for a, b in edges if a == node] + ["stay"] * stay for node in nodes}
    most = max(len(way) for way in ways.values())
    successors, available = np.zeros((len(nodes), most, 1), int), np.zeros((len(nodes), most), bool)
    names = []
    for i, node in enumerate(nodes):
        for a, to in enumerate(ways[node]):
            successors[i, a, 0], available[i, a] = (i if to == "stay" else nodes.index(to)), True
        names.append((*ways[node], *[None] * (most - len(ways[node]))))
    start = np.full(len(nodes), 1 / len(nodes))
    mdp = MDP.of(successors, np.ones(successors.shape), available, np.zeros(len(nodes), bool), start, 0.9)
    return World(mdp, tuple(nodes), tuple(names))


def second_order(world):
    """The pairs (last state, this state) of a deterministic world whose every action is named per state."""
    possible = (world.mdp.probabilities > 0) & world.mdp.available[:, :, None]
    steps = {(s, int(world.mdp.successors[s, a, k])) for s, a, k in np.argwhere(possible)}
    pairs = [(-1, s) for s in range(world.n_states)] + sorted(steps)
    after = np.array([world.mdp.successors[s, :, 0] for _, s in pairs])
    number = {pair: i for i, pair in enumerate(pairs)}
    here = [s for _, s in pairs]
    successors = np.array([[number.get((s, int(t)), 0) for t in row] for s, row in zip(here, after, strict=True)])
    start = (np.arange(len(pairs)) < world.n_states) / world.n_states
    mdp = MDP.of(
        successors[:, :, None],
        np.ones((*successors.shape, 1)),
        world.mdp.available[here],
        np.zeros(len(pairs), bool),
        start,
        0.9,
    )
    states = tuple((None if p < 0 else world.states[p], world.states[s]) for p, s in pairs)
    return World(mdp, states, tuple(world.actions[s] for s in here), memory=Memory(world, np.array(pairs)))
