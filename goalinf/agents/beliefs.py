"""Beliefs: what the agent thinks is true of the world. A belief maps an MDP to the MDP that is planned in."""

from __future__ import annotations

import equinox as eqx

from goalinf.worlds import MDP


class TrueBeliefs(eqx.Module):
    """The agent knows the world."""

    def __call__(self, mdp: MDP) -> MDP:
        """The world itself."""
        return mdp
