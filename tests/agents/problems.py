"""Worlds of every kind, small and large, and random problems with what the oracles take."""

import golden
import jax
import networkx as nx
import numpy as np
import oracles
from hypothesis import strategies as st

import goalinf as gi

S, A = 6, 3
G3 = gi.from_arrays(golden.G3_P, discount=golden.G3_DISCOUNT)
G3_REWARD = gi.ActionReward(golden.G3_R)
AGENTS = {"mce": gi.agents.soft_optimal, "boltzmann_q": gi.agents.boltzmann}
seeds = st.integers(0, 2**32 - 1)


def to_the_hub(states=60, discount=0.8):
    """From everywhere one can go home, to state 0, or on to a random place: one place that all lead to."""
    first = np.random.default_rng(4).integers(1, states, size=states)
    onward = np.stack([first, 1 + (first + 6) % (states - 1)], axis=1)
    successors = np.stack([np.stack([np.zeros(states, int), onward[:, 0]], axis=1), onward], axis=1)
    probabilities = np.broadcast_to([[0.7, 0.3], [0.6, 0.4]], successors.shape)
    return gi.from_arrays(successors=successors, probabilities=probabilities, initial=[0], discount=discount)


WORLDS = {
    "maze": gi.gridworld("s..#\n.#..\n..ab", discount=0.95, slip=0.2, terminal="b"),
    "graph": gi.graph_world(nx.balanced_tree(2, 3), initial=0, discount=0.9),
    "memory": gi.with_memory(gi.gridworld("s..\n...", discount=0.9)),
    "garnet": gi.garnet(jax.random.key(1), states=40, actions=3, branching=4, discount=0.999),
    "star": gi.graph_world(nx.star_graph(40), initial=0, discount=0.8),
    "hub": to_the_hub(),
}

GRID = gi.gridworld("\n".join(["." * 19 + "b"] + ["..#.." * 4] * 12), discount=0.999, slip=0.2, terminal="b")
LARGE = {
    "grid": GRID,
    "garnet": gi.garnet(jax.random.key(2), states=300, actions=3, branching=4, discount=0.9),
    "tree": gi.graph_world(nx.balanced_tree(3, 5), initial=0, discount=0.99),
}


def random_problem(seed, discount, terminal=True):
    """Dense transitions with holes, unavailable actions, a terminal state: a world and what the oracles take."""
    rng = np.random.default_rng(seed)
    P = oracles.random_law(rng, S, A, S) * (rng.random((S, A, S)) < 0.6)
    P[0, 0] = oracles.random_law(rng, S)  # possible everywhere: every world then has arrays of one shape
    P[np.arange(S), :, rng.permutation(S)] += 0.05
    P /= P.sum(-1, keepdims=True)
    available = rng.random((S, A)) < 0.7
    available[np.arange(S), rng.integers(A, size=S)] = True
    available[0, 0] = True
    ends = np.arange(S) == (S - 1 if terminal else S)
    return gi.from_arrays(P, available=available, terminal=ends, discount=discount), P, available, ends, rng
