"""Independent proposals: when they run, when they do not, and what is said."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from small import HALL, plain_model

import goalinf as gi
from goalinf.inference import _arviz
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.inference.samplers.geometry import Geometry
from goalinf.precision import computing_in

AGENT = gi.agents.soft_optimal(beta=2.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
SIZE = {"chains": 2, "draws": 100, "progress": False}


def test_pareto_k_is_that_of_the_weights():
    """Of a Pareto distribution with index a it is 1/a; of weights that are bounded it is not positive."""
    rng = np.random.default_rng(0)
    for index in (1.0, 2.0, 4.0):
        assert _arviz.khat(np.log(rng.pareto(index, 20_000) + 1.0)) == pytest.approx(1 / index, abs=0.1)
    assert _arviz.khat(np.log(rng.uniform(size=20_000))) < 0.05


def test_pareto_k_where_the_smallest_weights_of_the_tail_are_alike():
    log_weights = np.sort(np.log(np.random.default_rng(0).pareto(1.0, 20_000) + 1.0))
    log_weights[-int(3 * np.sqrt(20_000))] = log_weights[-int(3 * np.sqrt(20_000)) + 1] - 1e-12
    assert _arviz.khat(log_weights) == pytest.approx(1.0, abs=0.1)


def test_weights_too_far_apart_for_a_fit_are_the_worst():
    rng = np.random.default_rng(0)
    alike = rng.normal(size=600)
    cases = [1000 * alike, np.append(alike, 800.0), np.where(np.arange(600) < 50, alike, -np.inf)]
    for log_weights in [*cases, np.full(600, -np.inf)]:
        assert _arviz.khat(log_weights) == np.inf
    assert _arviz.khat(np.where(np.arange(600) < 500, alike, -np.inf)) < 0.7


def test_weights_that_are_all_alike_have_no_tail():
    """PSIS refuses to rank them: so the weights are where a posterior is its prior."""
    for log_weights in (np.zeros(600), np.full(600, -7.0), 1e-12 * np.arange(600.0)):
        assert _arviz.khat(log_weights) == 0.0


def test_few_normal_parameters_need_no_gradient(walks):
    fit = gi.infer(jax.random.key(0), HALL, agent=AGENT, reward=PRIOR, data=walks, **SIZE)
    assert fit.tree.attrs["algorithm"] == "IMH"
    assert fit.tree.attrs["khat"] < 0.7
    assert "Independence Metropolis–Hastings on all parameters" in fit.diagnosis
    assert set(fit.sample_stats.data_vars) == {"acceptance_rate", "diverging", "lp"}
    assert fit.sample_stats["acceptance_rate"].mean() > 0.6
    lp = fit.sample_stats["lp"].values
    prior = stats.norm.logpdf(fit.posterior["reward.values"].values).sum(-1)
    scores = fit.tree["log_likelihood"]["choices"].values.sum(-1)
    np.testing.assert_allclose(lp, prior + scores, atol=1e-9)


@pytest.mark.slow
def test_other_posteriors_take_gradients(walks):
    many = gi.open_grid(5, 5, discount=0.9)
    there = gi.simulate(
        jax.random.key(1), many, AGENT, gi.StateReward(np.zeros(25), on="departure"), trajectories=5, steps=5
    )
    laplace = gi.StateReward(dist.Laplace(0.0, 1.0), on="departure")
    cases = [
        ("HMC", many, AGENT, PRIOR, there),  # 25 parameters
        ("HMC", HALL, gi.agents.soft_optimal(beta=2.0, horizon=6), PRIOR, walks),
        ("NUTS", HALL, AGENT, laplace, walks),  # its mode lies on kinks, where no curvature helps
    ]
    for algorithm, world, agent, reward, data in cases:
        fit = gi.infer(jax.random.key(0), world, agent=agent, reward=reward, data=data, warmup=50, **SIZE)
        assert fit.tree.attrs["algorithm"] == algorithm
        assert "khat" not in fit.tree.attrs


def test_proposals_that_miss_the_posterior_are_told_by_their_weights(walks, monkeypatch):
    """With proposals a quarter as wide as the posterior the pilot gives up; whoever insists is told."""
    laplace = Geometry.laplace
    monkeypatch.setattr(
        Geometry, "laplace", lambda mode: dataclasses.replace(laplace(mode), scale=laplace(mode).scale / 4)
    )
    arguments = {"agent": AGENT, "reward": PRIOR, "data": walks}
    fit = gi.infer(jax.random.key(0), HALL, **arguments, **SIZE)
    assert fit.tree.attrs["algorithm"] in ("HMC", "NUTS")
    assert "because the Pareto k of independent proposals was" in fit.diagnosis
    forced = gi.infer(jax.random.key(0), HALL, **arguments, method="independence", **SIZE)
    assert forced.tree.attrs["khat"] > 0.7
    assert "NOT converged" in forced.diagnosis
    assert "Pareto k of the proposals" in forced.diagnosis


@pytest.mark.slow
def test_proposals_that_are_often_refused_give_way_to_gradients(walks):
    """Where beta is free the product with the reward has tails that proposals around its mode reach too rarely."""
    free = gi.agents.soft_optimal(beta=dist.LogNormal(0.5, 0.5))
    said = []
    for seed in range(3):
        fit = gi.infer(jax.random.key(seed), HALL, agent=free, reward=PRIOR, data=walks, progress=False)
        said.append(fit.diagnosis)
    assert all(one.startswith("Converged") for one in said)
    assert any("because independent proposals were accepted at a rate of 0." in one for one in said)


def test_places_that_cannot_be_planned_for_are_told(walks):
    """Undiscounted, there is no fixed point where steps cost too little; values there run away."""
    hall = gi.gridworld("s.a", stay=True, discount=1.0, terminal="a")
    agent, costs = gi.agents.soft_optimal(beta=1.0), gi.StateReward(np.full(3, -2.5), on="departure")
    there = gi.simulate(jax.random.key(1), hall, agent, costs, trajectories=10, steps=3)
    prior = gi.StateReward(dist.Normal(-2.5, 1.0), on="departure")
    with computing_in("float64"):
        target = posterior_of(StandardModel(hall, agent, prior), there).natural.closed
    points = target.start + 1.5 * np.random.default_rng(2).standard_normal((200, 3))
    target.derivatives(target.start)
    potentials, scores = target.scores(points)
    one_by_one = [target.derivatives(point)[0] for point in points]
    assert 10 < np.isinf(one_by_one).sum() < 190
    np.testing.assert_allclose(potentials, one_by_one, rtol=1e-9)
    assert not (scores > 0).any()
    fit = gi.infer(jax.random.key(0), hall, agent=agent, reward=prior, data=there, method="independence", **SIZE)
    assert fit.divergences > 0
    assert "draws diverged" in fit.diagnosis


def test_terminal_states_have_a_closed_form():
    hall = gi.gridworld("s.a", stay=True, discount=0.9, terminal="a")
    with computing_in("float64"):
        ends = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
        assert posterior_of(StandardModel(hall, AGENT, PRIOR), ends).natural.closed is not None


def test_what_cannot_run_says_why(walks):
    with pytest.raises(ValueError, match=r"independent proposals need a soft-optimal agent"):
        gi.infer(jax.random.key(0), model=plain_model, data=walks, method="independence")
