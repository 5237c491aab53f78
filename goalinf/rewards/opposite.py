"""Negation of a reward."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from goalinf.rewards.base import Reward, check_linear
from goalinf.rewards.shaped import ShapedReward


def negated(reward: Reward) -> Reward:
    """Return the negation of a known reward, :math:`-R`.

    Raises
    ------
    ValueError
        Where the reward is not known to be linear in its parameters.
    """
    if isinstance(reward, ShapedReward):
        return ShapedReward(negated(reward.base), -np.asarray(reward.potential))
    check_linear("negation", reward)
    opposites = [-np.asarray(getattr(reward, name), float) for name in reward.parameters]
    return eqx.tree_at(lambda r: [getattr(r, name) for name in r.parameters], reward, opposites)
