"""Recovery, calibration, model recovery and predictive checks: statistics by hand, planted errors, resumed runs."""

import json

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats

import goalinf as gi
from goalinf.inference.model.models import StandardModel
from goalinf.workflow.calibration import Calibration, _deviation
from goalinf.workflow.confusion import Confusion
from goalinf.workflow.predictive_checks import Replications
from goalinf.workflow.recovery import Recovery
from goalinf.workflow.runs import run_all
from goalinf.workflow.statistics import named

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
PRIOR = dist.LogNormal(0.5, 0.4)
AGENT = gi.agents.boltzmann(beta=PRIOR)
LEARNER = gi.agents.rescorla_wagner(learning_rate=dist.Beta(2.0, 2.0), beta=dist.LogNormal(0.0, 0.5))
DESIGN = gi.design(HALL, subjects=1, trajectories=6, steps=6)


# -- runs -----------------------------------------------------------------------------------------


class StoppedError(Exception):
    """Stands for a process that was killed."""


def squares(number):
    return {"square": number**2}


def test_interrupted_runs_go_on(tmp_path):
    called = []

    def task(number, stop=None):
        if number == stop:
            raise StoppedError
        called.append(number)
        return squares(number)

    options = {"title": "squares", "out": tmp_path / "out", "workers": 1, "client": None}
    with pytest.raises(StoppedError):
        run_all(lambda number: task(number, stop=2), 4, {"a": 1}, **options)
    assert called == [0, 1]
    (tmp_path / "out" / "run-0002.json.123.partial").write_text('{"squ')  # what a killed process leaves behind
    results = run_all(task, 4, {"a": 1}, **options)
    assert called == [0, 1, 2, 3]
    assert results == [squares(number) for number in range(4)]
    assert run_all(task, 6, {"a": 1}, **options)[:4] == results  # more runs of the same settings
    assert called == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"holds runs with other settings \(a changed since\): choose another folder"):
        run_all(task, 4, {"a": 2}, **options)
    (tmp_path / "out" / "settings.json").unlink()
    with pytest.raises(ValueError, match=r"holds runs without settings\.json"):
        run_all(task, 4, {"a": 1}, **options)


def test_runs_on_a_cluster():
    class Future:
        def __init__(self, value):
            self.value = value

        def result(self):
            return self.value

    class Client:
        def submit(self, function, *args, pure):
            assert pure is False
            return Future(function(*args))

    found = run_all(squares, 3, {}, title="squares", out=None, workers=1, client=Client())
    assert found == [squares(number) for number in range(3)]
    with pytest.raises(ValueError, match="workers= and client= are both given"):
        run_all(squares, 3, {}, title="squares", out=None, workers=2, client=Client())
    with pytest.raises(ValueError, match="runs is 0"):
        run_all(squares, 0, {}, title="squares", out=None, workers=1, client=None)


@pytest.mark.slow
def test_runs_in_spawned_processes():
    """The runs of several processes are those of one."""
    options = {"agent": AGENT, "reward": WANTS, "like": DESIGN, "runs": 2, "method": "laplace"}
    one, two = (gi.recover(0, HALL, workers=workers, **options) for workers in (1, 2))
    pd.testing.assert_frame_equal(one.estimates, two.estimates, rtol=1e-9)


# -- recovery -------------------------------------------------------------------------------------


