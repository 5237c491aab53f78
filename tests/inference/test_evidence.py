"""Evidence by bridge sampling, against quadrature that shares nothing with the library."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import integrate, stats

import goalinf as gi

ARMS = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
# Bayes factors of zero reward over r ~ N(0, sigma^2), by (choices of the first arm, choices).
PUBLISHED = {
    1.0: {(5, 10): 2.4081, (8, 10): 0.4534, (10, 10): 0.0157, (50, 100): 7.1243, (60, 100): 0.9713},
    3.0: {(5, 10): 6.6227, (8, 10): 0.8164, (10, 10): 0.0037, (50, 100): 21.184, (60, 100): 2.7839},
    10.0: {(5, 10): 21.8336, (8, 10): 2.5132, (10, 10): 0.0023, (50, 100): 70.5412, (60, 100): 9.2306},
}


def choices(first, total):
    made = np.array([[0] * first + [1] * (total - first)])
    return gi.Trajectories.of(np.zeros((1, total + 1), int), made)


def by_quadrature(sigma, first, total, beta=1.0):
    """Marginal likelihood over the difference of the arms."""

    def of(gap):
        fit = -first * np.logaddexp(0, -beta * gap) - (total - first) * np.logaddexp(0, beta * gap)
        return stats.norm.pdf(gap, 0, sigma * np.sqrt(2)) * np.exp(fit)

    return integrate.quad(of, -12 * sigma, 12 * sigma, points=[0.0], limit=500, epsabs=0, epsrel=1e-10)[0]


@pytest.mark.parametrize("sigma", PUBLISHED)
@pytest.mark.parametrize(("first", "total"), PUBLISHED[1.0])
def test_bandits(sigma, first, total):
    fit = gi.infer(
        jax.random.key(0),
        ARMS,
        agent=gi.agents.soft_optimal(beta=1.0),
        reward=gi.ActionReward(dist.Normal(0.0, sigma)),
        data=choices(first, total),
        draws=2000,
    )
    found = gi.inference.marginal_likelihood(jax.random.key(1), fit)
    factor = 0.5**total / np.exp(found.log_evidence)
    expected = 0.5**total / by_quadrature(sigma, first, total)
    assert expected == pytest.approx(PUBLISHED[sigma][first, total], abs=5e-5 if expected < 21 else 5e-3)
    assert factor == pytest.approx(expected, rel=1e-2)
    assert abs(np.log(factor / expected)) < 4 * found.error


@pytest.mark.parametrize("method", ["hmc", "nuts"])
def test_beta_times_reward(method):
    """The product is sampled (hmc), or beta and the reward (nuts): the evidence is the same."""
    prior = dist.LogNormal(0.0, 0.5)
    fit = gi.infer(
        jax.random.key(0),
        ARMS,
        agent=gi.agents.soft_optimal(beta=prior),
        reward=gi.ActionReward(dist.Normal(0.0, 1.0)),
        data=choices(8, 10),
        method=method,
        draws=2000,
    )
    found = gi.inference.marginal_likelihood(jax.random.key(1), fit)
    used = fit.posterior.sizes["chain"] * 1000  # the first half of the draws fits the proposal
    assert found.sentence == f"Bridge sampling from {used} draws and 4000 proposals."
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    expected = weights @ [by_quadrature(1.0, 8, 10, np.exp(0.5 * z)) for z in nodes] / np.sqrt(2 * np.pi)
    assert found.error < 0.02
    assert abs(found.log_evidence - np.log(expected)) < 4 * found.error


def test_few_draws_in_many_dimensions():
    """A proposal that was fitted to the draws at which it is evaluated would give half a nat less, nine errors."""
    y = np.linspace(-1.0, 1.0, 20)

    def model(y):
        x = numpyro.sample("x", dist.Normal(0.0, 1.0).expand([20]).to_event(1))
        numpyro.sample("y", dist.Normal(x, 1.0).to_event(1), obs=y)

    fit = gi.infer(1, model=model, data=jnp.array(y), draws=80, warmup=100, method="hmc", progress=False, chains=2)
    found = gi.inference.marginal_likelihood(1, fit)
    assert abs(found.log_evidence - stats.norm.logpdf(y, 0.0, np.sqrt(2.0)).sum()) < 4 * found.error


def test_own_model_with_a_bounded_parameter():
    def model(data):
        share = numpyro.sample("share", dist.Beta(2.0, 3.0))
        numpyro.deterministic("odds", share / (1 - share))
        numpyro.sample("seen", dist.Binomial(10, share), obs=data)

    fit = gi.infer(jax.random.key(0), model=model, data=np.array(7), draws=2000)
    found = gi.inference.marginal_likelihood(jax.random.key(1), fit)
    expected = stats.betabinom(10, 2, 3).logpmf(7)
    assert abs(found.log_evidence - expected) < 4 * found.error < 0.05


def test_exact_where_all_is_discrete():
    agents = gi.one_of([gi.agents.uniform(), gi.agents.boltzmann(beta=1.0)], weights=[0.25, 0.75])
    reward = gi.ActionReward(np.array([[1.0, 0.0]]))
    fit = gi.infer(jax.random.key(0), ARMS, agent=agents, reward=reward, data=choices(7, 10))
    p = 1 / (1 + np.exp(-1))
    found = gi.inference.marginal_likelihood(jax.random.key(1), fit)
    assert found.error == 0.0
    assert found.log_evidence == pytest.approx(np.log(0.25 * 0.5**10 + 0.75 * p**7 * (1 - p) ** 3))


def test_refused(fit):
    walks = fit.data
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    look = gi.infer(
        jax.random.key(1), fit.world, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, method="laplace"
    )
    with pytest.raises(ValueError, match="draws of an approximation"):
        gi.inference.marginal_likelihood(jax.random.key(1), look)
    few = gi.infer(
        jax.random.key(1),
        fit.world,
        agent=gi.agents.soft_optimal(beta=2.0),
        reward=prior,
        data=walks,
        draws=4,
        chains=2,
    )
    with pytest.raises(ValueError, match="needs at least"):
        gi.inference.marginal_likelihood(jax.random.key(1), few)


def test_it_says_when_chains_did_not_converge(fit):
    assert fit.diagnosis.startswith("NOT")
    assert "NOT converged" in gi.inference.marginal_likelihood(jax.random.key(0), fit).sentence
