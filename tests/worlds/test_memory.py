"""Worlds that remember where one came from."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalinf.worlds import from_arrays, graph_world, gridworld, with_memory


def test_pairs_of_a_line():
    line = graph_world(nx.path_graph(3), stay=True, initial=0, terminal=2, discount=0.9)
    second = with_memory(line)
    assert second.states == ((None, 0), (0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
    assert second.actions == ((1, "stay", None),) * 2 + (
        (0, 2, "stay"),
        (1, "stay", None),
        (0, 2, "stay"),
        ("stay", None, None),
    )
    assert second.mdp.initial.tolist() == [1, 0, 0, 0, 0, 0]
    assert second.mdp.terminal.tolist() == [False] * 5 + [True]
    assert second.mdp.discount == line.mdp.discount
    assert second.coords()["state"].tolist() == ["None,0", "0,0", "0,1", "1,0", "1,1", "1,2"]
    s, a = second.index((0, 1)), second.action_index(2, state=second.index((0, 1)))
    assert second.mdp.dense()[s, a].tolist() == [0, 0, 0, 0, 0, 1]
    assert second.memory.base is line
    assert second.memory.pairs.tolist() == [[-1, 0], [0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]


@given(st.integers(0, 10_000))
def test_forgetting_gives_the_world_back(seed):
    """Summed over the pairs that end in t, the transitions out of (l, s) are P(t | s, a), whatever l."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(5), (5, 2)) * (rng.random((5, 2, 5)) < 0.5)
    P[..., 0] += 1 - P.sum(2)
    available = rng.random((5, 2)) < 0.8
    available[:, 0] = True
    base = from_arrays(P, available=available, terminal=[False] * 4 + [True], initial=[0.5, 0, 0.5, 0, 0], discount=0.9)
    second = with_memory(base)
    last, this = second.memory.pairs.T
    ends_in = this[:, None] == np.arange(5)
    expected = np.where(base.mdp.terminal[this][:, None, None], ends_in[:, None, :], base.mdp.dense()[this])
    np.testing.assert_allclose(second.mdp.dense() @ ends_in, expected, atol=1e-12)
    np.testing.assert_allclose(second.mdp.initial @ ends_in, base.mdp.initial)
    np.testing.assert_array_equal(second.mdp.available, base.mdp.available[this])
    np.testing.assert_array_equal(second.mdp.terminal, base.mdp.terminal[this])
    s, a, k = np.nonzero(
        (second.mdp.probabilities > 0) & ~second.mdp.terminal[:, None, None] & second.mdp.available[:, :, None]
    )
    np.testing.assert_array_equal(last[second.mdp.successors[s, a, k]], this[s])  # what is last was here a step ago
    assert set(last[second.mdp.initial > 0]) == {-1}


@given(st.integers(0, 10_000))
def test_pairs_are_found_again(seed):
    rng = np.random.default_rng(seed)
    world = from_arrays(rng.dirichlet(np.ones(4), (4, 2)), initial=1, discount=0.9)
    memory = with_memory(world).memory
    np.testing.assert_array_equal(memory.number(*memory.pairs.T), np.arange(len(memory.pairs)))
    last, this = np.meshgrid(np.arange(-1, 4), np.arange(4), indexing="ij")
    listed = {pair: number for number, pair in enumerate(map(tuple, memory.pairs.tolist()))}
    expected = [listed.get(pair, -1) for pair in zip(last.ravel(), this.ravel(), strict=True)]
    assert memory.number(last, this).ravel().tolist() == expected
    assert memory.number(-1, [0, 1, 2]).tolist() == [-1, 0, -1]


def test_names_of_the_first_order_world_name_every_pair_that_ends_there():
    second = with_memory(gridworld("s.a", moves=("left", "right"), discount=0.9))
    assert second.states == (
        (None, "s"),
        ("s", "s"),
        ("s", (0, 1)),
        ((0, 1), "s"),
        ((0, 1), "a"),
        ("a", (0, 1)),
        ("a", "a"),
    )
    assert second.cells("a") == [4, 6]
    assert second.cells((0, 1)) == [2, 5]
    assert second.cells((0, 2)) == [4, 6]
    assert second.cells(("a", "a")) == [6]
    assert second.indicator("sa").tolist() == [1, 1, 0, 1, 1, 0, 1]
    assert second.coords()["state"].tolist()[4] == "(0,1),a"
    assert second.index("(0,1),a") == 4
    with pytest.raises(ValueError, match="unknown state 'b'"):
        second.cells("b")


def test_pairs_are_drawn_near_their_node():
    second = with_memory(gridworld("s.", moves=("left", "right"), discount=0.9))
    assert second.states == ((None, "s"), ("s", "s"), ("s", (0, 1)), ((0, 1), "s"), ((0, 1), (0, 1)))
    assert second.positions.tolist() == [[0, 0], [0, 0], [0.75, 0], [0.25, 0], [1, 0]]
    assert with_memory(graph_world(nx.path_graph(2), discount=1)).positions is None
