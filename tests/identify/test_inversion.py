"""One planner inverted for another (Skalse and Abate 2023): what noise and a wrong discount do to what is inferred."""

import itertools

import numpy as np
import pytest
from golden import G3_BETA, G3_DISCOUNT, G3_P, G3_R

import goalinf as gi
from goalinf.identify.optimal_actions import optimal_actions

G3 = gi.from_arrays(G3_P, discount=G3_DISCOUNT)
EVERY = [
    (policy, np.linalg.inv(np.eye(3) - G3_DISCOUNT * G3_P[range(3), policy]))
    for policy in itertools.product(range(2), repeat=3)
]
TRIALS, FAILED = 500, 62  # of as many in an independent computation


def invert(policy, agent):
    """The explicit reward under which this is the policy of the agent, with zero for the value of every state."""
    logs = np.log(policy) / G3_BETA
    return gi.ActionReward(logs - logs.max(axis=1, keepdims=True) if agent == "boltzmann" else logs)


def best(reward):
    """The optimal choice of every state of G3: that of the best of all eight policies."""
    worth = [(system @ np.asarray(reward)[range(3), policy]).sum() for policy, system in EVERY]
    return EVERY[int(np.argmax(worth))][0]


def test_what_noise_does_to_the_inverse_of_a_planner():
    """Who does what is optimal with a probability above one half, one for each state, and is inverted all the same.

    Boltzmann-rational choice leads to what is optimal whatever the noise; soft optimality does not.
    """
    rng = np.random.default_rng(0)
    failed = {"boltzmann": 0, "soft_optimal": 0}
    for _ in range(TRIALS):
        wanted, often = best(rng.normal(size=(3, 2))), rng.uniform(0.5, 1.0, size=(3, 1))
        policy = np.where(np.arange(2) == np.array(wanted)[:, None], often, 1.0 - often)
        for agent in failed:
            failed[agent] += best(invert(policy, agent).values) != wanted
    assert failed["boltzmann"] == 0
    # Two counts of the same rate: their difference has the variance of both, and four standard deviations are allowed.
    rate = FAILED / TRIALS
    assert abs(failed["soft_optimal"] - FAILED) <= 4 * np.sqrt(2 * TRIALS * rate * (1 - rate))


def test_the_inverses_are_inverses():
    policy = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    for agent in ("boltzmann", "soft_optimal"):
        found = getattr(gi.agents, agent)(beta=G3_BETA).policy(G3, invert(policy, agent))
        np.testing.assert_allclose(found, policy, atol=1e-9)


@pytest.fixture
def careless():
    """Does what is best under the golden reward of G3 in more than half of the cases, in the first state hardly so."""
    return np.array([[0.55, 0.45], [0.1, 0.9], [0.02, 0.98]])


def test_a_demonstrator_whom_soft_optimality_misreads(careless):
    reward = gi.ActionReward(G3_R)
    for one in (reward, invert(careless, "boltzmann")):
        np.testing.assert_array_equal(optimal_actions(G3, one), careless > 0.5)
    np.testing.assert_array_equal(
        optimal_actions(G3, invert(careless, "soft_optimal")), [[False, True], [False, True], [False, True]]
    )


def test_a_discount_that_is_a_little_wrong():
    """Off by .01, some reward that explains everything makes a wrong choice optimal: here is one."""
    rng = np.random.default_rng(0)
    reward = gi.ActionReward(rng.normal(size=(3, 2)))
    agent, elsewhere = gi.agents.soft_optimal(beta=G3_BETA), gi.from_arrays(G3_P, discount=G3_DISCOUNT + 0.01)
    policy = agent.policy(G3, reward).values
    explained = np.log(policy) / G3_BETA
    for _ in range(100):  # all of im(E - gamma P) explains as much: look along random directions
        V = 200.0 * rng.normal(size=3)
        inferred = gi.ActionReward(explained + V[:, None] - (G3_DISCOUNT + 0.01) * G3_P @ V)
        if best(inferred.values) != best(reward.values):
            break
    else:
        pytest.fail("no direction makes a wrong choice optimal")
    np.testing.assert_allclose(agent.policy(elsewhere, inferred), policy, atol=1e-9)
    assert not np.array_equal(optimal_actions(G3, inferred), optimal_actions(G3, reward))
    same = gi.ActionReward(explained + V[:, None] - G3_DISCOUNT * G3_P @ V)  # with the right discount it is harmless
    assert best(same.values) == best(explained)
