"""
A courier in a small town
=========================

Twenty walks of a courier are simulated and then forgotten, all but the choices. What is each place worth to them, how
well do they plan, and how much of that can the walks say at all?
"""

import jax
import numpyro.distributions as dist

import goalinf as gi

# %%
# The world
# ---------
# A world comes from a text map and holds no reward. ``#`` is a wall, ``s`` the start, and every other character marks
# its cell, which can then be called by that name. One move in ten goes astray.

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
# The walks
# ---------
# An agent and a reward with known numbers simulate. The reward is collected on departure, once for every step that is
# spent in a place.

truth = gi.StateReward.at(town, {"a": 2.0, "b": 1.0}, default=0.0, on="departure")
courier = gi.agents.soft_optimal(beta=3.0)
walks = gi.simulate(jax.random.key(0), town, courier, truth, trajectories=20, steps=30)
gi.plot.trajectories(walks)

# %%
# What they want
# --------------
# The same agent and the same reward, with distributions in the place of the numbers, are priors. Few draws will do for
# this page; the default is 1000 in each of four chains.

fit = gi.infer(
    jax.random.key(1),
    town,
    agent=gi.agents.soft_optimal(beta=dist.LogNormal(1.0, 0.5)),
    reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
    data=walks,
    draws=600,
    progress=False,
)
fit.summary().round(2)

# %%
# The square ``a`` stands out. ``b`` does not: someone who is drawn to ``a`` rarely passes ``b``, and the standard
# deviation is largest where the walks rarely went.

gi.plot.reward_map(fit)

# %%
# What these walks cannot tell
# ----------------------------
# A constant added to every reward changes no choice, and neither does a larger reward with a smaller beta. The audit
# counts such directions, and says how much the walks taught about the others.

print(gi.audit(fit))

# %%
# The distance between two rewards is read after everything has been removed that no behavior could show: 0 is the same
# preference, 1 the opposite one.

for name, reward in {"posterior mean": fit.mean_reward(), "no reward": gi.StateReward.zero(town)}.items():
    print(f"{name}: {gi.identify.distance.starc(town, truth, reward):.2f} from the truth")
