"""Where a bias vanishes or is all there is (theory, part 1), and what each bias cannot see (theory 1.8)."""

import agent_oracles as exact
import numpy as np
import oracles
import pytest
from biases import BIASES, HABIT, OTHER, assert_same, quick, random_dense
from hypothesis import given, settings
from problems import G3, G3_REWARD, A, S, seeds

import goalinf as gi
from goalinf.agents import (
    CVaR,
    DefaultPolicy,
    EntropicRisk,
    Extremal,
    FalseDynamics,
    ForeseesSlips,
    Hyperbolic,
    HyperbolicBellman,
    IllusionOfControl,
    Lapse,
    Negated,
    Optimism,
    PlanningAgent,
    Prospect,
    QuasiHyperbolic,
    RationalInattention,
    Satisficing,
    Slip,
    Softmax,
    SuccessorRepresentation,
    ValueIteration,
    solve,
)

BETA, DISCOUNT = 2.0, 0.9


def looks(outlook, **planning):
    return PlanningAgent(planner=ValueIteration(outlook=outlook, **planning), choice=Softmax(BETA))


def plans(planner):
    return PlanningAgent(planner=planner, choice=Softmax(BETA))


HARD, GREEDY, UNIFORM = (
    plans(ValueIteration()),
    plans(ValueIteration(discount=0.0)),
    PlanningAgent(choice=DefaultPolicy()),
)
MEAN_4 = plans(ValueIteration("mean", 4, discount=1.0))
SOFT = plans(ValueIteration("soft"))

SAME = {
    "no risk": (looks(EntropicRisk(0.0)), HARD),
    "hardly any risk": (looks(EntropicRisk(1e-13)), HARD),
    "all of the tail": (looks(CVaR(1.0)), HARD),
    "no optimism": (looks(Optimism(0.0)), HARD),
    "no illusion": (PlanningAgent(IllusionOfControl(1.0), choice=Softmax(BETA)), HARD),
    "no peak": (looks(Extremal(0.0)), GREEDY),
    "gains as they are": (looks(Prospect(1.0, 1.0)), HARD),
    "no hyperbola": (looks(HyperbolicBellman(0.0)), HARD),
    "no present bias": (plans(QuasiHyperbolic(1.0)), HARD),
    "no present bias, foreseen": (plans(QuasiHyperbolic(1.0, sophisticated=True)), plans(ValueIteration("mean"))),
    "only the present": (plans(QuasiHyperbolic(0.0)), GREEDY),
    "only the present, foreseen": (plans(QuasiHyperbolic(0.0, sophisticated=True)), GREEDY),
    "impatience of its own": (plans(QuasiHyperbolic(0.4, 0.0)), GREEDY),
    "no delay": (plans(Hyperbolic(0.0, 4)), MEAN_4),
    "no delay, foreseen": (plans(Hyperbolic(0.0, 4, True)), MEAN_4),
    "one decision": (plans(ValueIteration(depth=1)), GREEDY),
    "far ahead": (plans(ValueIteration(depth=400)), HARD),
    "far ahead, softly": (plans(ValueIteration("soft", depth=400)), SOFT),
    "one temperature": (PlanningAgent(planner=ValueIteration("soft"), choice=Softmax(np.full(S, BETA))), SOFT),
    "all is good enough": (PlanningAgent(choice=Satisficing(1e4, 1.0)), UNIFORM),
    "no lapse": (PlanningAgent(choice=Softmax(BETA), noise=Lapse(0.0)), HARD),
    "only lapses": (PlanningAgent(choice=Softmax(BETA), noise=Lapse(1.0)), UNIFORM),
    "no slip": (PlanningAgent(choice=Softmax(BETA), noise=Slip(0.0)), HARD),
    "only slips": (PlanningAgent(choice=Softmax(BETA), noise=Slip(1.0)), UNIFORM),
    "no slip foreseen": (PlanningAgent(ForeseesSlips(), choice=Softmax(BETA), noise=Slip(0.0)), HARD),
    "only slips foreseen": (PlanningAgent(ForeseesSlips(), choice=Softmax(BETA), noise=Slip(1.0, "intended")), UNIFORM),
    "all of it model-based": (plans(SuccessorRepresentation(model_based=1.0)), HARD),
    "no temperature": (
        PlanningAgent(planner=ValueIteration("soft"), choice=Softmax(1e-14, HABIT)),
        PlanningAgent(choice=DefaultPolicy(HABIT)),
    ),
    "only a habit": (PlanningAgent(choice=Softmax(0.0, HABIT)), PlanningAgent(choice=DefaultPolicy(HABIT))),
    "the opposite of the opposite": (plans(Negated(Negated(ValueIteration("soft")))), SOFT),
}


@pytest.mark.parametrize("name", SAME)
def test_limits(name):
    for seed in (0, 1):
        d = random_dense(seed, DISCOUNT)
        one, other = (solve(agent, d.world, d.reward()) for agent in SAME[name])
        policy = np.where(d.terminal[:, None], np.nan, np.exp(other.log_probs))
        assert_same(one, np.broadcast_to(policy, one.log_probs.shape), d)


