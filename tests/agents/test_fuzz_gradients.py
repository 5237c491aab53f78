"""Gradients of every agent against finite differences, in worlds with ties, ends and unavailable actions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from named_agents import MAKERS
from random_worlds import fuzzed, rewards, worlds

import goalinf as gi
from goalinf.precision import cast, computing_in

S, A = 3, 2
# Not of this kind: rewards that are one goal or several, learners, a policy without parameters, choices of probability 0.
APART = {"subgoal", "switching", "two_step", "q_learning", "uniform", "options"}
QUICK = {"soft_optimal", "boltzmann"}
FAMILIES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in sorted(MAKERS.keys() - APART)]


@functools.cache
def programs(name):
    """The log-likelihood of counts as a function of log beta and the reward, its derivatives, and log-probabilities."""

    def log_policy(x, mdp):
        return gi.agents.plan(MAKERS[name](jnp.exp(x[0])), mdp, gi.ActionReward(x[1:].reshape(S, A))).log_probs

    def log_likelihood(x, mdp, weights):
        log_probs = log_policy(x, mdp)
        return jnp.sum(jnp.where(weights > 0, weights * jnp.where(weights > 0, log_probs, 0.0), 0.0))

    def along(x, direction, mdp, weights):
        forward = jax.jvp(lambda x: log_likelihood(x, mdp, weights), (x,), (direction,))[1]
        return forward, jax.grad(log_likelihood)(x, mdp, weights) @ direction

    return jax.jit(log_likelihood), jax.jit(along), jax.jit(log_policy)


@fuzzed
@pytest.mark.parametrize("name", FAMILIES)
@given(
    drawn=worlds(S, A, one_shape=True),
    reward=rewards((S, A)),
    seed=st.integers(0, 2**32 - 1),
    beta=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_gradients_equal_finite_differences(name, drawn, reward, seed, beta):
    """Along a random direction; where two step sizes disagree there is a kink, and nothing to compare."""
    rng = np.random.default_rng(seed)
    value, along, log_policy = programs(name)
    with computing_in("float64"):
        x = np.concatenate([[np.log(beta)], reward.ravel() + 0.01 * rng.normal(size=S * A)])
        direction = rng.normal(size=x.size)
        weights = np.where(drawn.counted, rng.integers(1, 5, (S, A)), 0).astype(float)
        x, direction, weights, mdp = cast((x, direction, weights, drawn.world.mdp))
        if name == "rational_inattention":  # how small the probability of a neglected action is, no equation says
            weights = jnp.where(log_policy(x, mdp) > np.log(1e-3), weights, 0.0)

        def step(length):
            return float(value(x + length[0] * direction, mdp, weights))

        forward, reverse = map(float, along(x, direction, mdp, weights))
        coarse, fine = (float(oracles.gradient(step, np.zeros(1), size)[0]) for size in (2e-3, 5e-4))
    scale = 1.0 + abs(fine)
    assume(np.isfinite(fine) and abs(coarse - fine) <= 1e-6 * scale)
    assert forward == pytest.approx(fine, abs=1e-5 * scale)
    assert reverse == pytest.approx(forward, abs=1e-9 * scale)
