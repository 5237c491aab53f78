"""Biases put together, and where planning is hard."""

import agent_oracles as exact
import numpy as np
import oracles
import pytest
from biases import BIASES, HABIT, Dense, assert_same, quick, random_dense
from problems import A, S

import goalinf as gi
from goalinf.agents import (
    CVaR,
    EntropicRisk,
    Extremal,
    ForeseesSlips,
    IllusionOfControl,
    Lapse,
    Optimism,
    PlanningAgent,
    QuasiHyperbolic,
    Slip,
    Softmax,
    ValueIteration,
    solve,
)

# -- combinations -----------------------------------------------------------------------------------


def tilted(w, discount):
    def judge(p, R, V):
        x = R + discount * V
        T = p * np.exp(w * x)
        return T @ x / T.sum()

    return judge


def worst(alpha, discount):
    def judge(p, R, V):
        x, left, total = R + discount * V, alpha, 0.0
        for i in np.argsort(x):
            mass = min(p[i], left)
            total, left = total + mass * x[i], left - mass
        return total / (alpha - left)

    return judge


def judged(d, judge, P=None, slip=0.0):
    """V -> Q, in which a choice has the outcomes of what is done."""
    P = d.P if P is None else P

    def q_of(V):
        Q = np.full((S, A), -np.inf)
        for s, a in zip(*np.nonzero(d.available), strict=True):
            even = d.available[s] / d.available[s].sum()
            p = (((1 - slip) * np.eye(A)[a] + slip * even)[:, None] * P[s]).ravel()
            Q[s, a] = judge(p[p > 0], d.R[s].ravel()[p > 0], np.tile(V, A)[p > 0])
        return np.where(d.terminal[:, None], np.nan, Q)

    return q_of


def swept(q_of, backup, d, count):
    """Q after backups of the value zero, the first of time last."""
    V, found = np.zeros(S), []
    for _ in range(count):
        found.insert(0, q_of(V))
        V = np.where(d.terminal, 0.0, backup(found[0]))
    return np.array(found)


BETAS = np.array([0.5, 1.0, 2.0, 4.0, 3.0, 1.5])


def softly(Q):
    return oracles.log_sum_exp(BETAS[:, None] * Q) / BETAS


def act(Q):
    return exact.act(BETAS[:, None] * Q, 1.0)


def test_outlook_with_a_soft_backup_and_a_temperature_for_every_state():
    d = random_dense(7, 0.9)
    for outlook, judge in ((Optimism(0.7), tilted(0.7, 0.9)), (CVaR(0.4), worst(0.4, 0.9))):
        Q = exact.solve(judged(d, judge), softly, S, d.terminal)[1]
        assert_same(
            solve(
                PlanningAgent(planner=ValueIteration("soft", outlook=outlook), choice=Softmax(BETAS)),
                d.world,
                d.reward(),
            ),
            act(Q),
            d,
        )
    Q = exact.solve(judged(d, lambda p, R, V: p @ (R + 0.9 * V)), softly, S, d.terminal)[1]
    assert_same(
        solve(PlanningAgent(planner=ValueIteration("soft"), choice=Softmax(BETAS)), d.world, d.reward()), act(Q), d
    )


def test_outlook_with_a_horizon_a_depth_and_a_discount_of_its_own():
    d = random_dense(8, 0.9)
    q_of = judged(d, tilted(-0.8, 0.7))
    ways = {"horizon": swept(q_of, softly, d, 4), "depth": swept(q_of, softly, d, 4)[0]}
    for way, Q in ways.items():
        planner = ValueIteration("soft", **{way: 4}, outlook=Optimism(-0.8), discount=0.7)
        assert_same(solve(PlanningAgent(planner=planner, choice=Softmax(BETAS)), d.world, d.reward()), act(Q), d)


def test_illusion_and_optimism_and_lapses():
    d = random_dense(9, 0.9)
    believed = d.P**2 / (d.P**2).sum(-1, keepdims=True)
    Q = exact.solve(judged(d, tilted(0.6, 0.9), believed), oracles.hard, S, d.terminal)[1]
    agent = PlanningAgent(IllusionOfControl(2.0), ValueIteration(outlook=Optimism(0.6)), Softmax(2.0), Lapse(0.2))
    assert_same(solve(agent, d.world, d.reward()), exact.lapse(exact.act(Q, 2.0), 0.2, d.available), d)


@pytest.mark.parametrize(("outlook", "judge"), [(Optimism(0.6), tilted(0.6, 0.9)), (CVaR(0.4), worst(0.4, 0.9))])
def test_foreseen_slips_with_an_outlook(outlook, judge):
    """A slip is one more chance that the outlook sees."""
    d = random_dense(10, 0.9)
    Q = exact.solve(judged(d, judge, slip=0.3), oracles.hard, S, d.terminal)[1]
    agent = PlanningAgent(ForeseesSlips(), ValueIteration(outlook=outlook), Softmax(2.0), Slip(0.3, "intended"))
    assert_same(solve(agent, d.world, d.reward()), exact.act(Q, 2.0), d)


