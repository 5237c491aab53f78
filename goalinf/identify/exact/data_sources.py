"""Which source of data determines a reward up to what."""

from __future__ import annotations

from typing import Literal, get_args

from goalinf.checks import check_kind
from goalinf.identify.exact.invariances import Invariance, Kind, invariance, nothing
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
# What each source determines the reward up to: Skalse et al. (2023), with the numbers of their theorems.
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
    r"""What infinite data of a kind leave open of a reward R(s, a, t).

    ======================  ====================================================  ===========================
    optimal values          :math:`Q^*`, or Q of any policy                       redistribution
    policy                  a Boltzmann or soft-optimal policy, everywhere        redistribution, potential
    trajectories            of such an agent, from where episodes start           and a mask
    fragment returns        of all pieces of episodes that can happen             nothing
    fragment comparisons    of such pieces, by a Boltzmann rule                   nothing
    trajectory returns      of whole episodes                                     zero-initial potential, mask
    trajectory comparisons  of whole episodes, by a Boltzmann rule                k-initial potential, mask
    ======================  ====================================================  ===========================

    With beta known. Comparisons without noise leave at least a positive factor open beside. Two sources together leave
    what both leave.

    Parameters
    ----------
    world : World
        Where the data come from.
    source : str
        As above.

    Returns
    -------
    Invariance

    Raises
    ------
    ValueError
        Where the source is none of these.

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
    found = nothing(world)
    for kind in SOURCES[source]:
        found = found + invariance(world, kind)
    return found
