r"""What a choice can influence: the controllability deficit, and the graph of states that are alternatives.

Stack the differences between the transition rows of the actions of each state,
:math:`D = [P(\cdot \mid s,a) - P(\cdot \mid s,a_1)]`. A feature :math:`v` with :math:`Dv = 0` has an expectation, one
step ahead, that no choice changes; the rewards built from such features are those that a policy cannot show.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from goalinf.agents.derivatives import kernel
from goalinf.worlds import MDP, World

_TOLERANCE = 1e-9  # probabilities are of order one


def controllability_deficit(world: World) -> int:
    r"""How many independent features of the next state no choice influences, :math:`\kappa = S - \mathrm{rank}\,D`.

    It is the dimension of what behavior cannot show of a state reward, with every state visited, beta and the
    discount known, and a discount above zero. Without terminal states it is at least 1, the constant. Where
    episodes end, features are zero on terminal states (their value is given) and S counts the others; then it can
    be 0: that ending is an alternative to going on fixes the constant too.

    Parameters
    ----------
    world : World
        The world; differences are taken between available actions only.

    Returns
    -------
    int

    References
    ----------
    For deterministic worlds this is the condition of decomposability of Fu, Luo and Levine (2018), turned into a
    number; compare :func:`co_successor_components`.

    Examples
    --------
    On a ring with moves to both sides only, an even number of states splits in two like a checkerboard:

    >>> import networkx as nx, goalinf as gi
    >>> [controllability_deficit(gi.graph_world(nx.cycle_graph(n), discount=0.9)) for n in (3, 4, 5, 6)]
    [1, 2, 1, 2]
    """
    live = ~world.mdp.terminal
    return kernel(action_differences(world.mdp)[:, live], _TOLERANCE).dimension


def action_differences(mdp: MDP) -> np.ndarray:
    """D: rows of available actions minus that of the first available one, over states that have not ended, ``(R, S)``."""
    dense = mdp.dense()
    can = mdp.available & ~mdp.terminal[:, None]
    first = dense[np.arange(mdp.n_states), can.argmax(1)]
    return (dense - first[:, None])[can]


def co_successor_components(world: World) -> int:
    r"""Number of connected components of the graph that joins two states if some state can lead to both in one step.

    For deterministic worlds without terminal states it equals :func:`controllability_deficit`; for stochastic ones it
    is a lower bound.

    Parameters
    ----------
    world : World
        The world. Terminal states count as one: they are worth the same, nothing; components are counted
        besides theirs.

    Returns
    -------
    int

    Examples
    --------
    >>> import networkx as nx, goalinf as gi
    >>> co_successor_components(gi.graph_world(nx.cycle_graph(6), discount=0.9))
    2
    """
    mdp = world.mdp
    end = world.n_states
    graph = nx.Graph()
    graph.add_nodes_from(np.flatnonzero(~mdp.terminal).tolist())
    if mdp.terminal.any():
        graph.add_node(end)
    for state in np.flatnonzero(~mdp.terminal).tolist():
        possible = (mdp.probabilities[state] > 0) & mdp.available[state][:, None]
        reached = [end if mdp.terminal[t] else t for t in np.unique(mdp.successors[state][possible]).tolist()]
        nx.add_path(graph, reached)
    return nx.number_connected_components(graph) - int(mdp.terminal.any())
