r"""Invariances: linear spaces of changes of a reward that a kind of data does not identify.

Rewards are numbers on the possible transitions (s, a, t). Constants, shapings, redistributions and masks are linear
spaces, which can be added. The changes that preserve the optimal actions are not a linear space: see
:mod:`goalinf.identify.optimal_actions`.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import jax
import networkx as nx
import numpy as np

from goalinf.agents.plannable import check_known, check_shapes
from goalinf.checks import check_kind, takes_key
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.policy_evaluation import check_own_ends, collected
from goalinf.precision import computing_in
from goalinf.rewards import Reward, TransitionReward, check_reward
from goalinf.types import Numbers, PRNGKey
from goalinf.worlds import World

Kind = Literal["constant", "potential", "zero-initial potential", "k-initial potential", "redistribution", "mask"]
_INSIDE = 1e-9  # largest residual, relative to the norm, that counts as inside a space


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Invariance:
    r"""Linear space of changes of a reward.

    Parameters
    ----------
    world : World
        Transitions.
    kinds : tuple of str
        Kinds of change of which it is the sum.
    basis : float (n, N)
        Orthonormal rows over the possible transitions, in the order of :func:`transitions`.
    """

    world: World
    kinds: tuple[Kind, ...]
    basis: np.ndarray

    @property
    def dimension(self) -> int:
        """Number of independent changes."""
        return len(self.basis)

    def __add__(self, other: Invariance) -> Invariance:
        """Return the sum of two spaces of changes."""
        if other.world is not self.world:
            raise ValueError("these invariances are of two worlds; expected invariances of one world")
        residual = other.basis - (other.basis @ self.basis.T) @ self.basis
        added = _orthonormal(residual)
        kinds = tuple(dict.fromkeys((*self.kinds, *other.kinds)))
        return Invariance(self.world, kinds, np.concatenate([self.basis, added]))

    @takes_key
    def apply(self, reward: Reward, key: PRNGKey, *, size: float | int = 1.0) -> TransitionReward:
        """Add a random change to a reward.

        Parameters
        ----------
        reward : Reward
            Any known reward.
        key : int or jax.random key
            A seed, or a source of randomness, which is consumed.
        size : float
            Standard deviation of the change along every direction, in utility.
        """
        with computing_in("float64"):
            coefficients = np.asarray(jax.random.normal(key, (self.dimension,)), float)
        return _reward(self.world, _vector(self.world, reward) + float(size) * coefficients @ self.basis)

    def relates(self, reward1: Reward, reward2: Reward, *, scale: bool = False) -> bool:
        """Return True where two rewards differ by such a change only; with ``scale``, up to a positive factor.

        Parameters
        ----------
        reward1, reward2 : Reward
            Known rewards.
        scale : bool
            True to allow a positive factor.
        """
        vector1, vector2 = (_vector(self.world, reward) for reward in (reward1, reward2))
        residuals = [vector - self.basis.T @ (self.basis @ vector) for vector in (vector1, vector2)]
        norms = [float(np.linalg.norm(vector)) for vector in residuals]
        largest = max(float(np.linalg.norm(vector1)), float(np.linalg.norm(vector2)), np.finfo(float).tiny)
        if scale and min(norms) > _INSIDE * largest:
            return bool(
                np.linalg.norm(residuals[0] / norms[0] - residuals[1] / norms[1]) <= _INSIDE * largest / min(norms)
            )
        return bool(np.linalg.norm(residuals[0] - residuals[1]) <= _INSIDE * largest)

    def remove(self, reward: Reward) -> TransitionReward:
        """Compute the reward of smallest norm that differs from a reward by such a change only.

        It is the same for all rewards that differ by such a change.

        Parameters
        ----------
        reward : Reward
            Any known reward.
        """
        vector = _vector(self.world, reward)
        return _reward(self.world, vector - self.basis.T @ (self.basis @ vector))

    def __repr__(self) -> str:
        return f"Invariance({' + '.join(self.kinds) or 'none'}, {self.dimension} of {self.basis.shape[1]} dimensions)"


def invariance(world: World, kind: Kind, *, masked: Numbers | None = None) -> Invariance:
    r"""Construct a space of changes of a reward R(s, a, t).

    =========================  =================================================================================
    constant                   :math:`R + c`
    potential                  :math:`R + \gamma\Phi(t) - \Phi(s)`, with :math:`\Phi = 0` in terminal states
    zero-initial potential     a potential with :math:`\Phi = 0` in initial states
    k-initial potential        a potential with :math:`\Phi = k`, any number, in initial states
    redistribution             R with the same :math:`\sum_t P(t \mid s, a) R(s, a, t)` for every action
    mask                       any R on unreachable transitions, or on the given transitions
    =========================  =================================================================================

    Parameters
    ----------
    world : World
        Transitions, discount and initial states.
    kind : str
        As above.
    masked : bool (S, A, K), optional
        The transitions of a mask, aligned with ``world.mdp.successors``. Default: transitions that cannot be reached
        from the initial states.

    Returns
    -------
    Invariance
        Invariances can be added: ``invariance(world, "potential") + invariance(world, "redistribution")``.

    Raises
    ------
    ValueError
        If the kind is none of these, or if the transitions do not fit the world.

    References
    ----------
    Skalse, Farrugia-Roberts, Russell, Abate and Gleave (2023), "Invariance in policy optimisation and partial
    identifiability in reward learning", definitions 2.3 to 2.7; Ng, Harada and Russell (1999).

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s..a", slip=0.2, discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="arrival")
    >>> shaping = gi.identify.invariance(hall, "potential")
    >>> shaping.dimension, shaping.relates(reward, gi.ShapedReward(reward, [0.0, 3.0, -1.0, 2.0]))
    (4, True)
    >>> changed = (shaping + gi.identify.invariance(hall, "redistribution")).apply(reward, jax.random.key(0))
    >>> shaping.relates(reward, changed), round(gi.identify.distance.starc(hall, reward, changed), 6)
    (False, 0.0)
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(map(repr, get_args(Kind)))}")
    if masked is not None and kind != "mask":
        raise ValueError(f"masked names the transitions of a mask, and kind is {kind!r}: leave it out")
    s, a, k = transitions(world)
    mdp = world.mdp
    if kind == "constant":
        rows = np.ones((1, len(s)))
    elif kind == "redistribution":
        pair = s * world.n_actions + a
        probabilities = np.where(pair[None] == np.unique(pair)[:, None], np.asarray(mdp.probabilities)[s, a, k], 0.0)
        return Invariance(world, (kind,), kernel(probabilities, _INSIDE).basis)
    elif kind == "mask":
        rows = np.eye(len(s))[_unreached(world) if masked is None else _checked_mask(world, masked)]
    else:
        potentials = _potentials(world, kind)
        rows = float(mdp.discount) * potentials[:, np.asarray(mdp.successors)[s, a, k]] - potentials[:, s]
    return Invariance(world, (kind,), _orthonormal(rows))


