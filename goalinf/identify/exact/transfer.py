r"""Transferability of rewards between worlds: geometry of their shaping spaces.

The null space of a reward r(s, a) in world k is :math:`U_k = \mathrm{im}(E - \gamma_k P_k)`, for every reward. The
common null space of several experts with one reward is :math:`\bigcap_k U_k`. It does not affect policies in another
world if the shapings of that world contain it, which a rank decides; the angles between the spaces determine the
sample size.
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
    r"""Common null space of experts in several worlds with one reward r(s, a), and its effect in a target world.

    Parameters
    ----------
    nullity : int
        Dimension of :math:`\bigcap_k U_k`: at best 1, a constant; or 0 with terminal states, as a constant rewards
        longer episodes.
    rank : int
        Rank of the block matrix of the first world with each other world, :math:`[W_1, -W_2, 0, \dots;\ W_1, 0,
        -W_3, \dots]`: its number of columns less the nullity.
    sines : float (S,)
        Distances of the unit directions of :math:`U_1` from the other spaces, smallest first: zero for unidentified
        directions. For two worlds, sines of the principal angles.
    gap : float
        Ratio of the smallest nonzero sine to the largest that counts as zero.
    transfers : bool, optional
        True where the common null space consists of shapings in the target, too; None without a target.
    """

    nullity: int
    rank: int
    sines: np.ndarray
    gap: float
    transfers: bool | None

    @property
    def cosines(self) -> np.ndarray:
        """Cosines of the angles, largest first."""
        return np.sqrt(np.maximum(1.0 - self.sines**2, 0.0))

    @property
    def weakest(self) -> float:
        r"""Smallest sine after the zeros of the null space; 0 if the null spaces of all worlds are equal.

        The error of estimated policies is amplified by its inverse (Schlaginhaufen and Kamgarpour 2024).
        """
        return float(self.sines[self.nullity]) if self.nullity < len(self.sines) else 0.0

    def __str__(self) -> str:
        null = "a constant" if self.nullity == 1 else f"{self.nullity} directions of reward"
        head = f"Not identified by these worlds together: {null}"
        weakest = f"; the smallest nonzero sine of an angle is {self.weakest:.3g}." if self.weakest else "."
        if self.transfers is None:
            return head + weakest
        effect = "does not change" if self.transfers else "changes"
        return f"{head}{weakest} In the target world the unidentified part {effect} the order of policies."


def transferability(
    worlds: World | Sequence[World] | Mapping[object, World], *, target: World | None = None
) -> Transferability:
    r"""Compute the common null space of experts in several worlds with one reward r(s, a).

    .. math:: \bigcap_k U_k,\quad U_k = \mathrm{im}\,W_k,\ W_k = E - \gamma_k P_k,\qquad
        \dim = KS - \mathrm{rank}\begin{pmatrix} W_1 & -W_2 & \\ W_1 & & -W_3 \end{pmatrix}

    for soft-optimal, Boltzmann and other experts whose invariances are shapings. If the rank is K S - 1, the null space
    is the constant alone. It is computed from orthonormal bases, :math:`(I - Q_k Q_k^\top) Q_1` for all k.

    Parameters
    ----------
    worlds : sequence of World, or mapping to World
        Worlds of the experts, with the same states and actions and different transitions or discounts.
    target : World, optional
        World to transfer to.

    Returns
    -------
    Transferability

    Raises
    ------
    ValueError
        If the worlds differ in their states or actions, or if there is none.

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
    listed = [worlds] if isinstance(worlds, World) else list(worlds.values() if isinstance(worlds, Mapping) else worlds)
    if not listed:
        raise ValueError("there are no worlds to compare")
    for number, world in enumerate(listed):
        check_kind(f"world number {number}", world, World, _A_WORLD)
        _check_alike(listed[0], world, f"world number {number}")
    bases = [_orthonormal(world) for world in listed]
    basis1 = bases[0]
    residuals = [basis1 - basis @ (basis.T @ basis1) for basis in bases[1:]]
    # A single world identifies no direction of its shapings.
    null_space = kernel(np.concatenate(residuals or [np.zeros_like(basis1)]), _TOLERANCE)
    transfers = None
    if target is not None:
        check_kind("target", target, World, _A_WORLD)
        _check_alike(listed[0], target, "the target")
        basis, null_basis = _orthonormal(target), basis1 @ null_space.basis.T
        residual = null_basis - basis @ (basis.T @ null_basis)
        transfers = kernel(residual, _TOLERANCE).dimension == null_space.dimension
    return Transferability(
        nullity=null_space.dimension,
        rank=sum(basis.shape[1] for basis in bases) - null_space.dimension,
        sines=null_space.singular_values[::-1],
        gap=null_space.gap,
        transfers=transfers,
    )


def _orthonormal(world: World) -> np.ndarray:
    """Return orthonormal columns that span the shapings on the actions of nonterminal states."""
    live = np.asarray(~world.mdp.terminal)
    if float(world.mdp.discount) == 1.0 and not world.can_reach(~live).all():
        raise ValueError(
            "with discount 1 and states from which no episode ends there are no values: use a discount below 1"
        )
    return np.linalg.qr(shapings(world, np.asarray(world.mdp.available) & live[:, None])[:, live].toarray())[0]


def _check_alike(first: World, other: World, name: str) -> None:
    if first.mdp.available.shape != other.mdp.available.shape or first.states != other.states:
        raise ValueError(
            f"{name} has other states or actions than the first world; expected worlds with the same states and actions"
        )
    differ = np.argwhere(
        (first.mdp.available != other.mdp.available) | (first.mdp.terminal != other.mdp.terminal)[:, None]
    )
    if len(differ):
        state, action = differ[0]
        raise ValueError(
            f"{name} has other available actions than the first world, such as action {action} in state "
            f"{label(first.states[state])!r}: give both the same, or use gi.identify.null_space for a class of rewards"
        )
