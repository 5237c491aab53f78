"""Quick looks at worlds of some hundred states, whose linear systems are iterated instead of factorized."""

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.infer.mode import climb

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def maze():
    """A second-order graph world of 181 states with actions of its own in every state."""
    return gi.with_memory(gi.graph_world(nx.random_regular_graph(3, 60, seed=0), initial=0, discount=0.9))


def mode_of(agent, world):
    truth = gi.ActionReward(np.random.default_rng(0).normal(size=(world.n_states, world.n_actions)))
    walks = gi.simulate(KEY, world, agent, truth, trajectories=30, steps=30)
    return gi.find_mode(KEY, world, agent=agent, reward=gi.ActionReward(dist.Normal(0.0, 1.0)), data=walks)


def test_a_smooth_posterior_has_a_mode(maze):
    assert np.isfinite(mode_of(gi.soft_optimal(beta=1.0), maze).log_posterior)


@pytest.mark.slow
def test_a_posterior_with_kinks_says_so(maze):
    # Second derivatives were once undefined here: the solver broke down on right-hand sides that are mostly zero.
    with pytest.raises(gi.ConvergenceError, match=r"kinks where best actions tie.*gi\.infer, or gi\.soft_optimal"):
        mode_of(gi.boltzmann(beta=1.0), maze)


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
        mode = climb(target)
        assert mode.converged
        np.testing.assert_allclose(mode.flat, 0.0, atol=1e-5)


def test_a_search_that_starts_beyond_the_wall_says_that_nothing_converged():
    class Beyond(Cliff):
        start = np.array([2.0, 0.0])

    assert not np.isfinite(Beyond().derivatives(Beyond.start)[0])
    found = climb(Beyond())
    assert found.potential == np.inf
    assert not found.converged
