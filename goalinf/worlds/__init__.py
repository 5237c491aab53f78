"""Worlds: an MDP with names, and the builders that make one."""

from goalinf.worlds.mdp import MDP
from goalinf.worlds.world import World

__all__ = ["MDP", "World"]
