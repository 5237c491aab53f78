"""Reading a table: hand-worked tiny ones, files, worlds by context, memory."""

import tracemalloc

import equinox as eqx
import numpy as np
import pandas as pd
import pytest
from hand_worlds import grid_world, second_order
from hypothesis import given
from hypothesis import strategies as st

from goalinf.data import read_trajectories
from goalinf.worlds import from_arrays, with_memory

GRID = {"trajectory": "walk", "step": "t", "state": ["row", "col"]}


def walks():
    """Walk 1: right, (missing), down, in (1, 2), where the episode ends. Walk 0: one choice, last state not seen."""
    return pd.DataFrame(
        {
            "walk": [1, 1, 1, 0],
            "t": [4, 5, 6, 0],
            "row": [0, 0, 1, 1],
            "col": [0, 1, 1, 0],
            "act": ["right", None, "right", "up"],
        }
    )


def test_rows_are_decisions_where_there_is_an_action_column(grid):
    data = read_trajectories(walks(), grid, action="act", **GRID)
    assert data.trajectory_names == (0, 1)
    assert data.lengths.tolist() == [1, 3]
    assert data.states.tolist() == [[3, -1, -1, -1], [0, 1, 4, -1]]
    assert data.actions.tolist() == [[0, -1, -1], [3, -1, 3]]
    assert data.observed.tolist() == [[True, False, False], [True, False, True]]


def test_a_last_row_without_an_action_gives_the_last_state(grid):
    last = pd.DataFrame({"walk": [1], "t": [7], "row": [1], "col": [2], "act": [None]})
    table = pd.concat([walks(), last])
    data = read_trajectories(table, grid, action="act", **GRID)
    assert data.lengths.tolist() == [1, 3]
    assert data.states.tolist()[1] == [0, 1, 4, 5]


def test_rows_are_visits_where_there_is_none(grid):
    table = pd.DataFrame({"walk": "w", "t": [0, 1, 2], "row": [0, 1, 1], "col": [0, 0, 1]})
    data = read_trajectories(table, grid, **GRID)
    assert data.states.tolist() == [[0, 3, 4]]
    assert data.actions.tolist() == [[1, 3]]


def test_actions_are_read_off_where_every_node_has_its_own(ring):
    table = pd.DataFrame({"walk": [0, 0, 0, 0], "t": [1, 2, 3, 4], "node": [10, 40, 40, 30]})
    data = read_trajectories(table, ring, trajectory="walk", step="t", state="node")
    names = [ring.actions[s][a] for s, a in zip(data.states[0], data.actions[0], strict=False)]
    assert names == [40, "stay", 30]


def test_actions_by_name_on_a_graph_and_by_number_on_a_grid(ring, grid):
    table = pd.DataFrame({"walk": [0, 0], "t": [0, 1], "node": [10, 20], "to": ["20", "stay"]})
    table["to"] = table["to"].astype(object).where(table["to"] == "stay", 20)
    data = read_trajectories(table, ring, trajectory="walk", step="t", state="node", action="to")
    assert [ring.actions[s][a] for s, a in zip(data.states[0], data.actions[0], strict=False)] == [20, "stay"]
    numbered = walks().assign(act=[3, None, 3, 0])  # floats, since one is missing
    named = read_trajectories(walks(), grid, action="act", **GRID)
    assert eqx.tree_equal(read_trajectories(numbered, grid, action="act", **GRID).unlabeled(), named.unlabeled())


@given(st.permutations(range(8)), st.permutations(["walk", "t", "row", "col", "act", "who"]))
def test_shuffling_rows_and_columns_changes_nothing(rows, columns):
    grid = grid_world(2, 3, terminal=[(1, 2)])
    twice = pd.concat([walks().assign(who="b"), walks().assign(who="a", t=walks()["t"] + 3)], ignore_index=True)
    options = dict(GRID, trajectory=["who", "walk"], action="act", subject="who")
    data = read_trajectories(twice, grid, **options)
    shuffled = read_trajectories(twice.iloc[list(rows)][list(columns)], grid, **options)
    assert eqx.tree_equal(shuffled.unlabeled(), data.unlabeled())
    assert shuffled.trajectory_names == data.trajectory_names == (("a", 0), ("a", 1), ("b", 0), ("b", 1))
    assert shuffled.subject_names == ("a", "b")
    assert data.subject.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64", "object", "category"])
def test_kinds_of_columns_do_not_matter(grid, dtype):
    table = walks().astype({"row": dtype, "col": dtype, "walk": dtype})
    for act in ("object", "string", "category"):
        data = read_trajectories(table.astype({"act": act}), grid, action="act", **GRID)
        assert data.trajectory_names == (0, 1)
        assert data.states.tolist() == [[3, -1, -1, -1], [0, 1, 4, -1]]
        assert data.actions.tolist() == [[0, -1, -1], [3, -1, 3]]


def test_a_column_of_tuples_names_states_too(grid):
    table = walks().assign(cell=[(0, 0), (0, 1), (1, 1), (1, 0)])
    data = read_trajectories(table, grid, trajectory="walk", step="t", state="cell", action="act")
    one = read_trajectories(table, grid, trajectory=["walk"], step="t", state=["cell"], action="act")
    assert data.states.tolist() == one.states.tolist() == [[3, -1, -1, -1], [0, 1, 4, -1]]
    assert one.trajectory_names == (0, 1)


