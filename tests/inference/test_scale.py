"""The prior of beta times the reward: against quadrature, and beta drawn back from its conditional."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import integrate, stats

import goalinf as gi
from goalinf.inference.model.linear_reward.scale_mixture import ScaleMixture, _log_quantiles, product_prior
from goalinf.inference.model.priors import Site, find_sites
from goalinf.precision import computing_in

BETAS = {
    "log-normal": (dist.LogNormal(0.3, 0.8), stats.lognorm(0.8, scale=np.exp(0.3))),
    "wide": (dist.LogNormal(0.0, 2.0), stats.lognorm(2.0)),
    "Gamma": (dist.Gamma(2.0, 1.0), stats.gamma(2.0)),  # of which NumPyro has no quantiles by itself
    "uniform": (dist.Uniform(0.5, 4.0), stats.uniform(0.5, 3.5)),
}
BY_STATE = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")  # the class of the reward; its prior is a site
REWARDS = {
    "normal": (dist.Normal(0.5, 1.0), stats.norm(0.5, 1.0)),
    "Laplace": (dist.Laplace(0.0, 2.0), stats.laplace(0.0, 2.0)),
}


def mixture(beta, reward, size):
    values = Site("reward.values", REWARDS[reward][0].expand((size,)).to_event(1), ("state",))
    found = product_prior([Site("agent.beta", BETAS[beta][0], ()), values], BY_STATE)
    assert isinstance(found, ScaleMixture)
    return found


def exact_joint(beta, reward, value):
    """p(R, log beta) as a function of log beta: beta p(beta) p(R / beta) / beta^n."""
    prior, each = BETAS[beta][1], REWARDS[reward][1]

    def density(u):
        rewards = each.pdf(np.divide.outer(value, np.exp(u))).prod(axis=0)
        return prior.pdf(np.exp(u)) * rewards * np.exp(u * (1 - len(value)))

    return density


def span(beta):
    return np.log(BETAS[beta][1].ppf([1e-12, 1 - 1e-12]))


@pytest.mark.parametrize("beta", ["log-normal", "wide", "Gamma"])
@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("size", [1, 3])
def test_density_against_quadrature(beta, reward, size):
    rng = np.random.default_rng(size)
    low, high = span(beta)
    with computing_in("float64"):
        log_prob = jax.jit(mixture(beta, reward, size).log_prob)
        for scale in (0.05, 1.0, 8.0):
            value = scale * rng.normal(size=size)
            joint = exact_joint(beta, reward, value)
            expected = integrate.quad(
                joint, low, high, limit=500, epsabs=0, epsrel=1e-11, points=np.linspace(low, high, 30)
            )[0]
            error = 1e-8 if scale <= 1 else 1e-6
            assert float(log_prob(jnp.asarray(value))) == pytest.approx(np.log(expected), abs=error)


def test_density_with_many_rewards():
    """The conditional of beta is narrow then; the grid has to be finer still."""
    rng = np.random.default_rng(0)
    value = 3.0 * rng.normal(size=300)
    with computing_in("float64"):
        found = float(jax.jit(mixture("log-normal", "normal", 300).log_prob)(jnp.asarray(value)))
    u = np.linspace(-6, 6, 200_001)
    logs = stats.lognorm(0.8, scale=np.exp(0.3)).logpdf(np.exp(u)) - 299 * u
    logs += _normal(value, u)
    top = logs.max()
    assert found == pytest.approx(top + np.log(np.exp(logs - top).sum() * (u[1] - u[0])), abs=1e-8)


def _normal(value, u):
    """Sum of normal log-densities of value / exp(u), mean 0.5, from the sums of value and its square."""
    n, first, second = len(value), value.sum(), (value**2).sum()
    scaled = second * np.exp(-2 * u) - first * np.exp(-u) + n * 0.25
    return -0.5 * scaled - 0.5 * n * np.log(2 * np.pi)


def test_gradients():
    with computing_in("float64"):
        program = jax.jit(jax.value_and_grad(mixture("log-normal", "normal", 3).log_prob))
        value = jnp.array([0.3, -2.0, 1.0])
        gradient = program(value)[1]
        for i in range(3):
            step = jnp.zeros(3).at[i].set(1e-5)
            slope = (program(value + step)[0] - program(value - step)[0]) / 2e-5
            assert float(gradient[i]) == pytest.approx(float(slope), rel=1e-6)
        assert np.isfinite(program(jnp.zeros(3))[1]).all()


@pytest.mark.parametrize(("beta", "size"), [("log-normal", 1), ("Gamma", 3), ("wide", 40)])
def test_beta_from_its_conditional(beta, size):
    value = 2.0 * np.random.default_rng(size).normal(size=size)
    with computing_in("float64"):
        one = mixture(beta, "normal", size)
        keys = jax.random.split(jax.random.key(0), 4000)
        drawn = np.log(jax.jit(jax.vmap(lambda key: one.draw_beta(key, jnp.asarray(value))))(keys))
    u = np.linspace(*span(beta), 20_001)
    density = exact_joint(beta, "normal", value)(u)
    cumulative = integrate.cumulative_simpson(density, x=u, initial=0)
    assert stats.kstest(drawn, lambda x: np.interp(x, u, cumulative / cumulative[-1])).pvalue > 1e-3


def test_samples_have_the_density():
    with computing_in("float64"):
        one = mixture("log-normal", "normal", 1)
        drawn = np.asarray(one.sample(jax.random.key(0), (4000,)))[:, 0]
        x = np.linspace(-60, 60, 12_001)
        density = np.exp(jax.jit(jax.vmap(one.log_prob))(jnp.asarray(x)[:, None]))
    cumulative = integrate.cumulative_simpson(density, x=x, initial=0)
    assert cumulative[-1] == pytest.approx(1.0, abs=1e-3)
    assert stats.kstest(drawn, lambda r: np.interp(r, x, cumulative)).pvalue > 1e-3


def test_where_it_applies():
    """Beta and one reward that is linear in its parameters, on the whole line or above zero: and nothing else."""
    world = gi.open_grid(2, 2, discount=0.9)
    free, fixed = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)), gi.agents.soft_optimal(beta=1.0)
    normal = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    positive = gi.StateReward(dist.HalfNormal(1.0), on="departure")
    bounded = gi.StateReward(dist.Uniform(-1.0, 1.0), on="departure")
    joint = gi.StateReward(dist.MultivariateNormal(np.zeros(4), np.eye(4)), on="departure")
    known = gi.StateReward(np.zeros(4), on="departure")
    shaped = gi.ShapedReward(normal, np.ones(4))
    folded = gi.agents.soft_optimal(beta=dist.FoldedDistribution(dist.Normal(0.0, 1.0)))  # has no distribution function
    with computing_in("float64"):
        for agent, reward, applies in [
            (free, normal, True),
            (free, gi.ActionReward(dist.Normal(0.0, 1.0)), True),
            (free, gi.LinearReward(np.ones((4, 2)), dist.Normal(0.0, 1.0), on="arrival"), True),
            (fixed, normal, False),
            (free, known, False),
            (free, positive, True),
            (free, joint, True),
            (free, bounded, False),  # beta times the reward would leave the bounds
            (free, shaped, False),
            (gi.agents.soft_optimal(beta=dist.Gamma(2.0, 1.0)), normal, True),
            (folded, normal, False),
        ]:
            assert (product_prior(find_sites(agent, reward, world), reward) is not None) is applies


@pytest.mark.parametrize("beta", BETAS)
def test_it_applies_in_float32_on_the_same_grid(beta):
    """Where the upper end of the grid cannot be told from a probability of one."""
    world, reward = gi.open_grid(2, 2, discount=0.9), gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    sites = find_sites(gi.agents.soft_optimal(beta=BETAS[beta][0]), reward, world)
    value = np.array([0.3, -2.0, 1.0, 0.5])
    with computing_in("float32"):
        found = product_prior(sites, reward)
        assert found is not None
        score = float(jax.jit(found.log_prob)(jnp.asarray(value)))
    with computing_in("float64"):
        exact = product_prior(sites, reward)
        assert score == pytest.approx(float(jax.jit(exact.log_prob)(jnp.asarray(value))), abs=1e-4)
    np.testing.assert_allclose(found.nodes()[0], exact.nodes()[0], atol=1e-5)


@pytest.mark.parametrize("sd", [1e-3, 0.02])
def test_an_entry_that_is_known_well_narrows_the_grid(sd):
    """Its conditional of log beta is as narrow as its own sd over its mean: drawn back, it is neither wider nor off."""
    mean = np.array([0.126, 0.0, 0.0])
    values = Site("reward.values", dist.Normal(mean, np.array([sd, 1.0, 1.0])).to_event(1), ("state",))
    found = product_prior([Site("agent.beta", dist.LogNormal(0.0, 1.0), ()), values], BY_STATE)
    at = np.array([0.126 * 2.0, 0.5, -0.3])
    u = np.log(2.0) + np.linspace(-8, 8, 4001) * (sd / 0.126)
    logs = stats.norm.logpdf(at[:, None] * np.exp(-u), mean[:, None], np.array([[sd], [1.0], [1.0]])).sum(0)
    joint = np.exp(stats.norm.logpdf(u) + logs - 3 * u)
    with computing_in("float64"):
        assert float(found.log_prob(at)) == pytest.approx(np.log(integrate.simpson(joint, x=u)), abs=1e-6)
        keys = jax.random.split(jax.random.key(0), 1000)
        drawn = jax.jit(jax.vmap(lambda key: found.draw_beta(key, jnp.asarray(at))))(keys)
    drawn = np.log(np.asarray(drawn))
    center = integrate.simpson(u * joint, x=u) / integrate.simpson(joint, x=u)
    spread = np.sqrt(integrate.simpson((u - center) ** 2 * joint, x=u) / integrate.simpson(joint, x=u))
    assert drawn.mean() == pytest.approx(center, abs=4 * spread / np.sqrt(1000))
    assert drawn.std() == pytest.approx(spread, rel=4 / np.sqrt(2 * 1000))


HUMPS = dist.MixtureSameFamily(dist.Categorical(np.array([0.5, 0.5])), dist.LogNormal(np.array([-2.0, 2.0]), 0.02))
TIED = np.array([[1.0, 1 - 1e-5], [1 - 1e-5, 1.0]])


@pytest.mark.parametrize(
    ("beta", "reward"),
    [
        (HUMPS, dist.Normal(0.0, 1.0).expand((2,)).to_event(1)),
        (dist.LogNormal(0.0, 0.01), dist.Normal(0.0, 1.0).expand((2,)).to_event(1)),
        (dist.Uniform(0.0, 10.0), dist.Normal(0.0, 1.0).expand((2,)).to_event(1)),
        (dist.Exponential(1.0), dist.Laplace(0.0, 1.0).expand((2,)).to_event(1)),
        (dist.LogNormal(0.0, 1.0), dist.MultivariateNormal(np.array([5.0, 4.0]), TIED)),
        (dist.LogNormal(0.0, 1.0), dist.StudentT(2.01, np.array([3.0, 0.0]), 0.02).to_event(1)),
    ],
    ids=["humps", "narrow", "uniform", "exponential", "tied entries", "heavy tails"],
)
def test_the_grid_is_fine_enough(beta, reward):
    """Where the prior puts the product its density is that of a grid of a hundred thousand nodes, or there is none."""
    with computing_in("float64"):
        found = product_prior([Site("agent.beta", beta, ()), Site("reward.values", reward, ("state",))], BY_STATE)
        finest = ScaleMixture(reward, beta, _log_quantiles(beta), 100_001)
        at = found.sample(jax.random.key(7), (20,))
        expected = jax.jit(lambda points: jax.lax.map(finest.log_prob, points))(at)
        np.testing.assert_allclose(jax.jit(jax.vmap(found.log_prob))(at), expected, atol=2e-3)


def test_no_grid_at_all():
    """Two narrow humps of a reward far from zero: no moment shows them, and the plain form is sampled."""
    humps = dist.MixtureSameFamily(dist.Categorical(np.array([0.5, 0.5])), dist.Normal(np.array([-5.0, 5.0]), 0.0005))
    values = Site("reward.values", humps.expand((2,)).to_event(1), ("state",))
    with computing_in("float64"):
        assert product_prior([Site("agent.beta", dist.LogNormal(0.0, 1.0), ()), values], BY_STATE) is None


def test_an_entry_that_is_known_exactly_is_left_to_the_other_form():
    values = Site("reward.values", dist.Normal(np.ones(3), np.array([1e-6, 1.0, 1.0])).to_event(1), ("state",))
    assert product_prior([Site("agent.beta", dist.LogNormal(0.0, 1.0), ()), values], BY_STATE) is None
