"""Left-out and new subjects whose own parameters are integrated out, against quadrature over these parameters."""

import dataclasses
from functools import partial

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from pooled import CONTEXTS, DATA, HALL, IN_CONTEXTS, PRIOR, SUBJECTS, WANTS, of_prior, walks_of
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.special import expit, logsumexp

import goalinf as gi
from goalinf.inference.scoring.integration import possible
from goalinf.inference.scoring.marginal import marginal
from goalinf.precision import computing_in

SPREAD = dist.HalfNormal(0.5)
NEAR = dist.LogNormal(0.3, 0.4)
GROUP = gi.partial_pooling(PRIOR, by="subject", spread=SPREAD)
LOG_BETA = np.linspace(-6.0, 6.0, 61)
Z = np.linspace(-7.0, 7.0, 561)  # standard normal numbers
STEP = Z[1] - Z[0]


def laplace(agent, reward=WANTS, data=DATA, draws=20):
    return gi.infer(0, HALL, agent=agent, reward=reward, data=data, method="laplace", draws=draws)


@pytest.fixture(scope="module")
def grouped():
    return laplace(gi.agents.soft_optimal(beta=GROUP), draws=100)


def flat(fit):
    return {str(n): fit.posterior[n].values.reshape(-1, *fit.posterior[n].shape[2:]) for n in fit.posterior.data_vars}


def policies_of(make, reward=WANTS):
    """Policies on the grid of log beta."""
    return np.array([np.asarray(make(beta=float(np.exp(x))).policy(HALL, reward)) for x in LOG_BETA])


def table(data, policies, lapse=0.0):
    """Log-likelihood of every trajectory on the grid of log beta, ``(B, N)``; four actions are available anywhere."""
    actions, states = np.maximum(np.asarray(data.actions), 0), np.maximum(np.asarray(data.states)[:, :-1], 0)
    log_probs = np.log((1.0 - lapse) * policies[:, states, actions] + lapse / 4.0)
    return np.where(data.observed, log_probs, 0.0).sum(-1)


SOFT, GREEDY = policies_of(gi.agents.soft_optimal), policies_of(gi.agents.boltzmann)


def at(log_beta, scores):
    """Likelihood between the points of the grid."""
    return CubicSpline(LOG_BETA, scores)(np.clip(log_beta, LOG_BETA[0], LOG_BETA[-1]))


def integral(scores, mean, sd):
    """Log of the integral of a likelihood on the grid of log beta over a normal distribution of log beta."""
    return logsumexp(stats.norm.logpdf(Z) + at(mean + sd * Z, scores)) + np.log(STEP)


def integrated(fit, unit="subject"):
    with computing_in("float64"):
        return marginal(fit, flat(fit), unit)


def check(found, expected):
    """Errors of independent points: within five reported errors everywhere, and small on average."""
    ratio = np.exp(found.log_likelihood - expected)
    np.testing.assert_array_less(np.abs(ratio.mean(0) - 1.0), 5 * np.sqrt(found.error.mean(0) / len(ratio)) + 1e-3)
    assert found.error.mean(0).max() <= 0.1  # from which on a table warns
    spread = ((ratio - 1.0) ** 2).mean(0)
    np.testing.assert_array_less(spread, 3 * found.error.mean(0) + 1e-5)


def renamed(data, subjects, covariates=None):
    """The same trajectories of other subjects."""
    names = tuple(dict.fromkeys(subjects))
    labels = dataclasses.replace(data.labels, subjects=names, covariates=covariates)
    numbers = [names.index(name) for name in subjects]
    return gi.Trajectories.of(
        data.states, data.actions, lengths=data.lengths, subject=numbers, context=data.context, labels=labels
    )


def test_one_effect(grouped):
    """The likelihood of every subject given the group is that of quadrature at every draw."""
    scores, draws = table(DATA, SOFT), flat(grouped)
    expected = [
        [integral(scores[:, DATA.subject == i].sum(1), np.log(m), s) for i in range(3)]
        for m, s in zip(draws["agent.beta.mean"], draws["agent.beta.sd"], strict=True)
    ]
    check(integrated(grouped), np.array(expected))


