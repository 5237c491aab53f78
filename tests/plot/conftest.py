"""Worlds to draw: a map, a graph, and one with memory."""

import networkx as nx
import pytest
from pictures import ROOM

import goalinf as gi


@pytest.fixture(scope="module")
def room():
    return gi.gridworld(ROOM, terminal="b", discount=0.9)


@pytest.fixture(scope="module")
def ring():
    graph = nx.cycle_graph(4)
    return gi.graph_world(graph, stay=True, discount=0.9, positions=nx.circular_layout(graph))


@pytest.fixture(scope="module")
def memory():
    return gi.with_memory(gi.graph_world(nx.path_graph(3), stay=True, discount=0.9))
