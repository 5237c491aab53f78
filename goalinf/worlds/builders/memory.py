"""Second-order worlds, whose states contain the previous state."""

from __future__ import annotations

import numpy as np

from goalinf.checks import check_kind
from goalinf.sizes import check_world
from goalinf.worlds.mdp import MDP
from goalinf.worlds.world import Memory, World

_BACK = 0.25  # pairs are plotted at this share of the distance from their node to the previous one


def with_memory(world: World) -> World:
    r"""Make the second-order version of a world: a state is the pair (previous state, state).

    With P the transitions of ``world``,

    .. math:: P'((s, t) \mid (l, s), a) = P(t \mid s, a),

    so that a policy may depend on the previous state. There are pairs for all possible steps, and pairs (None, s) for
    the states s in which episodes start.

    Parameters
    ----------
    world : World
        The first-order world.

    Returns
    -------
    World
        States are named ``(previous, current)``; actions, terminal states and discount are those of ``world``. The name
        of a state of ``world`` names every pair with this current state, wherever a reward or goal is given by name.
        Data are read with the names of ``world``.

    Raises
    ------
    ValueError
        Where the memory of this machine cannot hold the pairs.

    Examples
    --------
    >>> import networkx as nx
    >>> from goalinf.worlds import graph_world
    >>> line = graph_world(nx.path_graph(3), initial=0, discount=0.9)
    >>> with_memory(line).states
    ((None, 0), (0, 1), (1, 0), (1, 2), (2, 1))
    """
    check_kind("world", world, World, "a World, such as gi.graph_world(graph, discount=0.9)")
    mdp = world.mdp
    s, t = world.edges()
    n_states = world.n_states
    starts = np.flatnonzero(mdp.initial > 0)
    keys = np.unique(np.concatenate([(s + 1) * n_states + t, starts]))  # the previous state counted from 1; 0 is none
    pairs = np.stack(np.divmod(keys, n_states), axis=1) - [1, 0]
    previous, current = pairs.T
    check_world(len(pairs), *mdp.successors.shape[1:])
    memory = Memory(world, pairs)
    next_pairs = memory.number(current[:, None, None], mdp.successors[current])  # −1 where a successor is impossible
    pair_mdp = MDP.of(
        successors=np.where(next_pairs < 0, np.arange(len(pairs))[:, None, None], next_pairs),
        probabilities=mdp.probabilities[current],
        available=mdp.available[current],
        terminal=mdp.terminal[current],
        initial=np.where(previous < 0, mdp.initial[current], 0.0),
        discount=mdp.discount,
    )
    return World(
        mdp=pair_mdp,
        states=tuple(
            (None if previous < 0 else world.states[previous], world.states[current])
            for previous, current in pairs.tolist()
        ),
        actions=tuple(world.actions[i] for i in current) if world.local_actions else world.actions,
        positions=_positions(world.positions, previous, current),
        memory=memory,
    )


def _positions(positions: np.ndarray | None, previous: np.ndarray, current: np.ndarray) -> np.ndarray | None:
    if positions is None:
        return None
    offset = np.where(previous[:, None] < 0, 0.0, positions[previous] - positions[current])
    return positions[current] + _BACK * offset
