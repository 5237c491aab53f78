"""Layout of graphs without positions: trees as trees, other graphs by shortest paths."""

from __future__ import annotations

import networkx as nx
import numpy as np

_KAMADA_KAWAI = 400  # nodes; above, its cubic cost is too large


def compute(graph: nx.Graph) -> np.ndarray:
    """Compute coordinates ``(S, 2)`` of nodes 0 … S−1, equal in every run; connected components side by side."""
    plain = nx.Graph(graph)
    plain.remove_edges_from(list(nx.selfloop_edges(plain)))
    coordinates = np.zeros((len(plain), 2))
    x_offset = 0.0
    parts = sorted(nx.connected_components(plain), key=lambda part: (-len(part), min(part)))
    for part in parts:
        nodes = sorted(part)
        component = _connected(plain.subgraph(nodes), nodes)
        component = component - component.min(0)
        coordinates[nodes] = component + [x_offset, 0.0]
        x_offset += float(component[:, 0].max()) + 0.3 + 0.2 * np.sqrt(len(nodes))
    return coordinates


def _connected(graph: nx.Graph, nodes: list[int]) -> np.ndarray:
    if len(nodes) == 1:
        return np.zeros((1, 2))
    size = np.sqrt(len(nodes))
    if len(nodes) > 6 and nx.is_tree(graph):
        placed = _tree(graph)
    elif len(nodes) <= _KAMADA_KAWAI:
        placed = nx.kamada_kawai_layout(graph)
    else:
        placed = nx.spring_layout(graph, seed=0, iterations=80)
    coordinates = np.array([placed[node] for node in nodes], float)
    return coordinates * size / max(float(np.ptp(coordinates, axis=0).max()), 1e-9)


def _tree(graph: nx.Graph) -> dict[int, np.ndarray]:
    root = min(nx.center(graph))
    depths = nx.single_source_shortest_path_length(graph, root)
    deepest = max(depths.values())
    binary = max(degree for _, degree in graph.degree) <= 3 and graph.degree[root] <= 2
    full = len(graph) >= 0.6 * (2 ** (deepest + 1) - 1)
    return _halving(graph, root) if binary and full else _radial(graph, root, depths)


def _halving(graph: nx.Graph, root: int) -> dict[int, np.ndarray]:
    """Draw an H tree: branches turn by a right angle at every fork and shrink by the square root of two."""
    placed = {root: np.zeros(2)}
    level = [(root, -1)]
    step = np.array([1.0, 0.0])
    while level:
        following = []
        for node, parent in level:
            children = sorted(child for child in graph[node] if child != parent)
            for side, child in zip((-1, 1), children, strict=False):
                placed[child] = placed[node] + side * step
                following.append((child, node))
        level = following
        step = step[::-1] / np.sqrt(2.0)
    return placed


def _radial(graph: nx.Graph, root: int, depths: dict[int, int]) -> dict[int, np.ndarray]:
    """Place nodes on rings around the root; the arc of a subtree is proportional to its number of leaves."""
    order = list(nx.dfs_preorder_nodes(graph, root))
    parents = dict(nx.dfs_predecessors(graph, root))
    leaves = dict.fromkeys(order, 0)
    for node in reversed(order):
        leaves[node] = max(leaves[node], 1)
        if node in parents:
            leaves[parents[node]] += leaves[node]
    start_angle = {root: 0.0}
    assigned_angle = dict.fromkeys(order, 0.0)
    placed = {root: np.zeros(2)}
    unit = 2 * np.pi / leaves[root]
    for node in order[1:]:
        parent = parents[node]
        start_angle[node] = start_angle[parent] + assigned_angle[parent]
        assigned_angle[parent] += leaves[node] * unit
        angle = start_angle[node] + leaves[node] * unit / 2
        placed[node] = depths[node] * np.array([np.cos(angle), np.sin(angle)])
    return placed
