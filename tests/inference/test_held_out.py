"""Held-out scores against sums by hand: known and new subjects, changed worlds and rewards, models of the user's own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp
from small import HALL, walks_of

import goalinf as gi
from goalinf.behavior import replicate
from goalinf.precision import computing_in

WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
AGENTS = {
    "keen": gi.agents.soft_optimal(beta=3.0),
    "idle": gi.agents.soft_optimal(beta=0.3),
    "contrary": gi.agents.anti_rational(beta=1.0),
}
EXACT = {"chains": 2, "draws": 100}
SETTINGS = {**EXACT, "warmup": 100}


def named(data, subjects, **labels):
    """The same trajectories, made by these subjects."""
    names = tuple(sorted(set(subjects), key=str))
    known = dataclasses.replace(data.labels, subjects=names, **labels)
    numbers = np.array([names.index(one) for one in subjects])
    return gi.Trajectories.of(
        data.states, data.actions, lengths=data.lengths, subject=numbers, context=data.context, labels=known
    )


def some(agent, seed, trajectories, steps=6, reward=WANTS, world=HALL):
    return gi.simulate(jax.random.key(seed), world, agent, reward, trajectories=trajectories, steps=steps)


def scores(agents, data, reward=WANTS, world=HALL):
    """Log-likelihood of every trajectory under every agent, ``(K, N)``, from their policies."""
    tables = [np.log(agent.policy(world, reward).values) for agent in agents]
    chosen = np.array([table[data.states[:, :-1], data.actions] for table in tables])
    return np.where(data.observed, chosen, 0.0).sum(-1)


TRAIN = named(some(AGENTS["idle"], 0, 5), ["ann", "ann", "bob", "bob", "cyd"])
TEST = named(some(AGENTS["contrary"], 1, 6), ["bob", "eve", "bob", "dan", "eve", "eve"])


@pytest.mark.parametrize("by", ["subject", "data", "trajectory"])
def test_memberships(by):
    """Where only the option is unknown: the posterior by hand, and the new data of a unit jointly."""
    weights = np.array([0.5, 0.3, 0.2])
    mixture = gi.one_of(AGENTS, weights=weights, by=by)
    fit = gi.infer(jax.random.key(0), HALL, agent=mixture, reward=WANTS, data=TRAIN, **EXACT)
    table = gi.inference.log_predictive_density(fit, TEST)
    before, after = scores(AGENTS.values(), TRAIN), scores(AGENTS.values(), TEST)
    owners = [TRAIN.subject_names[n] for n in TRAIN.subject]
    people = [TEST.subject_names[n] for n in TEST.subject]
    expected = []
    for n, who in enumerate(people):
        known = {"subject": [o == who for o in owners], "data": [True] * 5, "trajectory": [False] * 5}[by]
        unit = {"subject": [p == who for p in people], "data": [True] * 6, "trajectory": np.arange(6) == n}[by]
        earlier = np.array(unit) & (np.arange(6) < n)
        prior = np.log(weights) + before[:, known].sum(1) + after[:, earlier].sum(1)
        expected.append(logsumexp(prior + after[:, n]) - logsumexp(prior))
    np.testing.assert_allclose(table["log_density"], expected, atol=1e-10)
    # Independent of the chain rule: the rows of a subject add up to its joint density.
    if by == "subject":
        for who in ("bob", "eve", "dan"):
            own, known = np.array([p == who for p in people]), np.array([o == who for o in owners])
            prior = np.log(weights) + before[:, known].sum(1)
            joint = logsumexp(prior + after[:, own].sum(1)) - logsumexp(prior)
            assert table["log_density"][own].sum() == pytest.approx(joint, abs=1e-10)


def test_memberships_by_draw():
    """With an unknown beta and unknown shares: the mean over draws of what is known by each draw."""
    mixture = gi.agents.mixture(
        {"soft": gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)), "contrary": AGENTS["contrary"]},
        weights=dist.Dirichlet(jnp.ones(2)),
    )
    fit = gi.infer(jax.random.key(0), HALL, agent=mixture, reward=WANTS, data=TRAIN, **SETTINGS)
    fit = dataclasses.replace(fit, tree=fit.tree.isel(draw=slice(6), missing_dims="ignore"))
    table = gi.inference.log_predictive_density(fit, TEST)
    draws = fit.posterior.stack(sample=("chain", "draw"))
    owners = np.array([TRAIN.subject_names[n] for n in TRAIN.subject])
    people = np.array([TEST.subject_names[n] for n in TEST.subject])
    for who in ("bob", "eve", "dan"):
        joint = []
        for i in range(12):
            agents = (gi.agents.soft_optimal(beta=float(draws["agent.soft.beta"][i])), AGENTS["contrary"])
            prior = np.log(draws["agent.weights"].values[:, i]) + scores(agents, TRAIN)[:, owners == who].sum(1)
            joint.append(logsumexp(prior + scores(agents, TEST)[:, people == who].sum(1)) - logsumexp(prior))
        expected = logsumexp(joint) - np.log(12)
        assert table["log_density"][people == who].sum() == pytest.approx(expected, abs=1e-9)


def test_names_without_data_need_no_values():
    """Labels may list subjects that made none of the trajectories, also where the fit knows a single subject."""
    agent = gi.agents.soft_optimal(beta=gi.no_pooling(dist.LogNormal(0.0, 1.0)))
    alone = named(some(AGENTS["idle"], 0, 3), ["bob"] * 3)
    fit = gi.infer(0, HALL, agent=agent, reward=WANTS, data=alone, method="laplace", draws=20)
    plain = named(TEST.select([0, 2]), ["bob", "bob"])
    labels = dataclasses.replace(plain.labels, subjects=("ann", "bob", "cyd"))
    listed = dataclasses.replace(plain, subject=np.array([1, 1]), labels=labels)
    found, expected = (gi.inference.log_predictive_density(fit, data)["log_density"] for data in (listed, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    draws = fit.posterior["agent.beta"].values.ravel()
    by_draw = np.array([scores([gi.agents.soft_optimal(beta=beta)], plain)[0] for beta in draws])
    np.testing.assert_allclose(found, logsumexp(by_draw, axis=0) - np.log(len(draws)), rtol=1e-9)


def test_subjects_that_print_alike():
    train, test = named(walks_of(), [1] * 8), named(walks_of(2), ["1"] * 8)
    fit = gi.infer(jax.random.key(0), HALL, agent=gi.one_of(AGENTS), reward=WANTS, data=train, **EXACT)
    with pytest.raises(ValueError, match="subject '1' of the data and subject 1 of the fit print alike: convert one"):
        gi.inference.log_predictive_density(fit, test)


# -- changed conditions -----------------------------------------------------------------------------


def by_condition(first, second):
    return {"a": gi.StateReward(first, on="departure"), "b": gi.StateReward(second, on="departure")}


CONTROL, TREATED = by_condition([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]), by_condition([0.0, 3.0, 0.0], [0.0, 0.0, 2.0])
SHARP = gi.gridworld("s.a", stay=True, discount=0.5)


@pytest.fixture(scope="module")
def arm():
    """An unknown beta, fitted in two conditions with known rewards; the first draws."""
    data = some(gi.agents.soft_optimal(beta=2.0), 0, 4, reward=CONTROL)
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
    fit = gi.infer(jax.random.key(0), HALL, agent=agent, reward=CONTROL, data=data, **SETTINGS)
    return dataclasses.replace(fit, tree=fit.tree.isel(draw=slice(5), missing_dims="ignore"))


def expected_density(fit, data, rewards, world=HALL):
    betas = fit.posterior["agent.beta"].values.ravel()
    names = [data.context_names[n] for n in data.context]
    by_draw = [
        [
            scores([gi.agents.soft_optimal(beta=float(beta))], data, rewards[name], world)[0, n]
            for n, name in enumerate(names)
        ]
        for beta in betas
    ]
    return logsumexp(by_draw, axis=0) - np.log(len(betas))


def test_bits_are_per_observed_action(arm):
    walks = some(gi.agents.soft_optimal(beta=2.0), 2, 2, reward=CONTROL)
    observed = np.arange(6) < np.array([[6], [1], [3], [2]])
    table = gi.inference.log_predictive_density(arm, dataclasses.replace(walks, observed=observed))
    assert table["steps"].tolist() == [6, 1, 3, 2]
    np.testing.assert_allclose(2.0 ** -table["bits"], np.exp(table["log_density"]))
    np.testing.assert_allclose(table["bits_per_step"] * [6, 1, 3, 2], table["bits"])


def test_rewards_of_a_treated_arm(arm):
    """Conditions that share their names with those of the fit are scored with the rewards that are given."""
    data = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=TREATED)
    with pytest.raises(ValueError, match=r"context 'a' were simulated with another reward.* Give reward= with the rew"):
        gi.inference.log_predictive_density(arm, data)
    for part, rewards in ((data, dict(reversed(TREATED.items()))), (data.select([5]), TREATED)):
        found = gi.inference.log_predictive_density(arm, part, reward=rewards)["log_density"]
        np.testing.assert_allclose(found, expected_density(arm, part, TREATED), atol=1e-10)
    old = gi.inference.log_predictive_density(arm, data, reward=arm.reward)["log_density"]
    np.testing.assert_allclose(old, expected_density(arm, data, CONTROL), atol=1e-10)


def test_world_of_a_treated_arm(arm):
    data = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=CONTROL, world=SHARP)
    with pytest.raises(
        ValueError, match=r"of another world than the fitted data of that name: discount differ. Give wor"
    ):
        gi.inference.log_predictive_density(arm, data)
    found = gi.inference.log_predictive_density(arm, data, world=SHARP)["log_density"]
    np.testing.assert_allclose(found, expected_density(arm, data, CONTROL, SHARP), atol=1e-10)


def test_conditions_of_another_name(arm):
    """One reward or one world for all contexts is that of the new ones, unless these come from others."""
    (control,) = {name: reward for name, reward in CONTROL.items() if name == "a"}.values()
    data = arm.data.select(np.asarray(arm.data.context) == 0)
    fit = gi.infer(0, HALL, agent=arm.agent, reward=control, data=data, **SETTINGS)
    treated = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward={"c": TREATED["a"]})
    with pytest.raises(ValueError, match=r"context 'c' were simulated with another reward than the fitted data\. Give"):
        gi.inference.log_predictive_density(fit, treated)
    found = gi.inference.log_predictive_density(fit, treated, reward=TREATED["a"])["log_density"]
    np.testing.assert_allclose(found, expected_density(fit, treated, {"c": TREATED["a"]}), atol=1e-10)
    sharp = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward={"c": control}, world=SHARP)
    with pytest.raises(ValueError, match=r"context 'c' are of another world than the fitted data: discount differ"):
        gi.inference.log_predictive_density(fit, sharp)
    found = gi.inference.log_predictive_density(
        fit, some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward={"c": control})
    )["log_density"]
    assert np.isfinite(found).all()


def test_conditions_of_another_name_in_own_models(arm):
    """A model with one world and one reward says nothing of conditions with others."""
    data = arm.data.select(np.asarray(arm.data.context) == 0)

    def model(observed):
        agent = gi.agents.soft_optimal(beta=numpyro.sample("beta", dist.LogNormal(0.0, 1.0)))
        numpyro.sample("choices", gi.Behavior(HALL, agent, CONTROL["a"]), obs=observed)

    fit = gi.infer(0, model=model, data=data, **SETTINGS)
    for reward, world, message in (
        (TREATED["a"], HALL, "context 'c' were simulated with another reward than the fitted data.*model="),
        (CONTROL["a"], SHARP, "context 'c' are of another world than the fitted data: discount differ.*model="),
    ):
        new = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward={"c": reward}, world=world)
        with pytest.raises(ValueError, match=message):
            gi.inference.log_predictive_density(fit, new)
        assert np.isfinite(gi.inference.log_predictive_density(fit, new, model=model)["log_density"]).all()


def test_a_reward_that_is_the_same_in_another_world(arm):
    """The reward of the fit is known in a world in which other states end the episode."""
    ending = gi.gridworld("s.a", stay=True, terminal="a", discount=0.9)
    data = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=CONTROL, world=ending)
    found = gi.inference.log_predictive_density(arm, data, world=ending)["log_density"]
    np.testing.assert_allclose(found, expected_density(arm, data, CONTROL, ending), atol=1e-10)
    data = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=TREATED, world=ending)
    with pytest.raises(ValueError, match="context 'a' were simulated with another reward"):
        gi.inference.log_predictive_density(arm, data, world=ending)


def test_what_the_fit_did_not_draw(arm):
    data = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=CONTROL)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    with pytest.raises(ValueError, match=r"need draws of reward\.values of shape \(3,\), and the fit has none: held"):
        gi.inference.log_predictive_density(arm, data, reward=prior)
    with pytest.raises(ValueError, match="model= is for a model of your own"):
        gi.inference.log_predictive_density(arm, data, model=lambda seen: None)
    with pytest.raises(ValueError, match=r"context 'c' has no reward; the mapping has 'a', 'b'; the data have 'c'"):
        gi.inference.log_predictive_density(
            arm, some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward={"c": CONTROL["a"]})
        )


def test_algorithms_are_named(arm):
    data = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=CONTROL)
    rough = gi.infer(
        jax.random.key(0), HALL, agent=arm.agent, reward=CONTROL, data=arm.data, draws=20, method="laplace"
    )
    assert set(gi.inference.log_predictive_density(arm, data)["algorithm"]) == {arm.tree.attrs["algorithm"]}
    assert set(gi.inference.log_predictive_density(rough, data)["algorithm"]) == {"laplace"}


# -- models of the user's own ---------------------------------------------------------------------


def test_conditions_of_own_models():
    """Rewards by context in a model of the user's own, in any order, for any part of the data."""
    data = some(gi.agents.soft_optimal(beta=2.0), 0, 4, reward=CONTROL)
    backwards = dict(reversed(CONTROL.items()))

    def model(seen):
        beta = numpyro.sample("agent.beta", dist.LogNormal(0.0, 1.0))
        numpyro.sample("choices", gi.Behavior(HALL, gi.agents.soft_optimal(beta=beta), backwards, like=data), obs=seen)

    fit = gi.infer(jax.random.key(0), model=model, data=data, chains=2, warmup=50, draws=50)
    fit = dataclasses.replace(fit, tree=fit.tree.isel(draw=slice(5), missing_dims="ignore"))
    new = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=CONTROL)
    for part in (new.select([4, 1]), new.select([5])):
        found = gi.inference.log_predictive_density(fit, part)["log_density"]
        np.testing.assert_allclose(found, expected_density(fit, part, CONTROL), atol=1e-10)
    treated = some(gi.agents.soft_optimal(beta=2.0), 1, 3, reward=TREATED)
    with pytest.raises(
        ValueError, match=r"simulated with another reward .* Give model=: your model with the reward of"
    ):
        gi.inference.log_predictive_density(fit, treated)
    with pytest.raises(ValueError, match=r"a model of your own contains its worlds and rewards: give model="):
        gi.inference.log_predictive_density(fit, treated, reward=TREATED)

    def other(seen):
        beta = numpyro.sample("agent.beta", dist.LogNormal(0.0, 1.0))
        numpyro.sample("choices", gi.Behavior(HALL, gi.agents.soft_optimal(beta=beta), TREATED), obs=seen)

    found = gi.inference.log_predictive_density(fit, treated, model=other)["log_density"]
    np.testing.assert_allclose(found, expected_density(fit, treated, TREATED), atol=1e-10)


