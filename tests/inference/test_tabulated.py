"""Tables of log-likelihoods: equal to the likelihood they replace, and left alone where they would not be."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from pooled import CONTEXTS, DATA, HALL, IN_CONTEXTS, PRIOR, WANTS

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.posterior import covered
from goalinf.inference.model.priors import prior_draws
from goalinf.inference.model.tabulated.piecewise import Piecewise
from goalinf.inference.model.tabulated.tabulate import OutsideTableError
from goalinf.inference.results.assemble import pointwise
from goalinf.precision import computing_in

POOLED = gi.partial_pooling(PRIOR, by="subject", spread=dist.HalfNormal(0.5))
SHARES = gi.partial_pooling(dist.Beta(2.0, 8.0), by="subject", spread=dist.HalfNormal(0.5))
MODELS = {
    "beta": (gi.agents.soft_optimal(beta=POOLED), WANTS, DATA),
    "beta by context": (gi.agents.soft_optimal(beta=gi.no_pooling(PRIOR, by="context")), CONTEXTS, IN_CONTEXTS),
    "discount": (gi.agents.soft_optimal(beta=2.0, discount=SHARES), WANTS, DATA),
    "lapses": (gi.agents.boltzmann(beta=2.0, lapse=SHARES), CONTEXTS, IN_CONTEXTS),
    "horizon": (gi.agents.soft_optimal(beta=POOLED, horizon=8), WANTS, DATA),
    "learner": (gi.agents.q_learning(learning_rate=SHARES, beta=2.0), WANTS, DATA),
    "mixture": (
        gi.agents.lookahead(depth=gi.one_of([1, 2, 4], by="subject", weights=dist.Dirichlet(np.ones(3))), beta=POOLED),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "far from zero": (
        gi.agents.habitual(
            persistence=gi.partial_pooling(dist.Normal(40.0, 1.0), by="subject", spread=dist.HalfNormal(0.5)), beta=2.0
        ),
        WANTS,
        DATA,
    ),
    "one option for all": (gi.agents.lookahead(depth=gi.one_of([1, 4], by="data"), beta=POOLED), WANTS, DATA),
    "options of trajectories": (
        gi.agents.lookahead(depth=gi.one_of([1, 4], by="trajectory"), beta=POOLED),
        WANTS,
        DATA,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_table_gives_the_density_that_it_replaces(name):
    """Value, gradient, and the log-likelihood by trajectory, at draws of the prior."""
    agent, reward, data = MODELS[name]
    with computing_in("float64"):
        posterior = posterior_of(StandardModel(HALL, agent, reward), data)
        direct, table = posterior.direct, posterior.table
        assert table.functions.coefficients.shape[0] == data.n_trajectories
        values = prior_draws(jax.random.key(3), posterior.sites, 4)
        for pair in ((posterior.tabulated, direct.natural), (posterior.uninformed, direct.uninformed)):
            if pair[0] is None:
                continue
            rng = np.random.default_rng(0)
            for flat in pair[1].density.start + rng.normal(size=(3, pair[1].density.start.size)):
                (value, slope), (expected, expected_slope) = (each.target.target.slope(flat) for each in pair)
                assert value == pytest.approx(expected, abs=1e-8)
                np.testing.assert_allclose(slope, expected_slope, atol=1e-6)
        draws = {site: array[None] for site, array in values.items()}
        found = pointwise(posterior.tabulated.density, draws, table)[0]
        expected = pointwise(direct.natural.density, draws, direct.data)[0]
        np.testing.assert_allclose(found, expected, atol=1e-8)
        if agent.by is not None:
            np.testing.assert_allclose(posterior.by_group(values), direct.by_group(values), atol=1e-8)


@pytest.mark.parametrize(
    ("agent", "reward"),
    [
        (gi.agents.boltzmann(beta=2.0, discount=SHARES), WANTS),  # a hard maximum, whose derivative has jumps
        (gi.agents.soft_optimal(beta=POOLED), gi.StateReward(dist.Normal(0.0, 1.0), on="departure")),
        (gi.agents.soft_optimal(beta=POOLED, discount=dist.Beta(2.0, 2.0)), WANTS),
        (gi.agents.soft_optimal(beta=POOLED, discount=SHARES), WANTS),
        (gi.agents.soft_optimal(beta=PRIOR), WANTS),
    ],
)
def test_no_table(agent, reward):
    """Where the function has kinks, and where more or less than one number is unknown at each level."""
    with computing_in("float64"):
        assert posterior_of(StandardModel(HALL, agent, reward), DATA).table is None


def test_no_table_in_single_precision():
    agent = gi.agents.soft_optimal(beta=POOLED)
    with computing_in("float32"):
        assert posterior_of(StandardModel(HALL, agent, WANTS), DATA).table is None


def test_draws_at_the_ends_of_the_table_are_drawn_without_it():
    """A prior far from the data: the values are at the end of what its draws reach, and the fit is that without a table."""
    away = gi.partial_pooling(dist.LogNormal(3.0, 0.2), by="subject", spread=dist.HalfNormal(0.1))
    careless = gi.simulate(0, HALL, gi.agents.soft_optimal(beta=0.1), WANTS, trajectories=400, steps=20)
    agent = gi.agents.soft_optimal(beta=away)
    with computing_in("float64"):
        table = posterior_of(StandardModel(HALL, agent, WANTS), careless).table
    assert table is not None
    best = gi.inference.find_map(0, HALL, agent=agent, reward=WANTS, data=careless)
    assert np.log(float(best.values["agent.beta"][0])) < float(table.functions.low)
    fit = gi.infer(0, HALL, agent=agent, reward=WANTS, data=careless, method="laplace", draws=50)
    assert np.log(fit.posterior["agent.beta"].values).min() < float(table.functions.low)


def test_each_precision_keeps_its_posterior():
    """A posterior without a table replaces the one with a table, and not that of the other precision."""
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=POOLED), WANTS)
    with computing_in("float32"):
        single = posterior_of(model, DATA)
    with computing_in("float64"):
        double = posterior_of(model, DATA)

        def refusing(posterior):
            if posterior.table is not None:
                raise OutsideTableError
            return posterior

        assert covered(double, refusing) is double.direct
        assert posterior_of(model, DATA) is double.direct
    assert model.built["float32"] is single


def test_pieces_are_as_exact_as_they_say():
    """Analytic functions to ten digits; functions with kinks are left alone, undefined values refused."""

    def smooth(x):
        return np.stack([np.log1p(np.exp(x)), np.sin(x)])[:, None].T  # (B, 1, 2)

    functions = Piecewise.through(smooth, -5.0, 3.0)
    x = np.linspace(-5.0, 3.0, 101)
    with computing_in("float64"):
        found = np.stack([np.asarray(functions(np.full(2, at))) for at in x])
        np.testing.assert_allclose(found, smooth(x), atol=1e-10)
        assert np.isneginf(np.asarray(functions(np.array([-5.01, 3.01])))).all()
    assert Piecewise.through(lambda x: np.abs(x - 0.123)[:, None, None], -5.0, 3.0) is None
    with pytest.raises(FloatingPointError, match="between -5 and 3 is not finite"):
        Piecewise.through(lambda x: np.where(x > 0, x, np.nan)[:, None, None], -5.0, 3.0)
