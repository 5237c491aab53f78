"""Worlds from arrays and from long tables."""

import numpy as np
import oracles
import pandas as pd
import pytest
import specimens
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from goalinf.worlds import from_arrays, from_table

SWITCH = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])


@pytest.mark.parametrize("name", specimens.zoo())
def test_every_form_gives_the_same_world(name):
    P = specimens.zoo()[name].P
    n_states, n_actions, _ = P.shape
    dense = from_arrays(P, discount=0.9)
    sparse_list = from_arrays([sparse.csr_array(P[:, a]) for a in range(n_actions)], discount=0.9)
    listed = from_arrays(successors=dense.mdp.successors, probabilities=dense.mdp.probabilities, discount=0.9)
    for world in (dense, sparse_list, listed):
        np.testing.assert_allclose(world.mdp.dense(), P, atol=1e-15)
        assert world.mdp.successors.shape[2] == (P > 0).sum(2).max()
        assert world.states == tuple(range(n_states))
        assert world.actions == tuple(range(n_actions))
    assert oracles.kappa(dense.mdp.dense()) == specimens.zoo()[name].kappa


def test_names_and_places():
    world = from_arrays(
        SWITCH,
        states=["home", "work"],
        actions=["stay", "go"],
        terminal=["work"],
        initial="home",
        positions={"home": (0, 0), "work": (1, 2)},
        discount=1.0,
    )
    assert world.index("work") == 1
    assert world.mdp.terminal.tolist() == [False, True]
    assert world.mdp.initial.tolist() == [1, 0]
    assert world.positions.tolist() == [[0, 0], [1, 2]]
    local = from_arrays(SWITCH, actions=[("a", "b"), ("c", "d")], discount=1.0)
    assert local.action_index("d", state=1) == 1


def test_rows_that_nobody_can_choose_are_not_looked_at():
    P = np.full((2, 2, 2), np.nan)
    P[0, 0] = [0, 1]
    world = from_arrays(P, available=np.array([[True, False], [True, True]]), terminal=[False, True], discount=0.9)
    assert world.mdp.dense().tolist() == [[[0, 1], [1, 0]], [[0, 1], [0, 1]]]


