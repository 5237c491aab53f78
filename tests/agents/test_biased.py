"""Biased agents against code that shares nothing with them."""

import numpy as np
import pytest
from biases import BIASES, CHAN, Dense, assert_same, quick, random_dense
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import A, S, seeds

import goalinf as gi
from goalinf.agents import HyperbolicBellman, PlanningAgent, Softmax, ValueIteration, solve
from goalinf.worlds import MDP

OUTLOOKS = ["CVaR", "entropic", "extremal", "illusion", "optimism", "prospect, power"]


@pytest.mark.parametrize("name", quick(BIASES.keys() - {"rational inattention"}))
@settings(max_examples=3)
@given(seed=seeds, discount=st.sampled_from([0.0, 0.9, 0.99]), beta=st.sampled_from([0.3, 2.0]))
def test_random_worlds(name, seed, discount, beta):
    """With rewards of transitions, unavailable actions and a terminal state."""
    if BIASES[name].slow:  # its oracle is; see test_far_sighted
        discount = min(discount, 0.9)
    d = random_dense(seed, discount)
    bias = BIASES[name]
    x = bias.draw(np.random.default_rng(seed))
    found = bias.solve(d, beta, *x)
    assert_same(found, bias.policy(d, beta, *x), d)
    np.testing.assert_array_equal(found.ended, d.terminal)


@settings(max_examples=8)
@given(seed=seeds, beta=st.sampled_from([0.3, 2.0, 20.0]))
def test_rational_inattention(seed, beta):
    """Choices that are hardly ever made shrink until the oracle stops."""
    d = random_dense(seed, 0.9)
    bias = BIASES["rational inattention"]
    found, policy = bias.solve(d, beta), bias.policy(d, beta)
    np.testing.assert_allclose(np.exp(found.log_probs)[d.counted], policy[d.counted], atol=1e-8)
    assert_same(found, np.where(policy > 1e-4, policy, np.exp(found.log_probs)), d, scale=1e5)


@pytest.mark.parametrize("name", ["CVaR", "illusion"])
def test_rewards_of_every_kind(name):
    d = random_dense(3, 0.9)
    rng, bias = np.random.default_rng(3), BIASES[name]
    x = bias.draw(rng)
    states, choices = rng.normal(size=S), rng.normal(size=(S, A))
    for reward, R in [
        (gi.StateReward(states, on="arrival"), states),
        (gi.StateReward(states, on="departure"), states[:, None, None]),
        (gi.ActionReward(choices), choices[:, :, None]),
    ]:
        R = np.broadcast_to(R, d.P.shape)
        assert_same(solve(bias.agent(2.0, *x), d.world, reward), bias.policy(d._replace(R=R), 2.0, *x), d)


@pytest.mark.parametrize("name", quick(OUTLOOKS, ("illusion", "optimism")))
@pytest.mark.parametrize("blocked", ["stay", "unavailable"])
def test_slippery_grids(name, blocked):
    """A successor can stand in several places of a list, and places of no probability anywhere."""
    world = gi.gridworld("s.x\n.#a", terminal="a", slip=0.3, blocked=blocked, discount=0.9)
    mdp, bias = world.mdp, BIASES[name]
    listed = np.where(mdp.probabilities > 0, mdp.successors, -1)
    assert blocked == "unavailable" or any(len(set(row)) < len(row) for row in listed.reshape(-1, listed.shape[2]))
    reward = gi.StateReward.at(world, {"x": -1.0, "a": 3.0}, default=-0.1, on="arrival")
    R = np.broadcast_to(reward.values, mdp.dense().shape)
    d = Dense(world, mdp.dense(), R, 0.9, mdp.available, mdp.terminal)
    x = bias.draw(np.random.default_rng(0))
    assert_same(solve(bias.agent(2.0, *x), world, reward), bias.policy(d, 2.0, *x), d)


# -- a Bellman update with a hyperbola --------------------------------------------------------------


def positive(seed: int, discount: float = 0.9) -> Dense:
    d = random_dense(seed, discount)
    return d._replace(R=np.abs(d.R))


@settings(max_examples=4)
@given(seed=seeds, discount=st.sampled_from([0.0, 0.9]))
def test_chan_hyperbolic(seed, discount):
    d = positive(seed, discount)
    x = CHAN.draw(np.random.default_rng(seed))
    assert_same(CHAN.solve(d, 2.0, *x), CHAN.policy(d, 2.0, *x), d)


def test_where_the_hyperbola_ends():
    """Beyond 1 + kV = 0 the update means nothing, which is said, unless no choice leads there."""
    d = positive(4)
    with pytest.raises(gi.errors.ConvergenceError):
        CHAN.solve(d, 2.0, 5.0, R=-d.R)
    agent = PlanningAgent(planner=ValueIteration(outlook=HyperbolicBellman(0.5)), choice=Softmax(1.0))
    # From "lost", to which nothing leads, everything costs 10; but it stands in empty places of the lists.
    successors, probabilities = np.array([[[2, 0]], [[1, 0]], [[2, 0]]]), np.array([[[1.0, 0.0]]] * 3)
    mdp = MDP.of(successors, probabilities, [[True]] * 3, [False, True, True], [0, 1, 0], 0.9)
    world = gi.World(mdp, ("lost", "end", "there"), ("go",))
    found = solve(agent, world, gi.ActionReward(np.array([[-10.0], [0.0], [0.0]])))
    assert np.isfinite(found.values).all()
