"""
Mice in a labyrinth: does the last node matter?
===============================================

Thirsty mice ran freely in a labyrinth of 127 nodes, a binary tree with water at one leaf (Rosenberg et al. 2021, eLife
10:e66175). A reward for every node is the usual model. Does it describe them? The test is to predict walks that were not
fitted, in bits per step, and to compare it with a model in which a choice may depend on the node before.
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
# environment variable ``GOALINF_DATA`` names. Where they are not, the page shows a look-alike: mice that are simulated in
# a labyrinth of the same form, know where the water is, and dislike to turn back. The line below says which of the two
# you see.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# The maze is a graph with an action for every edge. Where two visits to the maze were joined, the root repeats: it gets
# an edge to itself. The second world remembers the last node: its states are pairs (last node, this node).


def worlds():
    """The labyrinth, and the labyrinth with memory."""
    if DATA is None:
        graph = nx.balanced_tree(
            2, 6
        ).to_directed()  # the children of node n are 2n + 1 and 2n + 2, as in the experiment
    else:
        moves = pd.read_csv(DATA / "transitions.csv").query("moves == 1")
        graph = nx.from_pandas_edgelist(moves, "state", "next_state", create_using=nx.DiGraph)
    graph.add_edge(0, 0)
    maze = gi.graph_world(graph, discount=0.9)
    return {"first order": maze, "second order": gi.with_memory(maze)}


mazes = worlds()
for name, maze in mazes.items():
    print(f"{name}: {maze}")

# %%
# What can be rewarded
# --------------------
# In the first world a reward is collected on arrival at each node. In the second, a reward of states would not do: on
# arrival at the pair (this, next) it is a reward of the directed move, whatever came before, and so is all that follows.
# The last node would not matter to any choice. The reward must depend on the turn (last, this, next): one weight for each,
# wherever there is a choice. Beta is fixed at 1, since only its product with the reward shows, and the priors are
# Normal(0, 1).


def turns(maze):
    """Every turn (last node, this node, next node) where there is a choice, and a feature for each: ``(S, A, F)``."""
    chosen = [
        (state, action)
        for state, names in enumerate(maze.actions)
        for action, name in enumerate(names)
        if name is not None and maze.states[state][0] is not None and sum(n is not None for n in names) > 1
    ]
    features = np.zeros((maze.n_states, len(maze.actions[0]), len(chosen)))
    for number, (state, action) in enumerate(chosen):
        features[state, action, number] = 1.0
    # An action is named after the node that it leads to.
    names = [(*maze.states[state], maze.actions[state][action]) for state, action in chosen]
    return names, features


# %%
# The sequences
# -------------
# Each has one row per visit of a node. The split is the published one: every fifth sequence is held out.

WATER = 116  # the node of the water port


def look_alike():
    """Simulated mice: a turn is worth less if it leads away from the water or back."""
    maze = mazes["second order"]
    names, features = turns(maze)
    far = nx.single_source_shortest_path_length(nx.balanced_tree(2, 6), WATER)
    weights = [1.0 * (far[following] < far[this]) - 2.0 * (following == last) for last, this, following in names]
    truth = gi.LinearReward(features, np.array(weights))
    walks = gi.simulate(jax.random.key(1), maze, gi.agents.soft_optimal(beta=1.0), truth, trajectories=60, steps=120)
    table = walks.to_frame().rename(columns={"trajectory": "traj", "step": "t"})
    return table.assign(split=np.where(table["traj"] % 5 == 0, "test", "train"))


table = look_alike() if DATA is None else pd.read_csv(DATA / "trajectories_500.csv.gz")
print(table.groupby("split")["traj"].agg(["nunique", "size"]).set_axis(["sequences", "steps"], axis=1))

# %%
# Fit and hold out
# ----------------
# With hundreds of parameters, and many choices for most of them, a Laplace approximation at the mode stands in for MCMC
# on this page.


def fits():
    """Fit both models to the training sequences; score the others."""
    rewards = {
        "first order": gi.StateReward(dist.Normal(0.0, 1.0), on="arrival"),
        "second order": gi.LinearReward(turns(mazes["second order"])[1], dist.Normal(0.0, 1.0)),
    }
    found, scores = {}, {}
    for name, maze in mazes.items():
        read = {
            split: gi.read_trajectories(rows, maze, trajectory="traj", step="t", state="state")
            for split, rows in table.groupby("split")
        }
        found[name] = gi.inference.approximate(
            jax.random.key(0),
            maze,
            agent=gi.agents.soft_optimal(beta=1.0),
            reward=rewards[name],
            data=read["train"],
            draws=200,
        )
        scores[name] = gi.inference.log_predictive_density(found[name], read["test"])
    return found, scores


found, scores = fits()
for name, score in scores.items():
    print(f"{name}: {score.bits.sum() / score.steps.sum():.3f} bits per step")

# %%
# For comparison, from counts of the training sequences of the experiment: guessing among the moves that are possible costs 1.304 bits
# per step, the best policy that knows only the node 1.260, and the best that knows the last node too 0.981.
#
# Leave one sequence out
# ----------------------
# The same question without a split. Read the warnings: where a sequence weighs so much that leaving it out would move
# the posterior, the estimate says so, and the held-out bits above are the better answer.

gi.compare(found).round(1)

# %%
# What a first-order model calls the value of a node
# --------------------------------------------------
# In the experiment the reward of nodes does not peak at the water port (node 116) but around it: a mouse that leaves the
# port must pass them again, and a model without memory can only explain that by their worth.

mean = found["first order"].posterior["reward.values"].mean(("chain", "draw")).to_series()
print(mean.sort_values(ascending=False).head(5).round(2))

gi.plot.reward_map(found["first order"])
