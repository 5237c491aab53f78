"""Policy: what comes out of an agent."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float

from goalinf.agents.hidden.modes import Modes


class Policy(eqx.Module):
    """What an agent does, everywhere; several policies have a leading axis.

    Parameters
    ----------
    log_probs : float (S, A), (T, S, A), (M, S, A) or (M, T, S, A)
        Log-probability of each action, −inf where unavailable; in each latent mode where the agent has such, and
        time-indexed with a finite horizon. In a goal state it is the stationary policy of an agent that values being
        there by zero; in a terminal state of the world nothing is chosen.
    values : float (S,), (T, S), (M, S) or (M, T, S)
        beta times the value that the planner assigns to a state.
    ended : bool (S,)
        States in which a simulated episode ends: terminal states of the world, and goal states.
    residual : float
        Relative residual of the planner's fixed point.
    modes : Modes, optional
        How the latent mode begins and moves.
    history : optional
        How what happened bends the log-probabilities; see :mod:`goalinf.agents.memory.habits`.
    """

    log_probs: Float[Array | np.ndarray, "*M S A"]
    values: Float[Array | np.ndarray, "*M S"]
    ended: Bool[Array | np.ndarray, "*G S"]
    residual: Float[Array | np.ndarray, "*G"]
    modes: Modes | None = None
    history: Any = None

    @property
    def simple(self) -> bool:
        """Whether what is done depends on nothing but the state and the time."""
        return self.modes is None and self.history is None
