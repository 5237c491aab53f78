"""Designs of experiments, against sums over all outcomes."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import expit

import goalinf as gi

ARMS = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
THETA = np.array([-2.0, -1.0, 1.0, 2.0])
REWARDS = [gi.ActionReward(np.array([[theta, 0.0]])) for theta in THETA]
HALL = gi.gridworld("s..a", discount=0.9)


def brute_force(beta, n=20):
    """Information and value of n choices between two arms whose difference is one of theta."""
    counts = np.arange(n + 1)
    given = stats.binom.pmf(counts[:, None], n, expit(beta * THETA))
    joint = given / 4
    outcome = joint.sum(1)
    posterior = joint / outcome[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.nansum(joint * np.log(posterior * 4))
    # The reward comes at every step of discount 1/2, so twice in all; the other arm brings nothing.
    value = outcome @ np.maximum(posterior @ (2 * THETA), 0.0) - max(2 * THETA.mean(), 0.0)
    return information, value


def test_noise_informs():
    """Information of twenty choices peaks at a middle beta: the published numbers, and the value beside them."""
    published = {0.1: 0.0588, 0.5: 0.6344, 1.0: 0.9491, 2.0: 1.0197, 5.0: 0.7364, 20.0: 0.6931}
    experiments = {
        str(beta): gi.identify.Demonstrations(ARMS, gi.agents.soft_optimal(beta=beta), steps=20) for beta in published
    }
    found = gi.identify.design_experiment(jax.random.key(0), REWARDS, experiments, targets=ARMS, data_sets=1000)
    for beta, expected in published.items():
        row, (information, value) = found.table.loc[str(beta)], brute_force(beta)
        assert information == pytest.approx(expected, abs=1e-4)
        assert abs(row.information - information) < 4 * row.information_error + 1e-6
        assert abs(row.evsi - value) < 4 * row.evsi_error + 1e-6
    assert found.table["information"].idxmax() == "2.0"
    assert found.perfect == pytest.approx(2 * np.maximum(THETA, 0).mean())
    assert (found.table["evsi"] <= found.perfect + 4 * found.table["evsi_error"] + 1e-6).all()


def test_comparisons_are_summed_over():
    walks = gi.Trajectories.of(np.zeros((2, 3), int), np.array([[0, 1], [1, 1]]))
    ask = gi.identify.PreferenceQuery(ARMS, walks, beta=3.0)
    found = gi.identify.design_experiment(jax.random.key(0), REWARDS, {"ask": ask}, targets=ARMS, data_sets=10)
    information, value = brute_force(3.0, 1)
    assert found.table["information"]["ask"] == pytest.approx(information)
    assert found.table["evsi"]["ask"] == pytest.approx(value)
    assert found.table["evsi_error"]["ask"] == 0.0
    assert found.nullity == 2
    assert found.table["nullity"]["ask"] == 1  # the constant


def test_value_is_not_information():
    """Two facts are unknown. The target needs one of them; the other takes more nats."""
    fork = gi.gridworld("b.s.a", discount=0.9)
    rng = np.random.default_rng(0)
    values = [dict(zip("sab", (0.0, *rng.normal(0, 1, 2)), strict=True)) for _ in range(60)]
    rewards = [gi.StateReward.at(fork, one, default=0.0, on="arrival") for one in values]
    keen, vague = (gi.agents.soft_optimal(beta=beta) for beta in (3.0, 0.1))
    experiments = {
        "keen": gi.identify.Demonstrations(fork, keen, trajectories=3),
        "vague": gi.identify.Demonstrations(fork, vague, trajectories=3),
        "uniform": gi.identify.Demonstrations(fork, gi.agents.uniform(), trajectories=3),
    }
    found = gi.identify.design_experiment(
        jax.random.key(0), rewards, experiments, targets={"same": fork, "again": fork}
    )
    assert list(found.table.index) == ["keen", "vague", "uniform"]
    np.testing.assert_allclose(found.table["evsi: same"], found.table["evsi"])
    np.testing.assert_allclose(found.table["evsi: again"], found.table["evsi"])
    assert found.table["information"]["uniform"] == pytest.approx(0.0, abs=1e-9)
    assert found.table["evsi"]["uniform"] == pytest.approx(0.0, abs=1e-9)
    assert (found.table["evsi"] >= -1e-9).all()
    assert "Most informative next data set: keen" in str(found)


def test_ranks_beside_those_of_a_fit():
    """A second discount resolves the rewards of choices up to a constant; more of the same resolves nothing."""
    agent = gi.agents.soft_optimal(beta=2.0)
    wants = gi.ActionReward(np.linspace(0.0, 1.0, 16).reshape(4, 4))
    walks = gi.simulate(jax.random.key(0), HALL, agent, wants, trajectories=4, steps=10)
    prior = gi.ActionReward(dist.Normal(0.0, 1.0))
    fit = gi.infer(jax.random.key(1), HALL, agent=agent, reward=prior, data=walks, draws=100)
    experiments = {
        "more": gi.identify.Demonstrations(HALL, agent),
        "from the end": gi.identify.Demonstrations(HALL, agent, starts="a"),
        "hasty": gi.identify.Demonstrations(HALL, gi.agents.soft_optimal(beta=2.0, discount=0.5)),
    }
    found = gi.identify.design_experiment(jax.random.key(2), fit, experiments, draws=50, data_sets=50)
    assert found.nullity == 4
    assert found.table["nullity"].to_dict() == {"more": 4, "from the end": 4, "hasty": 1}
    assert "evsi" not in found.table
    assert np.isnan(found.perfect)
    assert found.most == np.inf


def test_a_posterior_is_taken_for_normal():
    """Two arms: information and value of more choices, in closed form from the moments of their difference."""
    made = np.array([[0] * 103 + [1] * 100])
    data = gi.Trajectories.of(np.zeros((1, 204), int), made)
    prior = gi.ActionReward(dist.Normal(0.0, 1.0))
    agent = gi.agents.soft_optimal(beta=1.0)
    fit = gi.infer(jax.random.key(0), ARMS, agent=agent, reward=prior, data=data, draws=2000)
    found = gi.identify.design_experiment(
        jax.random.key(1), fit, {"more": gi.identify.Demonstrations(ARMS, agent, steps=60)}, targets=ARMS, draws=20_000
    )
    gap = np.diff(fit.posterior["reward.values"].values.reshape(-1, 2), axis=1).ravel() * -1
    mean, variance, chance = gap.mean(), gap.var(ddof=1), expit(gap.mean())
    left = 1 / (1 / variance + 60 * chance * (1 - chance))

    def value(moved):
        sd = np.sqrt(moved)
        return 2 * (mean * stats.norm.cdf(mean / sd) + sd * stats.norm.pdf(mean / sd) - max(mean, 0.0))

    row = found.table.loc["more"]
    assert row.information == pytest.approx(0.5 * np.log(variance / left), rel=1e-6)
    assert row.evsi == pytest.approx(value(variance - left), abs=4 * row.evsi_error)
    wider = np.sqrt(variance / (variance - left))
    assert found.perfect == pytest.approx(value(variance), abs=4 * wider * row.evsi_error)
    assert row.evsi_error < 0.02 * row.evsi
    assert (row.nullity, found.nullity) == (1, 1)  # the constant
    # Asking for a preference between the arms is one more choice.
    walks = gi.Trajectories.of(np.zeros((2, 2), int), np.array([[0], [1]]))
    ask = gi.identify.PreferenceQuery(ARMS, walks)
    one = gi.identify.Demonstrations(ARMS, agent, steps=1)
    table = gi.identify.design_experiment(
        jax.random.key(1), fit, {"ask": ask, "one": one}, targets=ARMS, draws=100
    ).table
    np.testing.assert_allclose(table.loc["ask"], table.loc["one"], rtol=1e-6)


def test_features_are_no_unknowns():
    """A linear reward is as many numbers as it has weights, whatever its features."""
    features = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    rewards = [gi.LinearReward(features, weights, on="arrival") for weights in ([0.0, 1.0], [1.0, 0.0])]
    found = gi.identify.design_experiment(
        jax.random.key(0),
        rewards,
        {"watch": gi.identify.Demonstrations(HALL, gi.agents.soft_optimal(beta=1.0))},
        data_sets=2,
    )
    assert (found.nullity, found.table["nullity"]["watch"]) == (2, 0)


class TwoArms(gi.Reward):
    """Rewards of two arms, each a parameter of its own."""

    one: Any
    two: Any
    dims: ClassVar = {"one": (), "two": ()}
    parameters: ClassVar = ("one", "two")
    linear: ClassVar = True

    def __call__(self, mdp):
        return jnp.stack([self.one, self.two])[None, :, None]


def test_a_known_parameter_of_a_reward_is_no_unknown():
    """One arm has a prior, the other is known: information about the difference, in closed form."""
    data = gi.Trajectories.of(np.zeros((1, 21), int), np.array([[0] * 12 + [1] * 8]))
    walks = gi.Trajectories.of(np.zeros((2, 2), int), np.array([[0], [1]]))
    agent, reward = gi.agents.soft_optimal(beta=1.0), TwoArms(dist.Normal(0.0, 1.0), np.array(0.5))
    fit = gi.infer(1, ARMS, agent=agent, reward=reward, data=data, draws=100, method="laplace")
    more = {"ask": gi.identify.PreferenceQuery(ARMS, walks), "more": gi.identify.Demonstrations(ARMS, agent, steps=1)}
    found = gi.identify.design_experiment(2, fit, more, targets=ARMS, draws=50)
    draws = fit.posterior["reward.one"].values.ravel()
    chance = expit(draws.mean() - 0.5)
    expected = 0.5 * np.log1p(draws.var(ddof=1) * chance * (1 - chance))
    np.testing.assert_allclose(found.table["information"], expected, rtol=1e-6)
    assert (found.nullity, *found.table["nullity"]) == (0, 0, 0)
    assert (found.table["evsi"] <= found.perfect).all()
    both = [TwoArms(np.array(one), np.array(0.0)) for one in (0.0, 1.0)]
    assert gi.identify.design_experiment(3, both, {"ask": more["ask"]}).table["nullity"]["ask"] == 1


def test_comparisons_of_walks_have_the_rank_of_their_differences():
    wants = [gi.StateReward(np.array(v), on="departure") for v in ([0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 2.0])]
    walks = gi.simulate(jax.random.key(4), HALL, gi.agents.uniform(), wants[0], trajectories=2, steps=6)
    ask = gi.identify.PreferenceQuery(HALL, walks)
    visits = np.zeros((2, 4))
    for n in range(2):
        np.add.at(visits[n], np.asarray(walks.states)[n, :6], 0.9 ** np.arange(6))
    row = ask.rows(wants[0], ["reward.values"])[0] * 1e-8
    np.testing.assert_allclose(row, visits[0] - visits[1], atol=1e-12)


def test_refused():
    watch = gi.identify.Demonstrations(ARMS, gi.agents.soft_optimal(beta=1.0))
    with pytest.raises(ValueError, match="rewards is a sequence of 1"):
        gi.identify.design_experiment(jax.random.key(0), REWARDS[:1], {"watch": watch})
    with pytest.raises(ValueError, match="prior"):
        gi.identify.Demonstrations(ARMS, gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)))
    with pytest.raises(ValueError, match="walks holds 1 trajectories; expected two"):
        gi.identify.PreferenceQuery(ARMS, gi.Trajectories.of(np.zeros((1, 2), int), np.array([[0]])))
    with pytest.raises(ValueError, match="trajectory 0, step 1: the action or its next state is missing"):
        gi.identify.PreferenceQuery(ARMS, gi.Trajectories.of(np.zeros((2, 3), int), np.array([[0, -1], [1, 1]])))
    with pytest.raises(ValueError, match="steps is 0"):
        gi.identify.Demonstrations(ARMS, gi.agents.soft_optimal(beta=1.0), steps=0)
    jump = gi.Trajectories.of(np.array([[0, 3], [0, 1]]), np.array([[0], [0]]))
    with pytest.raises(ValueError, match="trajectory 0, step 0: in this world, the action does not lead from s to a"):
        gi.identify.PreferenceQuery(HALL, jump)
