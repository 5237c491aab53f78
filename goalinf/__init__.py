"""goalinf: probabilistic goal inference and Bayesian inverse reinforcement learning.

World, agent and reward make behavior; behavior and priors make a posterior; every posterior comes with its audit.
"""

from importlib.metadata import version as _version

from goalinf import plot
from goalinf.agents import Agent, Policy, boltzmann, soft_optimal
from goalinf.behavior import Behavior, simulate
from goalinf.data import Trajectories, read_trajectories
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify import audit, controllability_deficit, distance, null_space
from goalinf.infer.comparison import compare, held_out
from goalinf.infer.fit import Fit
from goalinf.infer.goals import goal_posterior
from goalinf.infer.point import approximate, find_mode
from goalinf.infer.resume import resume
from goalinf.infer.sample import infer
from goalinf.infer.store import load
from goalinf.rewards import (
    ActionReward,
    GoalReward,
    LinearReward,
    Shaped,
    StateReward,
    TransitionReward,
    goals,
)
from goalinf.worlds import (
    MDP,
    World,
    from_arrays,
    from_gymnasium,
    from_table,
    garnet,
    graph_world,
    gridworld,
    gymnasium_reward,
    open_grid,
    read_world,
    with_memory,
)

__version__ = _version("goalinf")

__all__ = [
    "MDP",
    "ActionReward",
    "Agent",
    "Behavior",
    "ConvergenceError",
    "Fit",
    "GoalReward",
    "LinearReward",
    "Policy",
    "PrecisionError",
    "Shaped",
    "StateReward",
    "Trajectories",
    "TransitionReward",
    "World",
    "approximate",
    "audit",
    "boltzmann",
    "compare",
    "controllability_deficit",
    "distance",
    "find_mode",
    "from_arrays",
    "from_gymnasium",
    "from_table",
    "garnet",
    "goal_posterior",
    "goals",
    "graph_world",
    "gridworld",
    "gymnasium_reward",
    "held_out",
    "infer",
    "load",
    "null_space",
    "open_grid",
    "plot",
    "read_trajectories",
    "read_world",
    "resume",
    "simulate",
    "soft_optimal",
    "with_memory",
]
