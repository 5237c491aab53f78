"""goalinf: probabilistic goal inference and Bayesian inverse reinforcement learning.

World, agent and reward make behavior; behavior and priors make a posterior; every posterior comes with its audit.
"""

from goalinf import rewards
from goalinf.agents import Agent, Policy, boltzmann, soft_optimal
from goalinf.behavior import Behavior, simulate
from goalinf.data import Trajectories, read_trajectories
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.infer.fit import Fit
from goalinf.infer.sample import infer
from goalinf.rewards import ActionReward, GoalReward, LinearReward, Shaped, StateReward, TransitionReward, goals
from goalinf.worlds import (
    MDP,
    World,
    from_arrays,
    from_gymnasium,
    from_table,
    garnet,
    graph_world,
    gridworld,
    open_grid,
    with_memory,
)
