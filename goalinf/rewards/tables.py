"""Rewards by state, action, transition or feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from goalinf.checks import as_number
from goalinf.precision import namespace
from goalinf.rewards.base import Leaf, Reward, leaf
from goalinf.types import Numbers
from goalinf.worlds import MDP, World
from goalinf.worlds.world import label


class StateReward(Reward):
    r"""Reward of states, collected on departure or on arrival.

    Parameters
    ----------
    values : float (S,) or Distribution
        :math:`\rho(s)`, in utility. A distribution is a prior; a scalar distribution is the prior of every state.
    on : {"departure", "arrival"}
        Time at which the value is collected: :math:`r(s,a) = \rho(s)`, or :math:`R(s,a,t) = \rho(t)`.

    Examples
    --------
    >>> import goalinf as gi
    >>> town = gi.gridworld("s.a", discount=0.9)
    >>> gi.StateReward.at(town, {"a": 2.0}, default=0.0, on="departure").values
    array([0., 0., 2.])
    """

    values: Leaf
    on: Literal["departure", "arrival"] = eqx.field(static=True)
    linear: ClassVar[bool] = True

    def __init__(self, values: Leaf | Numbers, *, on: Literal["departure", "arrival"]):
        self.values = leaf(values, "values of a StateReward", "StateReward.at(world, dict(series), default=0.0, on=…)")
        self.on = _timing(on)

    @classmethod
    def at(
        cls, world: World, values: Mapping[Any, float], *, default: float, on: Literal["departure", "arrival"]
    ) -> StateReward:
        """Make a reward from values by name; a mark names every cell that carries it, other states have ``default``.

        Raises
        ------
        ValueError
            Where a name is unknown or two names give one state two values.
        """
        array = np.full(world.n_states, as_number("default", default))
        name_of: dict[int, Any] = {}
        for key, value in values.items():
            number = as_number(f"the value of {key!r}", value)
            for i in world.cells(key):
                if i in name_of:
                    raise ValueError(f"state {label(world.states[i])} has a value from both {name_of[i]!r} and {key!r}")
                name_of[i] = key
                array[i] = number
        return cls(array, on=on)

    @classmethod
    def zero(cls, world: World) -> StateReward:
        """Make the reward that is zero in all states."""
        return cls(np.zeros(world.n_states), on="departure")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return rewards ``(S, 1, 1)`` on departure, ``(S, A, K)`` on arrival."""
        values = namespace(self.values, mdp.successors).asarray(self.values)
        return values[:, None, None] if self.on == "departure" else values[mdp.successors]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: ``values`` has one entry per state."""
        return {"values": ("state",)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name ``values``."""
        return ("values",)


class ActionReward(Reward):
    r"""Reward of states and actions, :math:`r(s,a)`.

    Parameters
    ----------
    values : float (S, A) or Distribution
        Rewards, in utility. Entries of unavailable actions have no effect.
    """

    values: Leaf
    linear: ClassVar[bool] = True

    def __init__(self, values: Leaf | Numbers):
        self.values = leaf(
            values, "values of an ActionReward", "frame.reindex(index=world.states, columns=world.actions).values"
        )

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return rewards ``(S, A, 1)``."""
        return self.values[:, :, None]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: ``values`` has one entry per state and action."""
        return {"values": ("state", "action")}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name ``values``."""
        return ("values",)


class TransitionReward(Reward):
    r"""Reward of transitions, :math:`R(s,a,t)`, aligned with the successors of the MDP.

    Parameters
    ----------
    values : float (S, A, K) or Distribution
        Rewards, in utility; ``values[s, a, k]`` belongs to the transition to ``mdp.successors[s, a, k]``.
    """

    values: Leaf
    linear: ClassVar[bool] = True

    def __init__(self, values: Leaf | Numbers):
        self.values = leaf(values, "values of a TransitionReward")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return rewards ``(S, A, K)``."""
        return self.values

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: ``values`` has one entry per state, action and successor."""
        return {"values": ("state", "action", "successor")}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name ``values``."""
        return ("values",)


class LinearReward(Reward):
    r"""Reward that is linear in features, :math:`\sum_f w_f\,\phi_f`.

    Parameters
    ----------
    features : float (S, F), (S, A, F) or (S, A, K, F)
        Features of states, of state-action pairs, or of transitions (aligned with the successors).
    weights : float (F,) or Distribution
        Weights, in utility per unit of the feature.
    on : {"departure", "arrival"}, optional
        Time at which the reward is collected; needed for features of states, and only for them.
    names : tuple of str, optional
        Names of the features, for labels.

    Examples
    --------
    The reward :math:`r - \lambda c` of a constrained demonstrator: for a small price :math:`\lambda` of danger the
    shorter path is optimal.

    >>> import numpy as np
    >>> import goalinf as gi
    >>> field = gi.gridworld("s!a\n...", discount=0.9, terminal="a")
    >>> features = np.stack([field.indicator("a"), -field.indicator("!")], axis=1)
    >>> for price in (0.1, 1.0):
    ...     reward = gi.LinearReward(features, [1.0, price], on="arrival", names=("gain", "danger"))
    ...     gi.agents.boltzmann(beta=50.0).policy(field, reward).sel(state="s").idxmax("action").item()
    'right'
    'down'
    """

    features: Float[Array | np.ndarray, ...]
    weights: Leaf
    on: Literal["departure", "arrival"] | None = eqx.field(static=True)
    names: tuple[str, ...] | None = eqx.field(static=True)
    linear: ClassVar[bool] = True

    def __init__(
        self,
        features: Numbers,
        weights: Leaf | Numbers,
        *,
        on: Literal["departure", "arrival"] | None = None,
        names: tuple[str, ...] | None = None,
    ):
        self.features = leaf(features, "features of a LinearReward")
        self.weights = leaf(weights, "weights of a LinearReward")
        ndim = self.features.ndim
        if ndim not in (2, 3, 4):
            raise ValueError(f"features have {ndim} axes; expected (S, F), (S, A, F) or (S, A, K, F)")
        if (ndim == 2) != (on is not None):
            raise ValueError(
                "features of states need on='departure' or on='arrival'"
                if ndim == 2
                else "on= is for features of states; leave it out for features of actions or transitions"
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
        """Return rewards ``(S, 1, 1)``, ``(S, A, 1)`` or ``(S, A, K)``."""
        values = self.features @ self.weights
        if self.on is not None:
            return StateReward(values, on=self.on)(mdp)
        return values[:, :, None] if values.ndim == 2 else values

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: ``weights`` has one entry per feature; the features have further axes before it."""
        axes = ("state", "action", "successor")[: self.features.ndim - 1]
        return {"features": (*axes, "feature"), "weights": ("feature",)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name ``weights``."""
        return ("weights",)


def _timing(on: Any) -> Literal["departure", "arrival"]:
    if on not in ("departure", "arrival"):
        raise ValueError(
            f"on is {on!r}; expected 'departure' (collected on leaving a state) or 'arrival' (on entering it)"
        )
    return on
