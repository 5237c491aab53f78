"""Worlds: MDPs with names of states and actions, and functions that build them."""

from goalinf.worlds.builders.belief import belief_world
from goalinf.worlds.builders.graph import graph_world
from goalinf.worlds.builders.grids import gridworld, open_grid
from goalinf.worlds.builders.gymnasium import from_gymnasium, gymnasium_reward
from goalinf.worlds.builders.memory import with_memory
from goalinf.worlds.builders.random import garnet
from goalinf.worlds.builders.transition_arrays import from_arrays
from goalinf.worlds.builders.transition_tables import from_table
from goalinf.worlds.builders.world_files import read_world
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import label
from goalinf.worlds.stack import bucket, pad, stack
from goalinf.worlds.table_files import read_table
from goalinf.worlds.world import Belief, Memory, World

__all__ = [
    "MDP",
    "Belief",
    "Memory",
    "World",
    "belief_world",
    "bucket",
    "from_arrays",
    "from_gymnasium",
    "from_table",
    "garnet",
    "graph_world",
    "gridworld",
    "gymnasium_reward",
    "label",
    "open_grid",
    "pad",
    "read_table",
    "read_world",
    "stack",
    "with_memory",
]