def test_default_of_its_own_choices_with_an_outlook():
    d = random_dense(11, 0.9)
    habit = np.where(d.available, HABIT, 0.0)
    with np.errstate(divide="ignore"):
        log_habit = np.log(habit / habit.sum(1, keepdims=True))
    q_of = judged(d, tilted(0.6, 0.9))
    Q = exact.solve(q_of, lambda Q: oracles.log_sum_exp(2.0 * Q + log_habit) / 2.0, S, d.terminal)[1]
    agent = PlanningAgent(planner=ValueIteration("soft", outlook=Optimism(0.6)), choice=Softmax(2.0, HABIT))
    assert_same(solve(agent, d.world, d.reward()), exact.act(Q, 2.0, log_habit), d)


# -- hard cases -------------------------------------------------------------------------------------


@pytest.mark.parametrize("discount", [pytest.param(0.99, marks=pytest.mark.slow), 0.999])
@pytest.mark.parametrize("outlook", [CVaR(0.3), EntropicRisk(-2.0), Optimism(1.0), Optimism(-30.0), Extremal(0.99)])
def test_far_sighted(outlook, discount):
    """The fixed point is one: its values are backed up by other code."""
    d = random_dense(12, discount)
    beta = 3.0
    found = solve(PlanningAgent(planner=ValueIteration(outlook=outlook), choice=Softmax(beta)), d.world, d.reward())
    V = found.values / beta
    judges = {
        CVaR: lambda o: worst(float(o.tail), discount),
        EntropicRisk: lambda o: (
            lambda p, R, V: oracles.log_sum_exp(np.log(p) + o.risk * (R + discount * V)) / float(o.risk)
        ),
        Optimism: lambda o: (
            lambda p, R, V: (
                lambda x: (lambda T: T @ x / T.sum())(p * np.exp(o.optimism * x - (o.optimism * x).max()))
            )(R + discount * V)
        ),
        Extremal: lambda o: lambda p, R, V: p @ np.maximum(R, (1 - o.peak) * R + o.peak * V),
    }
    Q = judged(d, judges[type(outlook)](outlook))(V)
    backed_up = np.where(d.terminal, 0.0, oracles.hard(Q))
    assert np.abs(backed_up - V).max() <= 1e-12 * (1 + np.abs(V).max())


@pytest.mark.parametrize("sophisticated", [False, True])
@pytest.mark.parametrize("beta", [20.0, 200.0, 2000.0])
def test_cold_agents_that_foresee_their_choices(beta, sophisticated):
    """There may be several fixed points; what is found is one of them, and the same every time."""
    b = 0.6 if sophisticated else 1.0
    planner = QuasiHyperbolic(b, sophisticated=True) if sophisticated else ValueIteration("mean")
    for seed in range(6):
        d = random_dense(seed, 0.9)
        found, again = (
            solve(PlanningAgent(planner=planner, choice=Softmax(beta)), d.world, d.reward()) for _ in range(2)
        )
        np.testing.assert_array_equal(found.log_probs, again.log_probs)
        policy = np.exp(found.log_probs)
        U = exact.worth(d.P, d.R, d.discount, policy, d.terminal)
        Q = exact.masked(oracles.expected(d.P, d.R) + b * 0.9 * d.P @ U, d.available, d.terminal)
        assert np.nanmax(np.abs(exact.act(Q, beta) - policy)) <= 1e-10 * beta


STOPPING = [
    "entropic",
    "optimism",
    "mean",
    "present bias, sophisticated",
    "present bias, naive",
    "successor",
    "slip, aware",
]


@pytest.mark.parametrize("name", quick(STOPPING, ("entropic", "present bias, sophisticated", "successor")))
def test_undiscounted(name):
    """Every state leads to the end, and steps cost."""
    d = random_dense(13, 0.9)
    P = 0.8 * d.P + 0.2 * np.eye(S)[S - 1]
    world = gi.from_arrays(P, available=d.available, terminal=d.terminal, discount=1.0)
    d = Dense(world, world.mdp.dense(), d.R - 1.0, 1.0, d.available, d.terminal)
    bias = BIASES[name]
    x = bias.draw(np.random.default_rng(1))
    assert_same(bias.solve(d, 2.0, *x), bias.policy(d, 2.0, *x), d)


def test_who_counts_on_the_worst_may_never_arrive():
    """Undiscounted, the worst half of all outcomes never leads to the end: no value is finite, which is said."""
    P = np.array([[[0.6, 0.4]], [[0.0, 1.0]]])
    world = gi.from_arrays(P, terminal=[False, True], discount=1.0)
    for tail, fine in ((0.5, False), (0.9, True)):
        agent = PlanningAgent(planner=ValueIteration(outlook=CVaR(tail)), choice=Softmax(1.0))
        reward = gi.ActionReward(np.array([[-1.0], [0.0]]))
        if fine:  # V = -1 + 0.6 / 0.9 V
            assert solve(agent, world, reward).values[0] == pytest.approx(-3.0)
        else:
            with pytest.raises(gi.errors.ConvergenceError):
                solve(agent, world, reward)
