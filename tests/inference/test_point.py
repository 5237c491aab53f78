"""Quick looks at worlds of some hundred states, whose linear systems are iterated instead of factorized."""

from functools import partial

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.inference import approximate
from goalinf.inference.model import mode as modes
from goalinf.inference.model.mode import Remembered, climb

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def maze():
    """A second-order graph world of 181 states with actions of its own in every state."""
    return gi.with_memory(gi.graph_world(nx.random_regular_graph(3, 60, seed=0), initial=0, discount=0.9))


def mode_of(agent, world):
    truth = gi.ActionReward(np.random.default_rng(0).normal(size=(world.n_states, world.n_actions)))
    walks = gi.simulate(KEY, world, agent, truth, trajectories=30, steps=30)
    return gi.inference.find_map(KEY, world, agent=agent, reward=gi.ActionReward(dist.Normal(0.0, 1.0)), data=walks)


def test_a_smooth_posterior_has_a_mode(maze):
    assert np.isfinite(mode_of(gi.agents.soft_optimal(beta=1.0), maze).log_posterior)


@pytest.mark.slow
def test_a_posterior_with_kinks_says_so(maze):
    # Second derivatives were once undefined here: the solver broke down on right-hand sides that are mostly zero.
    with pytest.raises(
        gi.errors.ConvergenceError, match=r"kinks where best actions tie.*gi\.infer, or gi\.agents\.soft_optimal"
    ):
        mode_of(gi.agents.boltzmann(beta=1.0), maze)


class Cliff:
    """A bowl whose potential is not defined beyond a wall that the first long step crosses."""

    start = np.array([-3.0, 0.0])

    def derivatives(self, flat):
        x, y = flat
        if x > 1.5:
            return np.nan, np.full(2, np.nan), np.full((2, 2), np.nan)
        return np.exp(-x) + x + y**2, np.array([1.0 - np.exp(-x), 2.0 * y]), np.diag([np.exp(-x), 2.0])


def test_a_search_comes_back_from_where_nothing_is_defined():
    class Steep(Cliff):
        start = np.array([1.4, 0.5])  # flat enough that Newton overshoots to the other side, and back over the wall

    for target in (Cliff(), Steep()):
        mode = climb(Remembered(target))
        assert mode.converged
        np.testing.assert_allclose(mode.flat, 0.0, atol=1e-5)


def test_a_curvature_at_which_scipy_has_no_step(monkeypatch):
    """Where a trust-region step fails within SciPy, the search goes on with L-BFGS."""
    expected, minimize = climb(Remembered(Cliff())), modes.optimize.minimize

    def without_steps(*args, method, **others):
        if method == "trust-exact":
            raise UnboundLocalError
        return minimize(*args, method=method, **others)

    monkeypatch.setattr(modes.optimize, "minimize", without_steps)
    found = climb(Remembered(Cliff()))
    assert found.converged
    np.testing.assert_allclose(found.flat, expected.flat, atol=1e-5)


def test_a_search_that_starts_beyond_the_wall_says_that_nothing_converged():
    class Beyond(Cliff):
        start = np.array([2.0, 0.0])

    assert not np.isfinite(Beyond().derivatives(Beyond.start)[0])
    found = climb(Remembered(Beyond()))
    assert found.potential == np.inf
    assert not found.converged


