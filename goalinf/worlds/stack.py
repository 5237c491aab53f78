"""Padding of MDPs to a common shape, and stacking along a leading axis."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np

from goalinf.worlds.mdp import MDP


def bucket(n: int) -> int:
    """Return the smallest power of two that is at least n, so that similar worlds share a compiled program.

    Raises
    ------
    ValueError
        Where n is below 1.

    Examples
    --------
    >>> bucket(1), bucket(5), bucket(64)
    (1, 8, 64)
    """
    if n < 1:
        raise ValueError(f"n is {n}; expected 1 or more")
    return 1 << (n - 1).bit_length()


def pad(
    mdp: MDP,
    *,
    states: int | None = None,
    actions: int | None = None,
    width: int | None = None,
    neighbors: int | None = None,
) -> MDP:
    """Pad an MDP to larger arrays; added states cannot be reached, and added actions are not available.

    Parameters
    ----------
    mdp : MDP
        The MDP.
    states, actions, width, neighbors : int, optional
        Sizes S, A, K and U after padding; default: unchanged (U: the smallest possible). Added states are terminal and
        never initial, with their first action available; added actions are unavailable; both are self loops.
        Added successors repeat the first one with probability zero; added neighbors are the state itself.

    Returns
    -------
    MDP
        States, actions and successors of ``mdp`` keep their numbers.

    Raises
    ------
    ValueError
        Where a size is smaller than needed.

    Examples
    --------
    >>> from goalinf.worlds import gridworld
    >>> padded = pad(gridworld("s.a", discount=0.9).mdp, states=4, neighbors=8)
    >>> padded.terminal, padded.neighbors.shape
    (array([False, False, False,  True]), (8, 4))
    """
    shape = np.shape(mdp.successors)
    sizes = [size if larger is None else larger for size, larger in zip(shape, (states, actions, width), strict=True)]
    for name, size, larger in zip(("states", "actions", "width"), shape, sizes, strict=True):
        if larger < size:
            raise ValueError(f"{name} is {larger}; expected at least {size}, the size of the MDP")
    padding = [(0, larger - size) for size, larger in zip(shape, sizes, strict=True)]
    by_action, by_state = padding[:2], padding[:1]
    padded = MDP.of(
        # MDP.of converts rows of added states and actions to self loops.
        successors=np.pad(np.pad(mdp.successors, [(0, 0), (0, 0), padding[2]], mode="edge"), [*by_action, (0, 0)]),
        probabilities=np.pad(mdp.probabilities, padding),
        available=np.pad(mdp.available, by_action),
        terminal=np.pad(mdp.terminal, by_state, constant_values=True),
        initial=np.pad(mdp.initial, by_state),
        discount=mdp.discount,
    )
    if neighbors is None:
        return padded
    required = padded.neighbors.shape[0]
    if neighbors < required:
        raise ValueError(f"neighbors is {neighbors}; expected at least {required}, the size of the MDP")
    self_loops = np.tile(np.arange(sizes[0], dtype=np.int32), (neighbors - required, 1))
    # Unused entries of the origins now refer to one of the added neighbors, whose weight is zero as well.
    return eqx.tree_at(lambda m: m.neighbors, padded, np.concatenate([padded.neighbors, self_loops]))


def pad_origins(mdp: MDP, length: int) -> MDP:
    """Pad the lists of predecessors to this length; a length of zero makes them empty."""
    unused = np.full((max(length - len(mdp.origins), 0), mdp.n_states), mdp.neighbors.size, np.int32)
    return eqx.tree_at(lambda m: m.origins, mdp, np.concatenate([mdp.origins, unused])[:length])


def stack(mdps: Sequence[MDP]) -> MDP:
    """Stack MDPs with a leading axis on every array, padded to the largest sizes among them.

    Parameters
    ----------
    mdps : sequence of MDP
        At least one.

    Returns
    -------
    MDP
        Every leaf has one more axis; use it inside ``jax.vmap``. (Its properties, such as ``n_states``, hold only
        there.)

    Raises
    ------
    ValueError
        Where there is none.

    Examples
    --------
    >>> from goalinf.worlds import open_grid
    >>> both = stack([open_grid(1, 2, discount=0.9).mdp, open_grid(1, 3, discount=0.5).mdp])
    >>> both.available.shape, both.discount
    ((2, 3, 4), array([0.9, 0.5]))
    """
    if not len(mdps):
        raise ValueError("there is nothing to stack; expected at least one MDP")
    states, actions, width = np.max([np.shape(mdp.successors) for mdp in mdps], axis=0).tolist()
    padded = [pad(mdp, states=states, actions=actions, width=width) for mdp in mdps]
    neighbors = max(mdp.neighbors.shape[0] for mdp in padded)
    padded = [pad(mdp, neighbors=neighbors) for mdp in padded]
    lengths = [len(mdp.origins) for mdp in padded]
    padded = [pad_origins(mdp, max(lengths) if min(lengths) else 0) for mdp in padded]
    # Without the constructor, whose annotations have no leading axis.
    return jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
