"""
Which goal is the walker heading for?
=====================================

With a few goals in question the posterior is exact: every goal is planned for, and Bayes' rule is applied after every
step. Here somebody walks through a hall with two exits.
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
# Three walks to the right exit
# -----------------------------
# A Boltzmann-rational walker mostly takes shortest paths; the smaller beta, the more it strays.

walker = gi.agents.boltzmann(beta=1.5)
walks = gi.simulate(jax.random.key(3), hall, walker, goals["right exit"], trajectories=3, steps=25)
gi.plot.trajectories(walks)

# %%
# Belief after every step
# -----------------------
# The answer is a labeled array: trajectory, step, goal. Step 0 is the prior.

posterior = gi.goal_posterior(hall, walker, goals, walks)
print(posterior.dims, dict(posterior.sizes))
gi.plot.goal_timeline(posterior, trajectory=0)

# %%
# One step decides most of it: the walk leaves the middle to one side, and a walker who mostly takes shortest paths would
# hardly do so on the way to the other exit.

belief = posterior.sel(goal="right exit")
belief.to_pandas().round(2).iloc[:, :12]

# %%
# How much depends on the walker
# ------------------------------
# An observer who takes the walker for a poor planner learns less from the same steps. Beta is part of the inference, and
# where it is unknown it should be a prior of :func:`goalinf.infer`.

for beta in (0.2, 0.5, 1.5, 5.0):
    other = gi.goal_posterior(hall, gi.agents.boltzmann(beta=beta), goals, walks).sel(goal="right exit")
    after = other.isel(trajectory=0, step=1).item()
    print(f"beta {beta}: probability {after:.3f} of the right exit after one step")
