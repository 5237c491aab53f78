"""Numbers that reports print, and the limits of what is taken, exactly."""

import itertools

import numpy as np
import numpyro.distributions as dist
import oracles
import pandas as pd
import pytest
from made_fits import make_fit

import goalinf as gi
from goalinf.identify.audit.zero_reward import ZeroReward
from goalinf.identify.candidates import CandidateRewards, Target
from goalinf.identify.distance.posterior_distance import value_at_risk
from goalinf.identify.linear_algebra import kernel

HALL = gi.gridworld("s..a", discount=0.9)


def test_the_gap_is_the_weakest_kept_over_the_strongest_dropped():
    sizes = [3.0, 2e-3, 4e-10, 1e-12]
    found = kernel(np.diag(sizes), 1e-8)
    assert found.dimension == 2
    np.testing.assert_allclose(found.singular_values, sizes, rtol=1e-12)
    assert found.gap == pytest.approx(2e-3 / 4e-10, rel=1e-9)
    for tolerance, dimension in ((4e-10, 2), (3.9e-10, 1), (1e-12, 1), (9e-13, 0), (3.0, 4)):
        assert kernel(np.diag(sizes), tolerance).dimension == dimension
    assert kernel(np.diag([1.0, 0.0]), 1e-8).gap == np.inf
    assert kernel(np.diag([1e-9, 1e-10]), 1e-8).gap == np.inf


@pytest.mark.parametrize("level", [-0.1, 0.0, 1.0, 1.1, np.nan])
def test_levels_lie_between_zero_and_one(level):
    with pytest.raises(ValueError, match=r"level is .*expected a number in \(0, 1\)"):
        value_at_risk([0.0, 1.0], level=level)
    with pytest.raises(ValueError, match="of 0 losses"):
        value_at_risk([], level=0.5)


@pytest.mark.parametrize("level", [1e-6, 0.3, 0.5, 0.875, 1 - 1e-6])
def test_conditional_value_at_risk_is_the_mean_of_the_worst_share(level):
    """By sorting and adding up, the loss at the border with the part of it that belongs to the share."""
    losses = np.random.default_rng(0).exponential(size=40)
    worst, left, total = np.sort(losses)[::-1], (1 - level) * 40, 0.0
    for loss in worst:
        total += min(left, 1.0) * loss
        left -= min(left, 1.0)
    quantile, conditional = value_at_risk(losses, level=level)
    assert conditional == pytest.approx(total / ((1 - level) * 40), rel=1e-9)
    assert (losses <= quantile).mean() >= level > (losses < quantile).mean()


def test_a_walk_that_is_compared_is_whole():
    whole = {"states": [[0, 1, 2], [0, 0, 1]], "actions": [[3, 3], [2, 3]]}
    gi.identify.PreferenceQuery(HALL, gi.Trajectories.of(**whole))
    for walk, step, what, at in ((0, 0, "actions", 0), (1, 1, "actions", 1), (0, 1, "states", 2), (1, 1, "states", 2)):
        broken = {name: np.array(rows) for name, rows in whole.items()}
        broken[what][walk, at] = -1
        with pytest.raises(
            ValueError, match=f"trajectory {walk}, step {step}: the action or its next state is missing"
        ):
            gi.identify.PreferenceQuery(HALL, gi.Trajectories.of(**broken, lengths=[2, 2]))


def zero_reward(scales):
    table = pd.DataFrame(
        {"scale": scales, "log_bayes_factor": [-1.0 - scale for scale in scales], "error": 0.25, "converged": True}
    )
    runaway = pd.DataFrame({"size": [2.0, 4.0], "posterior": [0.25, 0.125], "prior": [0.1, 0.01]})
    interval = pd.DataFrame({0.025: [0.5, 0.25], 0.975: [2.0, 4.0]}, index=["posterior", "prior"])
    return ZeroReward(table, False, 2.0, -9.0, None, pd.DataFrame(), interval, runaway)