def test_independent_subjects_have_their_evidence():
    """Without a group, leaving a subject out is the evidence of its data: of the prior, whatever the draws."""
    fit = of_prior(gi.agents.soft_optimal(beta=gi.no_pooling(PRIOR)), draws=200)
    scores = table(DATA, SOFT)
    expected = [integral(scores[:, DATA.subject == i].sum(1), 0.0, 1.0) for i in range(3)]
    result = gi.inference.loo(fit, "subject")
    np.testing.assert_allclose(result.elpd_i, expected, atol=0.05)
    assert float(result.pareto_k.max()) < 0.5
    subject = walks_of([gi.agents.soft_optimal(beta=2.0)])
    new = renamed(subject, ["dan"] * 4)
    scored = gi.inference.log_predictive_density(fit, new)["log_density"]
    rows = np.cumsum(table(new, SOFT), axis=1)
    np.testing.assert_allclose(np.cumsum(scored), [integral(row, 0.0, 1.0) for row in rows.T], atol=0.06)


def test_random_slopes():
    """Two effects by subject and a coefficient between subjects: quadrature in two dimensions."""
    number = np.arange(len(DATA.subject))
    session = np.array(["one", "two"])[number % 2]
    session[DATA.subject == 2] = "one"  # the last subject misses a session
    covariates = pd.DataFrame({"session": session, "age": np.array([20.0, 30.0, 60.0])[DATA.subject]})
    data = renamed(DATA, [SUBJECTS[i] for i in DATA.subject], covariates)
    effects = {"session": dist.Normal(0.2, 0.3), "scale(age)": dist.Normal(0.3, 0.2)}
    beta = gi.regression(
        "1 + session + scale(age)", NEAR, by="subject", spread=SPREAD, effects=effects, slopes=["session"]
    )
    fit = of_prior(gi.agents.boltzmann(beta=beta), data=data, draws=30)
    scores, draws = table(data, GREEDY), flat(fit)
    ages = covariates["age"].to_numpy()
    ages = (ages - ages.mean()) / ages.std(ddof=1)
    expected = np.empty((30, 3))
    for d in range(30):
        for i in range(3):
            start = np.log(draws["agent.beta.mean"][d]) + draws["agent.beta.scale(age)"][d] * ages[data.subject == i][0]
            sd, rows = draws["agent.beta.sd"][d], data.subject == i
            first = start + sd[0] * Z
            second = first[:, None] + draws["agent.beta.session"][d, 0] + sd[1] * Z
            parts = [scores[:, rows & (session == name)].sum(1) for name in ("one", "two")]
            inner = logsumexp(at(second, parts[1]) + stats.norm.logpdf(Z), axis=1) + np.log(STEP)
            outer = at(first, parts[0]) + inner + stats.norm.logpdf(Z)
            expected[d, i] = logsumexp(outer) + np.log(STEP)
    check(integrated(fit), expected)


def test_two_independent_parameters():
    """Priors of two parameters are independent: quadrature in two dimensions, of beta and of lapse."""
    logit_normal = dist.TransformedDistribution(dist.Normal(-1.0, 0.7), dist.transforms.SigmoidTransform())
    agent = gi.agents.boltzmann(beta=gi.no_pooling(PRIOR), lapse=gi.no_pooling(logit_normal))
    fit, z = of_prior(agent, draws=60), np.linspace(-5.0, 5.0, 101)
    scores = np.stack([table(DATA, GREEDY, share) for share in expit(-1.0 + 0.7 * z)], axis=1)
    weights = stats.norm.logpdf(z) + np.log(z[1] - z[0])
    expected = []
    for i in range(3):
        given_beta = logsumexp(scores[:, :, DATA.subject == i].sum(2) + weights, axis=1)
        expected.append(integral(given_beta, 0.0, 1.0))
    check(integrated(fit), np.tile(expected, (60, 1)))


