"""The oracles of biased agents and of histories: golden numbers, limits, invariances."""

import itertools
import math

import agent_oracles as agents
import golden
import history_oracles as histories
import numpy as np
import oracles
import pytest
import specimens

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


def same(found, expected, atol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


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


def test_habits():
    Q = OPTIMAL.Q
    same(histories.persevering(Q, BETA, 0.5, []), OPTIMAL.policy, 1e-15)
    same(histories.persevering(Q, BETA, 0.0, [0, 1], 0.3), OPTIMAL.policy, 1e-15)
    same(histories.choice_kernel([0, 1, 1], 1.0, 2), [[0, 0], [1, 0], [0, 1], [0, 1]], 0)
    same(histories.choice_kernel([0, 1, 1], 0.5, 2), [[0, 0], [0.5, 0], [0.25, 0.5], [0.125, 0.75]], 0)


# -- latent modes -----------------------------------------------------------------------------


def random_policies(n, seed=3):
    return oracles.random_law(np.random.default_rng(seed), n, 3, 2)


STATES, ACTIONS = [0, 1, 2, 2, 0], [0, 1, 1, 0, 1]


def score(modes, states=STATES, actions=ACTIONS):
    return histories.modes_log_likelihood(*modes, states, actions)


def alone(policy, states=STATES, actions=ACTIONS):
    return oracles.log_likelihood(policy, [states], [actions])


def some_modes():
    one, two, three = random_policies(3)
    ends = np.array([[0.0, 0.3, 1.0], [1.0, 0.0, 0.5], [0.2, 0.2, 0.2]])
    return {
        "commitment": histories.plan_commitment([one, two, three], [0.5, 0.3, 0.2], [1, 2, 2], 0.1),
        "commitment without end": histories.plan_commitment([one, two], [0.6, 0.4], [2, np.inf], 0.3),
        "switching": histories.goal_switching([one, two, three], [0.5, 0.3, 0.2], 0.4),
        "abandonment": histories.abandonment(one, two, 0.2, 0.3),
        "via-points": histories.via_points(one, [two, three], [1, 2], 0.5),
        "subgoals": histories.subgoals([one, two, three], [2, 0], 0.3),
        "options": histories.options(
            np.array([[1, 0, 0], [0, 2, -np.inf], [0, 0, 1.0]]), [one, two, three], ends, 1.5, 0.1, 0.2
        ),
    }


@pytest.mark.parametrize("name", some_modes())
def test_modes_are_distributions(name):
    modes = some_modes()[name]
    same(modes.initial.sum(-1), 1.0, 1e-14)
    same(modes.kernel.sum(-1), 1.0, 1e-14)
    assert (modes.initial >= 0).all()
    assert (modes.kernel >= 0).all()
    total = [score(modes, STATES[:3], actions) for actions in itertools.product(range(2), repeat=3)]
    assert math.fsum(map(math.exp, total)) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("name", some_modes())
def test_paths_of_modes_sum_as_the_forward_algorithm(name):
    policies, initial, kernel = some_modes()[name]
    belief = initial[STATES[0]] if initial.ndim == 2 else initial
    total = 0.0
    for t, (s, a) in enumerate(zip(STATES, ACTIONS, strict=True)):
        if t:
            belief = belief @ (kernel[s] if kernel.ndim == 3 else kernel)
        belief = belief * policies[:, s, a]
        total += math.log(belief.sum())
        belief /= belief.sum()
    assert score((policies, initial, kernel)) == pytest.approx(total, rel=1e-13)


def test_plan_commitment():
    policies, prior = random_policies(3), np.array([0.5, 0.3, 0.2])
    mixture = np.log([sum(prior * policies[:, s, a]) for s, a in zip(STATES, ACTIONS, strict=True)]).sum()
    for durations, replan in (([1, 2, 3], 1.0), ([1, 1, 1], 0.0), ([np.inf] * 3, 1.0)):
        modes = histories.plan_commitment(policies, prior, durations, replan)
        assert score(modes) == pytest.approx(mixture, rel=1e-13)
    episode = sum(p * math.exp(alone(policy)) for p, policy in zip(prior, policies, strict=True))
    for_ever = histories.plan_commitment(policies, prior, [np.inf] * 3, 0.0)
    assert score(for_ever) == pytest.approx(math.log(episode), rel=1e-13)
    for_long = histories.plan_commitment(policies[:2], prior[:2] / 0.8, [3, 4], 0.0)  # longer than what is seen
    for_ever = histories.plan_commitment(policies[:2], prior[:2] / 0.8, [np.inf] * 2, 0.0)
    short = STATES[:3], ACTIONS[:3]
    assert score(for_long, *short) == pytest.approx(score(for_ever, *short), rel=1e-13)
    every_other = histories.plan_commitment(policies, prior, [2, 2, 2], 0.0)
    blocks = [(STATES[i : i + 2], ACTIONS[i : i + 2]) for i in (0, 2, 4)]
    drawn = [sum(p * math.exp(alone(pi, *block)) for p, pi in zip(prior, policies, strict=True)) for block in blocks]
    assert score(every_other) == pytest.approx(sum(map(math.log, drawn)), rel=1e-13)
    assert score(histories.plan_commitment([OPTIMAL.policy], [1.0], [np.inf], 0.3)) == pytest.approx(
        alone(OPTIMAL.policy)
    )


def test_goal_switching():
    policies, prior = random_policies(3), np.array([0.5, 0.3, 0.2])
    episode = sum(p * math.exp(alone(policy)) for p, policy in zip(prior, policies, strict=True))
    assert score(histories.goal_switching(policies, prior, 0.0)) == pytest.approx(math.log(episode), rel=1e-13)
    mixture = np.log([sum(prior * policies[:, s, a]) for s, a in zip(STATES, ACTIONS, strict=True)]).sum()
    assert score(histories.goal_switching(policies, prior, 1.0)) == pytest.approx(mixture, rel=1e-13)


def test_abandonment():
    pursuing, default = random_policies(2)
    assert score(histories.abandonment(pursuing, default, 0.0)) == pytest.approx(alone(pursuing), rel=1e-13)
    once = alone(pursuing, STATES[:1], ACTIONS[:1]) + alone(default, STATES[1:], ACTIONS[1:])
    assert score(histories.abandonment(pursuing, default, 1.0)) == pytest.approx(once, rel=1e-13)
    same_policy = histories.abandonment(pursuing, pursuing, 0.3)
    assert score(same_policy) == pytest.approx(alone(pursuing), rel=1e-13)
    survival = np.linalg.matrix_power(same_policy.kernel, 4)[0, 0]
    assert survival == pytest.approx(0.7**4, rel=1e-14)


def test_via_points():
    goal, first, second = random_policies(3)
    assert score(histories.via_points(goal, [first, second], [1, 2], 0.0)) == pytest.approx(alone(goal), rel=1e-13)
    assert score(histories.via_points(goal, [], [], 0.5)) == pytest.approx(alone(goal), rel=1e-13)

    def segments(policy, hit):
        return math.exp(alone(policy, STATES[:hit], ACTIONS[:hit]) + alone(goal, STATES[hit:], ACTIONS[hit:]))

    both = histories.via_points(goal, [first, second], [1, 2], 0.6)
    expected = 0.4 * segments(goal, 5) + 0.3 * segments(first, 1) + 0.3 * segments(second, 2)
    assert score(both) == pytest.approx(math.log(expected), rel=1e-13)
    at_the_start = histories.via_points(goal, [first], [0], 1.0)  # hit before anything is chosen
    assert score(at_the_start) == pytest.approx(alone(goal), rel=1e-13)


def test_subgoals():
    one, two, goal = random_policies(3)
    for forget, direct in ((1.0, True), (0.0, False)):
        modes = histories.subgoals([one, two, goal], [1, 2], forget)
        in_order = alone(one, STATES[:1], ACTIONS[:1]) + alone(two, STATES[1:2], ACTIONS[1:2])
        in_order += alone(goal, STATES[2:], ACTIONS[2:])
        assert score(modes) == pytest.approx(alone(goal) if direct else in_order, rel=1e-13)
    # each subset of the list that may be remembered, as a list of its own that is never forgotten
    policies, places, f, total = [one, two], [2, 0], 0.3, 0.0
    for kept in itertools.product([False, True], repeat=2):
        some = [i for i in range(2) if kept[i]]
        modes = histories.subgoals([*(policies[i] for i in some), goal], [places[i] for i in some], 0.0)
        total += math.prod(1 - f if keep else f for keep in kept) * math.exp(score(modes))
    assert score(histories.subgoals([one, two, goal], places, f)) == pytest.approx(math.log(total), rel=1e-13)
    single = histories.subgoals([one, goal], [1], 0.4)  # a list of one is a via-point
    assert score(single) == pytest.approx(score(histories.via_points(goal, [one], [1], 0.6)), rel=1e-13)


def test_options():
    primitive = np.stack([np.tile(np.eye(2)[a], (3, 1)) for a in range(2)])
    Q = histories.option_values(P, R, DISCOUNT, primitive, np.ones((2, 3)))
    same(Q, OPTIMAL.Q, 1e-11)
    modes = histories.options(Q, primitive, np.ones((2, 3)), BETA, 0.0, 0.0)
    assert score(modes) == pytest.approx(alone(OPTIMAL.policy), rel=1e-11)

    policies = random_policies(2)
    for_ever = histories.option_values(P, R, DISCOUNT, policies, np.zeros((2, 3)))
    for o in range(2):
        same(for_ever[:, o], agents.worth(P, R, DISCOUNT, policies[o]))
    drawn = agents.act(for_ever, BETA)
    episode = math.log(sum(drawn[STATES[0], o] * math.exp(alone(policies[o])) for o in range(2)))
    never = np.zeros((2, 3))
    for ends, early, overshoot in ((never, 0.0, 0.0), (never + 1, 0.0, 1.0)):
        assert score(histories.options(for_ever, policies, ends, BETA, early, overshoot)) == pytest.approx(episode)
    always = np.log([drawn[s] @ policies[:, s, a] for s, a in zip(STATES, ACTIONS, strict=True)]).sum()
    for ends, early, overshoot in ((never + 1, 0.0, 0.0), (never, 1.0, 0.0)):
        assert score(histories.options(for_ever, policies, ends, BETA, early, overshoot)) == pytest.approx(always)


def test_options_with_an_end_and_a_place_to_start():
    terminal = np.array([False, False, True])
    starts = np.array([[True, False, True], [True, True, True]])
    policies, ends = random_policies(2), np.array([[0.2, 0.6, 1.0], [1.0, 0.3, 1.0]])
    Q = histories.option_values(P, R, DISCOUNT, policies, ends, starts, terminal)
    assert Q[1, 0] == -np.inf
    # the same equations, solved for what goes on as a linear system
    best = [max(Q[0]), Q[1, 1], 0.0]
    r, moves = (policies * R).sum(2), np.einsum("osa,sat->ost", policies, P)
    for o in range(2):
        stay = DISCOUNT * moves[o] * (1 - ends[o])
        gain = r[o] + DISCOUNT * moves[o] @ (ends[o] * best)
        value = np.linalg.solve(np.eye(2) - stay[:2, :2], gain[:2])
        same(Q[:2, o][starts[o, :2]], value[starts[o, :2]], 1e-11)


# -- learning ---------------------------------------------------------------------------------


def test_q_learning():
    states, actions, rewards, arrivals = [0, 1, 2, 0], [0, 1, 0, 0], [1.0, 0.5, -0.5, 2.0], [1, 2, 0, 1]
    still = histories.q_learning(states, actions, rewards, arrivals, 0.0, BETA, DISCOUNT, OPTIMAL.Q)
    assert still.sum() == pytest.approx(oracles.log_likelihood(OPTIMAL.policy, [states], [actions]), rel=1e-13)
    bandit = histories.q_learning([0, 0], [0, 0], [1.0, 1.0], [0, 0], 0.25, 4.0, 0.0, np.zeros((1, 2)))
    same(bandit, [math.log(0.5), -math.log1p(math.exp(-1.0))], 1e-15)
    ended = histories.q_learning(
        [0, 0], [0, 0], [1.0, 1.0], [1, 1], 0.25, 4.0, 0.9, np.full((2, 2), 8.0), terminal=[False, True]
    )
    same(ended[1], -math.log1p(math.exp(4.0 * 0.25 * 7.0)), 1e-13)


def stay(reward, common, **parameters):
    """Log-odds of repeating the first choice after one trial."""
    c, s = 0, 0 if common else 1
    logs = [histories.two_step([c, again], [s, 0], [0, 0], [reward, 0.0], **parameters)[1, 0] for again in (0, 1)]
    return logs[0] - logs[1]


def test_two_step():
    parameters = {"a1": 0.5, "a2": 0.4, "b1": 5.0, "b2": 3.0, "lam": 0.6, "p": 0.1, "w": 0.4}
    first = histories.two_step([0], [1], [0], [1.0], **parameters)
    same(first, np.log([[0.5, 0.5]]), 1e-15)
    # after a common rewarded trial, by hand: MB .7 a2 against .3 a2, MF a1 lam against 0, and the habit
    by_hand = 5.0 * (0.4 * (0.7 - 0.3) * 0.4 + 0.6 * 0.5 * 0.6 + 0.1)
    assert stay(1.0, True, **parameters) == pytest.approx(by_hand, rel=1e-13)
    trial = histories.two_step([0, 1], [1, 1], [0, 0], [1.0, 1.0], **parameters)
    assert trial[1, 1] == pytest.approx(-math.log1p(math.exp(-3.0 * 0.4)), rel=1e-13)


def test_two_step_limits():
    common = {"a1": 0.5, "a2": 0.4, "b1": 5.0, "b2": 3.0, "lam": 1.0, "p": 0.0}
    for reward in (1.0, -1.0, 0.0):
        model_based = [stay(reward, kind, w=1.0, **common) for kind in (True, False)]
        assert sum(model_based) == pytest.approx(0.0, abs=1e-13)  # interaction with the transition alone
        model_free = [stay(reward, kind, w=0.0, **common) for kind in (True, False)]
        assert model_free[0] == pytest.approx(model_free[1], abs=1e-13)  # the transition does not matter
        assert model_free[0] == pytest.approx(5.0 * 0.5 * reward, abs=1e-13)
    # with lam = 1 the model-free value of the first stage never sees the second: it follows the rewards alone
    trials = [0, 0, 1, 0, 0], [0, 1, 1, 0, 1], [0, 1, 0, 1, 1], [1.0, 0.0, 1.0, 1.0, 0.0]
    values, logs = np.zeros(2), []
    for c, R in zip(trials[0], trials[3], strict=True):
        logs.append(math.log(agents.act(values, 5.0)[c]))
        values[c] += 0.5 * (R - values[c])
    same(histories.two_step(*trials, w=0.0, **common)[:, 0], logs, 1e-13)
