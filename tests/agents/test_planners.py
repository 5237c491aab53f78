"""The reference planners against code that shares nothing with them, against golden numbers, and at their limits."""

import functools

import equinox as eqx
import golden
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
import specimens
from hypothesis import given
from hypothesis import strategies as st
from problems import AGENTS, G3, G3_REWARD, A, S, random_problem, seeds

import goalinf as gi
from goalinf.agents import solve
from goalinf.agents.parts.choice import Softmax
from goalinf.planning.solvers import bicgstab, newton
from goalinf.precision import cast, computing_in

pytestmark = pytest.mark.usefixtures("route")


def plan_of_oracle(name, P, r, discount, beta, available=None, terminal=None):
    """At beta 0 the reward is gone: what is left is the largest causal entropy, or a uniform choice."""
    if beta == 0:
        Q = oracles.q_values(P, r, discount, np.zeros(len(P)), available, terminal)
        rational = oracles.mce(P, 0.0 * r, discount, 1.0, available, terminal)
        return (
            rational if name == "mce" else oracles.Plan(rational.V, Q, oracles.act(np.where(-np.inf < Q, 0.0, Q), 1.0))
        )
    return getattr(oracles, name)(P, r, discount, beta, available, terminal)


def assert_policy(found, exact, discount):
    """Log-probabilities agree to the rounding of values that are sums over the future."""
    size = 1.0 + np.nanmax(np.abs(found.values))
    atol = 1e3 * np.finfo(float).eps * size / max(1.0 - discount, 1e-2)
    counted = ~np.isnan(exact.policy)
    with np.errstate(divide="ignore"):
        expected = np.log(exact.policy)
    # A choice that the oracle can hardly tell from impossible has no exact logarithm there.
    tiny = counted & (exact.policy < 1e-300)
    assert (found.log_probs[tiny] < -600).all()
    np.testing.assert_allclose(found.log_probs[counted & ~tiny], expected[counted & ~tiny], rtol=1e-9, atol=atol)


# -- golden numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", golden.G3_POLICY)
def test_golden_policies(name):
    kind, _, horizon = name.partition("_horizon_")
    make = gi.agents.soft_optimal if kind == "mce" else gi.agents.boltzmann
    agent = make(beta=golden.G3_BETA, horizon=int(horizon) if horizon else None)
    policy = agent.policy(G3, G3_REWARD)
    first = policy.isel(step=0) if horizon else policy
    np.testing.assert_allclose(first.sel(action=0), golden.G3_POLICY[name], atol=5e-7)
    np.testing.assert_allclose(policy.sum("action"), 1.0, atol=1e-12)


def test_golden_values():
    hard = solve(gi.agents.boltzmann(beta=golden.G3_BETA), G3, G3_REWARD)
    np.testing.assert_allclose(hard.values / golden.G3_BETA, golden.G3_V_HARD, atol=5e-7)
    soft = solve(gi.agents.soft_optimal(beta=golden.G3_BETA), G3, G3_REWARD)
    np.testing.assert_allclose(soft.values / golden.G3_BETA, golden.G3_V_SOFT, atol=5e-7)
    q = golden.G3_Q_HARD - golden.G3_V_HARD[:, None]  # log-probabilities show Q up to a constant per state
    np.testing.assert_allclose(np.diff(hard.log_probs), np.diff(golden.G3_BETA * q), atol=5e-6)
    np.testing.assert_allclose(
        golden.G3_R + golden.G3_DISCOUNT * golden.G3_P @ hard.values / golden.G3_BETA, golden.G3_Q_HARD, atol=5e-7
    )


# -- oracles --------------------------------------------------------------------------------------


@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("name", AGENTS)
@given(seed=seeds, beta=st.sampled_from([0.0, 1e-3, 1.0, 100.0, 1000.0]))
def test_random_worlds(name, discount, seed, beta):
    world, P, available, terminal, rng = random_problem(seed, discount)
    r = rng.normal(size=(S, A))
    if discount == 0.999 and name == "mce" and beta == 1e-3:
        r = 100 * r  # else the sweeps of the oracle end at values of order log A / beta
    found = solve(AGENTS[name](beta=beta), world, gi.ActionReward(r))
    assert_policy(found, plan_of_oracle(name, P, r, discount, beta, available, terminal), discount)
    assert found.residual <= newton.tolerance(np.dtype(float))
    assert (found.log_probs[~available & ~terminal[:, None]] == -np.inf).all()
    np.testing.assert_array_equal(found.ended, terminal)


