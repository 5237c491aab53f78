"""NumPyro kernels of HMC and NUTS, over a flat density in the coordinates of a sampler."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpyro.infer.hmc import HMCState, hmc

from goalinf.inference.model.log_density import Density
from goalinf.inference.model.mode import Remembered
from goalinf.inference.samplers.geometry import Geometry
from goalinf.inference.samplers.jumps import Maps
from goalinf.types import PRNGKey

Algorithm = Literal["HMC", "NUTS"]
Arguments = tuple[Any, ...]  # data, center and scale of the coordinates, and the maps of several modes
# 1.25 times the quarter period of a standard normal, after which the next draw would be independent of the last; the
# factor accounts for posteriors that are wider than their Laplace approximations.
_LENGTH = 1.25 * np.pi / 2
_MOST_STEPS = 100  # per draw: bounds the time of the pilot run where the geometry does not fit and steps become small


class Kernel:
    """NumPyro kernel over a flat density, as compiled programs of an initial state and of a block of steps.

    HMC has a fixed, jittered trajectory length in whitened coordinates; NUTS adapts its own mass matrix.
    Where there are several modes, every move is followed by the proposal of a jump to another mode.
    The data and the geometry are arguments, so that one compiled block serves every data set of a shape.
    """

    def __init__(
        self,
        density: Density,
        target: Remembered,
        algorithm: Algorithm,
        *,
        block: int,
        target_accept: float,
    ):
        self.density = density
        self.algorithm = algorithm
        self.block = block
        self.settings = algorithm, block, target_accept

        def potential_of(data, center, scale, *_):
            return lambda x: density.potential(center + scale @ x, data)

        self._potential_of = potential_of
        self._init, self._sample = hmc(potential_fn_gen=potential_of, algo=algorithm)
        self._options = {
            "adapt_mass_matrix": algorithm == "NUTS",
            "target_accept_prob": target_accept,
            "trajectory_length": _LENGTH if algorithm == "HMC" else None,
            "find_heuristic_step_size": False,
        }
        self._target = target

    def start(
        self, key: PRNGKey, x: np.ndarray, step_size: float, mass: np.ndarray | None, geometry: Geometry, *, warmup: int
    ) -> HMCState:
        """Return the state of a chain at x.

        NumPyro would compile the potential again to evaluate it here; the target of the mode search is used instead.
        """
        value, slope = self._target.slope(geometry.center + geometry.scale @ x)
        flat_kernel = hmc(potential_fn=lambda x: jnp.zeros(()), algo=self.algorithm)
        settings = {"step_size": step_size, "inverse_mass_matrix": mass, "rng_key": key}
        state = flat_kernel[0](jnp.asarray(x), warmup, **settings, **self._options)
        initial = state._replace(potential_energy=jnp.asarray(value), z_grad=jnp.asarray(geometry.scale.T @ slope))
        return jax.tree.map(jnp.asarray, initial)

    def run(self, state: HMCState, args: Arguments, *, warmup: int) -> tuple[HMCState, dict[str, Array]]:
        """Run a block of steps; traceable."""
        self._init(
            state.z, warmup, model_args=args, rng_key=state.rng_key, **self._options
        )  # sets the kernel's schedule

        def step(state, _):
            if self.algorithm == "HMC":
                key, jitter = jax.random.split(state.rng_key)
                length = _LENGTH * jax.random.uniform(jitter, minval=0.7, maxval=1.3)
                length = jnp.minimum(length, _MOST_STEPS * state.adapt_state.step_size)
                state = state._replace(rng_key=key, trajectory_length=length)
            state = self._sample(state, args, {})
            jumped: dict[str, Array] = {}
            if len(args) > 3:
                state, jumped = self._jump(state, args)
            draw = {
                **jumped,
                "x": state.z,
                "potential": state.potential_energy,
                "diverging": state.diverging,
                "n_steps": state.num_steps,
                "acceptance_rate": state.accept_prob,
                "step_size": state.adapt_state.step_size,
                "energy": state.energy,
            }
            return state, draw

        return jax.lax.scan(step, state, None, length=self.block)

    def _jump(self, state: HMCState, args: Arguments) -> tuple[HMCState, dict[str, Array]]:
        """Propose a jump; returns the state afterwards, and the number of its mode."""
        maps: Maps = args[3]
        key, key_jump, key_accept = jax.random.split(state.rng_key, 3)
        proposal, log_volume, possible = maps.propose(key_jump, state.z)
        value, slope = jax.value_and_grad(self._potential_of(*args))(proposal)
        accept = possible & (jnp.log(jax.random.uniform(key_accept)) < state.potential_energy - value + log_volume)
        accept &= jnp.isfinite(value) & jnp.isfinite(slope).all()
        proposed = state._replace(z=proposal, potential_energy=value, z_grad=slope)
        state = jax.tree.map(lambda new, old: jnp.where(accept, new, old), proposed, state)
        return state._replace(rng_key=key), {"mode": maps.nearest(state.z), "jumped": accept}
