"""Behavior: distribution, scores and simulation of observations, given world, agent and reward."""

from goalinf.behavior.distribution import Behavior
from goalinf.behavior.scores import acts_on, score_steps
from goalinf.behavior.simulation import replicate, sample_trajectories

__all__ = ["Behavior", "acts_on", "replicate", "sample_trajectories", "score_steps"]
