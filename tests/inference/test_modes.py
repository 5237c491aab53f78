"""Posteriors with several modes: known by quadrature or by symmetry, and never certified wrongly."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size
from scipy import stats

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.mode_search import find_modes
from goalinf.inference.model.models import CustomModel
from goalinf.precision import computing_in

QUIET = {"progress": False}
ERRORS = 4.0  # standard errors allowed in one comparison


# -- one parameter, without a planner: the density on a line, by NumPy and SciPy alone --------------------------------


def square(y):
    """The sign of u is unknown: two modes of different mass."""
    u = numpyro.sample("u", dist.Normal(0.3, 1.0))
    numpyro.sample("y", dist.Normal(u**2, 0.3), obs=y)


def two(left, right, sd, weight):
    components = dist.Normal(jnp.array([left, right]), jnp.array(sd))
    return dist.MixtureSameFamily(dist.Categorical(jnp.array([weight, 1 - weight])), components)


def humps(y):
    """Prior at plus or minus three, data that prefer one of them a little."""
    u = numpyro.sample("u", two(-3.0, 3.0, [0.3, 0.3], 0.5))
    numpyro.sample("y", dist.Normal(0.1 * u, 1.0), obs=y)


def narrow(y):
    """A narrow mode of mass 0.3 beside a wide one."""
    u = numpyro.sample("u", two(-4.0, 3.0, [0.2, 1.0], 0.3))
    numpyro.sample("y", dist.Normal(0.0 * u, 1.0), obs=y)


def far(y):
    """Sixty standard deviations apart."""
    u = numpyro.sample("u", two(-30.0, 30.0, [1.0, 1.0], 0.25))
    numpyro.sample("y", dist.Normal(0.0 * u, 1.0), obs=y)


def mixed(left, right, sd, weight):
    return lambda u: np.logaddexp(
        np.log(weight) + stats.norm.logpdf(u, left, sd[0]), np.log1p(-weight) + stats.norm.logpdf(u, right, sd[1])
    )


LINES = {
    square: lambda u: stats.norm.logpdf(u, 0.3, 1.0) + stats.norm.logpdf(1.2, u**2, 0.3),
    humps: lambda u: mixed(-3.0, 3.0, [0.3, 0.3], 0.5)(u) + stats.norm.logpdf(1.2, 0.1 * u, 1.0),
    narrow: mixed(-4.0, 3.0, [0.2, 1.0], 0.3),
    far: mixed(-30.0, 30.0, [1.0, 1.0], 0.25),
}


def moments(log_density, values=None):
    """Mean and standard deviation, and the probability below zero, from a fine grid."""
    u = np.linspace(-45.0, 45.0, 400_001) if values is None else values
    log_p = log_density(u)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = (p * u).sum()
    return SimpleNamespace(mean=mean, sd=np.sqrt((p * (u - mean) ** 2).sum()), below=p[u < 0].sum())


def agrees(draws, right):
    """True where draws ``(chains, draws)`` have these moments, within their own Monte Carlo errors."""
    below = np.asarray(draws < 0, float)
    errors = [
        (draws.mean() - right.mean) / (draws.std() / np.sqrt(effective_sample_size(draws))),
        (below.mean() - right.below) / (below.std() / np.sqrt(effective_sample_size(below)) + 1e-12),
    ]
    return np.max(np.abs(errors)) < ERRORS


@pytest.mark.parametrize("model", LINES, ids=lambda model: model.__name__)
def test_two_modes_on_a_line(model):
    fit = gi.infer(jax.random.key(3), model=model, data=jnp.array(1.2), **QUIET)
    assert fit.converged, fit.diagnosis
    assert "2 modes" in fit.diagnosis
    assert agrees(fit.posterior["u"].values, moments(LINES[model]))


@pytest.mark.parametrize("method", ["hmc", "nuts"])
def test_chains_jump_between_modes_sixty_deviations_apart(method):
    fit = gi.infer(jax.random.key(1), model=far, data=jnp.array(1.2), method=method, **QUIET)
    assert fit.converged, fit.diagnosis
    assert f"{method.upper()}" in fit.diagnosis
    assert "jumps between 2 modes" in fit.diagnosis
    draws = fit.posterior["u"].values
    assert agrees(draws, moments(LINES[far]))
    assert (np.sign(draws[:, 1:]) != np.sign(draws[:, :-1])).sum(axis=1).min() > 100  # every chain visits both
    further = gi.resume(fit, draws=200)
    assert further.tree.attrs["modes"] == 2
    new = further.posterior["u"].values[:, -200:]
    assert (np.sign(new[:, 1:]) != np.sign(new[:, :-1])).sum() > 20


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hmc", "nuts"])
@pytest.mark.parametrize("model", LINES, ids=lambda model: model.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_certified_that_is_wrong(model, method, seed):
    fit = gi.infer(jax.random.key(seed), model=model, data=jnp.array(1.2), method=method, **QUIET)
    assert not fit.converged or agrees(fit.posterior["u"].values, moments(LINES[model]))


def test_two_modes_in_thirty_dimensions():
    """Of weights 0.3 and 0.7, one half as wide as the other; every coordinate is known by itself."""

    def model(y):
        u = numpyro.sample("u", dist.Normal(0.0, 3.0).expand([30]).to_event(1))
        one = dist.Normal(2.0, 0.5).log_prob(u).sum() + jnp.log(0.3)
        other = dist.Normal(-2.0, 1.0).log_prob(u).sum() + jnp.log(0.7)
        numpyro.factor("mixture", jnp.logaddexp(one, other) - dist.Normal(0.0, 3.0).log_prob(u).sum())
        numpyro.sample("y", dist.Normal(0.0, 1.0), obs=y)

    fit = gi.infer(jax.random.key(0), model=model, data=jnp.array(0.0), **QUIET)
    assert fit.converged, fit.diagnosis
    right = moments(mixed(-2.0, 2.0, [1.0, 0.5], 0.7))
    assert agrees(fit.posterior["u"].values[..., 0], right)
    assert agrees(fit.posterior["u"].values[..., 29], right)


def test_more_modes_than_a_search_finds_are_not_certified():
    """Ten entries of two modes each: 1,024 modes, of which no search of forty climbs has seen most."""

    def model(y):
        u = numpyro.sample("u", two(-3.0, 3.0, [0.3, 0.3], 0.3).expand([10]).to_event(1))
        numpyro.sample("y", dist.Normal(0.0 * u.sum(), 1.0), obs=y)

    fit = gi.infer(jax.random.key(3), model=model, data=jnp.array(1.2), **QUIET)
    assert not fit.converged
    assert "the posterior has more modes than the" in fit.diagnosis


def test_three_entries_of_two_modes_are_eight_modes():
    def model(y):
        u = numpyro.sample("u", two(-3.0, 3.0, [0.3, 0.3], 0.3).expand([3]).to_event(1))
        numpyro.sample("y", dist.Normal(0.0 * u.sum(), 1.0), obs=y)

    fit = gi.infer(jax.random.key(3), model=model, data=jnp.array(1.2), **QUIET)
    assert fit.tree.attrs["modes"] == 8
    assert fit.converged, fit.diagnosis
    for entry in range(3):
        assert agrees(fit.posterior["u"].values[..., entry], moments(mixed(-3.0, 3.0, [0.3, 0.3], 0.3)))


def test_a_bent_ridge_is_one_mode():
    def model(y):
        u = numpyro.sample("u", dist.Normal(0.0, 1.0))
        v = numpyro.sample("v", dist.Normal(0.5 * u**2, 0.5))
        numpyro.sample("y", dist.Normal(v, 3.0), obs=y)

    fit = gi.infer(jax.random.key(3), model=model, data=jnp.array(1.2), draws=100, **QUIET)
    assert fit.tree.attrs["modes"] == 1
    assert "mode" not in fit.sample_stats


# -- agents: the sign of what they pursue, or of how they plan --------------------------------------------------------

HALL = gi.gridworld("a.s.b", discount=0.9)
FEATURES = np.array([1.0, 0.0, 0.0, 0.0, -1.0])[:, None]
RATIONAL = gi.agents.soft_optimal(beta=3.0)


def reward(weight):
    return gi.LinearReward(FEATURES, weight, on="departure")


@pytest.fixture(scope="module")
def walks():
    return gi.simulate(jax.random.key(0), HALL, RATIONAL, reward(np.array([1.5])), trajectories=20, steps=10)


ANTI = {"values of the opposite action": gi.agents.anti_rational(beta=3.0)}
ANTI["opposite reward"] = gi.agents.anti_rational(beta=3.0, negated=True)


@pytest.mark.parametrize(
    ("anti", "mean", "right"),
    [
        ("values of the opposite action", 0.3, 0.569),
        pytest.param("values of the opposite action", 1.0, 0.921, marks=pytest.mark.slow),
        pytest.param("opposite reward", 0.3, 0.828, marks=pytest.mark.slow),
    ],
)
def test_rational_or_anti_rational(walks, anti, mean, right):
    """By quadrature over the weight, with code that shares nothing with the sampler."""
    options = gi.one_of([RATIONAL, ANTI[anti]])
    fit = gi.infer(jax.random.key(1), HALL, agent=options, reward=reward(dist.Normal(mean, 1.0)), data=walks, **QUIET)
    shares = fit.responsibilities["agent.which"].values[:, :, 0, 0]
    error = shares.std() / np.sqrt(effective_sample_size(shares))
    assert fit.converged, fit.diagnosis
    assert abs(shares.mean() - right) < ERRORS * error + 5e-4  # three digits are printed
    assert error < 0.02


def test_a_weight_whose_sign_does_not_show(walks):
    def model(data):
        u = numpyro.sample("u", dist.Normal(0.2, 1.0))
        numpyro.sample("walks", gi.Behavior(HALL, RATIONAL, reward(jnp.abs(u)[None] ** 1.5)), obs=data)

    fit = gi.infer(jax.random.key(1), model=model, data=walks, **QUIET)
    draws = fit.posterior["u"].values
    assert fit.converged, fit.diagnosis
    assert abs(draws.mean() - 0.365) < ERRORS * draws.std() / np.sqrt(effective_sample_size(draws)) + 5e-4
    assert draws.std() == pytest.approx(1.32, abs=0.05)


def test_posterior_odds_of_opposite_planners_are_the_prior_odds(walks):
    """With a prior symmetric about zero, (p, R) and (-p, -R) explain any data equally well (theory A6)."""
    options = gi.one_of([gi.agents.boltzmann(beta=3.0), ANTI["opposite reward"]], weights=[0.7, 0.3])
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    fit = gi.infer(jax.random.key(1), HALL, agent=options, reward=prior, data=walks, **QUIET)
    shares = fit.responsibilities["agent.which"].values[:, :, 0, 0]
    assert fit.converged, fit.diagnosis
    assert abs(shares.mean() - 0.7) < ERRORS * shares.std() / np.sqrt(effective_sample_size(shares))


# -- what a search overlooks ------------------------------------------------------------------------------------------


def hills(centers, sds):
    """Normal hills of equal mass under a wide prior."""
    centers, sds = np.array(centers), np.array(sds)

    def model(y):
        prior = dist.Normal(0.0, 3.0).expand([centers.shape[1]]).to_event(1)
        u = numpyro.sample("u", prior)
        log_p = dist.Normal(centers, sds[:, None]).log_prob(u).sum(axis=1)
        numpyro.factor("hills", jax.nn.logsumexp(log_p) - prior.log_prob(u))
        numpyro.sample("y", dist.Normal(0.0, 1.0), obs=y)

    return model


def modes_of(model, seed=0):
    """Modes that the search finds, whether or not a gradient vanishes there."""
    with computing_in("float64"):
        return find_modes(jax.random.key(seed), posterior_of(CustomModel(model), jnp.array(0.0)).natural)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("size", "sds"), [(4, [0.3, 0.5, 0.8]), (8, [0.3, 0.5, 0.8])])
def test_three_modes_of_unequal_width_are_found(size, sds, seed):
    """Most draws of the prior are nearer to the wide ones; those that are not are likelier than the wide ones say."""
    centers = np.random.default_rng([size, seed]).normal(size=(3, size)) * np.sqrt(size)
    assert len(modes_of(hills(centers, sds), seed).peaks) == 3


def used_or_not(z, u):
    """Around 4 two further entries are known from data, around -4 only by a prior that has a kink and no curvature."""
    unused = dist.Normal(-4.0, 1.0).log_prob(z)
    used = dist.Normal(4.0, 1.0).log_prob(z) + dist.Normal(1.0, 0.1).log_prob(u).sum() + 2.0 * (1.0 + np.log(2.0))
    return jnp.logaddexp(unused, used)


def test_a_flat_mode_does_not_outweigh_all_others():
    def model(y):
        z = numpyro.sample("z", dist.Normal(0.0, 3.0))
        u = numpyro.sample("u", dist.Laplace(0.0, 1.0).expand([2]).to_event(1))
        numpyro.factor("either", used_or_not(z, u) - dist.Normal(0.0, 3.0).log_prob(z))
        numpyro.sample("y", dist.Normal(0.0, 1.0), obs=y)

    found = modes_of(model)
    assert len(found.peaks) == 2
    assert np.ptp(found.log_mass) < 4.0  # they have the same mass; without a limit of width it would be 20 nats


def pointed(size):
    """A normal hill at -4 and one with the flanks of a Laplace distribution at 4, of equal mass."""

    def model(y):
        prior = dist.Normal(0.0, 4.0).expand([size]).to_event(1)
        u = numpyro.sample("u", prior)
        flanks = -(jnp.sqrt((u - 4.0) ** 2 + 1e-6) + np.log(2.0)).sum()
        numpyro.factor("hills", jnp.logaddexp(dist.Normal(-4.0, 1.0).log_prob(u).sum(), flanks) - prior.log_prob(u))
        numpyro.sample("y", dist.Normal(0.0, 1.0), obs=y)

    return model


def test_a_pointed_mode_with_wide_flanks_is_not_negligible():
    """Its curvature gives it e^-18 of the mass that it has."""
    assert len(modes_of(pointed(4)).peaks) == 2


def test_proposals_too_narrow_for_one_mode_are_noticed():
    """Of all weights together, those around the normal hill hide the others."""
    fit = gi.infer(jax.random.key(0), model=pointed(3), data=jnp.array(0.0), method="independence", **QUIET)
    assert fit.tree.attrs["modes"] == 2
    assert fit.tree.attrs["khat"] > 0.7
    assert not fit.converged
