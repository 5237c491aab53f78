"""
Patience and habit: two tasks of one minute
===========================================

Two of the most used tasks of computational psychiatry, on the example data that hBayesDM ships (Ahn, Haines and Zhang
2017). In the first, people choose between less now and more later. In the second, they learn which choices pay, by
planning or by habit. The models are those of the catalogue, ``goalinf_models``.
"""

import os
from pathlib import Path

import goalinf as gi

# %%
# The data
# --------
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names. Whether the rows are real people or simulated is not said where they come
# from: they check software, they are no evidence about people.

NAME = "hbayesdm_examples"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
if DATA is None:
    print(f"The data are not here ({NAME}), so that this page ends without its results.")

# %%
# Now or later
# ------------
# Every offer is a state with two actions, and nothing comes after it. A delayed amount loses value like
# :math:`1/(1 + kd)` (hyperbolic) or like :math:`e^{-kd}` (exponential). Both have two parameters a person, so that their
# best log-likelihoods can be compared as they are.


def best(table, variant):
    """Largest log-likelihood of each person, with the parameters there."""
    import numpy as np
    import pandas as pd
    from scipy.optimize import minimize

    from goalinf_models import delay_discounting

    rows = {}
    for name, own in table.groupby("subjID"):
        offers = delay_discounting.offers(own)

        def cost(logs, offers=offers):
            k, beta = np.exp(logs)
            return -float(offers.behavior([k], [beta], variant).log_prob(offers.data))

        found = minimize(cost, [-4.0, -1.0], method="Nelder-Mead")
        rows[name] = {"k": np.exp(found.x[0]), "beta": np.exp(found.x[1]), "cost": found.fun}
    return pd.DataFrame(rows).T


if DATA is not None:
    import pandas as pd

    choices = pd.read_csv(DATA / "delay_discounting.csv")
    fits = {variant: best(choices, variant) for variant in ("hyperbolic", "exponential")}
    for variant, found in fits.items():
        medians = found.median()
        print(
            f"{variant}: {found['cost'].sum():.1f} nats, median k {medians['k']:.3f}, median beta {medians['beta']:.2f}"
        )

# %%
# The hyperbola is ahead by about 26 nats over twenty people: most of it comes from few.

if DATA is not None:
    ahead = (fits["exponential"]["cost"] - fits["hyperbolic"]["cost"]).sort_values().reset_index(drop=True)
    axes = ahead.plot.bar(xlabel="person", ylabel="nats in favor of the hyperbola", color="0.4")
    axes.set_xticks([])

# %%
# Habit or plan
# -------------
# In the two-step task the first choice leads to one of two second states, usually to its own. Who plans asks where a
# choice leads; who follows habit repeats what was rewarded, wherever it led. The learner of Daw et al. (2011) mixes both
# with weight w. What it has learned is a function of what happened, so that the likelihood is one scan over the trials.
# Five people, seven parameters each, take minutes.

if DATA is not None:
    import jax

    from goalinf_models import daw_2011

    trials = pd.read_csv(DATA / "two_step.csv")
    second = trials["level2_choice"] - 1
    table = pd.DataFrame(
        {
            "subject": trials["subjID"],
            "choice1": trials["level1_choice"] - 1,
            "state2": second // 2,
            "choice2": second % 2,
            "reward": trials["reward"],
        }
    )
    some = table["subject"].unique()[:5]
    five = daw_2011.model(table[table["subject"].isin(some)])
    fit = gi.infer(jax.random.key(0), **five, warmup=300, draws=300, progress=False)
    print(fit.diagnosis)

# %%
# The weights w of five people, with the middle 90 % of their posteriors: with two hundred trials they are known only
# roughly, one reason to pool people.

if DATA is not None:
    w = fit.posterior["model_based"]
    middle = w.quantile([0.05, 0.5, 0.95], dim=("chain", "draw")).to_pandas().T.sort_values(0.5).reset_index(drop=True)
    axes = middle[0.5].plot(style="o", color="0.2", xlabel="person", ylabel="model-based weight w", ylim=(0, 1))
    axes.vlines(middle.index, middle[0.05], middle[0.95], color="0.6")
    axes.set_xticks([])
    print(fit.posterior.mean(("chain", "draw", "subject")).to_pandas().round(2))