def test_recovery_resumes_and_notices_changes(tmp_path):
    options = {
        "agent": AGENT,
        "reward": WANTS,
        "like": DESIGN,
        "method": "laplace",
        "draws": 100,
        "out": tmp_path / "out",
    }
    found = gi.recover(0, HALL, runs=3, **options)
    path = tmp_path / "out" / "run-0001.json"
    changed = json.loads(path.read_text())
    changed["estimates"]["mean"] = [99.0]
    path.write_text(json.dumps(changed))
    (tmp_path / "out" / "run-0002.json").unlink()
    again = gi.recover(0, HALL, runs=3, **options)
    assert again.estimates["mean"].tolist()[1] == 99.0  # read, not computed
    assert again.estimates["mean"].tolist()[2] == found.estimates["mean"].tolist()[2]
    for change in (
        {"reward": gi.StateReward.at(HALL, {"a": 2.0}, default=0.0, on="departure")},
        {"agent": gi.agents.boltzmann(beta=dist.LogNormal(0.5, 0.5))},
        {"like": DESIGN.iloc[1:]},
        {"draws": 101},
    ):
        with pytest.raises(ValueError, match="holds runs with other settings"):
            gi.recover(0, HALL, runs=3, **{**options, **change})
    with pytest.raises(ValueError, match="holds runs with other settings"):
        gi.recover(1, HALL, runs=3, **options)
    with pytest.raises(ValueError, match="no parameter of the agent or the reward has a prior"):
        gi.recover(0, HALL, agent=gi.agents.boltzmann(beta=1.0), reward=WANTS, like=DESIGN)


def test_the_table_of_a_recovery():
    rng = np.random.default_rng(0)
    true = rng.normal(size=50)
    error = 0.5 + 0.3 * rng.normal(size=50)
    estimates = pd.DataFrame(
        {
            "run": np.arange(50) // 5,
            "parameter": "x",
            "level": "",
            "true": true,
            "mean": true + error,
            "sd": 0.3,
            "low": true + error - 0.6,
            "high": true + error + 0.6,
            "converged": np.arange(50) >= 5,
        }
    )
    recovered = Recovery(estimates, pd.Series({"x": 1.0}))
    row = recovered.table.loc["x"]
    assert row["correlation"] == pytest.approx(stats.pearsonr(true, true + error)[0])
    assert row["bias"] == pytest.approx(error.mean())
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["coverage"] == pytest.approx((np.abs(error) <= 0.6).mean())
    assert row["contraction"] == pytest.approx(0.91)
    assert row["numbers"] == 50
    assert recovered.runs == 10
    assert recovered.failed == 1
    assert "1 of 10 fits did NOT converge" in repr(recovered)
    figure = gi.plot.recovery(recovered)
    assert figure.axes[0].get_xlabel() == "true value"
    assert "NOT converged" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    with pytest.raises(KeyError, match="'y' was not recovered; there are x"):
        gi.plot.recovery(recovered, parameters=["y"])


def test_recovery_finds_the_values():
    found = gi.recover(0, HALL, agent=AGENT, reward=WANTS, like=DESIGN, runs=8, method="laplace")
    assert found.estimates["run"].tolist() == list(range(8))
    assert found.table.loc["agent.beta", "correlation"] > 0.3
    assert 0.0 < found.table.loc["agent.beta", "contraction"] < 1.0
    assert found.prior_sd["agent.beta"] == pytest.approx(float(np.sqrt(PRIOR.variance)), rel=0.1)


# -- calibration ----------------------------------------------------------------------------------


def test_the_deviation_of_ranks_by_hand():
    ranks = np.array([[0, 0, 3, 4], [1, 2, 3, 4]])
    expected = []
    for row in ranks:
        smallest = 1.0
        for rank in range(4):
            count, share = (row <= rank).sum(), (rank + 1) / 5
            below = sum(stats.binom.pmf(k, 4, share) for k in range(count + 1))
            above = sum(stats.binom.pmf(k, 4, share) for k in range(count, 5))
            smallest = min(smallest, below, above)
        expected.append(2 * smallest)
    np.testing.assert_allclose(_deviation(ranks, 4), expected)


