"""How often choices are made in each state, in the long run."""

from __future__ import annotations

import numpy as np

from goalinf.behavior.conditions import Worlds
from goalinf.identify.local.jacobian import Jacobian
from goalinf.worlds import World

_GOES_ON = 1.0 - 1e-9  # a walk is taken up again from the start once in so many steps: the long run, made unique


def long_run(world: Worlds, behavior: Jacobian) -> np.ndarray:
    """Shares of the choices by context and state ``(C, S)``, where episodes begin anew when they end; all worlds alike.

    Parameters
    ----------
    world : World or mapping from context to World
        Transitions and starts.
    behavior : Jacobian
        The policies, and where choices are made.
    """
    worlds = tuple(world.values()) if not isinstance(world, World) else (world,)
    shares = np.zeros(behavior.rows.shape[:2])
    for row, one, policy, rows in zip(shares, worlds, behavior.policy, behavior.rows, strict=True):
        here = slice(one.n_states), slice(one.n_actions)  # worlds are padded to one shape
        row[: one.n_states] = _one(one, policy[here], rows[here])
    return shares / shares.sum()


def _one(world: World, policy: np.ndarray, rows: np.ndarray) -> np.ndarray:
    mdp, live = world.mdp, rows.any(1)
    moves = np.einsum("sa,sat->st", np.where(rows, policy, 0.0), mdp.dense())
    start = np.where(live, mdp.initial, 0.0)
    if not start.any():
        return start
    start = start / start.sum()
    moves[:, live] += np.outer(moves[:, ~live].sum(1), start[live])
    moves[:, ~live] = 0.0
    matrix = np.eye(len(moves)) - _GOES_ON * moves.T
    return np.maximum(np.linalg.solve(matrix, (1.0 - _GOES_ON) * start), 0.0)
