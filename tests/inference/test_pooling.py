"""Fits of parameters with one value per subject or context: posteriors, predictions, files and messages."""

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from pooled import BETAS, CASES, CONTEXTS, DATA, HALL, IN_CONTEXTS, PRIOR, SUBJECTS, WANTS, walks_of
from scipy import stats
from scipy.special import logsumexp

import goalinf as gi
from goalinf.inference import _arviz

GROUP = gi.agents.soft_optimal(beta=gi.partial_pooling(PRIOR, by="subject", spread=dist.HalfNormal(0.5)))
LOG_BETA = np.linspace(-5.0, 6.0, 551)


def exact(data):
    """Moments of log median, log beta by subject and sd, and the log evidence, by quadrature.

    The subjects are independent given the group: p(m, sd | y) is proportional to its prior times the product of
    one-dimensional integrals over the log beta of each subject.
    """
    log_policies = np.array(
        [np.log(gi.agents.soft_optimal(beta=np.exp(x)).policy(HALL, WANTS).values) for x in LOG_BETA]
    )
    scores = np.array(
        [
            np.where(data.observed, log_policies[:, data.states[:, :-1], data.actions], 0.0)[:, data.subject == i].sum(
                (1, 2)
            )
            for i in range(data.n_subjects)
        ]
    )
    step = LOG_BETA[1] - LOG_BETA[0]
    mean, sd = np.linspace(-3.5, 3.5, 71), np.linspace(0.005, 2.5, 100)
    log_normal = stats.norm.logpdf(LOG_BETA, mean[:, None, None], np.maximum(sd, step)[None, :, None])
    log_normal -= logsumexp(log_normal, axis=-1, keepdims=True)  # also for spreads near the step of the grid
    by_subject = log_normal[None] + scores[:, None, None]
    given = logsumexp(by_subject, axis=-1)
    log_prior = stats.norm.logpdf(mean)[:, None] + stats.halfnorm.logpdf(sd, scale=0.5)
    joint = log_prior + given.sum(0)
    evidence = logsumexp(joint) + np.log((mean[1] - mean[0]) * (sd[1] - sd[0]))
    weights = np.exp(joint - logsumexp(joint))
    within = np.exp(by_subject - given[..., None])
    first = (within * LOG_BETA).sum(-1)
    second = (within * LOG_BETA**2).sum(-1)
    moments = {
        "mean": ((weights.sum(1) * mean).sum(), (weights.sum(1) * mean**2).sum()),
        "sd": ((weights.sum(0) * sd).sum(), (weights.sum(0) * sd**2).sum()),
    }
    for i, name in enumerate(data.subject_names):
        moments[name] = (weights * first[i]).sum(), (weights * second[i]).sum()
    return {name: (m, np.sqrt(s - m**2)) for name, (m, s) in moments.items()}, evidence


@pytest.fixture(scope="module")
def fit():
    return gi.infer(0, HALL, agent=GROUP, reward=WANTS, data=DATA, chains=4, draws=1000)


def test_the_posterior_is_that_of_quadrature(fit):
    moments, evidence = exact(DATA)
    draws = {
        "mean": np.log(fit.posterior["agent.beta.mean"]),
        "sd": fit.posterior["agent.beta.sd"],
        **{name: np.log(fit.posterior["agent.beta"].sel(subject=name)) for name in SUBJECTS},
    }
    assert fit.converged
    for name, (mean, sd) in moments.items():
        size = float(_arviz.az.ess(draws[name].values))
        assert float(draws[name].mean()) == pytest.approx(mean, abs=5 * sd / np.sqrt(size)), name
        assert float(draws[name].std()) == pytest.approx(sd, abs=6 * sd / np.sqrt(size)), name
    found = gi.inference.marginal_likelihood(1, fit)
    assert found.log_evidence == pytest.approx(evidence, abs=0.05)


def test_labels_and_summaries(fit):
    assert fit.posterior["agent.beta"].dims == ("chain", "draw", "subject")
    assert fit.summary("agent.beta").index.tolist() == list(SUBJECTS)
    assert fit.summary(subject="bob").index.tolist() == ["agent.beta"]
    by_subject = fit.summary(by="subject")
    assert by_subject.index.tolist() == [(name, "agent.beta") for name in SUBJECTS]
    pd.testing.assert_series_equal(
        by_subject.loc[("cyd", "agent.beta")], fit.summary("agent.beta").loc["cyd"], check_names=False
    )
    with pytest.raises(KeyError, match="no parameter of this fit has one value per context"):
        fit.summary(by="context")
    with pytest.raises(TypeError, match="give it without name"):
        fit.summary("agent.beta", by="subject")
    shown = repr(fit)
    assert shown.index("agent.beta.sd ") < shown.index("agent.beta[ann]")
    assert not fit.pooled
    assert "standardized differences of levels from their group" in fit.diagnosis
    shared = gi.infer(0, HALL, agent=GROUP, reward=CONTEXTS, data=IN_CONTEXTS, method="laplace", draws=50)
    assert "2 contexts share one set of parameters, except for one agent.beta per subject" in shared.pooled


