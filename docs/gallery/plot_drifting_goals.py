"""
Drifting goals: water first, home later
=======================================

Thirsty mice ran through a labyrinth of 127 nodes to its water port and back (Rosenberg et al. 2021, eLife 10:e66175).
One stationary reward does not describe both: the goal on the way in is the water, on the way out it is home. In the
model of Ashwood, Jha and Pillow (2022) the weights of a few reward maps drift from step to step. The model is
:mod:`goalinf_models.ashwood_2022`.
"""

import os
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jax.flatten_util import ravel_pytree
from numpyro.infer import init_to_sample
from numpyro.infer.util import initialize_model
from scipy.optimize import minimize

from goalinf_models import ashwood_2022

# %%
# The data
# --------
# The data are not part of goalinf. They are read from ``shared/data`` beside the checkout, or from the folder in the
# environment variable ``GOALINF_DATA``. Where both are missing, the page shows a simulated look-alike: the same number
# of runs in the same labyrinth, with a reward at the water that decreases and a reward at home that increases. The
# experiment has 200 runs of 22 steps, 40 of which are for validation. These runs were selected by the authors of the
# model; most of them lead directly to the water and back.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")


def look_alike():
    """Simulate runs: reward at the water (node 116) until about step 10, at home (node 0) afterwards."""
    maze, n_steps, runs = ashwood_2022.labyrinth(6), 22, 200
    maps = np.zeros((2, maze.n_states))
    maps[0, 116], maps[1, 0] = 6.0, 6.0
    thirst = 1.0 / (1.0 + np.exp(2.0 * (np.arange(n_steps) - 10.0)))
    policies = np.exp(ashwood_2022.behavior(maze, maps, np.stack([thirst, 1.0 - thirst], axis=1)).policy.log_probs)
    rng = np.random.default_rng(0)
    rows, state = [], np.zeros(runs, int)
    for t in range(n_steps):
        action = np.array([rng.choice(4, p=policies[t, here]) for here in state])
        rows += [(run, t, state[run], action[run], "val" if run % 5 == 0 else "train") for run in range(runs)]
        state = np.asarray(maze.mdp.successors)[state, action, 0]
    return pd.DataFrame(rows, columns=["traj", "t", "state", "action", "split"])


def experiment():
    """Read the runs of the experiment, with the numbering of the model."""
    table = pd.read_csv(DATA / "dirl_water_restricted.csv")[["traj", "t", "tree_state", "tree_action", "split"]]
    return table.rename(columns={"tree_state": "state", "tree_action": "action"})


table = experiment() if DATA else look_alike()
table.groupby("split")["traj"].agg(["nunique", "size"]).set_axis(["runs", "steps"], axis=1)

# %%
# One map, one map whose weight drifts, two maps
# ----------------------------------------------
# Each variant is fitted to the training runs by its posterior mode (it is a NumPyro model, so that any optimizer can be
# used). The held-out log predictive density of the validation runs is in bits per decision. Four moves (left child,
# right child, back, stay) are available everywhere, a move into a wall stays: the uniform policy has -2 bits.


def mode(table, variant):
    """Compute maps and weights at a posterior mode; starts from a prior draw, as equal maps would stay equal."""
    arguments = ashwood_2022.model(table, variant, levels=6)
    with jax.enable_x64(True):
        data = (arguments["data"].unlabeled(),)
        start = initialize_model(jax.random.key(1), arguments["model"], model_args=data, init_strategy=init_to_sample)
        flat, unravel = ravel_pytree(start.param_info.z)
        objective = jax.jit(jax.value_and_grad(lambda x: start.potential_fn(unravel(x))))
        optimum = minimize(
            lambda x: jax.device_get(objective(x)), flat, jac=True, method="L-BFGS-B", options={"maxiter": 200}
        )
        values = {name: np.asarray(value) for name, value in unravel(optimum.x).items()}
    constant = np.ones((table["t"].max() + 1, 1))
    return values["maps"], ashwood_2022.drifted(values["innovations"]) if "innovations" in values else constant


def bits(table, maps, weights):
    """Compute the mean log-probability of a decision in bits."""
    predicted = ashwood_2022.behavior(ashwood_2022.labyrinth(6), maps, weights)
    return float(predicted.log_prob_by("trajectory", ashwood_2022.steps(table, levels=6)).mean() / np.log(2))


split = dict(list(table.groupby("split")))
fitted = {variant: mode(split["train"], variant) for variant in ("static", "one map", "two maps")}
for variant, mode_values in fitted.items():
    print(f"{variant}: {bits(split['val'], *mode_values):.3f} bits per decision")

# %%
# Published for the runs of the experiment: uniform -2.000, deep maximum entropy -1.708, one drifting map -0.876, two
# -0.827.
#
# The reward at every step
# ------------------------
# A single map is not identified: two maps can be exchanged for mixtures of them, and behavior depends only on the
# reward, weights times maps. The figure shows the reward at every step, at the most visited nodes. A constant added to
# all nodes changes no action probability; the mean of every step is subtracted.

maps, weights = fitted["two maps"]
visited = sorted(table["state"].value_counts().index[:13])
reward = (weights @ maps)[:, visited]
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
image = axes.imshow((reward - reward.mean(1, keepdims=True)).T, aspect="auto", cmap="RdBu_r")
axes.set(
    xlabel="step",
    xticks=range(0, 22, 3),
    ylabel="node (0: home, 116: water)",
    yticks=range(len(visited)),
    yticklabels=visited,
)
figure.colorbar(image, label="reward minus the mean of the step (utility)")
figure