ENDS = {
    "best": ([looks(Optimism(1e6)), looks(EntropicRisk(1e8))], lambda p, x: x.max()),
    "worst": ([looks(Optimism(-1e6)), looks(EntropicRisk(-1e8)), looks(CVaR(1e-9))], lambda p, x: x.min()),
    "likeliest": ([PlanningAgent(IllusionOfControl(1e5), choice=Softmax(BETA))], lambda p, x: x[p.argmax()]),
    "any": ([PlanningAgent(IllusionOfControl(0.0), choice=Softmax(BETA))], lambda p, x: x.mean()),
}


@pytest.mark.parametrize("name", ENDS)
def test_extreme_outlooks(name):
    d = random_dense(2, DISCOUNT)
    agents, judge = ENDS[name]
    policy = d.ask(exact.judged, BETA, lambda p, R, V: judge(p, R + DISCOUNT * V)).policy
    for agent in agents:
        assert_same(solve(agent, d.world, d.reward()), policy, d, scale=1e8)  # 1e-8 of a risk of 1e8 is left


def test_risk_has_a_unit():
    """Rewards a thousand times as large, risk and beta so much smaller: the same, however small the risk is."""
    d = random_dense(2, DISCOUNT)
    for risk in (0.05, -0.02, 1e-4):
        policy = d.ask(exact.entropic, DISCOUNT, BETA, risk).policy
        agent = PlanningAgent(planner=ValueIteration(outlook=EntropicRisk(risk / 1e3)), choice=Softmax(BETA / 1e3))
        assert_same(solve(agent, d.world, d.reward(1e3 * d.R)), policy, d)


def test_one_decision_is_all():
    d = random_dense(3, DISCOUNT)
    greedy = solve(GREEDY, d.world, d.reward()).log_probs
    for planner in (Hyperbolic(3.0, 1), Hyperbolic(3.0, 1, True), ValueIteration("mean", 1), ValueIteration("soft", 1)):
        found = solve(plans(planner), d.world, d.reward()).log_probs[0]
        np.testing.assert_allclose(found[d.counted], greedy[d.counted], atol=1e-12)


@settings(max_examples=5)
@given(seed=seeds)
def test_looking_ahead_to_optimal_values(seed):
    d = random_dense(seed, DISCOUNT)
    optimal = solve(HARD, d.world, d.reward())
    for depth in (1, 3):
        agent = plans(ValueIteration(depth=depth, leaf=optimal.values / BETA))
        np.testing.assert_allclose(solve(agent, d.world, d.reward()).log_probs, optimal.log_probs, atol=1e-12)


def test_a_uniform_default_is_the_largest_entropy():
    """Where everything is available and nothing ends: values differ by a constant."""
    other = solve(PlanningAgent(planner=ValueIteration("soft"), choice=Softmax(BETA, np.full(2, 0.5))), G3, G3_REWARD)
    soft = solve(SOFT, G3, G3_REWARD)
    np.testing.assert_allclose(other.log_probs, soft.log_probs, atol=1e-12)
    np.testing.assert_allclose(soft.values - other.values, np.log(2) / (1 - 0.9), rtol=1e-12)


def test_cold_agents_are_optimal():
    hard = solve(PlanningAgent(choice=Softmax(1e3)), G3, G3_REWARD)
    for backup in ("mean", "soft"):
        found = solve(PlanningAgent(planner=ValueIteration(backup), choice=Softmax(1e3)), G3, G3_REWARD)
        np.testing.assert_allclose(np.exp(found.log_probs), np.exp(hard.log_probs), atol=1e-12)
    choosy = solve(PlanningAgent(choice=Satisficing(0.0, 1e6)), G3, G3_REWARD)
    np.testing.assert_allclose(np.exp(choosy.log_probs), np.exp(hard.log_probs), atol=1e-12)


def test_attention():
    """Without any, every state is alike; where only one state is met, or all is told apart, nothing need be learned."""
    r = gi.ActionReward(np.array([[1.0, 0.0], [0.0, 0.5], [-0.5, 0.25]]))
    for beta in (0.0, 1e-6, 1e-4):
        probs = np.exp(solve(PlanningAgent(choice=RationalInattention(beta)), G3, r).log_probs)
        np.testing.assert_allclose(probs, probs[[0, 0, 0]], atol=1e-3 if beta else 0.0)
    Q = oracles.boltzmann_q(G3.mdp.dense(), r.values, 0.9, 1.0).Q
    for beta in (1e-4, 1e-2, 1.0):  # without differences one always does what is best on average
        if beta < 0.1:
            probs = np.exp(solve(PlanningAgent(choice=RationalInattention(beta)), G3, r).log_probs)
            np.testing.assert_allclose(probs[:, Q.mean(0).argmax()], 1.0, atol=1e-6)
        for met in range(3):
            found = solve(PlanningAgent(choice=RationalInattention(beta, np.eye(3)[met])), G3, r)
            np.testing.assert_allclose(np.exp(found.log_probs[met]), np.eye(2)[Q[met].argmax()], atol=1e-6)
    cold = solve(PlanningAgent(choice=RationalInattention(1e3)), G3, r)
    np.testing.assert_allclose(np.exp(cold.log_probs), np.eye(2)[Q.argmax(1)], atol=1e-12)


