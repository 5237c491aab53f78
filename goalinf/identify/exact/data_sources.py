"""Invariances of a reward for each source of data."""

from __future__ import annotations

from typing import Literal, get_args

from goalinf.checks import check_kind
from goalinf.identify.exact.invariances import Invariance, Kind, invariance, zero_space
from goalinf.worlds import World

Source = Literal[
    "optimal values",
    "policy",
    "trajectories",
    "fragment returns",
    "fragment comparisons",
    "trajectory returns",
    "trajectory comparisons",
]
# Invariances by source of data: Skalse et al. (2023), with the numbers of their theorems.
SOURCES: dict[Source, tuple[Kind, ...]] = {
    "optimal values": ("redistribution",),  # 3.1
    "policy": ("redistribution", "potential"),  # 3.2
    "trajectories": ("redistribution", "potential", "mask"),  # 3.4
    "fragment returns": (),  # 3.6
    "fragment comparisons": (),  # 3.8
    "trajectory returns": ("zero-initial potential", "mask"),  # 3.7
    "trajectory comparisons": ("k-initial potential", "mask"),  # 3.9
}


def ambiguity(world: World, source: Source) -> Invariance:
    r"""Construct the space of changes of a reward R(s, a, t) that infinite data of a kind do not identify.

    ======================  ====================================================  ===========================
    optimal values          :math:`Q^*`, or Q of any policy                       redistribution
    policy                  a Boltzmann or soft-optimal policy in all states      redistribution, potential
    trajectories            of such an agent, from the initial states             and a mask
    fragment returns        of all possible fragments of episodes                 nothing
    fragment comparisons    of such fragments, by a Boltzmann rule                nothing
    trajectory returns      of whole episodes                                     zero-initial potential, mask
    trajectory comparisons  of whole episodes, by a Boltzmann rule                k-initial potential, mask
    ======================  ====================================================  ===========================

    Beta is known. For comparisons without noise, a positive factor is also unidentified, at least. For two sources
    together, the space is the intersection.

    Parameters
    ----------
    world : World
        World of the data.
    source : str
        As above.

    Returns
    -------
    Invariance

    Raises
    ------
    ValueError
        If the source is none of these.

    References
    ----------
    Skalse et al. (2023), theorems 3.1 to 3.9.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", slip=0.2, discount=0.9)
    >>> [ambiguity(hall, source).dimension for source in ("policy", "trajectory comparisons", "fragment returns")]
    [28, 4, 0]
    """
    if source not in get_args(Source):
        raise ValueError(f"source is {source!r}; expected one of {', '.join(map(repr, get_args(Source)))}")
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    space = zero_space(world)
    for kind in SOURCES[source]:
        space = space + invariance(world, kind)
    return space
