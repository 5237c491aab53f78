"""What public functions ask of their arguments before they begin, in the user's words."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

PRNGKey = jax.Array | np.ndarray | int  # a key of JAX, or the seed of one
_P = ParamSpec("_P")
_R = TypeVar("_R")
_SEEDS = 2**32


def check_kind(what: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse a thing of another kind: ``"world is a str; expected …"``."""
    if not isinstance(value, kind):
        given = "is not given" if value is None else f"is a {_kind(value)}"
        raise TypeError(f"{what} {given}; expected {expected}")


def check_number(what: str, value: Any, low: float, high: float, expected: str) -> float:
    """A single number in [low, high] as a float."""
    single = isinstance(value, (numbers.Real, np.ndarray)) and getattr(value, "ndim", 0) == 0
    if not single or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}; expected {expected}")
    return float(value)


def as_number(what: str, value: Any) -> float:
    """A single number of any kind (Python, NumPy, JAX) as a float; text is none."""
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is {value!r}; expected a number") from None


def check_count(what: str, value: Any, least: int = 1) -> None:
    """Refuse what is not a whole number of at least so many."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} is {value!r}; expected a whole number of at least {least}")


def check_flag(what: str, value: Any) -> None:
    """Refuse what is neither true nor false: a word would count as true."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{what} is {value!r}; expected True or False")


def check_choice(what: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse a word that is none of those known: ``"by is 'mcmc'; expected 'laplace' or 'svi'"``."""
    if not isinstance(value, Hashable) or value not in choices:
        known = [repr(choice) for choice in choices]
        raise ValueError(f"{what} is {value!r}; expected {', '.join(known[:-1])} or {known[-1]}")


def check_share(what: str, value: Any) -> float:
    """A single number between zero and one, both excluded, as a float."""
    expected = "a number in (0, 1)"
    number = check_number(what, value, 0.0, 1.0, expected)
    if number in (0.0, 1.0):
        raise ValueError(f"{what} is {value!r}; expected {expected}")
    return number


def random_key(key: Any) -> jax.Array:
    """A key of JAX (of either kind), or that of a seed: a whole number in [0, 2^32), as in ``jax.random.key(seed)``.

    Raises
    ------
    TypeError, ValueError
        Where it is neither, because the key was forgotten, for one.
    """
    expected = f"expected a whole number in [0, {_SEEDS}) as a seed, or a JAX random key, such as jax.random.key(0)"
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if not 0 <= key < _SEEDS:  # beyond, JAX makes other keys in the other precision
            raise ValueError(f"key is {key!r}; {expected}")
        return jax.random.key(int(key))
    try:
        words = jax.random.key_data(key)
    except (TypeError, ValueError, AttributeError):
        if isinstance(key, (float, str, bool)) or key is None:
            raise ValueError(f"key is {key!r}; {expected}") from None
        forgotten = "Was the key forgotten? It is an argument of its own"
        raise TypeError(f"key is a {_kind(key)}; {expected}. {forgotten}") from None
    if words.ndim != 1:
        raise ValueError("key holds an array of keys; expected one key, such as jax.random.key(0)")
    return key


def takes_key(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let the argument ``key`` be a seed, too, and check it before the number of the other arguments.

    Where the key was forgotten, all other arguments stand one place too early, and Python names the last of them as
    missing.
    """
    place = list(inspect.signature(function).parameters).index("key")

    @functools.wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given: list[Any] = list(args)
        if place < len(given):
            given[place] = random_key(given[place])
        elif "key" in kwargs:
            kwargs["key"] = random_key(kwargs["key"])
        return function(*given, **kwargs)

    return called


def _kind(value: Any) -> str:
    return f"class ({value.__name__})" if isinstance(value, type) else type(value).__name__