def test_files_and_further_draws(fit, tmp_path):
    path = fit.save(tmp_path / "fit.nc")
    loaded = gi.load(path)
    assert loaded.agent.parameters["beta"].by == ("subject",)
    assert loaded.posterior.identical(fit.posterior)
    one, other = (gi.resume(each, draws=20).posterior for each in (fit, loaded))
    assert one.sizes["draw"] == 1020
    np.testing.assert_allclose(one["agent.beta"], other["agent.beta"], rtol=1e-12)


@pytest.mark.parametrize("method", ["laplace", "svi"])
def test_approximations(fit, method):
    found = gi.infer(0, HALL, agent=GROUP, reward=WANTS, data=DATA, method=method)
    for name in ("agent.beta", "agent.beta.mean", "agent.beta.sd"):
        assert set(found.posterior[name].dims) == set(fit.posterior[name].dims)
    difference = np.log(found.posterior["agent.beta"]).mean(("chain", "draw")) - np.log(
        fit.posterior["agent.beta"]
    ).mean(("chain", "draw"))
    assert (np.abs(difference) < np.log(fit.posterior["agent.beta"]).std(("chain", "draw"))).all()


def test_the_mode_is_that_of_standardized_differences():
    """The density of values is unbounded where the spread of the group goes to zero."""
    best = gi.inference.find_map(0, HALL, agent=GROUP, reward=WANTS, data=DATA)
    assert 0.05 < float(best.values["agent.beta.sd"]) < 1.0
    assert best.values["agent.beta"].dims == ("subject",)


@pytest.mark.parametrize("name", ["planned", "rewards", "chosen, contexts"])
def test_predictions(name):
    """Actions in the first state have the probabilities of each subject's own policy, averaged over the draws."""
    agent, reward, data = CASES[name]
    few = gi.infer(0, HALL, agent=agent, reward=reward, data=data, method="laplace", draws=200)
    predicted = few.predict(1, 100)
    assert predicted[0].subject_names == data.subject_names
    np.testing.assert_array_equal(predicted[0].context, data.context)
    assert bool(predicted[0].labels.rewards) == (name != "rewards")  # several rewards have no one digest
    (parameter,) = few.posterior.data_vars
    draws = few.posterior[parameter].values.reshape(200, *few.posterior[parameter].shape[2:])[::20]
    for subject in range(data.n_subjects):
        for context in np.unique(data.context[data.subject == subject]):
            rows = (data.subject == subject) & (data.context == context)
            policies = []
            for value in draws[:, subject]:
                known = reward[data.context_names[context]] if isinstance(reward, dict) else reward
                known = gi.StateReward(value, on="departure") if parameter.startswith("reward.") else known
                actor = agent if parameter.startswith("reward.") else agent.at(beta=value)
                policies.append(actor.policy(HALL, known).values[data.states[rows][0, 0]])
            expected, spread = np.mean(policies, axis=0), np.std(policies, axis=0)
            actions = np.concatenate([one.actions[rows, 0] for one in predicted])
            found = np.bincount(actions, minlength=4) / len(actions)
            error = np.sqrt(expected * (1 - expected) / len(actions) + spread**2 / len(draws))
            np.testing.assert_allclose(found, expected, atol=5 * error.max())


def test_held_out_data_are_matched_by_name(fit):
    few = dataclasses.replace(fit, tree=fit.tree.isel(draw=slice(5), missing_dims="ignore"))
    more = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS]).select([9, 4])  # cyd, then bob
    table = gi.inference.log_predictive_density(few, more)
    for row, (number, name) in enumerate(((0, "cyd"), (1, "bob"))):
        part = more.select([number])
        assert part.subject_names == (name,)
        agents = [
            gi.agents.soft_optimal(beta=float(b)) for b in few.posterior["agent.beta"].sel(subject=name).values.ravel()
        ]
        scores = [float(gi.Behavior(HALL, agent, WANTS).log_prob(part)) for agent in agents]
        assert table.log_density.iloc[row] == pytest.approx(logsumexp(scores) - np.log(len(scores)), abs=1e-9)


