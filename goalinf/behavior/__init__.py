"""Behavior: distribution, scores and simulation of trajectories, given world, agent and reward."""

from goalinf.behavior.distribution import Behavior
from goalinf.behavior.scores import acts_on, score_steps
from goalinf.behavior.simulation import simulate, simulate_like

__all__ = ["Behavior", "acts_on", "score_steps", "simulate", "simulate_like"]
