r"""Distance between rewards: STARC with the minimal L2 canonicalization.

Two rewards that differ by potential shaping or by a positive factor order all policies alike. The distance takes both
away. Canonical is the smallest reward of the class,

.. math:: c = r - W W^{+} r,\qquad W = E - \gamma P,

on state-action pairs that can occur (:math:`W\Phi` runs through the shapings with potential :math:`\Phi`, zero where
the episode has ended). Canonical rewards are brought to length one; the distance is half the distance between them.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr

from goalinf.agents.agent import check_known
from goalinf.agents.checks import check_shapes
from goalinf.checks import check_kind
from goalinf.errors import ConvergenceError
from goalinf.precision import cast, computing_in
from goalinf.rewards import Reward, ended
from goalinf.worlds import World

_DENSE_STATES = 300  # up to here a dense least squares solution is faster than iterating
_TRIVIAL = 1e-8  # a canonical reward this much shorter than the reward itself is rounding


def starc(world: World, reward1: Reward, reward2: Reward) -> float:
    r"""STARC distance between two rewards in a world, in [0, 1].

    0: they order all policies alike; 1: they order them oppositely. A trivial reward, under which all policies are
    worth the same (constants, shapings), has no direction: its distance to another trivial one is 0, to any other
    reward 1/2.

    .. math:: d = \tfrac12 \left\| \frac{c_1}{\|c_1\|} - \frac{c_2}{\|c_2\|} \right\|_2,
        \qquad c_i = r_i - W W^{+} r_i

    Parameters
    ----------
    world : World
        Where they are compared: its transitions and discount; all available choices count alike.
    reward1, reward2 : Reward
        Known rewards. Rewards of transitions enter by their expectation.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where a reward is still a prior, does not fit the world, or the two end the episode in different states.
    ConvergenceError
        Where the least squares problem of a large world was not solved.

    References
    ----------
    Skalse, Farnik, Motwani, Jenner, Gleave and Abate (2024), "STARC: a general framework for quantifying differences
    between reward functions", minimal canonicalization.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> same = gi.Shaped(wants, [0.0, 3.0, -1.0, 2.0])
    >>> opposite = gi.StateReward(-wants.values, on="departure")
    >>> [round(starc(hall, wants, other), 6) for other in (same, opposite, gi.StateReward.zero(hall))]
    [0.0, 1.0, 0.5]
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    for name, reward in (("reward1", reward1), ("reward2", reward2)):
        check_kind(name, reward, Reward, "a reward, such as gi.StateReward")
    one, two = (_unit(canonical(world, reward), _income(world, reward)[0]) for reward in (reward1, reward2))
    if one.shape != two.shape or not np.array_equal(_over(world, reward1), _over(world, reward2)):
        raise ValueError(
            "the two rewards end the episode in different states (as goals do), so they belong to different problems: "
            "compare rewards that end it in the same ones"
        )
    return min(float(np.linalg.norm(one - two)) / 2, 1.0)


def canonical(world: World, reward: Reward) -> np.ndarray:
    """The shortest reward r(s, a) that differs from this one by potential shaping only, on the choices that can occur.

    Parameters
    ----------
    world : World
        Transitions and discount.
    reward : Reward
        A known reward.

    Returns
    -------
    float (R,)
        One entry per available action of a state that has not ended, state by state.

    Raises
    ------
    ValueError, ConvergenceError
        As :func:`starc`.
    """
    income, rows, live = _income(world, reward)
    shaping = shapings(world, rows)[:, live]
    return income - shaping @ _least_squares(shaping, income)


def shapings(world: World, rows: np.ndarray) -> sparse.csr_array:
    r"""W = E - gamma P on some choices, ``(R, S)``.

    Parameters
    ----------
    world : World
        Transitions and discount.
    rows : bool (S, A)
        Which choices.
    """
    mdp = world.mdp
    s, a = np.nonzero(rows)
    width = mdp.successors.shape[2]
    number = np.arange(len(s))
    stays = sparse.csr_array((np.ones(len(s)), (number, s)), shape=(len(s), mdp.n_states))
    moves = sparse.csr_array(
        (mdp.probabilities[s, a].ravel(), (np.repeat(number, width), mdp.successors[s, a].ravel())), shape=stays.shape
    )
    return sparse.csr_array(stays - float(mdp.discount) * moves)


def _income(world: World, reward: Reward) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected reward of every choice that can occur, which choices these are, and in which states one is made."""
    check_known(reward)
    check_shapes(reward, world)
    mdp = world.mdp
    live = ~_over(world, reward)
    rows = np.asarray(mdp.available & live[:, None])
    with computing_in("float64"):
        values = np.broadcast_to(np.asarray(reward(cast(mdp))), mdp.probabilities.shape)
    return np.sum(mdp.probabilities * values, axis=2)[rows], rows, live


def _over(world: World, reward: Reward) -> np.ndarray:
    with computing_in("float64"):
        return np.asarray(ended(reward, cast(world.mdp)))


def _least_squares(matrix: sparse.csr_array, right: np.ndarray) -> np.ndarray:
    if matrix.shape[1] <= _DENSE_STATES:
        return np.linalg.lstsq(matrix.toarray(), right, rcond=None)[0]
    found, reason, *_ = lsqr(matrix, right, atol=1e-13, btol=1e-13, conlim=0, iter_lim=50 * matrix.shape[1])
    if reason == 7:
        raise ConvergenceError(
            f"the least squares problem of the canonical reward was not solved in {50 * matrix.shape[1]} steps: "
            "the discount is too close to 1 for a world of this size; use a smaller one"
        )
    return found


def _unit(vector: np.ndarray, original: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > _TRIVIAL * np.linalg.norm(original) else np.zeros_like(vector)
