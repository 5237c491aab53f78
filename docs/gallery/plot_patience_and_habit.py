"""
Patience and habit: two tasks of one minute
===========================================

Two of the most used tasks of computational psychiatry, in the form in which hBayesDM ships them (Ahn, Haines and Zhang
2017). In the first, people choose between less now and more later. In the second, they learn which choices pay, by
planning or by habit. The models are those of the catalogue, ``goalinf_models``.
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
# The data are not part of goalinf. They are looked for in ``shared/data`` beside the checkout, or in the folder that the
# environment variable ``GOALINF_DATA`` names. Whether the rows are real people or simulated is not said where they come
# from: they check software, they are no evidence about people. Where they are not, the page shows a look-alike: people that are
# simulated by the two models of this page, all of them discounting hyperbolically.

NAME = "hbayesdm_examples"
here = Path.cwd()
folders = [folder / "shared" / "data" / NAME for folder in (here, *here.parents)]
if "GOALINF_DATA" in os.environ:
    folders.insert(0, Path(os.environ["GOALINF_DATA"]) / NAME)
DATA = next((folder for folder in folders if folder.is_dir()), None)
print("data of the experiment" if DATA else "simulated look-alike")

# %%
# Now or later
# ------------
# Every offer is a state with two actions, and nothing comes after it. A delayed amount loses value like
# :math:`1/(1 + kd)` (hyperbolic) or like :math:`e^{-kd}` (exponential). Both have two parameters a person, so that their
# best log-likelihoods can be compared as they are.


def simulated_choices():
    """Twenty people who discount hyperbolically, at rates from .002 to .2 a day, with a hundred offers each."""
    rng = np.random.default_rng(0)
    size = (20, 100)
    later = np.round(10.0 * rng.uniform(1.05, 4.0, size), 1)
    offers = {"delay_sooner": 0, "amount_sooner": 10.0, "delay_later": rng.integers(1, 300, size).ravel()}
    table = pd.DataFrame({"subjID": np.repeat(np.arange(1, 21), 100), **offers, "amount_later": later.ravel()})
    made = delay_discounting.offers(table.assign(choice=0))
    rates, betas = np.geomspace(0.002, 0.2, 20), np.full(20, 0.5)
    drawn = made.behavior(rates, betas, "hyperbolic", like=made.data).sample(jax.random.key(0))
    return table.assign(choice=np.asarray(drawn.actions)[:, 0])


def best(table, variant):
    """Largest log-likelihood of each person, with the parameters there."""
    rows = {}
    for name, own in table.groupby("subjID"):
        offers = delay_discounting.offers(own)

        def cost(logs, offers=offers):
            k, beta = np.exp(logs)
            return -float(offers.behavior([k], [beta], variant).log_prob(offers.data))

        found = minimize(cost, [-4.0, -1.0], method="Nelder-Mead")
        rows[name] = {"k": np.exp(found.x[0]), "beta": np.exp(found.x[1]), "cost": found.fun}
    return pd.DataFrame(rows).T


choices = pd.read_csv(DATA / "delay_discounting.csv") if DATA else simulated_choices()
fits = {variant: best(choices, variant) for variant in ("hyperbolic", "exponential")}
for variant, found in fits.items():
    medians = found.median()
    print(f"{variant}: {found['cost'].sum():.1f} nats, median k {medians['k']:.3f}, median beta {medians['beta']:.2f}")

# %%
# In the example data of hBayesDM the hyperbola is ahead by about 26 nats over twenty people, and most of it comes from
# few. By person, for the people of this page:

ahead = (fits["exponential"]["cost"] - fits["hyperbolic"]["cost"]).sort_values().reset_index(drop=True)
figure, axes = plt.subplots(layout="constrained")
ahead.plot.bar(ax=axes, xlabel="person", ylabel="evidence for the hyperbola (nats)", color="0.4", xticks=[])
figure

# %%
# Habit or plan
# -------------
# In the two-step task the first choice leads to one of two second states, usually to its own. Who plans asks where a
# choice leads; who follows habit repeats what was rewarded, wherever it led. The learner of Daw et al. (2011) mixes both
# with weight w. What it has learned is a function of what happened, so that the likelihood is one scan over the trials.
# A few people, seven parameters each, take a minute or two.


def trials_of_five():
    """The first five people of the example data, coded as the model has it."""
    trials = pd.read_csv(DATA / "two_step.csv")
    trials = trials[trials["subjID"].isin(trials["subjID"].unique()[:5])]
    second = trials["level2_choice"] - 1
    choices = {"choice1": trials["level1_choice"] - 1, "state2": second // 2, "choice2": second % 2}
    return pd.DataFrame({"subject": trials["subjID"], **choices, "reward": trials["reward"]})


table = trials_of_five() if DATA else daw_2011.example(jax.random.key(1))
fit = gi.infer(jax.random.key(0), **daw_2011.model(table), warmup=300, draws=300, progress=False)
fit

# %%
# The weights w of these people, with the middle 90 % of their posteriors: with two hundred trials they are known only
# roughly, one reason to pool people. (The simulated people have w of 0, 0.3, 0.7 and 1.)

w = fit.posterior["model_based"]
middle = w.quantile([0.05, 0.5, 0.95], dim=("chain", "draw")).to_pandas().T
figure, axes = plt.subplots(layout="constrained")
axes.errorbar(range(len(middle)), middle[0.5], np.abs(middle[[0.05, 0.95]].T - middle[0.5]), fmt="o", color="0.2")
axes.set(xlabel="person", ylabel="model-based weight w", ylim=(-0.02, 1.02), xticks=range(len(middle)))
figure
