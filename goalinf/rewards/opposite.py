"""The opposite of a reward."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from goalinf.rewards.base import Reward
from goalinf.rewards.shaped import ShapedReward
from goalinf.rewards.tables import LinearReward


def negated(reward: Reward) -> Reward:
    """The opposite of a known reward, :math:`-R`.

    Raises
    ------
    ValueError
        Where its values are no table and no sum of features.
    """
    if isinstance(reward, ShapedReward):
        return ShapedReward(negated(reward.base), -np.asarray(reward.potential))
    name = "weights" if isinstance(reward, LinearReward) else "values"
    if name not in reward.dims:
        raise ValueError(
            f"a {type(reward).__name__} has no opposite of its kind; expected a table of rewards, or features"
        )
    return eqx.tree_at(lambda one: getattr(one, name), reward, -np.asarray(getattr(reward, name), float))
