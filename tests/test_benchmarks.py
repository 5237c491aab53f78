"""The benchmarks run, and their tasks are what they say; how fast anything is, is nobody's business here."""

import csv
import os
import subprocess
import sys

import numpy as np
import oracles
import pytest


@pytest.fixture
def tasks(monkeypatch, repository):
    monkeypatch.syspath_prepend(repository / "benchmarks")
    import tasks

    return tasks


def test_log_posterior_of_a_task(tasks):
    """The judge of both sides, against loops."""
    task = tasks.t1(quick=True)
    theta = np.append(task.truth + 0.1, np.log(1.5))
    world = task.dense()
    reward = oracles.departure(world, theta[:-1])
    policy = oracles.mce(world, reward, task.discount, 1.5).policy
    prior = -0.5 * np.log(2 * np.pi * 0.25) * 10 - 2 * (theta[:-1] ** 2).sum() - 2 * np.log(1.5 / 2.0) ** 2
    expected = oracles.step_log_probabilities(policy, task.states, task.actions).sum() + prior
    assert task.log_posterior(theta) == pytest.approx(expected, abs=1e-9)


def test_walks_obey_the_maze(tasks):
    task = tasks.t5(quick=True)
    for states, actions, length in zip(task.states, task.actions, task.lengths, strict=True):
        for t in range(length):
            assert task.next_states[states[t], actions[t]] == states[t + 1]
            assert states[t] not in task.goals
        assert (actions[length:] == -1).all()


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("T3", marks=pytest.mark.slow),
        pytest.param("T4", marks=pytest.mark.slow),
        "T5",
        pytest.param("audit", marks=pytest.mark.slow),
    ],
)
def test_table(task, repository, tmp_path):
    command = [sys.executable, "-W", "error", str(repository / "benchmarks" / "run.py"), task, "--quick"]
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "table.csv")], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(
        float(row["naive"]) > 0
        for row in rows
        if not any(why in row["notes"] for why in ("would need", "no naive side"))
    )
    assert all(float(row["goalinf"]) > 0 for row in rows if "warm-started" not in row["task"])
    assert not any("too far" in row["notes"] or "worse fit" in row["notes"] for row in rows)


def test_both_sides_of_the_two_step_task_have_one_likelihood(tasks):
    """The naive scan and the library, at the same values of all subjects."""
    import jax
    import two_step
    import two_step_naive
    import two_step_ours

    import goalinf as gi

    task = two_step.t4(quick=True)
    rng = np.random.default_rng(0)
    values = {name: two_step.NATURAL[scale](rng.normal(size=4)) for name, (scale, *_) in two_step.PARAMETERS.items()}
    given = two_step_ours.problem(task)
    by_subject = [
        float(
            gi.Behavior(
                given["world"], gi.agents.two_step(**{name: x[n] for name, x in values.items()}), given["reward"]
            ).log_prob(given["data"].select([n]))
        )
        for n in range(4)
    ]
    with jax.enable_x64(True):
        expected = float(two_step_naive.log_likelihood(task)(values))
    assert sum(by_subject) == pytest.approx(expected, abs=1e-9)
