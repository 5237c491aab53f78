"""Planning that starts from a policy nearby finds what planning from nothing finds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.precision import computing_in


@pytest.mark.parametrize("make", [gi.agents.soft_optimal, gi.agents.boltzmann])
def test_planning_from_a_policy_nearby(make):
    """What is found does not depend on where planning starts, and neither do its derivatives."""
    world = gi.open_grid(3, 4, discount=0.95)
    rng = np.random.default_rng(0)
    here, there = rng.normal(size=(2, 12))
    walks = gi.simulate(
        jax.random.key(0), world, make(beta=2.0), gi.StateReward(here, on="departure"), trajectories=4, steps=9
    )

    def behavior(values, near=None):
        return gi.Behavior(world, make(beta=2.0), gi.StateReward(values, on="departure"), near=near)

    with computing_in("float64"):
        plain = jax.jit(jax.value_and_grad(lambda values: behavior(values).log_prob(walks)))
        warm = jax.jit(jax.value_and_grad(lambda values, near: behavior(values, near).log_prob(walks)))
        policy = jax.jit(lambda values: behavior(values).policy)(there)
        for one, other in zip(plain(here), warm(here, policy), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
        far = jax.tree.map(lambda leaf: leaf * 1e3, policy)  # far away is slow, not wrong
        np.testing.assert_allclose(plain(here)[0], warm(here, far)[0], rtol=1e-9)


def test_planning_recovers_from_a_policy_that_is_none():
    world, reward = gi.open_grid(3, 3, discount=0.9), gi.StateReward(np.arange(9.0), on="departure")
    behavior = functools.partial(gi.Behavior, world, gi.agents.soft_optimal(beta=1.0), reward)
    with computing_in("float64"):
        nothing = jax.tree.map(lambda leaf: leaf * np.nan, behavior().policy)
        for policy in (behavior(near=nothing).policy, jax.jit(lambda near: behavior(near=near).policy)(nothing)):
            np.testing.assert_allclose(policy.log_probs, behavior().policy.log_probs, atol=1e-9)


def test_a_policy_nearby_in_another_precision():
    hall = gi.gridworld("s.a", discount=0.9)
    agent, wants = gi.agents.soft_optimal(beta=1.0), gi.StateReward(np.zeros(3), on="departure")
    walks = gi.simulate(jax.random.key(0), hall, agent, wants, trajectories=5, steps=5)
    with computing_in("float32"):
        near = gi.Behavior(hall, agent, wants).policy
    assert near.values.dtype == np.float32

    def model(data):
        values = numpyro.sample("values", dist.Normal().expand([3]).to_event(1))
        behavior = gi.Behavior(hall, agent, gi.StateReward(values, on="departure"), near=near)
        numpyro.sample("choices", behavior, obs=data)

    found = gi.inference.find_map(jax.random.key(0), model=model, data=walks)
    assert np.isfinite(found.log_posterior)


def test_planning_from_policies_nearby_in_several_contexts():
    worlds = {"a": gi.open_grid(2, 3, discount=0.9), "b": gi.open_grid(2, 3, discount=0.5)}
    reward = gi.StateReward(np.arange(6.0), on="arrival")
    agent = gi.agents.soft_optimal(beta=1.0)
    walks = gi.simulate(jax.random.key(0), worlds, agent, reward, trajectories=4, steps=9)
    with computing_in("float64"):
        policy = gi.Behavior(worlds, agent.at(beta=2.0), reward).policy

        def score(beta, near):
            return gi.Behavior(worlds, agent.at(beta=beta), reward, near=near).log_prob(walks)

        beta = jnp.asarray(1.0)
        np.testing.assert_allclose(jax.jit(score)(beta, policy), jax.jit(lambda b: score(b, None))(beta), rtol=1e-10)