def test_trajectories_with_levels_of_their_own():
    """A session with one trajectory is integrated; a session with two is shared, and stays as drawn."""
    data = DATA.select([0, 1, 4, 8, 9])
    sessions = pd.DataFrame({"session": ["one", "one", "one", "one", "two"]})
    data = renamed(data, ["ann", "ann", "bob", "cyd", "cyd"], sessions)
    group = gi.partial_pooling(PRIOR, by=["subject", "session"], spread=SPREAD)
    fit = of_prior(gi.agents.boltzmann(beta=group), data=data, draws=60)
    scores, draws = table(data, GREEDY), flat(fit)
    expected = [
        [
            *(at(np.log(draws["agent.beta"][d, 0, 0]), scores[:, n]) for n in (0, 1)),
            *(
                integral(scores[:, n], np.log(draws["agent.beta.mean"][d]), draws["agent.beta.sd"][d])
                for n in (2, 3, 4)
            ),
        ]
        for d in range(60)
    ]
    check(integrated(fit, "trajectory"), np.array(expected))


def test_shared_parameters_stay_as_drawn():
    """A reward of all subjects is the one of the draw, and so is the lapse of a context with several subjects."""
    agent = gi.agents.boltzmann(beta=GROUP, lapse=gi.no_pooling(dist.Beta(1.0, 9.0), by="context"))
    fit = of_prior(agent, CONTEXTS, IN_CONTEXTS, draws=10)
    draws, data = flat(fit), IN_CONTEXTS
    policies = {name: policies_of(gi.agents.boltzmann, CONTEXTS[name]) for name in CONTEXTS}
    expected = np.zeros((10, 3))
    for d in range(10):
        scores = np.zeros((len(LOG_BETA), len(data.subject)))
        for number, name in enumerate(data.context_names):
            part = data.select(data.context == number)
            scores[:, data.context == number] = table(part, policies[name], float(draws["agent.lapse"][d, number]))
        for i in range(3):
            group = np.log(draws["agent.beta.mean"][d]), draws["agent.beta.sd"][d]
            expected[d, i] = integral(scores[:, data.subject == i].sum(1), *group)
    check(integrated(fit), expected)


def test_agents_of_subjects():
    """Every subject is one of two agents, and has a beta: a sum of integrals."""
    agent = gi.agents.lookahead(depth=gi.one_of([1, 3], by="subject"), beta=GROUP)
    fit = of_prior(agent, draws=20)
    draws = flat(fit)
    scores = [table(DATA, policies_of(partial(gi.agents.lookahead, depth=n))) for n in (1, 3)]
    expected = [
        [
            logsumexp([integral(s[:, DATA.subject == i].sum(1), np.log(m), sd) for s in scores]) - np.log(2)
            for i in range(3)
        ]
        for m, sd in zip(draws["agent.beta.mean"], draws["agent.beta.sd"], strict=True)
    ]
    check(integrated(fit), np.array(expected))
    new = renamed(DATA.select([0, 1, 8]), ["dan", "dan", "eve"])
    scored = gi.inference.log_predictive_density(fit, new)["log_density"].to_numpy()
    scores = [s[:, [0, 1, 8]] for s in scores]
    for found, rows in ((scored[:1].sum(), [0]), (scored[:2].sum(), [0, 1]), (scored[2], [2])):
        both = [
            logsumexp([integral(s[:, rows].sum(1), np.log(m), sd) for s in scores]) - np.log(2)
            for m, sd in zip(draws["agent.beta.mean"], draws["agent.beta.sd"], strict=True)
        ]
        assert found == pytest.approx(logsumexp(both) - np.log(20), abs=0.06)


