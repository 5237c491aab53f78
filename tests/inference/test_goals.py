"""The posterior over goals after every step, against loops over steps and planners that share nothing with the library."""

import sys

import jax
import numpy as np
import oracles
import pytest
import xarray as xr

import goalinf as gi
from goalinf.inference.goals import _policies, goal_posterior
from goalinf.precision import computing_in

KEY = jax.random.key(0)


@pytest.fixture(autouse=True, params=["host", "compiled"])
def route(request, monkeypatch):
    """Both ways: on the host, and in one padded program."""
    _policies.cache_clear()  # the other way may just have planned for the same goals
    if request.param == "compiled":
        monkeypatch.setattr(sys.modules["goalinf.inference.goals"], "factorable", lambda mdp: False)
    return request.param


def maze(seed, *, discount=1.0, side=5, slip=0.0):
    """Random walls, so that some cells cannot reach some goals; cells that are free, in the order of the world."""
    rng = np.random.default_rng(seed)
    walls = rng.random((side, side)) < 0.3
    walls[0, :2] = False
    text = "\n".join("".join("#" if wall else "." for wall in row) for row in walls)
    world = gi.gridworld(text, moves=("up", "down", "left", "right"), discount=discount, slip=slip)
    cells = [(int(row), int(column)) for row, column in np.argwhere(~walls)]
    places = {f"g{i}": cells[j] for i, j in enumerate(rng.choice(len(cells), 3, replace=False))}
    return world, places, rng


def walks_of(world, goals, agent, rng):
    """Walks toward all of the goals, with a missing choice."""
    reward = list(goals.values())[int(rng.integers(len(goals)))]
    start = world.states[int(rng.integers(world.n_states))]
    walks = gi.simulate(KEY, world, agent, reward, trajectories=4, steps=6, starts=start)
    observed = np.array(walks.observed)
    observed[0, :1] = False
    return gi.Trajectories.of(
        walks.states, np.where(observed, walks.actions, -1), lengths=walks.lengths, observed=observed
    )


def expected_steps(world, goal, agent, kind, walks):
    """Log-probability of every step under one goal, by sweeps and loops."""
    P = np.asarray(world.mdp.dense())
    reached = np.asarray(goal.goal)
    income = (P * (-goal.step_cost + goal.bonus * reached)).sum(-1)
    pinned = np.where(reached, 0.0, np.where(np.asarray(goal.dead), float(goal.dead_end), np.nan))
    planned = getattr(oracles, kind)(
        P, income, float(world.mdp.discount), float(agent.choice.beta), np.asarray(world.mdp.available), None, pinned
    )
    return oracles.step_log_probabilities(planned.policy, walks.states, walks.actions, walks.lengths, walks.observed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["boltzmann_q", "mce"])
@pytest.mark.parametrize(("discount", "slip"), [(1.0, 0.0), (0.9, 0.0), (1.0, 0.2)])
def test_against_loops(seed, kind, discount, slip):
    world, places, rng = maze(seed, discount=discount, slip=slip)
    goals = gi.goals(world, places, step_cost=2.0, bonus=0.5)
    agent = (gi.agents.boltzmann if kind == "boltzmann_q" else gi.agents.soft_optimal)(beta=1.5)
    walks = walks_of(world, goals, agent, rng)
    weights = [3.0, 1.0, 2.0]
    found = goal_posterior(world, agent, goals, walks, prior=dict(zip(goals, weights, strict=True)))
    steps = [expected_steps(world, goal, agent, kind, walks) for goal in goals.values()]
    assert found.dims == ("trajectory", "step", "goal")
    np.testing.assert_allclose(found.sel(step=0), np.tile(np.array(weights) / 6.0, (4, 1)), atol=1e-12)
    np.testing.assert_allclose(found.isel(step=slice(1, None)), oracles.goal_posterior(steps, weights), atol=1e-9)
    totals = np.stack([logs.sum(1) for logs in steps], axis=1)
    np.testing.assert_allclose(found["log_likelihood"], totals, atol=1e-8)
    np.testing.assert_allclose(found["evidence"], np.log(np.exp(totals) @ np.array(weights) / 6.0), atol=1e-8)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_horizon_that_no_power_of_two_fits(precision):
    world, places, rng = maze(1)
    goals = gi.goals(world, places)
    agent = gi.agents.boltzmann(beta=1.0, horizon=6)
    walks = walks_of(world, goals, agent, rng)
    found = goal_posterior(world, agent, goals, walks, precision=precision)
    assert found.sizes["step"] == walks.max_steps + 1
    np.testing.assert_allclose(found.sum("goal"), 1.0, atol=1e-5)
    with pytest.raises(ValueError, match=r"the agent's horizon is 2: give it a longer horizon"):
        goal_posterior(world, gi.agents.boltzmann(beta=1.0, horizon=2), goals, walks, precision=precision)


