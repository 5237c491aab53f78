"""Regressions of parameters on covariates: log densities by level, coding, posteriors, held-out data and messages."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from pooled import CONTEXTS, HALL, PRIOR, WANTS

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.hierarchical.standardized import _information, groups
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import draw_sites
from goalinf.precision import computing_in

SUBJECTS = ("ann", "bob", "cyd", "dan")
AGES = np.array([20.0, 30.0, 30.0, 50.0])


def people(reward=WANTS, sessions=("first", "second"), trajectories=2, steps=5):
    """Four subjects in two sessions, of which the last subject misses the second; ages by subject."""
    walks = gi.simulate(
        3, HALL, gi.agents.boltzmann(beta=1.5), reward, trajectories=trajectories * len(SUBJECTS) * 2, steps=steps
    )
    number = np.arange(walks.n_trajectories) % (trajectories * len(SUBJECTS) * 2)
    subject, session = number // (2 * trajectories), number // trajectories % 2
    covariates = pd.DataFrame({"session": np.array(sessions)[session], "age": AGES[subject]})
    labels = dataclasses.replace(walks.labels, subjects=SUBJECTS, covariates=covariates)
    data = gi.Trajectories.of(
        walks.states, walks.actions, lengths=walks.lengths, subject=subject, context=walks.context, labels=labels
    )
    return data.select(~((subject == 3) & (session == 1)))


DATA = people()
IN_CONTEXTS = people(CONTEXTS)
CASES = {
    "fixed": ({"formula": "1 + session"}, DATA, ("session",)),
    "between": ({"formula": "1 + age"}, DATA, ("age",)),
    "random intercepts": ({"formula": "1 + session + center(age)", "by": "subject"}, DATA, ("subject", "session")),
    "between, by subject": ({"formula": "1 + age", "by": "subject"}, DATA, ("subject",)),
    "random slopes": ({"formula": "1 + session", "by": "subject", "slopes": ["session"]}, DATA, ("subject", "session")),
    "interaction": ({"formula": "1 + session * scale(age)", "by": "subject"}, DATA, ("subject", "session")),
    "contexts": ({"formula": "1 + context", "by": "subject"}, IN_CONTEXTS, ("subject", "context")),
    "by context": ({"formula": "1 + session", "by": "context"}, IN_CONTEXTS, ("context", "session")),
    "a chosen prior": (
        {"formula": "1 + session", "by": ["subject", "context"], "effects": {"session": dist.Normal(1.0, 0.1)}},
        IN_CONTEXTS,
        ("subject", "context", "session"),
    ),
}


def linear_predictor(values, data, options, subject, session, context):
    """The logarithm of beta at one level, from the coefficients."""
    age = AGES[subject]
    ages = AGES[np.asarray(data.subject)]
    column = {
        "age": age,
        "center(age)": age - ages.mean(),
        "scale(age)": (age - ages.mean()) / ages.std(ddof=1),
        "session": float(session == 1),
        "context": float(data.context_names[context] != min(data.context_names)),
    }
    column["session:scale(age)"] = column["session"] * column["scale(age)"]
    total = np.log(values["agent.beta.mean"])
    by = options.get("by", [])
    by = [by] if isinstance(by, str) else by
    for term, value in column.items():
        if f"agent.beta.{term}" in values and term not in by:
            total += np.ravel(values[f"agent.beta.{term}"])[0] * value
    if by:
        numbers = {"subject": subject, "context": context}
        deviation = values[f"agent.beta.{'_'.join(by)}"][tuple(numbers[unit] for unit in by)]
        total += deviation @ np.array([1.0, float(session == 1)]) if options.get("slopes") else deviation
    return total


@pytest.mark.parametrize(
    ("name", "family"),
    [*((name, "boltzmann") for name in CASES), ("random slopes", "soft_optimal"), ("contexts", "soft_optimal")],
)
def test_log_density(name, family):
    """Every trajectory is scored with the value of its level, in compiled code and on the host."""
    options, data, axes = CASES[name]
    agent = getattr(gi.agents, family)(beta=gi.regression(prior=PRIOR, **options))
    model = StandardModel(HALL, agent, CONTEXTS if data is IN_CONTEXTS else WANTS)
    with computing_in("float64"):
        sites = model.sites(data)
        values = draw_sites(jax.random.key(1), sites)
        posterior = posterior_of(model, data)
        scored, _ = posterior.natural.density.log_likelihood(values, posterior.data, unit="trajectory")
        again, _ = posterior.natural.density.log_likelihood(
            {name: value for name, value in values.items() if name != "agent.beta"}, posterior.data, unit="trajectory"
        )
    assert posterior.dims["agent.beta"] == axes
    np.testing.assert_array_equal(scored, again)  # values by level are computed from the coefficients
    sessions = data.labels.covariates["session"]
    known = getattr(gi.agents, family)
    on_host = model.behavior(values, data.context_names, model.levels(data)).log_prob_by("trajectory", data)
    for row in range(data.n_trajectories):
        subject, context = int(data.subject[row]), int(data.context[row])
        beta = np.exp(linear_predictor(values, data, options, subject, sessions[row] == "second", context))
        numbers = {"subject": subject, "session": int(sessions[row] == "second"), "context": context}
        numbers["age"] = np.unique(AGES).tolist().index(AGES[subject])
        assert values["agent.beta"][tuple(numbers[axis] for axis in axes)] == pytest.approx(beta, rel=1e-9)
        reward = model.reward[data.context_names[context]] if isinstance(model.reward, dict) else model.reward
        one = gi.Trajectories.of(data.states[[row]], data.actions[[row]], lengths=data.lengths[[row]])
        expected = float(gi.Behavior(HALL, known(beta=beta), reward).log_prob(one))
        assert float(scored[row]) == pytest.approx(expected, abs=1e-8)
        assert float(on_host[row]) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", ["random intercepts", "random slopes", "fixed", "by context"])
def test_parameterizations_agree(name):
    """The density of standardized differences is the natural one, over the slope of the map; values come back."""
    options, data, _ = CASES[name]
    agent = gi.agents.boltzmann(beta=gi.regression(prior=PRIOR, **options))
    model = StandardModel(HALL, agent, CONTEXTS if data is IN_CONTEXTS else WANTS)
    with computing_in("float64"):
        posterior = posterior_of(model, data)
        natural, other = posterior.natural, posterior.bounded
        if name == "fixed":  # no group
            assert other.name == "natural"
            return
        density, rng = other.density, np.random.default_rng(0)
        points = 0.3 * rng.normal(size=(2, density.size))
        values = posterior.values(jax.random.key(0), other, points)
        sites = [site for site in posterior.sites if not site.computed]

        def natural_point(flat):
            drawn = density.constrain(flat, other.data)
            from goalinf.inference.model.hierarchical.standardized import to_natural

            value = to_natural(posterior.sites, drawn, other.evidence)
            from jax.flatten_util import ravel_pytree
            from numpyro.distributions import biject_to

            return ravel_pytree({s.name: biject_to(s.prior.support).inv(value[s.name]) for s in sites})[0]

        for row, flat in enumerate(points):
            x = natural_point(flat)
            slope = np.linalg.slogdet(np.asarray(jax.jacobian(natural_point)(flat)))[1]
            found, expected = (
                float(other.log_density(flat[None])[0]),
                float(natural.log_density(np.asarray(x)[None])[0]),
            )
            assert found == pytest.approx(expected + slope, abs=1e-8)
            drawn = natural.density.constrain(x, natural.data)
            for site in sites:
                np.testing.assert_allclose(values[site.name][row], drawn[site.name], rtol=1e-8)
            np.testing.assert_allclose(values["agent.beta"][row], drawn["agent.beta"], rtol=1e-8)


def test_information_about_levels():
    """Slope and curvature of the likelihood by the value of every level, against finite differences."""
    options, data, _ = CASES["random slopes"]
    agent = gi.agents.boltzmann(beta=gi.regression(prior=PRIOR, **options))
    with computing_in("float64"):
        posterior = posterior_of(StandardModel(HALL, agent, WANTS), data)
        parameterization = posterior.uninformed
        density, given = parameterization.density, parameterization.data
        flat = 0.2 * np.random.default_rng(0).normal(size=density.size)
        ((name, _),) = groups(posterior.sites).items()
        slopes, curvatures = jax.jit(_information(density.potential))(flat, given)

        def potential(cell, step):
            shift = np.zeros((4, 2))
            shift[cell] = step
            return float(density.potential(flat, given._replace(shifts={name: shift})))

        for cell in np.ndindex(4, 2):
            low, middle, high = (potential(cell, step) for step in (-1e-3, 0.0, 1e-3))
            assert float(slopes[name][cell]) == pytest.approx((high - low) / 2e-3, abs=1e-5)
            assert float(curvatures[name][cell]) == pytest.approx((high - 2 * middle + low) / 1e-6, abs=1e-4)
        assert float(np.abs(slopes[name][3, 1])) == 0.0  # the last subject has no second session
        assert float(np.abs(curvatures[name][3, 0])) > 0.0


@pytest.fixture(scope="module")
def fit():
    beta = gi.regression("1 + session + age", PRIOR, by="subject", spread=dist.HalfNormal(0.5))
    return gi.infer(
        0, HALL, agent=gi.agents.boltzmann(beta=beta), reward=WANTS, data=DATA, chains=2, draws=500, method="hmc"
    )


def test_held_out_data_have_their_own_covariates(fit):
    """A session that the subject missed, and an age that was not observed: values by the coefficients."""
    walks = gi.simulate(9, HALL, gi.agents.boltzmann(beta=1.5), WANTS, trajectories=2, steps=5)
    covariates = pd.DataFrame({"session": ["second", "second"], "age": [50.0, 33.0]})
    labels = dataclasses.replace(walks.labels, subjects=("dan", "bob"), covariates=covariates)
    new = gi.Trajectories.of(walks.states, walks.actions, lengths=walks.lengths, subject=[0, 1], labels=labels)
    table = gi.inference.log_predictive_density(fit, new)
    draws = fit.posterior.stack(draws=("chain", "draw"))  # noqa: PD013
    for row, (name, age) in enumerate((("dan", 50.0), ("bob", 33.0))):
        linear = np.log(draws["agent.beta.mean"].values) + draws["agent.beta.session"].values[0]
        linear = linear + draws["agent.beta.age"].values * age + draws["agent.beta.subject"].sel(subject=name).values
        policies = [gi.agents.boltzmann(beta=np.exp(x)) for x in linear[::25]]
        scores = [float(gi.Behavior(HALL, agent, WANTS).log_prob(new.select([row]))) for agent in policies]
        expected = np.logaddexp.reduce(scores) - np.log(len(scores))
        assert table.log_density.iloc[row] == pytest.approx(expected, abs=5 * np.std(scores) / np.sqrt(len(scores)))
    unknown = dataclasses.replace(labels, covariates=covariates.assign(session="third"))
    with pytest.raises(ValueError, match="has a value that does not occur in the fitted data"):
        gi.inference.log_predictive_density(fit, dataclasses.replace(new, labels=unknown))


def test_summaries_and_what_is_refused(fit):
    assert fit.summary("agent.beta.session").index.tolist() == ["second"]
    assert set(fit.summary(by="session").index.get_level_values("session")) == {"first", "second"}
    with pytest.raises(ValueError, match=r"agent\.beta\.subject has one value per subject, and an audit"):
        gi.audit(fit)
    figure = gi.plot.forest(fit, "agent.beta", entry="second")
    assert "median of the group" not in figure.axes[0].get_title(loc="left")  # it is that of the first session
    for options, message in (
        ({"formula": "0 + session"}, r"without an intercept; expected one, such as '1 \+ session'"),
        ({"formula": "beta ~ session"}, "expected the right side alone"),
        ({"formula": "1 + (1 | subject)"}, "which cannot be read"),
        ({"formula": "1"}, "nothing varies; give the prior itself"),
        ({"formula": "1 + session", "slopes": ["session"]}, "slopes is given without by="),
        ({"formula": "1 + session", "spread": dist.HalfNormal(1.0)}, "spread is given without by="),
        ({"formula": "1 + session", "by": "session"}, "'session' is in by= and in the formula"),
        ({"formula": "1 + session", "by": "subject", "slopes": ["age"]}, "slopes names 'age'; the terms of"),
        ({"formula": "1 + session", "effects": {"age": PRIOR}}, "effects names 'age'; the terms of"),
        ({"formula": "1 + mean"}, "the term 'mean' cannot name a coefficient"),
        ({"formula": "1 + I(age / 10)"}, "cannot name a coefficient"),
    ):
        with pytest.raises(ValueError, match=message):
            gi.regression(prior=PRIOR, **options)


def test_priors_of_coefficients_belong_to_their_data():
    """Data with equal levels and other numbers of trajectories have other priors, and programs of their own."""
    agent = gi.agents.boltzmann(beta=gi.regression("1 + age", PRIOR))
    rows = np.arange(DATA.n_trajectories)
    few = DATA.select(np.concatenate([rows[:-1], rows[:1]]))  # as many trajectories at each length, of other ages
    densities = []
    for data in (DATA, few):
        model = StandardModel(HALL, agent, WANTS)
        with computing_in("float64"):
            natural = posterior_of(model, data).natural
            flat = np.full(natural.density.size, 0.01)
            (site,) = (site for site in model.sites(data) if site.name == "agent.beta.age")
            prior = float(site.prior.log_prob(np.asarray(natural.density.constrain(flat, natural.data)[site.name])))
            alone = float(
                natural.density.log_likelihood(
                    natural.density.constrain(flat, natural.data), natural.data, unit="trajectory"
                )[0].sum()
            )
            densities.append((natural.value(flat), prior, alone))
    (first, prior, score), (second, other_prior, other_score) = densities
    assert prior != other_prior
    assert first - second == pytest.approx((other_prior + other_score) - (prior + score), abs=1e-9)
