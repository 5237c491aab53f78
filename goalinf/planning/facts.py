"""Facts about a part of an agent: statements about the policies of all agents that have it."""

from __future__ import annotations

import dataclasses
from typing import Literal

Invariance = Literal["constant", "potential", "redistribution"]
INVARIANCES: tuple[Invariance, ...] = ("constant", "potential", "redistribution")


@dataclasses.dataclass(frozen=True)
class Facts:
    r"""Properties of a part. None: unknown; no warning and no shortcut rests on it.

    Parameters
    ----------
    breaks : tuple of {"constant", "potential", "redistribution"}, optional
        Changes of the reward that change the policy of an agent with this part but not the policy of a Boltzmann
        agent, in worlds where no episode ends: :math:`R + c`; :math:`R + \gamma\Phi(s') - \Phi(s)` with the agent's own
        discount; another R with the same :math:`\sum_t P\,R`.
    onto : bool, optional
        True where every policy of full support is the policy of some reward r(s, a).
    saturated : bool, optional
        True where rewards r(s, a) change the policy in every direction, so that a reward exists that compensates for
        another value of any other parameter.
    scales : bool, optional
        True where the policy depends on beta and the reward only through their product.
    ignores_reward : bool
        True where the policy does not depend on the reward.
    learns : bool
        True where values are learned from the rewards of a trajectory.
    state_values : bool
        True where the policies of an agent with this part under state rewards are exactly the softmaxes of P u, for
        all u (S,).
    """

    breaks: tuple[Invariance, ...] | None = None
    onto: bool | None = None
    saturated: bool | None = None
    scales: bool | None = None
    ignores_reward: bool = False
    learns: bool = False
    state_values: bool = False


UNKNOWN = Facts()
REGULAR = Facts(breaks=(), onto=True, saturated=True, scales=True)  # of a part that a Boltzmann agent may have
