"""A function of one draw, over all draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

_BATCH = 64  # draws at a time on an accelerator; on a CPU a planner that iterates is faster one draw after the other


def over_draws(function: Callable[..., Any], draws: Any, *args: Any) -> Any:
    """``function(draw, *args)`` of every draw, on the host.

    Parameters
    ----------
    function : callable
        Traceable.
    draws : pytree
        Arrays with a leading axis of draws.
    args
        What is the same for all.

    Returns
    -------
    pytree
        Results with a leading axis of draws.
    """
    return jax.device_get(mapped(function)(draws, args))


def mapped(function: Callable[..., Any]) -> Callable[[Any, tuple], Any]:
    """The program of :func:`over_draws`, of the draws and a tuple of what is the same for all."""
    batch = None if jax.default_backend() == "cpu" else _BATCH

    @jax.jit
    def program(draws, args):
        return jax.lax.map(lambda draw: function(draw, *args), draws, batch_size=batch)

    return program
