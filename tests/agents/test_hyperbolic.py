"""Delays: procrastination and the restaurants (theory 4.1, 4.2) through the library, at every state and time."""

import evans_oracles as evans
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import goalinf as gi
from goalinf.agents import Hyperbolic, Negated, PlanningAgent, Softmax, ValueIteration, solve
from goalinf.precision import cast, computing_in

PROBLEMS = {"procrastination": evans.procrastination_mdp(), "restaurants": evans.restaurant_mdp()}
WEIGHTS = {  # reward, cost, delay; time, then donut, veg, noodle: now, later
    "procrastination": np.array([5.0, -1.0, -0.1]),
    "restaurants": np.array([-0.01, 10.0, -10.0, -10.0, 20.0, 0.0, 0.0]),
}
PATHS = {False: "uuuulll", True: "uurruuulull"}


def world_of(problem):
    return gi.from_arrays(
        problem.P, available=problem.available, terminal=problem.terminal, initial=[problem.start], discount=1.0
    )


def reachable(problem):
    """Which states the agent can be in at each time, (T, S)."""
    seen = [np.arange(len(problem.P)) == problem.start]
    for _ in range(problem.horizon - 1):
        moves = problem.P[seen[-1]][problem.available[seen[-1]]]
        seen.append((moves > 0).any(0))
    return np.array(seen) & ~problem.terminal


def hyperbolic(problem, beta, k, sophisticated):
    return PlanningAgent(planner=Hyperbolic(k, problem.horizon, sophisticated), choice=Softmax(beta))