def test_the_order_of_listed_successors_is_kept():
    world = from_arrays(successors=[[[1, 0]], [[0, 0]]], probabilities=[[[0.3, 0.7]], [[1.0, 0.0]]], discount=0.9)
    assert world.mdp.successors.tolist() == [[[1, 0]], [[0, 0]]]
    assert world.mdp.probabilities.tolist() == [[[0.3, 0.7]], [[1.0, 0.0]]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "give either transitions .* or both successors and probabilities"),
        ({"transitions": SWITCH, "successors": [[[0]]], "probabilities": [[[1.0]]]}, "give either transitions"),
        ({"successors": [[[0]]]}, "give either transitions"),
        (
            {"transitions": np.ones((3, 2, 2))},
            r"found shape \(3, 2, 2\); expected \(S, A, S\); this looks like \(A, S, S\)",
        ),
        ({"transitions": np.ones((2, 2))}, r"found shape \(2, 2\); expected \(S, A, S\)$"),
        ({"transitions": [["a"]]}, "transitions: expected an array of numbers"),
        ({"transitions": np.ones((0, 2, 0))}, "found 0 states and 2 actions"),
        (
            {"transitions": [sparse.eye_array(2), sparse.eye_array(3)]},
            r"action 1 is a sparse matrix \(3, 3\); expected .* \(2, 2\)",
        ),
        ({"transitions": [sparse.eye_array(2), np.eye(2)]}, "action 1 is ndarray; expected a sparse matrix"),
        (
            {"transitions": SWITCH * [0.9, 1]},
            r"state 0, action 0 has probabilities that sum to 0.9; expected 1: correct .* \(2 rows",
        ),
        (
            {"transitions": SWITCH * [0, 1]},
            "state 0, action 0 has probabilities that sum to 0; .* make the action unavailable",
        ),
        (
            {"transitions": SWITCH + [[[0.0, 0.0], [0.0, 0.0]], [[-0.5, 0.5], [0, 0]]]},
            "state 1, action 0 has a probability below 0",
        ),
        (
            {"transitions": SWITCH * np.nan},
            r"state 0, action 0 has a probability below 0 or not a number; correct it \(4 rows",
        ),
        ({"successors": [[[1.0]]], "probabilities": [[[1.0]]]}, "successors: found float64 .* expected whole numbers"),
        ({"successors": [[[0, 0]]], "probabilities": [[[1.0]]]}, "probabilities: found shape"),
        ({"successors": np.zeros((1, 1, 0), int), "probabilities": np.zeros((1, 1, 0))}, "the last axis is empty"),
        (
            {"successors": [[[4]]], "probabilities": [[[1.0]]]},
            "state 0, action 0 leads to state number 4; expected a number from 0 to 0",
        ),
        (
            {"successors": [[[0, 0]]], "probabilities": [[[0.5, 0.5]]]},
            "state 0, action number 0 lists state number 0 twice; add",
        ),
        ({"transitions": SWITCH, "states": ["a"]}, "states: found 1 names for 2 states"),
        ({"transitions": SWITCH, "states": ["a", "a"]}, "two states are named a; names must be unique"),
        ({"transitions": SWITCH, "actions": ["a"]}, "1 action names for 2 actions"),
        ({"transitions": SWITCH, "actions": ["a", "a"]}, "two actions are named a"),
        ({"transitions": SWITCH[:, :1], "actions": [(0, 1)]}, "tuples mean one tuple per state: found 1 for 2 states"),
        ({"transitions": SWITCH, "actions": [("a",), ("b",)]}, "state 0 has 1 action names; expected 2"),
        ({"transitions": SWITCH, "actions": [("a", "a"), ("b", "c")]}, "two actions of state 0 are named a"),
        (
            {"transitions": SWITCH, "actions": [("a", None), ("b", "c")]},
            "action number 1 of state 0 is available but has no name",
        ),
        (
            {"transitions": SWITCH, "available": np.ones((2, 3), bool)},
            r"available: found bool \(2, 3\); expected bool \(2, 2\)",
        ),
        ({"transitions": SWITCH, "available": np.ones((2, 2))}, "available: found float64"),
        (
            {"transitions": SWITCH, "available": np.eye(2, k=1) > 0},
            "no action is available in state 1: mark it terminal",
        ),
        ({"transitions": SWITCH, "terminal": 2}, "terminal: unknown state 2: the 2 states are numbers from 0 to 1"),
    ],
)
def test_wrong_arrays(arguments, said):
    with pytest.raises(ValueError, match=said):
        from_arrays(**arguments, discount=0.9)


def as_table(P: np.ndarray) -> pd.DataFrame:
    s, a, t = np.nonzero(P)
    return pd.DataFrame({"state": s, "action": a, "next_state": t, "p": P[s, a, t]})


@given(st.integers(0, 10_000))
def test_a_table_says_what_the_arrays_say(seed):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(4), (4, 2)) * (rng.random((4, 2, 4)) < 0.6)
    P[..., 0] += 1 - P.sum(2)
    table = as_table(P).sample(frac=1, random_state=seed)
    world = from_table(table, probability="p", discount=0.9)
    np.testing.assert_allclose(world.mdp.dense(), P, atol=1e-12)
    assert world.states == (0, 1, 2, 3)
    assert all(type(name) is int for name in world.states)


