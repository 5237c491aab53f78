"""Cross-validation and power: scores against integrals on a grid, tables by hand, resumption and messages."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import goalinf as gi
from goalinf.inference.model.models import StandardModel
from goalinf.workflow.estimates import Sampling
from goalinf.workflow.recovery import Recovery

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
AGENT = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))


@pytest.fixture(scope="module")
def fit():
    walks = gi.simulate(0, HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=8, steps=5)
    data = gi.Trajectories.of(walks.states, walks.actions, lengths=walks.lengths, subject=np.arange(8) // 2)
    return gi.infer(0, HALL, agent=AGENT, reward=WANTS, data=data, method="laplace", draws=10)


def test_folds_are_scored_by_the_others(fit, tmp_path, monkeypatch):
    """The ratio of two integrals over log beta: of all data, and of the other folds."""
    settings = {"k": 2, "chains": 2, "draws": 400, "out": tmp_path / "folds"}
    folds = gi.workflow.kfold(1, fit, **settings)
    x = np.linspace(-6.0, 6.0, 241)
    policies = np.array([np.asarray(gi.agents.boltzmann(beta=float(np.exp(b))).policy(HALL, WANTS)) for b in x])
    data = fit.data
    scores = np.where(
        data.observed,
        np.log(policies)[:, np.maximum(data.states[:, :-1], 0), np.maximum(data.actions, 0)],
        0.0,
    ).sum(-1)
    by_subject = np.stack([scores[:, data.subject == i].sum(1) for i in range(4)], axis=1)
    fold = folds.table["fold"].to_numpy()
    assert sorted(fold) == [0, 0, 1, 1]
    assert folds.table["choices"].tolist() == [int(data.observed[data.subject == i].sum()) for i in range(4)]
    prior = stats.norm.logpdf(x)
    expected = []
    for i in range(4):
        others = prior + by_subject[:, fold != fold[i]].sum(1)
        expected.append(logsumexp(others + by_subject[:, i]) - logsumexp(others))
    np.testing.assert_allclose(folds.table["log_density"], expected, atol=0.05)
    assert folds.elpd == pytest.approx(sum(expected), abs=0.1)
    assert repr(folds).startswith("2-fold cross-validation by subject: elpd -")

    def fails(*_):
        raise AssertionError("a finished fold was fitted again")

    monkeypatch.setattr(Sampling, "fit", fails)
    again = gi.workflow.kfold(1, fit, **settings)
    pd.testing.assert_frame_equal(again.table, folds.table)
    with pytest.raises(ValueError, match=r"holds runs with other settings \(seed changed since\)"):
        gi.workflow.kfold(1, fit, **settings, seed=1)
    difference = folds.minus(again)
    np.testing.assert_allclose(difference, 0.0, atol=1e-12)
    other = dataclasses.replace(again, table=again.table.assign(fold=1 - again.table["fold"]))
    with pytest.raises(ValueError, match="have other units or folds: use the same data, k, unit and seed"):
        folds.minus(other)


def test_new_subjects_of_folds_have_the_group(fit):
    """With one fold per subject this is the exact leave-one-subject-out, also of data without names."""
    agent = gi.agents.boltzmann(beta=gi.partial_pooling(dist.LogNormal(0.5, 0.3), spread=dist.HalfNormal(0.3)))
    model = dataclasses.replace(fit.model, agent=agent)
    folds = gi.workflow.kfold(1, dataclasses.replace(fit, model=model), k=4, draws=200, method="laplace")
    assert folds.table.index.tolist() == [0, 1, 2, 3]
    assert sorted(folds.table["fold"]) == [0, 1, 2, 3]
    assert np.isfinite(folds.table["log_density"]).all()
    with pytest.raises(ValueError, match="the data have 4 subjects with observed actions; expected at least k = 5"):
        gi.workflow.kfold(1, fit, k=5)


def test_power_by_hand(monkeypatch):
    """Widths, errors and shares of made-up estimates; the cheapest sufficient design is named."""
    calls = []

    def made_up(key, world, *, like, runs, **_):
        size = like["subject"].nunique() * like["trajectory"].nunique()
        calls.append((size, runs))
        half = 4.0 / np.sqrt(size)
        table = pd.DataFrame({"run": [0, 1], "parameter": "agent.beta", "level": "", "true": [1.0, 2.0]})
        table = table.assign(mean=[1.5, 2.0], sd=half, converged=[True, False])
        return Recovery(
            table.assign(low=table["mean"] - half, high=table["mean"] + half), pd.Series({"agent.beta": 1.0})
        )

    monkeypatch.setattr("goalinf.workflow.refits.power.recover", made_up)
    sizes = {"subjects": [1, 4], "trajectories": [2, 8], "steps": 5}
    asked = {"agent": AGENT, "reward": WANTS, "parameter": "agent.beta"}
    found = gi.power(0, HALL, **asked, precision=1.5, runs=2, **sizes)
    table = found.table
    assert table["steps"].tolist() == [10, 40, 40, 160]
    half = 4.0 / np.sqrt([2, 8, 32, 128])
    np.testing.assert_allclose(table["width"], 2 * half)
    np.testing.assert_allclose(table["rmse"], np.sqrt(0.125))
    np.testing.assert_allclose(table["coverage"], [1.0, 1.0, 1.0, 0.5])
    np.testing.assert_allclose(table["excludes"], [0.0, 1.0, 1.0, 1.0])
    assert table["failed"].tolist() == [1] * 4
    assert found.smallest["subjects"] == 4
    assert found.smallest["trajectories"] == 2
    assert "Smallest design with a mean width of the 90 % interval of agent.beta of at most 1.5: 4 subj" in repr(found)
    assert "4 fits did NOT converge" in repr(found)
    assert gi.power(0, HALL, **asked, precision=0.1, runs=2, **sizes).smallest is None
    with pytest.raises(ValueError, match=r"parameter is 'beta'; the unknown numbers of the model are agent\.beta"):
        gi.power(0, HALL, **{**asked, "parameter": "beta"}, precision=1.0, **sizes)
    with pytest.raises(ValueError, match="precision is 0; expected a positive width"):
        gi.power(0, HALL, **asked, precision=0, **sizes)
    with pytest.raises(ValueError, match=r"subjects is 10; expected a list of numbers, such as \[10, 20, 40\]"):
        gi.power(0, HALL, **asked, precision=1.0, **{**sizes, "subjects": 10})


def test_power_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """A larger grid computes its new designs only; more data make intervals narrower."""
    settings = {"agent": AGENT, "reward": WANTS, "parameter": "agent.beta", "precision": 1.0, "runs": 1, "draws": 50}
    first = gi.power(0, HALL, **settings, subjects=[1], trajectories=[2, 10], steps=5, out=tmp_path)
    assert first.table["width"].iloc[1] < first.table["width"].iloc[0]

    def fails(*_):
        raise AssertionError("a finished run was fitted again")

    monkeypatch.setattr(Sampling, "fit", fails)
    again = gi.power(0, HALL, **settings, subjects=[1], trajectories=[10, 2], steps=5, out=tmp_path)
    pd.testing.assert_frame_equal(again.table[::-1].reset_index(drop=True), first.table)


def test_short_chains_that_did_not_converge_are_run_again():
    """The effective sample size of 2 x 30 draws is below the limit; that of 2 x 500 independent proposals is above."""
    model = StandardModel(HALL, AGENT, WANTS)
    data = gi.simulate(0, HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=6, steps=6)
    short, long = (Sampling(2, draws, "auto").fit(jax.random.key(1), model, data) for draws in (30, 500))
    assert short.n_draws == 2 * 120
    assert long.converged
    assert long.n_draws == 2 * 500
