"""Padding and stacking."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalinf.worlds import MDP, bucket, garnet, gridworld, open_grid, pad, stack

sizes = st.tuples(st.integers(0, 100), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3))


def small(seed, states, actions, terminal):
    branching = min(2, states)
    return garnet(
        jax.random.key(seed),
        states=states,
        actions=actions,
        branching=branching,
        terminal=min(terminal, states - 1),
        discount=0.9,
    ).mdp


@given(st.integers(1, 5000))
def test_buckets_are_powers_of_two(n):
    assert bucket(n) >= n > bucket(n) / 2
    assert bucket(n) & (bucket(n) - 1) == 0


@given(sizes, st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_a_padded_problem_is_the_same_problem(size, more_states, more_actions, more_width, more_neighbors):
    mdp = small(*size)
    n_states, n_actions, width = mdp.successors.shape
    grown = pad(mdp, states=n_states + more_states, actions=n_actions + more_actions, width=width + more_width)
    padded = pad(grown, neighbors=len(grown.neighbors) + more_neighbors)
    assert padded.successors.shape == (n_states + more_states, n_actions + more_actions, width + more_width)
    assert padded.neighbors.shape == (len(grown.neighbors) + more_neighbors, n_states + more_states)
    np.testing.assert_array_equal(padded.dense()[:n_states, :n_actions, :n_states], mdp.dense())
    np.testing.assert_array_equal(padded.successors[:n_states, :n_actions, :width], mdp.successors)
    np.testing.assert_array_equal(padded.available[:n_states, :n_actions], mdp.available)
    np.testing.assert_array_equal(padded.terminal[:n_states], mdp.terminal)
    np.testing.assert_array_equal(padded.initial[:n_states], mdp.initial)
    assert not padded.available[:n_states, n_actions:].any()
    assert padded.terminal[n_states:].all()
    assert padded.available[n_states:].sum(1).tolist() == [1] * more_states
    assert padded.available[n_states:, 0].all()
    assert (padded.initial[n_states:] == 0).all()
    np.testing.assert_allclose(padded.dense().sum(2), 1.0)
    s = np.arange(padded.n_states)[:, None, None]
    possible = padded.probabilities > 0
    assert (padded.neighbors[padded.slots, s] == padded.successors)[possible].all()


def test_padding_to_what_is_there_changes_nothing():
    mdp = gridworld("s.a", slip=0.1, terminal="a", discount=0.9).mdp
    for before, after in zip(jax.tree.leaves(mdp), jax.tree.leaves(pad(mdp)), strict=True):
        np.testing.assert_array_equal(before, after)


@given(st.lists(sizes, min_size=1, max_size=4))
def test_what_is_stacked_comes_back(shapes):
    mdps = [small(*size) for size in shapes]
    together = stack(mdps)
    assert isinstance(together, MDP)
    assert {len(leaf) for leaf in jax.tree.leaves(together)} == {len(mdps)}
    for i, mdp in enumerate(mdps):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        n_states, n_actions, _ = mdp.successors.shape
        np.testing.assert_array_equal(one.dense()[:n_states, :n_actions, :n_states], mdp.dense())
        assert one.discount == mdp.discount


def test_stacked_problems_go_through_vmap():
    together = stack([open_grid(1, 2, discount=0.5).mdp, open_grid(2, 2, moves=8, slip=0.2, discount=0.9).mdp])
    assert jax.vmap(lambda mdp: mdp.n_states * mdp.discount)(together).tolist() == [2.0, pytest.approx(3.6)]


def test_wrong_sizes():
    mdp = open_grid(2, 3, discount=0.9).mdp
    with pytest.raises(ValueError, match="states is 5; expected at least 6"):
        pad(mdp, states=5)
    with pytest.raises(ValueError, match="actions is 3; expected at least 4"):
        pad(mdp, actions=3)
    with pytest.raises(ValueError, match="width is 0; expected at least 1"):
        pad(mdp, width=0)
    with pytest.raises(ValueError, match="neighbors is 2; expected at least 4"):
        pad(mdp, neighbors=2)
    with pytest.raises(ValueError, match="nothing to stack; expected at least one MDP"):
        stack([])
    with pytest.raises(ValueError, match="n is 0; expected 1 or more"):
        bucket(0)