def test_tables_with_names_of_several_columns_and_unavailable_actions(tmp_path):
    table = pd.DataFrame(
        {"r": [0, 0, 0], "c": [0, 0, 1], "do": ["go", "wait", "wait"], "r2": [0, 0, 0], "c2": [1, 0, 1]}
    )
    options = {"state": ["r", "c"], "next_state": ["r2", "c2"], "action": "do", "discount": 0.9}
    table.to_csv(tmp_path / "moves.csv", index=False)
    table.to_parquet(tmp_path / "moves.parquet")
    for source in (table, tmp_path / "moves.csv", str(tmp_path / "moves.parquet")):
        world = from_table(source, **options)
        assert world.states == ((0, 0), (0, 1))
        assert world.actions == ("go", "wait")
        assert world.mdp.available.tolist() == [[True, True], [False, True]]
        assert world.mdp.dense()[0].tolist() == [[0, 1], [1, 0]]
    ending = from_table(table.iloc[:2], terminal=[(0, 1)], **options)
    assert ending.mdp.terminal.tolist() == [False, True]


TABLE = pd.DataFrame(
    {"state": ["a", "a", "b"], "action": ["go", "go", "go"], "next_state": ["a", "b", "a"], "p": [0.5, 0.5, 1.0]},
    index=[10, 11, 12],
)


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (TABLE[:0], {}, "the table is empty; expected one row per transition"),
        (
            TABLE.rename(columns={"state": "from"}),
            {},
            "no column 'state'; it has 'from', .* name the column with state=",
        ),
        (
            TABLE,
            {},
            "row 11: state a, action go is already in row 10, which has another next state: name the column .* probability=",
        ),
        (
            TABLE.iloc[[0, 1, 2, 2]],
            {"probability": "p"},
            r"row 12 \(number 3 .*: state b, action go is already in row 12 \(number 2 .* same transition: drop",
        ),
        (
            TABLE.assign(p=[0.5, 0.4, 1.0]),
            {"probability": "p"},
            "row 10: the probabilities of state a, action go sum to 0.9; expected 1",
        ),
        (TABLE.assign(p=[0.5, 1.5, 1.0]), {"probability": "p"}, "row 11: p is 1.5; expected a probability"),
        (
            TABLE.assign(p=[0.5, np.nan, 1.0]),
            {"probability": "p"},
            "row 11: column 'p' is missing; fill it in or drop the row",
        ),
        (TABLE.assign(p="half"), {"probability": "p"}, "column 'p' holds .* expected probabilities"),
        (TABLE.assign(next_state=["a", None, "a"]), {"probability": "p"}, "row 11: column 'next_state' is missing"),
        (TABLE, {"state": ["state", "p"]}, r"state= names 2 and next_state= names 1 columns; expected the same number"),
        (TABLE[:2], {"probability": "p"}, "no action is available in state b: mark it terminal, or give it a way on"),
        (TABLE[:2], {"probability": "p", "terminal": "c"}, "terminal: unknown state 'c'"),
    ],
)
def test_wrong_tables(table, options, said):
    with pytest.raises(ValueError, match=said):
        from_table(table, **options, discount=0.9)


def test_wrong_files(tmp_path):
    file = tmp_path / "moves.csv"
    TABLE.assign(p=[0.5, 1.5, 1.0]).to_csv(file, index=False)
    with pytest.raises(ValueError, match=r"row 1, line 3 of moves.csv: p is 1.5"):
        from_table(file, probability="p", discount=0.9)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing.csv; expected a CSV, TSV or Parquet file"):
        from_table(tmp_path / "missing.csv", discount=0.9)
    file.write_text("")
    with pytest.raises(ValueError, match=r"moves.csv is empty; expected a header and rows"):
        from_table(file, discount=0.9)
    other = tmp_path / "moves.xls"
    other.write_text("x")
    with pytest.raises(
        ValueError, match=r"the format of moves.xls is unknown; expected a name that ends in .csv, .csv.gz, .tsv"
    ):
        from_table(other, discount=0.9)
    file.write_text("state,action,next_state\n")
    with pytest.raises(ValueError, match=r"the table moves.csv is empty"):
        from_table(file, discount=0.9)
