r"""Rewards: what is inferred. Each is a module; called on an MDP it gives values broadcastable to ``(S, A, K)``.

Departure and arrival are different things and have different identifiability: with ``on="departure"`` the
value of a state is collected when acting in it, :math:`r(s,a) = \rho(s)`; with ``on="arrival"`` when entering
it, :math:`r(s,a) = \sum_t P(t \mid s,a)\,\rho(t)`. There is no default. Nothing is ever collected in a terminal
state. Values are in utility; a parameter may be a NumPyro distribution, which makes the reward a prior.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpyro.distributions import Distribution

from goalinf.checks import check_kind
from goalinf.precision import namespace
from goalinf.worlds import MDP, World
from goalinf.worlds.world import label

Leaf = Any  # an array, or a NumPyro distribution over one


class Reward(eqx.Module):
    """What every reward answers.

    A reward may also declare ``ends(mdp) -> bool (S,)``, the states in which the episode ends under it, and
    ``pinned(mdp) -> (bool (S,), value)``, states whose value is fixed though the episode goes on (dead ends).
    """

    @abc.abstractmethod
    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Values broadcastable to ``(S, A, K)``, aligned with ``mdp.successors``."""

    @property
    @abc.abstractmethod
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Names of the axes of every array field, among ``state``, ``action``, ``successor``, ``feature``."""

    @property
    @abc.abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Fields that may carry a prior."""


