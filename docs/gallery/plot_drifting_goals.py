"""
Water first, home later: goals that drift
=========================================

Thirsty mice ran through a labyrinth of 127 nodes to its water port and back (Rosenberg et al. 2021, eLife 10:e66175). One
map of rewards cannot say both: on the way in it is the water that counts, on the way out it is home. Ashwood, Jha and
Pillow (2022) let the weights of a few maps drift from step to step. The model is :mod:`goalinf_models.ashwood_2022`.
"""

import os
from pathlib import Path

# %%
# The data
# --------
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names. There are 200 runs of 22 steps, 40 of which are kept for validation; these
# runs were selected by the authors of the model and are easy, most of them straight to the water and back.

NAME = "labyrinth_mice_rewarded"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
if DATA is None:
    print(f"The data are not here ({NAME}), so that this page ends without its results.")

# %%
# One map, one map whose weight drifts, two maps
# ----------------------------------------------
# Each variant is fitted by a posterior mode to the training runs (it is an ordinary NumPyro model, so that any
# optimizer will do), and predicts the validation runs, in bits per decision. Four moves (left child, right child, back, stay) are possible everywhere, a move into a wall stays: guessing
# costs 2 bits.


def mode(table, variant):
    """Maps and weights at a posterior mode, from a start drawn from the prior: two maps that begin alike stay alike."""
    import jax
    import numpy as np
    from jax.flatten_util import ravel_pytree
    from numpyro.infer import init_to_sample
    from numpyro.infer.util import initialize_model
    from scipy.optimize import minimize

    from goalinf_models import ashwood_2022

    made = ashwood_2022.model(table, variant, levels=6)
    with jax.enable_x64(True):
        data = (made["data"].unlabeled(),)
        start = initialize_model(jax.random.key(1), made["model"], model_args=data, init_strategy=init_to_sample)
        flat, unravel = ravel_pytree(start.param_info.z)
        climb = jax.jit(jax.value_and_grad(lambda x: start.potential_fn(unravel(x))))
        found = minimize(
            lambda x: jax.device_get(climb(x)), flat, jac=True, method="L-BFGS-B", options={"maxiter": 200}
        )
        values = {name: np.asarray(value) for name, value in unravel(found.x).items()}
    steps = table["t"].max() + 1
    return values["maps"], ashwood_2022.drifted(values["innovations"]) if "innovations" in values else np.ones(
        (steps, 1)
    )


def bits(table, maps, weights):
    """Mean log-probability of a decision."""
    import numpy as np

    from goalinf_models import ashwood_2022

    predicted = ashwood_2022.behavior(ashwood_2022.labyrinth(6), maps, weights)
    return float(predicted.log_prob_by_trajectory(ashwood_2022.steps(table, levels=6)).mean() / np.log(2))


if DATA is not None:
    import pandas as pd

    table = pd.read_csv(DATA / "dirl_water_restricted.csv")[["traj", "t", "tree_state", "tree_action", "split"]]
    table = table.rename(columns={"tree_state": "state", "tree_action": "action"})
    split = dict(list(table.groupby("split")))
    fitted = {variant: mode(split["train"], variant) for variant in ("static", "one map", "two maps")}
    for variant, found in fitted.items():
        print(f"{variant}: {bits(split['val'], *found):.3f} bits per decision")
    print("published: uniform -2.000, deep maximum entropy -1.708, one drifting map -0.876, two -0.827")

# %%
# What the mice want when
# -----------------------
# A map by itself says little: two maps can be mixed, and only rewards as a whole, weights times maps, decide. So the
# picture is of the reward of each moment, at the nodes that the runs visit. A constant added to all nodes changes
# nothing; each moment is shown against its own mean.

if DATA is not None:
    import matplotlib.pyplot as plt

    maps, weights = fitted["two maps"]
    visited = sorted(table["state"].unique())
    reward = (weights @ maps)[:, visited]
    figure, axes = plt.subplots(figsize=(8, 4))
    image = axes.imshow((reward - reward.mean(1, keepdims=True)).T, aspect="auto", cmap="RdBu_r")
    axes.set(xlabel="step", ylabel="node (0: home)", yticks=range(len(visited)), yticklabels=visited)
    figure.colorbar(image, label="reward (against the mean of the step)")
