"""The table comes back in its own order, with outputs in the right rows."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hand_worlds import grid_world, second_order
from hypothesis import given
from hypothesis import strategies as st

from goalinf.data import Labels, Trajectories, read_trajectories
from goalinf.worlds import gridworld

OPTIONS = {"trajectory": "walk", "step": "t", "state": ["row", "col"], "action": "act"}


def walks():
    return pd.DataFrame(
        {
            "walk": [1, 1, 1, 0, 0],
            "t": [4, 5, 6, 0, 1],
            "row": [0, 0, 1, 1, 0],
            "col": [0, 1, 1, 0, 0],
            "act": ["right", None, "left", "up", None],
            "note": list("abcde"),
        },
        index=[9, 7, 5, 3, 1],
    )


@given(st.permutations(range(5)))
def test_outputs_are_aligned_to_the_original_rows(order):
    shuffled = walks().iloc[list(order)]
    data = read_trajectories(shuffled, grid_world(2, 3), **OPTIONS)
    number = 100 * np.arange(2)[:, None] + np.arange(3)
    frame = data.to_frame(number=number)
    pd.testing.assert_frame_equal(frame.drop(columns="number"), shuffled)
    # Row b has no recorded choice, row e is the visit to a last state.
    expected = pd.Series({"a": 100.0, "b": np.nan, "c": 102.0, "d": 0.0, "e": np.nan})
    assert np.array_equal(frame["number"], expected[frame["note"]], equal_nan=True)


def test_outputs_may_be_jax_arrays_truth_values_or_text():
    data = read_trajectories(walks(), grid_world(2, 3), **OPTIONS)
    text = np.full((2, 3), "", object)
    text[1] = ["x", "y", "z"]
    frame = data.to_frame(logp=jnp.zeros((2, 3)), right=data.actions == 3, text=text)
    assert frame["logp"].tolist()[0] == 0.0
    assert frame["right"].tolist()[0] == 1.0
    assert frame["text"].iloc[0] == "x"
    assert pd.isna(frame["text"].iloc[1])


def test_a_selection_gives_its_own_rows():
    data = read_trajectories(walks(), grid_world(2, 3), **OPTIONS)
    part = data.select([1])
    frame = part.to_frame(step=np.array([[0, 1, 2]]))
    assert frame["note"].tolist() == ["a", "b", "c"]
    assert part.labels.where(0, 2) == "row 5 (trajectory 1, step 6)"
    assert data.select([0]).to_frame(p=[[0.5]])["note"].tolist() == ["d", "e"]
    resampled = data.select([0, 0]).to_frame(p=[[0.25], [0.75]])
    assert resampled["note"].tolist() == ["d", "d", "e", "e"]
    assert resampled["p"].tolist()[:2] == [0.25, 0.75]


def test_data_without_a_table_become_one():
    grid = grid_world(2, 2)
    labels = Labels(
        trajectories=("x", "y"), subjects=("ann",), contexts=("day",), worlds=(grid,), columns={"context": 0}
    )
    data = Trajectories.of([[0, 1, 3], [2, 0, -1]], [[3, 1], [0, -1]], lengths=[2, 2], labels=labels)
    frame = data.to_frame(p=[[0.1, 0.2], [0.3, 0.4]])
    expected = pd.DataFrame(
        {
            "subject": "ann",
            "trajectory": ["x", "x", "y", "y"],
            "step": [0, 1, 0, 1],
            "context": "day",
            "state": [(0, 0), (0, 1), (1, 0), (0, 0)],
            "action": ["right", "down", "up", None],
            "next_state": [(0, 1), (1, 1), (0, 0), None],
            "p": [0.1, 0.2, 0.3, np.nan],
        }
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)
    again = read_trajectories(frame, grid, trajectory="trajectory", step="step", state="state", action="action")
    assert again.cells.weight.sum() == 3


def test_without_labels_numbers_stand_for_themselves():
    frame = Trajectories.of([[0, 1]], [[0]]).to_frame()
    assert frame.columns.tolist() == ["subject", "trajectory", "step", "state", "action", "next_state"]
    assert frame.iloc[0].tolist() == [0, 0, 0, 0, 0, 1]
    assert all(kind == np.int64 for kind in frame.dtypes)


def test_on_worlds_with_memory_the_state_is_this_node(ring):
    pairs = second_order(ring)
    table = pd.DataFrame({"walk": 0, "t": [0, 1, 2], "node": [10, 20, 10]})
    read = read_trajectories(table, pairs, trajectory="walk", step="t", state="node")
    labels = Labels(trajectories=(0,), worlds=(pairs,))
    frame = Trajectories.of(read.states, read.actions, labels=labels).to_frame()
    assert frame["state"].tolist() == [10, 20]
    assert frame["action"].tolist() == [20, 10]
    assert frame["next_state"].tolist() == [20, 10]


def test_columns_that_do_not_fit_are_refused():
    data = read_trajectories(walks(), grid_world(2, 3), **OPTIONS)
    with pytest.raises(ValueError, match=r"column 'p' has shape \(3,\); expected \(2, 3\)"):
        data.to_frame(p=[1, 2, 3])
    with pytest.raises(ValueError, match="has a column 'note' already"):
        data.to_frame(note=np.zeros((2, 3)))


def test_where_names_a_step_of_simulated_data_too():
    labels = Labels(trajectories=("x",))
    assert labels.where(0, 3) == "trajectory x, step 3"
    assert repr(labels) == "Labels(1 trajectories, 1 subjects, 1 contexts)"


def test_on_maps_rows_and_columns_make_the_table_readable_again(tmp_path):
    town = gridworld("s.a\n.#.", slip=0.1, discount=0.9)
    data = Trajectories.of([[0, 1, 2, -1]], [[3, 3, 1]], labels=Labels(("walk",), worlds=(town,)))
    frame = data.to_frame()
    assert frame["state"].tolist() == ["s", (0, 1), "a"]
    assert frame[["row", "col"]].to_numpy().tolist() == [[0, 0], [0, 1], [0, 2]]
    frame.to_csv(tmp_path / "walks.csv", index=False)
    again = read_trajectories(
        tmp_path / "walks.csv", town, trajectory="trajectory", step="step", state=["row", "col"], action="action"
    )
    assert again.data_hash() == data.data_hash()
