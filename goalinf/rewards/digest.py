"""A reward as a short text that is the same for the same values."""

from __future__ import annotations

import hashlib

import numpy as np

from goalinf.precision import computing_in
from goalinf.rewards.base import Reward, ended, pinned
from goalinf.rewards.several import Alternatives
from goalinf.worlds import MDP

_DIGITS = 9  # beyond which sums of features may differ from one machine to another


def digest(reward: Reward, mdp: MDP) -> str:
    """Hash of a known reward: its values wherever something can be collected, its ends and its fixed values.

    Rewards of different classes with equal values have equal digests.

    Parameters
    ----------
    reward : Reward
        Known, without priors.
    mdp : MDP
        The problem it belongs to.

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
    found = hashlib.blake2b(digest_size=16)
    if isinstance(reward, Alternatives):
        found.update("".join(digest(option, mdp) for option in reward.options).encode())
        found.update(np.round(np.asarray(reward.weights, float), _DIGITS).tobytes())
        return found.hexdigest()
    with computing_in("float64"):
        values = np.broadcast_to(np.asarray(reward(mdp), float), np.shape(mdp.probabilities))
        ends, (fixed, value) = np.asarray(ended(reward, mdp)), pinned(reward, mdp)
    possible = np.asarray(mdp.available)[:, :, None] & (np.asarray(mdp.probabilities) > 0) & ~ends[:, None, None]
    found.update(np.round(np.where(possible, values, 0.0), _DIGITS).tobytes() + ends.tobytes())
    found.update(np.asarray(fixed).tobytes() + np.asarray(value, float).tobytes())
    return found.hexdigest()
