"""
How far ahead do people plan?
=============================

In the experiment of Yu and Ho (2022, IJCAI-22, 592-598) people moved over grids of 10 x 10 cells for twenty steps and
collected the points of every cell they entered. All points were in sight: nothing had to be learned, so that what they
chose shows how far they looked. One agent looks d steps ahead at every step; its depth is the question.
"""

import os
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from scipy.optimize import minimize_scalar

import goalinf as gi

# %%
# The data
# --------
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names. Where they are not, the page shows a look-alike: simulated people on grids of
# points that are drawn at random (few cells have many), twenty in each condition who look one step ahead and ten who look
# two.

NAME = "gridworld_bounded_planning"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# The grid offers two to four moves; the rewards of each layout are known. Rewards are on the scale of 100 points.

grid = gi.open_grid(10, 10, moves=("up", "down", "left", "right"), blocked="unavailable", discount=1.0)


def games(para):
    """The games of one condition of the experiment: rewards by layout, and who did what."""
    cells = pd.read_csv(DATA / "rewards.csv").query("layout != 'practice' and bounded_para == @para")
    rewards = {
        layout: gi.StateReward(grid.align(one.set_index(["row", "col"])["reward"] / 100), on="arrival")
        for layout, one in cells.groupby("layout")
    }
    steps = pd.read_csv(DATA / "steps.csv").query("layout in @rewards.keys()")
    steps = steps.replace({"action": {0: "up", 1: "down", 2: "left", 3: "right"}})
    columns = {"subject": "uid", "trajectory": ["uid", "layout"], "step": "t", "context": "layout"}
    return rewards, gi.read_trajectories(steps, grid, state=["row", "col"], action="action", **columns)


def look_alike(para):
    """The same of simulated people, on two layouts."""
    rng = np.random.default_rng(para)
    rewards = {f"{name}{para}": gi.StateReward(rng.random(100) ** 4, on="arrival") for name in "ab"}
    seeds, tables = iter(jax.random.split(jax.random.key(para), 4)), []
    for depth, people in ((1, range(20)), (2, range(20, 30))):
        for layout, reward in rewards.items():
            agent = gi.agents.lookahead(depth=depth, beta=12.0)
            walks = gi.simulate(next(seeds), grid, agent, reward, trajectories=len(people), steps=20)
            steps = walks.to_frame()
            tables.append(steps.assign(uid=steps["trajectory"] + people[0], layout=layout))
    columns = {"subject": "uid", "trajectory": ["uid", "layout"], "step": "step", "context": "layout"}
    return rewards, gi.read_trajectories(pd.concat(tables), grid, state=["row", "col"], action="action", **columns)


# %%
# One depth for everybody
# -----------------------
# For each depth the inverse temperature that fits best, and the surprise of each step then, in nats. An agent that
# looks one step ahead takes whatever is best next to it. Uniform choice among the legal moves costs about 1.34 nats.

DEPTHS = (1, 2, 3, 4, 6, 12, 20)


def surprise(rewards, people, depth):
    """Nats per step at the best beta, which a bounded search finds."""

    def cost(log_beta):
        agent = gi.agents.lookahead(depth=depth, beta=float(np.exp(log_beta)))
        return -float(gi.Behavior(grid, agent, rewards, contexts=people.context_names).log_prob(people))

    return minimize_scalar(cost, bounds=(-8, 5), method="bounded").fun / people.n_choices


conditions = {para: games(para) if DATA else look_alike(para) for para in (1, 2, 3)}
table = pd.DataFrame({depth: {para: surprise(*found, depth) for para, found in conditions.items()} for depth in DEPTHS})
table.rename_axis(index="condition", columns="depth").round(3)

# %%
# One step ahead describes the people of the experiment best in every condition, and planning all the way hardly better
# than chance. Who assumes full planning would find a tiny inverse temperature instead, and call people noisy.

figure, axes = plt.subplots(layout="constrained")
axes.plot(range(len(DEPTHS)), table.T, marker="o", label=table.index)
axes.axhline(1.34, color="0.6", linestyle=":", label="uniform choice")
axes.set(xlabel="lookahead (steps)", ylabel="surprise (nats per step)", xticks=range(len(DEPTHS)), xticklabels=DEPTHS)
axes.legend(title="condition")
figure

# %%
# Everybody with a depth of their own
# -----------------------------------
# Perhaps some people look further than others. The depth is discrete, so that it is summed over, not sampled: for each
# person the likelihood is a mixture of four, and ``responsibilities`` are the exact probabilities of the options. All
# depths share their sweeps. Thirty people of the first condition:

rewards, people = conditions[1]
agent = gi.agents.lookahead(depth=gi.one_of([1, 2, 4, 20], by="subject"), beta=dist.LogNormal(0.0, 1.0))
fit = gi.infer(jax.random.key(0), grid, agent=agent, reward=rewards, data=people, draws=500, progress=False)
fit

# %%
# In the experiment most people look one step ahead with near certainty; a minority looks two or more.

depths = fit.responsibilities["agent.depth"].mean(("chain", "draw"))
order = depths.sortby(depths.sel(value=1), ascending=False).to_pandas()
figure, axes = plt.subplots(layout="constrained")
bars = {"stacked": True, "width": 1.0, "xticks": [], "xlabel": "person", "ylabel": "probability of the depth"}
order.reset_index(drop=True).plot.bar(ax=axes, **bars)
axes.legend(title="depth")
figure
