"""Planning: Bellman problems, risk measures and solvers, independent of agents."""

from goalinf.planning.bellman import Problem
from goalinf.planning.facts import Facts
from goalinf.planning.parameters import Part
from goalinf.planning.risk import RiskMeasure
from goalinf.planning.solution import Plan

__all__ = ["Facts", "Part", "Plan", "Problem", "RiskMeasure"]
