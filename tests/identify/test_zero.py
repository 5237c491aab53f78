"""Zero reward against what was fitted."""

import sys
import warnings

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size
from scipy import special, stats
from scipy.special import gammaln
from scipy.stats import gaussian_kde, norm

import goalinf as gi
from goalinf.inference.bridge_sampling import Evidence

ARMS = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
HALL = gi.gridworld("s.a", discount=0.9)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")


def bandit(first, total, mean=0.0, sd=1.0, **options):
    made = np.array([[0] * first + [1] * (total - first)])
    data = gi.Trajectories.of(np.zeros((1, total + 1), int), made)
    agent, reward = gi.agents.soft_optimal(beta=1.0), gi.ActionReward(dist.Normal(mean, sd))
    return gi.infer(jax.random.key(0), ARMS, agent=agent, reward=reward, data=data, **options)


def walks_of(beta, n=20):
    wants = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
    return gi.simulate(jax.random.key(3), HALL, gi.agents.soft_optimal(beta=beta), wants, trajectories=n, steps=10)


def kernel_error(values):
    """Standard error of the logarithm of a kernel estimate at zero, from independent draws."""
    kernel = gaussian_kde(values)
    width = np.sqrt(kernel.covariance[0, 0])
    return 1.0 / np.sqrt(2.0 * np.sqrt(np.pi) * len(values) * width * kernel(0.0)[0])


def test_a_vaguer_prior_favors_zero():
    """Lindley's drift, to the digits of the exact table; and the densities at zero agree with the evidence."""
    fit = bandit(8, 10, draws=2000)
    found = gi.identify.zero_reward(jax.random.key(1), fit, scales=(1, 3, 10))
    off = found.table["log_bayes_factor"] - np.log([0.4534, 0.8164, 2.5132])
    assert (abs(off) <= 4 * found.table["error"] + 2e-4).all()  # and half of the last digit
    assert (found.table["error"] < 5e-3).all()
    assert found.table["converged"].all()
    assert found.log_evidence == pytest.approx(10 * np.log(0.5))
    theta = np.diff(fit.posterior["reward.values"].values.reshape(-1, 2), axis=1).ravel() / np.sqrt(2)
    prior = np.random.default_rng(0).normal(size=20_000)
    error = np.hypot(kernel_error(theta), kernel_error(prior))
    assert found.savage_dickey == pytest.approx(found.log_bayes_factor, abs=4 * error)
    assert "The sign depends on the width." in str(found)
    # theta = (r1 - r2) / sqrt 2 is standard normal before the data.
    expected = 2 * norm.cdf(found.mass["size"]) - 1
    np.testing.assert_allclose(found.mass["prior"], expected, atol=4 * np.sqrt(0.25 / 20_000))
    assert found.mass["posterior"].is_monotonic_increasing
    posterior = np.mean(np.abs(theta)[:, None] < found.mass["size"].to_numpy(), axis=0)
    np.testing.assert_allclose(found.mass["posterior"], posterior, atol=2 / len(theta))  # draws on the edge


def test_errors_of_both_evidences_add_up(monkeypatch):
    """Independent errors: the root of the sum of their squares. Wider priors have a wider mean, too."""
    module, refitted = sys.modules[gi.identify.zero_reward.__module__], []
    monkeypatch.setattr(module, "refit", lambda key, fit, reward: refitted.append(reward.values) or fit)
    monkeypatch.setattr(module, "marginal_likelihood", lambda *_: Evidence(-3.0, 0.4, ""))
    monkeypatch.setattr(module, "zero_reward_evidence", lambda *_: Evidence(-5.0, 0.3, ""))
    fit = bandit(2, 3, mean=0.4, sd=0.8, draws=50)
    found = gi.identify.zero_reward(0, fit, scales=(2.0, 1.0))
    ((prior, shape),) = ((each.base_dist, each.shape()) for each in refitted)
    assert (float(prior.loc), float(prior.scale), shape) == (0.8, 1.6, (1, 2))
    assert found.table["scale"].tolist() == [1.0, 2.0]
    assert found.table["log_evidence"].tolist() == [-3.0, -3.0]
    assert found.table["log_bayes_factor"].tolist() == [-2.0, -2.0]
    np.testing.assert_allclose(found.table["error"], 0.5)


def test_distance_from_zero_is_that_of_beta_times_the_reward():
    """The same choices as of beta 4 and a small reward: what behavior depends on is as far from zero as before."""
    made = np.array([[0] * 28 + [1] * 2])
    data = gi.Trajectories.of(np.zeros((1, 31), int), made)
    intervals = []
    for beta in (1.0, dist.Uniform(3.9999, 4.0001)):
        scale = 1.0 if beta == 1.0 else 0.25
        prior = gi.ActionReward(dist.Normal(0.0, scale))
        agent = gi.agents.soft_optimal(beta=beta)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = gi.infer(jax.random.key(0), ARMS, agent=agent, reward=prior, data=data, draws=500)
        found = gi.identify.zero_reward(jax.random.key(1), fit, scales=())
        assert found.log_bayes_factor < -5
        intervals.append(found.interval.loc["posterior"].to_numpy())
        assert (found.mass["prior"] > found.mass["posterior"] - 0.02)[found.mass["size"] < 0.5].all()
    np.testing.assert_allclose(*intervals, atol=0.2)


