"""The MDP record: neighbors and slots say the same as successors, and idle rows are self loops."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalinf.worlds import MDP, garnet


def random_mdp(seed: int, n_states: int, n_actions: int, width: int) -> MDP:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(width), (n_states, n_actions)) * (
        rng.random((n_states, n_actions, width)) < 0.7
    )
    probabilities[..., 0] += 1 - probabilities.sum(2)
    return MDP.of(
        rng.integers(0, n_states, (n_states, n_actions, width)),
        probabilities,
        rng.random((n_states, n_actions)) < 0.7,
        rng.random(n_states) < 0.3,
        np.ones(n_states) / n_states,
        0.9,
    )


shapes = st.tuples(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4))


@given(shapes)
def test_neighbors_and_slots_point_at_the_successors(shape):
    mdp = random_mdp(*shape)
    possible = mdp.probabilities > 0
    s = np.arange(mdp.n_states)[:, None, None]
    assert (mdp.neighbors[mdp.slots, s] == mdp.successors)[possible].all()
    for state in range(mdp.n_states):
        expected = np.unique(mdp.successors[state][possible[state]])
        np.testing.assert_array_equal(mdp.neighbors[: len(expected), state], expected)
        assert (mdp.neighbors[len(expected) :, state] == state).all()


@settings(max_examples=5)  # every shape is compiled anew
@given(shapes)
def test_weights_are_the_dense_transitions(shape):
    mdp = random_mdp(*shape)
    with jax.enable_x64(True):
        weights = np.asarray(mdp.weights())
    dense = np.zeros((mdp.n_states, mdp.n_actions, mdp.n_states))
    for (a, u, s), weight in np.ndenumerate(weights):
        dense[s, a, mdp.neighbors[u, s]] += weight
    np.testing.assert_allclose(dense, mdp.dense(), atol=1e-15)
    np.testing.assert_allclose(mdp.dense().sum(2), 1.0)


@given(shapes)
def test_rows_nobody_can_choose_are_self_loops(shape):
    mdp = random_mdp(*shape)
    idle = mdp.terminal[:, None] | ~mdp.available
    s, a = np.nonzero(idle)
    np.testing.assert_array_equal(mdp.dense()[s, a, s], 1.0)
    assert mdp.available[mdp.terminal].any(1).all()


def test_live_rows_stay_as_they_are_given():
    mdp = MDP.of(
        [[[2, 0], [1, 1]], [[0, 1], [0, 2]], [[0, 0], [0, 0]]],
        np.full((3, 2, 2), 0.5),
        [[1, 0], [1, 1], [0, 0]],
        [0, 0, 1],
        [1, 0, 0],
        1,
    )
    assert mdp.successors[0, 0].tolist() == [2, 0]
    assert mdp.successors[1].tolist() == [[0, 1], [0, 2]]
    assert mdp.available.tolist() == [[True, False], [True, True], [True, False]]
    assert mdp.discount.dtype == mdp.probabilities.dtype == np.float64
    assert mdp.successors.dtype == mdp.neighbors.dtype == mdp.slots.dtype == np.int32


def test_origins_undo_the_neighbors():
    """A sum over origins is the transposed of a sum over neighbors; a hub that all lead to has none."""
    rng = np.random.default_rng(0)
    world = garnet(jax.random.key(0), states=12, actions=2, branching=3, discount=0.9)
    mdp = world.mdp
    weights, x, y = rng.normal(size=mdp.neighbors.shape), rng.normal(size=12), rng.normal(size=12)
    used = np.zeros(mdp.neighbors.shape, bool)
    used[mdp.slots, np.arange(12)[:, None, None]] = True
    weights *= used
    forward = (weights * x[mdp.neighbors]).sum(0)
    backward = np.append((weights * y).ravel(), 0.0)[mdp.origins].sum(0)
    assert y @ forward == pytest.approx(x @ backward)
    star = MDP.of(np.zeros((40, 1, 1)), np.ones((40, 1, 1)), np.ones((40, 1)), np.zeros(40), np.ones(40) / 40, 0.9)
    assert star.origins.shape == (0, 40)