@pytest.mark.parametrize("sophisticated", [False, True])
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("linear", [True, False])
def test_published_problems(name, sophisticated, linear):
    problem, weights = PROBLEMS[name], WEIGHTS[name]
    reward = gi.LinearReward(problem.features, weights) if linear else gi.ActionReward(problem.reward(weights))
    world, counted = world_of(problem), reachable(problem)
    for beta in (0.1, 2.0, 100.0, 1000.0):
        for k in (0.0, 0.5, 1.0, 4.0):
            found = solve(hyperbolic(problem, beta, k, sophisticated), world, reward)
            expected = problem.plan(weights, beta, k, sophisticated).policy
            np.testing.assert_allclose(np.exp(found.log_probs)[counted], expected[counted], atol=1e-12)
            where = counted[:, :, None] & (expected > 1e-300)
            np.testing.assert_allclose(found.log_probs[where], np.log(expected[where]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sophisticated", PATHS)
def test_published_paths(sophisticated):
    """The likeliest choice at every step: naive to the nearer donuts, sophisticated the long way round."""
    problem = PROBLEMS["restaurants"]
    agent = hyperbolic(problem, 500.0, 1.0, sophisticated)
    found = solve(agent, world_of(problem), gi.LinearReward(problem.features, WEIGHTS["restaurants"]))
    state, path = problem.start, ""
    for t in range(problem.horizon):
        if problem.terminal[state]:
            break
        a = int(found.log_probs[t, state].argmax())
        path += problem.actions[a]
        state = int(problem.P[state, a].argmax())
    assert path == PATHS[sophisticated]


def test_putting_off():
    """Who discounts waits until the last day; who does not works at once."""
    problem = PROBLEMS["procrastination"]
    wait = problem.actions.index("wait")
    for k, waits in ((0.0, False), (2.0, True)):
        found = solve(
            hyperbolic(problem, 100.0, k, False),
            world_of(problem),
            gi.LinearReward(problem.features, [4.5, -1.0, -0.1]),
        )
        assert (np.exp(found.log_probs[0, problem.start, wait]) > 0.5) == waits


def test_the_time_left_is_all_that_matters():
    """A longer horizon has the same last policies."""
    problem, weights = PROBLEMS["restaurants"], WEIGHTS["restaurants"]
    world, reward = world_of(problem), gi.LinearReward(problem.features, weights)
    for sophisticated in (False, True):
        long, short = (
            solve(PlanningAgent(planner=Hyperbolic(1.0, horizon, sophisticated), choice=Softmax(5.0)), world, reward)
            for horizon in (7, 4)
        )
        np.testing.assert_allclose(long.log_probs[3:], short.log_probs, atol=1e-12)


@pytest.mark.parametrize("sophisticated", [False, True])
def test_dead_ends_and_the_opposite(sophisticated):
    """A state of a given value is worth it at the delay at which it is entered."""
    world = gi.from_arrays(np.array([[[0.0, 1, 0], [0, 0, 1]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2]), discount=1.0)
    goal = gi.GoalReward(np.array([False, True, False]), np.array([False, False, True]), step_cost=1.0, dead_end=-3.0)
    found = solve(PlanningAgent(planner=Hyperbolic(1.0, 2, sophisticated), choice=Softmax(2.0)), world, goal)
    for t in range(2):  # both cost a step; the dead end three more, one step from now
        Q = np.array([-1.0, -1.0 - 3.0 / 2])
        np.testing.assert_allclose(found.log_probs[t, 0], 2 * Q - np.log(np.exp(2 * Q).sum()), atol=1e-12)
    problem = PROBLEMS["procrastination"]
    wants = problem.reward(WEIGHTS["procrastination"])
    planner = Hyperbolic(1.0, problem.horizon, sophisticated)
    one = solve(PlanningAgent(planner=planner, choice=Softmax(2.0)), world_of(problem), gi.ActionReward(wants))
    other = solve(
        PlanningAgent(planner=Negated(planner), choice=Softmax(2.0)), world_of(problem), gi.ActionReward(-wants)
    )
    np.testing.assert_array_equal(one.log_probs, other.log_probs)


@pytest.mark.parametrize("sophisticated", [False, True])
def test_habits_are_foreseen(sophisticated):
    """Without discounting, later choices of the agent with a default policy are those of any planner that knows them."""
    problem, habit = PROBLEMS["procrastination"], np.array([0.8, 0.15, 0.05])
    reward = gi.LinearReward(problem.features, WEIGHTS["procrastination"])
    found, expected = (
        solve(PlanningAgent(planner=planner, choice=Softmax(0.5, habit)), world_of(problem), reward).log_probs
        for planner in (Hyperbolic(0.0, 5, sophisticated), ValueIteration("mean", 5))
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("sophisticated", [False, True])
def test_derivatives_of_hypotheses(sophisticated):
    """By the weights, beta and k of what was done, in a batch of agents."""
    problem = PROBLEMS["procrastination"]
    steps = np.array(problem.visits(["wait", "wait", "work", "relax"]))
    with computing_in("float64"):
        mdp = cast(world_of(problem).mdp)

        def score(x):
            agent = PlanningAgent(planner=Hyperbolic(x[1], problem.horizon, sophisticated), choice=Softmax(x[0]))
            log_probs = agent.policies(mdp, gi.LinearReward(problem.features, x[2:])).log_probs
            return log_probs[jnp.arange(len(steps)), steps[:, 0], steps[:, 1]].sum()

        xs = jnp.asarray([[2.0, 1.0, 4.0, -1.0, -0.1], [0.5, 0.0, 2.0, -1.0, -0.1], [10.0, 4.0, 1.0, -1.0, -0.1]])
        values, gradients = jax.jit(jax.vmap(jax.value_and_grad(score)))(xs)
    for x, value, gradient in zip(np.asarray(xs), values, gradients, strict=True):

        def exactly(x):
            return np.log(
                problem.likelihood(
                    problem.plan(x[2:], x[0], x[1], sophisticated).policy, ["wait", "wait", "work", "relax"]
                )
            )

        assert float(value) == pytest.approx(exactly(x), rel=1e-10)
        for i, step in enumerate(np.eye(x.size) * 1e-5):
            expected = (exactly(x + step) - exactly(x - step)) / 2e-5
            assert float(gradient[i]) == pytest.approx(float(expected), rel=1e-5, abs=1e-7)
