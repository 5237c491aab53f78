"""
The labyrinth, audited: a chessboard that nobody can see
========================================================

Mice in a labyrinth of 127 nodes (Rosenberg et al. 2021, eLife 10:e66175) chose a way at every fork. What can a posterior
over the worth of the nodes say, and what not? One thing it cannot say is a surprise: in a tree every step leads from an
even to an odd node or back, so that a bonus for all even nodes changes no choice whatever.
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
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names. Where they are not, the page shows a look-alike: visits that are simulated
# in a labyrinth of the same form, to which every conclusion about null directions applies as well.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# The sequences join visits to the maze end to end, so that the root repeats between them. Cut there, every walk is one
# visit, and nobody ever stays where they are.


def look_alike():
    """The maze, and simulated visits of mice to whom the water, the nodes around it and home are worth something."""
    graph = nx.balanced_tree(2, 6).to_directed()  # the children of node n are 2n + 1 and 2n + 2, as in the experiment
    maze = gi.graph_world(graph, discount=0.9, initial=[0])
    far = nx.single_source_shortest_path_length(graph, 116)  # the water port
    worth = np.array([3.0 * 0.6 ** far[node] for node in maze.states]) + 0.5 * (np.array(maze.states) == 0)
    truth = gi.StateReward(worth, on="arrival")
    return (
        graph,
        maze,
        gi.simulate(jax.random.key(2), maze, gi.agents.soft_optimal(beta=1.0), truth, trajectories=300, steps=30),
    )


def visits():
    """The maze, and one walk per visit of the training sequences."""
    moves = pd.read_csv(DATA / "transitions.csv").query("moves == 1")
    graph = nx.from_pandas_edgelist(moves, "state", "next_state", create_using=nx.DiGraph)
    table = pd.read_csv(DATA / "trajectories_500.csv.gz").query("split == 'train'")
    table = table.assign(visit=(table.state.eq(table.state.shift()) | table.traj.ne(table.traj.shift())).cumsum())
    table = table[table.groupby("visit").state.transform("size") > 1]
    maze = gi.graph_world(graph, discount=0.9)
    return graph, maze, gi.read_trajectories(table, maze, trajectory="visit", step="t", state="state")


graph, maze, walks = visits() if DATA else look_alike()
walks

# %%
# Before the fit
# --------------
# What infinite data could show follows from the graph alone. Two directions stay open: a constant, and the chessboard.


print(gi.identify.graph_criteria(maze))
prior = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
blind = gi.identify.null_space(maze, gi.agents.soft_optimal(beta=1.0), prior)
blind

# %%
# This is the chessboard: any multiple of it may be added to any reward, and every choice stays as likely as it was.

chessboard = blind.basis.values[-1]
gi.plot.reward(maze, gi.StateReward(chessboard, on="arrival"))

# %%
# Somebody who could also stay would show it: to stay or not to stay depends on the color. An experiment in which animals
# may wait at a node removes this direction; more data of the same kind never will.

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
# Beta is fixed at 1, since only its product with the reward shows.


fit = gi.infer(
    jax.random.key(0), maze, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=walks, draws=400, progress=False
)
audit = gi.audit(fit)
print(audit)

# %%
# The two colors are prior and nothing else, and their posterior is their prior. A statement such as "nodes at the even
# levels are worth more than those at the odd ones" would be about the prior; differences between nodes of one color are
# about the mice.

gi.plot.audit(audit)
