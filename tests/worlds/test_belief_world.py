"""Worlds in which nobody knows which of several worlds it is."""

import networkx as nx
import numpy as np
import oracles
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import goalinf as gi
from goalinf.inference.results.files.serialize import Reader, Writer
from goalinf.worlds import Belief

NAMES = ("start", "left?", "right?", "end")


def boxes(left, **others):
    """From the start one may look, which tells with some probability where it is, or go."""
    P = np.zeros((4, 2, 4))
    P[0, 0, 1:3] = left, 1.0 - left
    P[:, 1, 3] = P[1:3, 0, 0] = P[3, 0, 3] = 1.0
    options = {"terminal": "end", "initial": "start", "discount": 0.9, "states": NAMES, "actions": ("look", "go")}
    return gi.from_arrays(P, **{**options, **others})


BOXES = {"left": boxes(0.8), "right": boxes(0.2)}
EVEN = {"left": 0.5, "right": 0.5}
SURE = {"a": boxes(1.0), "b": boxes(0.0)}  # one look tells all


def reached(laws, available, ends, prior, start, steps):
    """All (state, belief) after 0, 1, ... steps, by hand, and what each leads to: {pair: [{pair: probability}]}."""
    found = {}

    def walk(s, b, alive, steps):
        """``alive``: the worlds that allow all that happened."""
        key = s, tuple(np.round(b, 9))
        if ends[s] or not steps:
            return key
        actions = found.setdefault(key, [{} for _ in range(laws.shape[2])])
        for a, t in np.argwhere(available[s][:, None] & (laws[:, s] > 0).any(0)).tolist():
            still = [w for w in alive if laws[w, s, a, t] > 0]
            chance = sum(b[w] * laws[w, s, a, t] for w in range(len(b)))
            if still or chance:
                after = np.array([b[w] * laws[w, s, a, t] / chance for w in range(len(b))]) if chance else b
                actions[a][walk(t, after, still, steps - 1)] = chance
        return key

    for s in start:
        walk(s, prior, list(range(len(prior))), steps)
    return found


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_states_and_steps_are_those_of_bayes_by_hand(seed):
    rng = np.random.default_rng(seed)
    laws = oracles.random_law(rng, 2, 4, 2, 4) * (rng.random((2, 4, 2, 4)) < 0.6)
    laws[..., 0] += 1.0 - laws.sum(-1)
    available, ends = rng.random((4, 2)) < 0.8, np.arange(4) == 3
    available[:, 0] = True
    options = {"available": available, "terminal": ends, "initial": [0.5, 0.5, 0, 0], "discount": 0.9}
    worlds = {name: gi.from_arrays(law, **options) for name, law in zip("vw", laws, strict=True)}
    prior = rng.dirichlet([1.0, 1.0]) if seed % 3 else np.array([1.0, 0.0])
    given_prior = dict(zip("vw", prior, strict=True))
    world, true = (gi.belief_world(worlds, given_prior, horizon=3, truth=truth) for truth in (None, "w"))
    which, here = world.memory.pairs.T
    number = {
        (s, tuple(np.round(b, 9))): i for i, (s, b) in enumerate(zip(here, world.memory.beliefs[which], strict=True))
    }
    assert true.states == world.states
    assert len(number) == world.n_states
    expected, happens = world.mdp.dense(), true.mdp.dense()
    for key, actions in reached(laws, available, ends, prior, [0, 1], 3).items():
        for a in np.flatnonzero(available[key[0]]):
            row, sure = np.zeros((2, world.n_states))
            for after, chance in actions[a].items():
                row[number[after]] = chance
                sure[number[after]] = laws[1, key[0], a, after[0]]
            np.testing.assert_allclose(expected[number[key], a], row, atol=1e-9)
            if sure.sum() > 1.0 - 1e-9:  # otherwise nobody gets here in that world
                np.testing.assert_allclose(happens[number[key], a], sure, atol=1e-9)
    np.testing.assert_array_equal(world.mdp.initial > 0, (which == 0) & (here < 2) & (here >= 0))


def test_a_look_that_tells_all():
    world = gi.belief_world(SURE, {"a": 0.25, "b": 0.75})
    assert world.states == (
        *(("start", "a 0.25, b 0.75"), ("end", "a 0.25, b 0.75")),
        *((state, "a 1") for state in ("start", "left?", "end")),
        *((state, "b 1") for state in ("start", "right?", "end")),
    )
    assert world.mdp.dense()[0, 0].tolist() == [0, 0, 0, 0.25, 0, 0, 0.75, 0]
    assert world.mdp.dense()[0, 1].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert world.cells("end") == [1, 4, 7]
    assert world.cells(("end", "b 1")) == [7]
    assert world.mdp.terminal.tolist() == [state == "end" for state, _ in world.states]
    assert gi.goals(world, {"out": "end"})["out"].goal.tolist() == world.mdp.terminal.tolist()
    wants = gi.StateReward.at(world, {"end": 2.0, ("left?", "a 1"): 1.0}, default=0.0, on="arrival")
    assert wants.values.tolist() == [0, 2, 0, 1, 2, 0, 0, 2]
    assert world.index("start,a 1") == 2


