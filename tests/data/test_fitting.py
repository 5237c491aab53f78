"""Data in a world that is not theirs."""

import networkx as nx
import pandas as pd
import pytest

import goalinf as gi
from goalinf.data.matching.fitting import check_fits

HALL = gi.gridworld("s.a", discount=0.9)
WALK = {"walk": 0, "t": [0, 1, 2], "row": 0, "col": [0, 1, 2], "move": ["right", "right", None]}
COLUMNS = {"trajectory": "walk", "step": "t", "state": ["row", "col"], "action": "move"}


@pytest.fixture(scope="module")
def walk():
    return gi.read_trajectories(pd.DataFrame(WALK), HALL, **COLUMNS)


@pytest.mark.parametrize(
    "world",
    [
        HALL,
        gi.gridworld("s.a", discount=0.5, slip=0.2, stay=True),
        gi.gridworld("s.a", discount=0.9, moves=8),
        gi.gridworld("sb.", discount=0.9),
        gi.gridworld("a.s", discount=0.9),
    ],
    ids=["the same", "other numbers", "more moves", "other marks", "marks exchanged"],
)
def test_worlds_in_which_the_numbers_mean_the_same(walk, world):
    check_fits(walk, [world])


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (
            gi.gridworld("s", discount=0.9),
            r"row 1 \(trajectory 0, step 1\): state number 1; the world has 1 states, numbers 0 to 0",
        ),
        (
            gi.gridworld("s.a", discount=0.9, moves=("left",)),
            "step 0.: action number 3; the world has 1 actions, numbers 0 to 0",
        ),
        (gi.gridworld("s\n.\na", discount=0.9), "come from another world, where state number 1 is 0,1; here it is 1,0"),
        (
            gi.gridworld("s.a", discount=0.9, moves=("right", "left", "up", "down")),
            "where action number 3 in state s is right; here it is down",
        ),
        (gi.with_memory(HALL), r"where state number 0 is s; here it is None,s: read or simulate them in the world"),
    ],
)
def test_worlds_in_which_they_do_not(walk, world, said):
    with pytest.raises(ValueError, match=said):
        check_fits(walk, [world])


def test_every_context_has_a_world_of_its_own(walk):
    twice = pd.concat([pd.DataFrame(WALK).assign(map=name, walk=name) for name in ("one", "two")])
    data = gi.read_trajectories(twice, {"one": HALL, "two": HALL}, context="map", **COLUMNS)
    check_fits(data, [HALL, gi.gridworld("s.a", discount=0.5)])
    with pytest.raises(ValueError, match=r"the data of context 'two' come from another world"):
        check_fits(data, [HALL, gi.gridworld("s\n.\na", discount=0.9)])


def test_data_without_names_are_measured_only():
    check_fits(gi.Trajectories.of([[0, 1]], [[1]]), [gi.gridworld("s\n.", discount=0.9)])


def test_actions_of_their_own_in_every_state():
    ring = gi.graph_world(nx.cycle_graph(4), discount=0.9)
    data = gi.read_trajectories(
        pd.DataFrame({"walk": 0, "t": [0, 1], "at": [0, 3]}), ring, trajectory="walk", step="t", state="at"
    )
    chord = nx.cycle_graph(4)
    chord.add_edge(0, 2)
    check_fits(data, [gi.graph_world(nx.cycle_graph(4), stay=True, discount=0.9)])
    with pytest.raises(ValueError, match="where action number 1 in state 0 is 3; here it is 2"):
        check_fits(data, [gi.graph_world(chord, discount=0.9)])


def test_goals_are_not_inferred_in_a_world_that_is_not_theirs(walk):
    tall = gi.gridworld("s\n.\na", discount=0.9)
    with pytest.raises(ValueError, match="come from another world"):
        gi.goal_posterior(tall, gi.agents.boltzmann(beta=1.0), gi.goals(tall, {"end": "a"}), walk)
