"""The Jacobian of the log-policy: against finite differences of code that shares nothing with it."""

import jax
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest

import goalinf as gi
from goalinf.identify.local.jacobian import log_policy_jacobian

RNG = np.random.default_rng(5)
S, A, BETA, DISCOUNT = 4, 3, 2.0, 0.9
P = oracles.random_law(RNG, S, A, S)
AVAILABLE = np.array([[True, True, True], [True, False, True], [False, True, True], [True, True, True]])
TERMINAL = np.array([False, False, False, True])
WORLD = gi.from_arrays(P, available=AVAILABLE, terminal=TERMINAL, discount=DISCOUNT)
FEATURES = RNG.normal(size=(S, A, 2))
POTENTIAL = RNG.normal(size=S) * ~TERMINAL

KINDS = {
    "departure": (gi.StateReward(RNG.normal(size=S), on="departure"), lambda x: oracles.departure(P, x)),
    "arrival": (gi.StateReward(RNG.normal(size=S), on="arrival"), lambda x: oracles.arrival(P, x)),
    "action": (gi.ActionReward(RNG.normal(size=(S, A))), lambda x: x),
    "transition": (gi.TransitionReward(RNG.normal(size=(S, A, S))), lambda x: oracles.expected(P, x)),
    "linear": (gi.LinearReward(FEATURES, RNG.normal(size=2)), lambda x: FEATURES @ x),
    "shaped": (
        gi.ShapedReward(gi.StateReward(RNG.normal(size=S), on="departure"), POTENTIAL),
        lambda x: oracles.departure(P, x) + oracles.shaping(P, DISCOUNT, POTENTIAL),
    ),
}
AGENTS = {
    "soft": (
        gi.agents.soft_optimal(beta=BETA),
        lambda r, beta, g: oracles.mce(P, r, g, beta, AVAILABLE, TERMINAL).policy,
    ),
    "boltzmann": (
        gi.agents.boltzmann(beta=BETA),
        lambda r, beta, g: oracles.boltzmann_q(P, r, g, beta, AVAILABLE, TERMINAL).policy,
    ),
    "horizon": (
        gi.agents.soft_optimal(beta=BETA, horizon=3),
        lambda r, beta, g: oracles.finite(P, r, g, beta, 3, oracles.soft(beta), AVAILABLE, TERMINAL).policy,
    ),
}


def parameter(reward):
    base = getattr(reward, "base", reward)
    return getattr(base, base.parameters[0])


def log_policy(policy):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(AVAILABLE & ~TERMINAL[:, None], np.log(policy), 0.0)


@pytest.mark.parametrize(
    ("kind", "agent"), [(kind, "soft") for kind in KINDS] + [("action", "boltzmann"), ("departure", "horizon")]
)
def test_finite_differences(kind, agent):
    """With terminal states and unavailable actions, for the reward, log beta and the discount at once."""
    reward, income = KINDS[kind]
    agent, policy = AGENTS[agent]
    start = parameter(reward)
    name = f"reward.{getattr(reward, 'base', reward).parameters[0]}"

    def f(x):
        r = income(start + x[:-2].reshape(start.shape))
        if kind == "shaped":  # its potential is discounted by the discount of the world
            r = r + x[-1] * P @ POTENTIAL
        return log_policy(policy(r, BETA * np.exp(x[-2]), DISCOUNT + x[-1]))

    found = log_policy_jacobian(WORLD, agent, reward, wrt=(name, "agent.beta", "discount"))
    exact = oracles.jacobian(f, np.zeros(start.size + 2))
    np.testing.assert_allclose(found.log_policy[0], exact, atol=1e-8)
    np.testing.assert_array_equal(found.rows[0], AVAILABLE & ~TERMINAL[:, None])
    pays = oracles.jacobian(lambda x: income(start + x.reshape(start.shape)), np.zeros(start.size))
    np.testing.assert_allclose(
        found.expected_reward[0, ..., : start.size], np.where(found.rows[0][..., None], pays, 0), atol=1e-8
    )
    assert [column.size for column in found.columns] == [start.size, 1, 1]


