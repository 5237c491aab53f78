"""Recorded outcomes and rewards: tables, files, replicated trials, worlds of several sizes, and wrong input."""

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import goalinf as gi

ARMS = gi.bandit(["A", "B", "C"])
CUES = gi.bandit(["A", "B", "C"], offers={"AB": "AB", "BC": "BC", "all": "ABC"})
TRIALS = 25
ALL_OUTCOMES = np.random.default_rng(3).normal(size=(2, TRIALS, 3)).round(2)


def test_table_and_file_keep_outcomes(tmp_path):
    table = pd.DataFrame({"s": 0, "t": range(4), "state": "choice", "pick": ["A", "B", None, "C"]})
    table["points"] = [10.0, -5.0, None, 2.5]
    read = gi.read_trajectories(
        table, ARMS, trajectory="s", step="t", state="state", action="pick", subject="s", outcome="points"
    )
    assert np.nansum(read.outcomes) == 7.5
    np.testing.assert_array_equal(read.outcomes[0, 1], [np.nan, -5.0, np.nan])
    agent = gi.agents.rescorla_wagner(learning_rate=dist.Beta(2.0, 2.0), beta=0.1)
    fit = gi.infer(0, ARMS, agent=agent, reward=gi.RecordedReward(), data=read, draws=50, chains=1)
    fit.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(gi.load(tmp_path / "fit.nc").data.outcomes, read.outcomes)
    assert read.data_hash() != gi.Trajectories.of(read.states, read.actions, lengths=read.lengths).data_hash()


def test_columns_of_all_actions_match_by_name():
    table = pd.DataFrame(
        {
            "s": 0,
            "t": range(2),
            "state": "choice",
            "pick": ["A", "B"],
            "c": [3.0, 4.0],
            "a": [1.0, 2.0],
            "b": [5.0, None],
        }
    )
    read = gi.read_trajectories(
        table, ARMS, trajectory="s", step="t", state="state", action="pick", outcome={"C": "c", "A": "a", "B": "b"}
    )
    np.testing.assert_array_equal(read.outcomes[0], [[1.0, 5.0, 3.0], [2.0, np.nan, 4.0]])
    with pytest.raises(ValueError, match="no column for the action 'B'"):
        gi.read_trajectories(
            table, ARMS, trajectory="s", step="t", state="state", action="pick", outcome={"C": "c", "A": "a"}
        )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gi.bandit("AB"), "at least two options"),
        (lambda: gi.bandit(["A", "B"], offers={"x": "AC"}), "names 'C'"),
        (lambda: gi.RecordedReward(scale=0.0), "above 0"),
        (lambda: gi.RecordedReward(loss_aversion=-1.0), "at least 0"),
        (lambda: gi.RecordedReward(curvature=dist.Normal(0.0, 1.0)), "includes numbers below 0"),
        (lambda: gi.RecordedReward(scale=dist.LogNormal(0.0, 1.0)), "only beta times the scale is identified"),
        (lambda: gi.ShapedReward(gi.RecordedReward(), [0.0]), "without shaping"),
        (lambda: gi.Trajectories.of([[0, 0, 0]], [[0, 1]], outcomes=[["1", "2"]]), "are no numbers"),
        (lambda: gi.Trajectories.of([[0, 0, 0]], [[0, 1]], outcomes=[[True, False]]), "are no numbers"),
        (lambda: gi.agents.boltzmann(beta=1.0).policy(ARMS, gi.RecordedReward()), "plans, and the reward is recorded"),
        (
            lambda: gi.Behavior(
                ARMS, gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0), gi.RecordedReward()
            ).log_prob(gi.Trajectories.of([[0, 0, 0]], [[0, 1]])),
            "hold no outcomes",
        ),
        (lambda: gi.Trajectories.of([[0, 0, 0]], [[0, -1]], outcomes=[[1.0, 1.0]]), "no action"),
        (lambda: gi.Trajectories.of([[0, 0, 0]], [[0, 2]], outcomes=np.zeros((1, 2, 2))), "has 2 actions"),
        (lambda: gi.Trajectories.of([[0, 0, 0]], [[0, 1]], outcomes=[[np.inf, 1.0]]), "infinite"),
        (
            lambda: gi.simulate(
                0,
                ARMS,
                gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0),
                gi.RecordedReward(),
                trajectories=1,
                steps=2,
            ),
            "give outcomes=",
        ),
        (
            lambda: gi.simulate(
                0,
                ARMS,
                gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0),
                gi.RecordedReward(),
                like=gi.Trajectories.of([[0, 0, 0]], [[0, 1]], outcomes=[[1.0, 2.0]]),
            ),
            "not chosen are unknown",
        ),
    ],
)
def test_wrong_input_is_refused(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "expected numbers: convert"),
        (["x", 1.0], "holds 'x'; expected a finite number"),
        ([1.0, np.inf], "expected a finite number"),
    ],
)
def test_outcomes_that_are_no_numbers_name_their_row(column, words):
    table = pd.DataFrame({"s": 0, "t": range(2), "state": "choice", "pick": ["A", "B"], "points": column})
    with pytest.raises(ValueError, match=words):
        gi.read_trajectories(table, ARMS, trajectory="s", step="t", state="state", action="pick", outcome="points")


