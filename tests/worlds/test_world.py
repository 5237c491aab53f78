"""What a world says about itself, and what it refuses to be."""

import dataclasses

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import goalinf.worlds as worlds
from goalinf.worlds import World, from_arrays, graph_world, gridworld, label


def test_findings():
    world = gridworld("s.#.\n..#a\n####\nb#c#", terminal="bc", initial=["s", "c"], discount=0.9)
    found = world.check()
    assert list(found.columns) == ["finding", "state", "remedy"]
    said = set(zip(found["finding"], found["state"], strict=True))
    assert said == {
        ("unreachable", "0,3"),
        ("unreachable", "a"),
        ("unreachable", "b"),
        ("starts at the end", "c"),
    }
    trap = from_arrays([[[0.0, 1.0]], [[0.0, 1.0]]], initial=0, discount=0.9).check()
    assert trap["finding"].tolist() == ["a single choice", "cannot be left"]
    assert trap["remedy"].tolist()[1] == "mark it terminal if the episode ends there"


def test_a_world_without_findings():
    assert gridworld("s.\n..", discount=0.9).check().empty


def test_transition_graph():
    graph = gridworld("s.a", moves=("left", "right"), terminal="a", discount=0.9).transition_graph()
    assert set(graph.edges) == {(0, 0), (0, 1), (1, 0), (1, 2)}
    assert set(graph.nodes) == {0, 1, 2}


def test_values_in_the_order_of_the_states():
    world = gridworld("s.a", discount=0.9)
    assert world.align({"a": 3, (0, 1): 2, "s": 1}).tolist() == [1, 2, 3]
    frame = pd.DataFrame({"row": 0, "col": [2, 1, 0], "reward": [3.0, 2.0, 1.0]}).set_index(["row", "col"])["reward"]
    assert world.align(frame).tolist() == [1, 2, 3]
    assert world.align(pd.Series([1, 2, 3], index=world.coords()["state"])).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="1 of 3 states have no value: 0,1"):
        world.align({"a": 3, "s": 1})
    with pytest.raises(ValueError, match="state a has two values; give each state one"):
        world.align({"a": 3, (0, 2): 2, "s": 1, (0, 1): 2})
    with pytest.raises(ValueError, match="the value of state a is nan; expected a finite number"):
        world.align({"a": np.nan, "s": 1, (0, 1): 2})
    with pytest.raises(ValueError, match="unknown state 'b'"):
        world.align({"b": 1})


def test_names_of_numpy_and_pandas_are_understood():
    world = graph_world(nx.path_graph(3), discount=0.9)
    assert world.index(np.int64(2)) == world.index(2.0) == 2
    with pytest.raises(ValueError, match="unknown state '2'"):  # text is not a number
        world.index("2")
    with pytest.raises(ValueError, match=r"unknown state {}"):
        world.index({})


def test_labels():
    assert label((1, 2)) == "1,2"
    assert label("a") == "a"
    assert label(((0, 1), None)) == "(0,1),None"


@pytest.mark.parametrize(("size", "shown"), [(7, "7: 0, 1, 2, 3, 4, 5, 6<"), (8, "8: 0, 1, 2, 3, 4, 5, 6, 7<"),
                                             (9, "9: 0, 1, 2, 3, 4, 5, 6, 7, …<")])  # fmt: skip
def test_a_notebook_shows_eight_states(size, shown):
    world = from_arrays(np.full((size, 1, size), 1 / size), discount=0.9)
    assert shown in world._repr_html_()
    assert "none<" in world._repr_html_()  # terminal states


def test_what_a_world_refuses():
    world = gridworld("s.a", discount=0.9)
    for change, said in (
        ({"states": ("s", "a")}, "2 state names for 3 states"),
        ({"marks": ("s",)}, "1 marks for 3 states"),
        ({"positions": np.zeros((3, 3))}, r"positions have shape \(3, 3\); expected \(3, 2\)"),
    ):
        with pytest.raises(ValueError, match=said):
            dataclasses.replace(world, **change)


def test_everything_public_has_an_example():
    for name in worlds.__all__:
        if name not in ("Belief", "Memory", "label", "read_table"):
            assert ">>>" in getattr(worlds, name).__doc__, name


def test_worlds_are_compared_by_identity():
    one, other = (gridworld("s.", discount=0.9) for _ in range(2))
    assert one != other
    assert isinstance(one, World)
    assert hash(one) != hash(other)
