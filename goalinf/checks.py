"""What public functions ask of their arguments before they begin, in the user's words."""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Sequence
from typing import Any

import jax
import numpy as np


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


def check_key(key: Any) -> None:
    """Refuse what is not one random key of JAX (the old kind, ``PRNGKey``, is one)."""
    try:
        words = jax.random.key_data(key)
    except (TypeError, ValueError, AttributeError):
        raise ValueError(f"key is {_shown(key)}; expected a JAX random key, such as jax.random.key(0)") from None
    if words.ndim != 1:
        raise ValueError("key holds an array of keys; expected one key, such as jax.random.key(0)")


def _kind(value: Any) -> str:
    return f"class ({value.__name__})" if isinstance(value, type) else type(value).__name__


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (int, float, str)) or value is None else f"a {_kind(value)}"
