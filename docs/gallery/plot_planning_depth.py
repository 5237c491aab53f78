"""
How far ahead do people plan?
=============================

In the experiment of Yu and Ho (2022, IJCAI-22, 592-598) people moved over grids of 10 x 10 cells for twenty steps and
collected the points of every cell they entered. All points were visible and nothing had to be learned, so that the
actions are informative about planning depth. The agent has a lookahead of d steps at every step; d is inferred.
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
# The data are not part of goalinf. They are read from ``shared/data`` beside the checkout, or from the folder in the
# environment variable ``GOALINF_DATA``. Where both are missing, the page shows a simulated look-alike: grids of random
# points (few cells have many), with twenty agents in each condition with a lookahead of one step and ten with a
# lookahead of two.

NAME = "gridworld_bounded_planning"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# Two to four moves are available in a cell; the rewards of each layout are known, in hundreds of points.

grid = gi.open_grid(10, 10, moves=("up", "down", "left", "right"), blocked="unavailable", discount=1.0)


def games(para):
    """Read the games of one condition of the experiment: rewards by layout, and trajectories."""
    cells = pd.read_csv(DATA / "rewards.csv").query("layout != 'practice' and bounded_para == @para")
    rewards = {
        layout: gi.StateReward(grid.align(rows.set_index(["row", "col"])["reward"] / 100), on="arrival")
        for layout, rows in cells.groupby("layout")
    }
    steps = pd.read_csv(DATA / "steps.csv").query("layout in @rewards.keys()")
    steps = steps.replace({"action": {0: "up", 1: "down", 2: "left", 3: "right"}})
    columns = {"subject": "uid", "trajectory": ["uid", "layout"], "step": "t", "context": "layout"}
    return rewards, gi.read_trajectories(steps, grid, state=["row", "col"], action="action", **columns)


def look_alike(para):
    """Simulate the games of one condition, on two layouts."""
    rng = np.random.default_rng(para)
    rewards = {f"{name}{para}": gi.StateReward(rng.random(100) ** 4, on="arrival") for name in "ab"}
    seeds, tables = iter(jax.random.split(jax.random.key(para), 4)), []
    for depth, people in ((1, range(20)), (2, range(20, 30))):
        for layout, reward in rewards.items():
            agent = gi.agents.lookahead(depth=depth, beta=12.0)
            data = gi.simulate(next(seeds), grid, agent, reward, trajectories=len(people), steps=20)
            steps = data.to_frame()
            tables.append(steps.assign(uid=steps["trajectory"] + people[0], layout=layout))
    columns = {"subject": "uid", "trajectory": ["uid", "layout"], "step": "step", "context": "layout"}
    return rewards, gi.read_trajectories(pd.concat(tables), grid, state=["row", "col"], action="action", **columns)


# %%
# One depth for all subjects
# --------------------------
# For each depth, the negative log-likelihood per step in nats at the best inverse temperature. An agent with a
# lookahead of one step maximizes the reward of the next cell. The uniform policy over the available moves has about
# 1.34 nats.

DEPTHS = (1, 2, 3, 4, 6, 12, 20)


def cost_per_step(rewards, people, depth):
    """Compute the negative log-likelihood in nats per step at the best beta, by bounded search."""

    def cost(log_beta):
        agent = gi.agents.lookahead(depth=depth, beta=float(np.exp(log_beta)))
        return -float(gi.Behavior(grid, agent, rewards, contexts=people.context_names).log_prob(people))

    return minimize_scalar(cost, bounds=(-8, 5), method="bounded").fun / people.n_observed


conditions = {para: games(para) if DATA else look_alike(para) for para in (1, 2, 3)}
table = pd.DataFrame(
    {
        depth: {para: cost_per_step(*games_of_one, depth) for para, games_of_one in conditions.items()}
        for depth in DEPTHS
    }
)
table.rename_axis(index="condition", columns="depth").round(3)

# %%
# In the experiment a lookahead of one step has the largest likelihood in every condition, and full planning is hardly
# better than the uniform policy. An observer who assumes full planning infers a very small inverse temperature, that
# is, noisy behavior.

figure, axes = plt.subplots(layout="constrained")
axes.plot(range(len(DEPTHS)), table.T, marker="o", label=table.index)
axes.axhline(1.34, color="0.6", linestyle=":", label="uniform policy")
axes.set(
    xlabel="lookahead (steps)",
    ylabel="negative log-likelihood\n(nats per step)",
    xticks=range(len(DEPTHS)),
    xticklabels=DEPTHS,
)
axes.legend(title="condition")
figure

# %%
# One depth for each subject
# --------------------------
# The planning depth may vary over subjects. It is discrete, so that it is marginalized and not sampled: the likelihood
# of each subject is a mixture of four components, and ``responsibilities`` are their exact posterior probabilities. All
# depths share their sweeps. The subjects of the first condition:

rewards, people = conditions[1]
agent = gi.agents.lookahead(depth=gi.one_of([1, 2, 4, 20], by="subject"), beta=dist.LogNormal(0.0, 1.0))
fit = gi.infer(jax.random.key(0), grid, agent=agent, reward=rewards, data=people, draws=500, progress=False)
fit

# %%
# In the experiment most subjects have a depth of one with a posterior probability near 1; for a minority it is two or
# more.

depths = fit.responsibilities["agent.depth"].mean(("chain", "draw"))
order = depths.sortby(depths.sel(value=1), ascending=False).to_pandas()
figure, axes = plt.subplots(layout="constrained")
bars = {"stacked": True, "width": 1.0, "xticks": [], "xlabel": "subject", "ylabel": "probability of the depth"}
order.reset_index(drop=True).plot.bar(ax=axes, **bars)
axes.legend(title="depth")
figure
