"""Observations of another class than trajectories: choices between two states, by the value of each.

The oracle is a grid over the one unknown, the weight of a reward; the values of the agent are those of a Bellman
iteration in NumPy. The class is the example of CONTRIBUTING, from ``state_choices``.
"""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import norm
from state_choices import DATA, HALL, PAIRS, StateChoices, log_probabilities, values

import goalinf as gi
from goalinf.behavior import replicate

FEATURES = np.array([[1.0], [0.0], [0.0], [0.0], [-1.0]])
AGENT = gi.agents.soft_optimal(beta=2.0)
PRIOR = gi.LinearReward(FEATURES, dist.Normal(0.0, 1.0), on="departure")
GRID = np.linspace(-4.0, 4.0, 801)
RNG = np.random.default_rng(1)
VALUES = values(GRID[:, None] * FEATURES[:, 0])


def log_likelihood(data):
    """By weight of the grid and choice, (W, N)."""
    return log_probabilities(2.0 * VALUES, data)


def posterior(data):
    joint = norm.logpdf(GRID) + log_likelihood(data).sum(axis=1)
    return np.exp(joint - logsumexp(joint))


def repeated(data, times):
    fields = ("first", "second", "chosen", "subject", "context")
    return dataclasses.replace(data, **{name: np.tile(getattr(data, name), times) for name in fields})


@pytest.fixture(scope="module")
def fit():
    return gi.infer(0, HALL, agent=AGENT, reward=PRIOR, data=DATA, chains=2, draws=1000)


def test_scores_by_every_unit():
    reward = gi.LinearReward(FEATURES, np.array([GRID[500]]), on="departure")
    behavior, expected = gi.Behavior(HALL, AGENT, reward), log_likelihood(DATA)[500]
    assert float(behavior.log_prob(DATA)) == pytest.approx(expected.sum(), abs=1e-9)
    assert behavior.log_prob_by("choice", DATA) == pytest.approx(expected, abs=1e-9)
    by_subject = [expected[DATA.subject == subject].sum() for subject in range(3)]
    assert behavior.log_prob_by("subject", DATA)[:3] == pytest.approx(by_subject, abs=1e-9)
    with pytest.raises(ValueError, match="the unit is 'step'; StateChoices have choice, subject, data"):
        behavior.log_prob_by("step", DATA)


