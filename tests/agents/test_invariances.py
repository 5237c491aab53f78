"""What may change about a reward, or about the names of states, without changing what an agent does."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import AGENTS, G3, G3_REWARD, A, S, random_problem, seeds

import goalinf as gi
from goalinf.agents import solve

pytestmark = pytest.mark.usefixtures("route")


@pytest.mark.parametrize("name", AGENTS)
@given(seed=seeds)
def test_shaping_shift_and_scale(name, seed):
    world, _, _, _terminal, rng = random_problem(seed, 0.9)
    endless, *_ = random_problem(seed, 0.9, terminal=False)
    make, r = AGENTS[name], gi.ActionReward(rng.normal(size=(S, A)))
    policy = solve(make(beta=2.0), world, r).log_probs
    shaped = gi.ShapedReward(r, rng.normal(size=S) + 3.0)  # not zero on the terminal state: it counts as zero there
    np.testing.assert_allclose(solve(make(beta=2.0), world, shaped).log_probs, policy, atol=1e-11)
    scaled = gi.ActionReward(r.values / 4.0)
    np.testing.assert_allclose(solve(make(beta=8.0), world, scaled).log_probs, policy, atol=1e-11)
    shifted = gi.ActionReward(r.values + 2.5)
    before, after = (solve(make(beta=2.0), endless, one).log_probs for one in (r, shifted))
    np.testing.assert_allclose(after, before, atol=1e-11)


def test_a_shift_matters_where_episodes_end():
    world, *_, rng = random_problem(1, 0.9)
    r = rng.normal(size=(S, A))
    before, after = (
        solve(gi.agents.soft_optimal(beta=1.0), world, gi.ActionReward(one)).log_probs for one in (r, r + 2.5)
    )
    assert np.abs(np.exp(after) - np.exp(before)).max() > 0.01


def test_shaping_matters_with_a_finite_horizon():
    """Theory 1.8: the leaf is not shaped. The invariance is not claimed where it does not hold."""
    shaped = gi.ShapedReward(G3_REWARD, np.array([1.0, -2.0, 0.5]))
    short = gi.agents.soft_optimal(beta=2.0, horizon=3)
    difference = solve(short, G3, shaped).log_probs - solve(short, G3, G3_REWARD).log_probs
    assert np.abs(difference).max() > 0.1


@given(seed=seeds)
def test_shaping_of_goals(seed):
    world = gi.gridworld("s..\n.#.\n..a", slip=0.2, discount=1.0)
    goal = gi.goals(world, {"a": "a"}, step_cost=3.0)["a"]
    shaped = gi.ShapedReward(goal, np.random.default_rng(seed).normal(size=world.n_states))
    one, other = (solve(gi.agents.soft_optimal(beta=1.0), world, reward).log_probs for reward in (goal, shaped))
    np.testing.assert_allclose(one, other, atol=1e-10)


@given(seed=seeds, beta=st.sampled_from([0.1, 1.0, 30.0]))
def test_every_policy_has_its_rewards(seed, beta):
    """r = log(pi) / beta + W V makes pi the soft-optimal policy, for every pi of full support and every V."""
    rng = np.random.default_rng(seed)
    P = oracles.random_law(rng, S, A, S)
    policy = oracles.random_law(rng, S, A)
    V = rng.normal(size=S)
    r = np.log(policy) / beta + (oracles.shaping_map(P, 0.9) @ V).reshape(S, A)
    found = solve(gi.agents.soft_optimal(beta=beta), gi.from_arrays(P, discount=0.9), gi.ActionReward(r))
    np.testing.assert_allclose(found.log_probs, np.log(policy), atol=1e-10)
    np.testing.assert_allclose(found.values, beta * V, atol=1e-9)


@pytest.mark.parametrize("name", AGENTS)
@given(seed=seeds)
def test_names_of_states_do_not_matter(name, seed):
    world, P, available, terminal, rng = random_problem(seed, 0.9)
    r, order = rng.normal(size=(S, A)), rng.permutation(S)
    other = gi.from_arrays(P[order][:, :, order], available=available[order], terminal=terminal[order], discount=0.9)
    one = solve(AGENTS[name](beta=2.0), world, gi.ActionReward(r))
    two = solve(AGENTS[name](beta=2.0), other, gi.ActionReward(r[order]))
    counted = available & ~terminal[:, None]
    np.testing.assert_allclose(two.log_probs[counted[order]], one.log_probs[order][counted[order]], atol=1e-11)
