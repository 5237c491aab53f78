"""The audit with all its questions: answered, or refused in words; its pictures and its page."""

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import specimens

import goalinf as gi
from goalinf.display import number
from goalinf.identify import Design, ZeroReward
from goalinf.identify.audit import questions

RING = gi.from_arrays(specimens.ring(4), discount=0.9)
SOFT = gi.agents.soft_optimal(beta=2.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")


MAKERS = {name: getattr(gi.agents, name) for name in ("soft_optimal", "successor_representation")}


@pytest.fixture(scope="module")
def walks():
    truth = gi.StateReward(np.array([1.0, 0.0, -1.0, 0.0]), on="departure")
    return gi.simulate(jax.random.key(0), RING, SOFT, truth, trajectories=10, steps=20)


@pytest.fixture(scope="module")
def fit(walks):
    return gi.infer(jax.random.key(1), RING, agent=SOFT, reward=PRIOR, data=walks, draws=500)


def asked(fit):
    elsewhere = gi.from_arrays(specimens.ring(4), discount=0.5)
    return gi.audit(
        fit,
        worlds={"hasty": elsewhere},
        planners={"hard": gi.agents.boltzmann(beta=2.0), "keen": gi.agents.soft_optimal(beta=8.0)},
    )


@pytest.fixture(scope="module")
def whole(fit):
    return asked(fit)


def test_every_question_is_answered(whole, fit):
    answers = whole.answers
    assert isinstance(answers.zero, ZeroReward)
    assert isinstance(answers.design, Design)
    assert list(answers.regret.index) == ["here", "hasty"]
    assert list(answers.planners.index) == ["hard", "keen"]
    np.testing.assert_allclose(answers.pairs["difference"], 0.0, atol=1e-9)
    text = str(whole)
    for words in (
        "controllability deficit (1)",
        "Zero reward: log Bayes factor",
        "These agents fit the behavior equally well with a reward of their own: hard, keen.",
        "indifferent: +0.00 nats, ",
        "Expected regret of the policy that is optimal for the posterior mean",
        "hasty: ",
        " next data set: ",
        "of 2 null directions",
    ):
        assert words in text
    table = whole.to_frame().set_index("quantity")["value"]
    assert table["regret: here"] == pytest.approx(gi.identify.expected_regret(fit)["regret"]["here"])
    assert table["zero_log_bayes_factor"] == answers.zero.log_bayes_factor
    assert table["gap: hard"] < 1e-10
    assert table["bits: opposite"] == table["bits: meant"] + 1


def test_it_is_the_same_again(whole, fit):
    again = asked(fit)
    assert str(again) == str(whole)
    pd.testing.assert_frame_equal(again.to_frame(), whole.to_frame())


def test_the_checkerboard_is_drawn(whole, tmp_path):
    """The ring of four has an invisible chessboard, on the page as a picture."""
    path = gi.plot.audit_page(whole, tmp_path / "audit.html")
    text = path.read_text(encoding="utf-8")
    assert "Adding any multiple of one of these rewards does not change the policy." in text
    assert text.count("<img ") == 3  # reward, panels, chessboard
    assert "http" not in text.replace("http-equiv", "")
    assert [one.name for one in tmp_path.iterdir()] == ["audit.html"]
    with pytest.raises(FileExistsError, match="exists already"):
        gi.plot.audit_page(whole, path)
    assert gi.plot.audit_page(whole, path, overwrite=True) == path
    with pytest.raises(ValueError, match=r"the suffix is '.txt'"):
        gi.plot.audit_page(whole, tmp_path / "audit.txt")
    with pytest.raises(FileNotFoundError, match="no folder"):
        gi.plot.audit_page(whole, tmp_path / "none" / "audit.html")
    titles = [ax.get_title() for ax in gi.plot.audit(whole).axes]
    assert titles == [
        "Contraction of the reward",
        f"Zero reward: log Bayes factor {number(whole.answers.zero.log_bayes_factor)} nats",
        "Other planners with their own rewards",
        "Expected regret of the posterior mean",
        "Further data",
    ]
    assert all(ax.get_xlabel() for ax in gi.plot.audit(whole).axes)


def test_what_cannot_be_said_is_said():
    """A goal that ends the episode by itself, and a horizon: no policy of one kind, and no returns."""
    agent = gi.agents.soft_optimal(beta=2.0, horizon=3)
    walks = gi.simulate(
        jax.random.key(0),
        RING,
        agent,
        gi.StateReward(np.array([1.0, 0, 0, 0]), on="departure"),
        trajectories=5,
        steps=3,
    )
    fit = gi.infer(jax.random.key(1), RING, agent=agent, reward=PRIOR, data=walks, chains=2, warmup=100, draws=100)
    found = gi.audit(fit)
    assert "Not computed: comparison with other planners" in str(found)
    assert "has a horizon" in str(found)
    assert isinstance(found.answers.regret, pd.DataFrame)
    look = gi.infer(jax.random.key(1), RING, agent=SOFT, reward=PRIOR, data=walks, method="laplace")
    text = str(
        gi.audit(
            look,
            planners={"hard": gi.agents.boltzmann(beta=2.0)},
            experiments={"more": gi.identify.Demonstrations(RING, SOFT)},
        )
    )
    assert "Not computed: comparison with zero reward; these are draws of an approximation" in text


def test_known_rewards_have_no_such_questions(walks):
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 0.5))
    known = gi.StateReward(np.array([1.0, 0.0, -1.0, 0.0]), on="departure")
    fit = gi.infer(jax.random.key(1), RING, agent=agent, reward=known, data=walks, chains=2, draws=200)
    found = gi.audit(fit)
    assert found.answers is None
    with pytest.raises(ValueError, match="no results to draw"):
        gi.plot.audit(found)