def test_an_impossible_choice_is_named():
    hall = gi.gridworld("a.b", discount=1.0, blocked="unavailable")
    wants, agent = gi.goals(hall, {"a": "a", "b": "b"}), gi.agents.boltzmann(beta=1.0)
    with pytest.raises(ValueError, match=r"trajectory 0, step 0: action up is not available in state 0,1"):
        goal_posterior(hall, agent, wants, gi.Trajectories.of([[1, 1]], [[0]]))
    walk = gi.Trajectories.of([[1, 2, 1, 0]], [[3, 2, 2]])
    with pytest.raises(ValueError, match=r"trajectory 0, step 2: this action has probability zero under every goal"):
        goal_posterior(hall, gi.agents.uniform(default=np.eye(4)[[3, 3, 2]]), wants, walk)


def test_a_choice_that_only_excluded_goals_allow_is_named():
    world = gi.from_arrays(np.eye(3)[[[0, 1], [0, 2], [1, 2]]], discount=1.0)
    goals = gi.goals(world, {"A": 2, "B": 0})
    walk = gi.Trajectories.of([[1, 2, 2]], [[1, 1]])
    found = goal_posterior(world, gi.agents.boltzmann(beta=1.0), goals, walk, after_goal="impossible")
    assert found.sel(goal="B").values[0].tolist()[-1] == 1.0
    with pytest.raises(ValueError, match=r"trajectory 0, step 1: .* zero under every goal that was possible before it"):
        goal_posterior(
            world, gi.agents.boltzmann(beta=1.0), goals, walk, prior={"A": 1.0, "B": 0.0}, after_goal="impossible"
        )


@pytest.mark.parametrize("side", [9, 14])
def test_large_undiscounted_mazes_have_values(side):
    """Planning there once ended in numbers that are none."""
    world, places, rng = maze(side, side=side)
    goals = gi.goals(world, places)
    walks = walks_of(world, goals, gi.agents.boltzmann(beta=2.0), rng)
    found = goal_posterior(world, gi.agents.boltzmann(beta=2.0), goals, walks)
    np.testing.assert_allclose(found.sum("goal"), 1.0, atol=1e-12)


def one_walk():
    hall = gi.gridworld("a.s.b", discount=0.9)
    return hall, gi.Trajectories.of([[2, 3, 4]], [[3, 3]])


def test_a_single_goal_is_certain():
    hall, walk = one_walk()
    found = goal_posterior(hall, gi.agents.boltzmann(beta=1.0), gi.goals(hall, {"right": "b"}), walk)
    np.testing.assert_array_equal(found, 1.0)
    alone = gi.Behavior(hall, gi.agents.boltzmann(beta=1.0), gi.goals(hall, {"right": "b"})["right"]).log_prob(walk)
    assert found["evidence"].item() == pytest.approx(float(alone))


def test_wishes_of_several_kinds(route):
    """On the host, where nothing has to be stacked for a program; one of them pays for walking in circles."""
    hall, walk = one_walk()
    wants = gi.goals(hall, {"left": "a"}) | {"stay": gi.StateReward([1.0, 0.0, 2.0, 0.0, 0.0], on="arrival")}
    agent = gi.agents.boltzmann(beta=1.0)
    if route == "compiled":
        with pytest.raises(ValueError, match="must be of one kind"):
            goal_posterior(hall, agent, wants, walk)
        return
    with computing_in("float64"):
        expected = [float(gi.Behavior(hall, agent, reward).log_prob(walk)) for reward in wants.values()]
    np.testing.assert_allclose(goal_posterior(hall, agent, wants, walk)["log_likelihood"][0], expected, atol=1e-12)


