"""Counts of equal state-action pairs: sufficient statistics of a stationary policy."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from goalinf.types import Numeric

# Counting in a table of all possible cells beats sorting while the table is not much longer than the data.
_TABLE_PER_CHOICE, _SMALL_TABLE = 4, 1 << 20
_FEW = 1024  # cells whose cost is negligible


class Cells(eqx.Module):
    """Unique (subject, context, state, action) of the choices, with counts.

    The log-likelihood of a stationary policy is one gather on these cells and a weighted sum, so its cost does
    not grow with the number of steps.

    Parameters
    ----------
    subject, context, state, action : int (C,)
        Numbers; sorted in this order where counted by :meth:`count`.
    weight : float (C,)
        Count.
    """

    subject: Int[Array | np.ndarray, " C"]
    context: Int[Array | np.ndarray, " C"]
    state: Int[Array | np.ndarray, " C"]
    action: Int[Array | np.ndarray, " C"]
    weight: Float[Array | np.ndarray, " C"]

    @classmethod
    def count(cls, states: Numeric, actions: Numeric, choices: Numeric, subject: Numeric, context: Numeric) -> Cells:
        """Count equal choices, on the host (arguments as in :class:`Trajectories`)."""
        sizes = [int(x.max(initial=-1)) + 1 for x in (subject, context, states, actions)]
        _, n_contexts, n_states, n_actions = sizes
        # One integer per action, so that equal actions are equal integers (64 bits are always enough: a data
        # set with more than 2^63 possible cells would not fit in memory).
        task = np.asarray(subject, np.int64) * n_contexts + context
        key = ((task[:, None] * n_states + states[:, :-1]) * n_actions + actions)[choices]
        if 0 < np.prod(sizes, dtype=float) <= _TABLE_PER_CHOICE * len(key) + _SMALL_TABLE:
            counts = np.bincount(key)
            unique = np.flatnonzero(counts)
            counts = counts[unique]
        else:
            unique, counts = np.unique(key, return_counts=True)
        quotient, action = np.divmod(unique, max(n_actions, 1))
        quotient, state = np.divmod(quotient, max(n_states, 1))
        subject, context = np.divmod(quotient, max(n_contexts, 1))
        return cls(
            subject=subject.astype(np.int32),
            context=context.astype(np.int32),
            state=state.astype(np.int32),
            action=action.astype(np.int32),
            weight=counts.astype(np.float64),
        )

    def padded(self, most: int) -> Cells:
        """Add cells of weight zero, so that data of one size share compiled programs.

        The new length is a power of two: the next one above ``most``, the largest number of cells that data of this
        size can have, where ``most`` is small; the next one above the number of cells otherwise.
        """
        size = most if len(self.weight) <= most <= _FEW else max(_FEW, len(self.weight))
        more = (1 << max(0, size - 1).bit_length()) - len(self.weight)
        return jax.tree.map(lambda x: np.pad(np.asarray(x), (0, more)), self)

    @classmethod
    def each(cls, states: Numeric, actions: Numeric, choices: Numeric, subject: Numeric, context: Numeric) -> Cells:
        """Make one cell per step, uncounted, for arrays that are being traced; weight zero where nothing was chosen."""
        spread = lambda x: jnp.broadcast_to(x[:, None], actions.shape).ravel()  # noqa: E731
        return cls(
            subject=spread(subject),
            context=spread(context),
            state=jnp.maximum(states[:, :-1], 0).ravel(),
            action=jnp.maximum(actions, 0).ravel(),
            weight=choices.ravel().astype(float),
        )
