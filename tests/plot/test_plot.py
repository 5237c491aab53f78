"""Pictures: axes say what they show, and the data are in them."""

import matplotlib.collections as collections
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from pictures import ROOM, bars, labeled, texts, the

import goalinf as gi
from goalinf.plot.drawing import layout, style
from goalinf.plot.drawing.ground import Ground

# -- worlds --------------------------------------------------------------------------------------


def test_a_map_shows_walls_marks_start_and_end(room):
    figure = gi.plot.world(room)
    labeled(figure)
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("column", "row")
    free = np.asarray(ax.images[0].get_array())
    assert free.tolist() == [[int(cell != "#") for cell in line] for line in ROOM.split("\n")]
    assert sorted(texts(ax)) == ["a", "b", "s"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["episodes start", "episodes end"]
    rings = [c.get_offsets().tolist() for c in ax.collections if isinstance(c, collections.PathCollection)]
    assert rings == [[[1.0, 1.0]], [[1.0, 3.0]]]  # s above b, in (column, row)


@pytest.mark.parametrize(
    ("rows", "cols", "size"), [(5, 6, (2.76, 2.3)), (1, 3, (2.4, 1.4)), (10, 20, (6.0, 3.0)), (20, 10, (3.0, 6.0))]
)
def test_cells_of_a_map_are_squares_of_half_an_inch_or_less(rows, cols, size):
    """The longer side takes at most six inches."""
    assert Ground.of(gi.open_grid(rows, cols, discount=0.9)).size() == pytest.approx(size)


def test_graphs_keep_their_proportions():
    line = gi.graph_world(nx.path_graph(4), discount=0.9, positions={i: (3.0 * i, 0.0 if i else 3.6) for i in range(4)})
    width, height = Ground.of(line).size()
    assert 2.8 <= width <= 6.0
    assert height / width == pytest.approx(0.4)
    assert Ground.of(line).spacing == pytest.approx(3.0)  # of 4.69, 3, 3, 3


def test_marks_stand_in_the_middle_of_cells_or_beside_what_is_drawn_there(room):
    data = walk(room, ["s", (1, 2)], ["right"])
    for figure, shift in ((gi.plot.world(room), 0.0), (gi.plot.trajectories(data, room), -0.33)):
        at = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
        for mark in "sab":
            np.testing.assert_allclose(at[mark], room.positions[room.index(mark)] + shift)


def test_every_possible_start_has_a_ring():
    world = gi.gridworld("s.a", initial={"s": 0.9, "a": 0.1}, discount=0.9)
    (ax,) = gi.plot.world(world).axes
    assert the(collections.PathCollection, ax).get_offsets().tolist() == [[0.0, 0.0], [2.0, 0.0]]


def test_starting_anywhere_draws_no_rings():
    (ax,) = gi.plot.world(gi.open_grid(2, 3, discount=0.9)).axes
    assert ax.get_legend() is None


def test_a_graph_shows_nodes_edges_and_names(ring):
    figure = gi.plot.world(ring)
    labeled(figure)
    (ax,) = figure.axes
    assert texts(ax) == ["0", "1", "2", "3"]
    lines = the(collections.LineCollection, ax)
    assert len(lines.get_segments()) == 4  # both directions of an edge are one line
    np.testing.assert_allclose(the(collections.PathCollection, ax).get_offsets(), ring.positions)
    assert ax.get_xlabel() == "x (as given)"


def test_one_way_edges_are_arrows():
    world = gi.graph_world(nx.DiGraph([(0, 1), (1, 0), (1, 2), (2, 0)]), discount=0.9)
    (ax,) = gi.plot.world(world).axes
    assert len(ax.patches) == 2
    assert len(the(collections.LineCollection, ax).get_segments()) == 1


def test_names_are_left_out_of_large_graphs():
    (ax,) = gi.plot.world(gi.graph_world(nx.cycle_graph(61), discount=0.9)).axes
    assert not texts(ax)
    assert len(the(collections.PathCollection, ax).get_offsets()) == 61
    assert "layout computed" in ax.get_xlabel()


def test_worlds_with_memory_and_tables_are_graphs(memory):
    (ax,) = gi.plot.world(memory).axes
    assert texts(ax) == ["0", "1", "2"]
    table = gi.from_arrays(np.full((3, 2, 3), 1 / 3), discount=0.9)
    labeled(gi.plot.world(table))


def test_drawing_on_given_axes(room):
    figure, (left, right) = style.canvas(4.0, 2.0, 2)
    assert gi.plot.world(room, ax=right) is figure
    assert right.images
    assert not left.images


def test_no_world_is_an_error():
    with pytest.raises(ValueError, match="World"):
        gi.plot.world("s..a")


# -- layouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "graph",
    [
        nx.balanced_tree(2, 6),
        nx.balanced_tree(3, 3),
        nx.path_graph(12),
        nx.star_graph(9),
        nx.karate_club_graph(),
        nx.disjoint_union(nx.cycle_graph(5), nx.path_graph(3)),
        nx.empty_graph(3),
    ],
)
def test_computed_layouts_keep_nodes_apart_and_are_the_same_every_time(graph):
    places = layout.compute(graph)
    assert places.shape == (len(graph), 2)
    np.testing.assert_array_equal(places, layout.compute(graph))
    far = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(graph)) * 1e9
    assert far.min() > 0.02 * max(np.ptp(places, axis=0).max(), 1e-9)