HALL = gi.gridworld("s.a", discount=0.9)
SOFT = gi.agents.soft_optimal(beta=2.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
WALKS = gi.simulate(KEY, HALL, SOFT, WANTS, trajectories=10, steps=10)
PARTS = {"agent": SOFT, "reward": PRIOR, "data": WALKS}


def newton_up_to(size, monkeypatch):
    monkeypatch.setattr(modes, "NEWTON_SIZE", size)


@pytest.fixture
def large(monkeypatch):
    """As if three parameters were too many for a dense Hessian at every step."""
    newton_up_to(0, monkeypatch)


def test_lbfgs_finds_the_mode_and_the_covariance_of_newton(request):
    agent = gi.agents.myopic(
        discount=0.5, beta=2.0
    )  # no closed form, so that derivatives are those of the compiled density
    parts = {**PARTS, "agent": agent}
    mode, look = gi.inference.find_map(0, HALL, **parts), gi.infer(0, HALL, **parts, draws=50, method="laplace")
    request.getfixturevalue("large")
    again, same = gi.inference.find_map(0, HALL, **parts), gi.infer(0, HALL, **parts, draws=50, method="laplace")
    assert again.log_posterior == pytest.approx(mode.log_posterior, abs=1e-9)
    np.testing.assert_allclose(again.values["reward.values"], mode.values["reward.values"], atol=1e-5)
    np.testing.assert_allclose(same.posterior["reward.values"], look.posterior["reward.values"], atol=1e-4)


def test_lbfgs_comes_back_from_where_nothing_is_defined(large):
    mode = climb(Remembered(Cliff()))
    assert mode.converged
    assert mode.curvature is None
    np.testing.assert_allclose(mode.flat, 0.0, atol=1e-4)


@pytest.mark.parametrize(("size", "method"), [(1500, "Newton's method"), (0, "L-BFGS")])
@pytest.mark.parametrize("function", [gi.inference.find_map, partial(gi.infer, method="laplace")])
def test_too_few_steps_are_named(monkeypatch, size, method, function):
    newton_up_to(size, monkeypatch)
    named = "method='laplace'" if isinstance(function, partial) else r"gi\.inference\.find_map"
    said = rf"{named}: the mode was not reached in 1 steps of {method}: .* use more steps \(steps=\)"
    with pytest.raises(gi.errors.ConvergenceError, match=said):
        function(0, HALL, **PARTS, steps=1)
    with pytest.raises(ValueError, match="steps is 0; expected a whole number of at least 1"):
        function(0, HALL, **PARTS, steps=0)


def test_a_covariance_that_cannot_be_held_is_refused(monkeypatch, large):
    """Nine numbers of eight bytes."""
    monkeypatch.setattr(approximate, "_LARGEST", 71.0)
    with pytest.raises(
        ValueError,
        match=r"method='laplace': the covariance of 3 parameters would take .* gi\.inference\.find_map",
    ):
        gi.infer(0, HALL, **PARTS, method="laplace")
    monkeypatch.setattr(approximate, "_LARGEST", 72.0)
    gi.infer(0, HALL, **PARTS, method="laplace", draws=5)


def test_the_pareto_k_of_draws_that_are_the_posterior():
    """Choices by chance leave a normal prior as it is: its Laplace approximation is exact, and all weights are one."""
    look = gi.infer(0, HALL, agent=gi.agents.uniform(), reward=PRIOR, data=WALKS, method="laplace")
    assert look.converged
    assert look.tree.attrs["khat"] <= 0.7
    assert f"the Pareto k of its draws is {look.tree.attrs['khat']:.2f}." in look.diagnosis


HEAVY = gi.StateReward(dist.StudentT(0.1), on="departure")


@pytest.mark.parametrize(("method", "prior", "steps"), [("laplace", HEAVY, None), ("svi", PRIOR, 1)])
def test_the_pareto_k_of_draws_with_light_tails(method, prior, steps):
    """The curvature at the mode of a heavy tail, and a search that has hardly begun, are too narrow."""
    parts = {"agent": gi.agents.uniform(), "reward": prior, "data": WALKS, "method": method, "steps": steps}
    look = gi.infer(0, HALL, **parts)
    assert look.tree.attrs["khat"] > 0.7
    assert not look.converged
    assert "(should be at most 0.7): they do not represent the posterior; use method='auto'" in look.diagnosis
    few = gi.infer(0, HALL, **parts, draws=24)
    assert "khat" not in few.tree.attrs
    assert "24 draws are too few to estimate how close it is to the posterior" in few.diagnosis


@pytest.mark.slow
def test_a_second_order_world_with_more_turn_weights_than_newton_takes():
    """Where a mouse goes depends on where it came from: 385 states of a maze, with a weight for each of four turns."""
    graph = nx.random_regular_graph(3, 96, seed=0)
    maze = gi.with_memory(gi.graph_world(graph, initial=0, stay=True, discount=0.9))
    assert maze.n_states * maze.n_actions == 1540
    truth = gi.ActionReward(np.random.default_rng(0).normal(size=(maze.n_states, maze.n_actions)))
    agent = gi.agents.soft_optimal(beta=1.0)
    walks = gi.simulate(KEY, maze, agent, truth, trajectories=50, steps=50)
    parts = {"agent": agent, "reward": gi.ActionReward(dist.Normal(0.0, 1.0)), "data": walks}
    best = gi.inference.find_map(0, maze, **parts)
    found = gi.Behavior(maze, agent, best.reward).log_prob(walks)
    assert float(found) > float(gi.Behavior(maze, agent, truth).log_prob(walks))
    look = gi.infer(0, maze, **parts, draws=100, method="laplace")
    assert look.posterior["reward.values"].shape == (1, 100, maze.n_states, maze.n_actions)
    assert "the Pareto k of its draws is" in look.diagnosis


def test_variational_fits_do_not_depend_on_earlier_ones():
    """A further fit of the model shares the program of the first and not its start."""
    one, same = (gi.gridworld("s.a", discount=0.9) for _ in range(2))  # programs belong to a world object
    reward = gi.StateReward.at(one, {"a": 1.0}, default=0.0, on="departure")
    data = gi.simulate(0, one, gi.agents.soft_optimal(beta=2.0), reward, trajectories=4, steps=5)
    agent = gi.agents.soft_optimal(beta=dist.Gamma(2.0, 1.0))

    def fitted(seed, world):
        fit = gi.infer(seed, world, agent=agent, reward=reward, data=data, method="svi", steps=50, draws=30)
        return fit.posterior["agent.beta"].values

    alone, _ = fitted(7, one), fitted(8, same)
    np.testing.assert_array_equal(fitted(7, same), alone)
