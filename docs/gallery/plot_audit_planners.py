"""
The grid planners, audited: depth shows where rewards are known
===============================================================

In the experiment of Yu and Ho (2022, IJCAI-22, 592-598) people collected points on a grid, and those who look one step
ahead describe them best, *given the points*. Here the points are taken away: what would the same moves say of somebody
of whom neither is known, what they want and how far they look?
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
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names. Where they are not, the page shows a look-alike: thirty-five simulated people
# who look one step ahead, on a grid of points that are drawn at random.

NAME = "gridworld_bounded_planning"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# All games in one layout. The points are on the scale of 100, and collected on entering a cell.

grid = gi.open_grid(10, 10, moves=("up", "down", "left", "right"), blocked="unavailable", discount=0.95)
LAYOUT = "g0"


def look_alike():
    """Points that are drawn at random, and the walks of simulated people who look one step ahead."""
    points = gi.StateReward(np.random.default_rng(0).integers(1, 100, grid.n_states) / 100, on="arrival")
    return points, gi.simulate(
        jax.random.key(1), grid, gi.agents.lookahead(depth=1, beta=4.0), points, trajectories=35, steps=20
    )


def games():
    """The points of the layout, and all walks over it."""
    cells = pd.read_csv(DATA / "rewards.csv").query("layout == @LAYOUT").drop_duplicates(["row", "col"])
    points = gi.StateReward(grid.align(cells.set_index(["row", "col"])["reward"] / 100), on="arrival")
    steps = pd.read_csv(DATA / "steps.csv").query("layout == @LAYOUT")
    steps = steps.replace({"action": {0: "up", 1: "down", 2: "left", 3: "right"}})
    walks = gi.read_trajectories(steps, grid, trajectory="uid", step="t", state=["row", "col"], action="action")
    return points, walks


points, walks = games() if DATA else look_alike()
walks

# %%
# Who could have done this
# ------------------------
# Somebody who looks one step ahead and wants these points. Could others have done the same with other wishes? All who
# do not lapse, exactly: for rewards of states every look-ahead makes the same family of policies (in a single world), and
# the discount, the depth and even the sign of the plan are exchanged for another reward. The search for that reward is
# local; where it ends in a gap, further starts (``starts=``) may close it.

OTHERS = {
    "two steps": gi.agents.lookahead(depth=2, beta=4.0),
    "four steps": gi.agents.lookahead(depth=4, beta=4.0),
    "all the way": gi.agents.boltzmann(beta=4.0),
    "soft": gi.agents.soft_optimal(beta=4.0),
    "lapsing, one step": gi.agents.lookahead(depth=1, beta=4.0, lapse=0.2),
}

equivalence = gi.identify.agent_equivalence(grid, gi.agents.lookahead(depth=1, beta=4.0), points, OTHERS, starts=1)
equivalence[["choices", "meaning"]]

# %%
# What a posterior says all the same
# ----------------------------------
# Under the assumption that they plan all the way, the inferred reward is something else than the points: it must be such
# that a planner does what these short-sighted people did. The distance between the two rewards says by how much.


prior = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
agents = {"one step": gi.agents.lookahead(depth=1, beta=4.0), "all the way": gi.agents.soft_optimal(beta=4.0)}
found, far = {}, {}
for name, agent in agents.items():
    fit = gi.infer(jax.random.key(0), grid, agent=agent, reward=prior, data=walks, draws=500, progress=False)
    found[name], far[name] = fit, gi.identify.distance.posterior(fit, points, draws=100)
    cost = gi.identify.distance.posterior(fit, points, metric=gi.identify.distance.regret, draws=100)
    print(f"{name}: regret of acting on it {float(cost.mean()):.2f}; {fit.diagnosis}")

gi.plot.distances(far)

# %%
# The audit
# ---------
# Read what it says of other planners and of zero reward: the walks are anything but chance, and yet they do not say who
# walked. On a grid without staying the two colors of the board cannot be compared, either.

audit = gi.audit(found["one step"], planners=OTHERS)
print(audit)

# %%
# In figures:

gi.plot.audit(audit)