@pytest.mark.parametrize("tree", [nx.balanced_tree(2, 6), nx.balanced_tree(3, 3), nx.random_labeled_tree(40, seed=1)])
def test_no_two_branches_of_a_tree_cross(tree):
    places = layout.compute(tree)
    edges = [tuple(sorted(edge)) for edge in tree.edges]

    def turn(a, b, c):
        (ax, ay), (bx, by), (cx, cy) = places[[a, b, c]]
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    for i, (a, b) in enumerate(edges):
        for c, d in edges[:i]:
            if len({a, b, c, d}) == 4:
                apart = turn(a, b, c) * turn(a, b, d) > -1e-12 or turn(c, d, a) * turn(c, d, b) > -1e-12
                assert apart, f"{a}-{b} crosses {c}-{d}"


# -- trajectories --------------------------------------------------------------------------------


def walk(world, names, actions):
    states = [[world.index(name) for name in names]]
    return gi.Trajectories.of(states, [[world.action_index(a) for a in actions]])


def test_a_single_trajectory_is_colored_by_time(room):
    data = walk(room, ["s", (1, 2), "a", (2, 3)], ["right", "right", "down"])
    figure = gi.plot.trajectories(data, room)
    labeled(figure)
    assert bars(figure) == ["time (steps)"]
    ax = figure.axes[0]
    path = next(c for c in ax.collections if c.get_array() is not None)
    assert path.get_array().tolist() == [0.5, 1.5, 2.5]
    assert path.get_clim() == figure.axes[1].get_ylim() == (0, 3)
    seen = np.array([segment[0] for segment in path.get_segments()])
    np.testing.assert_array_less(np.abs(seen - [[1, 1], [2, 1], [3, 1]]), 0.3)
    start, end = ax.lines
    np.testing.assert_allclose(np.ravel(start.get_xydata()), seen[0])
    np.testing.assert_array_less(np.abs(np.ravel(end.get_xydata()) - [3, 2]), 0.3)


def test_several_trajectories_each_get_a_path_a_start_and_an_end(ring):
    data = gi.Trajectories.of([[0, 1, 2], [2, 3, -1]], [[0, 1], [1, -1]])
    figure = gi.plot.trajectories(data, ring)
    labeled(figure)
    (ax,) = figure.axes
    assert len(ax.lines) == 4
    paths = [c for c in ax.collections if isinstance(c, collections.LineCollection)][1:]  # the first one: the edges
    assert [len(path.get_segments()) for path in paths] == [2, 1]
    assert ax.get_title("left") == "2 trajectories"
    assert bars(gi.plot.trajectories(data, ring, which=1)) == ["time (steps)"]


def test_trajectories_are_shifted_apart_around_their_states(room):
    """Each as a whole by at most 0.2 cells, and each visit by at most a third of that; zero on average."""
    here = room.index((1, 2))
    (ax,) = gi.plot.trajectories(gi.Trajectories.of([[here] * 40] * 100, [[0] * 39] * 100), room).axes
    paths = [c.get_segments() for c in ax.collections if isinstance(c, collections.LineCollection)][1:]
    shifts = np.array([[segments[0][0], *(segment[1] for segment in segments)] for segments in paths]) - [2.0, 1.0]
    assert shifts.shape == (100, 40, 2)
    assert 0.25 < np.abs(shifts).max() < 0.2 * 4 / 3
    whole = shifts.mean(axis=1)
    np.testing.assert_allclose(whole.mean(axis=0), 0.0, atol=0.05)  # the sd of a mean is 0.0115
    np.testing.assert_allclose(whole.std(axis=0), 0.2 / np.sqrt(3), rtol=0.2)
    np.testing.assert_allclose((shifts - whole[:, None]).std(axis=(0, 1)), 0.2 / 3 / np.sqrt(3), rtol=0.1)