def test_rewards_of_every_kind():
    world, P, available, terminal, rng = random_problem(3, 0.9)
    mdp = world.mdp
    values, weights, transition = rng.normal(size=S), rng.normal(size=2), rng.normal(size=(S, A, S))
    listed = np.take_along_axis(transition, np.asarray(mdp.successors), 2)
    features = rng.normal(size=(S, 2))
    kinds = [
        (gi.StateReward(values, on="departure"), oracles.departure(P, values)),
        (gi.StateReward(values, on="arrival"), oracles.arrival(P, values)),
        (gi.LinearReward(features, weights, on="departure"), oracles.departure(P, features @ weights)),
        (gi.LinearReward(features, weights, on="arrival"), oracles.arrival(P, features @ weights)),
        (gi.LinearReward(P @ features, weights), P @ features @ weights),
        (gi.TransitionReward(listed), oracles.expected(P, transition)),
    ]
    for reward, r in kinds:
        found = solve(AGENTS["mce"](beta=2.0), world, reward)
        assert_policy(found, plan_of_oracle("mce", P, r, 0.9, 2.0, available, terminal), 0.9)


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("blocked", ["stay", "unavailable"])
def test_grids(name, blocked):
    world = gi.gridworld("s..x\n.#..\n...a", terminal="a", slip=0.1, blocked=blocked, discount=0.95)
    reward = gi.StateReward.at(world, {"x": -1.0, "a": 9.0}, default=-0.1, on="arrival")
    mdp = world.mdp
    found = solve(AGENTS[name](beta=3.0), world, reward)
    r = oracles.arrival(mdp.dense(), reward.values)
    assert_policy(found, plan_of_oracle(name, mdp.dense(), r, 0.95, 3.0, mdp.available, mdp.terminal), 0.95)


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("discount", [0.95, 0.999])
def test_sparse_and_dense_agree(name, discount, monkeypatch):
    """More states than the dense solver takes, against the same problem with the limit raised, and the oracle."""
    world = gi.garnet(jax.random.key(1), states=200, actions=3, branching=4, discount=discount, terminal=3)
    assert world.n_states > bicgstab.DENSE_STATES
    reward = gi.StateReward(np.random.default_rng(0).normal(size=200), on="departure")
    agent = AGENTS[name](beta=5.0)
    sparse = solve(agent, world, reward)
    monkeypatch.setattr(bicgstab, "DENSE_STATES", 10_000)
    with computing_in("float64"):
        dense = jax.device_get(jax.jit(lambda agent, *args: agent.policies(*args))(*cast((agent, world.mdp, reward))))
    np.testing.assert_allclose(sparse.log_probs, dense.log_probs, atol=1e-9 / (1 - discount) ** 0.5)
    if discount < 0.99:
        P = world.mdp.dense()
        r = oracles.departure(P, reward.values)
        assert_policy(sparse, plan_of_oracle(name, P, r, discount, 5.0, None, world.mdp.terminal), discount)


# -- undiscounted, with goals ------------------------------------------------------------------------


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("beta", [1.0, 2.0, 100.0])
def test_undiscounted_goals_with_dead_ends(name, beta):
    """From state 4 and 5 no goal can be reached: their value is finite and given, their policy uniform."""
    P = specimens.moves([[1, 4, 0], [2, 0, 1], [3, 1, 2], [3, 3, 3], [5, 4, 4], [4, 5, 5]])
    P[0, 0] = [0.1, 0.9, 0, 0, 0, 0]
    world = gi.from_arrays(P, discount=1.0, initial=[0])
    reward = gi.goals(world, {"end": 3}, step_cost=2.0, bonus=3.0)["end"]
    np.testing.assert_array_equal(reward.dead, [False] * 4 + [True] * 2)
    assert reward.dead_end == -12.0
    pinned = np.array([np.nan, np.nan, np.nan, 0.0, -12.0, -12.0])
    exact = getattr(oracles, name)(P, -2.0 + oracles.arrival(P, 3.0 * (np.arange(6) == 3)), 1.0, beta, pinned=pinned)
    found = solve(AGENTS[name](beta=beta), world, reward)
    np.testing.assert_allclose(np.exp(found.log_probs[:3]), exact.policy[:3], atol=1e-10)
    np.testing.assert_allclose(np.exp(found.log_probs[4:]), 1 / 3, atol=1e-12)
    np.testing.assert_allclose(found.values / beta, exact.V, atol=1e-10)
    assert np.isfinite(found.log_probs).all()


