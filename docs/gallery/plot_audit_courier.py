"""
A courier, audited: what to believe, and what to observe next
=============================================================

The walks of the first example again, and one question: somebody will act on what was inferred, here and after a flood has
opened another way. What would that cost, and which further walks would help?
"""

import jax
import numpyro.distributions as dist

import goalinf as gi

TOWN = """
#########
#s..#..a#
#.#.#.#.#
#.#...#.#
#..b....#
#########
"""

town = gi.gridworld(TOWN, slip=0.1, discount=0.95)
truth = gi.StateReward.at(town, {"a": 2.0, "b": 1.0}, default=0.0, on="departure")
walks = gi.simulate(jax.random.key(0), town, gi.agents.soft_optimal(beta=3.0), truth, trajectories=20, steps=30)

fit = gi.infer(
    jax.random.key(1),
    town,
    agent=gi.agents.soft_optimal(beta=3.0),
    reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
    data=walks,
    draws=500,
    progress=False,
)

# %%
# The world in which somebody will act
# ------------------------------------
# The same places, but the ground is slippery and the future counts for less: it is another question what is worth
# walking to.

flood = gi.gridworld(TOWN, slip=0.3, discount=0.9)

# %%
# The experiments that could be made
# ----------------------------------
# More of the same; walks that begin in the far corner; somebody with another discount; or asking the courier which of
# two walks they prefer.

pair = gi.simulate(jax.random.key(5), town, gi.agents.uniform(), truth, trajectories=2, steps=15)
experiments = {
    "more of the same": gi.identify.Demonstrations(town, gi.agents.soft_optimal(beta=3.0), trajectories=20, steps=30),
    "from the far corner": gi.identify.Demonstrations(
        town, gi.agents.soft_optimal(beta=3.0), trajectories=20, steps=30, starts="a"
    ),
    "somebody hasty": gi.identify.Demonstrations(
        town, gi.agents.soft_optimal(beta=3.0, discount=0.5), trajectories=20, steps=30
    ),
    "one question": gi.identify.PreferenceQuery(town, pair, beta=3.0),
}

# %%
# The audit
# ---------
# ``gi.plot.audit_page(audit, "audit.html")`` writes the same as one page.

audit = gi.audit(fit, worlds={"flood": flood}, experiments=experiments)
print(audit)

# %%
# In figures:

gi.plot.audit(audit)

# %%
# Is it right?
# ------------
# The truth is known here. Acting on the posterior mean costs, in the town and in the flood:

for name, world in {"town": town, "flood": flood}.items():
    print(name, round(gi.identify.distance.regret(world, truth, fit.mean_reward()), 3))

# %%
# In the flood it costs more than the audit thought likely. The audit speaks for rewards that the prior holds possible, in
# which every place is worth something, more or less; in truth all but two are worth exactly nothing. Where the data say
# little, the prior speaks, and a prior that knows of such rewards would have said so.
