"""Frequencies of models in a population, against closed forms, numerical integration and evidence by quadrature."""

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from pooled import DATA, HALL, PRIOR, SUBJECTS, WANTS, of_prior
from scipy import integrate, stats
from scipy.special import expit, logsumexp

import goalinf as gi
from goalinf.inference.model_selection import _exceedance, _variational


def selected(nats):
    return gi.inference.model_selection(pd.DataFrame(nats))


def test_two_models_have_a_beta_distribution():
    """With decisive evidence the counts are known: 7 of 9 subjects use the first model."""
    nats = np.array([[0.0, -60.0]] * 7 + [[-60.0, 0.0]] * 2)
    table = selected(nats)
    np.testing.assert_allclose(table["frequency"], [8 / 11, 3 / 11], rtol=1e-6)
    np.testing.assert_allclose(table["exceedance"], [stats.beta.sf(0.5, 8, 3), stats.beta.cdf(0.5, 8, 3)], rtol=1e-6)
    evidence, _ = integrate.quad(lambda r: r**7 * (1 - r) ** 2, 0.0, 1.0)
    risk = 0.5**9 / (0.5**9 + evidence)
    np.testing.assert_allclose(table["omnibus_risk"], risk, rtol=1e-6)
    np.testing.assert_allclose(table["protected"], table["exceedance"] * (1 - risk) + risk / 2, rtol=1e-12)


def test_the_free_energy_is_below_the_log_evidence():
    """Numerical integration over the frequency; the bound is close where subjects are many."""
    rng = np.random.default_rng(0)
    for size, gap in ((8, 0.6), (60, 0.9)):
        nats = np.stack([rng.normal(1.0, 2.0, size), np.zeros(size)], axis=1)
        r = (np.arange(4000) + 0.5) / 4000
        log_likelihood = np.logaddexp(nats[:, :1] + np.log(r), nats[:, 1:] + np.log1p(-r)).sum(0)
        exact = logsumexp(log_likelihood) - np.log(4000)
        _, bound = _variational(nats)
        assert exact - gap < bound < exact
        null = np.logaddexp(*(nats.T - np.log(2))).sum()
        table = selected(nats)
        assert table["omnibus_risk"].iloc[0] == pytest.approx(expit(null - bound), rel=1e-9)
        mean = (np.exp(log_likelihood - log_likelihood.max()) * r).sum() / np.exp(
            log_likelihood - log_likelihood.max()
        ).sum()
        assert table["frequency"].iloc[0] == pytest.approx(mean, abs=0.05)


def test_exceedance_of_several_models():
    """One-dimensional integrals against draws of the Dirichlet distribution; ten thousand subjects too."""
    counts = np.array([3.0, 5.0, 1.5, 4.0])
    drawn = np.random.default_rng(0).dirichlet(counts, 200_000).argmax(1)
    np.testing.assert_allclose(_exceedance(counts), np.bincount(drawn, minlength=4) / 200_000, atol=0.005)
    np.testing.assert_allclose(_exceedance(np.array([6000.0, 4000.0, 1.0])), [1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(_exceedance(np.full(3, 5000.0)), 1 / 3, atol=1e-6)


def test_equal_evidence_and_equivalent_tables():
    table = selected(np.full((12, 3), -1e4))
    np.testing.assert_allclose(table.drop(columns="omnibus_risk"), 1 / 3, atol=1e-8)
    assert table["omnibus_risk"].iloc[0] > 0.5
    nats = np.random.default_rng(1).normal(size=(10, 3))
    shifted = selected(nats + np.random.default_rng(2).normal(0.0, 1e3, (10, 1)))  # a constant of each subject
    np.testing.assert_allclose(shifted, selected(nats), atol=1e-7)
    np.testing.assert_allclose(selected(nats[::-1, ::-1]), selected(nats)[::-1], atol=1e-8)


def of_agent(fit, agent):
    """A fit of another agent, whose draws do not matter: it is refused before they are used."""
    return dataclasses.replace(fit, model=dataclasses.replace(fit.model, agent=agent))


def test_evidence_of_subjects_in_fits():
    """Evidence by subject from fits of independent subjects, against quadrature over log beta."""
    agents = {"soft": gi.agents.soft_optimal, "hard": gi.agents.boltzmann}
    each = gi.no_pooling(PRIOR)
    fits = {name: of_prior(make(beta=each), draws=100) for name, make in agents.items()}
    z = np.linspace(-6.0, 6.0, 121)
    nats = {}
    for name, make in agents.items():
        log_policies = np.array([np.log(np.asarray(make(beta=float(np.exp(x))).policy(HALL, WANTS))) for x in z])
        actions, states = np.maximum(DATA.actions, 0), np.maximum(DATA.states[:, :-1], 0)
        scores = np.where(DATA.observed, log_policies[:, states, actions], 0.0)
        of_subjects = [scores[:, DATA.subject == i].sum((1, 2)) for i in range(3)]
        nats[name] = [logsumexp(stats.norm.logpdf(z) + s) + np.log(z[1] - z[0]) for s in of_subjects]
    expected = selected(pd.DataFrame(nats, index=SUBJECTS))
    found = gi.inference.model_selection(fits)
    np.testing.assert_allclose(found, expected, atol=0.02)
    pooled = of_agent(fits["hard"], gi.agents.boltzmann(beta=PRIOR))
    with pytest.raises(ValueError, match=r"'one' has no log marginal likelihood by subject: agent\.beta is one for"):
        gi.inference.model_selection({"one": pooled, "soft": fits["soft"]})
    group = gi.agents.boltzmann(beta=gi.partial_pooling(PRIOR, spread=dist.HalfNormal(0.5)))
    grouped = of_agent(fits["hard"], group)
    with pytest.raises(ValueError, match=r"agent\.beta is of a group of several subjects.*leave-one-out density is no"):
        gi.inference.model_selection({"soft": fits["soft"], "group": grouped})
    one_of = gi.agents.lookahead(depth=gi.one_of([1, 3], by="subject"), beta=2.0)
    known = gi.infer(0, HALL, agent=one_of, reward=WANTS, data=DATA)
    assert gi.inference.model_selection({"depths": known, "soft": fits["soft"]}).shape == (2, 4)


def test_wrong_tables():
    with pytest.raises(ValueError, match="log_evidence has 3 subjects and 1 models; expected two models"):
        selected(np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"of model 'b' for subject 'ann' is nan; expected a finite number in nats"):
        gi.inference.model_selection(pd.DataFrame({"a": [1.0], "b": [np.nan]}, index=["ann"]))