def test_derivatives_at_dead_ends_are_finite():
    world = gi.gridworld("a.s#..", discount=1.0)
    reward = gi.goals(world, {"a": "a"}, step_cost=2.0)["a"]

    def score(cost):
        wants = eqx.tree_at(lambda r: r.step_cost, reward, cost)
        return gi.agents.soft_optimal(beta=1.0).policies(world.mdp, wants).log_probs.sum()

    with computing_in("float64"):
        slope, curvature = jax.jit(lambda cost: (jax.grad(score)(cost), jax.hessian(score)(cost)))(jnp.asarray(2.0))
        near = [float(jax.jit(score)(jnp.asarray(2.0 + step))) for step in (1e-4, -1e-4)]
    assert float(slope) == pytest.approx((near[0] - near[1]) / 2e-4, rel=1e-6)
    assert np.isfinite(curvature)


def test_values_of_dead_ends_leave_their_policy_uniform():
    world = gi.gridworld("a.s#..", discount=1.0)
    reward = gi.goals(world, {"a": "a"})["a"]
    policy = gi.agents.soft_optimal(beta=4.0).policy(world, reward)
    np.testing.assert_allclose(policy.values[np.asarray(reward.dead)], 0.25)
    assert np.asarray(reward.dead).sum() == 2


def test_endless_problems_are_refused_when_planned_only():
    endless = gi.from_arrays(golden.G3_P, discount=1.0)  # building it is fine
    for make in AGENTS.values():
        with pytest.raises(ValueError, match="cannot end from state 0, 1, 2: use a discount below 1"):
            make(beta=1.0).policy(endless, G3_REWARD)
        assert make(beta=1.0, horizon=3).policy(endless, G3_REWARD).shape == (3, 3, 2)


def test_no_finite_value():
    """Undiscounted, walking to and fro may gain more than it costs: no fixed point, said in words."""
    hall = gi.gridworld("s.a", discount=1.0, stay=True)
    cheap = gi.goals(hall, {"a": "a"}, step_cost=0.5)["a"]
    with pytest.raises(gi.errors.ConvergenceError, match=r"step costs above log\(number of actions\)/beta"):
        gi.agents.soft_optimal(beta=1.0).policy(hall, cheap)
    gi.agents.boltzmann(beta=1.0).policy(hall, cheap)  # needs no more than a cost
    dear = gi.goals(hall, {"a": "a"}, step_cost=2.0)["a"]
    assert np.isfinite(gi.agents.soft_optimal(beta=1.0).policy(hall, dear)).all()
    gain = gi.goals(hall, {"a": "a"}, step_cost=-1.0)["a"]
    with pytest.raises(gi.errors.ConvergenceError):
        gi.agents.boltzmann(beta=1.0).policy(hall, gain)


# -- limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1.0, 5e3])
def test_choices_sum_to_one_in_single_precision(size):
    q = np.float32(size) + np.zeros((3, 2), np.float32)
    everywhere = np.ones((3, 2), bool), np.ones(2, bool)
    for log_probs in (Softmax(1.0)(q, *everywhere), Softmax(1.0)(jnp.asarray(q), *everywhere)):
        np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("make", AGENTS.values())
def test_horizon_one_is_a_greedy_softmax(make):
    world, _, available, terminal, rng = random_problem(5, 0.9)
    r = rng.normal(size=(S, A))
    found = make(beta=3.0, horizon=1).policy(world, gi.ActionReward(r)).values[0]
    scores = np.where(available, np.exp(3.0 * r), 0.0)
    np.testing.assert_allclose(found[~terminal], (scores / scores.sum(1, keepdims=True))[~terminal], atol=1e-12)


@pytest.mark.parametrize("name", AGENTS)
def test_finite_horizons(name):
    world, P, available, terminal, rng = random_problem(6, 1.0)
    r = rng.normal(size=(S, A))
    backup = oracles.hard if name == "boltzmann_q" else oracles.soft(2.0)
    exact = oracles.finite(P, r, 1.0, 2.0, 5, backup, available, terminal)
    found = solve(AGENTS[name](beta=2.0, horizon=5), world, gi.ActionReward(r))
    np.testing.assert_allclose(np.exp(found.log_probs)[:, ~terminal], exact.policy[:, ~terminal], atol=1e-12)
    np.testing.assert_allclose(found.values / 2.0, exact.V[:-1], atol=1e-12)


