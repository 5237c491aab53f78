"""
A courier in a small town
=========================

Twenty trajectories of a courier are simulated. From the states and actions alone, what is the reward of every state,
what is the inverse temperature, and how much of this do the data identify?
"""

import jax
import numpyro.distributions as dist

import goalinf as gi

# %%
# The world
# ---------
# A world comes from a text map and holds no reward. ``#`` is a wall, ``s`` the start, and every other character marks
# and names its cell. The slip probability is 0.1: one move in ten goes in a random direction.

TOWN = """
#########
#s..#..a#
#.#.#.#.#
#.#...#.#
#..b....#
#########
"""

town = gi.gridworld(TOWN, slip=0.1, discount=0.95)

# %%
# The data
# --------
# An agent and a reward with known parameters simulate trajectories. The reward of a state is collected on departure,
# once for every step in that state.

truth = gi.StateReward.at(town, {"a": 2.0, "b": 1.0}, default=0.0, on="departure")
courier = gi.agents.soft_optimal(beta=3.0)
data = gi.simulate(jax.random.key(0), town, courier, truth, trajectories=20, steps=30)
gi.plot.trajectories(data)

# %%
# The posterior
# -------------
# The same agent and the same reward, with distributions as parameters, are priors. This page uses few draws; the
# default is 1000 in each of four chains.

fit = gi.infer(
    jax.random.key(1),
    town,
    agent=gi.agents.soft_optimal(beta=dist.LogNormal(1.0, 0.5)),
    reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
    data=data,
    draws=600,
    progress=False,
)
fit.summary().round(2)

# %%
# The reward of ``a`` is clearly above the others. That of ``b`` is not: an agent that goes to ``a`` rarely passes
# ``b``, and the standard deviation is largest in rarely visited states.

gi.plot.reward_map(fit)

# %%
# The audit
# ---------
# A constant added to every reward changes no action probability, and neither does a larger reward with a smaller beta.
# The audit counts such null directions, and reports how much the data reduced the variance of the others.

print(gi.audit(fit))

# %%
# The distance between two rewards ignores unidentified differences: 0 for rewards that order policies alike, 1 for
# opposite ones.

for name, reward in {"posterior mean": fit.mean_reward(), "zero reward": gi.StateReward.zero(town)}.items():
    print(f"{name}: {gi.identify.distance.starc(town, truth, reward):.2f} from the truth")
