"""The audit, on posteriors whose contraction is known because they were made by hand; and once from end to end."""

from functools import partial

import jax
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
import specimens
import xarray as xr
from made_fits import make_fit, normal
from numpyro.diagnostics import effective_sample_size
from scipy import stats

import goalinf as gi
from goalinf.identify import null_space
from goalinf.identify.audit.contraction import Contraction, contraction
from goalinf.identify.local.whitening import prior_moments
from goalinf.inference.model.models import CustomModel

audit = partial(gi.audit, quick=True)
NORMAL = dist.Normal(0.0, 1.0)
SOFT = gi.agents.soft_optimal(beta=2.0)
P = specimens.zoo()["random"].P  # 5 states, 2 actions
WORLD = gi.from_arrays(P, discount=0.9, states=list("abcde"))


def data_of(states, actions=None, **more):
    """One step in each of these states."""
    states = np.array(states)[:, None]
    actions = np.zeros_like(states) if actions is None else np.array(actions)[:, None]
    return gi.Trajectories.of(np.concatenate([states, -np.ones_like(states)], axis=1), actions, **more)


def synthetic(null, variances, shape=(4, 2000)):
    """Draws with prior variance one within the null space and these variances along a basis of the rest."""
    size = null.shape[1]
    rest = np.linalg.svd(null)[2][len(null) :]
    z = normal(*shape, size)
    z[..., len(null) :] *= np.sqrt(variances)
    return z @ np.concatenate([null, rest])


def test_contraction_of_a_known_posterior():
    """Gaussian posterior: prior in the null space, a tenth of its variance elsewhere, one direction untouched."""
    reward = gi.ActionReward(NORMAL)
    space = null_space(WORLD, SOFT, reward)
    variances = np.array([0.1, 0.1, 0.1, 0.1, 1.0])
    draws = synthetic(space.basis.values.reshape(5, 10), variances).reshape(4, 2000, 5, 2)
    found = audit(make_fit(WORLD, SOFT, reward, data_of(range(5)), values=draws))
    assert (found.nullity, found.nullity_joint, found.nullity_data) == (5, 5, 5)
    assert found.effective_dimension == pytest.approx(3.6, abs=5 * np.sqrt(2 * (variances**2).sum() / 8000))
    np.testing.assert_allclose(found.contraction.identified, variances, rtol=6 * np.sqrt(2 / 8000))
    assert found.contraction.equals_prior is True
    np.testing.assert_allclose(found.contraction.error, np.sqrt(2 / 8000), rtol=0.3)
    assert found.ridge is None
    assert found.visits.unvisited == ()
    text = str(found)
    assert "Identified: 5 of 10 directions of reward" in text
    assert "equal to the prior within Monte Carlo error" in text
    assert "The visited states leave no further direction unidentified." in text
    assert "Effective identified dimension: 3.6 of 5" in text


def test_correlated_priors_are_whitened():
    """Conjugate posterior under a correlated prior: exactly the prior in the null space all the same."""
    rng = np.random.default_rng(1)
    factor = rng.normal(size=(5, 5))
    covariance, mean = factor @ factor.T + 0.1 * np.eye(5), rng.normal(size=5)
    null = np.full((1, 5), 5**-0.5)
    shown = np.linalg.svd(null)[2][1:]
    information = shown.T @ np.diag([100.0, 10.0, 1.0, 0.0]) @ shown
    posterior = np.linalg.inv(np.linalg.inv(covariance) + information)
    draws = mean + normal(4, 5000, 5) @ np.linalg.cholesky(posterior).T
    found = contraction(draws, [dist.MultivariateNormal(mean, covariance)], null)
    exact = np.sort(np.linalg.eigvals(posterior @ np.linalg.inv(covariance)).real)
    assert exact[-2:] == pytest.approx([1.0, 1.0])
    np.testing.assert_allclose(found.identified, exact[:4], rtol=6 * np.sqrt(2 / 20_000))
    assert found.gaussian
    assert found.equals_prior is True
    assert found.effective_dimension == pytest.approx((1 - exact).sum(), abs=0.1)


