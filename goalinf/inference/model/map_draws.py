"""A function of one draw, over all draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

_BATCH = 64  # draws at a time on an accelerator; on a CPU a planner that iterates is faster one draw after the other


def mapped(function: Callable[..., Any]) -> Callable[[Any, tuple], Any]:
    """``function(draw, *args)`` of every draw, as a program of the draws and the tuple of further arguments.

    Parameters
    ----------
    function : callable
        Traceable. A function made anew is compiled anew: keep the program
        (:func:`~goalinf.inference.model.program_cache.shared`).

    Returns
    -------
    callable
        Draws, a pytree of arrays with a leading axis, and the arguments that all of them share -> results with a
        leading axis of draws.
    """
    batch = None if jax.default_backend() == "cpu" else _BATCH

    @jax.jit
    def program(draws, args):
        return jax.lax.map(lambda draw: function(draw, *args), draws, batch_size=batch)

    return program
