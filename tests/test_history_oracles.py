"""The oracles of histories: habits, latent modes and learning against limits and numbers by hand."""

import itertools
import math

import agent_oracles as agents
import golden
import history_oracles as histories
import numpy as np
import oracles
import pytest
from oracles import same

P, R, DISCOUNT, BETA = golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, golden.G3_BETA
OPTIMAL = oracles.boltzmann_q(P, R, DISCOUNT, BETA)


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
