"""The log-likelihood and its derivatives against finite differences of code that shares nothing with the library."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import goalinf as gi
from goalinf.planning.solvers import bicgstab
from goalinf.precision import cast, computing_in

S, A = 5, 3
seeds = st.integers(0, 2**32 - 1)
ORACLES = {"soft_optimal": oracles.mce, "boltzmann": oracles.boltzmann_q}


@functools.cache
def program(name, order):
    """One compiled program for all worlds of a shape: the parameters are log beta and the reward."""

    def log_likelihood(x, mdp, weights):
        agent = getattr(gi.agents, name)(beta=jnp.exp(x[0]))
        log_probs = agent.policies(mdp, gi.ActionReward(x[1:].reshape(weights.shape))).log_probs
        return jnp.sum(jnp.where(weights > 0, weights * jnp.where(weights > 0, log_probs, 0.0), 0.0))

    return jax.jit(
        {
            "value": log_likelihood,
            "reverse": jax.grad(log_likelihood),
            "forward": jax.jacfwd(log_likelihood),
            "hessian": jax.hessian(log_likelihood),
        }[order]
    )


def problem(seed, discount):
    rng = np.random.default_rng(seed)
    P = oracles.random_law(rng, S, A, S)
    available = rng.random((S, A)) < 0.7
    available[np.arange(S), rng.integers(A, size=S)] = True
    available[0] = True
    terminal = np.arange(S) == S - 1
    world = gi.from_arrays(P, available=available, terminal=terminal, discount=discount)
    weights = np.where(available & ~terminal[:, None], rng.integers(0, 20, (S, A)), 0).astype(float)
    weights[0, 0] = 3.0
    x = np.concatenate([[rng.normal(0.5, 0.5)], rng.normal(size=S * A)])

    def exact(name):
        def log_likelihood(x):
            policy = ORACLES[name](P, x[1:].reshape(S, A), discount, np.exp(x[0]), available, terminal).policy
            return float(np.sum(weights[weights > 0] * np.log(policy[weights > 0])))

        return log_likelihood

    return world, weights, x, exact, (P, available, terminal)


def away_from_ties(P, available, terminal, x, discount):
    """Whether no state's best action is close to its second best, where the hard backup has a kink."""
    Q = oracles.boltzmann_q(P, x[1:].reshape(S, A), discount, 1.0, available, terminal).Q[~terminal]
    best = np.sort(Q, axis=1)
    return np.min(best[:, -1] - best[:, -2]) > 0.05


@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("name", ORACLES)
@settings(max_examples=4)
@given(seed=seeds)
def test_gradient(name, discount, seed):
    for attempt in range(seed, seed + 50):  # a generic point: the first without ties
        world, weights, x, exact, parts = problem(attempt, discount)
        if name == "soft_optimal" or away_from_ties(*parts, x, discount):
            break
    expected = oracles.gradient(exact(name), x)
    with computing_in("float64"):
        arguments = cast((x, world.mdp, weights))
        value, reverse, forward = (
            np.asarray(program(name, order)(*arguments)) for order in ("value", "reverse", "forward")
        )
    size = 1.0 + np.abs(expected).max()
    assert value == pytest.approx(exact(name)(x), rel=1e-9)
    np.testing.assert_allclose(reverse, expected, atol=1e-7 * size)
    np.testing.assert_allclose(forward, reverse, atol=1e-10 * size)


@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
def test_hessian(discount):
    """Finite differences of the exact gradient; an information matrix that is symmetric."""
    world, weights, x, _, _ = problem(8, discount)
    with computing_in("float64"):
        mdp, weights = cast((world.mdp, weights))
        hessian = np.asarray(program("soft_optimal", "hessian")(jnp.asarray(x), mdp, weights))
        gradient = program("soft_optimal", "reverse")
        expected = oracles.jacobian(lambda x: np.asarray(gradient(jnp.asarray(x), mdp, weights)), x)
    size = 1.0 + np.abs(expected).max()
    np.testing.assert_allclose(hessian, expected, atol=1e-6 * size)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-9 * size)


@pytest.mark.parametrize(("name", "discount"), list(zip(ORACLES, [0.999, 0.9], strict=True)))
def test_large_worlds(name, discount):
    """The iterative solver: directional derivatives, first and second, against differences of its own values."""
    world = gi.garnet(jax.random.key(2), states=70, actions=2, branching=3, discount=discount, terminal=2)
    assert world.n_states > bicgstab.DENSE_STATES
    rng = np.random.default_rng(0)
    x = np.concatenate([[0.3], rng.normal(size=140)])
    direction = rng.normal(size=x.size)
    weights = np.zeros((70, 2))
    weights[:68] = rng.integers(0, 3, (68, 2))
    with computing_in("float64"):
        x, direction, mdp, weights = cast((x, direction, world.mdp, weights))

        def along(step):
            return program(name, "value")(x + step * direction, mdp, weights)

        slope = oracles.gradient(lambda step: float(along(jnp.asarray(step[0]))), np.zeros(1), 1e-4)[0]
        gradient = program(name, "reverse")(x, mdp, weights)
        forward = jax.jit(jax.jacfwd(along))(jnp.asarray(0.0))
        assert float(gradient @ direction) == pytest.approx(float(slope), rel=1e-5)
        assert float(forward) == pytest.approx(float(gradient @ direction), rel=1e-8)
        if name == "soft_optimal":
            curvature = jax.jit(jax.grad(jax.grad(along)))(jnp.asarray(0.0))
            slope_at = jax.jit(jax.grad(along))
            bend = oracles.gradient(lambda step: float(slope_at(jnp.asarray(step[0]))), np.zeros(1), 1e-4)[0]
            assert float(curvature) == pytest.approx(float(bend), rel=1e-5)


def test_a_maximum_that_is_rounded_in_two_ways():
    """Without optimizations Q is compiled twice and rounded differently: no entry need be equal to the maximum."""
    hall = gi.gridworld("s.a", discount=0.9)
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

    def score(values):
        return gi.agents.boltzmann(beta=1.0).policies(mdp, gi.StateReward(values, on="departure")).values @ np.arange(
            3.0
        )

    def expected(values):
        P, r = hall.mdp.dense(), np.repeat(values[:, None], hall.n_actions, axis=1)
        return oracles.boltzmann_q(P, r, 0.9, 1.0).V @ np.arange(3.0)

    with computing_in("float64"):
        mdp = cast(hall.mdp)
        gradient = jax.jit(jax.grad(score), compiler_options=options)
        for values in np.random.default_rng(0).normal(size=(20, 3)):
            np.testing.assert_allclose(gradient(values), oracles.gradient(expected, values), rtol=1e-6)
