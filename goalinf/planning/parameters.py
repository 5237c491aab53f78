"""Part: common base of beliefs, planners, choice rules and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, TypeVar

import equinox as eqx
import jax
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike
from numpyro.distributions import Delta, Distribution, ExpandedDistribution, Independent

from goalinf.planning.facts import UNKNOWN, Facts
from goalinf.rewards import Reward
from goalinf.types import Numeric, Real
from goalinf.worlds.world import World, label

_Kind = TypeVar("_Kind", bound="Part")

Parameter: TypeAlias = Real | Distribution  # a number, a traced value, or a prior
INFINITY = float("inf")
SHARE = (0.0, 1.0)
Ranges = dict[str, tuple[float, float]]
Dims = dict[str, tuple[str, ...]]  # names of the axes of every array
DefaultPriors = dict[str, Callable[[], Distribution]]  # functions: creating a distribution compiles code
_AXES = {"state", "action"}  # axes of an array parameter
_BESIDE = 1e-5  # distance outside the range at which a prior must have no support


class Part(eqx.Module):
    """Part of an agent.

    ``parameters`` are the fields that may carry a prior, with their smallest and largest value. A name belongs to
    exactly one part, so that it identifies the parameter in every agent. ``known`` are other numeric fields. ``dims``
    names the axes, ``"state"`` and ``"action"``, of fields that may be arrays; an array may have the last ones only.
    Other fields are single numbers. ``default_priors`` are the usual priors of the parameters for rewards of about unit
    size, from the papers cited with the agents.
    """

    parameters: ClassVar[Ranges] = {}
    known: ClassVar[Ranges] = {}
    dims: ClassVar[Dims] = {}
    default_priors: ClassVar[DefaultPriors] = {}

    @property
    def facts(self) -> Facts:
        """Facts about agents with this part; unknown by default."""
        return UNKNOWN

    @property
    def numpy(self) -> bool:
        """True where the part also works on the host, with NumPy arrays."""
        return False

    def __check_init__(self) -> None:
        for name, (low, high) in {**self.parameters, **self.known}.items():
            if name not in self.__dataclass_fields__:
                raise TypeError(
                    f"{type(self).__name__} lists the parameter {name!r} and has no field of this name: declare it in "
                    f"the class, {name}: Parameter"
                )
            value = check_parameter(name, getattr(self, name), low, high, self.dims.get(name, ()))
            if name in self.known and isinstance(value, Distribution):
                raise ValueError(f"{name} is a prior; a {type(self).__name__} takes numbers in {interval(low, high)}")
            if value is None and self.__dataclass_fields__[name].default is not None:
                raise ValueError(f"{name} is None; expected a number in {interval(low, high)}, or a prior")

        for name, dims in self.dims.items():
            if wrong := set(dims) - _AXES:
                raise TypeError(
                    f"{type(self).__name__} declares the axis {wrong.pop()!r} of {name}; expected 'state' or 'action'"
                )

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world or a reward that the part does not fit, before planning."""

    def check_shapes(self, world: World) -> None:
        """Refuse a world that an array of the part does not fit."""
        sizes = {"state": world.n_states, "action": world.n_actions}
        for name, dims in self.dims.items():
            if ndim := np.ndim(getattr(self, name)):
                axes = last_axes(dims, ndim)
                check_shape(name, getattr(self, name), tuple(sizes[axis] for axis in axes), ", ".join(axes))

    def confounded(self, reward: Reward, *, ends: bool) -> dict[str, str]:
        """Return parameters that are unidentified for a reason specific to this part: name -> reason."""
        return {}


def beta_prior() -> Distribution:
    """Make the usual prior of an inverse temperature."""
    return dist.LogNormal(0.6931471805599453, 1.0)


def discount_prior() -> Distribution:
    """Make the usual prior of a discount factor."""
    return dist.Beta(18.0, 2.0)