def test_every_width_is_reported():
    assert zero_reward([1.0]).log_bayes_factor == -2.0
    assert zero_reward([0.5, 1.0, 3.0]).log_bayes_factor == -2.0
    text = str(zero_reward([0.5, 1.0, 3.0]))
    assert all(each in text for each in ("-1.50 nats at 0.5", "-2.00 nats at 1", "-4.00 nats at 3", "-2.00 ± 0.25"))
    alone = str(zero_reward([1.0]))
    assert " at 1" not in alone
    assert all(each in alone for each in (f"{2.0 * np.log(10):+.1f} nats", "size above 4", "0.12", "0.01"))


def known_draws(shape):
    """A fit of action rewards in a random world of three states, with known draws; and all deterministic policies."""
    rng = np.random.default_rng(3)
    world = gi.from_arrays(oracles.random_law(rng, 3, 2, 3), initial=[0.2, 0.3, 0.5], discount=0.8)
    draws = rng.normal(size=(*shape, 3, 2))
    data = gi.Trajectories.of([[0, 1]], [[0]])
    fit = make_fit(world, gi.agents.soft_optimal(beta=1.0), gi.ActionReward(dist.Normal(0.0, 1.0)), data, values=draws)
    return fit, world, draws, [np.eye(2)[list(choice)] for choice in itertools.product(range(2), repeat=3)]


def expected_return(world, reward, policy):
    law = np.einsum("sa,sat->st", policy, world.mdp.dense())
    return np.asarray(world.mdp.initial) @ np.linalg.solve(np.eye(3) - 0.8 * law, (policy * reward).sum(axis=1))


def test_expected_regret_by_enumeration():
    """Of the policy that is best for the mean of the draws, at every draw, between its best and its worst policy."""
    fit, world, draws, policies = known_draws((2, 4))
    flat = draws.reshape(-1, 3, 2)
    acted = max(policies, key=lambda policy: expected_return(world, flat.mean(axis=0), policy))
    regrets = {"acted": [], "uniform": []}
    for reward in flat:
        returns = [expected_return(world, reward, policy) for policy in policies]
        for name, policy in (("acted", acted), ("uniform", np.full((3, 2), 0.5))):
            lost = max(returns) - expected_return(world, reward, policy)
            regrets[name].append(lost / (max(returns) - min(returns)))
    worst = np.sort(regrets["acted"])
    found = gi.identify.expected_regret(fit, draws=8, level=0.75).iloc[0]
    expected = [np.mean(worst), worst[5], worst[6:].mean(), np.mean(regrets["uniform"])]
    np.testing.assert_allclose(found[["regret", "value_at_risk", "tail", "chance"]].astype(float), expected, atol=1e-9)


def test_distances_of_evenly_spaced_draws():
    fit, world, draws, _ = known_draws((2, 4))
    truth = gi.ActionReward(np.arange(6.0).reshape(3, 2))
    found = gi.identify.distance.posterior(fit, truth, draws=3)
    assert (found["chain"].values.tolist(), found["draw"].values.tolist()) == ([0, 0, 1], [0, 3, 3])
    expected = [
        gi.identify.distance.starc(world, truth, gi.ActionReward(draws[c, d])) for c, d in ((0, 0), (0, 3), (1, 3))
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_value_of_a_posterior_by_enumeration():
    """Gain of the best policy for a posterior over the best one for its mean, in expectation under the posterior."""
    _, world, draws, policies = known_draws((1, 3))
    target = Target.of(CandidateRewards.of(world, [gi.ActionReward(reward) for reward in draws[0]]))
    returns = np.array([[expected_return(world, reward, policy) for reward in draws[0]] for policy in policies])
    before = returns[returns.mean(axis=1).argmax()]
    np.testing.assert_allclose(target.gains, returns.max(axis=0) - before, atol=1e-9)
    posterior = np.array([[0.8, 0.1, 0.1], [0.0, 0.3, 0.7], [1 / 3, 1 / 3, 1 / 3]])
    expected = [(returns @ shares).max() - before @ shares for shares in posterior]
    np.testing.assert_allclose(target.gains_of(posterior), expected, atol=1e-9)
