"""Ramachandran and Amir (2007): Bayesian inverse reinforcement learning.

Story
-----
The reward of every state is drawn independently from a prior. An expert knows the optimal Q-values under it and chooses
with probabilities proportional to exp(alpha Q*), alpha being the confidence that the expert chooses well. The actions
are observed, and the reward is inferred.

The variants are priors of the paper: ``uniform`` without prior knowledge, ``normal`` and ``laplace`` where most
rewards are small, the latter with a few large ones.

Sites
-----
``reward.values`` ~ Uniform(-1, 1), Normal(0, .5) or Laplace(0, .3), one for each state, collected on departure. alpha
is known (4 per unit of reward). The numbers are ours, and so is the world, one of the random MDPs the paper tests on.

Departures: HMC instead of the random walk over a grid of rewards (PolicyWalk).

References
----------
Ramachandran, D. and Amir, E. (2007). Bayesian inverse reinforcement learning. *Proceedings of the 20th International
Joint Conference on Artificial Intelligence*, 2586-2591.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpyro.distributions as dist

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import PRNGKey
from goalinf_models.catalogue import Variant
from goalinf_models.checks import check_behavior, check_variant

ALPHA = 4.0
PRIORS = {"uniform": dist.Uniform(-1.0, 1.0), "normal": dist.Normal(0.0, 0.5), "laplace": dist.Laplace(0.0, 0.3)}
VARIANTS = {prior: Variant(gi.infer, ("reward.values",), "what is the reward of every state?") for prior in PRIORS}
TRUTH = (0.0, 0.4, 0.0, -0.4, 0.0, 0.9)


@cache
def world() -> gi.World:
    """Make a random MDP of six states."""
    return gi.garnet(jax.random.key(2007), states=6, actions=3, branching=2, discount=0.9)


@takes_key
def example(key: PRNGKey, variant: str = "uniform") -> gi.Trajectories:
    """Simulate twenty trajectories of ten steps; the last state has the largest reward."""
    check_variant(variant, VARIANTS)
    reward = gi.StateReward(TRUTH, on="departure")
    return gi.simulate(key, world(), gi.agents.boltzmann(beta=ALPHA), reward, trajectories=20, steps=10)


def model(data: gi.Trajectories, variant: str = "uniform", *, where: gi.World | None = None) -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``; ``where`` is a custom world."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    check_behavior(data, place)
    return {
        "world": place,
        "agent": gi.agents.boltzmann(beta=ALPHA),
        "reward": gi.StateReward(PRIORS[variant], on="departure"),
        "data": data,
    }