def test_subjects_of_own_models():
    """Parameters that a model looks up by number belong to the subject of that name; there are none for new ones."""
    train = named(walks_of(), ["ann"] * 3 + ["bob"] * 3 + ["cyd"] * 2)

    def looked_up(seen):
        beta = numpyro.sample("beta", dist.LogNormal(0.0, 1.0).expand([3]).to_event(1))
        mixture = gi.agents.mixture(
            {"a": gi.agents.soft_optimal(beta=beta[seen.subject[0]]), "b": gi.agents.uniform()}, by="trajectory"
        )
        numpyro.sample("choices", gi.Behavior(HALL, mixture, WANTS), obs=seen)

    fit = gi.infer(jax.random.key(0), model=looked_up, data=train, chains=2, warmup=50, draws=50)
    fit = dataclasses.replace(fit, tree=fit.tree.isel(draw=slice(5), missing_dims="ignore"))
    test = named(walks_of(4, trajectories=2), ["cyd", "cyd"])
    found = gi.inference.log_predictive_density(fit, test)["log_density"]
    by_draw = [
        logsumexp(scores([gi.agents.soft_optimal(beta=float(beta)), gi.agents.uniform()], test) + np.log(0.5), axis=0)
        for beta in fit.posterior["beta"].values[..., 2].ravel()
    ]
    np.testing.assert_allclose(found, logsumexp(by_draw, axis=0) - np.log(10), atol=1e-10)
    with pytest.raises(
        ValueError, match=r"subject 'dan' was not fitted, and the model indexes parameters by data\.sub"
    ):
        gi.inference.log_predictive_density(fit, named(walks_of(4, trajectories=2), ["dan", "dan"]))


