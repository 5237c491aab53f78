"""Maps of rewards: the figures in them are those of the posterior."""

import matplotlib.collections as collections
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr
from pictures import ROOM, bars, hand_fit, labeled

import goalinf as gi
from goalinf.inference.model.models import CustomModel


def cells(world, image):
    """Values of the states in an image of the map."""
    col, row = world.positions.astype(int).T
    return np.asarray(image.get_array()[row, col], float)


def crosses(ax):
    """Where states without an observed action are marked."""
    (marks,) = (c for c in ax.collections if isinstance(c, collections.PathCollection))
    return marks.get_offsets()


def test_reward_map_shows_mean_and_sd_of_every_cell(room):
    draws = np.random.default_rng(0).normal(size=(50, room.n_states))
    figure = gi.plot.reward_map(hand_fit(room, gi.StateReward(dist.Normal(0, 1), on="departure"), draws))
    labeled(figure)
    mean, sd = figure.axes[:2]
    np.testing.assert_allclose(cells(room, mean.images[1]), draws.mean(0))
    np.testing.assert_allclose(cells(room, sd.images[1]), draws.std(0, ddof=1))
    assert mean.images[1].get_array().mask.sum() == 25 - room.n_states  # walls stay dark
    assert bars(figure) == ["reward on departure (utility)", "sd of reward on departure (utility)"]
    assert [ax.get_title() for ax in (mean, sd)] == ["posterior mean", "posterior sd"]
    low, high = mean.images[1].get_clim()
    assert low == -high  # zero is the middle of the colors
    assert "no observed action" in sd.get_xlabel()
    # In the lower right corners of all cells but the visited and the terminal one.
    others = [s for s in range(room.n_states) if s not in (0, room.index("b"))]
    np.testing.assert_allclose(crosses(sd), room.positions[others] + 0.36)


def test_reward_map_of_a_graph(ring):
    draws = np.arange(12.0).reshape(3, 4)
    figure = gi.plot.reward_map(hand_fit(ring, gi.StateReward(dist.Normal(0, 1), on="arrival"), draws))
    labeled(figure)
    nodes = next(c for c in figure.axes[0].collections if c.get_array() is not None)
    assert nodes.get_array().tolist() == [4, 5, 6, 7]
    assert bars(figure)[0] == "reward on arrival (utility)"


def test_reward_map_of_linear_rewards_is_taken_in_every_draw(ring):
    features = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    weights = np.random.default_rng(1).normal(size=(30, 2))
    fit = hand_fit(ring, gi.LinearReward(features, dist.Normal(0, 1), on="arrival"), weights)
    figure = gi.plot.reward_map(fit)
    sd = next(c for c in figure.axes[1].collections if c.get_array() is not None).get_array()
    np.testing.assert_allclose(sd, (weights @ features.T).std(0, ddof=1), rtol=1e-6)


def test_reward_map_of_action_rewards_is_the_mean_over_available_actions(ring):
    world = gi.graph_world(nx.path_graph(3), discount=0.9)  # the ends have one action, the middle has two
    draws = np.random.default_rng(2).normal(size=(20, 3, 2))
    figure = gi.plot.reward_map(hand_fit(world, gi.ActionReward(dist.Normal(0, 1)), draws))
    labeled(figure)
    mean = next(c for c in figure.axes[0].collections if c.get_array() is not None).get_array()
    expected = draws.mean(0)
    np.testing.assert_allclose(mean, [expected[0, 0], expected[1].mean(), expected[2, 0]], rtol=1e-6)
    assert figure.axes[0].get_title() == "posterior mean\nmean over actions"
    assert bars(figure)[0] == "expected reward (utility)"


def test_reward_map_with_memory_is_the_mean_over_last_states(memory):
    draws = np.random.default_rng(3).normal(size=(20, memory.n_states))
    figure = gi.plot.reward_map(hand_fit(memory, gi.StateReward(dist.Normal(0, 1), on="departure"), draws))
    mean, sd = (next(c for c in ax.collections if c.get_array() is not None).get_array() for ax in figure.axes[:2])
    at = [i for i, (_, this) in enumerate(memory.states) if this == 1]
    np.testing.assert_allclose(mean[1], draws[:, at].mean())
    np.testing.assert_allclose(sd[1], draws[:, at].mean(1).std(ddof=1))  # of the mean, not the mean of sds
    assert "mean over the last states" in figure.axes[0].get_title()


def test_reward_map_in_several_worlds_asks_which(room):
    other = gi.gridworld(ROOM, discount=0.5)
    data = gi.Trajectories.of([[0, 1], [2, 1]], [[0], [0]], context=[0, 1])
    prior = gi.StateReward(dist.Normal(0, 1), on="departure")
    fit = hand_fit({0: room, 1: other}, prior, np.ones((2, room.n_states)), data)
    with pytest.raises(ValueError, match="context= one of 0, 1"):
        gi.plot.reward_map(fit)
    with pytest.raises(ValueError, match="context 7 has no world"):
        gi.plot.reward_map(fit, context=7)
    figure = gi.plot.reward_map(fit, context=1)
    labeled(figure)
    unseen = np.delete(np.arange(other.n_states), 2)  # no state is terminal there
    np.testing.assert_allclose(crosses(figure.axes[1]), other.positions[unseen] + 0.36)


def test_a_fit_with_nothing_to_draw_says_so(room):
    known = gi.StateReward.zero(room)
    fit = hand_fit(room, known, np.ones((2, room.n_states)))
    fit.tree["posterior"] = xr.Dataset({"agent.beta": (("chain", "draw"), np.ones((1, 2)))})
    with pytest.raises(ValueError, match="reward of this fit was known"):
        gi.plot.reward_map(fit)
    own = gi.Fit(fit.tree, fit.data, CustomModel(print))
    with pytest.raises(ValueError, match="model of your own"):
        gi.plot.reward_map(own)
    with pytest.raises(ValueError, match="Fit"):
        gi.plot.reward_map(known)


def test_a_known_reward(room, ring):
    wants = gi.StateReward.at(room, {"a": 2.0}, default=-1.0, on="arrival")
    figure = gi.plot.reward(room, wants)
    labeled(figure)
    np.testing.assert_allclose(cells(room, figure.axes[0].images[1]), wants.values)
    assert figure.axes[0].images[1].get_clim() == (-2.0, 2.0)
    assert bars(figure) == ["reward on arrival (utility)"]
    goal = gi.goals(ring, {"home": 2}, step_cost=1.0, bonus=5.0)["home"]
    ax = gi.plot.reward(ring, goal).axes[0]
    assert ax.get_title("left") == "mean over actions"
    nodes = next(c for c in ax.collections if c.get_array() is not None).get_array()
    np.testing.assert_allclose(nodes[1], -1 + 5 / 3)  # three actions, one of which arrives
    with pytest.raises(ValueError, match="Normal prior stands"):
        gi.plot.reward(room, gi.StateReward(dist.Normal(0, 1), on="arrival"))
    with pytest.raises(ValueError, match=r"has shape \(\d+,\); this world needs \(\d+,\)"):
        gi.plot.reward(ring, wants)
    with pytest.raises(ValueError, match=r"values of the ActionReward has shape \(4,\); this world needs"):
        gi.plot.reward(room, gi.ActionReward(np.arange(4.0)))
