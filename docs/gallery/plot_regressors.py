"""
Regressors for other measurements
=================================

Values and prediction errors of a fitted learner are regressors for what else was measured in the same trials: brain
images, pupil size, reaction times. Here eight simulated subjects choose between two options whose better one changes
after 30 of 60 trials. Every tenth trial is forced: a program sets the action. The size of the pupil is simulated so that
it follows the absolute prediction error. The table of the experiment comes back with its rows and further columns.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist

import goalinf as gi

# %%
# The data
# --------
# Outcomes of both options are drawn first, then the choices of each subject. A design with forced trials is data whose
# forced actions are repeated by the simulation.

arms, points = gi.bandit(["left", "right"]), gi.RecordedReward()
rng = np.random.default_rng(3)
subjects, trials = 8, 60
better = np.where(np.arange(trials) < 30, 0, 1)
means = np.where(np.arange(2) == better[:, None], 1.0, -1.0)
outcomes = means + rng.normal(size=(subjects, trials, 2))
forced = np.broadcast_to(np.arange(trials) % 10 == 4, (subjects, trials))
design = gi.Trajectories.of(
    np.zeros((subjects, trials + 1), int),
    rng.integers(0, 2, (subjects, trials)),
    outcomes=outcomes,
    forced=forced,
    subject=np.arange(subjects),
)
rates = dist.Beta(4.0, 8.0)
population = gi.agents.rescorla_wagner(learning_rate=gi.no_pooling(rates, by="subject"), beta=2.0)
simulated = gi.simulate(0, arms, population, points, like=design)
table = simulated.to_frame()[["subject", "step", "action", "outcome", "forced"]].assign(state="choice")
table = table.sample(frac=1.0, random_state=0)  # the order of the rows does not matter
print(table.head())

# %%
# The fit
# -------
# Each subject has a learning rate of its own. The table is read by the names of its columns.

data = gi.read_trajectories(
    table,
    arms,
    subject="subject",
    trajectory="subject",
    step="step",
    state="state",
    action="action",
    outcome="outcome",
    forced="forced",
)
agent = gi.agents.rescorla_wagner(
    learning_rate=gi.no_pooling(dist.Beta(2.0, 2.0), by="subject"), beta=dist.LogNormal(0.5, 0.5)
)
fit = gi.infer(jax.random.key(1), arms, agent=agent, reward=points, data=data)
print(fit)

# %%
# The regressors
# --------------
# Every quantity is computed for each of 200 posterior draws, with the learning rate of the subject in that draw. A column
# holds the mean over draws, and its neighbor ``_sd`` the standard deviation, the uncertainty of the regressor.

regressors = gi.workflow.regressors(fit)
print(regressors.filter(regex="subject|step|^choice_prob|^value|^prediction").head().round(2).T)

# %%
# One subject: the values of both options before each choice, and the prediction errors. Bands are two standard
# deviations. Forced trials have a prediction error and no choice probability.

one = regressors[regressors["subject"] == 2].sort_values("step")
figure, (above, below) = plt.subplots(2, 1, figsize=(7.0, 4.6), sharex=True, layout="constrained")
for name, color in (("left", "#0072b2"), ("right", "#d55e00")):
    mean, sd = one[f"value[{name}]"], one[f"value_sd[{name}]"]
    above.plot(one["step"], mean, color=color, label=name)
    above.fill_between(one["step"], mean - 2 * sd, mean + 2 * sd, color=color, alpha=0.2, lw=0)
is_forced = one["forced"].to_numpy(bool)
colors = np.where(is_forced, "0.65", "0.25")
below.bar(one["step"], one["prediction_error"], color=colors, width=0.7)
below.bar(0, 0, color="0.65", label="forced trial")
above.axvline(29.5, color="0.4", lw=0.8, ls=":")
above.set(ylabel="value (points)")
below.set(xlabel="trial", ylabel="prediction error (points)")
above.legend(frameon=False, fontsize=8, ncols=2)
below.legend(frameon=False, fontsize=8)
figure

# %%
# A measurement that follows prediction errors
# --------------------------------------------
# The measurement is simulated from the true prediction errors, 0.3 units per point of the absolute error. The regression
# with the estimated regressor finds a slope of about this size. The rows of measurement and regressor are the same rows.

true_errors = []
for subject, rate in enumerate(simulated.drawn["agent.learning_rate"].values):
    known = gi.agents.rescorla_wagner(learning_rate=float(rate), beta=2.0)
    values = gi.Behavior(arms, known, points).step_values(simulated.select([subject]))
    true_errors.append(values["prediction_error"][0])
error = np.array(true_errors)[regressors["subject"], regressors["step"]]
pupil = 4.0 + 0.3 * np.abs(error) + rng.normal(scale=0.3, size=len(regressors))
slope, intercept = np.polyfit(np.abs(regressors["prediction_error"]), pupil, 1)
print(f"slope {slope:.2f} (true 0.30), intercept {intercept:.2f} (true 4.00)")