def test_memberships_in_own_models():
    """A mixture inside a model of the user's own: known subjects and new ones, as in a fit by agent and reward."""

    def model(seen):
        numpyro.sample("nothing", dist.Normal(0.0, 1.0))
        numpyro.sample("choices", gi.Behavior(HALL, gi.one_of(AGENTS), WANTS), obs=seen)

    own = gi.infer(jax.random.key(0), model=model, data=TRAIN, chains=2, warmup=50, draws=50)
    fit = gi.infer(jax.random.key(0), HALL, agent=gi.one_of(AGENTS), reward=WANTS, data=TRAIN, **EXACT)
    found, expected = (gi.inference.log_predictive_density(one, TEST)["log_density"] for one in (own, fit))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_subjects_with_large_numbers_are_simulated_one_by_one():
    """Each subject draws the agent it is, whatever its number; the trajectories of a subject share it."""
    n, right = 40, np.full((40, 2), 3)
    like = gi.Trajectories.of(np.zeros((n, 3), int), right, lengths=[2] * n, subject=np.repeat(np.arange(20), 2) + 100)
    sure = gi.StateReward.at(HALL, {"a": 50.0}, default=0.0, on="arrival")
    mixture = gi.one_of([gi.agents.soft_optimal(beta=5.0), gi.agents.anti_rational(beta=5.0)])
    with computing_in("float64"):
        sampled = gi.Behavior(HALL, mixture, sure, like=like).sample(jax.random.key(0))
    for data in (sampled, replicate(jax.random.key(0), HALL, mixture, sure, like)):
        forward = np.asarray(data.states)[:, 1].reshape(20, 2) == 1
        assert (forward[:, 0] == forward[:, 1]).all()
        assert 2 < forward[:, 0].sum() < 18