def test_plans_are_kept_for_equal_numbers_only(monkeypatch):
    """More data, other names and equal copies need no planning; numbers that were changed in place do."""
    planned = []
    module = sys.modules["goalinf.inference.goals"]
    check = module.check_solved
    monkeypatch.setattr(module, "check_solved", lambda *args: planned.append(1) or check(*args))

    def posterior(world, agent, goals, walk, **options):
        found = goal_posterior(world, agent, goals, walk, **options)
        kept = len(planned)
        _policies.cache_clear()
        np.testing.assert_array_equal(found, goal_posterior(world, agent, goals, walk, **options))
        return kept, planned.clear()

    hall, walk = one_walk()
    agent, goals = gi.agents.boltzmann(beta=1.0), gi.goals(hall, {"left": "a", "right": "b"})
    more = gi.Trajectories.of([[2, 1, 0], [2, 1, 2]], [[2, 2], [2, 3]])
    copies = one_walk()[0], gi.agents.boltzmann(beta=1.0), gi.goals(hall, {"west": "a", "east": "b"})
    assert posterior(hall, agent, goals, walk)[0] == 1
    assert posterior(hall, agent, goals, more)[0] == 0
    assert posterior(*copies, walk, prior={"west": 1.0, "east": 3.0})[0] == 0
    assert posterior(hall, agent, dict(reversed(goals.items())), walk)[0] == 1
    assert posterior(hall, agent.at(beta=2.0), goals, walk)[0] == 1
    assert posterior(hall, agent, goals, walk, precision="float32")[0] == 1
    assert posterior(hall, gi.agents.boltzmann(beta=1.0, horizon=5), goals, walk)[0] == 1
    assert posterior(hall, gi.agents.soft_optimal(beta=1.0), goals, walk)[0] == 1
    values = np.zeros(5)
    wants = {"right": gi.StateReward(values, on="arrival"), "none": gi.StateReward(np.zeros(5), on="arrival")}
    assert posterior(hall, agent, wants, walk)[0] == 1
    values[4] = 5.0
    assert posterior(hall, agent, wants, walk)[0] == 1
    assert posterior(hall, agent, wants, walk)[0] == 0


def test_posteriors_share_no_numbers_and_no_names():
    hall, walk = one_walk()
    agent, rewards = gi.agents.boltzmann(beta=1.0), gi.goals(hall, {"left": "a", "right": "b"}).values()

    def named(*names):
        return dict(zip(names, rewards, strict=True))

    first = goal_posterior(hall, agent, named(1, 2), walk)
    kept = first.copy(deep=True)
    second = goal_posterior(hall, agent, named(1, 2), walk, prior={1: 1.0, 2: 9.0})
    assert (second["evidence"] > first["evidence"]).all()
    second[:] = 0.0
    for name in ("evidence", "log_likelihood"):
        second[name][:] = 0.0
        second[name].attrs["units"] = "nats"
    second.attrs["note"] = "changed"
    xr.testing.assert_identical(first, kept)
    xr.testing.assert_identical(goal_posterior(hall, agent, named(1, 2), walk), kept)
    assert goal_posterior(hall, agent, named(1.0, 2.0), walk)["goal"].dtype == float
    longer = goal_posterior(hall, agent, named(1, 2), gi.Trajectories.of([[2, 3, 2, 3]], [[3, 2, 3]]))
    assert longer.shape == (1, 4, 2)
    np.testing.assert_allclose(longer[:, :2], kept[:, :2])


def test_goals_of_every_sort_of_name():
    """The posterior of a goal is found by its name: text, numbers, pairs; names that print alike are refused."""
    hall, walk = one_walk()
    rewards = list(gi.goals(hall, {"a": "a", "b": "b"}).values())
    agent = gi.agents.boltzmann(beta=1.0)
    plain = goal_posterior(hall, agent, dict(zip("ab", rewards, strict=True)), walk)
    for names, printed in (((2, 1), [2, 1]), ((("x", 1), ("x", 2)), ["x,1", "x,2"]), ((1, "b"), ["1", "b"])):
        goals, even = dict(zip(names, rewards, strict=True)), dict.fromkeys(reversed(names), 1.0)
        found = goal_posterior(hall, agent, goals, walk, prior=even)
        assert found["goal"].values.tolist() == printed
        np.testing.assert_array_equal(found.values, plain.values)
        swapped = dict(zip(reversed(names), reversed(rewards), strict=True))
        np.testing.assert_array_equal(
            goal_posterior(hall, agent, swapped, walk).sel(goal=printed[0]), plain.sel(goal="a")
        )
    for names in ((1, "1"), ((0, 1), "0,1")):
        with pytest.raises(ValueError, match=r"goals .* and .* print alike \(.*\): give them names that differ"):
            goal_posterior(hall, agent, dict(zip(names, rewards, strict=True)), walk)


def test_what_cannot_be_planned_is_refused_every_time():
    hall, walk = one_walk()
    endless = gi.gridworld("a.s.b", discount=1.0)
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot end from state"):
            goal_posterior(endless, gi.agents.boltzmann(beta=1.0), {"none": gi.StateReward.zero(endless)}, walk)
        with pytest.raises(gi.errors.ConvergenceError):
            goal_posterior(endless, gi.agents.boltzmann(beta=1.0), gi.goals(endless, {"a": "a"}, step_cost=-1.0), walk)
        assert goal_posterior(hall, gi.agents.boltzmann(beta=1.0), gi.goals(hall, {"a": "a"}), walk).all()
