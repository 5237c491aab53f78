"""The posterior over planners, against integration; and what it tends to."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi

ARMS = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
PRIOR = gi.ActionReward(dist.Normal(0.0, 1.0))


def choices(first, total):
    made = np.array([[0] * first + [1] * (total - first)])
    return gi.Trajectories.of(np.zeros((1, total + 1), int), made)


def marginal(beta, first, total):
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    gap = beta * np.sqrt(2) * nodes
    return (
        weights @ np.exp(-first * np.logaddexp(0, -gap) - (total - first) * np.logaddexp(0, gap)) / np.sqrt(2 * np.pi)
    )


def test_against_quadrature():
    agents = {
        "calm": gi.agents.soft_optimal(beta=0.3),
        "keen": gi.agents.soft_optimal(beta=2.0),
        "idle": gi.agents.uniform(),
    }
    weights = {"calm": 1, "keen": 2.0, "idle": 1}
    data = choices(17, 20)
    fitted = {name: agents[name] for name in ("calm", "keen")}
    found = gi.identify.agent_posterior(
        jax.random.key(0), ARMS, fitted, PRIOR, data, weights={n: weights[n] for n in fitted}, draws=2000
    )
    expected = {name: weights[name] * marginal(float(one.beta), 17, 20) for name, one in fitted.items()}
    total = sum(expected.values())
    assert found.table["converged"].all()
    for name, value in expected.items():
        chance = value / total
        error = chance * (1 - chance) * np.hypot(*found.table["error"])
        assert error < 2e-3
        assert found.table["probability"][name] == pytest.approx(chance, abs=4 * error)
    assert found.table.index[0] == "keen"
    assert found.table["log_bayes_factor"].max() == 0.0
    names = [name for name, _ in found.draws(1000)]
    chance = expected["keen"] / total
    assert names.count("keen") / 1000 == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 1000))
    assert all(isinstance(reward, gi.ActionReward) for _, reward in found.draws(10))


def test_it_tends_to_the_bayes_factor_of_infinite_data():
    """The wrong beta keeps a finite weight, and the limit is the one that the densities of policies give."""
    truth = gi.ActionReward(np.array([[0.7, 0.0]]))
    others = {"calm": gi.agents.soft_optimal(beta=1.0)}
    limit = gi.identify.agent_equivalence(ARMS, gi.agents.soft_optimal(beta=2.0), truth, others, prior=PRIOR)
    n = 40_000
    data = choices(round(n / (1 + np.exp(-1.4))), n)
    agents = {"true": gi.agents.soft_optimal(beta=2.0), **others}
    table = gi.identify.agent_posterior(jax.random.key(0), ARMS, agents, PRIOR, data, draws=2000).table
    found = table["log_evidence"]["calm"] - table["log_evidence"]["true"]
    assert found == pytest.approx(limit["log_bayes_factor"]["calm"], abs=4 * np.hypot(*table["error"]) + 1e-3)


def test_refused():
    agents = {"calm": gi.agents.soft_optimal(beta=0.3)}
    for weights, words in (
        ({}, "weights are"),
        ({"other": 1.0}, "weights are"),
        ({"calm": 0.0}, "weights are"),
        ({"calm": -1.0}, "the weight of 'calm' is -1.0; expected a number of at least 0"),
    ):
        with pytest.raises(ValueError, match=words):
            gi.identify.agent_posterior(jax.random.key(0), ARMS, agents, PRIOR, choices(1, 2), weights=weights)