def test_a_null_space_that_moved_is_told():
    reward = gi.StateReward(NORMAL, on="departure")
    narrow = 0.5 * normal(4, 1000, 5)
    found = audit(make_fit(WORLD, SOFT, reward, data_of(range(5)), values=narrow))
    assert found.contraction.equals_prior is False
    assert found.contraction.unidentified == pytest.approx([0.25], rel=0.2)
    assert "the chains have not converged" in str(found)
    found = audit(make_fit(WORLD, SOFT, reward, data_of(range(5)), values=normal(4, 1000, 5) + 1.0))
    assert found.contraction.equals_prior is False
    laplace = gi.StateReward(dist.Laplace(0.0, 1.0), on="departure")
    found = audit(make_fit(WORLD, SOFT, laplace, data_of(range(5)), values=narrow))
    assert not found.contraction.gaussian
    assert "through the prior alone" in str(found)
    found = audit(make_fit(WORLD, SOFT, reward, data_of(range(5)), values=narrow[:, :5]))
    assert found.contraction.equals_prior is None
    assert "too few effective draws" in str(found)
    cauchy = gi.StateReward(dist.Cauchy(0.0, 1.0), on="departure")
    found = audit(make_fit(WORLD, SOFT, cauchy, data_of(range(5)), values=narrow))
    assert found.contraction is None
    assert "no finite variance" in str(found)


def test_effective_draws_are_the_fewer_of_means_and_of_variances():
    """Draws whose sign changes by chance while their size drifts, and the reverse."""
    rng = np.random.default_rng(0)
    slow, fast = np.repeat(rng.normal(size=(4, 25)), 40, axis=1), rng.normal(size=(4, 1000))
    for draws in (np.abs(slow) * np.sign(fast), np.abs(fast) * np.sign(slow)):
        found = contraction(draws[..., None], [dist.Normal(np.zeros(1), 1.0)], np.eye(1))
        squares = (draws - draws.mean()) ** 2
        of_mean, of_variance = (float(effective_sample_size(x)) for x in (draws, squares))
        assert found.effective_draws == pytest.approx(min(of_mean, of_variance))
        assert found.effective_draws < 0.1 * max(of_mean, of_variance)
        np.testing.assert_allclose(found.error, squares.std() / np.sqrt(found.effective_draws))
        np.testing.assert_allclose(found.shift_error, draws.std() / np.sqrt(found.effective_draws))


def test_equal_to_the_prior_at_both_sides_of_the_limit():
    """Bonferroni over a variance and a mean in each direction, two-sided, at 1 % for all together."""
    n = 3
    bound = stats.norm.isf(0.01 / (4 * n))
    exact = {"unidentified": np.ones(n), "shift": np.zeros(n), "effective_draws": 100.0}
    for inside, verdict in ((0.999, True), (1.001, False)):
        for sign in (-1.0, 1.0):
            for direction in np.eye(n):
                away = sign * inside * bound * direction
                for change in ({"unidentified": 1.0 + 0.1 * away}, {"shift": 0.2 * away}):
                    told = {"error": np.full(n, 0.1), "shift_error": np.full(n, 0.2), **exact, **change}
                    assert Contraction(np.zeros(0), gaussian=True, **told).equals_prior is verdict
    few = {**exact, "effective_draws": 99.9, "error": np.full(n, 0.1), "shift_error": np.full(n, 0.2)}
    assert Contraction(np.zeros(0), gaussian=True, **few).equals_prior is None