def test_trajectories_with_memory_are_drawn_on_plain_nodes(memory):
    pairs = [memory.index((None, 0)), memory.index((0, 1)), memory.index((1, 2))]
    data = gi.Trajectories.of([pairs], [[0, 1]])
    ax = gi.plot.trajectories(data, memory).axes[0]
    ends = np.array([line.get_xydata()[0] for line in ax.lines])
    np.testing.assert_allclose(ends, Ground.of(memory).places[[0, 2]])


def test_trajectories_that_do_not_fit_are_errors(room, ring):
    data = gi.Trajectories.of([[0, 7]], [[0]])
    with pytest.raises(ValueError, match="do not contain their world"):
        gi.plot.trajectories(data)
    with pytest.raises(ValueError, match="visit state number 7, the world has 4"):
        gi.plot.trajectories(data, ring)
    with pytest.raises(ValueError, match="no trajectory number 3"):
        gi.plot.trajectories(data, room, which=3)


# -- beliefs about goals -------------------------------------------------------------------------


def test_goal_timeline_has_a_line_for_every_goal():
    belief = np.array([[0.5, 0.3, 0.2], [0.7, 0.2, 0.1], [np.nan] * 3])
    coords = {"goal": ["home", "shop", "park"], "step": [0, 1, 2], "trajectory": [17]}
    posterior = xr.DataArray(belief[None], dims=("trajectory", "step", "goal"), coords=coords)
    figure = gi.plot.goal_timeline(posterior)
    labeled(figure)
    (ax,) = figure.axes
    lines = {line.get_label(): line.get_ydata().tolist() for line in ax.lines if not line.get_label().startswith("_")}
    assert lines == {"home": [0.5, 0.7], "shop": [0.3, 0.2], "park": [0.2, 0.1]}
    assert ax.lines[0].get_xdata().tolist() == [0, 1]  # padding is left out
    (chance,) = (line.get_ydata() for line in ax.lines if line.get_label().startswith("_"))
    assert set(chance) == {1 / 3}
    assert ax.get_title("left") == "trajectory 17"
    with pytest.raises(ValueError, match="no trajectory number 1"):
        gi.plot.goal_timeline(posterior, 1)
    with pytest.raises(ValueError, match="expected dimensions trajectory, step, goal"):
        gi.plot.goal_timeline(posterior.isel(trajectory=0))


# -- distances -----------------------------------------------------------------------------------


def test_distances_are_curves_of_their_probability():
    regret = {
        name: xr.DataArray(values, dims="sample", name="regret")
        for name, values in {"here": np.linspace(0.0, 1.0, 101), "there": np.full(10, 0.5)}.items()
    }
    figure = gi.plot.distances(regret, level=0.8)
    labeled(figure)
    (ax,) = figure.axes
    assert ax.get_xlabel() == "regret"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "here  0.5 [0.1, 0.9]",
        "there  0.5 [0.5, 0.5]",
    ]
    thick = next(line for line in ax.lines if line.get_label().startswith("here"))
    np.testing.assert_allclose(thick.get_xdata()[[0, -1]], [0.1, 0.9])
    np.testing.assert_allclose(thick.get_ydata(), np.arange(11, 92) / 101)
    thin = next(line for line in ax.lines if not line.get_label().startswith(("here", "there")))
    np.testing.assert_allclose(thin.get_xdata(), [0.0, *np.linspace(0.0, 1.0, 101)])
    np.testing.assert_allclose(thin.get_ydata(), np.arange(102) / 101)
    with pytest.raises(ValueError, match="found is empty"):
        gi.plot.distances({})
    with pytest.raises(ValueError, match="level is 1"):
        gi.plot.distances(regret, level=1.0)
    with pytest.raises(ValueError, match="here holds 2 distances; expected some, and all of them finite"):
        gi.plot.distances({"here": xr.DataArray([0.1, np.nan], dims="sample")})


def test_pictures_belong_to_no_window(room):
    import matplotlib.pyplot as plt

    gi.plot.world(room)
    gi.plot.reward(room, gi.StateReward.zero(room))
    assert plt.get_fignums() == []
