"""Random worlds."""

from __future__ import annotations

import numpy as np

from goalinf.checks import check_count, numpy_generator, takes_key
from goalinf.sizes import check_world
from goalinf.types import PRNGKey
from goalinf.worlds.builders.transition_arrays import from_arrays
from goalinf.worlds.world import World


@takes_key
def garnet(
    key: PRNGKey, *, states: int, actions: int, branching: int, discount: float | int, terminal: int = 0
) -> World:
    r"""Draw a random Garnet world, in which every state and action leads to a few states drawn at random.

    The ``branching`` different states that may follow are drawn uniformly; their probabilities are the lengths of the
    pieces into which ``branching`` − 1 uniform points cut the unit interval.

    Parameters
    ----------
    key : JAX random key
        Source of the draws, on the host in float64; equal keys give equal worlds.
    states, actions, branching : int
        S, A and the number of states that may follow each state and action.
    discount : float
        Discount factor per step, in [0, 1].
    terminal : int
        Number of terminal states (the last ones).

    Returns
    -------
    World
        Episodes start uniformly in states that are not terminal.

    Raises
    ------
    ValueError
        Where a number is out of range, or the memory of this machine cannot hold the world.

    References
    ----------
    Archibald, McKinnon & Thomas (1995), On the generation of Markov decision processes. *Journal of the
    Operational Research Society*, 46, 354-361. Terminal states are our addition.

    Examples
    --------
    >>> import jax
    >>> world = garnet(jax.random.key(0), states=20, actions=3, branching=2, discount=0.95)
    >>> world.mdp.successors.shape
    (20, 3, 2)
    """
    check_count("states", states)
    check_count("actions", actions)
    for name, value, low, high in (("branching", branching, 1, states), ("terminal", terminal, 0, states - 1)):
        check_count(name, value, low)
        if value > high:
            raise ValueError(f"{name} is {value}; expected {low} to {high}")
    check_world(states, actions, branching)
    rng = numpy_generator(key)
    rows = states * actions
    successors = np.sort(_distinct(rng, rows, states, branching), axis=1)
    cuts = np.sort(rng.random((rows, branching - 1)), axis=1)
    probabilities = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    return from_arrays(
        successors=successors.reshape(states, actions, branching),
        probabilities=probabilities.reshape(states, actions, branching),
        terminal=np.arange(states) >= states - terminal,
        discount=discount,
    )


def _distinct(rng: np.random.Generator, rows: int, states: int, branching: int) -> np.ndarray:
    """Draw ``branching`` different states uniformly in every row (Floyd's algorithm on all rows at once)."""
    sample = np.full((rows, branching), -1)
    for i in range(branching):
        largest = states - branching + i
        candidate = rng.integers(0, largest + 1, size=rows)
        repeated = (sample == candidate[:, None]).any(1)
        sample[:, i] = np.where(repeated, largest, candidate)
    return sample