def test_numbers_of_contexts_without_a_name_are_refused():
    data = dataclasses.replace(DATA, context=np.arange(12) // 6, contexts=("first",))
    with pytest.raises(
        ValueError, match="choice 6 is of context number 1; expected 0 to 0, the numbers of the contexts 'first'"
    ):
        gi.infer(0, HALL, agent=AGENT, reward=PRIOR, data=data)


def test_compiled_scores_of_a_known_agent_in_contexts_without_names():
    """Numbers 0 and 2 are the names of two contexts; compiled code has NaN for any other number."""
    data = dataclasses.replace(DATA, context=2 * (np.arange(12) % 2))
    reward = gi.LinearReward(FEATURES, np.array([1.0]), on="departure")
    behavior = gi.Behavior({2: gi.gridworld("a.s.b", discount=0.1), 0: HALL}, AGENT, reward)
    with jax.enable_x64(True):
        compiled = jax.jit(behavior.log_prob)
        assert float(compiled(data)) == pytest.approx(float(behavior.log_prob(data)), abs=1e-9)
        for number in (-1, 1, 3):
            assert np.isnan(compiled(dataclasses.replace(data, context=np.full(12, number))))


def test_mixtures_by_subject():
    """Each subject has one of two discounts: the likelihood is a sum over both, subject by subject."""
    reward = gi.LinearReward(FEATURES, np.array([1.0]), on="departure")
    agents = {d: gi.agents.soft_optimal(beta=2.0, discount=d) for d in (0.3, 0.9)}
    mixed = gi.agents.mixture(agents, weights=[0.25, 0.75], by="subject")
    scores = np.stack([gi.Behavior(HALL, one, reward).log_prob_by("choice", DATA) for one in agents.values()])
    expected = sum(
        logsumexp(np.log([0.25, 0.75]) + scores[:, DATA.subject == subject].sum(axis=1)) for subject in range(3)
    )
    behavior = gi.Behavior(HALL, mixed, reward)
    assert float(behavior.log_prob(DATA)) == pytest.approx(expected, abs=1e-9)
    for unit in ("choice", "subject", "data"):
        assert float(behavior.log_prob_by(unit, DATA).sum()) == pytest.approx(expected, abs=1e-9)
    found = gi.infer(0, HALL, agent=mixed, reward=reward, data=DATA).responsibilities["agent.which"]
    joint = np.log([0.25, 0.75])[:, None] + np.stack([scores[:, DATA.subject == s].sum(axis=1) for s in range(3)], 1)
    np.testing.assert_allclose(found[0, 0].values, np.exp(joint - logsumexp(joint, axis=0)).T, atol=1e-9)


def test_the_posterior_is_that_of_the_grid(fit):
    weights = posterior(DATA)
    mean = weights @ GRID
    sd = np.sqrt(weights @ (GRID - mean) ** 2)
    table = fit.summary().iloc[0]
    assert fit.converged
    assert abs(table["mean"] - mean) < 4 * table["mcse_mean"]
    assert table["sd"] == pytest.approx(sd, rel=0.1)
    assert "12 choices scored" in repr(fit)
    assert fit.tree["log_likelihood"]["choices"].dims == ("chain", "draw", "choice")


def test_audit(fit):
    found = gi.audit(fit, quick=True)
    assert (found.n_observed, found.nullity, found.nullity_data) == (12, 0, 0)
    weights = posterior(DATA)
    exact = weights @ (GRID - weights @ GRID) ** 2  # the prior variance is one
    assert found.contraction.identified == pytest.approx([exact], rel=0.2)
    assert "Identified by these 12 choices: 1 of 1 direction of reward" in str(found)


def test_comparison_by_choice_and_subject(fit):
    other = gi.infer(1, HALL, agent=gi.agents.soft_optimal(beta=0.5), reward=PRIOR, data=DATA, chains=2, draws=500)
    for unit, group in (("choice", np.arange(12)), ("subject", np.asarray(DATA.subject))):
        scores, exact = log_likelihood(DATA), []
        for item in np.unique(group):
            rest = norm.logpdf(GRID) + scores[:, group != item].sum(axis=1)
            exact.append(logsumexp(rest + scores[:, group == item].sum(axis=1)) - logsumexp(rest))
        found = gi.inference.loo(fit, unit)
        reliable = found.pareto_k.values < 0.7
        assert reliable.sum() >= 2
        np.testing.assert_allclose(found.elpd_i.values[reliable], np.array(exact)[reliable], atol=0.05)
        assert set(gi.compare({"a": fit, "b": other}, unit=unit).index) == {"a", "b"}
    with pytest.raises(ValueError, match="unit is 'step'; expected 'choice' or 'subject'"):
        gi.inference.loo(fit, "step")


def test_new_data(fit):
    pairs = RNG.integers(0, 5, (4, 2))
    new = StateChoices(pairs[:, 0], pairs[:, 1], np.array([0, 1, 1, 0]), np.zeros(4, int), np.zeros(4, int))
    table = gi.inference.log_predictive_density(fit, new)
    expected = logsumexp(np.log(posterior(DATA))[:, None] + log_likelihood(new), axis=0)
    np.testing.assert_allclose(table["log_density"], expected, atol=0.05)
    assert (table.index.name, *table.columns[:1]) == ("choice", "choices")
    walks = gi.simulate(0, HALL, AGENT, gi.StateReward.zero(HALL), trajectories=2, steps=2)
    with pytest.raises(TypeError, match="data is a Trajectories; expected new StateChoices, as the fitted data are"):
        gi.inference.log_predictive_density(fit, walks)


def test_contexts_are_matched_by_name():
    """Two worlds, in either order of the mapping; a context that has none is refused."""
    flat = gi.gridworld("a.s.b", discount=0.1)
    data = StateChoices(PAIRS[:, 0], PAIRS[:, 1], DATA.chosen, DATA.subject, np.arange(12) % 2, ("far", "near"))
    reward = gi.LinearReward(FEATURES, np.array([1.0]), on="departure")
    scores = {
        name: np.asarray(gi.Behavior(world, AGENT, reward).log_prob_by("choice", DATA))
        for name, world in (("far", HALL), ("near", flat))
    }
    expected = np.where(np.arange(12) % 2 == 0, scores["far"], scores["near"]).sum()
    for worlds in ({"far": HALL, "near": flat}, {"near": flat, "far": HALL}):
        assert float(gi.Behavior(worlds, AGENT, reward).log_prob(data)) == pytest.approx(expected, abs=1e-9)
    with pytest.raises(ValueError, match="context 'near' has no world"):
        gi.Behavior({"far": HALL}, AGENT, reward).log_prob(data)


def test_contexts_of_one_world():
    data = dataclasses.replace(DATA, context=np.arange(12) % 3, contexts=("a", "b", "c"))
    behavior = gi.Behavior(HALL, AGENT, gi.LinearReward(FEATURES, np.array([1.0]), on="departure"))
    assert float(behavior.log_prob(data)) == float(behavior.log_prob(DATA))


def test_replicated_data_have_the_posterior_predictive_probabilities(fit):
    predicted = fit.predict(jax.random.key(0), 2)
    assert all(type(one) is StateChoices for one in predicted)
    for name in ("first", "second", "subject", "context"):
        np.testing.assert_array_equal(getattr(predicted[-1], name), getattr(DATA, name))
    rewards, longer = fit.rewards(100), repeated(DATA, 200)
    drawn = [replicate(jax.random.key(n), HALL, AGENT, reward, longer) for n, reward in enumerate(rewards)]
    scores = np.exp(log_likelihood(dataclasses.replace(DATA, chosen=np.ones(12, int))))
    exact = posterior(DATA) @ scores
    variance = posterior(DATA) @ (scores - exact) ** 2  # over the posterior, of which 100 draws are used
    frequency = np.mean([one.chosen.reshape(200, 12) for one in drawn], axis=(0, 1))
    assert (np.abs(frequency - exact) < 5 * np.sqrt(variance / 100 + 0.25 / 20_000)).all()


def test_replicated_data_of_a_mixture_in_several_contexts():
    """Each item follows the plan of its own option in its own context."""
    flat = gi.gridworld("a.s.b", discount=0.1)
    data = dataclasses.replace(DATA, context=np.arange(12) % 2, contexts=("far", "near"))
    reward = gi.LinearReward(FEATURES, np.array([1.0]), on="departure")
    agents = {beta: gi.agents.soft_optimal(beta=beta) for beta in (0.2, 2.0)}
    mixed, option = gi.agents.mixture(agents, weights=[0.5, 0.5], by="subject"), DATA.subject % 2
    worlds = {"near": flat, "far": HALL}
    drawn = replicate(jax.random.key(1), worlds, mixed, reward, repeated(data, 1000), option=np.tile(option, 1000))
    ones = dataclasses.replace(data, chosen=np.ones(12, int))
    scores = [gi.Behavior(worlds, one, reward).log_prob_by("choice", ones) for one in agents.values()]
    exact = np.exp(np.stack(scores))[option, np.arange(12)]
    np.testing.assert_allclose(drawn.chosen.reshape(1000, 12).mean(axis=0), exact, atol=5 * np.sqrt(0.25 / 1000))


def test_saving(fit, tmp_path):
    again = gi.load(fit.save(tmp_path / "fit.nc"))
    assert type(again.data) is StateChoices
    assert again.data.data_hash() == DATA.data_hash()
    assert again.summary().equals(fit.summary())
    assert gi.resume(again, draws=10).posterior.sizes["draw"] == 1010


def test_names_that_no_file_can_hold(fit, tmp_path):
    dated = dataclasses.replace(DATA, contexts=(pd.Timestamp("2020-01-01"),))
    again = gi.load(dataclasses.replace(fit, data=dated).save(tmp_path / "dated.nc"))
    assert again.data.contexts == ("2020-01-01 00:00:00",)


def test_wide_numbers_have_hashes_of_their_own():
    one, other = (dataclasses.replace(DATA, chosen=np.array(DATA.chosen, np.int64) + far) for far in (0, 2**32))
    assert one.data_hash() == DATA.data_hash() != other.data_hash()


def test_what_is_refused(fit):
    for state in (7, -1):
        outside = StateChoices(np.array([state]), np.array([0]), np.array([0]), np.zeros(1, int), np.zeros(1, int))
        with pytest.raises(ValueError, match=f"choice 0: state number {state}; the world has states 0 to 4"):
            gi.infer(0, HALL, agent=AGENT, reward=PRIOR, data=outside)
    for agent in (gi.agents.soft_optimal(beta=2.0, horizon=5), gi.agents.switching(switch=0.2, beta=2.0)):
        with pytest.raises(ValueError, match="has no single value of a state"):
            gi.infer(0, HALL, agent=agent, reward=PRIOR, data=DATA)
    with pytest.raises(TypeError, match="plans score and simulate the actions of trajectories; found StateChoices"):
        gi.Behavior(HALL, AGENT, gi.StateReward.zero(HALL)).plans[0].actions(DATA, "choice")
