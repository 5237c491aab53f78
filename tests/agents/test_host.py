"""Planning on the host: which worlds it takes, and that it finds what the compiled planners find."""

import os
import subprocess
import sys
import textwrap

import jax
import networkx as nx
import numpy as np
import pytest
from problems import LARGE, WORLDS

import goalinf as gi
from goalinf.agents import solve
from goalinf.planning.bellman import Problem, backup
from goalinf.planning.solution import residual
from goalinf.planning.solvers import newton, newton_numpy
from goalinf.precision import cast, computing_in, on_host


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("make", [gi.agents.soft_optimal, gi.agents.boltzmann])
@pytest.mark.parametrize("horizon", [None, 7])
def test_host_agrees_with_compiled_code(name, make, horizon):
    world = WORLDS[name]
    rng = np.random.default_rng(3)
    reward = gi.StateReward(rng.normal(size=world.n_states), on="arrival")
    agent = make(beta=3.0, horizon=horizon)
    with computing_in("float64"):
        here = agent.policies(world.mdp, reward)
        there = jax.device_get(jax.jit(lambda agent, *args: agent.policies(*args))(*cast((agent, world.mdp, reward))))
    assert on_host(here)
    np.testing.assert_allclose(here.log_probs, there.log_probs, atol=1e-9)
    np.testing.assert_allclose(here.values, there.values, atol=1e-9)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("beta", [1.0, 1000.0])
def test_a_start_anywhere_with_factors_of_any_policy(name, beta):
    """Neither moves the fixed point, and steps with old factors never go round in circles."""
    world = LARGE[name]
    rng = np.random.default_rng(1)
    one, other = (
        Problem.of(world.mdp, gi.StateReward(rng.normal(size=world.n_states), on="departure"), beta) for _ in range(2)
    )
    with np.errstate(all="ignore"):
        expected, elsewhere = newton_numpy.fixed_point(one, "soft"), newton_numpy.fixed_point(other, "soft")
        assert residual(one, expected, "soft") < 1e-13
        factors = newton_numpy.Factors(other, backup(other, elsewhere, "soft")[1])
        for start in elsewhere, elsewhere + 10 * rng.normal(size=world.n_states), np.zeros(world.n_states):
            found = newton_numpy.fixed_point(one, "soft", start, factors)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_an_undiscounted_maze_of_many_states():
    """Greedy planning from values that are not those of a policy can run in circles, which no factorization survives."""
    rng = np.random.default_rng(5)
    cells = rng.random((12, 12)) < 0.25
    cells[0, 0] = False
    text = "\n".join("".join("#" if wall else "." for wall in row) for row in cells)
    maze = gi.gridworld("g" + text[1:], discount=1.0)
    goal = gi.goals(maze, {"corner": "g"}, step_cost=1.0)["corner"]
    steps = nx.single_source_shortest_path_length(maze.transition_graph().reverse(), maze.index("g"))
    expected = [-steps.get(i, maze.n_states) for i in range(maze.n_states)]
    with computing_in("float64"):
        agent = gi.agents.boltzmann(beta=2.0)
        for found in (
            agent.policies(maze.mdp, goal),
            jax.jit(lambda agent, *args: agent.policies(*args))(*cast((agent, maze.mdp, goal))),
        ):
            np.testing.assert_allclose(np.asarray(found.values), 2.0 * np.array(expected), atol=1e-9)


def goals_of(world):
    """In corners, where they may be cut off from the rest; one of two places; one that pays."""
    first, last = world.states[0], world.states[-1]
    return [
        *gi.goals(world, {"first": first, "both": [first, last]}, step_cost=1.0).values(),
        *gi.goals(world, {"last": last}, step_cost=0.8, bonus=4.0, dead_end=-2.5).values(),
    ]


MAZES = {
    "open": {"text": ".....\n.#.#.\n...#."},
    "cut off": {"text": "..#..\n.#...\n.#.#."},
    "blocked": {"text": ".....\n.#.#.\n...#.", "blocked": "unavailable"},
    "ends": {"text": "....x\n.#.#.\n...#.", "terminal": "x"},
}