def test_leaving_out_subjects_is_exact_quadrature():
    """Group and effects by quadrature: the posterior of the others predicts each subject."""
    walks = gi.simulate(0, HALL, gi.agents.boltzmann(beta=1.5), WANTS, trajectories=12, steps=4)
    data = renamed(walks, [f"s{i // 2}" for i in range(12)])
    group = gi.partial_pooling(dist.LogNormal(0.5, 0.2), by="subject", spread=dist.HalfNormal(0.2))
    fit = gi.infer(0, HALL, agent=gi.agents.boltzmann(beta=group), reward=WANTS, data=data, chains=2, draws=500)
    scores = table(data, GREEDY)
    means, sds = np.linspace(-0.6, 1.6, 41), np.linspace(0.005, 1.0, 40)
    of_subjects = [scores[:, data.subject == i].sum(1) for i in range(6)]
    given = np.array([[[integral(s, m, sd) for sd in sds] for m in means] for s in of_subjects])
    prior = stats.norm.logpdf(means, 0.5, 0.2)[:, None] + stats.halfnorm.logpdf(sds, scale=0.2)
    total = prior + given.sum(0)
    expected = np.array([logsumexp(total) - logsumexp(total - each) for each in given])
    result = gi.inference.loo(fit, "subject")
    np.testing.assert_allclose(result.elpd_i, expected, atol=0.04)
    one_each = data.select([0, 2, 4, 6, 8, 10])
    single = of_prior(gi.agents.boltzmann(beta=group), data=one_each, draws=100)
    trajectories, subjects = (gi.inference.loo(single, unit).elpd_i for unit in ("trajectory", "subject"))
    np.testing.assert_allclose(trajectories, subjects, atol=1e-12)


def test_new_subjects(grouped):
    """Quadrature by draw; rows add up to the joint density; subjects of the fit keep their own values."""
    fit, draws = grouped, flat(grouped)
    walks = walks_of([gi.agents.soft_optimal(beta=beta) for beta in (3.0, 0.5, 1.0)])
    data = renamed(walks.select([0, 4, 1, 8, 2]), ["dan", "eve", "dan", "bob", "dan"])
    scored = gi.inference.log_predictive_density(fit, data)["log_density"].to_numpy()
    scores = table(data, SOFT)
    for number, rows in ((0, [0]), (2, [0, 2]), (4, [0, 2, 4]), (1, [1])):
        by_draw = [
            integral(scores[:, rows].sum(1), np.log(m), s)
            for m, s in zip(draws["agent.beta.mean"], draws["agent.beta.sd"], strict=True)
        ]
        total = scored[[row for row in rows if row <= number]].sum()
        assert total == pytest.approx(logsumexp(by_draw) - np.log(100), abs=0.05)
    own = at(np.log(draws["agent.beta"][:, 1]), scores[:, 3])
    assert scored[3] == pytest.approx(logsumexp(own) - np.log(100), abs=1e-3)
    alone = gi.inference.log_predictive_density(fit, data.select([3]))["log_density"]
    assert scored[3] == pytest.approx(float(alone.iloc[0]), abs=1e-12)


def test_new_sessions_of_subjects():
    """A value by subject and session: the new session of a known subject is a further value of the group."""
    sessions = np.array(["one", "two"])[np.arange(len(DATA.subject)) % 2]
    names = [SUBJECTS[i] for i in DATA.subject]
    data = renamed(DATA, names, pd.DataFrame({"session": sessions}))
    group = gi.partial_pooling(PRIOR, by=["subject", "session"], spread=SPREAD)
    fit = of_prior(gi.agents.boltzmann(beta=group), data=data, draws=50)
    draws = flat(fit)
    new = renamed(DATA.select([0, 1]), ["ann", "ann"], pd.DataFrame({"session": ["three", "two"]}))
    scored = gi.inference.log_predictive_density(fit, new)["log_density"].to_numpy()
    scores = table(new, GREEDY)
    groups = list(zip(np.log(draws["agent.beta.mean"]), draws["agent.beta.sd"], strict=True))
    third = np.array([integral(scores[:, 0], *group) for group in groups])
    second = at(np.log(draws["agent.beta"][:, 0, 1]), scores[:, 1])
    assert scored[0] == pytest.approx(logsumexp(third) - np.log(50), abs=0.05)
    assert scored.sum() == pytest.approx(logsumexp(third + second) - np.log(50), abs=0.05)
    by_session = gi.partial_pooling(PRIOR, by="session", spread=SPREAD)
    shared = of_prior(gi.agents.boltzmann(beta=by_session), data=data)
    with pytest.raises(ValueError, match=r"session 'three' was not fitted, and agent\.beta has one value per session"):
        gi.inference.log_predictive_density(shared, new)


