r"""Controllability deficit: features that no action influences, in one step and within a finite horizon.

Stack the differences between the transition rows of the actions of each state,
:math:`D = [P(\cdot \mid s,a) - P(\cdot \mid s,a_1)]`. For a feature :math:`v` with :math:`Dv = 0`, the expectation
one step ahead does not depend on the action; a policy does not identify rewards built from such features.
"""

from __future__ import annotations

import numpy as np

from goalinf.checks import check_kind
from goalinf.identify.linear_algebra import kernel
from goalinf.worlds import MDP, World

_TOLERANCE = 1e-9  # probabilities are of order one


def controllability_deficit(world: World, *, horizon: int | None = None) -> int:
    r"""Count independent features of the next state that no action influences, :math:`\kappa = S - \mathrm{rank}\,D`.

    It is the dimension of the null space of a state reward that is collected on arrival, with every state visited and
    beta and the discount known; without terminal states, and with a discount above zero, also of a state reward that is
    collected on departure. (With terminal states, such features must be zero in terminal states to count for departure
    rewards: even the constant is identified, as the agent can end the episode.)

    With a finite horizon H it is the dimension of the null space of a time-invariant reward r(s, a) under the policies
    of all H steps together: rewards g(s) of being in a state that no action influences at any lag, the null space of an
    observability matrix,

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
        If the horizon is not a number of steps.

    References
    ----------
    For deterministic worlds :math:`\kappa = 1` is the condition of decomposability of Fu, Luo and Levine (2018);
    compare :func:`~goalinf.identify.co_successor_components`. The period: Kim, Garg, Shiragur and Ermon (2021).

    Examples
    --------
    A ring with moves to both neighbors and an even number of states has two classes, the colors of a checkerboard:

    >>> import networkx as nx, goalinf as gi
    >>> [controllability_deficit(gi.graph_world(nx.cycle_graph(n), discount=0.9)) for n in (3, 4, 5, 6)]
    [1, 2, 1, 2]

    In a triangle with one decision, 0 → 1 → 2 → 0 or 1, longer horizons identify more directions:

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
    transitions = world.mdp.dense()[np.arange(world.n_states), world.mdp.available.argmax(1)][np.ix_(live, live)]
    hidden = np.eye(int(live.sum()))
    observed = differences[:, live]
    for _ in range(horizon - 1):
        # Unidentified for one further step: not identified now, and not by the next state.
        unobserved = hidden @ kernel(observed @ hidden, _TOLERANCE).basis.T
        if unobserved.shape[1] == hidden.shape[1]:
            break
        hidden, observed = unobserved, transitions - unobserved @ (unobserved.T @ transitions)
    return hidden.shape[1]


def action_differences(mdp: MDP) -> np.ndarray:
    """Compute D: transition rows of available actions minus the first one, in nonterminal states, ``(R, S)``."""
    dense = mdp.dense()
    possible = mdp.available & ~mdp.terminal[:, None]
    reference = dense[np.arange(mdp.n_states), possible.argmax(1)]
    return (dense - reference[:, None])[possible]