def test_inattention_where_an_action_is_known_from_the_end_only():
    P = np.array([[[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]]] * 3)
    available = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    world = gi.from_arrays(P, available=available, terminal=[False, False, True], discount=0.9)
    r = np.array([[0.5, 0.0, 0.0], [0.2, 0.5, 0.0], [0.0, 0.0, 0.0]])
    Q = exact.linear(P, r, 0.9, 1.0, oracles.hard, available, np.array([False, False, True])).Q
    expected = exact.rational_inattention(Q, 2.0, np.array([0.5, 0.5, 0.0]))[0]
    found = solve(PlanningAgent(choice=RationalInattention(2.0)), world, gi.ActionReward(r))
    np.testing.assert_allclose(np.exp(found.log_probs[:2]), expected[:2], atol=1e-9)


def test_another_world_altogether():
    d = random_dense(4, DISCOUNT)
    r = oracles.expected(d.P, d.R)
    found = solve(PlanningAgent(FalseDynamics(1.0, OTHER), choice=Softmax(BETA)), d.world, gi.ActionReward(r))
    assert_same(found, exact.linear(OTHER.dense(), r, DISCOUNT, BETA, oracles.hard, d.available, d.terminal).policy, d)


def test_improving_on_what_is_optimal():
    d = random_dense(5, DISCOUNT)
    hard = solve(HARD, d.world, d.reward())
    best = np.eye(A)[np.where(d.available, hard.log_probs, -np.inf).argmax(1)]
    found = solve(plans(SuccessorRepresentation(best)), d.world, d.reward())
    np.testing.assert_allclose(found.log_probs[d.counted], hard.log_probs[d.counted], atol=1e-11)


OPPOSED = [
    "CVaR",
    "hard",
    "hyperbolic, naive",
    "lookahead",
    "mean",
    "optimism",
    "present bias, sophisticated",
    "successor",
]


@pytest.mark.parametrize("name", quick(OPPOSED, ("CVaR", "hard", "hyperbolic, naive", "lookahead")))
def test_the_opposite(name):
    """(-p)(-R) = p(R), exactly; and the twice negated is the same."""
    d, bias = random_dense(6, DISCOUNT), BIASES[name]
    agent = bias.agent(BETA, *bias.draw(np.random.default_rng(6)))
    negated = PlanningAgent(agent.beliefs, Negated(agent.planner), agent.choice, agent.noise)
    twice = PlanningAgent(agent.beliefs, Negated(negated.planner), agent.choice, agent.noise)
    expected = solve(agent, d.world, d.reward())
    np.testing.assert_array_equal(solve(negated, d.world, d.reward(-d.R)).log_probs, expected.log_probs)
    np.testing.assert_array_equal(solve(twice, d.world, d.reward()).log_probs, expected.log_probs)


def test_two_ways_to_be_anti_rational():
    negated, anti = (
        solve(a, G3, G3_REWARD)
        for a in (plans(Negated(ValueIteration())), PlanningAgent(choice=Softmax(BETA, sign=-1)))
    )
    assert np.abs(np.exp(negated.log_probs) - np.exp(anti.log_probs)).max() > 0.01


# -- what cannot be seen ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", quick(BIASES))
def test_invariances(name):
    """Yes and no, for a reward of transitions: a constant; a potential; the expectation spread over successors."""
    bias = BIASES[name]
    d = random_dense(21, DISCOUNT, terminal=False)
    rng = np.random.default_rng(21)
    x = [0.3 * low + 0.7 * high for low, high in bias.ranges]
    potential, spread = rng.normal(size=S), rng.normal(size=d.P.shape)
    spread = spread - (d.P * spread).sum(2, keepdims=True)
    shaping = DISCOUNT * potential - potential[:, None, None]
    before = bias.solve(d, BETA, *x).log_probs
    for kind, change, same in zip("csd", (0.7, shaping, spread), bias.invariant, strict=True):
        if kind == "s" and not bias.transitions:  # what a potential is worth is for the agent to believe
            base = gi.ActionReward(oracles.expected(d.P, d.R))
            after = solve(bias.agent(BETA, *x), d.world, gi.ShapedReward(base, potential)).log_probs
        else:
            after = bias.solve(d, BETA, *x, R=d.R + change).log_probs
        seen = np.abs(np.exp(after) - np.exp(before)).max()
        assert (seen < 1e-10) if same else (seen > 1e-4), (kind, seen)