def test_replicated_trials_keep_their_cues_with_their_outcomes():
    """A pays at cue x and B at cue y: a good learner stays good in replicated data."""
    world = gi.bandit(["A", "B"], offers=["x", "y"])
    agent = gi.agents.rescorla_wagner(learning_rate=0.5, beta=10.0, by_state=True)
    every = np.broadcast_to(np.eye(2), (20, 30, 2, 2))
    true = gi.simulate(0, world, agent, gi.RecordedReward(), trajectories=20, steps=30, outcomes=every)
    cues = np.asarray(true.states)
    shown = gi.Trajectories.of(cues, true.actions, outcomes=np.eye(2)[cues[:, :-1]])
    for again in (
        gi.simulate(1, world, agent, gi.RecordedReward(), like=shown),
        gi.Behavior(world, agent, gi.RecordedReward(), like=shown).sample(jax.random.key(1)),
    ):
        np.testing.assert_array_equal(np.asarray(again.states)[:, :-1], cues[:, :-1])
        assert (np.asarray(again.actions) == cues[:, :-1])[:, 15:].mean() > 0.98


def test_outcomes_of_unavailable_options_need_not_be_known():
    world = gi.bandit(["A", "B", "C"], offers={"AB": "AB", "BC": "BC"})
    agent = gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0)
    outcomes = [[[1.0, 0.0, np.nan], [np.nan, 1.0, 0.0]]]
    data = gi.Trajectories.of([[0, 1, -1]], [[0, 2]], outcomes=outcomes)
    assert gi.simulate(0, world, agent, gi.RecordedReward(), like=data).n_steps == 2
    with pytest.raises(ValueError, match="has 1 states"):
        gi.Trajectories.of([[0, 1, -1]], [[0, 2]], outcomes=np.zeros((1, 2, 1, 3)))
    with pytest.raises(ValueError, match="outcomes hold 3 states and the world has 2"):
        gi.Behavior(world, agent, gi.RecordedReward()).log_prob(
            gi.Trajectories.of([[0, 1, -1]], [[0, 2]], outcomes=np.zeros((1, 2, 3, 3)))
        )


def test_a_utility_that_overflows_is_no_missing_outcome():
    data = gi.Trajectories.of([[0, 0, 0, -1]], [[0, 1, 0]], outcomes=[[1000.0, 1000.0, 0.0]])
    agent = gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0)
    assert not np.isfinite(float(gi.Behavior(ARMS, agent, gi.RecordedReward(curvature=400.0)).log_prob(data)))


def test_tables_of_simulated_data_keep_the_outcomes_of_all_actions():
    agent = gi.agents.rescorla_wagner(learning_rate=0.5, unchosen_rate=0.5, beta=1.0)
    data = gi.simulate(0, ARMS, agent, gi.RecordedReward(), trajectories=2, steps=TRIALS, outcomes=ALL_OUTCOMES)
    table = data.to_frame()
    columns = {name: f"outcome of {name}" for name in "ABC"}
    again = gi.read_trajectories(
        table, ARMS, trajectory="trajectory", step="step", state="state", action="action", outcome=columns
    )
    np.testing.assert_array_equal(again.outcomes, ALL_OUTCOMES)
    behavior = gi.Behavior(ARMS, agent, gi.RecordedReward())
    assert float(behavior.log_prob(again)) == float(behavior.log_prob(data))


def test_worlds_of_different_sizes_share_recorded_rewards():
    agent = gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0)
    worlds = {"a": ARMS, "b": CUES}
    data = gi.Trajectories.of(
        [[0, 0, -1], [2, 1, -1]], [[0, 2], [1, 2]], context=[0, 1], contexts=["a", "b"], outcomes=[[1.0, 0.5]] * 2
    )
    together = gi.Behavior(worlds, agent, gi.RecordedReward()).log_prob_by("trajectory", data)
    alone = [
        float(gi.Behavior(worlds[name], agent, gi.RecordedReward()).log_prob(part))
        for name, part in (
            ("a", gi.Trajectories.of([[0, 0, -1]], [[0, 2]], outcomes=[[1.0, 0.5]])),
            ("b", gi.Trajectories.of([[2, 1, -1]], [[1, 2]], outcomes=[[1.0, 0.5]])),
        )
    ]
    np.testing.assert_allclose(together, alone, atol=1e-12)
