"""
Mice in a labyrinth: does the previous node matter?
===================================================

Thirsty mice ran freely in a labyrinth of 127 nodes, a binary tree with water at one leaf (Rosenberg et al. 2021, eLife
10:e66175). The usual model has a reward for every node. The test of this model is the held-out log predictive density
of trajectories, in bits per step, compared with a model in which actions may depend on the previous node.
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
# environment variable ``GOALINF_DATA``. Where both are missing, the page shows a simulated look-alike: agents in
# a labyrinth with the same graph, with rewards for moves towards the water and costs of turning back. The line below
# states which of the two the page shows.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# The maze is a graph with an action for every edge. Where two visits to the maze were joined, the root repeats: it gets
# an edge to itself. The states of the second world are pairs (previous node, current node).


def worlds():
    """Make the labyrinth, and the labyrinth with memory."""
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
# The rewards
# -----------
# In the first world a reward is collected on arrival at each node. In the second, a reward of states is not sufficient:
# on arrival at the pair (current, next) it is a reward of the directed move, which does not depend on the previous
# node, and neither do later rewards. No action probability would depend on the previous node. The reward must depend on
# the turn (previous, current, next): one weight for each, in every state with several actions. Beta is fixed at 1,
# since only its product with the reward is identified, and the priors are Normal(0, 1).


def turns(maze):
    """List every turn (previous, current, next node) in states with several actions; features ``(S, A, F)``."""
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
# Each has one row per visit of a node. The split is the published one: every fifth sequence is test data.

WATER = 116  # the node of the water port


def look_alike():
    """Simulate agents with a lower reward for turns away from the water or back."""
    maze = mazes["second order"]
    names, features = turns(maze)
    distance = nx.single_source_shortest_path_length(nx.balanced_tree(2, 6), WATER)
    weights = [
        1.0 * (distance[following] < distance[this]) - 2.0 * (following == last) for last, this, following in names
    ]
    truth = gi.LinearReward(features, np.array(weights))
    data = gi.simulate(jax.random.key(1), maze, gi.agents.soft_optimal(beta=1.0), truth, trajectories=60, steps=120)
    table = data.to_frame().rename(columns={"trajectory": "traj", "step": "t"})
    return table.assign(split=np.where(table["traj"] % 5 == 0, "test", "train"))


table = look_alike() if DATA is None else pd.read_csv(DATA / "trajectories_500.csv.gz")
print(table.groupby("split")["traj"].agg(["nunique", "size"]).set_axis(["sequences", "steps"], axis=1))

# %%
# Fit and held-out log predictive density
# ---------------------------------------
# With hundreds of parameters, and many actions for most of them, this page uses a Laplace approximation at the mode
# instead of MCMC.


def fits():
    """Fit both models to the training sequences and score the test sequences."""
    rewards = {
        "first order": gi.StateReward(dist.Normal(0.0, 1.0), on="arrival"),
        "second order": gi.LinearReward(turns(mazes["second order"])[1], dist.Normal(0.0, 1.0)),
    }
    fitted, scores = {}, {}
    for name, maze in mazes.items():
        read = {
            split: gi.read_trajectories(rows, maze, trajectory="traj", step="t", state="state")
            for split, rows in table.groupby("split")
        }
        fitted[name] = gi.infer(
            jax.random.key(0),
            maze,
            agent=gi.agents.soft_optimal(beta=1.0),
            reward=rewards[name],
            data=read["train"],
            method="laplace",
            draws=200,
        )
        scores[name] = gi.inference.log_predictive_density(fitted[name], read["test"])
    return fitted, scores


fitted, scores = fits()
for name, score in scores.items():
    print(f"{name}: {score.bits.sum() / score.steps.sum():.3f} bits per step")

# %%
# For comparison, in the experiment: the uniform policy over the possible moves has -1.304 bits per step. Policies from
# counts of the training sequences have -1.260 bits if they depend on the node, and -0.981 if they depend on the
# previous node as well.
#
# Leave-one-sequence-out cross-validation
# ---------------------------------------
# The same comparison without a split. A warning marks sequences with so much influence that the posterior without them
# would differ; there the held-out log predictive density above is more reliable.

gi.compare(fitted).round(1)

# %%
# Rewards of nodes in the first-order model
# -----------------------------------------
# In the experiment the rewards are largest not at the water port (node 116) but at the nodes around it: a mouse that
# leaves the port must pass them again, and a model without memory can only explain this by their rewards.

mean = fitted["first order"].posterior["reward.values"].mean(("chain", "draw")).to_series()
print(mean.sort_values(ascending=False).head(5).round(2))

gi.plot.reward_map(fitted["first order"])
