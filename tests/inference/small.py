"""A corridor of three cells, walks in it, and a model of the user's own."""

import jax
import numpyro
import numpyro.distributions as dist

import goalinf as gi

HALL = gi.gridworld("s.a", stay=True, discount=0.9)


def walks_of(seed=0, trajectories=8):
    wants = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
    return gi.simulate(
        jax.random.key(seed), HALL, gi.agents.soft_optimal(beta=2.0), wants, trajectories=trajectories, steps=6
    )


def plain_model(data=None):
    """One weight: how much the shop is worth."""
    weight = numpyro.sample("weight", dist.Normal(0.0, 1.0).expand([1]).to_event(1))
    reward = gi.LinearReward(HALL.indicator("a")[:, None], weight, on="departure")
    numpyro.sample("walks", gi.Behavior(HALL, gi.agents.soft_optimal(beta=2.0), reward), obs=data)
