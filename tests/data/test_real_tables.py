"""Published behavior reads without a word of complaint, as the example scripts read it."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from goalinf.data import read_trajectories
from goalinf.worlds import graph_world, gridworld, open_grid, with_memory

MOVES = ("up", "down", "left", "right")
NAMES = dict(enumerate(MOVES))


@pytest.fixture(scope="module")
def tree(shared):
    moves = pd.read_csv(shared / "labyrinth_mice_rewarded" / "transitions.csv").query("moves == 1")
    return nx.from_pandas_edgelist(moves, "state", "next_state", create_using=nx.DiGraph)


def test_short_runs_of_mice(shared, tree):
    table = pd.read_csv(shared / "labyrinth_mice_rewarded" / "dirl_water_restricted.csv").query("split == 'train'")
    maze = graph_world(tree, stay=True, discount=0.9)
    runs = read_trajectories(table, maze, trajectory="traj", step="t", state="state")
    assert runs.n_trajectories == table["traj"].nunique() == 160
    assert runs.lengths.tolist() == [21] * 160
    assert runs.n_observed == runs.n_steps == runs.cells.weight.sum() == len(table) - 160
    visits = pd.Series(runs.state_visits(127), index=maze.states)
    assert visits[visits > 0].to_dict() == table["state"].value_counts().to_dict()
    back = runs.to_frame(node=np.array(maze.states)[runs.states[:, :-1]])
    pd.testing.assert_frame_equal(back.drop(columns="node"), table)
    chosen = back["node"].notna()
    assert (back.loc[chosen, "node"] == table.loc[chosen, "state"]).all()
    assert (~chosen).sum() == 160


def test_long_walks_of_mice(shared, tree):
    path = shared / "labyrinth_mice_rewarded" / "trajectories_500.csv.gz"
    options = {"trajectory": "traj", "step": "t", "state": "state"}
    maze = graph_world(tree, stay=True, discount=0.9)
    walks = read_trajectories(path, maze, **options)
    assert walks.n_trajectories == 238
    assert walks.n_steps == 238 * 499
    assert len(walks.cells.weight) < 500
    second = with_memory(maze)
    paired = read_trajectories(path, second, **options)
    assert np.array_equal(paired.actions, walks.actions)
    assert np.array_equal(second.memory.pairs[paired.states, 1], walks.states)
    with pytest.raises(ValueError, match=r"trajectories_500\.csv\.gz.*no action leads from state 0 to state 0.*stay"):
        read_trajectories(path, graph_world(tree, discount=0.9), **options)


def test_thirty_people_on_ten_by_ten_grids(shared):
    steps = pd.read_csv(shared / "gridworld_bounded_planning" / "steps.csv").query("layout != 'practice'")
    steps = steps[steps.uid.isin(steps.uid.unique()[:30])].replace({"action": NAMES})
    people = read_trajectories(
        steps,
        open_grid(10, 10, moves=MOVES, blocked="unavailable", discount=1.0),
        subject="uid",
        trajectory=["uid", "layout"],
        step="t",
        state=["row", "col"],
        action="action",
        context="layout",
    )
    assert people.n_subjects == 30
    assert people.context_names == tuple(sorted(steps["layout"].unique()))
    assert people.n_observed == len(steps)
    assert set(people.lengths.tolist()) == {20}


def test_stimuli_each_on_a_map_of_its_own(shared):
    folder = shared / "gridnav_goal_inference"
    maps = pd.read_csv(folder / "stimuli.csv").set_index("stimulus")["grid"]
    steps = pd.read_csv(folder / "stimulus_steps.csv").replace({"action": NAMES})
    worlds = {name: gridworld(grid.replace("/", "\n"), moves=MOVES, discount=1.0) for name, grid in maps.items()}
    options = {"trajectory": "stimulus", "step": "t", "state": ["row", "col"], "action": "action"}
    shown = read_trajectories(steps, worlds, context="stimulus", **options)
    assert shown.n_trajectories == shown.n_contexts == 60
    assert shown.n_observed == len(steps)
    assert [shown.labels.worlds[c] for c in shown.context] == [worlds[name] for name in shown.trajectory_names]
    one = read_trajectories(steps[steps["stimulus"] == "shortest_00"], worlds["shortest_00"], **options)
    assert one.actions.tolist() == [
        shown.actions[shown.trajectory_names.index("shortest_00"), : one.max_steps].tolist()
    ]
