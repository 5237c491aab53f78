"""The oracles of biased agents: golden numbers, limits, invariances."""

import math

import agent_oracles as agents
import golden
import history_oracles as histories
import numpy as np
import oracles
import pytest
import specimens
from oracles import same

P, R, DISCOUNT, BETA = golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, golden.G3_BETA
QUICK = 0.5  # another discount: fewer sweeps than on G3
OPTIMAL = oracles.boltzmann_q(P, R, DISCOUNT, BETA)
SIX_DIGITS = {"rtol": 0, "atol": 5e-7}
DETERMINISTIC = specimens.ring(3)


def swapped(P):
    return P[:, [1, 0, *range(2, P.shape[1])]]


def hyperbolic(sophisticated):
    return lambda *a, **k: agents.delayed(*a[:2], a[3], lambda d: 1 / (1 + d), 6, sophisticated, **k).policy[0]


def planned(planner, *parameters):
    return lambda *a, **k: planner(*a, *parameters, **k).policy


def chosen(rule):
    """A rule of choice on the optimal Q: rule(Q, beta, available, terminal)."""
    return lambda P, R, discount, beta, available=None, terminal=None: rule(
        agents.linear(P, R, discount, beta, oracles.hard, available, terminal).Q, beta, available, terminal
    )


def evenly(terminal, n_states):
    ongoing = np.ones(n_states) if terminal is None else 1.0 - terminal
    return ongoing / ongoing.sum()


def inattentive(Q, beta, available, terminal):
    return agents.rational_inattention(Q, beta, evenly(terminal, len(Q)))[0]


# Every row of the table: policy(P, R, discount, beta, available=None, terminal=None), (S, A).
AGENTS = {
    "boltz_operator": planned(agents.boltz_operator),
    "lookahead 2": planned(agents.lookahead, 2),
    "greedy": planned(agents.lookahead, 1),
    "myopic discount .5": lambda P, R, discount, beta, **k: agents.linear(P, R, 5 / 9 * discount, beta, **k).policy,
    "hyperbolic naive k=1 H=6": hyperbolic(False),
    "hyperbolic sophisticated k=1 H=6": hyperbolic(True),
    "quasi-hyperbolic naive .6": planned(agents.quasi_naive, 0.6),
    "quasi-hyperbolic sophisticated .6": planned(agents.quasi_sophisticated, 0.6),
    "chan_hyperbolic .1": planned(agents.chan_hyperbolic, 0.1),
    "KL default (.8, .2)": lambda P, *a, **k: agents.kl_default(P, *a, [0.8, 0.2, 0.0][: P.shape[1]], **k).policy,
    "rational inattention 1/3": chosen(inattentive),
    "entropic -1": planned(agents.entropic, -1.0),
    "entropic +1": planned(agents.entropic, 1.0),
    "CVaR .5": planned(agents.cvar, 0.5),
    "prospect log 2": planned(agents.prospect_log, 2.0),
    "prospect power .88 2.25": planned(agents.prospect_power, 0.88, 2.25),
    "optimism +1": planned(agents.optimism, 1.0),
    "optimism -1": planned(agents.optimism, -1.0),
    "illusion 2": planned(agents.illusion_of_control, 2.0),
    "illusion 0": planned(agents.illusion_of_control, 0.0),
    "extremal .5": lambda P, R, discount, beta, **k: agents.extremal(P, R, beta, 0.5, **k).policy,
    "false dynamics: swapped .2": lambda P, *a, **k: agents.false_dynamics(P, *a, swapped(P), 0.2, **k).policy,
    "lapse .1": chosen(lambda Q, beta, available, _: agents.lapse(agents.act(Q, beta), 0.1, available)),
    "anti_boltzmann": chosen(lambda Q, beta, *_: agents.act(Q, -beta)),
    "perseveration .5 after 0": chosen(lambda Q, beta, *_: histories.persevering(Q, beta, 0.5, [1, 1, 0])),
    "successor": planned(agents.successor),
    "hybrid .5": planned(agents.successor, 0.5),
    "satisficing .2 10": chosen(lambda Q, *_: agents.satisficing(Q, 0.2, 10.0)),
    "slip aware .2": planned(agents.slip_aware, 0.2),
    "slip unaware .2": chosen(lambda Q, beta, available, _: agents.lapse(agents.act(Q, beta), 0.2, available)),
}


# -- the table --------------------------------------------------------------------------------


def test_every_row_has_an_oracle():
    assert AGENTS.keys() == golden.G3_AGENT_POLICY.keys()


