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
    last, this = pairs.T
    check_world(len(pairs), *mdp.successors.shape[1:])
    memory = Memory(world, pairs)
    after = memory.number(this[:, None, None], mdp.successors[this])  # −1 where a successor is impossible
    second = MDP.of(
        successors=np.where(after < 0, np.arange(len(pairs))[:, None, None], after),
        probabilities=mdp.probabilities[this],
        available=mdp.available[this],
        terminal=mdp.terminal[this],
        initial=np.where(last < 0, mdp.initial[this], 0.0),
        discount=mdp.discount,
    )
    return World(
        mdp=second,
        states=tuple((None if last < 0 else world.states[last], world.states[this]) for last, this in pairs.tolist()),
        actions=tuple(world.actions[i] for i in this) if world.local_actions else world.actions,
        positions=_positions(world.positions, last, this),
        memory=memory,
    )


def _positions(positions: np.ndarray | None, last: np.ndarray, this: np.ndarray) -> np.ndarray | None:
    if positions is None:
        return None
    back = np.where(last[:, None] < 0, 0.0, positions[last] - positions[this])
    return positions[this] + _BACK * back
