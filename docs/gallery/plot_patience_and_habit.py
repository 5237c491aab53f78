"""
Delay discounting and the two-step task
=======================================

Two tasks of computational psychiatry, with the example data of hBayesDM (Ahn, Haines and Zhang 2017). In the first,
people choose between a smaller amount sooner and a larger one later. In the second, they learn which choices are
rewarded, by model-based or model-free learning. The models are those of the catalogue, ``goalinf_models``.
"""

import os
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import minimize

import goalinf as gi
from goalinf_models import daw_2011, delay_discounting

# %%
# The data
# --------
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that
# the environment variable ``GOALINF_DATA`` names. Their source does not state whether the rows are from people or
# simulated: they are for tests of software and no evidence about people. Where they are missing, the page shows a
# simulated look-alike: subjects of the two models of this page, all with hyperbolic discounting.

NAME = "hbayesdm_examples"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# Delay discounting
# -----------------
# Every offer is a state with two actions, after which the episode ends. The value of an amount after d days is
# multiplied by :math:`1/(1 + kd)` (hyperbolic) or by :math:`e^{-kd}` (exponential). Both models have two parameters per
# subject, so that their maximum log-likelihoods are compared without a correction.


def simulated_choices():
    """Simulate twenty subjects with hyperbolic rates from .002 to .2 per day and a hundred offers each."""
    rng = np.random.default_rng(0)
    size = (20, 100)
    later = np.round(10.0 * rng.uniform(1.05, 4.0, size), 1)
    offers = {"delay_sooner": 0, "amount_sooner": 10.0, "delay_later": rng.integers(1, 300, size).ravel()}
    table = pd.DataFrame({"subjID": np.repeat(np.arange(1, 21), 100), **offers, "amount_later": later.ravel()})
    sampled = delay_discounting.offers(table.assign(choice=0))
    rates, betas = np.geomspace(0.002, 0.2, 20), np.full(20, 0.5)
    drawn = sampled.behavior(rates, betas, "hyperbolic", like=sampled.data).sample(jax.random.key(0))
    return table.assign(choice=np.asarray(drawn.actions)[:, 0])


def best(table, variant):
    """Maximize the log-likelihood of each subject."""
    rows = {}
    for name, choices in table.groupby("subjID"):
        offers = delay_discounting.offers(choices)

        def cost(logs, offers=offers):
            k, beta = np.exp(logs)
            return -float(offers.behavior([k], [beta], variant).log_prob(offers.data))

        optimum = minimize(cost, [-4.0, -1.0], method="Nelder-Mead")
        rows[name] = {"k": np.exp(optimum.x[0]), "beta": np.exp(optimum.x[1]), "cost": optimum.fun}
    return pd.DataFrame(rows).T


choices = pd.read_csv(DATA / "delay_discounting.csv") if DATA else simulated_choices()
fits = {variant: best(choices, variant) for variant in ("hyperbolic", "exponential")}
for variant, rows in fits.items():
    medians = rows.median()
    cost = f"negative log-likelihood {rows['cost'].sum():.1f} nats"
    print(f"{variant}: {cost}, median k {medians['k']:.3f}, median beta {medians['beta']:.2f}")

# %%
# In the example data of hBayesDM the log-likelihood of the hyperbolic model is about 26 nats larger, summed over twenty
# subjects, most of it from few subjects. By subject, for the data of this page:

ratio = (fits["exponential"]["cost"] - fits["hyperbolic"]["cost"]).sort_values().reset_index(drop=True)
figure, axes = plt.subplots(layout="constrained")
labels = {"xlabel": "subject", "ylabel": "log-likelihood ratio,\nhyperbolic over exponential (nats)"}
ratio.plot.bar(ax=axes, **labels, color="0.4", xticks=[])
figure

# %%
# The two-step task
# -----------------
# In the two-step task the first choice leads to one of two second states, with a high probability to the common one. A
# model-based learner uses the transition probabilities; a model-free learner repeats rewarded choices whatever the
# transition was. The learner of Daw et al. (2011) mixes both with weight w. Its values are a function of the observed
# trials, so that the likelihood is one scan over the trials. A few subjects, seven parameters each, take a minute or
# two.


def trials_of_five():
    """Read the first five subjects of the example data, with the codes of the model."""
    trials = pd.read_csv(DATA / "two_step.csv")
    trials = trials[trials["subjID"].isin(trials["subjID"].unique()[:5])]
    return daw_2011.hbayesdm(trials)


table = trials_of_five() if DATA else daw_2011.example(jax.random.key(1))
fit = gi.infer(jax.random.key(0), **daw_2011.model(table), warmup=300, draws=300, progress=False)
fit

# %%
# The weights w of these subjects, with 90 % posterior intervals. With two hundred trials the intervals are wide, one
# reason to pool subjects. (The simulated subjects have w of 0, 0.3, 0.7 and 1.)

w = fit.posterior["agent.model_based"]
middle = w.quantile([0.05, 0.5, 0.95], dim=("chain", "draw")).to_pandas().T
figure, axes = plt.subplots(layout="constrained")
axes.errorbar(range(len(middle)), middle[0.5], np.abs(middle[[0.05, 0.95]].T - middle[0.5]), fmt="o", color="0.2")
axes.set(xlabel="subject", ylabel="model-based weight w", ylim=(-0.02, 1.02), xticks=range(len(middle)))
figure