def test_fisher_information():
    """beta^2 sum_s d(s) G_s' (diag pi_s - pi_s pi_s') G_s with G = (I - E Pi)(I - gamma P Pi)^-1."""
    world = gi.from_arrays(P, discount=DISCOUNT)
    r = RNG.normal(size=(S, A))
    visits = np.array([3.0, 0.0, 1.0, 2.5])
    policy = oracles.mce(P, r, DISCOUNT, BETA).policy
    copies, average = np.kron(np.eye(S), np.ones((A, 1))), np.zeros((S, S * A))
    for s in range(S):
        average[s, s * A : (s + 1) * A] = policy[s]
    eye = np.eye(S * A)
    G = (eye - copies @ average) @ np.linalg.inv(eye - DISCOUNT * P.reshape(S * A, S) @ average)
    expected = np.zeros((S * A, S * A))
    for s in range(S):
        rows = G[s * A : (s + 1) * A]
        expected += BETA**2 * visits[s] * rows.T @ (np.diag(policy[s]) - np.outer(policy[s], policy[s])) @ rows
    found = log_policy_jacobian(world, gi.agents.soft_optimal(beta=BETA), gi.ActionReward(r))
    np.testing.assert_allclose(found.log_policy.reshape(S * A, S * A), BETA * G, atol=1e-10)
    np.testing.assert_allclose(found.fisher(visits), expected, atol=1e-10)
    assert np.linalg.matrix_rank(expected, 1e-8) == 3 * (A - 1)  # three of the four states are visited


def test_several_worlds():
    """Worlds of different shapes and discounts are stacked; each part is that of the world alone."""
    other = gi.from_arrays(oracles.random_law(RNG, S, 2, S), discount=0.5)
    reward = gi.StateReward(RNG.normal(size=S), on="arrival")
    agent = gi.agents.soft_optimal(beta=BETA)
    both = log_policy_jacobian({"x": WORLD, "y": other}, agent, reward)
    assert both.log_policy.shape == (2, S, A, S)
    for i, world in enumerate((WORLD, other)):
        alone = log_policy_jacobian(world, agent, reward)
        np.testing.assert_allclose(both.log_policy[i, :, : world.n_actions], alone.log_policy[0], atol=1e-12)
    assert not both.rows[1, :, 2].any()
    assert len(both.matrix()) == both.rows.sum()
    np.testing.assert_array_equal(both.matrix(np.array([[True] * S, [False] * S])), both.log_policy[0][both.rows[0]])


def test_known_rewards_of_several_contexts():
    rewards = {name: gi.StateReward(RNG.normal(size=S), on="departure") for name in "ab"}
    found = log_policy_jacobian(WORLD, gi.agents.soft_optimal(beta=BETA), rewards, wrt=("agent.beta",))
    assert found.log_policy.shape == (2, S, A, 1)
    for i, reward in enumerate(rewards.values()):
        alone = log_policy_jacobian(WORLD, gi.agents.soft_optimal(beta=BETA), reward, wrt=("agent.beta",))
        np.testing.assert_allclose(found.log_policy[i], alone.log_policy[0], atol=1e-12)
    with pytest.raises(ValueError, match="several rewards have to be known"):
        log_policy_jacobian(WORLD, gi.agents.soft_optimal(beta=BETA), rewards)


def test_refusals():
    reward = gi.StateReward(np.zeros(S), on="departure")
    with pytest.raises(
        ValueError, match=r"no parameter 'agent\.gamma'; there are reward\.values, agent\.beta, discount"
    ):
        log_policy_jacobian(WORLD, gi.agents.soft_optimal(beta=1.0), reward, wrt=("agent.gamma",))
    with pytest.raises(ValueError, match="prior stands where a number is needed"):
        log_policy_jacobian(WORLD, gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)), reward)
    big = gi.open_grid(100, 100, discount=0.9)
    with pytest.raises(ValueError, match=r"GB\): use a smaller world, or features"):
        log_policy_jacobian(big, gi.agents.soft_optimal(beta=1.0), gi.StateReward.zero(big))
    endless = gi.from_arrays(P, discount=1.0)
    with pytest.raises(ValueError, match="cannot end"):
        log_policy_jacobian(endless, gi.agents.soft_optimal(beta=1.0), reward)
    hall = gi.gridworld("s.a", terminal="a", discount=1.0)
    with pytest.raises(gi.errors.ConvergenceError):  # walking to and fro pays for ever
        log_policy_jacobian(hall, gi.agents.soft_optimal(beta=1.0), gi.StateReward(np.ones(3), on="departure"))


def test_precision_outside_is_left_alone():
    log_policy_jacobian(WORLD, gi.agents.soft_optimal(beta=1.0), gi.StateReward(np.zeros(S), on="departure"))
    assert not jax.config.jax_enable_x64