@pytest.mark.parametrize("make", AGENTS.values())
def test_long_horizons_are_stationary(make):
    endless = solve(make(beta=2.0), G3, G3_REWARD)
    longest = solve(make(beta=2.0, horizon=400), G3, G3_REWARD)
    np.testing.assert_allclose(longest.log_probs[0], endless.log_probs, atol=1e-12)
    # |difference| <= discount^H max|r| / (1 - discount) in Q, for the hard backup
    if make is gi.agents.boltzmann:
        short = solve(make(beta=2.0, horizon=20), G3, G3_REWARD)
        assert np.abs(short.values[0] - endless.values).max() <= 2.0 * 0.9**20 * 1.0 / (1 - 0.9)


@pytest.mark.parametrize("make", AGENTS.values())
def test_temperatures(make):
    uniform = make(beta=0.0).policy(G3, G3_REWARD)
    np.testing.assert_allclose(uniform, 0.5, atol=1e-12)
    np.testing.assert_allclose(make(beta=1e-9).policy(G3, G3_REWARD), 0.5, atol=1e-7)
    cold = make(beta=1000.0).policy(G3, G3_REWARD)
    np.testing.assert_allclose(cold.sel(action=0), [1.0, 0.0, 0.0], atol=1e-10)
    tie = gi.ActionReward(np.array([[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]))
    same = gi.from_arrays(np.repeat(golden.G3_P[:, :1], 2, axis=1), discount=0.9)
    np.testing.assert_allclose(make(beta=1000.0).policy(same, tie), 0.5, atol=1e-12)  # ties are split


# -- compiled, batched, differentiated -----------------------------------------------------------------


@functools.cache
def generic():
    world, *_, rng = random_problem(11, 0.9)
    with computing_in("float64"):
        return cast(world.mdp), jnp.asarray(rng.normal(size=(4, S, A)))


@pytest.mark.parametrize("make", AGENTS.values())
def test_vmap_and_jit(make):
    mdp, rewards = generic()
    with computing_in("float64"):
        program = jax.jit(jax.vmap(lambda beta, r: make(beta=beta).policies(mdp, gi.ActionReward(r)).log_probs))
        found = program(jnp.arange(4.0), rewards)
        for beta, r, one in zip(range(4), rewards, found, strict=True):
            np.testing.assert_allclose(
                make(beta=float(beta)).policies(mdp, gi.ActionReward(r)).log_probs, one, atol=1e-12
            )


@pytest.mark.parametrize("make", AGENTS.values())
def test_derivatives_are_finite(make):
    """First and second, at unavailable actions and terminal states too."""
    mdp, rewards = generic()
    weights = np.where(mdp.available, np.linspace(0.5, 1.5, A), 0.0)

    def score(x):
        log_probs = make(beta=x[0]).policies(mdp, gi.ActionReward(x[1:].reshape(S, A))).log_probs
        return jnp.sum(jnp.where(mdp.available, log_probs, 0.0) * weights)

    with computing_in("float64"):
        derivatives = jax.jit(lambda x: (jax.grad(score)(x), jax.hessian(score)(x)))
        for beta in (0.0, 1.0, 1000.0):
            gradient, hessian = derivatives(jnp.append(rewards[0].ravel(), beta)[np.r_[-1, 0 : S * A]])
            assert np.isfinite(gradient).all()
            assert np.isfinite(hessian).all()
            np.testing.assert_allclose(hessian, hessian.T, atol=1e-8 * max(1.0, np.abs(hessian).max()))


# -- precision ---------------------------------------------------------------------------------------


def test_single_precision_within_its_range():
    exact = solve(gi.agents.soft_optimal(beta=2.0), G3, G3_REWARD)
    rough = solve(gi.agents.soft_optimal(beta=2.0), G3, G3_REWARD, precision="float32")
    assert rough.log_probs.dtype == np.float32
    np.testing.assert_allclose(rough.log_probs, exact.log_probs, atol=2e-4)
    assert not jax.config.jax_enable_x64


def test_single_precision_is_refused_beyond():
    slow = gi.from_arrays(golden.G3_P, discount=0.999)
    with pytest.raises(gi.errors.PrecisionError, match=r"values reach .* float32 .* use precision='float64'"):
        solve(gi.agents.soft_optimal(beta=1000.0), slow, G3_REWARD, precision="float32")
    exact = oracles.mce(golden.G3_P, golden.G3_R, 0.999, 1000.0)
    assert_policy(solve(gi.agents.soft_optimal(beta=1000.0), slow, G3_REWARD), exact, 0.999)