class StateReward(Reward):
    r"""A value for every state, collected on departure or on arrival.

    Parameters
    ----------
    values : float (S,) or Distribution
        :math:`\rho(s)`, in utility. A distribution is a prior; a scalar one is taken for every state alike.
    on : {"departure", "arrival"}
        When the value is collected: :math:`r(s,a) = \rho(s)`, or :math:`R(s,a,t) = \rho(t)`.

    Examples
    --------
    >>> import goalinf as gi
    >>> town = gi.gridworld("s.a", discount=0.9)
    >>> gi.StateReward.at(town, {"a": 2.0}, default=0.0, on="departure").values
    array([0., 0., 2.])
    """

    values: Leaf
    on: Literal["departure", "arrival"] = eqx.field(static=True)

    def __init__(self, values: Leaf, *, on: Literal["departure", "arrival"]):
        self.values = _leaf(values, "values of a StateReward")
        self.on = _timing(on)

    @classmethod
    def at(
        cls, world: World, values: Mapping[Any, float], *, default: float, on: Literal["departure", "arrival"]
    ) -> StateReward:
        """Values by name: a mark stands for every cell that carries it; all other states get ``default``.

        Raises
        ------
        ValueError
            Where a name is unknown or two names give one state two values.
        """
        array = np.full(world.n_states, float(default))
        given: dict[int, Any] = {}
        for key, value in values.items():
            for i in world.cells(key):
                if i in given:
                    raise ValueError(f"state {label(world.states[i])} gets a value from both {given[i]!r} and {key!r}")
                given[i] = key
                array[i] = value
        return cls(array, on=on)

    @classmethod
    def zero(cls, world: World) -> StateReward:
        """The reward that wants nothing."""
        return cls(np.zeros(world.n_states), on="departure")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """``(S, 1, 1)`` on departure, ``(S, A, K)`` on arrival."""
        values = namespace(self.values, mdp.successors).asarray(self.values)
        return values[:, None, None] if self.on == "departure" else values[mdp.successors]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """``values`` has one entry per state."""
        return {"values": ("state",)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The values."""
        return ("values",)


class ActionReward(Reward):
    r"""A value for every state and action, :math:`r(s,a)`.

    Parameters
    ----------
    values : float (S, A) or Distribution
        In utility. Entries of unavailable actions are never collected.
    """

    values: Leaf

    def __init__(self, values: Leaf):
        self.values = _leaf(values, "values of an ActionReward")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """``(S, A, 1)``."""
        return self.values[:, :, None]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """``values`` has one entry per state and action."""
        return {"values": ("state", "action")}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The values."""
        return ("values",)


class TransitionReward(Reward):
    r"""A value for every transition, :math:`R(s,a,t)`, aligned with the successors of the MDP.

    Parameters
    ----------
    values : float (S, A, K) or Distribution
        In utility; ``values[s, a, k]`` belongs to the transition to ``mdp.successors[s, a, k]``.
    """

    values: Leaf

    def __init__(self, values: Leaf):
        self.values = _leaf(values, "values of a TransitionReward")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """``(S, A, K)``."""
        return self.values

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """``values`` has one entry per state, action and successor."""
        return {"values": ("state", "action", "successor")}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The values."""
        return ("values",)


class LinearReward(Reward):
    r"""A weighted sum of features, :math:`\sum_f w_f\,\phi_f`.

    Parameters
    ----------
    features : float (S, F), (S, A, F) or (S, A, K, F)
        Features of states, of choices, or of transitions (aligned with the successors).
    weights : float (F,) or Distribution
        In utility per unit of the feature.
    on : {"departure", "arrival"}, optional
        Needed for features of states, and only for them.
    names : tuple of str, optional
        Names of the features, for labels.
    """

    features: Float[Array | np.ndarray, ...]
    weights: Leaf
    on: Literal["departure", "arrival"] | None = eqx.field(static=True)
    names: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        features: Any,
        weights: Leaf,
        *,
        on: Literal["departure", "arrival"] | None = None,
        names: tuple[str, ...] | None = None,
    ):
        self.features = _leaf(features, "features of a LinearReward")
        self.weights = _leaf(weights, "weights of a LinearReward")
        ndim = self.features.ndim
        if ndim not in (2, 3, 4):
            raise ValueError(f"features have {ndim} axes; expected (S, F), (S, A, F) or (S, A, K, F)")
        if (ndim == 2) != (on is not None):
            raise ValueError(
                "features of states need on='departure' or on='arrival'"
                if ndim == 2
                else "on= is for features of states; features of choices or transitions say it already"
            )
        n_features = self.features.shape[-1]
        if not isinstance(self.weights, Distribution) and jnp.shape(self.weights) != (n_features,):
            raise ValueError(f"weights have shape {jnp.shape(self.weights)}; the features need ({n_features},)")
        if isinstance(names, str) or (names is not None and len(set(names)) < len(names)):
            raise ValueError(f"names is {names!r}; expected one name per feature, all of them different")
        if names is not None and len(names) != n_features:
            raise ValueError(f"{len(names)} names for {n_features} features")
        self.on = _timing(on) if on is not None else None
        self.names = tuple(names) if names is not None else None

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """``(S, 1, 1)``, ``(S, A, 1)`` or ``(S, A, K)``."""
        values = self.features @ self.weights
        if self.on is not None:
            return StateReward(values, on=self.on)(mdp)
        return values[:, :, None] if values.ndim == 2 else values

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """``weights`` has one entry per feature; the features have their own axes before it."""
        axes = ("state", "action", "successor")[: self.features.ndim - 1]
        return {"features": (*axes, "feature"), "weights": ("feature",)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The weights."""
        return ("weights",)


class GoalReward(Reward):
    r"""Reach a goal, at a cost for every step: :math:`R(s,a,t) = -c + b\,[t \in G]`; reaching it ends the episode.

    A state from which the goal cannot be reached has the finite value ``dead_end``, so that an undiscounted
    walker there is indifferent rather than undefined.

    Parameters
    ----------
    goal : bool (S,)
        The goal states :math:`G`.
    dead : bool (S,)
        States from which no goal can be reached; see :func:`goals`, which finds them.
    step_cost : float or Distribution
        :math:`c`, utility per step.
    bonus : float or Distribution
        :math:`b`, utility of arriving.
    dead_end : float
        Value of a dead end, in utility.
    """

    goal: Bool[Array | np.ndarray, " S"]
    dead: Bool[Array | np.ndarray, " S"]
    step_cost: Leaf
    bonus: Leaf
    dead_end: Leaf

    def __init__(self, goal: Any, dead: Any, *, step_cost: Leaf = 1.0, bonus: Leaf = 0.0, dead_end: Leaf):
        self.goal = goal
        self.dead = dead
        self.step_cost = _leaf(step_cost, "step_cost of a GoalReward")
        self.bonus = _leaf(bonus, "bonus of a GoalReward")
        self.dead_end = _leaf(dead_end, "dead_end of a GoalReward")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """``(S, A, K)``."""
        goal = namespace(self.goal, mdp.successors).asarray(self.goal)
        return -self.step_cost + self.bonus * goal[mdp.successors]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """``goal`` and ``dead`` have one entry per state; the rest are numbers."""
        return {"goal": ("state",), "dead": ("state",), "step_cost": (), "bonus": (), "dead_end": ()}

    @property
    def parameters(self) -> tuple[str, ...]:
        """``step_cost`` and ``bonus``."""
        return ("step_cost", "bonus")

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """The goal states."""
        return self.goal

    def pinned(self, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
        """The dead ends and their value."""
        return self.dead, self.dead_end


class Shaped(Reward):
    r"""A reward with potential shaping, :math:`R(s,a,t) + \gamma\,\Phi(t) - \Phi(s)` (Ng, Harada and Russell 1999).

    The potential counts as zero on states that end the episode, so that shaping changes no soft-optimal or
    Boltzmann policy of the same discount.

    Parameters
    ----------
    base : Reward
        What is shaped.
    potential : float (S,)
        :math:`\Phi`, in utility.
    """

    base: Reward
    potential: Float[Array | np.ndarray, " S"]

    def __init__(self, base: Reward, potential: Any):
        check_kind("base", base, Reward, "a reward, such as gi.StateReward")
        self.base = base
        self.potential = _leaf(potential, "potential")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """``(S, A, K)``."""
        xp = namespace(self.base, self.potential, mdp)
        phi = xp.where(ended(self.base, mdp), 0.0, self.potential)
        return self.base(mdp) + mdp.discount * phi[mdp.successors] - phi[:, None, None]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """``potential`` has one entry per state."""
        return {"potential": ("state",)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """None of its own: put the prior on the reward that is shaped."""
        return ()

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """Those of the reward that is shaped."""
        return ended(self.base, mdp)

    def pinned(self, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
        """Those of the reward that is shaped."""
        return pinned(self.base, mdp)


def ended(reward: Reward, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
    """Where nothing more happens: the terminal states, and those in which this reward ends the episode."""
    # Asked of the class: Equinox makes a record of a bound method, which takes longer than what is computed.
    ends = getattr(type(reward), "ends", None)
    return mdp.terminal if ends is None else mdp.terminal | ends(reward, mdp)


def pinned(reward: Reward, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
    """States whose value the reward fixes though the episode goes on, and that value."""
    pins = getattr(type(reward), "pinned", None)
    return (np.zeros(mdp.n_states, bool), np.zeros(())) if pins is None else pins(reward, mdp)


def goals(
    world: World,
    places: Mapping[str, Any],
    *,
    step_cost: float = 1.0,
    bonus: float = 0.0,
    dead_end: float | None = None,
) -> dict[str, GoalReward]:
    r"""One :class:`GoalReward` per named place.

    Parameters
    ----------
    world : World
        Where the goals lie.
    places : mapping
        Name of the goal -> a state, a mark that several cells carry, or a list of states.
    step_cost : float
        Utility lost per step, :math:`c`.
    bonus : float
        Utility of arriving, :math:`b`.
    dead_end : float, optional
        Value of a state from which the goal cannot be reached. Default: :math:`-c\,S`, as bad as a walk
        through every state of the world.

    Returns
    -------
    dict
        Name -> reward.

    Raises
    ------
    ValueError
        Where there is no goal, a place is no state (a wall, outside the map), or a number is not finite.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=1.0)
    >>> sorted(gi.goals(hall, {"left": "a", "right": "b"}, step_cost=1.0))
    ['left', 'right']
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind("places", places, Mapping, "a mapping from name to place, such as {'home': 'a'}")
    if not places:
        raise ValueError("no goals were given; name at least one place, such as {'home': 'a'}")
    rewards = {}
    for name, place in places.items():
        several = isinstance(place, (list, set, frozenset))
        try:
            cells = [i for part in (place if several else [place]) for i in world.cells(part)]
        except ValueError as error:
            raise ValueError(f"goal {name!r}: {error}") from None
        if not cells:
            raise ValueError(f"goal {name!r} names no state")
        goal = np.zeros(world.n_states, bool)
        goal[cells] = True
        dead = ~world.can_reach(goal) & ~world.mdp.terminal
        rewards[name] = GoalReward(
            goal,
            dead,
            step_cost=step_cost,
            bonus=bonus,
            dead_end=-abs(step_cost) * world.n_states if dead_end is None else dead_end,
        )
    return rewards


def _timing(on: Any) -> Literal["departure", "arrival"]:
    if on not in ("departure", "arrival"):
        raise ValueError(
            f"on is {on!r}; expected 'departure' (collected when acting there) or 'arrival' (when entering)"
        )
    return on


def _leaf(value: Leaf, what: str) -> Leaf:
    """A distribution as it is; numbers as a host array in float64; traced values untouched."""
    if isinstance(value, (Distribution, jax.Array, jax.ShapeDtypeStruct)):
        return value
    try:
        if isinstance(value, str):
            raise TypeError
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        if any(isinstance(part, jax.Array) for part in jax.tree.leaves(value)):
            return jnp.asarray(value)
        shown = value.__name__ if isinstance(value, type) else repr(value)
        raise TypeError(
            f"{what}: found {shown}; expected numbers, or a prior such as numpyro.distributions.Normal(0.0, 1.0)"
        ) from None
    if not np.isfinite(array).all():
        where = f"entry {np.argwhere(~np.isfinite(array))[0]}" if array.ndim else f"{value}"
        raise ValueError(f"{what}: {where} is not a finite number")
    return array
