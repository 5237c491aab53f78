"""What is wrong in a table is said at once: what, where, what was expected, what to do."""

import re

import numpy as np
import pandas as pd
import pytest
from hand_worlds import graph_of, grid_world, second_order

from goalinf.data import read_trajectories
from goalinf.data.reading.faults import Gathered
from goalinf.data.reading.table import read_opened
from goalinf.worlds.table_files import open_table

GRID = {"trajectory": "walk", "step": "t", "state": ["row", "col"]}


def table(**changed):
    """Walk 7 in a 2 by 3 grid: (0,0) right (0,1) down (1,1) left (1,0) up; index labels 100 to 103."""
    columns = {
        "walk": [7, 7, 7, 7],
        "t": [0, 1, 2, 3],
        "row": [0, 0, 1, 1],
        "col": [0, 1, 1, 0],
        "act": ["right", "down", "left", "up"],
    }
    return pd.DataFrame({**columns, **changed}, index=[100, 101, 102, 103])


def refuses(said, frame, world, **options):
    """Reading raises a ValueError whose message holds these words, and gathering finds the same fault."""
    columns = {**GRID, "action": "act", **options}
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read_trajectories(frame, world, **columns)
    assert str(caught.value) in gathered(frame, world, **columns)
    return str(caught.value)


def gathered(frame, world, **columns):
    """All faults of a table; where the question itself is wrong, that error."""
    faults, unnamed = Gathered(), dict.fromkeys(("action", "subject", "context"))
    try:
        assert read_opened(open_table(frame), world, unnamed | columns, (), faults) is None
    except (ValueError, FileNotFoundError) as error:
        return [str(error)]
    return faults.messages


def test_the_table_itself_is_right(grid):
    assert read_trajectories(table(), grid, action="act", **GRID).n_observed == 4


# -- the table ----------------------------------------------------------------------------------


def test_missing_column_suggests_close_names(grid):
    said = refuses("no column 'colum' (state=): did you mean col?", table(), grid, state=["row", "colum"])
    assert said.endswith("The table has walk, t, row, col, act")
    refuses("no column 'whom' (subject=)", table(), grid, subject="whom")


def test_a_column_that_is_there_twice(grid):
    twice = pd.concat([table(), table()[["row"]]], axis=1)
    refuses("2 columns named 'row' (state=)", twice, grid)


def test_empty_tables(grid, tmp_path):
    refuses("the table is empty (0 rows, 5 columns)", table().iloc[:0], grid)
    refuses("the table is empty (0 rows, 0 columns)", pd.DataFrame(), grid)
    (tmp_path / "none.csv").write_text("")
    refuses("none.csv is empty", tmp_path / "none.csv", grid)
    (tmp_path / "head.csv").write_text("walk,t,row,col,act\n")
    refuses("the table is empty (0 rows", tmp_path / "head.csv", grid)


def test_files_that_cannot_be_read(grid, tmp_path):
    refuses("the format of walks.xlsx is unknown", tmp_path / "walks.xlsx", grid)
    with pytest.raises(FileNotFoundError):
        read_trajectories(tmp_path / "absent.csv", grid, action="act", **GRID)


def test_in_a_file_the_line_is_named(grid, tmp_path):
    path = tmp_path / "walks.csv"
    table(col=[0, 1, 9, 0]).to_csv(path, index=False)
    refuses("row 2, line 4 of walks.csv (trajectory 7, step 2): unknown state (1, 9)", path, grid)
    assert path.read_text().splitlines()[3].startswith("7,2,1,9")


def test_a_table_without_any_choice(grid):
    refuses("no action at all: 4 rows, 1 trajectories", table(act=[None] * 4), grid)
    refuses("no action at all: 1 rows, 1 trajectories", table().iloc[:1], grid, action=None)


def test_several_columns_where_one_is_expected(grid):
    refuses("step= names 2 columns; expected one", table(), grid, step=("t", "t"))


# -- steps, trajectories, subjects --------------------------------------------------------------


def test_duplicated_step(grid):
    said = refuses("row 102 (trajectory 7, step 1): row 101 is the same step", table(t=[0, 1, 1, 2]), grid)
    assert "trajectory=['subject', 'episode']" in said


def test_missing_step(grid):
    said = refuses("row 102 (trajectory 7, step 5): the step before it is 1", table(t=[0, 1, 5, 9]), grid)
    assert "empty action" in said
    assert said.endswith("(2 rows have this fault; this is the first)")