def test_what_is_refused(fit):
    for by in (3, [], ["subject", "subject"], ""):
        with pytest.raises(ValueError, match="expected 'subject', 'context' or the name of a covariate"):
            gi.partial_pooling(PRIOR, by=by)
    by_session = gi.agents.boltzmann(beta=gi.partial_pooling(PRIOR, by="session"))
    with pytest.raises(ValueError, match="the data have no covariate 'session'; they have subject, context"):
        gi.infer(0, HALL, agent=by_session, reward=WANTS, data=DATA)
    with pytest.raises(TypeError, match=r"prior is a float.*NumPyro distribution"):
        gi.no_pooling(2.0)
    for wrong in (dist.Dirichlet(np.ones(3)), dist.Poisson(2.0), dist.Delta(1.0)):
        with pytest.raises(ValueError, match="expected a proper continuous distribution of one number"):
            gi.partial_pooling(wrong)
    with pytest.raises(ValueError, match="prior is a Pooling"):
        gi.partial_pooling(gi.no_pooling(PRIOR))
    with pytest.raises(ValueError, match="spread is Normal; expected a prior of a standard deviation"):
        gi.partial_pooling(PRIOR, spread=dist.Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="has support outside"):
        gi.agents.boltzmann(beta=gi.partial_pooling(dist.Normal(0.0, 1.0)))
    with pytest.raises(ValueError, match="prior is ImproperUniform; expected a proper continuous distribution"):
        gi.no_pooling(dist.ImproperUniform(dist.constraints.positive, (), ()))
    with pytest.raises(ValueError, match="prior is VonMises"):
        gi.no_pooling(dist.VonMises(0.0, 1.0))
    with pytest.raises(NotImplementedError, match=r"given to gi\.infer"):
        GROUP.parameters["beta"].log_prob(1.0)
    weights = gi.no_pooling(dist.Beta(np.ones(2), 1.0))
    for make in (gi.agents.mixture, gi.one_of):
        with pytest.raises(
            ValueError, match=r"weights have a Pooling prior.*expected a prior over 2 weights that add up"
        ):
            make([gi.agents.boltzmann(beta=2.0), gi.agents.uniform()], weights=weights)
    with pytest.raises(ValueError, match="weights have a Beta prior"):
        gi.agents.mixture([gi.agents.boltzmann(beta=2.0), gi.agents.uniform()], weights=dist.Beta(np.ones(2), 1.0))
    gaps = gi.Trajectories.of(DATA.states, DATA.actions, subject=2 * DATA.subject)
    with pytest.raises(ValueError, match=r"agent\.beta has one value per subject, and subject 1 has no data \(2 such"):
        gi.infer(0, HALL, agent=GROUP, reward=WANTS, data=gaps)
    with pytest.raises(KeyError, match="no parameter of this fit has one value per state"):
        fit.summary(by="state")
    with pytest.raises(ValueError, match=r"agent\.beta has one value per level .*give like=, a design with subjects"):
        gi.simulate(0, HALL, GROUP, WANTS, trajectories=2, steps=2)
    with pytest.raises(ValueError, match=r"agent\.beta has one value per subject, and an audit is about one agent"):
        gi.audit(fit)
    rewards = CASES["rewards"]
    several = gi.infer(0, HALL, agent=rewards[0], reward=rewards[1], data=DATA, method="laplace")
    with pytest.raises(ValueError, match=r"reward\.values has one value per subject: there is no single reward"):
        several.mean_reward()
    with pytest.raises(ValueError, match=r"reward\.values has one value per subject: there is no single reward"):
        gi.plot.reward_map(several)


@pytest.mark.slow
def test_both_precisions_in_one_process():
    reward = gi.StateReward(gi.no_pooling(dist.Normal(np.zeros(5), 1.0)), on="departure")
    for precision in ("float64", "float32"):
        fit = gi.infer(
            0,
            HALL,
            agent=gi.agents.soft_optimal(beta=2.0),
            reward=reward,
            data=DATA,
            method="svi",
            steps=20,
            draws=10,
            precision=precision,
        )
        assert fit.tree.attrs["precision"] == precision
    group = gi.infer(0, HALL, agent=GROUP, reward=WANTS, data=DATA, precision="float32", method="laplace", draws=50)
    assert np.isfinite(group.posterior["agent.beta"]).all()


def test_shares_of_options_in_the_population():
    """One of two agents per subject, with unknown shares: the posterior of the shares is a Dirichlet mixture."""
    agents = [gi.agents.boltzmann(beta=4.0), gi.agents.uniform()]
    either = gi.one_of(agents, weights=dist.Dirichlet(np.array([1.0, 2.0])), by="subject")
    fit = gi.infer(0, HALL, agent=either, reward=WANTS, data=DATA, chains=2, draws=1000)
    scores = np.array(
        [
            [float(gi.Behavior(HALL, agent, WANTS).log_prob(DATA.select(DATA.subject == i))) for agent in agents]
            for i in range(3)
        ]
    )
    share = (np.arange(2000) + 0.5) / 2000
    density = stats.beta.pdf(share, 1, 2) * np.prod(
        share[:, None] * np.exp(scores[:, 0]) + (1 - share[:, None]) * np.exp(scores[:, 1]), axis=1
    )
    expected = (density * share).sum() / density.sum()
    draws = fit.posterior["agent.weights"].values[..., 0]
    assert draws.mean() == pytest.approx(expected, abs=5 * draws.std() / np.sqrt(float(_arviz.az.ess(draws))))
