"""Agents: beliefs, planners, choice rules and execution, and the named agents made of them."""

from goalinf.agents.agent import Agent, Policy, plan, solve
from goalinf.agents.contexts import Setting
from goalinf.agents.named import boltzmann, soft_optimal

__all__ = ["Agent", "Policy", "Setting", "boltzmann", "plan", "soft_optimal", "solve"]