@pytest.mark.parametrize("name", MAZES)
@pytest.mark.parametrize("slip", [0.0, 0.3])
@pytest.mark.parametrize("discount", [1.0, 0.9, 0.0])
@pytest.mark.parametrize("make", [gi.agents.soft_optimal, gi.agents.boltzmann])
@pytest.mark.parametrize("horizon", [None, 4])
def test_several_goals_at_once_and_one_by_one(name, slip, discount, make, horizon, monkeypatch):
    """One by one they are left to the factorizations."""
    world = gi.gridworld(**MAZES[name], discount=discount, slip=slip)
    agent, rewards = make(beta=3.0, horizon=horizon), goals_of(world)
    with computing_in("float64"):
        together = agent.planning.policies_of_goals(world.mdp, rewards)
        monkeypatch.setattr(newton_numpy, "_deterministic_values", lambda problem: np.full(problem.fixed.shape, np.nan))
        alone = [agent.policies(world.mdp, reward) for reward in rewards]
    assert on_host(together)
    assert (together.residual <= newton.tolerance(np.dtype(float))).all()
    for field in ("log_probs", "values", "ended", "residual"):
        each = np.stack([getattr(policy, field) for policy in alone])
        np.testing.assert_allclose(getattr(together, field), each, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("discount", [1.0, 0.95])
def test_choices_of_one_outcome_need_no_linear_system(discount, monkeypatch):
    monkeypatch.setattr(newton_numpy, "Factors", None)
    maze = gi.gridworld(MAZES["open"]["text"], discount=discount)
    found = gi.agents.boltzmann(beta=1.0).policies_of_goals(maze.mdp, goals_of(maze))
    np.testing.assert_array_equal(found.residual, 0.0)
    with pytest.raises(TypeError):
        gi.agents.soft_optimal(beta=1.0).policies_of_goals(maze.mdp, goals_of(maze))


def test_circles_that_pay_have_values():
    """Value iteration from below does not end there; discounted, the linear systems say what they are worth."""
    hall = gi.gridworld("s..x", discount=0.9, terminal="x")
    values = solve(gi.agents.boltzmann(beta=1.0), hall, gi.StateReward([1.0, 0.0, 0.0, 0.0], on="arrival")).values
    np.testing.assert_allclose(values, [10.0, 10.0, 9.0, 0.0], atol=1e-12)


def test_a_problem_without_fixed_point():
    """A soft-optimal agent whose steps cost too little would rather wander for ever."""
    hall = gi.gridworld("s...a", discount=1.0)
    with pytest.raises(gi.errors.ConvergenceError, match="step costs above"):
        gi.agents.soft_optimal(beta=1.0).policy(hall, gi.goals(hall, {"end": "a"}, step_cost=0.1)["end"])


SCRIPT = """
    import jax, numpy as np, numpyro.distributions as dist
    import goalinf as gi

    key = jax.random.key(0)
    maze = gi.gridworld("s.#.a\\n..#..\\n.....", discount=1.0)
    goals = gi.goals(maze, {"a": "a", "corner": (2, 0)}, step_cost=1.0)
    walk = gi.Trajectories.of([[0, 4, 8]], [[1, 1]])
    slow = gi.gridworld("s.#.a\\n..#..\\n.....", discount=0.9)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if event.endswith("backend_compile_duration") else None
    )
    gi.agents.boltzmann(beta=1.0).policy(maze, goals["a"])
    gi.goal_posterior(maze, gi.agents.boltzmann(beta=1.0), goals, walk)
    gi.inference.find_map(key, slow, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=walk)
    print("without", len(compiled))
    jax.jit(lambda x: x + 1)(np.zeros(3))
    print("with", len(compiled))
"""


def test_policies_goals_and_modes_are_compiled_nowhere():
    """In a process of its own, where nothing has been compiled before; the last line shows that it would be heard."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    run = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["without", "0", "with", "1"]
