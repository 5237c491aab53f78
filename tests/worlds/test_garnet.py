"""Random worlds."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalinf.worlds import garnet


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 4), st.data())
def test_every_row_leads_to_as_many_states_as_asked(seed, states, actions, data):
    branching = data.draw(st.integers(1, states))
    terminal = data.draw(st.integers(0, states - 1))
    world = garnet(
        jax.random.key(seed), states=states, actions=actions, branching=branching, terminal=terminal, discount=0.9
    )
    live = ~world.mdp.terminal
    assert world.mdp.terminal.sum() == terminal
    assert ((world.mdp.dense() > 0).sum(2)[live] == branching).all()
    assert world.mdp.probabilities.dtype == np.float64


def test_equal_keys_give_equal_worlds():
    one, same, other = (garnet(jax.random.key(k), states=9, actions=2, branching=3, discount=0.9) for k in (0, 0, 1))
    np.testing.assert_array_equal(one.mdp.dense(), same.mdp.dense())
    assert (one.mdp.successors != other.mdp.successors).any()
    raw = garnet(jax.random.PRNGKey(0), states=9, actions=2, branching=3, discount=0.9)
    np.testing.assert_array_equal(one.mdp.dense(), raw.mdp.dense())


def test_successors_are_uniform_and_pieces_of_the_interval_too():
    """Each state follows with probability branching/S; the first piece of a cut interval is Beta(1, branching - 1)."""
    mdp = garnet(jax.random.key(0), states=200, actions=100, branching=4, discount=0.9).mdp
    counts = np.bincount(mdp.successors.ravel(), minlength=200)
    expected = mdp.successors.size / 200
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)
    n = mdp.probabilities[..., 0].size
    assert mdp.probabilities[..., 0].mean() == pytest.approx(1 / 4, abs=5 * np.sqrt(3 / 80 / n))
    assert mdp.probabilities[..., 0].var() == pytest.approx(3 / 80, rel=0.05)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"states": 0}, "states is 0; expected a whole number of at least 1"),
        ({"actions": 0}, "actions is 0; expected a whole number of at least 1"),
        ({"branching": 6}, "branching is 6; expected 1 to 5"),
        ({"branching": 0}, "branching is 0; expected a whole number of at least 1"),
        ({"actions": True}, "actions is True; expected a whole number"),
        ({"terminal": 5}, "terminal is 5; expected 0 to 4"),
        ({"key": -3}, "key is -3; expected a whole number in"),
        ({"key": jax.numpy.zeros((2, 2), jax.numpy.uint32)}, "key holds an array of keys; expected one"),
    ],
)
def test_wrong_numbers(numbers, said):
    options = {"key": jax.random.key(0), "states": 5, "actions": 2, "branching": 2, "discount": 0.9, **numbers}
    with pytest.raises(ValueError, match=said):
        garnet(options.pop("key"), **options)