@pytest.mark.parametrize("prior", [{"a": 1.0, "b": 0.0}, {"a": 0.3, "b": 0.7}])
def test_nothing_to_learn(prior):
    """With certainty, or two worlds that are the same, a state is a state."""
    same = {"a": boxes(0.3), "b": boxes(0.3)}
    world = gi.belief_world({**SURE, "b": SURE["b"]} if prior["b"] == 0.0 else same, prior)
    base = SURE["a"] if prior["b"] == 0.0 else same["a"]
    assert [state for state, _ in world.states] == list(NAMES)
    np.testing.assert_allclose(world.mdp.dense(), base.mdp.dense(), atol=1e-15)


def test_what_is_held_impossible_changes_no_belief():
    certain = gi.belief_world(SURE, {"a": 1.0, "b": 0.0}, truth="b")
    assert set(certain.memory.beliefs[:, 0]) == {1.0}
    assert certain.mdp.dense()[0, 0].tolist() == [0, 0, 1, 0]


def test_certainty_is_approached_and_never_reached():
    world = gi.belief_world(BOXES, EVEN)
    beliefs = world.memory.beliefs
    assert beliefs.min() > 0.0
    assert abs(beliefs.max() - 1.0) < 1e-11
    odds = np.log(beliefs[:, 0] / beliefs[:, 1]) / np.log(4.0)  # every look is worth a factor of four
    np.testing.assert_allclose(odds, np.round(odds), atol=1e-3)
    tiny = gi.belief_world(SURE, {"a": 1.0 - 1e-13, "b": 1e-13})
    assert tiny.mdp.probabilities[tiny.mdp.initial > 0, 0].min() > 0.0
    assert len(tiny.memory.beliefs) == 3


def test_after_the_horizon_beliefs_stay():
    world = gi.belief_world(BOXES, EVEN, horizon=1)
    np.testing.assert_allclose(world.memory.beliefs, [[0.5, 0.5], [0.8, 0.2], [0.2, 0.8]])
    seen = world.index(("left?", "left 0.8, right 0.2"))
    back = world.mdp.successors[seen, 0, 0]
    assert world.states[back] == ("start", "left 0.8, right 0.2")
    chances = dict(zip(world.states, world.mdp.dense()[back, 0], strict=True))
    assert chances["left?", "left 0.8, right 0.2"] == pytest.approx(0.68)
    with pytest.raises(ValueError, match=r"more than 20 states: .* beliefs after .* give horizon="):
        gi.belief_world(BOXES, EVEN, limit=20)


TABLE = pd.DataFrame(
    [
        (0, 0, "start", "look"),
        (0, 1, "left?", "look"),
        (0, 2, "start", "look"),
        (0, 3, "right?", "go"),
        (1, 0, "start", "go"),
    ],
    columns=["walk", "t", "place", "move"],
)


def read(world, table=TABLE):
    return gi.read_trajectories(table, world, trajectory="walk", step="t", state="place", action="move")


@pytest.mark.parametrize("truth", [None, "right"])
def test_data_are_followed_to_beliefs(truth):
    world = gi.belief_world(BOXES, EVEN, truth=truth, horizon=4)
    data = read(world)
    which, here = world.memory.pairs[data.states[0, :4]].T
    assert [NAMES[i] for i in here] == ["start", "left?", "start", "right?"]
    np.testing.assert_allclose(world.memory.beliefs[which, 0], [0.5, 0.8, 0.8, 0.5], atol=1e-12)
    pd.testing.assert_frame_equal(data.to_frame(), TABLE)
    plain = gi.Trajectories.of(data.states, data.actions, lengths=data.lengths, labels=None)
    assert plain.n_steps == 5


