"""Curvature of a posterior with more parameters than fit into one Hessian program, column by column."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.inference.model.log_density import Density

_TOGETHER = 16  # columns at a time


def curvature(density: Density, flat: np.ndarray, data: Any) -> np.ndarray:
    """Compute the Hessian of the potential ``(D, D)``, a few columns at a time; all columns would exceed the memory."""

    def columns(flat: Any, data: Any) -> Any:
        _, push = jax.linearize(lambda x: jax.grad(density.potential)(x, data), flat)
        return jax.lax.map(push, jnp.eye(flat.size, dtype=flat.dtype), batch_size=_TOGETHER)

    program = density.program("curvature", lambda: jax.jit(columns))
    return np.asarray(jax.device_get(program(flat, data)), float)