def test_choices_without_an_error_bound_nothing():
    separable, mixed = (
        gi.identify.zero_reward(jax.random.key(1), bandit(n, 30, draws=2000), scales=(1,)).runaway for n in (30, 20)
    )
    assert separable["ratio"].is_monotonic_increasing
    assert separable["ratio"].iloc[-1] > 1
    assert mixed["ratio"].iloc[-1] < 0.1


def test_someone_who_wants_something():
    fit = gi.infer(jax.random.key(1), HALL, agent=gi.agents.soft_optimal(beta=5.0), reward=PRIOR, data=walks_of(5.0))
    found = gi.identify.zero_reward(jax.random.key(2), fit)
    assert (found.table["log_bayes_factor"] < -20).all()
    assert list(found.table["scale"]) == [pytest.approx(1 / 3), 1.0, 3.0]
    assert "very strong evidence against zero reward" in str(found)
    assert "same for all" in str(found)
    assert found.savage_dickey is None  # no draws lie around zero


def test_a_free_agent_that_does_not_matter():
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 0.5))
    fit = gi.infer(jax.random.key(1), HALL, agent=agent, reward=PRIOR, data=walks_of(0.01))
    found = gi.identify.zero_reward(jax.random.key(2), fit, scales=())
    choices = np.asarray(HALL.mdp.available)[fit.data.states[:, :-1]].sum(-1)
    assert found.log_evidence == pytest.approx(-np.log(choices).sum())
    assert found.log_bayes_factor > 0
    assert "A prior ten times as wide changes" in str(found)
    # The slope is that of fits with other priors.
    steps = gi.identify.zero_reward(jax.random.key(2), fit, scales=(0.9, 1.1)).table.set_index("scale")
    slope, error = np.diff(steps["log_bayes_factor"][[0.9, 1.1]]), np.hypot(*steps["error"][[0.9, 1.1]])
    assert found.slope == pytest.approx(slope[0] / np.log(1.1 / 0.9), abs=4 * error / np.log(1.1 / 0.9))
    assert found.savage_dickey is None


@pytest.mark.parametrize("mean", [0.0, 0.8])
def test_the_slope_of_a_prior_with_a_mean(mean):
    """Against quadrature over one weight: the prior is widened about zero, its mean with it."""
    sd, beta = 0.6, 2.0
    features = HALL.indicator("a")[:, None]
    walks = walks_of(beta)
    agent = gi.agents.soft_optimal(beta=beta)
    prior = gi.LinearReward(features, dist.Normal(mean, sd), on="departure")
    fit = gi.infer(1, HALL, agent=agent, reward=prior, data=walks, draws=2000)
    found = gi.identify.zero_reward(2, fit, scales=())
    weights = np.linspace(-6.0, 6.0, 601)
    logs = np.array(
        [
            float(gi.Behavior(HALL, agent, gi.LinearReward(features, [w], on="departure")).log_prob(walks))
            for w in weights
        ]
    )

    def evidence(scale):
        return special.logsumexp(logs + stats.norm(scale * mean, scale * sd).logpdf(weights)) + np.log(
            np.ptp(weights) / 600
        )

    assert found.log_bayes_factor == pytest.approx(logs[300] - evidence(1.0), abs=4 * found.table["error"].iloc[0])
    exact = -(evidence(1.001) - evidence(0.999)) / np.log(1.001 / 0.999)
    z = (fit.posterior["reward.weights"].values[..., 0] - mean) / sd
    of_draw = z * (z + mean / sd)
    error = of_draw.std() / np.sqrt(float(effective_sample_size(of_draw)))
    assert error < 0.05
    assert found.slope == pytest.approx(exact, abs=4 * error)


@pytest.mark.slow
def test_a_free_agent_that_matters():
    """A habit shows in somebody who wants nothing; its evidence is that of a Dirichlet prior of four shares."""
    corner = gi.gridworld("s.\n..", discount=0.9, stay=False)
    wants = gi.StateReward.zero(corner)
    walks = gi.simulate(jax.random.key(3), corner, gi.agents.uniform(), wants, trajectories=4, steps=5)
    agent = gi.agents.kl_bounded(beta=1.0, default=dist.Dirichlet(np.ones(4)))
    fit = gi.infer(jax.random.key(1), corner, agent=agent, reward=PRIOR, data=walks, draws=500)
    found = gi.identify.zero_reward(jax.random.key(2), fit, scales=())
    counts = np.bincount(np.asarray(walks.actions).ravel(), minlength=4)
    expected = gammaln(4) - gammaln(counts.sum() + 4) + gammaln(counts + 1).sum()
    assert found.log_evidence == pytest.approx(expected, abs=4 * float(found.table["error"].max()))


def test_refused():
    fit = bandit(8, 10, draws=100)
    with pytest.raises(ValueError, match="a scale is 0; expected a positive number"):
        gi.identify.zero_reward(jax.random.key(0), fit, scales=(0,))
    known = gi.infer(
        jax.random.key(1),
        HALL,
        agent=gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 0.5)),
        reward=gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure"),
        data=walks_of(2.0, 4),
        draws=100,
    )
    with pytest.raises(ValueError, match="knows its reward"):
        gi.identify.zero_reward(jax.random.key(0), known)


@pytest.mark.parametrize(("first", "unbounded"), [(7, False), (10, True)])
def test_a_likelihood_that_never_decreases_is_said_to_be_unbounded(first, unbounded):
    """Ten of ten choices are likelier the larger the reward; seven of ten are not."""
    found = gi.identify.zero_reward(1, bandit(first, 10, draws=500))
    assert found.unbounded == unbounded
    assert ("The likelihood does not decrease for larger rewards" in str(found)) == unbounded
