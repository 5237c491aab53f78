"""
Many subjects
=============

Twenty-four simulated subjects act in one small world. They differ in their inverse temperature, and some of them were
observed for a single episode. One set of parameters for all hides their differences; a fit of each subject alone
follows the noise of the few choices of some. Partial pooling estimates the group and its subjects together.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi

# %%
# The data
# --------
# The reward is known: two places at the ends of a corridor, one of them worth twice as much. The inverse temperatures
# are log-normal over subjects. A subject has one to eight episodes of six choices.

hall = gi.gridworld("a..s..b", discount=0.9)
reward = gi.StateReward.at(hall, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
rng = np.random.default_rng(1)
names = [f"s{number:02}" for number in range(24)]
truth = pd.Series(np.exp(rng.normal(1.0, 0.6, len(names))), index=names)
tables = [
    gi.simulate(
        seed,
        hall,
        gi.agents.soft_optimal(beta=beta),
        reward,
        trajectories=int(rng.integers(1, 9)),
        steps=6,
        subject=name,
    ).to_frame()
    for seed, (name, beta) in enumerate(truth.items())
]
data = gi.read_trajectories(
    pd.concat(tables),
    hall,
    subject="subject",
    trajectory=["subject", "trajectory"],
    step="step",
    state=["row", "col"],
    action="action",
)
print(data)

# %%
# Three models
# ------------
# The same agent, with one beta for all, with one beta per subject, and with one beta per subject around the value of a
# group. The prior of the group has the same width as that of each subject alone.

prior = dist.LogNormal(0.0, 1.0)
betas = {
    "one for all": prior,
    "each alone": gi.no_pooling(prior, by="subject"),
    "partial pooling": gi.partial_pooling(prior, by="subject"),
}
fits = {
    name: gi.infer(jax.random.key(0), hall, agent=gi.agents.soft_optimal(beta=beta), reward=reward, data=data)
    for name, beta in betas.items()
}
print(fits["partial pooling"])

# %%
# Errors of the estimates
# -----------------------
# The root mean squared error of the posterior mean of log beta, over subjects with few episodes and with many.

episodes = pd.Series(data.subject).map(dict(enumerate(data.subject_names))).value_counts().reindex(names)
estimates = {}
for name, fit in fits.items():
    mean = np.log(fit.posterior["agent.beta"]).mean(("chain", "draw"))
    estimates[name] = pd.Series(np.broadcast_to(mean.values, len(names)), index=names)
errors = pd.DataFrame(estimates).sub(np.log(truth), axis=0) ** 2
groups = {"1 to 3 episodes": episodes <= 3, "4 to 8 episodes": episodes > 3, "all": episodes > 0}
table = pd.DataFrame({group: np.sqrt(errors[rows].mean()) for group, rows in groups.items()}).round(2)
print(table)

# %%
# Estimates against the truth. Lines lead from the estimate of each subject alone to that with partial pooling: values
# of subjects with few episodes move most.

figure, ax = plt.subplots(figsize=(4.2, 4.0), layout="constrained")
alone, pooled = estimates["each alone"], estimates["partial pooling"]
ax.plot([np.log(truth)] * 2, [alone, pooled], color="0.7", lw=0.8, zorder=1)
ax.scatter(np.log(truth), alone, s=14, facecolor="white", edgecolor="#d55e00", label="each alone", zorder=2)
ax.scatter(np.log(truth), pooled, s=8 * episodes, color="#0072b2", label="partial pooling (size: episodes)", zorder=3)
ax.axline((0, 0), slope=1, color="0.4", lw=0.8, ls=":")
ax.set(xlabel="true log beta (beta in 1/utility)", ylabel="posterior mean of log beta")
ax.legend(frameon=False, fontsize=8)
figure

# %%
# The subjects and their group
# ----------------------------

gi.plot.forest(fits["partial pooling"], "agent.beta")

# %%
# What the models predict
# -----------------------
# Expected log predictive density of further episodes of the same subjects, by Pareto-smoothed importance sampling.

print(gi.compare(fits, unit="trajectory")[["rank", "elpd", "se", "p"]].round(1))