@pytest.mark.parametrize("name", AGENTS)
def test_golden(name):
    policy = AGENTS[name](P, R, DISCOUNT, BETA)
    np.testing.assert_allclose(policy[:, 0], golden.G3_AGENT_POLICY[name], **SIX_DIGITS)
    np.testing.assert_allclose(policy.sum(1), 1.0, rtol=1e-12)


def test_golden_values():
    chan = agents.chan_hyperbolic(P, R, DISCOUNT, BETA, 0.1)
    np.testing.assert_allclose(chan.V, golden.G3_V_CHAN_HYPERBOLIC, **SIX_DIGITS)
    habit = agents.rational_inattention(OPTIMAL.Q, BETA, np.full(3, 1 / 3))[1]
    np.testing.assert_allclose(habit, golden.G3_INATTENTIVE_HABIT, **SIX_DIGITS)


# Theory 1.8: the reward plus a constant, shaped, and with its expectation spread differently over successors.
EXPECTED = dict.fromkeys(AGENTS, (True, True, True))
for family, invariant in {
    ("lookahead", "greedy", "myopic", "hyperbolic", "quasi-hyperbolic"): (True, False, True),
    ("entropic", "CVaR", "optimism", "illusion", "false"): (True, True, False),
    ("extremal",): (True, False, False),
    ("prospect", "chan_hyperbolic"): (False, False, False),
}.items():
    EXPECTED |= {name: invariant for name in AGENTS if name.startswith(family)}


@pytest.mark.parametrize("name", AGENTS)
def test_invariances(name):
    rng = np.random.default_rng(0)
    transition = R[:, :, None] + 0.3 * rng.normal(size=P.shape)
    potential = rng.normal(size=3)
    spread = rng.normal(size=P.shape)
    spread -= (P * spread).sum(2, keepdims=True)
    log_policy = lambda reward: np.log(AGENTS[name](P, reward, QUICK, BETA))  # noqa: E731
    others = transition + 0.7, transition + QUICK * potential - potential[:, None, None], transition + 0.3 * spread
    changes = [np.abs(log_policy(other) - log_policy(transition)).max() for other in others]
    assert tuple(change < 1e-7 for change in changes) == EXPECTED[name], changes


@pytest.mark.parametrize("name", AGENTS)
def test_what_is_unavailable_is_as_good_as_absent(name):
    available = np.array([[True, True, False]] * 3)
    wide = np.concatenate([P, np.full((3, 1, 3), 1 / 3)], axis=1), np.concatenate([R, np.full((3, 1), 9.0)], axis=1)
    ends = np.array([False, False, True])
    for terminal in (None, ends):
        found = AGENTS[name](*wide, QUICK, BETA, available=available, terminal=terminal)
        expected = AGENTS[name](P, R, QUICK, BETA, terminal=terminal)
        same(found[:, :2], expected)
        assert np.isnan(found[2]).all() == (terminal is not None)
        same(found[:2, 2], 0.0, 0)


@pytest.mark.parametrize("name", [name for name in AGENTS if not name.startswith("rational")])
def test_what_comes_after_the_end_does_not_matter(name):
    """A terminal state is a state of no reward that is never left, as far as the others are concerned.

    Not so for rational inattention: what is done in a state that is never left would count.
    """
    terminal = np.array([False, False, True])
    absorbing, nothing = P.copy(), R.copy()
    absorbing[2], nothing[2] = [0, 0, 1], 0.0
    found = AGENTS[name](P, R, QUICK, BETA, terminal=terminal)
    same(found[:2], AGENTS[name](absorbing, nothing, QUICK, BETA)[:2])


# -- limits: planners ---------------------------------------------------------------------------


def test_planners_that_become_optimal():
    rng = np.random.default_rng(1)
    transition = rng.normal(size=P.shape)
    problem = P, transition, QUICK, BETA
    best = oracles.boltzmann_q(P, oracles.expected(P, transition), QUICK, BETA)
    for plan in (
        agents.linear(*problem),
        agents.lookahead(*problem, 400),
        agents.lookahead(*problem, 3, leaf=best.V),
        agents.quasi_naive(*problem, 1.0),
        agents.chan_hyperbolic(*problem, 0.0),
        agents.entropic(*problem, 0.0),
        agents.cvar(*problem, 1.0),
        agents.optimism(*problem, 0.0),
        agents.illusion_of_control(*problem, 1.0),
        agents.false_dynamics(*problem, swapped(P), 0.0),
        agents.successor(*problem, 1.0),
        agents.successor(*problem, default=np.eye(2)[best.Q.argmax(1)]),
        agents.slip_aware(*problem, 0.0),
        agents.judged(P, transition, BETA, lambda p, R, V: p @ (R + QUICK * V)),
    ):
        same(plan.Q, best.Q, 1e-11)
        same(plan.policy, best.policy)
    same(agents.prospect_power(P, R, QUICK, BETA, 1.0, 1.0).Q, oracles.boltzmann_q(P, R, QUICK, BETA).Q, 1e-11)
    same(agents.prospect_log(P, 1e-6 * R, QUICK, BETA, 1.0).Q * 1e6, oracles.boltzmann_q(P, R, QUICK, BETA).Q, 1e-5)
    for theta in (1e-7, -1e-7):
        same(agents.entropic(*problem, theta).Q, best.Q, 1e-5)


