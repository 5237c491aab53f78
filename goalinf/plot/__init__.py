"""Pictures: worlds, trajectories, policies, rewards and beliefs about goals.

Every function returns a Matplotlib figure that belongs to no window; save it with ``figure.savefig("name.png")``.
"""

from goalinf.plot.paths import trajectories
from goalinf.plot.policies import policy
from goalinf.plot.rewards import reward, reward_map
from goalinf.plot.timeline import goal_timeline
from goalinf.plot.worlds import world

__all__ = ["goal_timeline", "policy", "reward", "reward_map", "trajectories", "world"]
