"""Planning: Bellman problems, risk measures and solvers. Nothing here knows an agent."""

from goalinf.planning.bellman import Problem
from goalinf.planning.parameters import Part
from goalinf.planning.solution import Plan

__all__ = ["Part", "Plan", "Problem"]