def test_planners_that_become_greedy():
    greedy = oracles.act(R, BETA)
    for plan in (
        agents.lookahead(P, R, DISCOUNT, BETA, 1),
        agents.linear(P, R, 0.0, BETA),
        agents.quasi_naive(P, R, DISCOUNT, BETA, 0.0),
        agents.quasi_sophisticated(P, R, DISCOUNT, BETA, 0.0),
        agents.extremal(P, R, BETA, 0.0),
        agents.successor(P, R, 0.0, BETA),
    ):
        same(plan.policy, greedy, 1e-13)


def test_boltz_operator_is_hard_at_high_beta():
    same(agents.boltz_operator(P, R, DISCOUNT, 2000.0).V, OPTIMAL.V)


def test_lookahead_is_the_first_step_of_a_horizon():
    for depth in (1, 2, 5):
        expected = oracles.finite(P, R, DISCOUNT, BETA, depth, oracles.hard).policy[0]
        same(agents.lookahead(P, R, DISCOUNT, BETA, depth).policy, expected, 1e-14)


def undelayed(beta, discount, backup, horizon=5):
    return oracles.finite(P, R, discount, beta, horizon, backup)


def test_delays():
    boltz = lambda Q: agents.mean(agents.act(Q, BETA), Q)  # noqa: E731
    flat, steep = (lambda d: 1.0), (lambda d: 1 / (1 + 2.0 * d))
    for sophisticated in (False, True):
        same(agents.delayed(P, R, BETA, flat, 5, sophisticated).policy, undelayed(BETA, 1.0, boltz).policy)
        one = agents.delayed(P, R, BETA, steep, 1, sophisticated)
        same(one.policy, oracles.act(R, BETA)[None], 1e-15)
        exponential = agents.delayed(P, R, 5000.0, lambda d: 0.8**d, 5, sophisticated)
        same(exponential.Q, undelayed(1.0, 0.8, oracles.hard).Q)
    naive, sophisticated = (agents.delayed(P, R, BETA, steep, 5, kind).policy for kind in (False, True))
    same(naive[-2:], sophisticated[-2:], 0.02)  # one step ahead the delay changes only how noisy one expects to be
    assert np.abs(naive[0] - sophisticated[0]).max() > 1e-3


def test_present_bias():
    same(agents.quasi_sophisticated(P, R, DISCOUNT, BETA, 1.0).Q, agents.boltz_operator(P, R, DISCOUNT, BETA).Q, 1e-11)
    departure = oracles.departure(P, np.array([1.0, -0.5, 2.0]))
    biased = agents.quasi_naive(P, departure, DISCOUNT, BETA, 0.6).policy
    same(biased, oracles.boltzmann_q(P, 0.6 * departure, DISCOUNT, BETA).policy)
    arrival = oracles.arrival(P, np.array([1.0, -0.5, 2.0]))
    biased = agents.quasi_naive(P, arrival, DISCOUNT, BETA, 0.6).policy
    assert np.abs(biased - oracles.boltzmann_q(P, 0.6 * arrival, DISCOUNT, BETA).policy).max() > 0.01


def test_default_policy():
    even, soft = agents.kl_default(P, R, DISCOUNT, BETA, [0.5, 0.5]), oracles.mce(P, R, DISCOUNT, BETA)
    same(even.policy, soft.policy)
    same(even.V, soft.V - math.log(2) / (BETA * (1 - DISCOUNT)), 1e-11)
    habit = np.array([[0.8, 0.2], [0.3, 0.7], [0.0, 1.0]])
    same(agents.kl_default(P, R, DISCOUNT, 1e-7, habit).policy, habit, 1e-6)
    eager = agents.kl_default(P, R, DISCOUNT, 500.0, habit)
    same(eager.policy, np.eye(2)[np.where(habit[:, 0] > 0, OPTIMAL.Q.argmax(1), 1)], 1e-6)
    same(agents.kl_default(P, R, DISCOUNT, BETA, habit).policy[2], [0.0, 1.0], 0)


