"""
How far ahead do people plan?
=============================

In the experiment of Yu and Ho (2022, IJCAI-22, 592-598) people moved over grids of 10 x 10 cells for twenty steps and
collected the points of every cell they entered. All points were in sight: nothing had to be learned, so that what they
chose shows how far they looked. One agent looks d steps ahead at every step; its depth is the question.
"""

import os
from pathlib import Path

import goalinf as gi

# %%
# The data
# --------
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names.

NAME = "gridworld_bounded_planning"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
if DATA is None:
    print(f"The data are not here ({NAME}), so that this page ends without its results.")

# %%
# The grid offers two to four moves; the rewards of each layout are known. Rewards are on the scale of 100 points.

grid = gi.open_grid(10, 10, moves=("up", "down", "left", "right"), blocked="unavailable", discount=1.0)


def games(para):
    """The games of one condition of the experiment: rewards by layout, and who did what."""
    import pandas as pd

    cells = pd.read_csv(DATA / "rewards.csv").query("layout != 'practice' and bounded_para == @para")
    rewards = {
        layout: gi.StateReward(grid.align(one.set_index(["row", "col"])["reward"] / 100), on="arrival")
        for layout, one in cells.groupby("layout")
    }
    steps = pd.read_csv(DATA / "steps.csv").query("layout in @rewards.keys()")
    steps = steps.replace({"action": {0: "up", 1: "down", 2: "left", 3: "right"}})
    columns = {"subject": "uid", "trajectory": ["uid", "layout"], "step": "t", "context": "layout"}
    return rewards, gi.read_trajectories(steps, grid, state=["row", "col"], action="action", **columns)


# %%
# One depth for everybody
# -----------------------
# For each depth the inverse temperature that fits best, and how surprising each step is then, in nats. An agent that
# looks one step ahead takes whatever is best next to it. Uniform choice among the legal moves costs about 1.34 nats.

DEPTHS = (1, 2, 3, 4, 6, 12, 20)


def surprise(rewards, people, depth):
    """Nats per step at the best beta, which a bounded search finds."""
    import numpy as np
    from scipy.optimize import minimize_scalar

    def cost(log_beta):
        agent = gi.lookahead(depth, beta=float(np.exp(log_beta)))
        return -float(gi.Behavior(grid, agent, rewards, contexts=people.context_names).log_prob(people))

    return minimize_scalar(cost, bounds=(-8, 5), method="bounded").fun / people.n_choices


if DATA is not None:
    import pandas as pd

    conditions = {para: games(para) for para in (1, 2, 3)}
    table = pd.DataFrame(
        {depth: {para: surprise(*found, depth) for para, found in conditions.items()} for depth in DEPTHS}
    )
    print(table.rename_axis(index="condition", columns="depth").round(3))

# %%
# One step ahead describes these people best in every condition, and planning all the way hardly better than chance. Who
# assumes full planning would find a tiny inverse temperature instead, and call people noisy.

if DATA is not None:
    import matplotlib.pyplot as plt

    axes = table.T.plot(marker="o", xlabel="steps that are looked ahead", ylabel="surprise (nats per step)", logx=True)
    axes.set_xticks(DEPTHS, map(str, DEPTHS))
    axes.axhline(1.34, color="0.6", linestyle=":")
    axes.legend(title="condition")
    plt.gcf()

# %%
# Everybody with a depth of their own
# -----------------------------------
# Perhaps some people look further than others. The depth is discrete, so that it is summed over, not sampled: for each
# person the likelihood is a mixture of four, and ``responsibilities`` are the exact probabilities of the options. All
# depths share their sweeps. Thirty people of the first condition:

if DATA is not None:
    import jax
    import numpyro.distributions as dist

    rewards, people = conditions[1]
    agent = gi.lookahead(gi.one_of([1, 2, 4, 20], by="subject"), beta=dist.LogNormal(0.0, 1.0))
    fit = gi.infer(jax.random.key(0), grid, agent=agent, reward=rewards, data=people, draws=500)
    print(fit.diagnosis)
    depths = fit.responsibilities["agent.depth"].mean(("chain", "draw"))
    print(depths.mean("subject").to_pandas().round(2))

# %%
# Most people look one step ahead with near certainty; a minority looks two or more.

if DATA is not None:
    order = depths.sortby(depths.sel(value=1), ascending=False).to_pandas()
    axes = order.reset_index(drop=True).plot.bar(stacked=True, width=1.0, xlabel="person", ylabel="probability")
    axes.set_xticks([])
    axes.legend(title="depth")
