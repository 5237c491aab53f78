"""Dead ends: their value at every horizon, under opposite planners, under shaping, and for agents that learn."""

import goal_oracles
import numpy as np
import pytest

import goalinf as gi

# 0 - 1 - 2 - 3 in a row; from 1 a step falls into the pit 4, which nothing leaves; 0 and 3 may be terminal.
SUCCESSORS = [[0, 1, 0], [0, 2, 4], [1, 3, 2], [2, 3, 3], [4, 4, 4]]
BETA, GOAL = 0.8, {3}


def made(terminal, discount, **options):
    world = gi.from_arrays(
        successors=np.array(SUCCESSORS)[:, :, None],
        probabilities=np.ones((5, 3, 1)),
        terminal=sorted(terminal),
        initial=np.eye(5)[1],
        discount=discount,
    )
    return world, gi.goals(world, {"goal": 3}, step_cost=1.0, **options)["goal"]


def expected(terminal, discount, dead_end, steps=None, sign=1.0):
    return np.array(
        [
            goal_oracles.policy(SUCCESSORS, terminal, GOAL, dead_end, discount, BETA, state, steps, sign=sign)
            for state in range(5)
            if state not in terminal
        ]
    )


def chosen(agent, world, reward):
    policy = agent.policy(world, reward)
    return policy.isel(state=~np.asarray(world.mdp.terminal)).values


@pytest.mark.parametrize("terminal", [set(), {0}, {0, 3}])
@pytest.mark.parametrize("dead_end", [-5.0, -0.3, 2.0])
@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_dead_ends_keep_their_value_at_the_end_of_a_horizon(terminal, dead_end, horizon):
    world, reward = made(terminal, 0.9, dead_end=dead_end)
    found = chosen(gi.agents.boltzmann(beta=BETA, horizon=horizon), world, reward)
    for t in range(horizon):
        np.testing.assert_allclose(found[t], expected(terminal, 0.9, dead_end, horizon - t), atol=1e-12)
    looking = chosen(gi.agents.lookahead(depth=horizon, beta=BETA), world, reward)
    np.testing.assert_allclose(looking, expected(terminal, 0.9, dead_end, horizon), atol=1e-12)


@pytest.mark.parametrize("terminal", [set(), {0}, {0, 3}])
@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_dead_ends_without_a_horizon(terminal, discount):
    world, reward = made(terminal, discount)
    assert reward.pinned(world.mdp)[0].tolist() == [0 in terminal, False, False, False, True]
    found = chosen(gi.agents.boltzmann(beta=BETA), world, reward)
    np.testing.assert_allclose(found, expected(terminal, discount, -5.0), atol=1e-12)


@pytest.mark.parametrize("dead_end", [-5.0, -0.3])
@pytest.mark.parametrize("horizon", [1, 3])
def test_the_opposite_planner_values_dead_ends_by_the_opposite(dead_end, horizon):
    """It plans for -R: steps bring one each, and a dead end minus what it costs."""
    world, reward = made({0}, 0.9, dead_end=dead_end)
    found = chosen(gi.agents.anti_rational(beta=BETA, negated=True, horizon=horizon), world, reward)
    for t in range(horizon):
        np.testing.assert_allclose(found[t], expected({0}, 0.9, dead_end, horizon - t, sign=-1.0), atol=1e-12)


@pytest.mark.parametrize(
    "agent",
    [gi.agents.boltzmann(beta=BETA), gi.agents.soft_optimal(beta=BETA), gi.agents.boltzmann(beta=BETA, horizon=4)],
)
@pytest.mark.parametrize("terminal", [set(), {0}, {0, 3}])
def test_shaping_changes_no_policy_though_goals_and_dead_ends_have_a_value_of_their_own(agent, terminal):
    """The potential counts as zero there, whatever it is: in the policy of goal states, too."""
    world, reward = made(terminal, 0.9)
    plain = chosen(agent, world, reward)
    potential = np.array([3.0, -2.0, 1.0, 5.0, -4.0])
    if agent.horizon is None:  # at the end of a horizon the potential is no longer made up for
        np.testing.assert_allclose(chosen(agent, world, gi.ShapedReward(reward, potential)), plain, atol=1e-9)
    given = potential * np.array([0 in terminal, False, False, True, True])
    np.testing.assert_allclose(chosen(agent, world, gi.ShapedReward(reward, given)), plain, atol=1e-12)


def test_who_learns_is_charged_for_dead_ends_too():
    """One step to a rival end is worth the step and what the dead end is worth."""
    world, reward = made({0, 3}, 0.9, dead_end=-7.0)
    data = gi.Trajectories.of([[1, 0, -1], [2, 3, -1]], [[0, -1], [1, -1]])
    agent = gi.agents.q_learning(learning_rate=0.5, beta=BETA)
    # Both walks are of one subject's own: what was learned shows where the state is met again.
    again = gi.Trajectories.of([[1, 4, 4, 4]], [[2, 0, 0]])
    scores = np.exp(gi.Behavior(world, agent, reward).log_prob_by("step", again)[0])
    learned = 0.5 * (-1.0 + 0.9 * -7.0)
    np.testing.assert_allclose(scores[1], 1 / 3, rtol=1e-12)
    np.testing.assert_allclose(scores[2], np.exp(BETA * learned) / (np.exp(BETA * learned) + 2.0), rtol=1e-12)
    assert np.isfinite(gi.Behavior(world, agent, reward).log_prob(data))


def test_delayed_dead_ends_are_discounted_by_their_delay():
    """Two steps ahead of a hyperbolic agent, by hand."""
    world, reward = made({0, 3}, 1.0, dead_end=-7.0)
    found = chosen(gi.agents.hyperbolic(k=1.0, beta=BETA, horizon=1), world, reward)
    pay = np.array([-1.0 - 7.0 / 2.0, -1.0, -1.0 - 7.0 / 2.0])  # in state 1: the rival end, on, the pit
    np.testing.assert_allclose(found[0, 0], np.exp(BETA * pay) / np.exp(BETA * pay).sum(), atol=1e-12)


def test_regret_counts_what_dead_ends_cost():
    """A fork with an exit at either end, by hand: who leaves by the wrong one is charged minus four, twice discounted."""
    fork = gi.from_arrays(
        successors=np.array([[2, 1], [0, 3], [2, 2], [3, 3]])[:, :, None],
        probabilities=np.ones((4, 2, 1)),
        terminal=[2, 3],
        initial=np.eye(4)[0],
        discount=0.9,
    )
    left, right = gi.goals(fork, {"left": 2, "right": 3}, step_cost=1.0).values()
    wrong = gi.identify.distance.expected_return(fork, left, [1, 1, 0, 0])
    assert wrong == pytest.approx(-1.0 + 0.9 * (-1.0 + 0.9 * -4.0), rel=1e-12)
    best, worst = -1.0, -10.0  # at once, and never
    assert gi.identify.distance.regret(fork, left, right) == pytest.approx((best - wrong) / (best - worst), rel=1e-9)
    assert gi.identify.distance.regret(fork, left, left) == pytest.approx(0.0, abs=1e-12)