def test_the_first_wrong_row_is_the_first_of_the_table_whatever_the_order_of_steps(grid):
    backwards = table(t=[0, 1, 5, 9]).iloc[::-1]
    refuses("row 103 (trajectory 7, step 9)", backwards, grid)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([0, 1, 2.5, 3], "row 102: step 2.5 is not an integer"),
        ([0, np.inf, 2, 3], "row 101: step inf is not an integer"),
        ([0, 1, None, 3], "row 102: the step is missing"),
        (["0", "1", "2", "3"], "row 100: step '0' is a str; expected integers: convert column 't'"),
        ([0, 1, 2, "last"], "row 103: step 'last' is a str"),
        ([True, False, True, True], "row 100: step"),
    ],
)
def test_steps_that_are_no_integers(grid, steps, said):
    refuses(said, table(t=steps), grid)


RANK = "use their rank within the trajectory, 1, 2, 3, …: table.groupby(trajectory)['t'].rank(method='first')"


@pytest.mark.parametrize(
    "stamps",
    [
        pd.to_datetime(["2026-01-01 10:00", "2026-01-01 10:01", "2026-01-01 10:05", "2026-01-01 10:06"]),
        ["2026-01-01 10:00", "2026-01-01 10:01", "2026-01-01 10:05", "2026-01-01 10:06"],
        ["10:00:01", "10:00:02", "10:00:05", "10:00:06"],
        pd.to_timedelta([0, 61, 90, 99], unit="s"),
        [0.35, 0.9, 1.25, 2.5],
        [1767261600, 1767261660, 1767261900, 1767261960],
    ],
    ids=["datetimes", "text", "times of day", "durations", "seconds", "unix"],
)
def test_time_stamps_in_the_place_of_steps_point_to_ranks(grid, stamps):
    frame = table(t=stamps)
    said = refuses("row 10", frame, grid)
    assert said.split("(3 rows")[0].split("(4 rows")[0].strip().endswith(RANK)
    ranks = frame.groupby("walk")["t"].rank(method="first")
    assert read_trajectories(frame.assign(t=ranks), grid, action="act", **GRID).n_observed == 4


def test_a_single_gap_is_no_time_stamp(grid):
    assert "rank" not in refuses("the step before it is 1", table(t=[0, 1, 5, 6]), grid)


def test_trajectory_and_subject_must_be_there(grid):
    refuses("row 101: the trajectory is missing; every row needs one", table(walk=[7, None, 7, 7]), grid)
    refuses("row 101: the trajectory is missing", table(b=[1, None, 1, 1]), grid, trajectory=["walk", "b"])
    refuses("row 103: the subject is missing", table(who=["a", "a", "a", None]), grid, subject="who")


def test_subject_and_context_are_constant_in_a_trajectory(grid):
    said = refuses(
        "row 102 (trajectory 7, step 2): the subject is b, at the start of the trajectory it is a",
        table(who=["a", "a", "b", "b"]),
        grid,
        subject="who",
    )
    assert "trajectory=['walk', 'who']" in said
    refuses("the context is 2, at the start", table(day=[1, 1, 1, 2]), grid, context="day")


def test_rows_of_a_table_with_repeated_index_are_told_apart(grid):
    bad = table(col=[0, 1, 9, 0])
    bad.index = [0, 1, 0, 1]
    refuses("row 0 (number 2 from the top) (trajectory 7, step 2)", bad, grid)


# -- states and actions -------------------------------------------------------------------------


def test_unknown_and_missing_states(grid):
    said = refuses("row 101 (trajectory 7, step 1): unknown state (0, 8)", table(col=[0, 8, 8, 0]), grid)
    assert said.endswith("(2 rows have this fault; this is the first)")
    said = refuses("row 101 (trajectory 7, step 1): the state is missing", table(col=[0, np.nan, 1, 0]), grid)
    assert "'row', 'col'" in said


def test_text_where_the_world_has_numbers_and_the_reverse(ring):
    frame = pd.DataFrame({"walk": 0, "t": [0, 1], "node": ["10", "20"]})
    options = {"trajectory": "walk", "step": "t", "state": "node"}
    with pytest.raises(ValueError, match=r"unknown state '10': the world names it 10\. The table holds text"):
        read_trajectories(frame, ring, **options)
    text = graph_of([("10", "20"), ("20", "10")])
    with pytest.raises(ValueError, match=r"unknown state 10: the world names it '10'\. The table holds numbers"):
        read_trajectories(frame.astype({"node": int}), text, **options)


