r"""What a choice can influence: the controllability deficit, and the graph of states that are alternatives.

Stack the differences between the transition rows of the actions of each state,
:math:`D = [P(\cdot \mid s,a) - P(\cdot \mid s,a_1)]`. A feature :math:`v` with :math:`Dv = 0` has an expectation, one
step ahead, that no choice changes; the rewards built from such features are those that a policy cannot show.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from goalinf.checks import check_kind
from goalinf.identify.kernel import kernel
from goalinf.worlds import MDP, World

_TOLERANCE = 1e-9  # probabilities are of order one


def controllability_deficit(world: World) -> int:
    r"""How many independent features of the next state no choice influences, :math:`\kappa = S - \mathrm{rank}\,D`.

    It is the dimension of what behavior cannot show of a state reward that is collected on arrival, with every state
    visited and beta and the discount known; without terminal states, and with a discount above zero, also of one
    that is collected on departure. (Where episodes end, such features must be zero on terminal states to count for
    departure rewards: even the constant shows, for ending is an alternative to going on.)

    Parameters
    ----------
    world : World
        The world; differences are taken between available actions of states that are not terminal.

    Returns
    -------
    int
        At least 1: the constant.

    References
    ----------
    For deterministic worlds :math:`\kappa = 1` is the condition of decomposability of Fu, Luo and Levine (2018);
    compare :func:`co_successor_components`.

    Examples
    --------
    On a ring with moves to both sides only, an even number of states splits in two like a checkerboard:

    >>> import networkx as nx, goalinf as gi
    >>> [controllability_deficit(gi.graph_world(nx.cycle_graph(n), discount=0.9)) for n in (3, 4, 5, 6)]
    [1, 2, 1, 2]
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    return kernel(action_differences(world.mdp), _TOLERANCE).dimension


def action_differences(mdp: MDP) -> np.ndarray:
    """D: rows of available actions minus that of the first one, in states that are not terminal, ``(R, S)``."""
    dense = mdp.dense()
    can = mdp.available & ~mdp.terminal[:, None]
    first = dense[np.arange(mdp.n_states), can.argmax(1)]
    return (dense - first[:, None])[can]


def co_successor_components(world: World) -> int:
    """Number of connected components of the graph that joins two states if some state can lead to both in one step.

    For deterministic worlds it equals :func:`controllability_deficit`; for stochastic ones it is a lower bound.

    Parameters
    ----------
    world : World
        The world.

    Returns
    -------
    int

    Examples
    --------
    >>> import networkx as nx, goalinf as gi
    >>> co_successor_components(gi.graph_world(nx.cycle_graph(6), discount=0.9))
    2
    """
    graph = nx.empty_graph(world.n_states)
    after, into = world.edges()
    for state in np.unique(after):
        nx.add_path(graph, np.unique(into[after == state]).tolist())
    return nx.number_connected_components(graph)
