"""Forced trials as a column of a table and as an array."""

import numpy as np
import pandas as pd
import pytest

import goalinf as gi

ARMS = gi.bandit(["A", "B"])
STATES, ACTIONS = np.zeros((2, 4), int), np.array([[0, 1, 1], [1, 0, 0]])
FORCED = np.array([[True, False, False], [False, True, True]])
TABLE = pd.DataFrame(
    {
        "who": ["u", "u", "u", "v", "v"],
        "trial": [1, 2, 3, 1, 2],
        "state": "choice",
        "choice": ["A", "B", None, "B", "A"],
        "points": [1.0, 0.5, None, -1.0, 2.0],
        "computer": [True, False, False, False, True],
    }
)
COLUMNS = {"trajectory": "who", "step": "trial", "state": "state", "action": "choice", "outcome": "points"}


@pytest.mark.parametrize(
    "words",
    [
        [True, False, False, False, True],
        ["true", "False", "", "FALSE", "True"],
        [1, 0, 0, 0, 1],
        [1.0, 0.0, None, 0.0, 1.0],
    ],
)
@pytest.mark.parametrize("text", [False, True])
def test_forced_trials_are_a_column_of_the_table(words, text, tmp_path):
    table = TABLE.assign(computer=pd.Series(words).replace("", None))
    source = tmp_path / "trials.csv" if text else table
    if text:
        table.to_csv(source, index=False)
    data = gi.read_trajectories(source, ARMS, subject="who", forced="computer", **COLUMNS)
    np.testing.assert_array_equal(data.forced, [[True, False], [False, True]])
    assert "\nno missing choices, 2 forced actions\n" in str(data)
    assert data.n_observed == 2
    assert data.to_frame().drop(columns="computer").equals(table.drop(columns="computer"))
    assert list(data.select([1]).forced[0]) == [False, True]
    assert data.select([1]).labels.columns["forced"] == "computer"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [True, "yes", False, False, True],
            r"row 1 \(trajectory u, step 2\): column 'computer' \(forced=\) holds 'yes'",
        ),
        ([2, 0, 0, 0, 1], r"row 0 .* holds 2; expected true or false, or 1 or 0"),
        ([True, None, None, False, True], r"row 1 .*\(forced=\) is empty, and there is an action"),
        ([True, False, True, False, True], r"row 2 .* is true, and there is no action; give the action"),
    ],
)
def test_other_words_are_refused_with_their_row(cells, message):
    with pytest.raises(ValueError, match=message):
        gi.read_trajectories(TABLE.assign(computer=cells), ARMS, forced="computer", **COLUMNS)
    with pytest.raises(ValueError, match=r"no column 'forced' \(forced=\)"):
        gi.read_trajectories(TABLE, ARMS, forced="forced", **COLUMNS)


@pytest.mark.parametrize(
    ("forced", "message"),
    [
        ([[1, 0]], "forced holds int64; expected True and False"),
        ([[True]], r"forced has shape \(1, 1\); expected \(1, 2\)"),
        ([[False, True]], "forced: trajectory 0, step 1 is forced and has no action"),
    ],
)
def test_arrays_of_forced_trials_are_checked(forced, message):
    with pytest.raises(ValueError, match=message):
        gi.Trajectories.of([[0, 0, 0]], [[0, -1]], lengths=[2], forced=forced)


def test_data_without_a_forced_trial_are_the_same_data():
    plain, none_forced, some_forced = (
        gi.Trajectories.of(STATES, ACTIONS, forced=forced) for forced in (None, np.zeros_like(FORCED), FORCED)
    )
    assert none_forced.forced is None
    assert plain.data_hash() == none_forced.data_hash() != some_forced.data_hash()
    hidden = gi.Trajectories.of(STATES, ACTIONS, observed=~FORCED, forced=FORCED)  # nothing is known of a hidden step
    assert hidden.forced is None
    assert (~np.asarray(hidden.observed)).sum() == FORCED.sum()
    assert some_forced.to_frame()["forced"].tolist() == FORCED.ravel().tolist()
    assert "forced" not in plain.to_frame()


def test_a_forced_action_that_the_world_does_not_have_is_refused():
    unknown = gi.Trajectories.of([[0, 0]], [[2]], outcomes=[[1.0]], forced=[[True]])
    agent = gi.agents.kalman_learner(observation_sd=1.0, beta=1.0)
    with pytest.raises(ValueError, match="action number 2; the world has 2 actions"):
        gi.Behavior(ARMS, agent, gi.RecordedReward()).log_prob(unknown)
