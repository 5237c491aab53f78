"""Fits with correlated effects: against models written by hand in NumPyro, quadrature, files, and messages."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from jax.flatten_util import ravel_pytree
from numpyro.diagnostics import effective_sample_size
from numpyro.distributions import biject_to
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density
from pooled import DATA as WALKS
from pooled import HALL, PRIOR, SUBJECTS, WANTS, of_prior
from scipy import stats
from scipy.interpolate import RectBivariateSpline
from scipy.special import expit, logit, logsumexp
from test_effects_left_out import GREEDY, LOG_BETA, NEAR, STEP, Z, at, check, flat, integrated, renamed, table
from test_regression import DATA

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.hierarchical.standardized import from_natural, to_natural
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import draw_sites
from goalinf.precision import computing_in
from goalinf.workflow import fit_report

SPREAD = dist.HalfNormal(0.5)
PEOPLE = gi.SharedCorrelation("people", concentration=2.0)
SLOPES = gi.regression("1 + session", PRIOR, by="subject", spread=SPREAD, slopes="session", correlation=PEOPLE)
with computing_in("float64"):  # the normalizing constant is that of its precision
    LAPSES = dist.Beta(1.0, 9.0)
LAPSE = gi.partial_pooling(LAPSES, spread=SPREAD, correlation=PEOPLE)
SHARED = gi.agents.boltzmann(beta=SLOPES, lapse=LAPSE)
ALONE = gi.agents.boltzmann(
    beta=gi.regression("1 + session", PRIOR, by="subject", spread=SPREAD, slopes="session", correlation=2.0)
)
PAIRS = [
    "agent.beta, agent.beta.session[T.second]",
    "agent.beta, agent.lapse",
    "agent.beta.session[T.second], agent.lapse",
]


def optimal_values():
    """Action values of optimal behavior, by value iteration."""
    reward, moves = np.asarray(WANTS(HALL.mdp))[:, 0], HALL.mdp.dense()
    values = np.zeros((HALL.n_states, HALL.n_actions))
    for _ in range(500):
        values = reward + 0.9 * moves @ values.max(axis=1)
    return values


VALUES, SESSION = optimal_values(), (DATA.labels.covariates["session"] == "second").to_numpy().astype(int)


def by_hand(centered, size=3):
    """Model of one agent per subject and session, that shares no code with the library."""
    mean = numpyro.sample("mean", dist.LogNormal(0.0, 1.0))
    session = numpyro.sample("session", dist.Normal(0.0, 1.0))
    sd = numpyro.sample("sd", dist.HalfNormal(0.5).expand([size]).to_event(1))
    root = sd[:, None] * numpyro.sample("root", dist.LKJCholesky(size, 2.0))
    if centered:
        deviations = numpyro.sample("deviations", dist.MultivariateNormal(jnp.zeros(size), scale_tril=root).expand([4]))
    else:
        deviations = numpyro.sample("standard", dist.Normal(0.0, 1.0).expand([4, size]).to_event(2)) @ root.T
    beta = jnp.exp(jnp.log(mean) + deviations[:, :1] + (session + deviations[:, 1:2]) * jnp.arange(2.0))
    lapse = jnp.zeros(4)
    if size == 3:
        lapse_mean = numpyro.sample("lapse_mean", LAPSES)
        lapse = jax.nn.sigmoid(jnp.log(lapse_mean) - jnp.log1p(-lapse_mean) + deviations[:, 2])
    beta, lapse = numpyro.deterministic("beta", beta), numpyro.deterministic("lapse", lapse)
    subject, states = np.asarray(DATA.subject), np.maximum(np.asarray(DATA.states)[:, :-1], 0)
    chosen = jax.nn.softmax(beta[subject, SESSION][:, None, None] * VALUES[states])
    probability = jnp.take_along_axis(chosen, np.maximum(np.asarray(DATA.actions), 0)[..., None], 2)[..., 0]
    probability = (1.0 - lapse[subject])[:, None] * probability + lapse[subject][:, None] / 4.0
    numpyro.factor("choices", jnp.where(np.asarray(DATA.observed), jnp.log(probability), 0.0).sum())


@pytest.mark.parametrize("agent", [SHARED, ALONE], ids=["shared", "alone"])
def test_log_density(agent):
    """The density is that of the model by hand, with LKJCholesky, over the slope of correlations by their root."""
    size = 3 if agent is SHARED else 2
    with computing_in("float64"):
        posterior = posterior_of(StandardModel(HALL, agent, WANTS), DATA)
        values = draw_sites(jax.random.key(1), posterior.sites)
        natural = posterior.natural
        drawn = {name: values[name] for name in natural.density.sites(natural.data)}
        found = float(log_density(natural.density.model, (natural.data,), {}, drawn)[0])
        matrix = np.eye(size)
        pairs = values["correlation.people" if size == 3 else "agent.beta.correlation"]
        matrix[np.tril_indices(size, -1)] = matrix.T[np.tril_indices(size, -1)] = pairs
        root = np.linalg.cholesky(matrix)
        sd, deviations = values["agent.beta.sd"], values["agent.beta.subject"]
        own = {"mean": values["agent.beta.mean"], "session": values["agent.beta.session"][0], "root": root}
        slope = -((size - 1 - np.arange(size)) * np.log(np.diag(root))).sum()
        if size == 3:
            lapse, lapse_mean = values["agent.lapse"], values["agent.lapse.mean"]
            sd = np.append(sd, values["agent.lapse.sd"])
            deviations = np.column_stack([deviations, logit(lapse) - logit(lapse_mean)])
            own["lapse_mean"], slope = lapse_mean, slope - np.log(lapse * (1.0 - lapse)).sum()
        expected = float(log_density(by_hand, (True, size), {}, own | {"sd": sd, "deviations": deviations})[0])
    assert found == pytest.approx(expected + slope, abs=1e-8)


def test_change_of_variables():
    """Standardized density = natural density plus the volume of the map, by finite differences, and back again."""
    with computing_in("float64"):
        posterior = posterior_of(StandardModel(HALL, SHARED, WANTS), DATA)
        natural, other, sites = posterior.natural, posterior.bounded, posterior.sites
        assert other.evidence["agent.lapse"].precision.max() > 0.0
        point = 0.4 * np.random.default_rng(0).normal(size=other.density.size)
        priors = {site.name: site.prior for site in sites if not site.computed}

        @jax.jit
        def coordinates(flat):
            values = to_natural(sites, other.density.constrain(flat, other.data), other.evidence)
            return ravel_pytree({name: biject_to(prior.support).inv(values[name]) for name, prior in priors.items()})[0]

        x = np.asarray(coordinates(point))
        steps = 1e-5 * np.eye(point.size)
        slope = np.stack([(coordinates(point + s) - coordinates(point - s)) / 2e-5 for s in steps], axis=1)
        expected = natural.log_density(x[None])[0] + np.linalg.slogdet(slope)[1]
        assert other.log_density(point[None])[0] == pytest.approx(expected, abs=1e-6)
        values = natural.density.constrain(x, natural.data)
        back = from_natural(sites, values, other.evidence)
        for name, value in other.density.constrain(point, other.data).items():
            if name in back:
                np.testing.assert_allclose(back[name], value, atol=1e-8)


@pytest.mark.slow
def test_posterior_is_that_of_the_model_by_hand():
    """Means of all parameters within Monte Carlo error of NUTS on the non-centered model by hand."""
    fit = gi.infer(0, HALL, agent=SHARED, reward=WANTS, data=DATA, chains=2, draws=1000, progress=False)
    with computing_in("float64"):
        sampler = MCMC(NUTS(by_hand), num_warmup=500, num_samples=3000, progress_bar=False)
        sampler.run(jax.random.key(0), centered=False)
        other = {name: np.asarray(draws) for name, draws in sampler.get_samples().items()}
    root = other["root"]
    matrix = root @ np.swapaxes(root, 1, 2)
    expected = {
        "agent.beta.mean": np.log(other["mean"]),
        "agent.beta.session": other["session"][:, None],
        "agent.beta.sd": np.log(other["sd"][:, :2]),
        "agent.lapse.mean": np.log(other["lapse_mean"]),
        "agent.lapse.sd": np.log(other["sd"][:, 2]),
        "correlation.people": matrix[:, *np.tril_indices(3, -1)],
        "agent.beta": np.log(other["beta"]),
        "agent.lapse": np.log(other["lapse"]),
    }
    for name, theirs in expected.items():
        ours = fit.posterior[name].values
        ours = ours if name in ("agent.beta.session", "correlation.people") else np.log(ours)
        for power in (1, 2):
            first, second = ours**power, theirs[None] ** power
            errors = [each.var(axis=(0, 1)) / effective_sample_size(each) for each in (first, second)]
            difference = (first.mean(axis=(0, 1)) - second.mean(axis=(0, 1))) / np.sqrt(sum(errors))
            assert np.abs(difference).max() < 4.5, (name, difference)


def test_files_predictions_and_simulations(tmp_path):
    """Labels, a file and resumption from it, prior draws in simulated data, predictions and the report."""
    options = {"reward": WANTS, "data": DATA, "chains": 1, "warmup": 20, "draws": 20, "progress": False}
    fit = gi.infer(0, HALL, agent=SHARED, method="hmc", **options)
    assert fit.summary("correlation.people").index.tolist() == PAIRS
    assert np.abs(fit.posterior["correlation.people"].values).max() < 1.0
    loaded = gi.load(fit.save(tmp_path / "fit.nc"))
    assert loaded.agent.parameters["lapse"].correlation == PEOPLE
    np.testing.assert_array_equal(loaded.posterior["correlation.people"], fit.posterior["correlation.people"])
    assert gi.resume(loaded, draws=10, progress=False).posterior.sizes["draw"] == 30
    assert fit.predict(0, 2)[0].n_trajectories == DATA.n_trajectories
    drawn = gi.simulate(0, HALL, SHARED, WANTS, like=DATA).drawn
    assert drawn["correlation.people"].values.shape == (3,)
    assert drawn["correlation.people"][drawn["correlation.people"].dims[0]].values.tolist() == PAIRS
    assert "correlated across the units with those of the record 'people'" in fit_report._meaning("agent.lapse", LAPSE)


def quadrature(scores_of, correlation, sd):
    """Log of the integral of a function of two standard normal numbers with a correlation, over deviations."""
    first = sd[0] * Z
    second = sd[1] * (correlation * Z[:, None] + np.sqrt(1.0 - correlation**2) * Z)
    weights = stats.norm.logpdf(Z)[:, None] + stats.norm.logpdf(Z)
    return logsumexp(scores_of(first, second) + weights) + 2.0 * np.log(STEP)


def test_subjects_left_out_with_correlated_slopes():
    """The joint covariance of intercept and slope is in the integral: quadrature in two dimensions."""
    session = np.array(["one", "two"])[np.arange(len(WALKS.subject)) % 2]
    session[WALKS.subject == 2] = "one"  # the last subject misses a session
    data = renamed(WALKS, [SUBJECTS[i] for i in WALKS.subject], pd.DataFrame({"session": session}))
    beta = gi.regression("1 + session", NEAR, by="subject", spread=SPREAD, slopes="session", correlation=0.5)
    fit = of_prior(gi.agents.boltzmann(beta=beta), data=data, draws=20)
    scores, draws = table(data, GREEDY), flat(fit)
    assert np.abs(draws["agent.beta.correlation"]).max() > 0.8
    expected = np.empty((20, 3))
    for d, i in np.ndindex(20, 3):
        start, slope = np.log(draws["agent.beta.mean"][d]), draws["agent.beta.session"][d, 0]
        parts = [scores[:, (data.subject == i) & (session == name)].sum(1) for name in ("one", "two")]

        def total(first, second, parts=parts, start=start, slope=slope):
            return at(start + first, parts[0])[:, None] + at(start + first[:, None] + slope + second, parts[1])

        expected[d, i] = quadrature(total, draws["agent.beta.correlation"][d, 0], draws["agent.beta.sd"][d])
    check(integrated(fit), expected)
    new = renamed(data.select([0, 1]), ["dan", "dan"], pd.DataFrame({"session": ["one", "two"]}))
    scored = gi.inference.log_predictive_density(fit, new)["log_density"].sum()
    rows, by_draw = table(new, GREEDY), []
    for d in range(20):
        start, slope = np.log(draws["agent.beta.mean"][d]), draws["agent.beta.session"][d, 0]

        def total(first, second, start=start, slope=slope):
            return at(start + first, rows[:, 0])[:, None] + at(start + first[:, None] + slope + second, rows[:, 1])

        by_draw.append(quadrature(total, draws["agent.beta.correlation"][d, 0], draws["agent.beta.sd"][d]))
    assert scored == pytest.approx(logsumexp(by_draw) - np.log(20), abs=0.05)


def test_subjects_left_out_with_correlated_parameters():
    """Two parameters of one subject are integrated with their joint covariance."""
    pair = gi.SharedCorrelation("pair", concentration=0.5)
    agent = gi.agents.boltzmann(
        beta=gi.partial_pooling(NEAR, spread=SPREAD, correlation=pair),
        lapse=gi.partial_pooling(LAPSES, spread=dist.HalfNormal(1.0), correlation=pair),
    )
    fit = of_prior(agent, data=WALKS, draws=20)
    draws, logits = flat(fit), np.linspace(-9.0, 5.0, 57)
    scores = np.stack([table(WALKS, GREEDY, share) for share in expit(logits)], axis=1)
    expected = np.empty((20, 3))
    for i in range(3):
        likelihood = RectBivariateSpline(LOG_BETA, logits, scores[:, :, WALKS.subject == i].sum(2))
        for d in range(20):
            middle = np.log(draws["agent.beta.mean"][d]), logit(draws["agent.lapse.mean"][d])

            def total(first, second, middle=middle, likelihood=likelihood):
                log_beta, of_lapse = np.broadcast_arrays(middle[0] + first[:, None], middle[1] + second)
                return likelihood.ev(np.clip(log_beta, -6.0, 6.0), np.clip(of_lapse, -9.0, 5.0))

            sd = draws["agent.beta.sd"][d], draws["agent.lapse.sd"][d]
            expected[d, i] = quadrature(total, draws["correlation.pair"][d, 0], sd)
    check(integrated(fit), expected)


def test_what_cannot_be_correlated_is_refused():
    group = {"by": "subject", "spread": SPREAD}
    for options, message in (
        ({"correlation": 2.0, "by": "subject"}, "correlation is given without slopes=: the deviation of a unit is one"),
        ({"correlation": PEOPLE}, "correlation is given without by=: name the units that vary"),
        ({"correlation": -1.0, "by": "subject", "slopes": "session"}, "is -1.0; expected a positive number"),
        ({"correlation": "lkj", "by": "subject", "slopes": "session"}, "is 'lkj'; expected a positive number"),
    ):
        with pytest.raises(ValueError, match=message):
            gi.regression("1 + session", PRIOR, **options)
    with pytest.raises(ValueError, match="the name of a SharedCorrelation is 'a/b'"):
        gi.SharedCorrelation("a/b")
    with pytest.raises(TypeError, match="a value per unit is one effect"):
        gi.partial_pooling(PRIOR, correlation=2.0)
    alone = gi.partial_pooling(PRIOR, spread=SPREAD, correlation=PEOPLE)
    other = gi.partial_pooling(LAPSES, spread=SPREAD, correlation=gi.SharedCorrelation("people", 3.0))
    by_context = gi.partial_pooling(LAPSES, by="context", spread=SPREAD, correlation=PEOPLE)
    array = gi.StateReward(gi.partial_pooling(dist.Normal(0.0, 1.0), correlation=PEOPLE, **group), on="departure")
    for agent, reward, message in (
        (gi.agents.boltzmann(beta=alone), WANTS, "'people' belongs to agent.beta alone, which has one effect per unit"),
        (gi.agents.boltzmann(beta=alone, lapse=other), WANTS, "expected one record for all of them"),
        (gi.agents.boltzmann(beta=alone, lapse=by_context), WANTS, "expected the same by= for all of them"),
        (gi.agents.boltzmann(beta=alone), array, "reward.values is an array of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            gi.infer(0, HALL, agent=agent, reward=reward, data=DATA)
