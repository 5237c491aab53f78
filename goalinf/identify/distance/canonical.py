r"""Canonical rewards: one representative of all rewards with the same order of policies.

Rewards that differ by potential shaping, :math:`W\Phi` with :math:`W = E - \gamma P` and :math:`\Phi` zero in terminal
states, have the same order of policies, as do rewards of transitions with the same expectation. A canonical reward
depends on neither. The reward of smallest norm of the class is

.. math:: c = r - W W^{+} r

and the advantage of a fixed policy, :math:`c = r + \gamma P V^\pi - E V^\pi`, is another.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as splinalg

from goalinf.errors import ConvergenceError
from goalinf.identify.policy_evaluation import expected_rewards, shapings, values_of
from goalinf.rewards import Reward
from goalinf.worlds import World

TRIVIAL = 1e-10  # ratio of norms, canonical to original, below which a canonical reward is rounding
_DENSE_STATES = 300  # up to this size a dense least squares solution is faster than iteration


def canonical(world: World, reward: Reward) -> np.ndarray:
    """Compute the reward r(s, a) of smallest norm that differs from a reward by potential shaping only.

    Parameters
    ----------
    world : World
        Transitions and discount.
    reward : Reward
        A known reward.

    Returns
    -------
    float (R,)
        One entry per available action of each state that is not terminal, state by state.

    Raises
    ------
    ValueError, ConvergenceError
        As :func:`starc`.
    """
    expected, rows, _ = expected_rewards(world, reward)
    return canonical_rewards(world, rows, expected[None])[0]


def canonical_rewards(world: World, rows: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Compute :func:`canonical` for many expected rewards ``(K, R)`` of the actions ``rows (S, A)`` at once."""
    shaping = shapings(world, rows)[:, rows.any(axis=1)]
    return expected - (shaping @ _least_squares(shaping, expected.T)).T


def value_adjusted(world: World, reward: Reward) -> np.ndarray:
    r"""Compute the advantage of the uniform policy, :math:`r + \gamma P V - E V` with V its values.

    Parameters
    ----------
    world : World
        Transitions and discount.
    reward : Reward
        A known reward.

    Returns
    -------
    float (R,)
        As of :func:`canonical`.

    Raises
    ------
    ValueError
        As :func:`starc`; or if an undiscounted episode under the uniform policy need not end.
    """
    expected, rows, live = expected_rewards(world, reward)
    uniform = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    return expected - shapings(world, rows)[:, live] @ values_of(world, uniform, rows, expected)


def _least_squares(matrix: sparse.csr_array, targets: np.ndarray) -> np.ndarray:
    if matrix.shape[1] <= _DENSE_STATES:
        return np.linalg.lstsq(matrix.toarray(), targets, rcond=None)[0]
    return np.stack([_iterated(matrix, column) for column in targets.T], axis=1)


def _iterated(matrix: sparse.csr_array, target: np.ndarray) -> np.ndarray:
    solution, reason, *_ = splinalg.lsqr(
        matrix, target, atol=1e-13, btol=1e-13, conlim=0, iter_lim=50 * matrix.shape[1]
    )
    if reason == 7:
        raise ConvergenceError(
            f"the least squares problem of the canonical reward was not solved in {50 * matrix.shape[1]} steps: "
            "the discount is too close to 1 for a world of this size; use a smaller one"
        )
    return solution