def test_a_missing_action_may_matter():
    world = gi.belief_world(BOXES, EVEN, horizon=4)
    missing = TABLE.assign(move=TABLE.move.where(TABLE.index != 0))
    np.testing.assert_array_equal(read(world, missing).states, read(world).states)  # only looking leads there
    P = np.zeros((2, 2, 2))
    P[0], P[1, :, 1] = [[0.5, 0.5], [0.5, 0.5]], 1.0
    other = P.copy()
    other[0, 0] = 0.1, 0.9
    two = {name: gi.from_arrays(law, initial=0, discount=0.9) for name, law in (("P", P), ("other", other))}
    table = pd.DataFrame({"walk": 0, "t": [0, 1], "place": [0, 1], "move": [None, 0]})
    with pytest.raises(ValueError, match="the action before state 1 is missing, and the belief in that state depends"):
        read(gi.belief_world(two, {"P": 0.5, "other": 0.5}, horizon=2), table)
    with pytest.raises(ValueError, match=r"the belief world has no state for left[?] at the start"):
        read(gi.belief_world(BOXES, EVEN, horizon=1), TABLE[1:4])
    both = TABLE.assign(place=["start", "left?", "start", "right?", "start"])
    with pytest.raises(ValueError, match=r"no world allows the steps of this trajectory up to state right[?], after"):
        read(gi.belief_world(SURE, {"a": 0.5, "b": 0.5}), both)


def test_a_belief_world_is_stored():
    world = gi.belief_world(BOXES, EVEN, horizon=2)
    writer = Writer()
    structure = writer.structure(world)
    again = Reader(writer.arrays, writer.records).value(structure)
    assert isinstance(again.memory, Belief)
    assert again.states == world.states
    np.testing.assert_array_equal(again.memory.laws, world.memory.laws)
    assert again.memory.base.states == NAMES


def test_graphs_keep_their_places_and_action_names():
    line = gi.graph_world(nx.path_graph(3), positions={i: (i, 0) for i in range(3)}, initial=0, discount=0.9)
    world = gi.belief_world({"one": line, "two": line}, {"one": 0.5, "two": 0.5})
    assert world.states == tuple((i, "one 0.5, two 0.5") for i in range(3))
    assert world.actions == line.actions
    np.testing.assert_array_equal(world.positions, line.positions)
    wants = gi.StateReward.zero(world)
    assert "mean over beliefs" in gi.plot.policy(world, gi.agents.boltzmann(beta=1.0), wants).axes[0].get_title(
        loc="left"
    )


WRONG = {
    "worlds is empty": lambda: gi.belief_world({}, {}),
    r"worlds\['b'\] is a int; expected a World": lambda: gi.belief_world({"a": boxes(0.5), "b": 3}, {"a": 1.0}),
    r"worlds\['b'\] has 3 states, not 4 like worlds\['a'\]": lambda: pair(gi.gridworld("s..", discount=0.9)),
    r"worlds\['b'\] names state number 3 out, not end like": lambda: pair(
        boxes(0.5, states=(*NAMES[:3], "out"), terminal="out")
    ),
    r"worlds\['b'\] has other actions than": lambda: pair(boxes(0.5, actions=("peek", "go"))),
    "differ in terminal at state left[?]: 1 and 0": lambda: pair(boxes(0.5, terminal=["end", "left?"])),
    "differ in initial at state start: 0 and 1": lambda: pair(boxes(0.5, initial="left?")),
    "has discount 0.8, worlds.'a'. has 0.9": lambda: pair(boxes(0.5, discount=0.8)),
    "has states with a memory or a belief;": lambda: pair(gi.with_memory(boxes(0.5))),
    "prior sums to 0.9; expected 1": lambda: gi.belief_world(BOXES, {"left": 0.5, "right": 0.4}),
    "prior of 'right' is -0.5; expected a number of": lambda: gi.belief_world(BOXES, {"left": 1.5, "right": -0.5}),
    "prior names 'up', which is no world; the worlds are 'left', 'right'": lambda: gi.belief_world(BOXES, {"up": 1.0}),
    "prior has no probability of 'right'": lambda: gi.belief_world(BOXES, {"left": 1.0}),
    "truth is 'up'; expected one of the worlds": lambda: gi.belief_world(BOXES, EVEN, truth="up"),
    "horizon is -1; expected a whole number": lambda: gi.belief_world(BOXES, EVEN, horizon=-1),
    "limit is 0; expected a whole number": lambda: gi.belief_world(BOXES, EVEN, limit=0),
}


def pair(other):
    return gi.belief_world({"a": boxes(0.5), "b": other}, {"a": 0.5, "b": 0.5})


@pytest.mark.parametrize("said", WRONG)
def test_wrong_input(said):
    with pytest.raises((ValueError, TypeError), match=said):
        WRONG[said]()


def test_rewards_of_another_shape_are_refused():
    world = gi.belief_world(SURE, {"a": 0.5, "b": 0.5})
    for wants in (gi.TransitionReward(np.zeros((4, 2, 2))), gi.StateReward(np.zeros(4), on="arrival")):
        with pytest.raises(ValueError, match=r"has shape \(4.*; this world needs \(8"):
            gi.agents.boltzmann(beta=1.0).policy(world, wants)