def test_subjects_whose_numbers_have_gaps():
    """Data without names keep their numbers when trajectories are selected: each subject is one of the agents still."""
    plain = gi.Trajectories.of(TRAIN.states, TRAIN.actions, subject=[0, 0, 3, 3, 7])
    mixture, weights = gi.one_of(AGENTS), np.full(3, 1 / 3)
    for chosen, groups in ([4], [[0]]), ([2, 4, 3], [[0, 2], [1]]):
        part = plain.select(chosen)
        joint = scores(AGENTS.values(), part)
        expected = sum(logsumexp(np.log(weights) + joint[:, group].sum(1)) for group in groups)
        assert float(gi.Behavior(HALL, mixture, WANTS).log_prob(part)) == pytest.approx(expected, abs=1e-10)
    fit = gi.infer(jax.random.key(0), HALL, agent=mixture, reward=WANTS, data=plain.select([2, 4, 3]), **EXACT)
    shares = fit.responsibilities["agent.which"].isel(chain=0, draw=0).values
    part = scores(AGENTS.values(), plain.select([2, 4, 3]))
    for number, group in ((3, [0, 2]), (7, [1])):
        joint = part[:, group].sum(1)
        np.testing.assert_allclose(shares[number], np.exp(joint - logsumexp(joint)), atol=1e-10)


def test_data_that_changed_in_place_are_refused(arm):
    """Predictions have the design of the fitted data, and held-out scores depend on their subjects."""
    lengths = arm.data.lengths
    before = lengths.copy()
    lengths[0] -= 1
    said = "the data of this fit are not those of its draws: lengths changed in place"
    try:
        with pytest.raises(ValueError, match=said):
            arm.predict(0, 2)
        with pytest.raises(ValueError, match=said):
            gi.inference.log_predictive_density(arm, TEST, reward=CONTROL)
    finally:
        lengths[:] = before
    assert len(arm.predict(0, 2)) == 2
