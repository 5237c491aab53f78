"""Pictures of policies: arrows on maps, ways out of the nodes of graphs."""

import dataclasses

import matplotlib.collections as collections
import numpy as np
import pytest
import xarray as xr
from matplotlib.quiver import Quiver
from pictures import bars, labeled, the

import goalinf as gi


def by_hand(world, rows):
    return xr.DataArray(np.asarray(rows, float), dims=("state", "action"))


def test_arrows_point_and_stretch_with_probability():
    hall = gi.gridworld("...", moves=("left", "right"), stay=True, discount=0.9)
    figure = gi.plot.policy(hall, by_hand(hall, [[0, 1, 0], [0.25, 0.5, 0.25], [0, 0, 1]]))
    labeled(figure)
    assert bars(figure) == ["probability of the action"]
    ax = figure.axes[0]
    arrows = the(Quiver, ax)
    assert arrows.XY.tolist() == [[0, 0], [1, 0], [1, 0]]
    np.testing.assert_allclose(arrows.U, np.array([1, -0.25, 0.5]) * arrows.U[0])
    np.testing.assert_allclose(arrows.V, 0)
    dots = the(collections.PathCollection, ax)
    assert dots.get_offsets().tolist() == [[1, 0], [2, 0]]  # stays


def test_arrows_on_ice_point_where_the_action_aims():
    """As in FrozenLake: each action goes its way, or to its left or right, with equal probability."""
    grid = gi.open_grid(4, 4, discount=0.9)
    dense = grid.mdp.dense()
    sides = [[a, *(b for b in range(4) if (b < 2) != (a < 2))] for a in range(4)]  # up and down; left and right
    law = np.stack([dense[:, sides[a]].mean(axis=1) for a in range(4)], axis=1)
    ice = dataclasses.replace(grid, mdp=gi.from_arrays(law, discount=0.9).mdp)
    for world in (ice, gi.open_grid(2, 2, slip=0.2, discount=0.9)):
        n = world.n_states
        for action, aim in enumerate([(0, -1), (0, 1), (-1, 0), (1, 0)]):
            arrows = the(Quiver, gi.plot.policy(world, by_hand(world, np.eye(4)[[action] * n])).axes[0])
            np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1) / 0.46, [aim] * n, atol=1e-9)


def test_ended_states_have_no_arrows(room):
    wants = gi.StateReward.at(room, {"a": 1.0}, default=0.0, on="departure")
    arrows = the(Quiver, gi.plot.policy(room, gi.agents.soft_optimal(beta=2.0), wants).axes[0])
    assert [1.0, 3.0] not in arrows.XY.tolist()
    assert {tuple(place) for place in arrows.XY.tolist()} == {tuple(place) for place in room.positions.tolist()} - {
        (1, 3)
    }
    goal = gi.goals(room, {"home": "a"})["home"]
    arrows = the(Quiver, gi.plot.policy(room, gi.agents.boltzmann(beta=2.0), goal).axes[0])
    assert [3.0, 1.0] not in arrows.XY.tolist()


def test_ways_out_of_nodes_are_as_wide_as_likely(ring):
    rows = np.zeros((4, 3))
    rows[0] = [0.75, 0.25, 0]  # to 1 and to 3
    rows[1:, 2] = 1.0  # stay
    figure = gi.plot.policy(ring, by_hand(ring, rows))
    labeled(figure)
    assert bars(figure) == ["probability of the next step"]
    ax = figure.axes[0]
    nodes = the(collections.PathCollection, ax)
    assert nodes.get_array().tolist() == [0, 1, 1, 1]
    ways = [c for c in ax.collections if isinstance(c, collections.LineCollection)][1]
    (short, long), ends = ways.get_linewidths(), [segment[1] for segment in ways.get_segments()]
    assert short < long
    np.testing.assert_allclose(ends[0], (ring.positions[0] + ring.positions[3]) / 2)
    np.testing.assert_allclose(ends[1], (ring.positions[0] + ring.positions[1]) / 2)


def test_policy_with_memory_is_the_mean_over_last_states(memory):
    wants = gi.StateReward.at(memory, {2: 1.0}, default=0.0, on="departure")
    figure = gi.plot.policy(memory, gi.agents.soft_optimal(beta=2.0), wants)
    labeled(figure)
    assert figure.axes[0].get_title("left") == "mean over the last states"
    nodes = the(collections.PathCollection, figure.axes[0]).get_array()
    policy = gi.agents.soft_optimal(beta=2.0).policy(memory, wants).values
    at_end = [i for i, (_, this) in enumerate(memory.states) if this == 2]
    np.testing.assert_allclose(nodes[2], policy[at_end, 1].mean())  # actions at node 2: to 1, stay


def test_policies_of_finite_horizon_show_one_decision(room):
    wants = gi.StateReward.at(room, {"a": 1.0}, default=0.0, on="departure")
    figure = gi.plot.policy(room, gi.agents.soft_optimal(beta=2.0, horizon=3), wants, step=2)
    assert figure.axes[0].get_title("left") == "decision 2 of 3"
    with pytest.raises(ValueError, match="decisions 0 to 2"):
        gi.plot.policy(room, gi.agents.soft_optimal(beta=2.0, horizon=3), wants, step=3)


def test_policy_errors(room, ring):
    with pytest.raises(ValueError, match="the reward of the agent is missing"):
        gi.plot.policy(room, gi.agents.soft_optimal(beta=1.0))
    with pytest.raises(ValueError, match=r"this world needs \(7, 4\)|this world needs"):
        gi.plot.policy(room, by_hand(ring, np.ones((4, 3)) / 3))