def test_rational_inattention():
    for s in range(3):
        point = agents.rational_inattention(OPTIMAL.Q, BETA, np.eye(3)[s])[0][s]
        same(point, np.eye(2)[OPTIMAL.Q[s].argmax()], 1e-11)
    weights = np.array([0.2, 0.5, 0.3])
    uncaring = agents.rational_inattention(OPTIMAL.Q, 0.05, weights)[0]
    same(uncaring - uncaring[0], 0.0, 0.05)  # nearly the same in all states
    same(agents.rational_inattention(OPTIMAL.Q, 300.0, weights)[0], oracles.act(OPTIMAL.Q, 300.0), 1e-7)

    def frontier(beta):
        policy, q = agents.rational_inattention(OPTIMAL.Q, beta, weights)
        same(weights @ policy, q, 1e-11)
        return weights @ (policy * OPTIMAL.Q).sum(1), weights @ (policy * np.log(policy / q)).sum(1)

    (more, dear), (less, cheap) = frontier(BETA + 1e-3), frontier(BETA - 1e-3)
    assert (more - less) / (dear - cheap) == pytest.approx(1 / BETA, rel=1e-5)


# -- limits: risk and distortion ------------------------------------------------------------------


def extreme(choose):
    """Planning for the best or the worst of the possible outcomes."""
    return agents.judged(P, R, BETA, lambda p, R, V: choose(R + QUICK * V)).V


def test_extreme_risk():
    problem = P, R, QUICK, BETA
    for choose, sign in ((max, 1), (min, -1)):
        same(agents.entropic(*problem, sign * 1e7).V, extreme(choose), 1e-5)
        same(agents.optimism(*problem, sign * 1e7).V, extreme(choose))
    same(agents.cvar(*problem, 1e-9).V, extreme(min))


def test_extreme_control():
    likely = np.eye(3)[P.argmax(2)]
    likely[1, 0] = [0.5, 0.5, 0.0]  # two outcomes are equally likely
    same(agents.illusion_of_control(P, R, QUICK, BETA, 5000.0).Q, oracles.boltzmann_q(likely, R, QUICK, BETA).Q)
    even = (P > 0) / (P > 0).sum(2, keepdims=True)
    same(agents.illusion_of_control(P, R, QUICK, BETA, 0.0).Q, oracles.boltzmann_q(even, R, QUICK, BETA).Q, 1e-11)


@pytest.mark.parametrize("name", ["entropic +1", "CVaR .5", "optimism -1", "illusion 2", "illusion 0"])
def test_no_risk_where_nothing_is_random(name):
    same(AGENTS[name](DETERMINISTIC, R, QUICK, BETA), oracles.boltzmann_q(DETERMINISTIC, R, QUICK, BETA).policy)


# -- limits: wrong models, choice, execution --------------------------------------------------------


def test_believing_the_opposite():
    found = agents.false_dynamics(P, R, DISCOUNT, BETA, swapped(P), 1.0)
    same(found.Q, oracles.boltzmann_q(swapped(P), R, DISCOUNT, BETA).Q, 1e-11)


def test_hybrid_mixes_q():
    alone, both = agents.successor(P, R, DISCOUNT, BETA), agents.successor(P, R, DISCOUNT, BETA, 0.3)
    same(both.Q, 0.3 * OPTIMAL.Q + 0.7 * alone.Q)


def test_anti_rational_agents_are_two():
    same(agents.negate(agents.linear, P, -R, DISCOUNT, BETA).policy, OPTIMAL.policy, 1e-14)
    opposite = oracles.boltzmann_q(P, -R, DISCOUNT, BETA)
    assert np.abs(agents.act(opposite.Q, -BETA) - OPTIMAL.policy).max() > 0.01


def test_choice_and_execution():
    Q, policy = OPTIMAL.Q, OPTIMAL.policy
    same(agents.lapse(policy, 0.0), policy, 0)
    same(agents.lapse(policy, 1.0), 0.5, 0)
    same(agents.satisficing(np.array([[1.0, 1.0, 0.9]]), 0.0, 1e4), [[0.5, 0.5, 0.0]], 1e-15)
    same(agents.satisficing(Q, 1e4, 10.0), 0.5, 1e-15)
    same(agents.act(np.array([[1.0, -np.inf, 0.0]]), 0.0), [[0.5, 0.0, 0.5]], 0)