@pytest.mark.slow
def test_the_order_of_worlds_is_no_matter():
    """Two worlds by context: visits belong to them by name; a third without data is left out."""
    hall = gi.gridworld("s..a", discount=0.9)
    slippery = gi.gridworld("s..a", discount=0.9, slip=0.5)
    wants = gi.StateReward(np.array([0.0, 1.0, 0.0, 2.0]), on="departure")
    worlds = {"x": hall, "y": slippery}
    walks = gi.simulate(jax.random.key(0), worlds, SOFT, wants, trajectories=4, steps=8)
    found = []
    for order in ("xy", "yxz"):
        given = {name: worlds.get(name, hall) for name in order}
        fit = gi.infer(jax.random.key(1), given, agent=SOFT, reward=PRIOR, data=walks, chains=2, draws=200)
        found.append(gi.audit(fit, planners={"hasty": gi.agents.soft_optimal(beta=2.0, discount=0.1)}).answers)
    assert found[1].planners["gap"]["hasty"] == pytest.approx(found[0].planners["gap"]["hasty"], rel=1e-3)
    assert set(found[1].design.table.index) == {"4 more trajectories in x", "4 more trajectories in y"}
    assert found[1].pairs.startswith("Not computed: degenerate pairs; degenerate pairs are defined for one world")
    assert found[0].planners["gap"]["hasty"] > 1e-6


def test_a_reward_that_nothing_shows():
    """One state: everything is prior, and there are no further results to draw."""
    arms = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
    data = gi.Trajectories.of(np.zeros((1, 11), int), np.array([[0] * 7 + [1] * 3]))
    fit = gi.infer(jax.random.key(0), arms, agent=SOFT, reward=PRIOR, data=data, draws=100)
    found = gi.audit(fit, planners={}, experiments={})
    assert "Identified: 0 of 1 direction of reward" in str(found)
    assert found.answers.planners is None
    assert found.answers.design is None
    assert "next data set" not in str(found)


def test_an_undiscounted_world(tmp_path):
    """Zero reward has no plan that ends, and there is no worst policy: said in words; the page is written all the same."""
    line = gi.gridworld("s..a", terminal="a", discount=1.0)
    cost = gi.StateReward.at(line, {}, default=-3.0, on="departure")
    walks = gi.simulate(jax.random.key(0), line, SOFT, cost, trajectories=20, steps=20)
    prior = gi.StateReward(dist.Normal(-3.0, 0.2), on="departure")
    fit = gi.infer(jax.random.key(1), line, agent=SOFT, reward=prior, data=walks, chains=2, draws=200)
    found = gi.audit(fit)
    text = str(found)
    assert "Not computed: comparison with zero reward; " in text
    assert "there is no worst policy here" in text
    assert isinstance(found.answers.planners, pd.DataFrame)
    assert gi.plot.audit_page(found, tmp_path / "audit.html").exists()


def test_worlds_that_do_not_fit(fit):
    with pytest.raises(ValueError, match="worlds: 'big' does not fit the reward of this fit"):
        gi.audit(fit, worlds={"big": gi.from_arrays(specimens.ring(5), discount=0.9)})
    with pytest.raises(ValueError, match="worlds: 'here' is the name of a world of the data; give another name"):
        gi.audit(fit, worlds={"here": gi.from_arrays(specimens.ring(4), discount=0.5)})


def test_planners_without_a_discount_have_no_experiment_with_half_of_it(fit):
    names = {agent: list(questions._default_experiments(fit, make(beta=1.0))) for agent, make in MAKERS.items()}
    assert len(names["soft_optimal"]) == 3
    assert names["soft_optimal"][-1] == "10 trajectories with the discount halved"
    assert names["successor_representation"] == names["soft_optimal"][:2]