@pytest.mark.parametrize("name", ["walks.csv", "walks.csv.gz", "walks.parquet"])
def test_files_and_frames_read_alike(grid, tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        walks().to_parquet(path)
    else:
        walks().to_csv(path, index=False)
    frame = read_trajectories(walks(), grid, action="act", **GRID)
    for where in (path, str(path)):
        data = read_trajectories(where, grid, action="act", **GRID)
        assert data.data_hash() == frame.data_hash()
        assert data.to_frame()["t"].tolist() == [4, 5, 6, 0]


def test_the_table_is_not_changed_and_later_changes_do_not_matter(grid):
    table = walks()
    before = table.copy(deep=True)
    data = read_trajectories(table, grid, action="act", **GRID)
    pd.testing.assert_frame_equal(table, before)
    table.loc[:, "t"] = 0
    assert data.to_frame()["t"].tolist() == [4, 5, 6, 0]


def test_contexts_have_worlds_of_their_own():
    wide, tall = grid_world(1, 3), grid_world(3, 1)
    table = pd.DataFrame(
        {
            "walk": [0, 0, 1, 1],
            "t": [0, 1, 0, 1],
            "row": [0, 0, 1, 2],
            "col": [0, 1, 0, 0],
            "map": ["wide", "wide", "tall", "tall"],
        }
    )
    data = read_trajectories(table, {"tall": tall, "wide": wide, "other": wide}, context="map", **GRID)
    assert data.context_names == ("tall", "wide")
    assert data.context.tolist() == [1, 0]
    assert data.labels.worlds == (tall, wide)
    assert data.states.tolist() == [[0, 1], [1, 2]]
    assert data.actions.tolist() == [[3], [1]]  # right, down
    one = read_trajectories(table.iloc[:2], wide, context="map", **GRID)
    assert one.context_names == ("wide",)


def test_subjects_and_contexts_get_numbers_in_the_order_of_their_names(grid):
    table = pd.concat([walks().assign(who="zoe"), walks().assign(who="al")])
    data = read_trajectories(table, grid, action="act", subject="who", **dict(GRID, trajectory=["who", "walk"]))
    assert data.subject_names == ("al", "zoe")
    assert data.n_subjects == 2
    assert data.cells.subject.max() == 1


def test_worlds_with_memory_take_plain_states(ring):
    pairs = second_order(ring)
    table = pd.DataFrame({"walk": [0, 0, 0, 1, 1], "t": [0, 1, 2, 0, 1], "node": [10, 20, 10, 20, 10]})
    data = read_trajectories(table, pairs, trajectory="walk", step="t", state="node")
    told = [[pairs.states[s] for s in row if s >= 0] for row in data.states]
    assert told == [[(None, 10), (10, 20), (20, 10)], [(None, 20), (20, 10)]]
    plain = read_trajectories(table, ring, trajectory="walk", step="t", state="node")
    assert data.actions.tolist() == plain.actions.tolist()
    shuffled = read_trajectories(table.iloc[[2, 4, 0, 3, 1]], pairs, trajectory="walk", step="t", state="node")
    assert shuffled.data_hash() == data.data_hash()


def test_a_single_visit_is_kept_as_a_trajectory_without_choices(grid):
    table = pd.DataFrame({"walk": ["a", "b", "b"], "t": [0, 0, 1], "row": [0, 0, 0], "col": [0, 0, 1]})
    data = read_trajectories(table, grid, **GRID)
    assert data.lengths.tolist() == [0, 1]
    assert "1 trajectory without any choice" in repr(data)
    assert np.isnan(data.to_frame(p=[[0.5], [0.5]])["p"].iloc[[0, 2]]).all()


def test_slips_make_more_transitions_possible():
    slippery = grid_world(2, 2, slip=0.2)
    table = pd.DataFrame({"walk": 0, "t": [0, 1], "row": [0, 1], "col": [0, 0], "act": ["right", None]})
    assert read_trajectories(table, slippery, action="act", **GRID).actions.tolist() == [[3]]
    with pytest.raises(ValueError, match="never leads to state 1,0"):
        read_trajectories(table, grid_world(2, 2), action="act", **GRID)
    with pytest.raises(ValueError, match=r"is not determined by the next state: down and right all lead .* action="):
        read_trajectories(table, slippery, **GRID)


def test_large_worlds_with_memory_take_no_table_of_all_pairs():
    n = 3000  # a table of all pairs of states would take 72 MB
    onward = [[[(s + 1) % n]] for s in range(n)]
    ring = with_memory(from_arrays(successors=onward, probabilities=np.ones((n, 1, 1)), discount=0.9))
    table = pd.DataFrame({"walk": 0, "t": range(100), "node": range(100)})
    tracemalloc.start()
    data = read_trajectories(table, ring, trajectory="walk", step="t", state="node")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2e7
    assert [ring.states[s] for s in data.states[0, :2]] == [(None, 0), (0, 1)]