def part_of_kind(name: str, part: object, kind: type[_Kind]) -> _Kind:
    """Return the part if it is of this kind; refuse any other.

    Raises
    ------
    ValueError
        Where it is not.
    """
    if not isinstance(part, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise ValueError(f"{name} is {part!r}; expected {article} {kind.__name__}, as in goalinf.agents")
    return part


def last_axes(dims: tuple[str, ...], ndim: int) -> tuple[str, ...]:
    """Return the names of the axes of an array, of all axes that it may have."""
    return dims[max(len(dims) - ndim, 0) :]


def check_parameter(name: str, value: Any, low: float, high: float, dims: tuple[str, ...] = ()) -> Any:
    """Return a number within its range as a host array; a prior, a traced value or None unchanged.

    It may be an array where ``dims`` names axes.

    Raises
    ------
    ValueError
        Where it is no number, several numbers, or outside the range; or where a prior has support outside.
    """
    if isinstance(value, Distribution):
        _check_support(name, value, low, high)
    elif isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer):
        _check_numbers(name, value, low, high)
    elif value is not None and not isinstance(value, (jax.Array, jax.ShapeDtypeStruct)):
        value = _check_numbers(name, value, low, high)
    shape = value.shape() if isinstance(value, Distribution) else np.shape(value)
    if shape and not dims:
        raise ValueError(f"{name} has shape {shape}; expected one number")
    return value


def _check_numbers(name: str, value: Any, low: float, high: float) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list of lists
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} is {value!r}; expected a number in {interval(low, high)}, or a prior")
    array = array.astype(np.float64)
    wrong = ~((array >= low) & (array <= high) & np.isfinite(array))
    if wrong.any():
        first_wrong = array[wrong].ravel()[0]
        raise ValueError(f"{name} is {first_wrong:g}; expected a finite number in {interval(low, high)}")
    return array


def _check_support(name: str, prior: Distribution, low: float, high: float) -> None:
    """Refuse a prior with support outside the range, where the model is not defined."""
    entry = entry_prior(prior)
    if isinstance(entry, Delta):
        raise ValueError(f"the prior of {name} is a Delta, which is a known value: give the number instead")
    limits = getattr(entry.support, "lower_bound", low), getattr(entry.support, "upper_bound", high)
    outside = np.any(np.asarray(limits[0]) < low - _BESIDE) or np.any(np.asarray(limits[1]) > high + _BESIDE)
    for bound, beside in ((low, low - _BESIDE), (high, high + _BESIDE)):
        if outside or (np.isfinite(bound) and np.any(prior.support(np.full(prior.shape(), beside)))):
            raise ValueError(
                f"the prior of {name}, {type(prior).__name__}, has support outside {interval(low, high)}: use a prior "
                "with support in this range, such as numpyro.distributions.Beta, LogNormal or TruncatedNormal"
            )


def entry_prior(prior: Distribution) -> Distribution:
    """Return the distribution inside its expansions and declarations of independence."""
    while isinstance(prior, (Independent, ExpandedDistribution)):
        prior = prior.base_dist
    return prior


def interval(low: float, high: float) -> str:
    """Format a range; the limits of open intervals are stored as numbers next to a round number."""
    left = "(0" if 0 < low < 1e-6 else f"[{low:g}"
    right = "1)" if 1 - 1e-6 < high < 1 else f"{high:g}]"
    return f"{left}, {right}"


def check_shape(name: str, value: ArrayLike, expected: tuple[int, ...], axes: str) -> None:
    """Refuse an array that does not fit the world."""
    if np.shape(value) != expected:
        raise ValueError(f"{name} has shape {np.shape(value)}; this world needs {expected} ({axes})")


def check_policy(name: str, policy: ArrayLike, world: World, over: Numeric) -> None:
    """Refuse a policy, (A,) or (S, A), that does not fit the world or allows no available action in a state."""
    n_states, n_actions = world.n_states, world.n_actions
    if np.shape(policy) != (n_actions,):
        check_shape(name, policy, (n_states, n_actions), "state, action; or (action,)")
    idle = ~((np.asarray(policy) > 0) & world.mdp.available).any(axis=1) & ~over
    if idle.any():
        state = world.states[int(idle.argmax())]
        raise ValueError(f"{name} gives no available action a probability above 0 in state {state!r}")


def check_dead_ends(whose: str, goal: np.ndarray, dead: np.ndarray, world: World) -> None:
    """Refuse dead ends of another world, in which other states cannot reach the goal."""
    unreachable = ~world.can_reach(goal)
    wrong = (((dead | world.mdp.terminal) & ~goal) != unreachable).nonzero()[0]
    if wrong.size:
        is_dead, is_listed = ("is", "is not") if unreachable[wrong[0]] else ("is not", "is")
        count = f" ({wrong.size} such states)" if wrong.size > 1 else ""
        raise ValueError(
            f"the dead ends of {whose} belong to another world: state {label(world.states[wrong[0]])} {is_dead} a dead "
            f"end in this world and {is_listed} one of them{count}. Make goals from the world that they are used in, "
            "gi.goals(world, …), and give a mapping from context to reward where there are several worlds"
        )
