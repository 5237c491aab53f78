"""
The labyrinth, audited: a chessboard that nobody can see
========================================================

Mice in a labyrinth of 127 nodes (Rosenberg et al. 2021, eLife 10:e66175) chose a way at every fork. What can a posterior
over the worth of the nodes say, and what not? One thing it cannot say is a surprise: in a tree every step leads from an
even to an odd node or back, so that a bonus for all even nodes changes no choice whatever.
"""

import os
from pathlib import Path

import goalinf as gi

# %%
# The data
# --------
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
if DATA is None:
    print(f"The data are not here ({NAME}), so that this page ends without its results.")

# %%
# The sequences join visits to the maze end to end, so that the root repeats between them. Cut there, every walk is one
# visit, and nobody ever stays where they are.


def visits():
    """The maze, and one walk per visit of the training sequences."""
    import networkx as nx
    import pandas as pd

    moves = pd.read_csv(DATA / "transitions.csv").query("moves == 1")
    graph = nx.from_pandas_edgelist(moves, "state", "next_state", create_using=nx.DiGraph)
    table = pd.read_csv(DATA / "trajectories_500.csv.gz").query("split == 'train'")
    table = table.assign(visit=(table.state.eq(table.state.shift()) | table.traj.ne(table.traj.shift())).cumsum())
    table = table[table.groupby("visit").state.transform("size") > 1]
    maze = gi.graph_world(graph, discount=0.9)
    return graph, maze, gi.read_trajectories(table, maze, trajectory="visit", step="t", state="state")


if DATA is not None:
    graph, maze, walks = visits()
    print(walks)

# %%
# Before the fit
# --------------
# What infinite data could show follows from the graph alone. Two directions stay open: a constant, and the chessboard.


def blind_directions():
    """Of state rewards, for anybody who plans in this maze."""
    import numpyro.distributions as dist

    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
    return gi.null_space(maze, gi.soft_optimal(beta=1.0), prior)


if DATA is not None:
    print(gi.graph_criteria(maze))
    print()
    blind = blind_directions()
    print(blind)

# %%
# This is the chessboard: any multiple of it may be added to any reward, and every choice stays as likely as it was.

if DATA is not None:
    chessboard = blind.basis.values[-1]
    figure = gi.plot.reward(maze, gi.StateReward(chessboard, on="arrival"))
else:
    figure = None
figure

# %%
# Somebody who could also stay would show it: to stay or not to stay depends on the color. An experiment in which animals
# may wait at a node removes this direction; more data of the same kind never will.

if DATA is not None:
    waiting = gi.graph_world(graph, stay=True, discount=0.9)
    print("without staying:", gi.controllability_deficit(maze), " with staying:", gi.controllability_deficit(waiting))

# %%
# The fit and its audit
# ---------------------
# Beta is fixed at 1, since only its product with the reward shows.


def fitted():
    """Posterior of the worth of every node, collected on arrival."""
    import jax
    import numpyro.distributions as dist

    return gi.infer(
        jax.random.key(0),
        maze,
        agent=gi.soft_optimal(beta=1.0),
        reward=gi.StateReward(dist.Normal(0.0, 1.0), on="arrival"),
        data=walks,
        draws=400,
        progress=False,
    )


if DATA is not None:
    fit = fitted()
    audit = gi.audit(fit)
    print(audit)

# %%
# The two colors are prior and nothing else, and their posterior is their prior. A statement such as "nodes at the even
# levels are worth more than those at the odd ones" would be about the prior; differences between nodes of one color are
# about the mice.

gi.plot.audit(audit) if DATA is not None else None
