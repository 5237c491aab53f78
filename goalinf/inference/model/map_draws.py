"""Evaluation of a function of one draw at all draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import ArrayLike, PyTree

_BATCH = 64  # draws per batch on an accelerator; on a CPU an iterative planner is faster one draw at a time


def mapped(function: Callable[..., Any]) -> Callable[[PyTree[ArrayLike], tuple[Any, ...]], Any]:
    """Compile ``function(draw, *args)`` to a program of all draws and the tuple of further arguments.

    Parameters
    ----------
    function : callable
        Traceable. A new function object is compiled again: keep the program
        (:func:`~goalinf.inference.model.program_cache.shared`).

    Returns
    -------
    callable
        Maps draws (a pytree of arrays with a leading axis) and shared arguments to results with a leading axis of
        draws.
    """
    batch = None if jax.default_backend() == "cpu" else _BATCH

    @jax.jit
    def program(draws, args):
        return jax.lax.map(lambda draw: function(draw, *args), draws, batch_size=batch)

    return program