@pytest.mark.parametrize(
    ("scale", "shift", "says"),
    [(1.0, 0.0, ""), (0.5, 0.0, "too narrow"), (2.0, 0.0, "too wide"), (1.0, 0.7, "too high"), (1.0, -0.7, "too low")],
)
def test_planted_errors_of_a_posterior_are_found(scale, shift, says):
    """Normal mean with a normal prior: the posterior is N(y / 2, 1 / 2); a wrong sampler shifts or scales it."""
    rng = np.random.default_rng(1)
    true = rng.normal(size=200)
    observed = true + rng.normal(size=200)
    draws = observed[:, None] / 2 + shift + scale * np.sqrt(0.5) * rng.normal(size=(200, 99))
    calibration = Calibration(pd.DataFrame({"x": (draws < true[:, None]).sum(axis=1)}), 99, 0)
    assert calibration.calibrated == (not says)
    assert says in calibration.verdict
    assert ("NOT calibrated" in calibration.verdict) == bool(says)
    figure = gi.plot.calibration(calibration)
    assert figure.axes[0].get_xlabel() == "rank (share)"


@pytest.mark.slow
def test_calibration_of_a_fit_and_of_a_wrong_one(tmp_path):
    """The exact posterior passes; the ranks of a model with a swapped condition do not."""
    import goalinf.workflow.calibration as module

    options = {"reward": WANTS, "like": DESIGN, "runs": 40, "method": "laplace", "draws": 100}
    right = gi.calibrate(0, HALL, agent=AGENT, out=tmp_path / "right", **options)
    assert right.ranks.shape == (40, 2)
    assert right.calibrated, right
    assert "No deviation from calibration was detected in 40 runs" in right.verdict
    assert "detect large errors only" in right.verdict
    worse = gi.agents.boltzmann(beta=dist.LogNormal(2.0, 0.1))

    class Wrong(module.Sampling):
        """Fits another prior than the one that simulated."""

        def fit(self, key, model, data):
            return super().fit(key, type(model)(model.world, worse, model.reward), data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Sampling", Wrong)
        wrong = gi.calibrate(0, HALL, agent=AGENT, **options)
    assert not wrong.calibrated
    assert "agent.beta (its posterior is too high)" in wrong.verdict
    with pytest.raises(ValueError, match="ranked is 999; 2 chains of 100 draws have 200"):
        gi.calibrate(0, HALL, agent=AGENT, ranked=999, **options)


# -- model recovery ---------------------------------------------------------------------------------


def test_matrices_of_selections():
    rows = [
        (run, simulated, fitted, score, True)
        for simulated, best in (("a", "aab"), ("b", "bba"))
        for run, winner in enumerate(best)
        for fitted, score in (("a", float(winner == "a")), ("b", float(winner == "b")))
    ]
    found = Confusion(pd.DataFrame(rows, columns=["run", "simulated", "fitted", "score", "converged"]), "loo")
    np.testing.assert_allclose(found.matrix.loc["a"], [2 / 3, 1 / 3])
    np.testing.assert_allclose(found.matrix.loc["b"], [1 / 3, 2 / 3])
    np.testing.assert_allclose(found.inversion.sum(axis=0), 1.0)
    text = repr(found)
    assert "P(simulated | selected)" in text
    assert "NOT" not in text
    figure = gi.plot.confusion(found.matrix)
    assert figure.axes[0].get_xlabel() == "selected"
    never = found.scores.assign(score=np.where(found.scores["fitted"] == "a", 1.0, 0.0))
    assert np.isnan(Confusion(never, "loo").inversion["b"]).all()


@pytest.mark.parametrize("criterion", ["loo", "marginal_likelihood"])
def test_opposite_agents_are_told_apart(criterion):
    agents = {"for": gi.agents.boltzmann(beta=PRIOR), "against": gi.agents.anti_rational(beta=PRIOR)}
    found = gi.confusion(
        0, HALL, agents=agents, reward=WANTS, like=DESIGN, runs=2, criterion=criterion, chains=2, draws=300
    )
    np.testing.assert_array_equal(found.matrix, np.eye(2))
    with pytest.raises(ValueError, match="criterion is 'aic'; expected 'loo' or 'marginal_likelihood'"):
        gi.confusion(0, HALL, agents=agents, reward=WANTS, like=DESIGN, criterion="aic")
    with pytest.raises(ValueError, match="agents is no mapping of two or more agents"):
        gi.confusion(0, HALL, agents={"for": AGENT}, reward=WANTS, like=DESIGN)


# -- predictive checks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fit():
    data = gi.simulate(0, HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=8, steps=6)
    return gi.infer(1, HALL, agent=AGENT, reward=WANTS, data=data, method="laplace", draws=200)


def test_statistics_by_hand():
    first = gi.Trajectories.of([[2, 1, 0, 0], [2, 3, 2, -1]], [[2, 2, 2], [3, 2, -1]])
    other = gi.Trajectories.of([[2, 1, 1, 1], [2, 3, 4, -1]], [[2, 0, 0], [3, 3, -1]])
    model = gi.infer(0, HALL, agent=AGENT, reward=WANTS, data=first, method="laplace", draws=20).standard("agent")
    check = Replications((other, first, other, other), model, "posterior")
    table = gi.predictive_check(check, first, of=["choice", "stay", "path_length", "occupancy", "goal_reached"])
    assert table.loc[("stay", ""), "observed"] == pytest.approx(2 / 3)
    assert table.loc[("stay", ""), "replicated"] == pytest.approx((3 * 2 / 3 + 2 / 3) / 4)
    assert table.loc[("path_length", ""), "observed"] == 2.0
    assert table.loc[("path_length", ""), "replicated"] == pytest.approx((3 * 1.5 + 2.0) / 4)
    assert table.loc[("path_length", ""), "p"] == pytest.approx(0.125)  # one replication is equal, none larger
    assert table.loc[("occupancy", "s"), "observed"] == pytest.approx(3 / 7)
    assert table.loc[("occupancy", "a"), "observed"] == pytest.approx(2 / 7)
    assert table.loc[("goal_reached", "a"), "observed"] == 0.5
    assert table.loc[("goal_reached", "b"), "replicated"] == pytest.approx(3 * 0.5 / 4)
    assert table.loc[("goal_reached", "b"), "p"] == pytest.approx(0.875)
    assert table.loc[("choice", f"0: {HALL.actions[2]}"), "observed"] == 0.5
    assert table.loc[("choice", f"2: {HALL.actions[2]}"), "observed"] == 1.0
    with pytest.raises(ValueError, match="no statistic is called 'turns'"):
        gi.predictive_check(check, first, of=["turns"])
    with pytest.raises(ValueError, match="the data have 1 trajectories and the replicated data 2"):
        gi.predictive_check(check, first.select([0]))
    with pytest.raises(ValueError, match="the statistic 'text' is a str; expected a number"):
        gi.predictive_check(check, first, of={"text": lambda data: "x"})


def test_replications_of_a_fit(fit):
    check = gi.posterior_predictive(2, fit, draws=30)
    assert len(check) == 30
    frame = check.to_frame()
    assert frame["draw"].nunique() == 30
    assert set(frame.columns) > {"subject", "trajectory", "step", "state", "action"}
    table = gi.predictive_check(check, fit.data, of={"long": lambda data: float(data.n_steps)})
    assert table.loc[("long", ""), "observed"] == fit.data.n_steps
    assert table.loc[("long", ""), "p"] == 0.5
    figure = gi.plot.predictive(check, fit.data, of=["occupancy", "stay"])
    assert [ax.get_title() for ax in figure.axes] == ["occupancy", "stay"]
    prior = gi.prior_predictive(3, HALL, agent=AGENT, reward=WANTS, like=fit.data, draws=5)
    betas = [float(data.drawn["agent.beta"]) for data in prior.data]
    assert len(set(betas)) == 5
    unknown = gi.infer(
        0,
        HALL,
        agent=gi.agents.boltzmann(beta=1.0),
        reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
        data=fit.data,
        method="laplace",
        draws=20,
    )
    few = gi.posterior_predictive(0, unknown, draws=5)
    with pytest.raises(ValueError, match="'goal_reached' needs goals"):
        gi.predictive_check(few, fit.data, of=["goal_reached"])
    usual = gi.predictive_check(few, fit.data)
    assert list(dict.fromkeys(usual.index.get_level_values(0))) == ["occupancy", "path_length", "stay"]


# -- report -----------------------------------------------------------------------------------------


def test_a_report_is_one_page(fit, tmp_path):
    check = gi.posterior_predictive(2, fit, draws=20)
    recovered = gi.recover(0, HALL, agent=AGENT, reward=WANTS, like=DESIGN, runs=3, method="laplace")
    page = gi.report(fit, check=check, recovery=recovered, title="A <b>bold</b> title", out=tmp_path / "report.html")
    text = page.read_text()
    assert "<title>A &lt;b&gt;bold&lt;/b&gt; title</title>" in text
    for part in (
        "Methods",
        "agent.beta ~ LogNormal(loc=0.5, scale=0.4)",
        "Posterior predictive check",
        "Parameter recovery",
        "data:image/png;base64",
        "Phan, Pradhan and Jankowiak",
        "Wilson and Collins",
        f"{fit.data.n_observed} actions",
        str(fit.tree.attrs["data_hash"]),
    ):
        assert part in text, part
    assert 'src="http' not in text
    assert "<script" not in text
    assert "Talts" not in text  # calibration was not given
    with pytest.raises(FileExistsError, match="exists already"):
        gi.report(fit, out=tmp_path / "report.html")
    assert gi.report(fit, out=tmp_path / "report.html", overwrite=True) == page
    with pytest.raises(ValueError, match=r"the suffix is '\.pdf'"):
        gi.report(fit, out=tmp_path / "report.pdf")
    with pytest.raises(TypeError, match="recovery is a Replications; expected a Recovery"):
        gi.report(fit, recovery=check, out=tmp_path / "other.html")


def test_a_report_says_that_chains_did_not_converge(fit, tmp_path):
    data = fit.data
    short = gi.infer(0, HALL, agent=AGENT, reward=WANTS, data=data, chains=2, draws=4, warmup=2)
    assert not short.converged
    text = gi.report(short, out=tmp_path / "report.html").read_text()
    assert "This fit has NOT converged" in text


def test_win_stay_by_hand_and_the_usual_statistics_of_learners():
    arms = gi.bandit(["left", "right"])
    actions = [[0, 0, 1, 1, -1, 1], [1, 0, 0, 1, 1, 1]]
    outcomes = [[1.0, 0.0, 2.0, -1.0, np.nan, 1.0], [1.0, 3.0, np.nan, 0.0, 0.0, 1.0]]
    data = gi.Trajectories.of(np.zeros((2, 7), int), actions, lengths=[6, 6], outcomes=outcomes)
    known = named(["win_stay", "stay"], StandardModel(arms, LEARNER, gi.RecordedReward()), data)
    # After 1, 2 | 1, 3: stay, stay | switch, stay. After 0 | 0, 0: switch | stay, stay.
    assert dict(known["win_stay"](data)) == {"after an outcome above 0": 0.75, "after an outcome of 0 or below": 2 / 3}
    assert known["stay"](data) == 5 / 8
    every = np.random.default_rng(0).normal(size=(2, 6, 2))
    shown = gi.Trajectories.of(np.zeros((2, 7), int), actions, lengths=[6, 6], outcomes=every)
    fit = gi.infer(0, arms, agent=LEARNER, reward=gi.RecordedReward(), data=shown, method="laplace")
    check = gi.posterior_predictive(1, fit, draws=3)
    table = gi.predictive_check(check, shown)
    assert list(dict.fromkeys(table.index.get_level_values(0))) == ["choice", "stay", "win_stay"]
    assert gi.plot.predictive(check, shown).axes
    with pytest.warns(UserWarning, match="the data hold outcomes"):
        gi.infer(0, arms, agent=LEARNER, reward=gi.StateReward([1.0], on="departure"), data=shown, method="laplace")
