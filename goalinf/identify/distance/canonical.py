r"""One reward for all that order policies alike: canonical forms.

Rewards that differ by potential shaping, :math:`W\Phi` with :math:`W = E - \gamma P` and :math:`\Phi` zero where the
episode has ended, order all policies alike, and so do rewards of transitions with the same expectation. A canonical
form depends on neither. The smallest reward of the class is

.. math:: c = r - W W^{+} r

and the advantage of a fixed policy, :math:`c = r + \gamma P V^\pi - E V^\pi`, is another.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as splinalg

from goalinf.errors import ConvergenceError
from goalinf.identify.income import income_of, shapings
from goalinf.rewards import Reward
from goalinf.worlds import World, label

_DENSE_STATES = 300  # up to here a dense least squares solution is faster than iterating


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
    income, rows, live = income_of(world, reward)
    shaping = shapings(world, rows)[:, live]
    return income - shaping @ _least_squares(shaping, income)


def levelled(world: World, reward: Reward) -> np.ndarray:
    r"""The advantage of the uniform policy, :math:`r + \gamma P V - E V` with V its values, on the same choices.

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
        As :func:`starc`; or where an undiscounted episode under the uniform policy need not end.
    """
    income, rows, live = income_of(world, reward)
    shaping = shapings(world, rows)[:, live]
    of = np.nonzero(rows)[0]
    average = sparse.csr_array((1.0 / rows.sum(1)[of], (of, np.arange(len(of)))), shape=(len(rows), len(of)))[live]
    if float(world.mdp.discount) == 1.0 and not world.can_reach(~live).all():
        stuck = label(world.states[int(np.flatnonzero(~world.can_reach(~live))[0])])
        raise ValueError(
            f"with discount 1 episodes cannot end from state {stuck}, so that no policy has values there: use the "
            "minimal canonicalization, or a discount below 1"
        )
    # The mean over the choices of each state of W V = r - c, where the mean of an advantage is zero.
    values = splinalg.spsolve((average @ shaping).tocsc(), average @ income)
    return income - shaping @ values


def _least_squares(matrix: sparse.csr_array, right: np.ndarray) -> np.ndarray:
    if matrix.shape[1] <= _DENSE_STATES:
        return np.linalg.lstsq(matrix.toarray(), right, rcond=None)[0]
    found, reason, *_ = splinalg.lsqr(matrix, right, atol=1e-13, btol=1e-13, conlim=0, iter_lim=50 * matrix.shape[1])
    if reason == 7:
        raise ConvergenceError(
            f"the least squares problem of the canonical reward was not solved in {50 * matrix.shape[1]} steps: "
            "the discount is too close to 1 for a world of this size; use a smaller one"
        )
    return found
