"""How many steps solvers take: an accelerated method that lost its acceleration still finds the right values."""

import dataclasses

import jax
import numpy as np
import pytest

import goalinf as gi
from goalinf.planning import solution
from goalinf.planning.bellman import Problem, backup
from goalinf.planning.solvers import newton, newton_numpy
from goalinf.planning.solvers.sparse_lu import transitions
from goalinf.precision import cast, computing_in

S = 12
WORLDS = {
    discount: gi.garnet(jax.random.key(1), states=S, actions=3, branching=3, discount=discount)
    for discount in (0.95, 0.999)
}


def problems(discount, beta):
    """A problem, and another one whose reward is a fiftieth larger."""
    values = np.random.default_rng(0).normal(size=S)
    return [
        Problem.of(WORLDS[discount].mdp, gi.StateReward(size * values, on="departure"), beta) for size in (1.0, 1.02)
    ]


@pytest.fixture
def calls(monkeypatch):
    """How often a function was called; loops are run by Python, step by step."""

    def counted(module, name):
        function, count = getattr(module, name), []
        monkeypatch.setattr(module, name, lambda *args, **more: (count.append(None), function(*args, **more))[1])
        return count

    return counted


@pytest.mark.parametrize("discount", WORLDS)
@pytest.mark.parametrize("beta", [0.1, 100.0])
@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_newton_from_below_takes_four_steps_after_ten_sweeps(calls, discount, beta, kind):
    problem, _ = problems(discount, beta)
    with computing_in("float64"):
        linear, backups = calls(newton, "solve_linear"), calls(newton, "backup")
        with jax.disable_jit():
            compiled = np.asarray(newton.fixed_point(cast(problem), kind))
        assert len(linear) <= 4
        assert len(backups) == len(linear) + 10
        factors, backups = calls(newton_numpy, "Factors"), calls(newton_numpy, "backup")
        found = newton_numpy.fixed_point(problem, kind)
        assert len(factors) <= 2
        assert len(backups) <= 16
    np.testing.assert_allclose(compiled, found, rtol=1e-12)


def test_policy_iteration_factorizes_every_policy(calls):
    """In a grid in which the news of a reward travels further than the ten sweeps: old factors would mislead it."""
    grid = gi.open_grid(12, 12, discount=0.999)
    reward = gi.StateReward(np.random.default_rng(0).normal(size=grid.n_states), on="departure")
    problem = Problem.of(grid.mdp, reward, 1.0)
    with computing_in("float64"):
        factors, backups = calls(newton_numpy, "Factors"), calls(newton_numpy, "backup")
        values = newton_numpy.fixed_point(problem, "hard")
    assert 5 <= len(factors) == len(backups) - 10
    assert solution.residual(problem, values, "hard") < 1e-14


@pytest.mark.parametrize("discount", WORLDS)
@pytest.mark.parametrize("beta", [0.1, 100.0])
def test_newton_from_nearby_takes_no_sweep(calls, discount, beta):
    problem, other = problems(discount, beta)
    with computing_in("float64"):
        near = newton_numpy.fixed_point(other, "soft")
        linear, backups = calls(newton, "solve_linear"), calls(newton, "backup")
        with jax.disable_jit():
            compiled = np.asarray(newton.fixed_point(cast(problem), "soft", cast(near)))
        assert len(linear) <= 3
        assert len(backups) == len(linear) + 1
        factors, backups = calls(newton_numpy, "Factors"), calls(newton_numpy, "backup")
        found = newton_numpy.fixed_point(problem, "soft", near)
        assert len(factors) == 1
        assert len(backups) <= 6
    np.testing.assert_allclose(compiled, found, rtol=1e-12)


def test_the_mean_takes_newton_steps_and_few_sweeps(calls):
    problem, _ = problems(0.95, 3.0)
    with computing_in("float64"), jax.disable_jit():
        linear, backups = calls(newton, "solve_linear"), calls(newton, "backup")
        values = newton.fixed_point(cast(problem), "mean")
        assert len(linear) <= 4
        assert len(backups) <= 16
        assert solution.residual(cast(problem), values, "mean") < solution.tolerance(np.dtype(float))


def test_steps_with_old_factors_are_combined(calls):
    """Each with the two before it (Anderson 1965): at most 12 steps for all rewards, where the furthest takes 14."""
    problem, other = problems(0.95, 3.0)
    sizes = (1.0, 0.6, 1.5)
    near = newton_numpy.fixed_point(other, "soft")
    factors = newton_numpy.Factors(other, backup(other, near, "soft")[1])
    steps, solve, renewed = [], factors.solve, calls(newton_numpy, "Factors")

    def plain(size):
        one, values = dataclasses.replace(problem, reward=size * problem.reward), near
        for step in range(100):
            if solution.residual(one, values, "soft") < solution.tolerance(np.dtype(float)):
                return step
            values = values + solve(backup(one, values, "soft")[0] - values)
        return 100

    factors.solve = lambda right: (steps.append(right.shape), solve(right))[1]
    rewards = np.stack([problem.reward * size for size in sizes], axis=-1)
    start = np.repeat(near[:, None], len(sizes), axis=1)
    found = newton_numpy.fixed_points(problem, transitions(problem), rewards, start, factors)
    assert not renewed
    assert len(steps) <= 12 < 14 <= max(map(plain, sizes))
    for number, size in enumerate(sizes):
        alone = newton_numpy.fixed_point(dataclasses.replace(problem, reward=size * problem.reward), "soft")
        np.testing.assert_allclose(found[:, number], alone, rtol=1e-12)
