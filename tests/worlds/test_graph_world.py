"""Worlds from graphs."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from goalinf.worlds import graph_world


def test_one_action_per_edge_named_by_the_node_it_leads_to():
    world = graph_world(nx.DiGraph([(2, 0), (0, 1), (1, 2), (1, 0)]), discount=0.9)
    assert world.states == (0, 1, 2)
    assert world.actions == ((1, None), (0, 2), (0, None))
    assert world.local_actions
    assert world.layout == "graph"
    assert world.mdp.available.tolist() == [[True, False], [True, True], [True, False]]
    assert world.mdp.dense()[1].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert world.mdp.initial == pytest.approx([1 / 3] * 3)
    assert world.action_index(2, state=1) == 1
    with pytest.raises(ValueError, match="unknown action 1 in state 2: the actions are 0"):
        world.action_index(1, state=2)
    with pytest.raises(ValueError, match="every state has its own actions: say which state"):
        world.action_index(1)


def test_undirected_edges_go_both_ways_and_staying_comes_last():
    world = graph_world(nx.path_graph(3), stay=True, discount=0.9)
    assert world.actions == ((1, "stay", None), (0, 2, "stay"), (1, "stay", None))
    assert world.mdp.dense()[1].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_a_single_node_stays():
    world = graph_world(nx.empty_graph(1), stay=True, discount=0.9)
    assert world.actions == (("stay",),)
    assert world.mdp.dense().tolist() == [[[1.0]]]


def test_names_of_nodes():
    edges = pd.DataFrame({"state": [10, 2], "next_state": [2, 10]})
    world = graph_world(nx.from_pandas_edgelist(edges, "state", "next_state", create_using=nx.DiGraph), discount=0.9)
    assert world.states == (2, 10)
    assert all(type(name) is int for name in world.states)
    assert world.coords()["state"].tolist() == [2, 10]
    assert graph_world(nx.Graph([("b", "a")]), discount=0.9).states == ("a", "b")
    assert graph_world(nx.Graph([("b", 1)]), discount=0.9).states == ("b", 1)  # cannot be sorted
    grid = graph_world(nx.grid_graph((2, 2)), terminal=(0, 1), discount=0.9)
    assert grid.mdp.terminal.tolist() == [False, True, False, False]
    with pytest.raises(ValueError, match="unknown state 3: the 2 states are numbers from 2 to 10"):
        world.index(3)
    with pytest.raises(ValueError, match="unknown state 'water': did you mean Water"):
        graph_world(nx.Graph([("Water", "home")]), discount=0.9).index("water")


def test_edges_that_may_fail():
    graph = nx.DiGraph()
    graph.add_edge(0, 1, works=0.75)
    graph.add_edge(1, 0, works=1.0)
    graph.add_edge(1, 1, works=0.5)
    world = graph_world(graph, probability="works", discount=0.9)
    np.testing.assert_array_equal(world.mdp.dense()[0, 0], [0.25, 0.75])
    np.testing.assert_array_equal(world.mdp.dense()[1], [[1, 0], [0, 1]])
    assert world.mdp.probabilities[1, 1].max() == 1.0  # failing to stay is staying: one successor, not two


def test_terminal_nodes_only_stay():
    world = graph_world(nx.path_graph(4), terminal=(0, 3), discount=1)
    assert world.actions == (("stay", None), (0, 2), (1, 3), ("stay", None))
    assert world.mdp.terminal.tolist() == [True, False, False, True]
    assert world.mdp.initial.tolist() == [0, 0.5, 0.5, 0]
    assert (world.mdp.dense()[0, :, 0] == 1).all()
    sink = graph_world(nx.DiGraph([(0, 1)]), terminal=1, initial={0: 1.0}, discount=1)
    assert sink.mdp.available.tolist() == [[True], [True]]


def test_positions():
    graph = nx.path_graph(2)
    assert graph_world(graph, discount=1).positions is None
    assert graph_world(graph, positions={1: (3, 4), 0: (1, 2)}, discount=1).positions.tolist() == [[1, 2], [3, 4]]
    assert graph_world(graph, positions=[(1, 2), (3, 4)], discount=1).positions.tolist() == [[1, 2], [3, 4]]
    nx.set_node_attributes(graph, {0: (5, 6), 1: (7, 8)}, "pos")
    assert graph_world(graph, discount=1).positions.tolist() == [[5, 6], [7, 8]]
    with pytest.raises(ValueError, match=r"positions: state 1 has none \(1 missing\); give every state one"):
        graph_world(graph, positions={0: (1, 2)}, discount=1)
    with pytest.raises(ValueError, match=r"positions: found shape \(2, 3\); expected \(2, 2\)"):
        graph_world(graph, positions=np.zeros((2, 3)), discount=1)


def test_later_changes_of_the_graph_do_not_reach_the_world():
    graph = nx.path_graph(2)
    world = graph_world(graph, discount=1)
    graph.add_edge(1, 2)
    assert set(world.source.nodes) == {0, 1}


def chance(value):
    graph = nx.DiGraph()
    graph.add_edge("a", "b", **({} if value is None else {"p": value}))
    return graph


@pytest.mark.parametrize(
    ("graph", "options", "said"),
    [
        (nx.MultiDiGraph([(0, 1)]), {}, "parallel edges; merge them: networkx.Graph"),
        (nx.Graph(), {}, "the graph has no nodes; add some"),
        (nx.DiGraph([(0, 1)]), {}, "node 1 has no outgoing edge: name it in terminal= .* stay=True, or add an edge"),
        (
            nx.DiGraph([(0, 0)]),
            {"stay": True},
            "node 0 has an edge to itself and stay=True adds another; leave one out",
        ),
        (nx.Graph([("stay", "go")]), {"stay": True}, "node go has an edge to a node named 'stay'; rename that"),
        (
            chance(None),
            {"probability": "p", "stay": True},
            "edge a -> b has no attribute 'p'; give every edge its probability",
        ),
        (chance(1.5), {"probability": "p", "stay": True}, "p of edge a -> b is 1.5; expected a probability"),
        (chance(1.0), {"stay": True, "terminal": "c"}, "terminal: unknown state 'c'"),
        (chance(1.0), {"stay": True, "terminal": ["a", "b"]}, "every state is terminal"),
        (chance(1.0), {"stay": True, "initial": 3}, "initial: unknown state 3"),
        (chance(1.0), {"stay": True, "discount": -0.1}, "discount is -0.1"),
    ],
)
def test_wrong_input(graph, options, said):
    with pytest.raises(ValueError, match=said):
        graph_world(graph, **{"discount": 0.9, **options})


def test_the_labyrinth_of_the_mice(shared):
    folder = shared / "labyrinth_mice_rewarded"
    moves = pd.read_csv(folder / "transitions.csv").query("moves == 1")
    graph = nx.from_pandas_edgelist(moves, "state", "next_state", create_using=nx.DiGraph)
    maze = graph_world(graph, stay=True, discount=0.9)
    assert maze.states == tuple(range(127))  # a binary tree of six levels
    assert maze.n_actions == 4
    leaves = [i for i in range(127) if maze.mdp.available[i].sum() == 2]
    assert leaves == list(range(63, 127))
    assert maze.check().empty
