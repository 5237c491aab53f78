"""
The audit of a courier: expected regret and further data
========================================================

The trajectories of the first example again. The inferred reward will be acted on, in the town and in a world to
transfer to, the town after a flood. What is the expected regret, and which further data reduce it?
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
data = gi.simulate(jax.random.key(0), town, gi.agents.soft_optimal(beta=3.0), truth, trajectories=20, steps=30)

fit = gi.infer(
    jax.random.key(1),
    town,
    agent=gi.agents.soft_optimal(beta=3.0),
    reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
    data=data,
    draws=500,
    progress=False,
)

# %%
# The world to transfer to
# ------------------------
# The same states with a higher slip probability and a lower discount, so that other policies are optimal.

flood = gi.gridworld(TOWN, slip=0.3, discount=0.9)

# %%
# Candidate experiments
# ---------------------
# More trajectories from the same start; trajectories that start in the far corner; trajectories of an agent with
# another discount; or a question to the courier, which of two trajectories they prefer.

pair = gi.simulate(jax.random.key(5), town, gi.agents.uniform(), truth, trajectories=2, steps=15)
experiments = {
    "more of the same": gi.identify.Demonstrations(town, gi.agents.soft_optimal(beta=3.0), trajectories=20, steps=30),
    "from the far corner": gi.identify.Demonstrations(
        town, gi.agents.soft_optimal(beta=3.0), trajectories=20, steps=30, starts="a"
    ),
    "lower discount": gi.identify.Demonstrations(
        town, gi.agents.soft_optimal(beta=3.0, discount=0.5), trajectories=20, steps=30
    ),
    "one preference query": gi.identify.PreferenceQuery(town, pair, beta=3.0),
}

# %%
# The audit
# ---------
# ``gi.plot.audit_page(audit, "audit.html")`` writes the audit as one page.

audit = gi.audit(fit, worlds={"flood": flood}, experiments=experiments)
print(audit)

# %%
# In figures:

gi.plot.audit(audit)

# %%
# Comparison with the truth
# -------------------------
# The true reward is known here. The normalized regret of acting on the posterior mean, in the town and after the flood:

for name, world in {"town": town, "flood": flood}.items():
    print(name, round(gi.identify.distance.regret(world, truth, fit.mean_reward()), 3))

# %%
# After the flood the regret is above the range that the audit expects. The expectation of the audit is over rewards
# that are probable under the prior, in which the reward of every state differs from zero; the true reward is zero in
# all but two states. Where the data contain little information the posterior is close to the prior. A sparse prior
# would have given a better expectation.
