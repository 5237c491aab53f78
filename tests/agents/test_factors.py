"""Linear systems on the host: which worlds they suit, and their solutions against NumPy."""

import gc

import jax
import numpy as np
import pytest
from problems import LARGE, WORLDS
from scipy.sparse.linalg import spilu

import goalinf as gi
from goalinf.planning.bellman import Problem
from goalinf.planning.solvers import sparse_lu


def test_which_worlds_factorize():
    assert sparse_lu.factorable(gi.garnet(jax.random.key(0), states=300, actions=3, branching=5, discount=0.9).mdp)
    assert sparse_lu.factorable(gi.open_grid(60, 60, discount=0.9).mdp)
    assert not sparse_lu.factorable(gi.garnet(jax.random.key(0), states=3000, actions=2, branching=5, discount=0.9).mdp)


@pytest.mark.parametrize("name", ["maze", *LARGE])
def test_factors_solve(name):
    """Against NumPy, for one right-hand side and several, in worlds in which the factors are dense or sparse."""
    world = {**WORLDS, **LARGE}[name]
    rng = np.random.default_rng(0)
    problem = Problem.of(world.mdp, gi.StateReward(np.zeros(world.n_states), on="departure"), 1.0)
    policy = np.where(problem.fixed | ~problem.available, 0.0, rng.exponential(size=problem.reward.shape))
    policy /= np.maximum(policy.sum(axis=0), 1e-9)
    matrix = np.eye(world.n_states)
    for u, row in enumerate(problem.neighbors):
        np.add.at(matrix, (np.arange(world.n_states), row), -problem.discount * (policy * problem.weights[:, u]).sum(0))
    found = sparse_lu.Factors(problem, policy)
    for right in rng.normal(size=world.n_states), rng.normal(size=(world.n_states, 3)):
        np.testing.assert_allclose(found.solve(right), np.linalg.solve(matrix, right), rtol=1e-9, atol=1e-9)
        transposed = found.solve_transposed(right)
        np.testing.assert_allclose(transposed, np.linalg.solve(matrix.T, right), rtol=1e-9, atol=1e-9)


def test_the_order_of_elimination_is_found_once_per_world(monkeypatch):
    searches = []
    monkeypatch.setattr(sparse_lu, "spilu", lambda *args, **kwargs: searches.append(1) or spilu(*args, **kwargs))
    for _ in range(2):
        world = gi.open_grid(20, 20, discount=0.9)
        for seed in range(3):
            reward = gi.StateReward(np.random.default_rng(seed).normal(size=400), on="departure")
            gi.agents.soft_optimal(beta=1.0).policy(world, reward)
    assert len(searches) == 2
    known = id(world.mdp.neighbors)
    assert known in sparse_lu._Pattern._cache
    del world, reward
    gc.collect()
    assert known not in sparse_lu._Pattern._cache