def test_visits():
    """S A - n (A - 1) directions of r(s, a) are hidden when choices are seen in n states only."""
    reward = gi.ActionReward(NORMAL)
    for visited in ([0], [0, 2, 2], [0, 1, 2, 4], range(5)):
        n = len(set(visited))
        found = audit(make_fit(WORLD, SOFT, reward, data_of(visited), values=normal(2, 20, 5, 2)))
        assert found.nullity == 5
        assert found.nullity_data == 10 - n
        assert found.visits.unvisited == tuple(name for i, name in enumerate("abcde") if i not in visited)
        assert (found.n_observed, found.visits.n_states) == (len(visited), 5)
    found = audit(make_fit(WORLD, SOFT, reward, data_of([0, 2]), values=normal(2, 20, 5, 2)))
    assert "2 actions in 2 of 5 states. No action was observed in b, d, e." in str(found)
    assert "The visited states leave 3 further directions unidentified (8 in total)." in str(found)


def test_missing_choices_and_ended_states_count_for_nothing():
    world = gi.from_arrays(P, terminal=[4], discount=0.9)
    hidden = data_of([0, 1, 2, 4], observed=np.array([[True], [False], [True], [True]]))
    found = audit(make_fit(world, SOFT, gi.StateReward(NORMAL, on="departure"), hidden, values=normal(2, 20, 5)))
    assert found.n_observed == 2
    assert found.visits.unvisited == ("1", "3")
    assert found.visits.n_states == 4
    assert {one.kind: one.dimension for one in found.null_space.directions} == {"inert": 1}


def test_ridge():
    """Only beta times the size of the reward is known: correlation -1, no spread of the product."""
    agent, reward = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 0.5)), gi.StateReward(NORMAL, on="departure")
    null = np.full((1, 5), 5**-0.5)
    log_beta = 0.5 * normal(4, 1000, seed=3)
    shape = np.array([1.0, -1, 2, 0, -2]) / np.sqrt(10)
    draws = np.exp(1.0 - log_beta)[..., None] * shape + normal(4, 1000, 1, seed=4) * null[0]
    fit = make_fit(WORLD, agent, reward, data_of(range(5)), values=draws, beta=np.exp(log_beta))
    found = audit(fit)
    assert (found.nullity, found.nullity_joint) == (1, 2)
    assert found.free == ("agent.beta",)
    assert found.ridge.correlation == pytest.approx(-1.0, abs=1e-9)
    assert found.ridge.product == pytest.approx(0.0, abs=1e-9)
    assert found.ridge.beta == pytest.approx(0.5, rel=0.1)
    assert found.ridge.prior_beta == pytest.approx(0.5, rel=0.1)
    assert "With beta free, 2 directions of reward and agent together are not identified:\n  scale (1)" in str(found)
    assert "Scale and temperature: the posterior standard deviation of log beta is 0.50 (prior 0.5" in str(found)


def test_frame():
    agent, reward = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 0.5)), gi.StateReward(NORMAL, on="arrival")
    fit = make_fit(WORLD, agent, reward, data_of([0, 1]), values=normal(2, 200, 5), beta=np.exp(normal(2, 200)))
    found = audit(fit)
    table = found.to_frame()
    assert list(table.columns) == ["quantity", "value", "meaning"]
    values = table.set_index("quantity").value
    assert values.is_unique or values.index.is_unique
    assert (values["nullity"], values["nullity_joint"], values["unvisited"]) == (1, 2, 3)
    assert values["effective_dimension"] == found.effective_dimension
    assert values["ridge_correlation"] == found.ridge.correlation
    assert table.equals(audit(fit).to_frame())  # the same every time
    assert repr(found) == "Audit(2 actions, 1 of 5 directions of reward unidentified; print it for the sentences)"


