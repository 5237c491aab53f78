"""How far ahead does everybody plan? Depth-limited lookahead, a depth for each subject.

Story
-----
Several people collect points on grids whose points they can see. Everybody looks some number of steps ahead, anew at
every step, and nothing beyond counts; how noisy choices are is the same for all. The depths are summed over, exactly,
and what is reported for each subject are their probabilities.

Sites
-----
``agent.beta`` ~ LogNormal(0, 1), in 1/utility, the same for all; ``agent.depth`` ∈ {1, 2, 4, 8} for each subject, each
as likely (``fit.responsibilities`` has the probabilities). Rewards are known and collected on arrival, in hundreds of
points.

References
----------
The agent is that of Yu, G. and Ho, C.-J. (2022), Environment design for biased decision makers, *Proceedings of the
31st International Joint Conference on Artificial Intelligence*, 592-598, with a depth for each subject, which is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi
from goalinf.checks import PRNGKey, takes_key
from goalinf_models.catalogue import Variant
from goalinf_models.checks import check_behavior, check_variant

DEPTHS, SUBJECTS, BETA = (1, 2, 4, 8), (1, 1, 2, 4, 8), 6.0  # of whom each has this depth
VARIANTS = {"depths": Variant(gi.infer, ("agent.beta", "agent.depth"), "how far ahead do they plan?")}


@cache
def world() -> gi.World:
    """A grid of five by five."""
    return gi.open_grid(5, 5, moves=("up", "down", "left", "right"), blocked="unavailable", discount=1.0)


@cache
def layouts() -> dict[Any, gi.Reward]:
    """Five layouts of points that everybody sees."""
    points = np.random.default_rng(2022).uniform(-1.0, 1.0, size=(5, 25)).round(1)
    return {f"layout {i}": gi.StateReward(values, on="arrival") for i, values in enumerate(points)}


@takes_key
def example(key: PRNGKey, variant: str = "depths") -> gi.Trajectories:
    """Five subjects of known depth, each of whom walks twenty steps in every layout."""
    check_variant(variant, VARIANTS)
    walks = []
    for subject, (depth, own) in enumerate(zip(SUBJECTS, jax.random.split(key, len(SUBJECTS)), strict=True)):
        agent = gi.agents.lookahead(depth=depth, beta=BETA)
        seen = gi.simulate(own, world(), agent, layouts(), trajectories=1, steps=20, subject=f"p{subject}")
        walks.append(seen.to_frame())
    columns: dict[str, Any] = {"subject": "subject", "trajectory": ["subject", "context"], "step": "step"}
    table = pd.concat(walks, ignore_index=True)
    return gi.read_trajectories(table, world(), **columns, context="context", state=["row", "col"], action="action")


def model(
    data: gi.Trajectories,
    variant: str = "depths",
    *,
    where: gi.World | None = None,
    rewards: Mapping[Any, gi.Reward] | None = None,
) -> dict[str, Any]:
    """Keyword arguments for ``gi.infer``; ``where`` and ``rewards`` (by context of the data) are your own."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    check_behavior(data, place)
    return {
        "world": place,
        "agent": gi.agents.lookahead(depth=gi.one_of(DEPTHS, by="subject"), beta=dist.LogNormal(0.0, 1.0)),
        "reward": layouts() if rewards is None else rewards,
        "data": data,
    }