def zero_space(world: World) -> Invariance:
    """Return the space of dimension zero."""
    return Invariance(world, (), np.zeros((0, len(transitions(world)[0]))))


def transitions(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return state, action and slot of every possible transition, ``(N,)`` each."""
    mdp = world.mdp
    possible = (mdp.probabilities > 0) & mdp.available[:, :, None] & ~mdp.terminal[:, None, None]
    s, a, k = np.nonzero(np.asarray(possible))
    return s, a, k


def _vector(world: World, reward: Reward) -> np.ndarray:
    """Return a reward on the possible transitions."""
    check_reward("reward", reward)
    check_known(reward)
    check_shapes(reward, world)
    check_own_ends(world, reward)
    return np.asarray(collected(world.mdp, reward)[transitions(world)], float)


def _reward(world: World, vector: np.ndarray) -> TransitionReward:
    table = np.zeros(world.mdp.probabilities.shape)
    table[transitions(world)] = vector
    return TransitionReward(table)


def _potentials(world: World, kind: Kind) -> np.ndarray:
    """Return rows that span the potentials, ``(n, S)``."""
    free = np.asarray(~world.mdp.terminal)
    if kind == "potential":
        return np.eye(world.n_states)[free]
    starts = np.asarray(world.mdp.initial) > 0
    rows = np.eye(world.n_states)[free & ~starts]
    # The same number in all initial states: impossible if one of them is terminal.
    common = [starts.astype(float)] if kind == "k-initial potential" and not (starts & ~free).any() else []
    return np.array([*rows, *common]).reshape(-1, world.n_states)


def _unreached(world: World) -> np.ndarray:
    """Mark transitions from states that no episode reaches, bool ``(N,)``."""
    starts = np.flatnonzero(np.asarray(world.mdp.initial)).tolist()
    reached = list(nx.multi_source_dijkstra_path_length(world.transition_graph(), starts, weight=None))
    return ~np.isin(transitions(world)[0], reached)


def _checked_mask(world: World, masked: Numbers) -> np.ndarray:
    shape = world.mdp.probabilities.shape
    mask = np.asarray(masked)
    if mask.shape != shape or mask.dtype != bool:
        raise ValueError(
            f"masked has shape {mask.shape} and type {mask.dtype}; expected bool {shape}, aligned with "
            "world.mdp.successors"
        )
    return mask[transitions(world)]


def _orthonormal(rows: np.ndarray) -> np.ndarray:
    """Return orthonormal rows that span the same space."""
    if not len(rows):
        return rows
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    return directions[sizes > _INSIDE * max(1.0, float(sizes.max(initial=0.0)))]
