"""Potential shaping."""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Bool, Float

from goalinf.precision import namespace
from goalinf.rewards.base import Reward, check_reward, ended, leaf, pinned
from goalinf.types import Numbers
from goalinf.worlds import MDP


class ShapedReward(Reward):
    r"""Reward with potential shaping, :math:`R(s,a,t) + \gamma\,\Phi(t) - \Phi(s)` (Ng, Harada and Russell 1999).

    The potential is set to zero in states with a fixed value (ended states and dead ends), so that shaping changes no
    soft-optimal or Boltzmann policy of the same discount.

    Parameters
    ----------
    base : Reward
        Reward without shaping.
    potential : float (S,)
        :math:`\Phi`, in utility.

    Raises
    ------
    ValueError
        Where the base is recorded with the data.
    """

    base: Reward
    potential: Float[Array | np.ndarray, " S"]

    def __init__(self, base: Reward, potential: Numbers):
        check_reward("base", base)
        if base.recorded:
            raise ValueError(
                "base is recorded with the data (gi.RecordedReward), and potential shaping is for rewards of the "
                "world: give such a reward, or the recorded one without shaping"
            )
        self.base = base
        self.potential = leaf(potential, "potential")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return rewards ``(S, A, K)``."""
        fixed = ended(self.base, mdp) | pinned(self.base, mdp)[0]
        phi = namespace(fixed, self.potential, mdp.successors).where(fixed, 0.0, self.potential)
        return self.base(mdp) + mdp.discount * phi[mdp.successors] - phi[:, None, None]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: ``potential`` has one entry per state."""
        return {"potential": ("state",)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Empty: a prior belongs to the base."""
        return ()

    @property
    def unshaped(self) -> Reward:
        """Unshaped reward of the base."""
        return self.base.unshaped

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """Return the states in which the episode ends under the base."""
        return ended(self.base, mdp)

    def pinned(self, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
        """Return the states with a value that the base fixes, and that value."""
        return pinned(self.base, mdp)
