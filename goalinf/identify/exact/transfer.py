r"""Whether what is learned of a reward in some worlds holds in others: the geometry of their shapings.

What behavior in world k hides of a reward r(s, a) is :math:`U_k = \mathrm{im}(E - \gamma_k P_k)`, whatever the reward.
Several experts with one reward hide :math:`\bigcap_k U_k`, and that does no harm in another world whose shapings
contain it. A rank says so with a yes or no; the angles between the spaces say how many data it takes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from goalinf.checks import check_kind
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.policy_evaluation import shapings
from goalinf.worlds import World, label

_TOLERANCE = 1e-9  # of sines of angles
_A_WORLD = "a World, such as gi.gridworld makes"


@dataclasses.dataclass(frozen=True, eq=False)
class Transferability:
    r"""What experts in several worlds leave open of their reward r(s, a), and whether it matters elsewhere.

    Parameters
    ----------
    nullity : int
        Dimension of :math:`\bigcap_k U_k`: 1, a constant, where nothing is left to find out; 0 where episodes end, as
        a constant makes it worth while to go on.
    rank : int
        Of the block matrix that compares the first world with each other, :math:`[W_1, -W_2, 0, \dots;\ W_1, 0,
        -W_3, \dots]`: its number of columns less the nullity.
    sines : float (S,)
        How far the directions of :math:`U_1` stick out of the other spaces, smallest first: zero where nobody shows
        them. Of two worlds, sines of the principal angles.
    gap : float
        Smallest of them that counts over the largest that does not.
    transfers : bool, optional
        Whether all that is left open is shaping in the target too; None without a target.
    """

    nullity: int
    rank: int
    sines: np.ndarray
    gap: float
    transfers: bool | None

    @property
    def cosines(self) -> np.ndarray:
        """Of the same angles, largest first."""
        return np.sqrt(np.maximum(1.0 - self.sines**2, 0.0))

    @property
    def weakest(self) -> float:
        r"""Sine of the second principal angle, or the first after those of zero: 0 where the worlds hide the same.

        The error of estimated policies is amplified by its inverse (Schlaginhaufen and Kamgarpour 2024).
        """
        return float(self.sines[self.nullity]) if self.nullity < len(self.sines) else 0.0

    def __str__(self) -> str:
        left = "a constant" if self.nullity == 1 else f"{self.nullity} directions of reward"
        head = f"These worlds together leave {left} open"
        known = f"; the weakest direction that shows sticks out by {self.weakest:.3g}." if self.weakest else "."
        if self.transfers is None:
            return head + known
        there = "what is left makes no difference" if self.transfers else "what is left changes what is best"
        return f"{head}{known} In the target {there}."


def transferability(
    worlds: World | Sequence[World] | Mapping[object, World], *, target: World | None = None
) -> Transferability:
    r"""What experts in several worlds leave open of the reward r(s, a) that they share.

    .. math:: \bigcap_k U_k,\quad U_k = \mathrm{im}\,W_k,\ W_k = E - \gamma_k P_k,\qquad
        \dim = KS - \mathrm{rank}\begin{pmatrix} W_1 & -W_2 & \\ W_1 & & -W_3 \end{pmatrix}

    for soft-optimal, Boltzmann and other experts whose invariances are shapings. Nothing but a constant is left open
    where the rank is K S - 1. It is found from orthonormal bases, :math:`(I - Q_k Q_k^\top) Q_1` for all k.

    Parameters
    ----------
    worlds : sequence of World, or mapping to World
        Where the experts act: the same states and choices, other transitions or discounts.
    target : World, optional
        Where their reward is to be used.

    Returns
    -------
    Transferability

    Raises
    ------
    ValueError
        Where the worlds differ in their states or choices, or there is none.

    References
    ----------
    Cao, Cohen and Szpruch (2021) and Rolland, Viano, Schürhoff, Nikolov and Cevher (2022), "Identifiability and
    generalizability from multiple experts in inverse reinforcement learning", for ranks; Schlaginhaufen and Kamgarpour
    (2024), "Towards the transferability of rewards recovered via regularized inverse reinforcement learning", for
    angles.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> one, two, other = (gi.garnet(key, states=6, actions=3, branching=6, discount=0.9)
    ...                    for key in jax.random.split(jax.random.key(0), 3))
    >>> gi.identify.transferability([one], target=other).transfers
    False
    >>> found = gi.identify.transferability([one, two], target=other)
    >>> found.nullity, found.rank, found.transfers
    (1, 11, True)
    """
    each = [worlds] if isinstance(worlds, World) else list(worlds.values() if isinstance(worlds, Mapping) else worlds)
    if not each:
        raise ValueError("there are no worlds to compare")
    for number, one in enumerate(each):
        check_kind(f"world number {number}", one, World, _A_WORLD)
        _check_alike(each[0], one, f"world number {number}")
    bases = [_orthonormal(one) for one in each]
    first = bases[0]
    beside = [first - basis @ (basis.T @ first) for basis in bases[1:]]
    # A world by itself shows nothing of its own shapings.
    found = kernel(np.concatenate(beside or [np.zeros_like(first)]), _TOLERANCE)
    transfers = None
    if target is not None:
        check_kind("target", target, World, _A_WORLD)
        _check_alike(each[0], target, "the target")
        own, left = _orthonormal(target), first @ found.basis.T
        transfers = kernel(left - own @ (own.T @ left), _TOLERANCE).dimension == found.dimension
    return Transferability(
        nullity=found.dimension,
        rank=sum(basis.shape[1] for basis in bases) - found.dimension,
        sines=found.singular_values[::-1],
        gap=found.gap,
        transfers=transfers,
    )


def _orthonormal(world: World) -> np.ndarray:
    """Orthonormal columns that span the shapings on the choices of states that have not ended."""
    live = np.asarray(~world.mdp.terminal)
    if float(world.mdp.discount) == 1.0 and not world.can_reach(~live).all():
        raise ValueError("with discount 1 and states from which no episode ends there are no values: use a smaller one")
    return np.linalg.qr(shapings(world, np.asarray(world.mdp.available) & live[:, None])[:, live].toarray())[0]


def _check_alike(one: World, other: World, name: str) -> None:
    if one.mdp.available.shape != other.mdp.available.shape or one.states != other.states:
        raise ValueError(
            f"{name} has other states or actions than the first one, so that they have no reward in common"
        )
    differ = np.argwhere((one.mdp.available != other.mdp.available) | (one.mdp.terminal != other.mdp.terminal)[:, None])
    if len(differ):
        state, action = differ[0]
        raise ValueError(
            f"{name} offers other choices than the first one, such as action {action} in state "
            f"{label(one.states[state])!r}: give both the same, or use gi.identify.null_space for a class of rewards"
        )
