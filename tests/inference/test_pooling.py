"""Parameters with one value per subject or context, with and without a group, against each unit by itself."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import goalinf as gi
from goalinf.inference import _arviz
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.planning.pooling import Evidence, Hierarchy
from goalinf.precision import computing_in

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
PRIOR = dist.LogNormal(0.0, 1.0)
SUBJECTS = ("ann", "bob", "cyd")
BETAS = np.array([0.5, 1.5, 4.0])


def walks_of(agents, reward=WANTS, world=HALL, trajectories=4, steps=6):
    """Trajectories of several subjects, in all contexts of the reward; one subject misses the last context."""
    parts = [
        gi.simulate(n, world, agent, reward, trajectories=trajectories, steps=steps) for n, agent in enumerate(agents)
    ]
    states, actions, lengths, context = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("states", "actions", "lengths", "context")
    )
    labels = dataclasses.replace(
        parts[0].labels,
        trajectories=tuple(range(len(states))),
        subjects=SUBJECTS[: len(parts)],
    )
    subject = np.repeat(np.arange(len(parts)), [part.n_trajectories for part in parts])
    data = gi.Trajectories.of(states, actions, lengths=lengths, subject=subject, context=context, labels=labels)
    return data.select((subject > 0) | (context == 0)) if data.n_contexts > 1 else data


DATA = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS])
CONTEXTS = {
    "near": gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure"),
    "far": gi.StateReward.at(HALL, {"b": 2.0}, default=0.0, on="departure"),
}
IN_CONTEXTS = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS], CONTEXTS)
WORLDS = {"near": HALL, "far": gi.gridworld("a.s.b", discount=0.6)}
FREE = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
EACH = gi.no_pooling(PRIOR, by="subject")
CASES = {
    "planned": (gi.agents.soft_optimal(beta=EACH), WANTS, DATA),
    "chosen": (gi.agents.boltzmann(beta=EACH), WANTS, DATA),
    "planned, contexts": (gi.agents.soft_optimal(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "chosen, contexts": (gi.agents.boltzmann(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "planned, worlds": (gi.agents.soft_optimal(beta=EACH), WANTS, IN_CONTEXTS),
    "chosen, worlds": (gi.agents.boltzmann(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "discounts, worlds": (
        gi.agents.soft_optimal(discount=gi.no_pooling(dist.Beta(8.0, 2.0)), beta=2.0),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "discounts": (gi.agents.soft_optimal(discount=gi.no_pooling(dist.Beta(8.0, 2.0)), beta=2.0), WANTS, DATA),
    "rewards of a hard planner": (
        gi.agents.boltzmann(beta=2.0),
        gi.StateReward(gi.no_pooling(dist.Normal(0.0, 1.0)), on="departure"),
        DATA,
    ),
    "by context": (gi.agents.boltzmann(beta=gi.no_pooling(PRIOR, by="context")), CONTEXTS, IN_CONTEXTS),
    "by both": (gi.agents.boltzmann(beta=gi.no_pooling(PRIOR, by=("subject", "context"))), CONTEXTS, IN_CONTEXTS),
    "two units": (
        gi.agents.boltzmann(beta=EACH, lapse=gi.no_pooling(dist.Beta(1.0, 9.0), by="context")),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "rewards": (
        gi.agents.soft_optimal(beta=2.0),
        gi.StateReward(gi.no_pooling(dist.Normal(0.0, 1.0), by="subject"), on="departure"),
        DATA,
    ),
    "an array prior": (
        gi.agents.soft_optimal(beta=2.0),
        gi.StateReward(gi.no_pooling(dist.Normal(np.zeros(5), np.arange(1.0, 6.0)).to_event(1)), on="departure"),
        DATA,
    ),
    "a shared reward": (gi.agents.soft_optimal(beta=EACH), FREE, DATA),
    "horizon": (gi.agents.boltzmann(beta=EACH, horizon=8), WANTS, DATA),
    "habits": (
        gi.agents.habitual(persistence=gi.no_pooling(dist.Normal(0.0, 1.0), by="subject"), beta=2.0),
        WANTS,
        DATA,
    ),
    "modes": (
        gi.agents.switching(switch=gi.no_pooling(dist.Beta(1.0, 3.0), by="subject"), beta=2.0),
        gi.one_of(gi.goals(HALL, {"left": "a", "right": "b"}, step_cost=1.0)),
        DATA,
    ),
    "mixture": (
        gi.agents.lookahead(depth=gi.one_of([1, 3], by="subject"), beta=EACH),
        CONTEXTS,
        IN_CONTEXTS,
    ),
}


def values_of(model, data, seed=0):
    """Values of all sites, drawn from their priors."""
    keys = jax.random.split(jax.random.key(seed), 10)
    with computing_in("float64"):
        return {
            site.name: np.asarray(site.prior.sample(key)) for site, key in zip(model.sites(data), keys, strict=False)
        }


def one_by_one(model, values, data):
    """The log-likelihood as a sum over subjects and contexts, each with an agent and a reward of its own."""
    total = 0.0
    by = {site.name: site.by for site in model.sites(data)}
    units = "subject" if model.agent.by == "subject" else "both"
    for subject in range(data.n_subjects):
        log_options = []
        for component in model.agent.components:
            score = 0.0
            for context in range(data.n_contexts):
                rows = (data.subject == subject) & (data.context == context)
                if not rows.any():
                    continue
                numbers = {"subject": subject, "context": context}
                agent, reward = component, model.reward
                for name, value in values.items():
                    owner, parameter = name.split(".", 1)
                    number = value[tuple(numbers[unit] for unit in by[name])]
                    if owner == "agent":
                        agent = agent.at(**{parameter: number})
                    else:
                        reward = type(reward)(number, on=reward.on)
                if isinstance(reward, dict):
                    reward = reward[data.context_names[context]]
                part = gi.Trajectories.of(data.states[rows], data.actions[rows], lengths=data.lengths[rows])
                world = model.world[data.context_names[context]] if isinstance(model.world, dict) else model.world
                score += float(gi.Behavior(world, agent, reward).log_prob(part))
            log_options.append(score)
        total += logsumexp(log_options + np.asarray(model.agent.log_weights)) if units == "subject" else log_options[0]
    return total


@pytest.mark.parametrize("name", CASES)
def test_log_density(name):
    """The log density in compiled code, and log-probabilities on the host, against every unit by itself."""
    agent, reward, data = CASES[name]
    model = StandardModel(WORLDS if name.endswith("worlds") else HALL, agent, reward)
    values = values_of(model, data)
    expected = one_by_one(model, values, data)
    levels = model.levels(data)
    behavior = model.behavior(values, data.context_names, levels)
    assert float(behavior.log_prob(data)) == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(float(np.sum(behavior.log_prob_by("trajectory", data))), expected, atol=1e-8)
    with computing_in("float64"):
        posterior = posterior_of(model, data)
    density = posterior.natural.density
    with computing_in("float64"):
        scores, residual = density.log_likelihood(values, posterior.data, unit="subject")
    assert np.asarray(scores).sum() == pytest.approx(expected, abs=1e-8)
    assert float(residual) < 1e-8


def test_a_value_by_context_is_planned_in_that_context_alone():
    """No choice is computed for a value in the conditions in which it does not occur."""
    names = [f"c{number}" for number in range(12)]
    rewards = {name: gi.StateReward(np.arange(5.0) == n % 5, on="departure") for n, name in enumerate(names)}
    data = walks_of([gi.agents.boltzmann(beta=1.0)], rewards, trajectories=1)
    agent = gi.agents.boltzmann(beta=gi.no_pooling(PRIOR, by="context"))
    model = StandardModel(HALL, agent, rewards)
    levels = model.levels(data)

    def policies(betas):
        return model.behavior({"agent.beta": betas}, data.context_names, levels).policies[0].log_probs

    with computing_in("float64"):
        program = jax.make_jaxpr(policies)(np.ones(12))
    largest = max(np.prod(v.aval.shape) for equation in program.eqns for v in equation.outvars)
    assert largest <= 4 * np.prod(program.out_avals[0].shape)


def test_subjects_with_one_condition_share_its_plan():
    """Plans are made for every condition and level in it that has data, not for each context."""
    same = dict.fromkeys(("near", "far"), WANTS)
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=EACH), same)
    assert len(model.levels(IN_CONTEXTS).subject) == 3
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=EACH), CONTEXTS)
    levels = model.levels(IN_CONTEXTS)
    assert len(levels.subject) == 5  # ann has no data in the context "far"
    assert (levels.number >= 0).sum() == 5


# -- posteriors ------------------------------------------------------------------------------------

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
    more = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS]).select([9, 4])  # cyd, then bob
    table = gi.inference.log_predictive_density(fit, more)
    betas = fit.posterior["agent.beta"].values.reshape(-1, 3).T
    for row, (number, name) in enumerate(((0, "cyd"), (1, "bob"))):
        part = more.select([number])
        assert part.subject_names == (name,)
        draws = betas[SUBJECTS.index(name)][:: max(1, betas.shape[1] // 200)]
        scores = [float(gi.Behavior(HALL, gi.agents.soft_optimal(beta=float(b)), WANTS).log_prob(part)) for b in draws]
        expected = logsumexp(scores) - np.log(len(scores))
        assert table.log_density.iloc[row] == pytest.approx(
            expected, abs=5 * np.std(scores) / np.sqrt(len(scores)) + 0.02
        )
    strangers = dataclasses.replace(more.labels, subjects=("dan", "bob"))
    stranger = gi.Trajectories.of(
        more.states, more.actions, lengths=more.lengths, subject=more.subject, labels=strangers
    )
    with pytest.raises(ValueError, match=r"subject 'dan' was not fitted, and agent\.beta has one value per subject"):
        gi.inference.log_predictive_density(fit, stranger)


def test_what_is_refused(fit):
    with pytest.raises(ValueError, match="by is 'session'; expected 'subject' or 'context', or a list of both"):
        gi.partial_pooling(PRIOR, by="session")
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
    with pytest.raises(ValueError, match="by is 'state'; expected"):
        fit.summary(by="state")
    with pytest.raises(ValueError, match="a Pooling prior stands where a number is needed"):
        gi.simulate(0, HALL, GROUP, WANTS, trajectories=2, steps=2)
    with pytest.raises(ValueError, match=r"agent\.beta has one value per subject, and an audit is about one agent"):
        gi.audit(fit)
    rewards = CASES["rewards"]
    several = gi.infer(0, HALL, agent=rewards[0], reward=rewards[1], data=DATA, method="laplace")
    with pytest.raises(ValueError, match=r"reward\.values has one value per subject: there is no single reward"):
        several.mean_reward()
    with pytest.raises(ValueError, match=r"reward\.values has one value per subject: there is no single reward"):
        gi.plot.reward_map(several)


# -- the distribution of a group -------------------------------------------------------------------


@pytest.mark.parametrize("prior", [PRIOR, dist.Beta(2.0, 3.0), dist.Normal(1.0, 2.0), dist.Uniform(0.0, 5.0)])
def test_standardized_differences_have_the_prior_of_the_values(prior):
    """For any evidence the density of the values is that of the differences, over the slope of the map."""
    rng = np.random.default_rng(0)
    with computing_in("float64"):
        hierarchy = Hierarchy(prior.expand((2,)).to_event(1), dist.HalfNormal(1.0).expand((2,)).to_event(1), (4,))
        mean, sd = np.asarray(prior.sample(jax.random.key(1), (2,))), rng.uniform(0.1, 2.0, 2)
        differences = rng.normal(size=(4, 2))
        for evidence in (hierarchy.uninformed, Evidence(rng.exponential(size=(4, 2)), rng.normal(size=(4, 2)))):

            def values_of(flat, evidence=evidence):
                return hierarchy.located(mean, sd, flat.reshape(4, 2), evidence).ravel()

            values = values_of(differences.ravel())
            slope = np.linalg.slogdet(np.asarray(jax.jacobian(values_of)(differences.ravel())))[1]
            of_differences = hierarchy.standardized(mean, sd, evidence).log_prob(differences)
            of_values = hierarchy.given(mean, sd).log_prob(values.reshape(4, 2))
            assert float(of_values) == pytest.approx(float(of_differences) - slope, abs=1e-9)
            back = hierarchy.differences(mean, sd, values.reshape(4, 2), evidence)
            np.testing.assert_allclose(back, differences, atol=1e-9)
        spread_of_zero = hierarchy.located(mean, np.zeros(2), differences, evidence)
        np.testing.assert_allclose(spread_of_zero, np.broadcast_to(mean, (4, 2)), rtol=1e-12)


def test_evidence_of_a_normal_likelihood_is_its_precision():
    """At a mode with a likelihood that is normal, evidence has its precision and its mean, whatever it was before."""
    hierarchy = Hierarchy(dist.Normal(0.0, 2.0), dist.HalfNormal(1.0), (3,))
    tau, center = np.array([4.0, 0.5, 30.0]), np.array([1.0, -2.0, 0.3])
    mean, sd = np.array(0.4), np.array(0.7)
    with computing_in("float64"):
        for before in (hierarchy.uninformed, Evidence(np.array([1.0, 2.0, 0.1]), np.array([0.3, -0.2, 1.0]))):

            def potential(differences, before=before):
                x = hierarchy.located(mean, sd, differences, before)
                return ((x - mean) ** 2 / (2 * sd**2) + tau * (x - center) ** 2 / 2).sum()

            mode = hierarchy.differences(mean, sd, (mean / sd**2 + tau * center) / (1 / sd**2 + tau), before)
            curvature = np.diag(np.asarray(jax.hessian(potential)(mode)))
            found = hierarchy.evidence(mean, sd, mode, before, curvature)
            np.testing.assert_allclose(found.precision, tau, rtol=1e-9)
            np.testing.assert_allclose(found.weighted, tau * center, rtol=1e-9)
        flat = hierarchy.evidence(mean, sd, np.zeros(3), hierarchy.uninformed, np.full(3, 0.5))
        assert not np.any(flat.precision)
        assert not np.any(flat.weighted)


def test_units_are_given_as_a_list():
    assert gi.no_pooling(PRIOR, by=["context", "subject"]).by == ("subject", "context")
    assert gi.no_pooling(PRIOR, by=["subject"]).expand((5,)).shape() == (5,)
    assert gi.no_pooling(PRIOR).expand((5,)).to_event(1).event_shape == (5,)


@pytest.mark.parametrize(
    ("prior", "width"),
    [
        (dist.LogNormal(0.3, 0.7), 0.7),
        (dist.Normal(np.zeros(3), np.arange(1.0, 4.0)).to_event(1), [1.0, 2.0, 3.0]),
        (dist.TruncatedNormal(1.0, 2.0, high=3.0), None),
    ],
)
def test_the_usual_spread_is_the_width_of_the_prior(prior, width):
    """On the scale of the link: half of the central 68 %."""
    scale = gi.partial_pooling(prior).spread.scale
    assert (np.asarray(scale) > 0).all()
    if width is not None:
        np.testing.assert_allclose(scale, width, rtol=1e-6)


def test_a_spread_with_bounds_by_entry():
    prior = dist.Normal(np.zeros(3), 1.0)
    assert gi.partial_pooling(prior, spread=dist.Uniform(np.zeros(3), np.ones(3))).spread.shape() == (3,)
    with pytest.raises(ValueError, match="spread is Uniform; expected a prior of a standard deviation"):
        gi.partial_pooling(prior, spread=dist.Uniform(np.array([0.0, -1.0, 0.0]), np.ones(3)))


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
