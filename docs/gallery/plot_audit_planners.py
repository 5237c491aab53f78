"""
The audit of a planning task: planning depth is identified where rewards are known
==================================================================================

In the experiment of Yu and Ho (2022, IJCAI-22, 592-598) people collected points on a grid. *Given the points*, an agent
with a lookahead of one step describes them best. Here the points are treated as unknown: what do the same actions
identify if both the reward and the planning depth are unknown?
"""

import os
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi

# %%
# The data
# --------
# The data are not part of goalinf. They are read from ``shared/data`` beside the checkout, or from the folder in the
# environment variable ``GOALINF_DATA``. Where both are missing, the page shows a simulated look-alike: thirty-five
# agents with a lookahead of one step, on a grid of random points.

NAME = "gridworld_bounded_planning"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# All games in one layout. Rewards are in hundreds of points, collected on arrival in a cell.

grid = gi.open_grid(10, 10, moves=("up", "down", "left", "right"), blocked="unavailable", discount=0.95)
LAYOUT = "g0"


def look_alike():
    """Draw random points and simulate agents with a lookahead of one step."""
    points = gi.StateReward(np.random.default_rng(0).integers(1, 100, grid.n_states) / 100, on="arrival")
    return points, gi.simulate(
        jax.random.key(1), grid, gi.agents.lookahead(depth=1, beta=4.0), points, trajectories=35, steps=20
    )


def games():
    """Read the points of the layout and all trajectories in it."""
    cells = pd.read_csv(DATA / "rewards.csv").query("layout == @LAYOUT").drop_duplicates(["row", "col"])
    points = gi.StateReward(grid.align(cells.set_index(["row", "col"])["reward"] / 100), on="arrival")
    steps = pd.read_csv(DATA / "steps.csv").query("layout == @LAYOUT")
    steps = steps.replace({"action": {0: "up", 1: "down", 2: "left", 3: "right"}})
    data = gi.read_trajectories(steps, grid, trajectory="uid", step="t", state=["row", "col"], action="action")
    return points, data


points, data = games() if DATA else look_alike()
data

# %%
# Other agents with the same behavior
# -----------------------------------
# The assumed agent has a lookahead of one step and these points as its reward. Do other agents have the same policy
# with another reward? All agents without lapses do, exactly: for state rewards every lookahead has the same family of
# policies (in a single world), and a change of discount, depth or sign of the plan is compensated by another reward.
# The search for that reward is local; where it ends at a positive divergence, further starts (``starts=``) may find a
# smaller one.

OTHERS = {
    "two steps": gi.agents.lookahead(depth=2, beta=4.0),
    "four steps": gi.agents.lookahead(depth=4, beta=4.0),
    "full planning": gi.agents.boltzmann(beta=4.0),
    "soft": gi.agents.soft_optimal(beta=4.0),
    "lapsing, one step": gi.agents.lookahead(depth=1, beta=4.0, lapse=0.2),
}

equivalence = gi.identify.agent_equivalence(grid, gi.agents.lookahead(depth=1, beta=4.0), points, OTHERS, starts=1)
equivalence[["choices", "meaning"]]

# %%
# The posterior under two agents
# ------------------------------
# Under the assumption of full planning, the inferred reward differs from the points: it is a reward for which a planner
# has the policy of a lookahead of one step. The distance between the inferred reward and the points measures the
# difference.


prior = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
agents = {"one step": gi.agents.lookahead(depth=1, beta=4.0), "full planning": gi.agents.soft_optimal(beta=4.0)}
fits, distances = {}, {}
for name, agent in agents.items():
    fit = gi.infer(jax.random.key(0), grid, agent=agent, reward=prior, data=data, draws=500, progress=False)
    fits[name], distances[name] = fit, gi.identify.distance.posterior(fit, points, draws=100)
    regret = gi.identify.distance.posterior(fit, points, metric=gi.identify.distance.regret, draws=100)
    print(f"{name}: expected regret {float(regret.mean()):.2f}; {fit.diagnosis}")

gi.plot.distances(distances)

# %%
# The audit
# ---------
# See the sections on other planners and on zero reward: the evidence against zero reward is strong, and yet the data do
# not identify the planner. On a grid without the action of staying, rewards of the two colors of the checkerboard
# cannot be compared either.

audit = gi.audit(fits["one step"], planners=OTHERS)
print(audit)

# %%
# In figures:

gi.plot.audit(audit)
