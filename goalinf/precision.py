"""Floating-point precision of a computation, on the host or compiled; no global setting is changed."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Literal, TypeVar, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import PyTree

from goalinf.checks import check_choice
from goalinf.interrupt import deferred

_T = TypeVar("_T")
Precision = Literal["float64", "float32"]
_chosen: contextvars.ContextVar[Precision | None] = contextvars.ContextVar("precision of the block", default=None)


def default_precision() -> Precision:
    """Return the default precision: float64 on a CPU, float32 on an accelerator."""
    return "float64" if jax.default_backend() == "cpu" else "float32"


@contextlib.contextmanager
def computing_in(precision: Precision | None = None) -> Iterator[Precision]:
    """Run a block in this precision (default: the precision of the device); the setting is local to the thread.

    Ctrl-C is deferred within it (see :mod:`goalinf.interrupt`).
    """
    chosen = default_precision() if precision is None else precision
    check_choice("precision", chosen, get_args(Precision))
    token = _chosen.set(chosen)
    try:
        with deferred(), jax.enable_x64(chosen == "float64"):
            yield chosen
    finally:
        _chosen.reset(token)


def cast(tree: _T) -> _T:
    """Convert every number of a record to a device array in the precision of the block, for a compiled program."""

    def entered(leaf):
        dtype = jnp.result_type(_kind(leaf))
        # Converted on the host: compiled code must not receive a number of higher precision than its own.
        return leaf.astype(dtype) if isinstance(leaf, jax.Array) else jnp.asarray(np.asarray(leaf, dtype))

    return jax.tree.map(entered, tree)


def on_host(*trees: PyTree) -> bool:
    """Return True where every number is on the host: nothing is traced, nothing is on a device.

    It looks at every number of the records, and decides at the entry of a call whether the call computes on the host.
    """
    return not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(trees))


def exactly(function: Callable[[], _T], *trees: PyTree) -> _T:
    """Evaluate ``function()``; where all given numbers are on the host, in the block's precision, returned to the host.

    Within a program of the user that JAX is tracing, possibly in another precision, it is evaluated at once.
    """
    if not on_host(*trees):
        return function()
    with computing_in(_chosen.get()), jax.ensure_compile_time_eval():
        return jax.device_get(function())


def namespace(*arrays: ArrayLike) -> ModuleType:
    """Return ``jax.numpy`` where one of these arrays is an array of JAX, ``numpy`` otherwise: one formula serves both.

    Arrays are looked at, and no records: the entry of a call (:func:`on_host`) has made all numbers of one kind.
    """
    return jnp if any(isinstance(array, jax.Array) for array in arrays) else np


def _kind(leaf: ArrayLike) -> Any:
    dtype = getattr(leaf, "dtype", None) or np.result_type(leaf)
    return float if np.issubdtype(dtype, np.floating) else dtype
