"""
Goal inference: which exit is the goal?
=======================================

With finitely many goals the posterior is exact: the planner solves for every goal, and Bayes' rule is applied after
every step. Here an agent moves through a hall with two exits.
"""

import jax

import goalinf as gi

# %%
# The world and the goals
# -----------------------
# Each step costs one unit until the goal is reached, where the episode ends. There is no discounting.

HALL = """
a.......b
.........
....#....
....#....
....s....
"""

hall = gi.gridworld(HALL, moves=("up", "down", "left", "right"), discount=1.0)
goals = gi.goals(hall, {"left exit": "a", "right exit": "b"}, step_cost=1.0)
gi.plot.world(hall)

# %%
# Three trajectories to the right exit
# ------------------------------------
# A Boltzmann-rational agent mostly takes shortest paths; a smaller beta makes deviations more probable.

agent = gi.agents.boltzmann(beta=1.5)
data = gi.simulate(jax.random.key(3), hall, agent, goals["right exit"], trajectories=3, steps=25)
gi.plot.trajectories(data)

# %%
# Posterior after every step
# --------------------------
# The result is a labeled array: trajectory, step, goal. Step 0 is the prior.

posterior = gi.goal_posterior(hall, agent, goals, data)
print(posterior.dims, dict(posterior.sizes))
gi.plot.goal_timeline(posterior, trajectory=0)

# %%
# The first step contains most of the information: it leaves the middle to one side, which has a low probability for an
# agent that mostly takes shortest paths to the other exit.

right_exit = posterior.sel(goal="right exit")
right_exit.to_pandas().round(2).iloc[:, :12]

# %%
# Dependence on beta
# ------------------
# An observer who assumes a smaller beta learns less from the same steps. The posterior is conditional on beta; where
# beta is unknown, give it a prior and use :func:`goalinf.infer`.

for beta in (0.2, 0.5, 1.5, 5.0):
    probability = gi.goal_posterior(hall, gi.agents.boltzmann(beta=beta), goals, data).sel(goal="right exit")
    after = probability.isel(trajectory=0, step=1).item()
    print(f"beta {beta}: probability {after:.3f} of the right exit after one step")