def test_states_that_cannot_be_compared(grid):
    lists = table(cell=[[0, 0], [0, 1], [1, 1], [1, 0]])
    refuses("column 'cell' (state=) holds values that cannot be compared, such as lists", lists, grid, state="cell")


def test_unknown_actions(grid, ring):
    said = refuses(
        "row 101 (trajectory 7, step 1): unknown action 'fly'", table(act=["right", "fly", "left", "up"]), grid
    )
    assert "up, down, left, right" in said
    refuses("unknown action 4: the actions are up, down, left, right (or their numbers, 0 to 3)", table(act=4), grid)
    frame = pd.DataFrame({"walk": 0, "t": [0, 1], "node": [10, 20], "to": [30, 10]})
    with pytest.raises(ValueError, match=r"row 0 \(trajectory 0, step 0\): unknown action 30 in state 10"):
        read_trajectories(frame, ring, trajectory="walk", step="t", state="node", action="to")


def test_an_action_that_is_not_available(grid):
    said = refuses(
        "row 100 (trajectory 7, step 0): action up is not available in state 0,0; expected down or right",
        table(act=["up", "down", "left", "left"]),
        grid,
    )
    assert "(2 rows have this fault" in said


def test_a_transition_the_world_forbids(grid):
    said = refuses(
        "action right in state 0,1 never leads to state 1,1, which comes next (row 102)",
        table(act=["right", "right", "left", "up"]),
        grid,
    )
    assert "it leads to 0,2" in said
    # With the choice missing, some available action must be able to lead there.
    jump = table(col=[0, 1, 0, 0], act=["right", None, "up", "up"])
    refuses("row 101 (trajectory 7, step 1): no action leads from state 0,1 to state 1,0", jump, grid)


def test_decisions_in_a_terminal_state(grid):
    frame = table(row=[0, 1, 1, 1], col=[2, 2, 1, 0], act=["down", "left", "left", "up"])
    refuses("row 101 (trajectory 7, step 1): state 1,2 is terminal", frame, grid)
    refuses("row 101 (trajectory 7, step 1): state 1,2 is terminal", frame, grid, action=None)
    refuses("state 1,2 is terminal", frame.iloc[:2], grid)
    assert read_trajectories(frame.iloc[:2], grid, **GRID).n_observed == 1
    last = frame.iloc[:2].assign(act=["down", None])
    assert read_trajectories(last, grid, action="act", **GRID).states.tolist() == [[2, 5]]


def test_actions_that_cannot_be_read_off(grid):
    said = refuses("no action leads from state 0,1 to state 1,0", table(col=[0, 1, 0, 0]), grid, action=None)
    assert "row 101 (trajectory 7, step 1)" in said
    assert "which comes next (row 102); one step leads to 0,0, 0,2 or 1,1" in said
    said = refuses("no action leads from state 1,1 to state 1,1", table(col=[0, 1, 1, 1]), grid, action=None)
    assert "give the world a stay action" in said


# -- worlds -------------------------------------------------------------------------------------


def test_worlds_by_context(grid):
    worlds = {"day": grid, "night": grid}
    refuses("several worlds were given: name the column", table(), worlds)
    said = refuses(
        "context 'dusk' has no world; the mapping has 'day', 'night'", table(sky="dusk"), worlds, context="sky"
    )
    assert "row 100 (trajectory 7, step 0)" in said
    refuses("world is a dict; expected a World", table(), {})


def test_each_row_is_checked_in_its_own_world():
    small = {"small": grid_world(1, 2), "large": grid_world(1, 3)}
    frame = pd.DataFrame(
        {
            "walk": [0, 0, 1, 1],
            "t": [0, 1, 0, 1],
            "row": 0,
            "col": [1, 2, 1, 2],
            "map": ["large", "large", "small", "small"],
        }
    )
    refuses("row 3 (trajectory 1, step 1): unknown state (0, 2)", frame, small, context="map", action=None)
    assert read_trajectories(frame.iloc[:2], small, context="map", **GRID).n_observed == 1


def test_in_worlds_with_memory_errors_speak_of_plain_states(ring):
    frame = pd.DataFrame({"walk": 0, "t": [0, 1, 2], "node": [10, 20, 40]})
    with pytest.raises(ValueError, match=r"step 1\): no action leads from state 20 to state 40"):
        read_trajectories(frame, second_order(ring), trajectory="walk", step="t", state="node")
