"""Depth-limited lookahead with a planning depth for each subject.

Story
-----
Several subjects collect points on grids with visible points. Each has a lookahead of a fixed number of steps, planned
again at every step, with zero value beyond it; all share one inverse temperature. The depths are marginalized exactly,
and the posterior probabilities of the depths are reported for each subject.

Sites
-----
``agent.beta`` ~ LogNormal(0, 1), in 1/utility, shared by all; ``agent.depth`` ∈ {1, 2, 4, 8} for each subject,
uniform (``fit.responsibilities`` has the probabilities). Rewards are known and collected on arrival, in hundreds of
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
from goalinf.checks import takes_key
from goalinf.types import PRNGKey
from goalinf_models.catalogue import Variant
from goalinf_models.checks import check_behavior, check_variant

DEPTHS, SUBJECTS, BETA = (1, 2, 4, 8), (1, 1, 2, 4, 8), 6.0  # the depth of each subject
VARIANTS = {"depths": Variant(gi.infer, ("agent.beta", "agent.depth"), "what is the planning depth?")}


@cache
def world() -> gi.World:
    """Make a grid of five by five cells."""
    return gi.open_grid(5, 5, moves=("up", "down", "left", "right"), blocked="unavailable", discount=1.0)


@cache
def layouts() -> dict[str, gi.Reward]:
    """Make five layouts of points."""
    points = np.random.default_rng(2022).uniform(-1.0, 1.0, size=(5, 25)).round(1)
    return {f"layout {i}": gi.StateReward(values, on="arrival") for i, values in enumerate(points)}


@takes_key
def example(key: PRNGKey, variant: str = "depths") -> gi.Trajectories:
    """Simulate five subjects of known depth, with twenty steps in every layout."""
    check_variant(variant, VARIANTS)
    frames = []
    for subject, (depth, subject_key) in enumerate(zip(SUBJECTS, jax.random.split(key, len(SUBJECTS)), strict=True)):
        agent = gi.agents.lookahead(depth=depth, beta=BETA)
        seen = gi.simulate(subject_key, world(), agent, layouts(), trajectories=1, steps=20, subject=f"p{subject}")
        frames.append(seen.to_frame())
    columns: dict[str, Any] = {"subject": "subject", "trajectory": ["subject", "context"], "step": "step"}
    table = pd.concat(frames, ignore_index=True)
    return gi.read_trajectories(table, world(), **columns, context="context", state=["row", "col"], action="action")


def model(
    data: gi.Trajectories,
    variant: str = "depths",
    *,
    where: gi.World | None = None,
    rewards: Mapping[Any, gi.Reward] | None = None,
) -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``, also of a custom world and custom rewards by context of the data."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    check_behavior(data, place)
    return {
        "world": place,
        "agent": gi.agents.lookahead(depth=gi.one_of(DEPTHS, by="subject"), beta=dist.LogNormal(0.0, 1.0)),
        "reward": layouts() if rewards is None else rewards,
        "data": data,
    }
