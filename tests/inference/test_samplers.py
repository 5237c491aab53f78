"""Samplers on posteriors that are known: priors that must come back, exact grids, simulation-based calibration."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import oracles
import pytest
import specimens
from scipy import stats

import goalinf as gi
from goalinf.inference import _arviz
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.linear_reward.scale_mixture import PRODUCT, split_product
from goalinf.inference.model.mode import Compiled, Remembered, climb
from goalinf.inference.model.models import StandardModel
from goalinf.inference.samplers.geometry import Geometry, spread_out
from goalinf.inference.samplers.hmc import Kernel
from goalinf.precision import computing_in

ENOUGH = 400.0  # effective draws demanded before anything is compared
P_VALUE = 1e-3  # of one test; seeds are fixed


def effective(draws):
    """Effective sample size of draws (chains, draws), of the mean and of the square: the smaller one."""
    return min(
        float(_arviz.az.ess(values[None] if values.ndim == 1 else values))
        for values in (draws, (draws - draws.mean()) ** 2)
    )


def assert_distributed(draws, cdf):
    """Kolmogorov-Smirnov on draws (chains, draws) that are thinned until they are nearly independent."""
    size = effective(draws)
    assert size >= ENOUGH, f"only {size:.0f} effective draws"
    every = int(np.ceil(draws.size / size))
    assert stats.kstest(draws[:, ::every].ravel(), cdf).pvalue > P_VALUE


def assert_moments(draws, mean, sd):
    """Mean and sd within four Monte Carlo standard errors."""
    size = effective(draws)
    assert size >= ENOUGH, f"only {size:.0f} effective draws"
    deviation = (draws - mean) ** 2
    assert abs(draws.mean() - mean) <= 4 * draws.std() / np.sqrt(size)
    assert abs(deviation.mean() - sd**2) <= 4 * deviation.std() / np.sqrt(size)


# -- what no data can move -----------------------------------------------------------------------------------

RNG = np.random.default_rng(2)
RANDOM = oracles.random_law(RNG, 4, 2, 4)
EXOGENOUS = specimens.exogenous(3, oracles.random_law(RNG, 2, 2))
CASES = {
    "soft, actions": (gi.agents.soft_optimal, RANDOM, "action"),
    "boltzmann, actions": (gi.agents.boltzmann, RANDOM, "action"),
    "soft, states": (gi.agents.soft_optimal, EXOGENOUS, "departure"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_data_cannot_say_is_the_prior(case):
    """Theory 2.12: the component of the reward in the null space is N(0, 1) and independent of the rest."""
    make, P, kind = CASES[case]
    n_states, n_actions, _ = P.shape
    world = gi.from_arrays(P, discount=0.9)
    shape = (n_states, n_actions) if kind == "action" else (n_states,)
    reward = gi.ActionReward if kind == "action" else functools.partial(gi.StateReward, on=kind)
    truth = reward(np.random.default_rng(5).normal(size=shape))
    agent = make(beta=2.0)
    data = gi.simulate(jax.random.key(0), world, agent, truth, trajectories=20, steps=10)
    prior = reward(dist.Normal(0.0, 1.0))
    fit = gi.infer(jax.random.key(1), world, agent=agent, reward=prior, data=data, chains=4, draws=1000, progress=False)
    invisible = oracles.shaping_map(P, 0.9) if kind == "action" else oracles.invisible_departure(P, 0.9)
    null = np.linalg.qr(invisible)[0]
    assert null.shape[1] == (n_states if kind == "action" else oracles.kappa(P))
    draws = fit.posterior["reward.values"].values.reshape(4, 1000, -1)
    unseen = draws @ null
    for i in range(null.shape[1]):
        assert_distributed(unseen[..., i], stats.norm.cdf)
    seen = draws - unseen @ null.T
    size = effective(unseen[..., 0])
    correlations = np.corrcoef(unseen.reshape(4000, -1).T, seen.reshape(4000, -1).T)[: null.shape[1], null.shape[1] :]
    assert np.abs(correlations).max() < 5 / np.sqrt(size)
    spread = (draws - draws.mean((0, 1))).reshape(4000, -1)
    assert np.linalg.eigvalsh(np.cov(spread.T)).min() < 0.5  # while the rest was learned


# One place with two actions, and a room in which there is nothing to choose: choosing there says nothing.
STAY_OR_LEAVE = gi.from_arrays(
    specimens.moves([[0, 2], [0, 0], [2, 2]]),
    available=[[True, True], [True, False], [True, False]],
    terminal=[2],
    discount=0.9,
)
NOTHING = gi.Trajectories.of([[1, 0]], [[0]])


def test_one_choice_that_says_nothing():
    with computing_in("float64"):
        reward = gi.StateReward(np.arange(3.0), on="departure")
        assert float(gi.Behavior(STAY_OR_LEAVE, gi.agents.soft_optimal(beta=1.0), reward).log_prob(NOTHING)) == 0.0


@pytest.mark.parametrize("method", ["auto", "nuts"])
@pytest.mark.parametrize("free_beta", [True, False])
def test_no_information_gives_the_prior(method, free_beta):
    """Whatever the sampler moves (beta times the reward, too), the volume is carried: P(r > 0) = 0.500."""
    beta = dist.LogNormal(0.2, 0.6) if free_beta else 1.0
    agent, reward = gi.agents.soft_optimal(beta=beta), gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    if (method, free_beta) == ("nuts", False):
        pytest.skip("nothing new: no change of variables")
    fit = gi.infer(
        jax.random.key(3),
        STAY_OR_LEAVE,
        agent=agent,
        reward=reward,
        data=NOTHING,
        draws=1500,
        method=method,
        progress=False,
    )
    values = fit.posterior["reward.values"].values
    for state in range(3):
        assert_distributed(values[..., state], stats.norm.cdf)
        assert_moments(values[..., state], 0.0, 1.0)
    positive = (values[..., 0] > 0).astype(float)
    assert abs(positive.mean() - 0.5) < 4 * 0.5 / np.sqrt(effective(values[..., 0]))
    if free_beta:
        draws = fit.posterior["agent.beta"].values
        assert_distributed(np.log(draws), stats.norm(0.2, 0.6).cdf)
        for state in range(3):  # the prior has them independent
            correlation = np.corrcoef(np.log(draws).ravel(), np.abs(values[..., state]).ravel())[0, 1]
            assert abs(correlation) < 5 / np.sqrt(effective(draws))


# -- an exact grid -----------------------------------------------------------------------------------------------

BETA_PRIOR = (0.3, 0.5)  # of log beta


@functools.cache
def small_problem():
    """Four states, two features, beta: the data, and the exact means and sds of (weight, weight, beta)."""
    rng = np.random.default_rng(7)
    P, features, discount = oracles.random_law(rng, 4, 2, 4), rng.normal(size=(4, 2, 2)), 0.7
    world = gi.from_arrays(P, discount=discount)
    truth = gi.LinearReward(features, np.array([1.0, -0.7]))
    data = gi.simulate(jax.random.key(0), world, gi.agents.soft_optimal(beta=1.5), truth, trajectories=30, steps=10)
    counts = data.choice_counts(4, 2)

    def log_likelihood(product):
        policy = oracles.mce(P, features @ product, discount, 1.0).policy
        return float(np.sum(counts * np.log(policy)))

    # The likelihood knows beta times the weights only: one grid for the product, one for beta.
    axes = [np.linspace(-1.3, 4.3, 41), np.linspace(-4.8, 1.4, 41)]
    first, second = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    likelihood = np.array([log_likelihood(np.array(point)) for point in zip(first, second, strict=True)])
    log_beta = np.linspace(BETA_PRIOR[0] - 5 * BETA_PRIOR[1], BETA_PRIOR[0] + 5 * BETA_PRIOR[1], 161)[:, None]
    beta = np.exp(log_beta)
    weights = np.stack([first / beta, second / beta])  # (2, B, points); the volume is beta^-2 each
    logs = likelihood + stats.norm.logpdf(weights).sum(0) - 2 * log_beta + stats.norm.logpdf(log_beta, *BETA_PRIOR)
    posterior = np.exp(logs - logs.max())
    posterior /= posterior.sum()
    edge = posterior.sum(0).reshape(41, 41)
    assert max(edge[0].sum(), edge[-1].sum(), edge[:, 0].sum(), edge[:, -1].sum()) < 1e-4
    unknown = [*weights, np.broadcast_to(beta, posterior.shape)]
    mean = [float((posterior * x).sum()) for x in unknown]
    sd = [float(np.sqrt((posterior * (x - m) ** 2).sum())) for x, m in zip(unknown, mean, strict=True)]
    return SimpleNamespace(world=world, features=features, data=data, mean=mean, sd=sd)


@pytest.mark.parametrize(
    "options",
    # Plain NUTS on the ridge between reward and beta diverges now and then with its usual step size.
    [
        pytest.param({}, id="auto"),
        pytest.param({"method": "nuts", "target_accept": 0.99}, id="nuts", marks=pytest.mark.slow),
        pytest.param({"method": "hmc", "chain_method": "vectorized"}, id="vectorized", marks=pytest.mark.slow),
        pytest.param({"method": "hmc"}, id="hmc"),
    ],
)
def test_exact_grid(options):
    exact = small_problem()
    fit = gi.infer(
        jax.random.key(2),
        exact.world,
        agent=gi.agents.soft_optimal(beta=dist.LogNormal(*BETA_PRIOR)),
        reward=gi.LinearReward(exact.features, dist.Normal(0.0, 1.0)),
        data=exact.data,
        draws=1500,
        progress=False,
        **options,
    )
    assert fit.divergences == 0
    assert fit.tree.attrs["algorithm"] == options.get("method", "imh").upper()
    weights, beta = fit.posterior["reward.weights"].values, fit.posterior["agent.beta"].values
    for draws, mean, sd in zip((weights[..., 0], weights[..., 1], beta), exact.mean, exact.sd, strict=True):
        assert_moments(draws, mean, sd)


# -- simulation-based calibration ------------------------------------------------------------------------------------


def replicate(world, agent, reward, like, count, key):
    """Parameters from the prior, behavior from the parameters: ``count`` data sets of one shape."""
    key_beta, key_reward, key_walk = jax.random.split(key, 3)
    betas = agent.choice.beta.sample(key_beta, (count,))
    rewards = reward.values.expand((world.n_states,)).sample(key_reward, (count,))

    def walk(key, beta, values):
        return gi.Behavior(world, agent.at(beta=beta), gi.StateReward(values, on=reward.on), like=like).sample(key)

    return betas, rewards, jax.device_get(jax.jit(jax.vmap(walk))(jax.random.split(key_walk, count), betas, rewards))


@pytest.mark.slow
def test_simulation_based_calibration():
    """3 x 3 world, beta and nine rewards: ranks of the truth among the draws are uniform (Talts et al. 2018).

    The parts of ``gi.infer`` on many data sets at once: mode, curvature there, HMC on beta times the reward, beta drawn
    from its conditional. The data sets have one shape, so that everything is compiled once.
    """
    count, warmup, draws, keep = 60, 200, 400, 79
    world = gi.open_grid(3, 3, discount=0.8)
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.5, 0.4))
    reward = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
    like = gi.Trajectories.of(np.tile(np.arange(9)[:, None], (1, 6)), np.zeros((9, 5), int), lengths=np.full(9, 5))
    with computing_in("float64"):
        betas, rewards, data = replicate(world, agent, reward, like, count, jax.random.key(11))
        one = lambda i: jax.tree.map(lambda leaf: leaf[i], data)  # noqa: E731
        posterior = posterior_of(StandardModel(world, agent, reward), one(0))
        density, geometries, starts, kernels = posterior.product.density, [], [], []
        for i in range(count):
            target = Remembered(Compiled(density, one(i)))
            kernels.append(Kernel(density, target, "HMC", block=warmup, target_accept=0.9))
            geometries.append(Geometry.laplace(climb(target)))
            starts.append(spread_out(jax.random.key(i), geometries[-1], 1)[0])
        args = (data, *(np.stack(arrays) for arrays in zip(*(g.arrays() for g in geometries), strict=True)))
        block = jax.jit(jax.vmap(lambda state, args: kernels[0].run(state, args, warmup=warmup)))
        keys = jax.random.split(jax.random.key(1), count)
        states = [kernels[i].start(keys[i], starts[i], 0.3, None, geometries[i], warmup=warmup) for i in range(count)]
        state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        state, _ = block(state, args)
        kept = []
        for _ in range(draws // warmup):
            state, found = block(state, args)
            kept.append(jax.device_get(found))
        x = np.concatenate([found["x"] for found in kept], 1)
        thinned = x[:, np.linspace(0, draws - 1, keep).astype(int)]

        def values(key, x, center, scale, data):
            return split_product(
                key, posterior.sites, posterior.scale, density.constrain(center + scale @ x, data)[PRODUCT]
            )

        over_draws = jax.vmap(values, (0, 0, None, None, None))
        keys = jax.random.split(jax.random.key(2), (count, keep))
        drawn = jax.device_get(jax.jit(jax.vmap(over_draws))(keys, thinned, args[1], args[2], data))
    diverged = sum(found["diverging"].sum() for found in kept)
    assert diverged <= 1e-3 * x[..., 0].size
    truths = {"beta": (betas, drawn["agent.beta"])} | {
        f"reward {s}": (rewards[:, s], drawn["reward.values"][:, :, s]) for s in range(9)
    }
    truths["contrast"] = (
        rewards[:, 8] - rewards[:, 0],
        drawn["reward.values"][:, :, 8] - drawn["reward.values"][:, :, 0],
    )
    for name, (truth, among) in truths.items():
        ranks = (among < np.asarray(truth)[:, None]).sum(1)  # 0 to `keep`: 80 values, 10 bins
        histogram = np.bincount(ranks // ((keep + 1) // 10), minlength=10)
        assert stats.chisquare(histogram).pvalue > P_VALUE, f"{name}: {histogram}"


# -- the work is really conditional on the data -----------------------------------------------------------------------


def test_more_data_say_more():
    """Ten times the data: the sd of a contrast shrinks, and the truth stays inside."""
    world = gi.open_grid(2, 2, discount=0.8)
    truth = gi.StateReward(np.array([0.0, 1.0, 0.0, -1.0]), on="arrival")
    agent = gi.agents.soft_optimal(beta=2.0)
    sds = []
    for n in (10, 100):
        data = gi.simulate(jax.random.key(n), world, agent, truth, trajectories=n, steps=10)
        prior = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
        fit = gi.infer(jax.random.key(0), world, agent=agent, reward=prior, data=data, draws=500, progress=False)
        contrast = fit.posterior["reward.values"].values[..., 1] - fit.posterior["reward.values"].values[..., 3]
        assert abs(contrast.mean() - 2.0) < 4 * contrast.std()
        sds.append(contrast.std())
    assert sds[1] < 0.5 * sds[0]
    assert jnp.isfinite(np.array(sds)).all()


def test_the_length_of_trajectories():
    """A quarter of the period of a standard normal and a quarter more, rounded up to whole steps."""

    def normal(data):
        x = numpyro.sample("x", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
        numpyro.sample("y", dist.Normal(x, 1.0).to_event(1), obs=data)

    settings = {"method": "hmc", "target_accept": 0.99, "chains": 2, "draws": 200}
    sample_stats = gi.infer(0, model=normal, data=jnp.zeros(3), **settings).sample_stats
    lengths = (sample_stats["n_steps"] - 0.5) * sample_stats["step_size"]
    assert float(lengths.mean()) == pytest.approx(1.25 * np.pi / 2, abs=0.1)
