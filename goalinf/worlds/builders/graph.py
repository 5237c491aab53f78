"""Worlds from networkx graphs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import networkx as nx
import numpy as np

from goalinf.checks import check_flag, check_kind, check_number
from goalinf.types import InitialStates, Numbers, StateName, States
from goalinf.worlds.builders.packing import initial_distribution, ordered, pack, place_nodes, terminal_mask
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import Names, label, plain
from goalinf.worlds.world import World

_STAY = "stay"


def graph_world(
    graph: nx.Graph,
    *,
    stay: bool = False,
    probability: str | None = None,
    terminal: States | None = (),
    initial: InitialStates | None = None,
    discount: float | int,
    positions: Mapping[Any, Numbers] | Numbers | None = None,
) -> World:
    r"""Make a world whose states are the nodes of a graph and whose actions are its edges.

    The action named t, at node s, follows the edge from s to t; it succeeds with probability p, and otherwise the state
    does not change: :math:`P(t \mid s, t) = p`, :math:`P(s \mid s, t) = 1 - p`.

    Parameters
    ----------
    graph : networkx.Graph or networkx.DiGraph
        Undirected edges can be followed both ways. NumPy integers that name nodes become Python's.
    stay : bool
        Add the action ``"stay"`` at every node.
    probability : str, optional
        Name of the edge attribute with p. Default: p = 1.
    terminal : nodes
        Nodes in which the episode ends; their only action is ``"stay"``.
    initial : nodes, mapping from nodes to probabilities, or float (S,), optional
        Distribution of the first node. Default: uniform over all nodes that are not terminal.
    discount : float
        Discount factor per step, in [0, 1].
    positions : mapping from node to (x, y), or float (S, 2), optional
        Plot coordinates of the nodes. Default: the node attribute ``pos`` where every node has one; else plots compute
        a layout.

    Returns
    -------
    World
        States sorted where nodes can be sorted, else in the order of the graph; actions of a state in the
        order of the states they lead to, ``"stay"`` last.

    Raises
    ------
    ValueError
        Where the graph is empty or has parallel edges, a node has no outgoing edge, a node has an edge to itself
        although ``stay`` adds one, or an edge has no valid ``probability``.

    Examples
    --------
    >>> import networkx as nx
    >>> line = graph_world(nx.path_graph(3), stay=True, discount=0.9)
    >>> line.actions
    ((1, 'stay', None), (0, 2, 'stay'), (1, 'stay', None))
    >>> line.mdp.successors[1, line.action_index(2, state=1)]
    array([2], dtype=int32)
    """
    check_kind("graph", graph, nx.Graph, "a networkx graph, such as networkx.DiGraph([('a', 'b')])")
    check_flag("stay", stay)
    if graph.is_multigraph():
        raise ValueError(
            "the graph may have parallel edges; merge them: networkx.Graph(graph) or networkx.DiGraph(graph)"
        )
    if not len(graph):
        raise ValueError("the graph has no nodes; add some")
    states = tuple(ordered(graph.nodes))
    names = Names(states)
    ends = terminal_mask(names, terminal)
    edges = _edges(graph, names, probability)
    actions = _actions(states, edges, ends, stay)
    mdp = MDP.of(
        *_transitions(actions, edges, ends),
        available=[[name is not None for name in row] for row in actions],
        terminal=ends,
        initial=initial_distribution(names, initial, ~ends),
        discount=discount,
    )
    return World(
        mdp=mdp,
        states=states,
        actions=actions,
        layout="graph",
        positions=place_nodes(_positions(graph) if positions is None else positions, states),
        source=nx.freeze(graph.copy()),
    )


def _edges(graph: nx.Graph, names: Names, probability: str | None) -> list[dict[int, float]]:
    """List, for every state, the states at the end of its edges, in order, with their probabilities of success."""
    edges: list[dict[int, float]] = [{} for _ in names.states]
    for tail, head, attributes in graph.edges(data=True):
        chance = 1.0 if probability is None else _chance(tail, head, attributes, probability)
        s, t = names.index(tail), names.index(head)
        edges[s][t] = chance
        if not graph.is_directed():
            edges[t][s] = chance
    return [dict(sorted(out_edges.items())) for out_edges in edges]


def _chance(tail: StateName, head: StateName, attributes: Mapping[str, Any], probability: str) -> float:
    edge = f"edge {label(plain(tail))} -> {label(plain(head))}"
    if probability not in attributes:
        raise ValueError(f"{edge} has no attribute {probability!r}; give every edge its probability of success")
    return check_number(f"{probability} of {edge}", attributes[probability], 0.0, 1.0, "a probability, in [0, 1]")


def _actions(
    states: tuple[Hashable, ...], edges: list[dict[int, float]], ends: np.ndarray, stay: bool
) -> tuple[tuple[Hashable, ...], ...]:
    """List the names of the actions of every state, padded to one length: its edges, "stay", None."""
    rows: list[list[Hashable]] = []
    for s, name in enumerate(states):
        heads = [states[t] for t in edges[s]]
        if ends[s]:
            rows.append([_STAY])
            continue
        if not heads and not stay:
            raise ValueError(
                f"node {label(name)} has no outgoing edge: name it in terminal= if the episode ends there, "
                "give stay=True, or add an edge"
            )
        if stay and name in heads:
            raise ValueError(f"node {label(name)} has an edge to itself and stay=True adds another; leave one out")
        if stay and _STAY in heads:
            raise ValueError(
                f"node {label(name)} has an edge to a node named 'stay'; rename that or leave stay=True out"
            )
        rows.append(heads + [_STAY] * stay)
    width = max(len(row) for row in rows)
    return tuple((*row, *[None] * (width - len(row))) for row in rows)


def _transitions(
    actions: tuple[tuple[Hashable, ...], ...], edges: list[dict[int, float]], ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    transitions: list[tuple[int, int, int, float]] = []  # s, a, t, p
    for s, out_edges in enumerate(edges):
        if ends[s]:
            continue
        for a, (t, chance) in enumerate(out_edges.items()):
            transitions.append((s, a, t, chance))
            if chance < 1:
                transitions.append((s, a, s, 1 - chance))
        if len(actions[s]) > len(out_edges) and actions[s][len(out_edges)] == _STAY:
            transitions.append((s, len(out_edges), s, 1.0))
    tails, action_numbers, heads, chances = np.array(transitions).reshape(-1, 4).T
    return pack(tails, action_numbers, heads, chances, len(actions), len(actions[0]))


def _positions(graph: nx.Graph) -> dict[Hashable, Any] | None:
    placed = nx.get_node_attributes(graph, "pos")
    return placed if len(placed) == len(graph) else None
