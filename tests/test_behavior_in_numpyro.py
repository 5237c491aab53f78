"""Behavior in the user's programs: as a site of NumPyro, compiled, batched, in either precision."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import oracles
import pytest
from behaviors import AGENT, AVAILABLE, BETA, DISCOUNT, REWARD, TERMINAL, WORLD, P, R, exact, walks, with_gaps
from numpyro.infer import Predictive
from numpyro.infer.util import log_density

import goalinf as gi
from goalinf.behavior import replicate
from goalinf.precision import computing_in


def model(data=None, like=None):
    beta = numpyro.sample("beta", dist.LogNormal(0.0, 0.5))
    numpyro.sample("choices", gi.Behavior(WORLD, gi.agents.soft_optimal(beta=beta), REWARD, like=like), obs=data)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_log_density(precision):
    data = walks()
    with computing_in(precision):
        found = float(log_density(model, (data,), {}, {"beta": jnp.asarray(BETA)})[0])
        prior = float(dist.LogNormal(0.0, 0.5).log_prob(BETA))
        compiled = jax.jit(lambda beta, data: log_density(model, (data,), {}, {"beta": beta})[0])
        again = float(compiled(jnp.asarray(BETA), data.unlabeled()))
    assert found == pytest.approx(exact(data).sum() + prior, rel=1e-10 if precision == "float64" else 1e-5)
    assert again == pytest.approx(found, rel=1e-5)


def test_predictive():
    """Prior predictive draws have the starts, lengths and gaps of ``like``, and score under what made them."""
    like = with_gaps(walks())
    with computing_in("float64"):
        draws = Predictive(model, num_samples=7)(jax.random.key(0), like=like)
    sampled = draws["choices"]
    assert sampled.shape == (7,)
    assert sampled.states.shape == (7, *like.states.shape)
    np.testing.assert_array_equal(sampled.states[:, :, 0], np.broadcast_to(like.states[:, 0], (7, 12)))
    assert not (np.asarray(sampled.observed) & ~np.asarray(like.observed)).any()
    for number in range(7):
        one = jax.tree.map(lambda leaf, n=number: np.asarray(leaf)[n], sampled)
        beta = float(draws["beta"][number])
        policy = oracles.mce(P, R, DISCOUNT, beta, AVAILABLE, TERMINAL).policy
        with computing_in("float64"):
            found = float(gi.Behavior(WORLD, gi.agents.soft_optimal(beta=beta), REWARD).log_prob(one))
        assert found == pytest.approx(exact(one, policy).sum(), abs=1e-9)
        assert np.isfinite(found)


def test_samples_are_as_long_as_what_they_are_like():
    """In a world that never ends every length is that of ``like``; no step follows, and no state is left behind it."""
    lengths = np.array([2, 7, 5, 1])
    rewards = {"x": REWARD, "y": gi.ActionReward(-R)}
    endless = gi.from_arrays(P, available=AVAILABLE, discount=DISCOUNT)
    given = gi.simulate(jax.random.key(1), endless, AGENT, rewards, trajectories=2, steps=7)
    cut = {"lengths": lengths, "subject": [0, 1, 1, 0], "context": given.context, "contexts": ("x", "y")}
    like = gi.Trajectories.of(given.states, given.actions, **cut)
    with computing_in("float64"):
        sampled = gi.Behavior(endless, AGENT, dict(reversed(rewards.items())), like=like).sample(jax.random.key(0))
    simulated = replicate(jax.random.key(0), endless, AGENT, rewards, like)
    inside, visits = np.arange(7) < lengths[:, None], np.arange(8) <= lengths[:, None]
    for found in (sampled, simulated):
        np.testing.assert_array_equal(found.lengths, lengths)
        np.testing.assert_array_equal(found.observed, inside)
        np.testing.assert_array_equal(np.asarray(found.actions) >= 0, inside)
        np.testing.assert_array_equal(np.asarray(found.states) >= 0, visits)
        np.testing.assert_array_equal(found.context, like.context)
        assert found.context_names == ("x", "y")
    with computing_in("float64"):
        ending = gi.Behavior(WORLD, AGENT, REWARD, like=like.select([1, 1, 2])).sample(jax.random.key(2))
    assert (np.asarray(ending.lengths) <= [7, 7, 5]).all()


def test_sample_shape():
    like = walks()
    with computing_in("float64"):
        behavior = gi.Behavior(WORLD, AGENT, REWARD, like=like)
        drawn = behavior.sample(jax.random.key(0), (2, 3))
        scores = jax.vmap(jax.vmap(behavior.log_prob))(drawn)
    assert drawn.states.shape == (2, 3, *like.states.shape)
    assert scores.shape == (2, 3)
    for i, j in itertools.product(range(2), range(3)):
        one = jax.tree.map(lambda leaf, i=i, j=j: np.asarray(leaf)[i, j], drawn)
        assert float(scores[i, j]) == pytest.approx(exact(one).sum(), abs=1e-9)
    with pytest.raises(ValueError, match="give like=, the trajectories"):
        gi.Behavior(WORLD, AGENT, REWARD).sample(jax.random.key(0))


def test_data_are_no_array():
    with pytest.raises(TypeError, match="Trajectories is a record of several arrays, not an array"):
        jnp.asarray(walks())
    assert jnp.shape(walks()) == ()


def test_data_as_an_argument_of_compiled_code():
    data = with_gaps(walks())
    with computing_in("float64"):
        program = jax.jit(lambda data, beta: gi.Behavior(WORLD, gi.agents.boltzmann(beta=beta), REWARD).log_prob(data))
        found = float(program(data.unlabeled(), 2.0))
        slope = float(jax.grad(program, argnums=1)(data.unlabeled(), 2.0))
    policy = lambda beta: oracles.boltzmann_q(P, R, DISCOUNT, beta, AVAILABLE, TERMINAL).policy  # noqa: E731
    assert found == pytest.approx(exact(data, policy(2.0)).sum(), abs=1e-10)
    expected = oracles.gradient(lambda beta: exact(data, policy(beta[0])).sum(), np.array([2.0]))[0]
    assert slope == pytest.approx(expected, rel=1e-7)


def test_a_failed_planner_is_not_a_number():
    """In a sampler a planner without a fixed point must not look like a score."""
    hall = gi.gridworld("s.a", discount=1.0, stay=True)
    goal = gi.goals(hall, {"a": "a"}, step_cost=2.0)["a"]
    data = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])

    def score(cost):
        return gi.Behavior(
            hall, gi.agents.soft_optimal(beta=1.0), eqx.tree_at(lambda r: r.step_cost, goal, cost)
        ).log_prob(data)

    with computing_in("float64"):
        scores = jax.jit(jax.vmap(score))(jnp.array([2.0, 1.0, 0.5, 0.0, -1.0]))
    assert np.isfinite(scores[0])
    assert np.isnan(scores[1:]).all()


def test_several_known_contexts_in_single_precision():
    """Outside the calls of the library JAX computes in float32, inside a program of the user's too."""
    worlds = {"a": gi.open_grid(2, 3, discount=0.9), "b": gi.open_grid(2, 3, discount=0.5)}
    agent, reward = gi.agents.soft_optimal(beta=1.0), gi.StateReward(np.arange(6.0), on="arrival")
    walks = gi.simulate(jax.random.key(0), worlds, agent, reward, trajectories=4, steps=9)
    here = gi.Behavior(worlds, agent, reward).log_prob(walks)
    there = jax.jit(lambda data: gi.Behavior(worlds, agent, reward).log_prob(data))(walks.unlabeled())
    np.testing.assert_allclose(here, there, rtol=1e-5)


@pytest.mark.parametrize(
    ("agent", "goals"),
    [
        (gi.agents.abandoning(hazard=0.3, beta=1.0), False),
        (gi.agents.switching(switch=0.3, beta=1.0), True),
        (gi.agents.noisy_plan(plan_noise=0.3, beta=1.0, draws=4), False),
        (gi.agents.plan_commitment(replan=0.3, beta=1.0, depths=3), False),
    ],
    ids=["abandoning", "switching", "noisy_plan", "plan_commitment"],
)
def test_a_known_agent_in_a_program_of_the_user_in_float32(agent, goals):
    """Plans of known agents are made in float64 while the program, which is in float32, is traced."""
    hall = gi.gridworld("b.s.a", discount=0.9)
    reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    if goals:
        reward = gi.one_of(gi.goals(hall, {"left": "b", "right": "a"}))
    walk = gi.Trajectories.of([[2, 3, 2, 1]], [[3, 2, 2]])
    with jax.enable_x64(False):
        traced = jax.jit(lambda data: gi.Behavior(hall, agent, reward).log_prob(data))(walk)
    assert traced.dtype == np.float32
    np.testing.assert_allclose(traced, gi.Behavior(hall, agent, reward).log_prob(walk), rtol=1e-5)
