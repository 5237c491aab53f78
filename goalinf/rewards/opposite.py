"""Negation of a reward."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from goalinf.rewards.base import Reward
from goalinf.rewards.shaped import ShapedReward
from goalinf.rewards.tables import LinearReward


def negated(reward: Reward) -> Reward:
    """Return the negation of a known reward, :math:`-R`.

    Raises
    ------
    ValueError
        Where the reward is neither a table nor a sum of features.
    """
    if isinstance(reward, ShapedReward):
        return ShapedReward(negated(reward.base), -np.asarray(reward.potential))
    name = "weights" if isinstance(reward, LinearReward) else "values"
    if name not in reward.dims:
        raise ValueError(
            f"a {type(reward).__name__} cannot be negated as a reward of its class; expected a table, or a LinearReward"
        )
    return eqx.tree_at(lambda r: getattr(r, name), reward, -np.asarray(getattr(reward, name), float))
