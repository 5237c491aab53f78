"""Samples of a behavior, step by step: gaps and ends are marked as in data that were read; draws are independent."""

import itertools

import jax
import numpy as np
from behaviors import AGENT, REWARD, TERMINAL, WORLD, walks, with_gaps

import goalinf as gi
from goalinf.precision import computing_in


def test_gaps_and_ends_are_marked():
    """Behind the end there is no state; where nothing is observed there is no action; and the record says the same."""
    like = with_gaps(walks())
    with computing_in("float64"):
        drawn = gi.Behavior(WORLD, AGENT, REWARD, like=like).sample(jax.random.key(0))
    states, actions, lengths, observed = (
        np.asarray(each) for each in (drawn.states, drawn.actions, drawn.lengths, drawn.observed)
    )
    steps = np.arange(actions.shape[1])
    np.testing.assert_array_equal(states >= 0, np.arange(states.shape[1]) <= lengths[:, None])
    np.testing.assert_array_equal(actions >= 0, observed)
    np.testing.assert_array_equal(actions == -1, ~observed)
    np.testing.assert_array_equal(states == -1, np.arange(states.shape[1]) > lengths[:, None])
    np.testing.assert_array_equal(observed, np.asarray(like.observed) & (steps < lengths[:, None]))
    np.testing.assert_array_equal(drawn.subject, like.subject)
    for row, length, most in zip(states, lengths, np.asarray(like.lengths), strict=True):
        assert not TERMINAL[row[:length]].any()
        assert length == most or TERMINAL[row[length]]


def test_choices_moves_and_walks_are_independent():
    """A fair choice, a fair move, and the same of the next step and of the next walk: every pair is as often as chance."""
    world = gi.from_arrays(np.full((2, 2, 2), 0.5), discount=0.5)
    idle = gi.ActionReward(np.zeros((2, 2)))
    data = gi.simulate(jax.random.key(3), world, gi.agents.uniform(), idle, trajectories=4000, steps=2, starts=0)
    states, actions = np.asarray(data.states), np.asarray(data.actions)
    bits = {
        "choice": actions[:, 0],
        "move": states[:, 1],
        "next choice": actions[:, 1],
        "next move": states[:, 2],
        "choice of the next walk": np.roll(actions[:, 0], 1),
        "move of the next walk": np.roll(states[:, 1], 1),
    }
    for (one, x), (other, y) in itertools.combinations(bits.items(), 2):
        alike = (x == y).mean()
        assert abs(alike - 0.5) < 5 * 0.5 / np.sqrt(len(x)), (one, other)
