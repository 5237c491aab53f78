"""Floating-point precision of a computation, on the host or compiled; no global setting is changed."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
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
    """Return True where every number is on the host: nothing is traced, nothing is on a device."""
    if all(type(tree) is np.ndarray for tree in trees):  # the most frequent case; a small plan has a hundred calls
        return True
    return not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(trees))


def exactly(function: Callable[[], _T], *trees: PyTree) -> _T:
    """Evaluate ``function()``; where all given numbers are on the host, in the block's precision, returned to the host.

    Within a program of the user that JAX is tracing, possibly in another precision, it is evaluated at once.
    """
    if not on_host(*trees):
        return function()
    with computing_in(_chosen.get()), jax.ensure_compile_time_eval():
        return jax.device_get(function())


def namespace(*trees: PyTree) -> Any:
    """Return ``numpy`` where every number is on the host, ``jax.numpy`` otherwise, so that one formula serves both."""
    return np if on_host(*trees) else jnp


def _kind(leaf: ArrayLike) -> Any:
    dtype = getattr(leaf, "dtype", None) or np.result_type(leaf)
    return float if np.issubdtype(dtype, np.floating) else dtype
