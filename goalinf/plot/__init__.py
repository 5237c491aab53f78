"""Figures of worlds, trajectories, policies, rewards, distances of rewards, goal posteriors, subjects, checks
of models, and audits.

Every function returns a Matplotlib figure without a window; save it with ``figure.savefig("name.png")``. Only
`audit_page` writes a file.
"""

from goalinf.plot.audits import audit
from goalinf.plot.distances import distances
from goalinf.plot.forest import forest
from goalinf.plot.model_checks import calibration, confusion, predictive, recovery
from goalinf.plot.page import audit_page
from goalinf.plot.paths import trajectories
from goalinf.plot.policies import policy
from goalinf.plot.rewards import reward, reward_map
from goalinf.plot.timeline import goal_timeline
from goalinf.plot.worlds import world

__all__ = [
    "audit",
    "audit_page",
    "calibration",
    "confusion",
    "distances",
    "forest",
    "goal_timeline",
    "policy",
    "predictive",
    "recovery",
    "reward",
    "reward_map",
    "trajectories",
    "world",
]