def test_several_worlds_and_features():
    other = gi.from_arrays(oracles.random_law(np.random.default_rng(8), 5, 2, 5), discount=0.5, states=WORLD.states)
    reward = gi.LinearReward(normal(5, 2, 3), NORMAL, names=("x", "y", "z"))
    walks = gi.simulate(
        jax.random.key(0),
        {"one": WORLD, "two": other},
        SOFT,
        gi.LinearReward(reward.features, np.ones(3)),
        trajectories=1,
        steps=2,
    )
    found = audit(make_fit({"one": WORLD, "two": other}, SOFT, reward, walks, weights=normal(2, 100, 3)))
    assert found.nullity == 0
    assert found.visits.n_states == 10
    assert found.n_observed == 4
    assert all(name.endswith((" (context one)", " (context two)")) for name in found.visits.unvisited)
    assert found.contraction.equals_prior is True
    assert found.contraction.unidentified.shape == (0,)


def test_finite_horizon():
    """Policies of every time step are seen where someone chose at that step."""
    agent = gi.agents.soft_optimal(beta=1.0, horizon=2)
    data = gi.Trajectories.of([[0, 1, -1]], [[0, 1]])
    found = audit(make_fit(WORLD, agent, gi.ActionReward(NORMAL), data, values=normal(2, 20, 5, 2)))
    assert found.nullity == oracles.kappa_horizon(P, 2)
    assert found.nullity_data == 8  # two choices of two actions: two numbers
    assert found.visits.unvisited == ("c", "d", "e")


def test_known_reward():
    """Nothing about the reward is claimed; the agent's own parameters are looked at."""
    rewards = {name: gi.StateReward(normal(5, seed=i), on="departure") for i, name in enumerate(("x", "y"))}
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
    walks = gi.simulate(jax.random.key(0), WORLD, SOFT, rewards, trajectories=2, steps=3)
    found = audit(make_fit(WORLD, agent, rewards, walks, beta=np.exp(normal(2, 100))))
    assert (found.n_parameters, found.nullity, found.nullity_joint, found.contraction, found.ridge) == (
        0,
        0,
        0,
        None,
        None,
    )
    assert "The reward was known" in str(found)
    assert "With beta free, 0 directions of the agent are not identified." in str(found)


def test_own_models_are_refused():
    with pytest.raises(
        ValueError, match=r"a model of your own, of which goalinf does not know the world, agent and reward, which an"
    ):
        audit(gi.Fit(xr.DataTree(), data_of([0]), CustomModel(print)))


def test_prior_moments():
    mean, covariance = prior_moments(dist.Gamma(3.0, 2.0).expand((2, 3)).to_event(2))
    np.testing.assert_allclose(mean, 1.5, rtol=1e-6)
    np.testing.assert_allclose(covariance, 0.75 * np.eye(6), rtol=1e-6)
    shared = dist.MixtureSameFamily(dist.Categorical(np.array([0.5, 0.5])), dist.Normal(np.array([-1.0, 1.0]), 1.0))
    mean, covariance = prior_moments(shared)
    assert (mean.shape, covariance.shape) == ((1,), (1, 1))
    dirichlet = prior_moments(dist.Dirichlet(np.ones(3)))[1]  # no formula for the covariance: from draws
    np.testing.assert_allclose(dirichlet, (3 * np.eye(3) - 1) / 36, atol=0.005)


def test_from_end_to_end():
    """What gi.infer returns can be audited, and its unidentified part is the prior."""
    ring = gi.from_arrays(specimens.ring(4), discount=0.9)
    truth = gi.StateReward(np.array([1.0, 0, -1, 0]), on="departure")
    walks = gi.simulate(jax.random.key(0), ring, SOFT, truth, trajectories=10, steps=10)
    prior = gi.StateReward(NORMAL, on="departure")
    fit = gi.infer(jax.random.key(1), ring, agent=SOFT, reward=prior, data=walks, chains=2, draws=500, progress=False)
    found = audit(fit)
    assert {one.kind: one.dimension for one in found.null_space.directions} == {
        "constant": 1,
        "controllability deficit": 1,
    }
    assert found.n_observed == 100
    assert found.contraction.equals_prior is True
    assert 0 < found.effective_dimension < 2
    assert fit.diagnosis in str(found)
