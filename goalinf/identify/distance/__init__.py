"""Distances between rewards: pseudometrics on orders of policies, and regrets of acting on another reward."""

from goalinf.identify.distance.posterior_distance import posterior, value_at_risk
from goalinf.identify.distance.pseudometrics import dard, epic, starc
from goalinf.identify.distance.regret import compatibility, expected_return, regret

__all__ = ["compatibility", "dard", "epic", "expected_return", "posterior", "regret", "starc", "value_at_risk"]
