r"""What a choice can influence: the controllability deficit, for one step and for the steps of a finite horizon.

Stack the differences between the transition rows of the actions of each state,
:math:`D = [P(\cdot \mid s,a) - P(\cdot \mid s,a_1)]`. A feature :math:`v` with :math:`Dv = 0` has an expectation, one
step ahead, that no choice changes; the rewards built from such features are those that a policy cannot show.
"""

from __future__ import annotations

import numpy as np

from goalinf.checks import check_kind
from goalinf.identify.linear_algebra import kernel
from goalinf.worlds import MDP, World

_TOLERANCE = 1e-9  # probabilities are of order one


def controllability_deficit(world: World, *, horizon: int | None = None) -> int:
    r"""How many independent features of the next state no choice influences, :math:`\kappa = S - \mathrm{rank}\,D`.

    It is the dimension of what behavior cannot show of a state reward that is collected on arrival, with every state
    visited and beta and the discount known; without terminal states, and with a discount above zero, also of one
    that is collected on departure. (Where episodes end, such features must be zero on terminal states to count for
    departure rewards: even the constant shows, for ending is an alternative to going on.)

    With a finite horizon H it is what the policies of all H steps together hide of a reward r(s, a) that stays the
    same: rewards g(s) of being in a state that no choice influences at any lag, an observability matrix,

    .. math:: \kappa_H = S - \mathrm{rank}\,[D;\ D P_1;\ \dots;\ D P_1^{H-2}],\qquad \kappa_1 = S.

    Parameters
    ----------
    world : World
        The world; differences are taken between available actions of states that are not terminal. With a horizon,
        features are those of such states.
    horizon : int, optional
        H, at least 1. In a strongly connected deterministic world :math:`\kappa_H` falls to the period of the graph.

    Returns
    -------
    int
        At least 1 without terminal states: the constant.

    Raises
    ------
    ValueError
        Where the horizon is not a number of steps.

    References
    ----------
    For deterministic worlds :math:`\kappa = 1` is the condition of decomposability of Fu, Luo and Levine (2018);
    compare :func:`~goalinf.identify.co_successor_components`. The period: Kim, Garg, Shiragur and Ermon (2021).

    Examples
    --------
    On a ring with moves to both sides only, an even number of states splits in two like a checkerboard:

    >>> import networkx as nx, goalinf as gi
    >>> [controllability_deficit(gi.graph_world(nx.cycle_graph(n), discount=0.9)) for n in (3, 4, 5, 6)]
    [1, 2, 1, 2]

    A triangle with one choice, 0 → 1 → 2 → 0 or 1: what one step hides, two and three show.

    >>> import numpy as np
    >>> triangle = gi.from_arrays(successors=np.array([[1, 1], [2, 2], [0, 1]])[:, :, None], discount=0.9,
    ...                           probabilities=np.ones((3, 2, 1)))
    >>> [controllability_deficit(triangle, horizon=h) for h in (1, 2, 3, 4)]
    [3, 2, 1, 1]
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    differences = action_differences(world.mdp)
    if horizon is None:
        return kernel(differences, _TOLERANCE).dimension
    if not isinstance(horizon, (int, np.integer)) or isinstance(horizon, bool) or horizon < 1:
        raise ValueError(f"horizon is {horizon!r}; expected a number of steps, at least 1")
    live = np.asarray(~world.mdp.terminal)
    onward = world.mdp.dense()[np.arange(world.n_states), world.mdp.available.argmax(1)][np.ix_(live, live)]
    hidden = np.eye(int(live.sum()))
    seen = differences[:, live]
    for _ in range(horizon - 1):
        # Hidden for one step more: what is not seen now, and of which the next state shows nothing either.
        left = hidden @ kernel(seen @ hidden, _TOLERANCE).basis.T
        if left.shape[1] == hidden.shape[1]:
            break
        hidden, seen = left, onward - left @ (left.T @ onward)
    return hidden.shape[1]


def action_differences(mdp: MDP) -> np.ndarray:
    """D: rows of available actions minus that of the first one, in states that are not terminal, ``(R, S)``."""
    dense = mdp.dense()
    can = mdp.available & ~mdp.terminal[:, None]
    first = dense[np.arange(mdp.n_states), can.argmax(1)]
    return (dense - first[:, None])[can]
