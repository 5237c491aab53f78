"""Long-run frequencies of states with decisions."""

from __future__ import annotations

import numpy as np

from goalinf.behavior.conditions import Worlds
from goalinf.identify.local.jacobian import PolicyJacobian
from goalinf.worlds import World

_GOES_ON = 1.0 - 1e-9  # probability to continue; rare restarts make the stationary distribution unique


def long_run(world: Worlds, behavior: PolicyJacobian) -> np.ndarray:
    """Compute long-run shares of decisions by context and state ``(C, S)``, with equal weights of the worlds.

    An episode that ends is followed by a new one.

    Parameters
    ----------
    world : World or mapping from context to World
        Transitions and initial states.
    behavior : PolicyJacobian
        The policies, and the states with decisions.
    """
    worlds = tuple(world.values()) if not isinstance(world, World) else (world,)
    shares = np.zeros(behavior.rows.shape[:2])
    for row, context_world, policy, rows in zip(shares, worlds, behavior.policy, behavior.rows, strict=True):
        size = slice(context_world.n_states), slice(context_world.n_actions)  # worlds are padded to one shape
        row[: context_world.n_states] = _stationary(context_world, policy[size], rows[size])
    return shares / shares.sum()


def _stationary(world: World, policy: np.ndarray, rows: np.ndarray) -> np.ndarray:
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
