r"""Reddy, Dragan and Levine (2018): somebody whose actions do not do what they think.

Story
-----
People plan rationally in a world of their own, in which actions have other consequences than in ours. Here they believe
in a mixture, :math:`\tilde P = (1 - m) P + m P'`, where in P' every direction is mixed up with its opposite, and are
soft-optimal in it. ``tasks``: they are watched in a few tasks whose rewards are known, and m is inferred. ``reward``:
they are watched for longer in a single task whose reward is unknown, too; beliefs show all the same.

Sites
-----
``agent.confusion`` (m) ~ Uniform(0, 1). ``tasks``: ``agent.beta`` ~ LogNormal(0, 1), in 1/utility. ``reward``: beta is
known, for only its product with the reward shows; ``reward.values`` ~ Normal(0, 1), one for each state, collected on
arrival.

Departures: beliefs of one parameter in the place of a network; a posterior in the place of a point estimate. World and
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
from goalinf.checks import PRNGKey, takes_key
from goalinf_models.catalogue import Variant
from goalinf_models.checks import check_behavior, check_variant

OPPOSITE = (1, 0, 3, 2)  # up, down, left, right
CONFUSION, BETA = 0.2, 3.0
VARIANTS = {
    "tasks": Variant(gi.infer, ("agent.confusion", "agent.beta"), "what do they believe their actions do?"),
    "reward": Variant(gi.infer, ("agent.confusion", "reward.values"), "what do they believe their actions do?"),
}


@cache
def world() -> gi.World:
    """A room with something in three of its corners."""
    return gi.gridworld("a..b\n....\n.#..\nc...", discount=0.9)


def tasks() -> dict[Any, gi.Reward]:
    """Rewards that are known: one of the corners is worth 1."""
    return {mark: gi.StateReward.at(world(), {mark: 1.0}, default=0.0, on="arrival") for mark in "abc"}


@takes_key
def example(key: PRNGKey, variant: str = "tasks") -> gi.Trajectories:
    """Walks of eight steps by somebody with m = .2: ten in each task, or a hundred in the first."""
    check_variant(variant, VARIANTS)
    confused = gi.agents.false_dynamics(confusion=CONFUSION, beta=BETA, alternative=OPPOSITE, backup="soft")
    wants, count = (tasks(), 10) if variant == "tasks" else (tasks()["a"], 100)
    return gi.simulate(key, world(), confused, wants, trajectories=count, steps=8)


def model(data: gi.Trajectories, variant: str = "tasks") -> dict[str, Any]:
    """Keyword arguments for ``gi.infer``."""
    check_variant(variant, VARIANTS)
    check_behavior(data, world())
    confusion, beta = dist.Uniform(0.0, 1.0), dist.LogNormal(0.0, 1.0) if variant == "tasks" else BETA
    return {
        "world": world(),
        "agent": gi.agents.false_dynamics(confusion=confusion, beta=beta, alternative=OPPOSITE, backup="soft"),
        "reward": tasks() if variant == "tasks" else gi.StateReward(dist.Normal(0.0, 1.0), on="arrival"),
        "data": data,
    }
