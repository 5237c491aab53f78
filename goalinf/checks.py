"""Checks of the arguments of public functions."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.types import PRNGKey

_P = ParamSpec("_P")
_R = TypeVar("_R")
_SEEDS = 2**32


def check_kind(what: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse an argument of another type: ``"world is a str; expected …"``."""
    if not isinstance(value, kind):
        given = "is not given" if value is None else f"is a {_kind(value)}"
        raise TypeError(f"{what} {given}; expected {expected}")


def check_number(what: str, value: Any, low: float, high: float, expected: str) -> float:
    """Return a single number in [low, high] as a float; refuse any other value."""
    single = isinstance(value, (numbers.Real, np.ndarray)) and getattr(value, "ndim", 0) == 0
    if not single or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}; expected {expected}")
    return float(value)


def as_number(what: str, value: Any) -> float:
    """Return a single number of any kind (Python, NumPy, JAX) as a float; refuse text."""
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is {value!r}; expected a number") from None


def check_count(what: str, value: Any, least: int = 1) -> None:
    """Refuse a value that is not a whole number of at least ``least``."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} is {value!r}; expected a whole number of at least {least}")


def check_flag(what: str, value: Any) -> None:
    """Refuse a value that is neither true nor false: a text would count as true."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{what} is {value!r}; expected True or False")


def check_choice(what: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse a value outside the list of choices: ``"by is 'mcmc'; expected 'laplace' or 'svi'"``."""
    if not isinstance(value, Hashable) or value not in choices:
        known = [repr(choice) for choice in choices]
        raise ValueError(f"{what} is {value!r}; expected {', '.join(known[:-1])} or {known[-1]}")


def check_share(what: str, value: Any) -> float:
    """Return a single number between zero and one, both excluded, as a float; refuse any other value."""
    expected = "a number in (0, 1)"
    number = check_number(what, value, 0.0, 1.0, expected)
    if number in (0.0, 1.0):
        raise ValueError(f"{what} is {value!r}; expected {expected}")
    return number


def random_key(key: PRNGKey, name: str = "key") -> jax.Array:
    """Return a JAX random key from a key (of either kind) or from a seed, a whole number in [0, 2^32).

    Raises
    ------
    TypeError, ValueError
        Where it is neither, for example because the key was forgotten.
    """
    expected = f"expected a whole number in [0, {_SEEDS}) as a seed, or a JAX random key, such as jax.random.key(0)"
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if not 0 <= key < _SEEDS:  # for larger seeds the keys of JAX depend on the precision
            raise ValueError(f"{name} is {key!r}; {expected}")
        return jax.random.key(int(key))
    try:
        words = jax.random.key_data(key)
    except (TypeError, ValueError, AttributeError):
        if isinstance(key, (float, str, bool)) or key is None:
            raise ValueError(f"{name} is {key!r}; {expected}") from None
        forgotten = "Was the key forgotten? It is an argument of its own"
        raise TypeError(f"{name} is a {_kind(key)}; {expected}. {forgotten}") from None
    if words.ndim != 1:
        raise ValueError(f"{name} holds an array of keys; expected one key, such as jax.random.key(0)")
    return jnp.asarray(key)


def numpy_generator(key: PRNGKey) -> np.random.Generator:
    """Return a random generator of NumPy whose seed are the words of a JAX random key."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())


def takes_key(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a function so that its argument ``key`` may be a seed, and is checked before the other arguments.

    Where the key was forgotten, all other arguments are one position too early, and Python would report the last of
    them as missing.
    """
    place = list(inspect.signature(function).parameters).index("key")

    @functools.wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given: list[Any] = list(args)
        named: dict[str, Any] = dict(kwargs)
        if place < len(given):
            given[place] = random_key(given[place])
        elif "key" in named:
            named["key"] = random_key(named["key"])
        return function(*given, **named)

    return called


def _kind(value: Any) -> str:
    return f"class ({value.__name__})" if isinstance(value, type) else type(value).__name__
