r"""Reddy, Dragan and Levine (2018): agents with false beliefs about the dynamics.

Story
-----
Agents plan rationally in a believed world with false transition probabilities. Here the believed transitions are
a mixture, :math:`\tilde P = (1 - m) P + m P'`, where P' exchanges every direction with its opposite, and the agent is
soft-optimal in it. ``tasks``: behavior is observed in a few tasks with known rewards, and m is inferred. ``reward``:
more behavior is observed in a single task with an unknown reward; the beliefs are identified there as well.

Sites
-----
``agent.confusion`` (m) ~ Uniform(0, 1). ``tasks``: ``agent.beta`` ~ LogNormal(0, 1), in 1/utility. ``reward``: beta is
known, as only its product with the reward is identified; ``reward.values`` ~ Normal(0, 1), one for each state,
collected on arrival.

Departures: beliefs with one parameter instead of a network; a posterior instead of a point estimate. World and
numbers are ours.

References
----------
Reddy, S., Dragan, A. D. and Levine, S. (2018). Where do you think you're going? Inferring beliefs about dynamics from
behavior. *Advances in Neural Information Processing Systems*, 31.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpyro.distributions as dist

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import PRNGKey
from goalinf_models.catalogue import Variant
from goalinf_models.checks import check_behavior, check_variant

OPPOSITE = (1, 0, 3, 2)  # up, down, left, right
CONFUSION, BETA = 0.2, 3.0
VARIANTS = {
    "tasks": Variant(gi.infer, ("agent.confusion", "agent.beta"), "which dynamics does the agent believe in?"),
    "reward": Variant(gi.infer, ("agent.confusion", "reward.values"), "which dynamics does the agent believe in?"),
}


@cache
def world() -> gi.World:
    """Make a room with marks in three of its corners."""
    return gi.gridworld("a..b\n....\n.#..\nc...", discount=0.9)


def tasks() -> dict[str, gi.Reward]:
    """Make the known rewards: 1 in one of the corners."""
    return {mark: gi.StateReward.at(world(), {mark: 1.0}, default=0.0, on="arrival") for mark in "abc"}


@takes_key
def example(key: PRNGKey, variant: str = "tasks") -> gi.Trajectories:
    """Simulate trajectories of eight steps with m = .2: ten in each task, or a hundred in the first."""
    check_variant(variant, VARIANTS)
    confused = gi.agents.false_dynamics(confusion=CONFUSION, beta=BETA, alternative=OPPOSITE, backup="soft")
    reward, count = (tasks(), 10) if variant == "tasks" else (tasks()["a"], 100)
    return gi.simulate(key, world(), confused, reward, trajectories=count, steps=8)


def model(data: gi.Trajectories, variant: str = "tasks") -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``."""
    check_variant(variant, VARIANTS)
    check_behavior(data, world())
    confusion, beta = dist.Uniform(0.0, 1.0), dist.LogNormal(0.0, 1.0) if variant == "tasks" else BETA
    return {
        "world": world(),
        "agent": gi.agents.false_dynamics(confusion=confusion, beta=beta, alternative=OPPOSITE, backup="soft"),
        "reward": tasks() if variant == "tasks" else gi.StateReward(dist.Normal(0.0, 1.0), on="arrival"),
        "data": data,
    }
