"""MDP record: numeric, sparse, without a reward and without labels."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from goalinf.sizes import check_memory, check_world
from goalinf.types import Numbers, States

_HUB = 8  # ratio of predecessors to successors above which padded lists of predecessors cost too much


class MDP(eqx.Module):
    r"""Finite Markov decision process without a reward, in sparse form.

    :math:`P(t \mid s, a) = \sum_k \text{probabilities}[s,a,k]\,[\text{successors}[s,a,k] = t]`.

    Build it with :meth:`MDP.of`, which derives ``neighbors``, ``slots`` and ``origins``; users hold a
    :class:`~goalinf.World`, which adds the labels and checks the numbers.

    Parameters
    ----------
    successors : int (S, A, K)
        States that may follow; unused entries repeat any state with probability zero.
    probabilities : float (S, A, K)
        Their probabilities; each row sums to one.
    available : bool (S, A)
        Available actions. Every state has at least one, also a terminal state.
    terminal : bool (S,)
        States in which the episode has ended: no reward is collected and no action is chosen there.
    initial : float (S,)
        Distribution of the first state.
    discount : float
        Discount factor per step, in [0, 1].
    neighbors : int (U, S)
        Successors of each state over all its actions (unused entries are the state itself).
    slots : int (S, A, K)
        Position of each successor among the neighbors of its state.
    origins : int (I, S)
        Positions of each state in the flattened neighbors: a sum over predecessors becomes a gather. Unused entries
        are U·S, one beyond the end. Empty (I = 0) where some state has far more predecessors than successors.

    Examples
    --------
    Two states, one action that switches between them:

    >>> mdp = MDP.of([[[1]], [[0]]], [[[1.0]], [[1.0]]], [[True], [True]], [False, False], [1.0, 0.0], 0.9)
    >>> mdp.dense()[:, 0]
    array([[0., 1.],
           [1., 0.]])
    """

    successors: Int[Array | np.ndarray, "S A K"]
    probabilities: Float[Array | np.ndarray, "S A K"]
    available: Bool[Array | np.ndarray, "S A"]
    terminal: Bool[Array | np.ndarray, " S"]
    initial: Float[Array | np.ndarray, " S"]
    discount: Float[Array | np.ndarray, ""]
    neighbors: Int[Array | np.ndarray, "U S"]
    slots: Int[Array | np.ndarray, "S A K"]
    origins: Int[Array | np.ndarray, "I S"]

    @classmethod
    def of(
        cls,
        successors: Numbers,
        probabilities: Numbers,
        available: Numbers,
        terminal: States | None,
        initial: Numbers,
        discount: ArrayLike,
    ) -> MDP:
        """Assemble the record on the host and derive the neighbor lists.

        Rows of terminal states and of unavailable actions become self loops, so that every row is a distribution; in a
        terminal state without actions the first action becomes available, so that every row of a policy is a
        distribution, too. The order of successors in all other rows is kept.
        """
        if np.ndim(discount) or np.asarray(discount).dtype.kind not in "iuf":
            raise ValueError(f"discount is {discount!r}; expected a number in [0, 1]")
        successors = np.asarray(successors, np.int32)
        probabilities = np.asarray(probabilities, np.float64)
        available = np.array(available, bool)
        terminal = np.asarray(terminal, bool)
        n_states, n_actions, width = successors.shape
        check_world(n_states, n_actions, width)
        idle = (terminal[:, None] | ~available)[:, :, None]
        successors = np.where(idle, np.arange(n_states, dtype=np.int32)[:, None, None], successors)
        probabilities = np.where(idle, np.arange(width) == 0, probabilities)
        available[terminal & ~available.any(1), 0] = True
        # A successor that does not exist is refused by World, whose message has names.
        neighbors, slots = neighbor_lists(np.clip(successors, 0, n_states - 1), probabilities)
        in_use = np.zeros(neighbors.shape, bool)
        in_use[slots, np.arange(n_states)[:, None, None]] = True
        return cls(
            successors=successors,
            probabilities=probabilities,
            available=available,
            terminal=terminal,
            initial=np.asarray(initial, np.float64),
            discount=np.asarray(discount, np.float64),
            neighbors=neighbors,
            slots=slots,
            origins=origin_lists(neighbors, in_use),
        )

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return self.successors.shape[0]

    @property
    def n_actions(self) -> int:
        """Number of actions, A."""
        return self.successors.shape[1]

    def weights(self) -> Float[Array | np.ndarray, "A U S"]:
        """Return the probability of each neighbor under each action, ``(A, U, S)``, the layout of the planners."""
        width = self.neighbors.shape[0]
        if isinstance(self.probabilities, np.ndarray) and isinstance(self.slots, np.ndarray):
            return neighbor_weights(self.probabilities, self.slots, width)
        probabilities = jnp.asarray(self.probabilities)  # in the precision of the block
        hits = self.slots[None] == jnp.arange(width)[:, None, None, None]
        return jnp.einsum("sak,usak->aus", probabilities, hits.astype(probabilities.dtype))

    def dense(self) -> np.ndarray:
        """Return transition probabilities as a dense host array ``(S, A, S)``, for small worlds."""
        n_states, n_actions, width = self.successors.shape
        what = f"dense transition probabilities of {n_states:,} states and {n_actions:,} actions"
        check_memory(what, 8.0 * n_actions * n_states**2, "use successors and probabilities, which are sparse")
        dense = np.zeros((n_states, n_actions, n_states))
        rows, columns, _ = np.indices((n_states, n_actions, width))
        np.add.at(dense, (rows, columns, np.asarray(self.successors)), np.asarray(self.probabilities))
        return dense


def neighbor_weights(probabilities: np.ndarray, slots: np.ndarray, width: int) -> np.ndarray:
    """Compute :meth:`MDP.weights` on the host, so that compiled programs of a known world contain a constant."""
    n_states, n_actions, _ = slots.shape
    flat_index = (np.arange(n_actions)[:, None] * width + slots) * n_states + np.arange(n_states)[:, None, None]
    size = n_actions * width * n_states
    return np.bincount(flat_index.ravel(), probabilities.ravel(), size).reshape(n_actions, width, n_states)


def neighbor_lists(successors: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unique successors of every state, over all its actions, and the position of each among them."""
    n_states, n_actions, width = successors.shape
    flat = successors.reshape(n_states, -1)
    # An impossible successor is replaced by a possible one, so that it adds no neighbor.
    possible = probabilities.reshape(n_states, -1) > 0
    fallback = np.where(possible.any(1), flat[np.arange(n_states), possible.argmax(1)], np.arange(n_states))
    filled = np.where(possible, flat, fallback[:, None])
    order = np.argsort(filled, axis=1, kind="stable")
    ranked = np.take_along_axis(filled, order, axis=1)
    rank = np.cumsum(np.diff(ranked, axis=1, prepend=ranked[:, :1]) != 0, axis=1)
    slots = np.empty_like(rank)
    np.put_along_axis(slots, order, rank, axis=1)
    neighbors = np.tile(np.arange(n_states, dtype=np.int32), (int(rank.max()) + 1, 1))
    neighbors[slots, np.arange(n_states)[:, None]] = filled
    return neighbors, slots.reshape(n_states, n_actions, width).astype(np.int32)


def origin_lists(neighbors: np.ndarray, in_use: np.ndarray) -> np.ndarray:
    """Return the flat positions of each state among the neighbors ``(U, S)``, ``(I, S)``; see :class:`MDP`."""
    width, n_states = neighbors.shape
    flat_index = np.flatnonzero(in_use)
    targets = neighbors.ravel()[flat_index]
    order = np.argsort(targets, kind="stable")
    if not ((targets >= 0) & (targets < n_states)).all():
        return np.empty((0, n_states), np.int32)  # World raises the error
    counts = np.bincount(targets, minlength=n_states)
    if counts.max() > _HUB * width:
        return np.empty((0, n_states), np.int32)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    origins = np.full((counts.max(), n_states), width * n_states, np.int32)
    origins[rank, targets[order]] = flat_index[order]
    return origins
