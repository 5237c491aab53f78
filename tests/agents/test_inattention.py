"""Rational inattention that is foreseen: against an oracle, its limits, what information is worth, other solutions."""

import agent_oracles as exact
import golden
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from biases import random_dense
from named_agents import G3, G3_REWARD, GOAL

import goalinf as gi
from goalinf.agents import Inattentive, PlanningAgent, Softmax
from goalinf.planning.bellman import Problem
from goalinf.planning.solvers import bicgstab
from goalinf.planning.solvers.blahut_arimoto import PlannedValues
from goalinf.precision import cast, computing_in

START = np.asarray(G3.mdp.initial)


def asked(d, beta):
    """The policy and the habit of the oracle."""
    return d.ask(exact.foreseen_inattention, d.discount, beta, np.asarray(d.world.mdp.initial))


@pytest.mark.filterwarnings("ignore::goalinf.errors.SeveralSolutionsWarning")
@pytest.mark.parametrize("beta", [0.3, 2.0, 8.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_habit_is_the_marginal_of_the_policy(seed, beta):
    d = random_dense(seed, 0.9)
    found = gi.agents.rational_inattention(beta=beta, foreseen=True).policy(d.world, d.reward()).values
    expected = asked(d, beta)[0]
    np.testing.assert_allclose(found[~d.terminal], expected[~d.terminal], atol=1e-8)


def test_dear_attention_is_not_paid_at_all_and_cheap_attention_is_optimal():
    dear = gi.agents.rational_inattention(beta=0.1, foreseen=True).policy(G3, G3_REWARD)
    assert gi.agents.policy_complexity(dear) == pytest.approx(0.0, abs=1e-9)
    fixed = [
        START @ np.linalg.solve(np.eye(3) - golden.G3_DISCOUNT * golden.G3_P[:, a], golden.G3_R[:, a]) for a in (0, 1)
    ]
    assert dear.values.argmax(1).tolist() == [int(np.argmax(fixed))] * 3
    cheap = gi.agents.rational_inattention(beta=500.0, foreseen=True).policy(G3, G3_REWARD)
    best = oracles.boltzmann_q(golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, 1.0).Q.argmax(1)
    np.testing.assert_allclose(cheap, np.eye(2)[best], atol=1e-6)


def test_a_nat_more_is_worth_one_over_beta():
    """On the frontier of discounted reward and discounted information."""

    def frontier(beta):
        policy = gi.agents.rational_inattention(beta=beta, foreseen=True).policy(G3, G3_REWARD)
        moves = np.einsum("sa,sat->st", policy.values, golden.G3_P)
        visits = np.linalg.solve(np.eye(3) - golden.G3_DISCOUNT * moves.T, START)
        reward = visits @ (policy.values * golden.G3_R).sum(1)
        return reward, visits.sum() * gi.agents.policy_complexity(policy, visits)

    (more, dear), (less, cheap) = frontier(10.01), frontier(9.99)
    assert (more - less) / (dear - cheap) == pytest.approx(1 / 10.0, rel=1e-5)


def test_derivatives():
    d = random_dense(3, 0.9)
    with computing_in("float64"):
        mdp = cast(d.world.mdp)

        def policy(x):
            return jnp.exp(
                gi.agents.rational_inattention(beta=jnp.exp(x[0]), foreseen=True)
                .policies(mdp, gi.ActionReward(x[1:].reshape(d.counted.shape)))
                .log_probs
            )

        x = np.append(np.log(4.0), oracles.expected(d.P, d.R).ravel())
        along = np.random.default_rng(0).normal(size=x.size)
        run = jax.jit(policy)
        _, found = jax.jit(lambda x: jax.jvp(policy, (x,), (jnp.asarray(along),)))(x)
        expected = (run(x + 1e-5 * along) - run(x - 1e-5 * along)) / 2e-5
        np.testing.assert_allclose(found[d.counted], expected[d.counted], atol=1e-7)
        weights = jnp.asarray(np.random.default_rng(1).normal(size=found.shape) * d.counted)
        reverse = jax.jit(jax.grad(lambda x: (weights * policy(x)).sum()))(x)
        assert float(reverse @ along) == pytest.approx(float((weights * found).sum()), rel=1e-9)


def test_visits_in_worlds_whose_linear_systems_are_iterated(monkeypatch):
    """Visits are exact for any habit: a system of equations, by elimination."""
    monkeypatch.setattr(bicgstab, "DENSE_STATES", 0)
    world = gi.garnet(0, states=20, actions=3, branching=3, discount=0.95)
    P, start = world.mdp.dense(), np.asarray(world.mdp.initial)
    habit, reward, values = np.array([0.3, 0.6, 0.1]), np.random.default_rng(0).normal(size=(20, 3)), np.zeros(20)
    for _ in range(1000):
        q = 2.0 * reward + 0.95 * P @ values
        values = np.log(np.exp(q) @ habit)
    policy = habit * np.exp(q - values[:, None])
    moves = np.einsum("sa,sat->st", policy, P)
    with computing_in("float64"):
        planned = PlannedValues(cast(Problem.of(world.mdp, gi.ActionReward(reward), 2.0)))
        visits, share, _ = planned.visits(jnp.asarray(habit), jnp.asarray(values))
    np.testing.assert_allclose(visits, np.linalg.solve(np.eye(20) - 0.95 * moves.T, start), rtol=1e-9)
    np.testing.assert_allclose(np.asarray(share).T * habit, policy, rtol=1e-9)


def test_where_one_habit_is_as_good_as_another():
    hall = gi.gridworld("a.s.b", moves=("left", "right"), discount=0.9)
    both = gi.StateReward.at(hall, {"a": 1.0, "b": 1.0}, default=0.0, on="departure")
    with pytest.warns(
        gi.errors.SeveralSolutionsWarning, match="from a uniform habit.*with a larger beta, there is one"
    ):
        found = gi.agents.rational_inattention(beta=1.0, foreseen=True).policy(hall, both)
    np.testing.assert_allclose(found, found.values[::-1, ::-1], atol=1e-9)  # neither is preferred


def test_complexity():
    hall = gi.gridworld("s.a.", moves=("left", "right"), discount=0.9)
    reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    optimal = gi.agents.boltzmann(beta=1e4).policy(hall, reward)
    assert gi.agents.policy_complexity(optimal, [1, 1, 0, 0]) == pytest.approx(0.0, abs=1e-12)  # always right
    assert gi.agents.policy_complexity(optimal, [1, 0, 0, 1]) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="axes step, state, action; expected state and action"):
        gi.agents.policy_complexity(gi.agents.finite_horizon(horizon=2, beta=1.0).policy(hall, reward))
    with pytest.raises(ValueError, match=r"visits has shape \(3,\); this world needs \(4,\)"):
        gi.agents.policy_complexity(optimal, [1, 1, 1])
    with pytest.raises(ValueError, match="visits are the frequencies of the states"):
        gi.agents.policy_complexity(optimal, [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: gi.agents.rational_inattention(beta=1.0, foreseen=True, visits=[1, 1, 1]),
            "visits are given; with foreseen=True",
        ),
        (
            lambda: gi.agents.rational_inattention(beta=1.0, foreseen=True, horizon=3),
            "horizon is 3, but rational_inattention has",
        ),
        (
            lambda: PlanningAgent(planner=Inattentive(), choice=Softmax(1.0, [0.3, 0.7])).policy(G3, G3_REWARD),
            "determines its own default policy: leave default out",
        ),
        (
            lambda: gi.agents.rational_inattention(beta=1.0, foreseen=True).policy(
                gi.from_arrays(golden.G3_P, discount=0.9, initial=2), GOAL
            ),
            "starts only in states without a decision",
        ),
    ],
)
def test_what_means_nothing(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()
