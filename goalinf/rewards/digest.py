"""Hash of a reward, equal for equal values."""

from __future__ import annotations

import numpy as np

from goalinf.content_hash import content_hash
from goalinf.precision import computing_in
from goalinf.rewards.base import Reward, ended, pinned
from goalinf.rewards.several import Alternatives
from goalinf.worlds import MDP

_DIGITS = 9  # further digits of sums of features may differ between machines


def digest(reward: Reward, mdp: MDP) -> str:
    """Compute the hash of a known reward: values of possible transitions, ended states, and fixed values.

    Rewards of different classes with equal values have equal digests.

    Parameters
    ----------
    reward : Reward
        Reward without priors.
    mdp : MDP
        MDP of the reward.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> one = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> other = gi.LinearReward(hall.indicator("a")[:, None], [1.0], on="departure")
    >>> digest(one, hall.mdp) == digest(other, hall.mdp)
    True
    """
    if isinstance(reward, Alternatives):
        options = np.array([digest(option, mdp) for option in reward.options])
        return content_hash({"options": options, "weights": np.round(np.asarray(reward.weights, float), _DIGITS)})
    if reward.recorded:
        numbers = {name: np.asarray(getattr(reward, name), float) for name in reward.dims}
        return content_hash({name: np.asarray(np.round(number, _DIGITS)) for name, number in numbers.items()})
    with computing_in("float64"):
        values = np.broadcast_to(np.asarray(reward(mdp), float), np.shape(mdp.probabilities))
        ends, (fixed, value) = np.asarray(ended(reward, mdp)), pinned(reward, mdp)
    possible = np.asarray(mdp.available)[:, :, None] & (np.asarray(mdp.probabilities) > 0) & ~ends[:, None, None]
    rounded = np.round(np.where(possible, values, 0.0), _DIGITS)
    return content_hash(
        {"values": rounded, "ends": ends, "fixed": np.asarray(fixed), "value": np.asarray(value, float)}
    )