def test_inaccurate_integrals_are_reported(grouped, monkeypatch):
    """With an error above the limit, tables and scores say so; a large Pareto k is explained."""
    monkeypatch.setattr("goalinf.inference.scoring.leave_one_out._INACCURATE", 1e-9)
    monkeypatch.setattr("goalinf.inference.scoring.new_levels._INACCURATE", 1e-12)
    warning = gi.compare({"a": grouped, "b": grouped}, unit="subject")["warning"].iloc[0]
    assert "the integral over the effects of 3 of 3 subjects has a relative Monte Carlo error up to" in warning
    monkeypatch.setattr("goalinf.inference.comparison.KHAT", -1.0)
    warning = gi.compare({"a": grouped, "b": grouped}, unit="subject")["warning"].iloc[0]
    assert "3 of 3 subjects have Pareto k above -1.0: without one of them the posterior differs so much" in warning
    with pytest.warns(UserWarning, match="is an integral over their parameters, with a relative Monte Carlo error up"):
        gi.inference.log_predictive_density(grouped, renamed(DATA.select([0]), ["dan"]))


def test_what_cannot_be_integrated_is_refused():
    mixture = gi.agents.lookahead(depth=gi.one_of([1, 3], by="data"), beta=GROUP)
    fit = of_prior(mixture)
    with pytest.raises(ValueError, match="subjects have parameters of their own, and all data are one of several"):
        gi.inference.loo(fit, "subject")
    with pytest.raises(ValueError, match="subject 'dan' was not fitted, and all data are one of several agents"):
        gi.inference.log_predictive_density(fit, renamed(DATA.select([0]), ["dan"]))

    def model(data):
        beta = numpyro.sample("beta", dist.LogNormal(0.0, 1.0).expand([3]).to_event(1))
        agents = {"a": gi.agents.boltzmann(beta=beta[data.subject[-1]]), "b": gi.agents.uniform()}
        numpyro.sample("choices", gi.Behavior(HALL, gi.agents.mixture(agents, by="trajectory"), WANTS), obs=data)

    own = gi.infer(0, model=model, data=DATA, chains=1, warmup=20, draws=20)
    with pytest.raises(ValueError, match=r"model of your own has parameters by subject \(data\.subject\)"):
        gi.inference.loo(own, "subject")


def test_undefined_densities_are_impossible():
    np.testing.assert_array_equal(possible(np.array([np.nan, -1.0, -np.inf])), [-np.inf, -1.0, -np.inf])


def test_priors_print_the_function_that_made_them():
    prior = dist.LogNormal(0.0, 1.0)
    assert repr(gi.no_pooling(prior)).startswith("no_pooling(LogNormal(")
    assert repr(gi.partial_pooling(prior)).startswith("partial_pooling(LogNormal(")
    assert repr(gi.regression("1 + session", prior)).startswith("regression('1 + session'")


def test_values_of_further_levels_are_drawn_from_the_prior():
    """Without a group the draws are those of the prior; with one they are wider by the spread, on the scale of the link."""
    prior, key = dist.LogNormal(0.0, 0.5), jax.random.key(0)
    np.testing.assert_array_equal(gi.no_pooling(prior).sample(key, (5,)), prior.sample(key, (5,)))
    drawn = np.log(np.asarray(gi.partial_pooling(prior, spread=dist.LogNormal(0.0, 1e-3)).sample(key, (20_000,))))
    assert drawn.std() == pytest.approx(np.hypot(0.5, 1.0), rel=0.03)
