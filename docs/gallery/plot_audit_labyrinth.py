"""
The audit of a labyrinth: the checkerboard null direction
=========================================================

Mice in a labyrinth of 127 nodes (Rosenberg et al. 2021, eLife 10:e66175) chose a way at every fork. Which directions of
the reward of the nodes do these data identify? One null direction is specific to trees: every step leads from an even
to an odd level or back, so that a bonus for all nodes of even level changes no action probability.
"""

import os
from pathlib import Path

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi

# %%
# The data
# --------
# The data are not part of goalinf. They are read from ``shared/data`` beside the checkout, or from the folder in the
# environment variable ``GOALINF_DATA``. Where both are missing, the page shows a simulated look-alike: visits to a
# labyrinth with the same graph, to which every conclusion about null directions applies as well.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# The sequences join visits to the maze end to end, so that the root repeats between them. They are cut there: every
# trajectory is one visit, and no step stays at its node.


def look_alike():
    """Simulate visits of mice with rewards at the water port, at the nodes around it and at the root."""
    graph = nx.balanced_tree(2, 6).to_directed()  # the children of node n are 2n + 1 and 2n + 2, as in the experiment
    maze = gi.graph_world(graph, discount=0.9, initial=[0])
    distance = nx.single_source_shortest_path_length(graph, 116)  # the water port
    values = np.array([3.0 * 0.6 ** distance[node] for node in maze.states]) + 0.5 * (np.array(maze.states) == 0)
    truth = gi.StateReward(values, on="arrival")
    return (
        graph,
        maze,
        gi.simulate(jax.random.key(2), maze, gi.agents.soft_optimal(beta=1.0), truth, trajectories=300, steps=30),
    )


def visits():
    """Read the maze, and one trajectory per visit of the training sequences."""
    moves = pd.read_csv(DATA / "transitions.csv").query("moves == 1")
    graph = nx.from_pandas_edgelist(moves, "state", "next_state", create_using=nx.DiGraph)
    table = pd.read_csv(DATA / "trajectories_500.csv.gz").query("split == 'train'")
    table = table.assign(visit=(table.state.eq(table.state.shift()) | table.traj.ne(table.traj.shift())).cumsum())
    table = table[table.groupby("visit").state.transform("size") > 1]
    maze = gi.graph_world(graph, discount=0.9)
    return graph, maze, gi.read_trajectories(table, maze, trajectory="visit", step="t", state="state")


graph, maze, data = visits() if DATA else look_alike()
data

# %%
# Identification before the fit
# -----------------------------
# The null directions given infinite data follow from the graph alone. There are two: the constant and the checkerboard.


print(gi.identify.graph_criteria(maze))
prior = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
null_space = gi.identify.null_space(maze, gi.agents.soft_optimal(beta=1.0), prior)
null_space

# %%
# This is the checkerboard: adding any multiple of it to a reward leaves every action probability unchanged.

checkerboard = null_space.basis.values[-1]
gi.plot.reward(maze, gi.StateReward(checkerboard, on="arrival"))

# %%
# An agent that can also stay at a node identifies it: the probability of staying depends on the color. An experiment in
# which animals may wait at a node resolves this null direction; more data of the same kind do not.

waiting = gi.graph_world(graph, stay=True, discount=0.9)
print(
    "without staying:",
    gi.identify.controllability_deficit(maze),
    " with staying:",
    gi.identify.controllability_deficit(waiting),
)

# %%
# The fit and its audit
# ---------------------
# Beta is fixed at 1, since only its product with the reward is identified.


fit = gi.infer(
    jax.random.key(0), maze, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=data, draws=400, progress=False
)
audit = gi.audit(fit)
print(audit)

# %%
# The mean rewards of the two colors are not identified: their posterior equals their prior. A statement such as "nodes
# at even levels have a higher reward than nodes at odd levels" would be a statement about the prior. Differences
# between nodes of one color are identified.

gi.plot.audit(audit)
