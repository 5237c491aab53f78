"""Designs, and data simulated from them with parameters drawn from their priors."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats

import goalinf as gi
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import prior_draws
from goalinf.precision import computing_in

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
PRIOR = dist.LogNormal(0.5, 0.4)
BY_SESSION = gi.regression("1 + session", PRIOR, by="subject", spread=dist.HalfNormal(0.5))
AGENT = gi.agents.boltzmann(beta=BY_SESSION)


def test_a_design_has_one_row_per_trajectory():
    table = gi.design(HALL, subjects=["x", "y"], sessions=["pre", "post"], trajectories=2, steps=7, start="s")
    assert list(table.columns) == ["subject", "session", "trajectory", "steps", "start"]
    assert table["subject"].tolist() == ["x"] * 4 + ["y"] * 4
    assert table["session"].tolist() == ["pre", "pre", "post", "post"] * 2
    assert table["trajectory"].tolist() == list(range(8))
    assert set(table["steps"]) == {7}
    assert set(table["start"]) == {"s"}
    both = gi.design({"one": HALL, "two": HALL}, subjects=1, trajectories=2, steps=3)
    assert both["context"].tolist() == ["one", "one", "two", "two"]
    assert "session" not in both


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjects": 0}, "subjects is 0; expected a whole number of at least 1"),
        ({"subjects": "ann"}, "subjects is 'ann'; expected a number, or a list of names"),
        ({"subjects": ["a", "b", "a"]}, "subjects has 'a' twice"),
        ({"sessions": []}, r"sessions is \[\]; expected a list of names"),
        ({"trajectories": 1.5}, "trajectories is 1.5"),
        ({"steps": 0}, "steps is 0"),
        ({"start": "z"}, "'z'"),
    ],
)
def test_wrong_designs(change, message):
    with pytest.raises((ValueError, KeyError), match=message):
        gi.design(HALL, **{"subjects": 2, "trajectories": 2, "steps": 3, **change})


def test_simulated_data_have_the_design():
    table = gi.design(HALL, subjects=["x", "y"], sessions=["pre", "post"], trajectories=2, steps=7, start="s")
    table = table.drop(index=[6, 7])  # y misses the second session
    table.loc[0, "steps"] = 3
    table["start"] = table["start"].where(table.index != 1)  # drawn from the world
    table["age"] = np.where(table["subject"] == "x", 20.0, 30.0)
    data = gi.simulate(3, HALL, AGENT, WANTS, like=table)
    assert data.lengths.tolist() == [3, 7, 7, 7, 7, 7]
    assert [data.subject_names[i] for i in data.subject] == table["subject"].tolist()
    assert [HALL.states[s] for s in data.states[[0, 2, 3, 4, 5], 0]] == ["s"] * 5
    frame = data.to_frame()
    assert frame.groupby("trajectory")["session"].first().tolist() == table["session"].tolist()
    assert frame.groupby("trajectory")["age"].first().tolist() == table["age"].tolist()
    assert frame.groupby("trajectory").size().tolist() == table["steps"].tolist()
    again = gi.simulate(3, HALL, AGENT, WANTS, like=table)
    np.testing.assert_array_equal(again.actions, data.actions)
    assert again.drawn.identical(data.drawn)
    # The table of the simulated data, read again, is a design of its own and has the same covariates.
    read = gi.read_trajectories(
        frame, HALL, subject="subject", trajectory="trajectory", step="step", state="state", action="action"
    )
    more = gi.simulate(4, HALL, AGENT, WANTS, like=read)
    assert more.lengths.tolist() == data.lengths.tolist()
    assert more.labels.covariates["session"].tolist() == table["session"].tolist()


def test_drawn_values_are_those_that_act():
    """With very large and very small betas the actions follow the drawn values of their own subject and session."""
    agent = gi.agents.boltzmann(beta=gi.no_pooling(dist.Uniform(0.0, 200.0), by=["subject", "session"]))
    design = gi.design(HALL, subjects=3, sessions=["pre", "post"], trajectories=4, steps=3, start="s")
    data = gi.simulate(0, HALL, agent, WANTS, like=design)
    beta = data.drawn["agent.beta"]
    assert beta.dims == ("subject", "session")
    sessions = data.labels.covariates["session"]
    by_row = [
        float(beta.sel(subject=data.subject_names[i], session=name))
        for i, name in zip(data.subject, sessions, strict=True)
    ]
    scores = [
        float(gi.Behavior(HALL, gi.agents.boltzmann(beta=b), WANTS).log_prob(data.select([row])))
        for row, b in enumerate(by_row)
    ]
    model = StandardModel(HALL, agent, WANTS)
    behavior = model.behavior({"agent.beta": beta.values}, data.context_names, model.levels(data))
    assert float(behavior.log_prob(data)) == pytest.approx(sum(scores), abs=1e-9)
    greedy = [data.actions[row, 0] for row, b in enumerate(by_row) if b > 50]
    assert len(set(greedy)) == 1


def test_priors_without_levels_are_drawn_too():
    reward = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    data = gi.simulate(1, HALL, gi.agents.boltzmann(beta=PRIOR), reward, trajectories=2, steps=4)
    assert data.drawn["reward.values"].dims == ("state",)
    assert data.drawn["agent.beta"].dims == ()
    known = gi.simulate(1, HALL, gi.agents.boltzmann(beta=1.0), WANTS, trajectories=2, steps=4)
    with pytest.raises(ValueError, match="no parameter was drawn for these data"):
        _ = known.drawn


def test_data_without_labels_are_a_design():
    bare = gi.Trajectories.of([[2, 1, 0], [2, 3, -1]], [[2, 2], [3, -1]])
    data = gi.simulate(0, HALL, gi.agents.boltzmann(beta=PRIOR), WANTS, like=bare)
    assert data.lengths.tolist() == [2, 1]
    assert float(data.drawn["agent.beta"]) > 0.0


def test_options_of_a_mixture_are_drawn():
    agents = gi.one_of([gi.agents.boltzmann(beta=50.0), gi.agents.anti_rational(beta=50.0)], by="subject")
    design = gi.design(HALL, subjects=8, trajectories=3, steps=1, start="s")
    data = gi.simulate(5, HALL, agents, WANTS, like=design)
    (name,) = data.drawn.data_vars
    left = HALL.action_names(HALL.index("s")).index("left")
    for row in range(data.n_trajectories):
        rational = int(data.drawn[name].values[data.subject[row]]) == 0
        assert (data.actions[row, 0] == left) == rational
    assert 0 < int(data.drawn[name].sum()) < 8


def test_draws_have_the_distribution_of_the_prior():
    design = gi.design(HALL, subjects=2, sessions=["pre", "post"], trajectories=1, steps=2)
    model = StandardModel(HALL, AGENT, WANTS)
    data = gi.simulate(0, HALL, AGENT, WANTS, like=design)
    with computing_in("float64"):
        draws = prior_draws(jax.random.key(1), model.sites(data), 4000)
    assert stats.kstest(np.log(draws["agent.beta.mean"]), stats.norm(0.5, 0.4).cdf).pvalue > 1e-3
    assert stats.kstest(draws["agent.beta.sd"], stats.halfnorm(0.0, 0.5).cdf).pvalue > 1e-3
    assert (
        stats.kstest(draws["agent.beta.session"][:, 0], stats.norm(0.0, 0.4).cdf).pvalue > 1e-3
    )  # the width of the prior
    standard = draws["agent.beta.subject"] / draws["agent.beta.sd"][:, None]
    assert stats.kstest(standard[:, 0], "norm").pvalue > 1e-3
    change = np.log(draws["agent.beta"][:, :, 0]) - np.log(draws["agent.beta"][:, :, 1])  # post, then pre
    np.testing.assert_allclose(change, -draws["agent.beta.session"] * np.ones((1, 2)), atol=1e-9)


def test_drawn_values_are_saved(tmp_path):
    design = gi.design(HALL, subjects=2, sessions=["pre", "post"], trajectories=2, steps=4)
    data = gi.simulate(0, HALL, AGENT, WANTS, like=design)
    fit = gi.infer(1, HALL, agent=AGENT, reward=WANTS, data=data, method="laplace", draws=20)
    loaded = gi.load(fit.save(tmp_path / "fit.nc"))
    assert loaded.data.drawn.equals(data.drawn)
    assert loaded.data.labels.covariates["session"].tolist() == data.labels.covariates["session"].tolist()
    assert loaded.agent.parameters["beta"].formula == "1 + session"
    assert loaded.posterior.identical(fit.posterior)
    more = loaded.predict(2, 2)
    assert more[0].labels.covariates["session"].tolist() == data.labels.covariates["session"].tolist()


def test_what_is_refused():
    design = gi.design(HALL, subjects=2, trajectories=2, steps=4)
    with pytest.raises(ValueError, match="the data have no covariate 'session'"):
        gi.simulate(0, HALL, AGENT, WANTS, like=design)
    with pytest.raises(ValueError, match="trajectories= and like= are both given"):
        gi.simulate(0, HALL, AGENT, WANTS, like=design, trajectories=3)
    with pytest.raises(ValueError, match=r"gi\.simulate needs steps="):
        gi.simulate(0, HALL, gi.agents.boltzmann(beta=1.0), WANTS, trajectories=3)
    with pytest.raises(TypeError, match="like is a int; expected a design"):
        gi.simulate(0, HALL, AGENT, WANTS, like=3)
    for change, message in (
        (lambda t: t.drop(columns="steps"), "the design has no column 'steps'"),
        (lambda t: t.iloc[:0], "the design has no rows"),
        (lambda t: t.assign(steps=0.5), "row 0 of the design has steps 0.5"),
        (lambda t: t.assign(trajectory=1), "trajectory 1 occurs twice"),
        (lambda t: t.assign(subject=[None, "a", "b", "c"]), "row 0 of the design has no subject"),
        (lambda t: t.assign(start="z"), "'z'"),
    ):
        with pytest.raises((ValueError, KeyError), match=message):
            gi.simulate(0, HALL, gi.agents.boltzmann(beta=1.0), WANTS, like=change(design))
    with pytest.raises(ValueError, match="context 'three' of the design has no world"):
        gi.simulate(0, {"one": HALL}, gi.agents.boltzmann(beta=1.0), WANTS, like=design.assign(context="three"))
    short = gi.agents.boltzmann(beta=1.0, horizon=2)
    with pytest.raises(ValueError, match="the longest trajectory has 4 steps, above the agent's horizon of 2"):
        gi.simulate(0, HALL, short, WANTS, like=design)


def test_covariates_that_vary_within_a_trajectory_are_refused():
    walks = gi.simulate(0, HALL, gi.agents.boltzmann(beta=1.0), WANTS, trajectories=4, steps=3)
    frame = walks.to_frame()
    frame["session"] = ["a", "a", "b"] + ["a"] * 3 + ["b"] * 6
    frame["dose"] = [1.0] * 3 + [np.nan] * 3 + [2.0] * 6
    columns = {"trajectory": "trajectory", "step": "step", "state": "state", "action": "action"}
    data = gi.read_trajectories(frame, HALL, **columns)
    for formula, message in (
        (
            "1 + session",
            r"covariate 'session' varies within 1 of 4 trajectories: it is 'a' at the start of trajectory 0 ",
        ),
        ("1 + dose", r"covariate 'dose' is missing in 1 of 4 trajectories \(trajectory 1\)"),
        ("1 + nothing", "the data have no covariate 'nothing'"),
    ):
        agent = gi.agents.boltzmann(beta=gi.regression(formula, PRIOR))
        with pytest.raises(ValueError, match=message):
            gi.infer(0, HALL, agent=agent, reward=WANTS, data=data)
    labels = dataclasses.replace(walks.labels, covariates=pd.DataFrame({"x": [1.0, 1.0, 1.0, 1.0]}))
    constant = gi.Trajectories.of(walks.states, walks.actions, lengths=walks.lengths, labels=labels)
    agent = gi.agents.boltzmann(beta=gi.regression("1 + x", PRIOR))
    with pytest.raises(ValueError, match=r"agent\.beta: column 'x' of '1 \+ x' is zero or a combination"):
        gi.infer(0, HALL, agent=agent, reward=WANTS, data=constant)
    with pytest.raises(ValueError, match="covariates have 3 rows; expected 4, one per trajectory"):
        dataclasses.replace(walks.labels, covariates=pd.DataFrame({"x": [1.0, 1.0, 1.0]}))
