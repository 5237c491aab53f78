"""HMC and NUTS: parallel chains of compiled blocks of steps, with progress and interruption."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.inference.model.program_cache import shapes
from goalinf.inference.samplers.geometry import Coordinates
from goalinf.inference.samplers.hmc import Algorithm, Kernel
from goalinf.inference.samplers.progress import Progress
from goalinf.inference.samplers.sampler import Draws, Sampler, Settings, State
from goalinf.interrupt import heed
from goalinf.precision import computing_in
from goalinf.types import PRNGKey

_HALVINGS = 3  # of the step size, each of which begins the draws again


class Chains(Sampler):
    """Chains of a NumPyro kernel. One block of steps is compiled once, for warm-up and sampling.

    Chains are Python threads that run one program on one device, or one program of all chains (``chain_method``).
    """

    algorithm: ClassVar[Algorithm]
    target_accept: ClassVar[float]
    first_step_size: ClassVar[float]
    options = ("target_accept", "chain_method")

    def __init__(self, key: PRNGKey, coordinates: Coordinates, state: State, settings: Settings, *, warmup: int):
        parameterization, geometry = coordinates.parameterization, coordinates.geometry
        accept = self.target_accept if settings.target_accept is None else settings.target_accept
        kernel = Kernel(
            parameterization.density,
            parameterization.target,
            self.algorithm,
            block=settings.block,
            target_accept=accept,
        )
        self._modes = coordinates.modes
        self._size = settings.block
        self._precision = settings.precision
        self._stop = threading.Event()
        self._halvings = 0
        args = (parameterization.data, *geometry.arrays())
        count = len(state.x)
        step_sizes = state.adapted.get("step_size", np.full(count, self.first_step_size))
        # All tracing is done here, on one thread; the chains only run compiled code.
        masses = state.adapted.get("inverse_mass", [None] * count)
        chains = zip(jax.random.split(key, count), state.x, step_sizes, masses, strict=True)
        states = [kernel.start(k, x, e, m, geometry, warmup=warmup) for k, x, e, m in chains]
        block = partial(kernel.run, warmup=warmup)
        if settings.chain_method == "vectorized":
            states = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)]
            block = jax.vmap(block, (0, None))
        name = (kernel.settings, warmup, settings.chain_method, shapes((states[0], args)))
        compiled = parameterization.density.program(name, lambda: jax.jit(block).lower(states[0], args).compile())
        self._block = lambda state: compiled(state, args)
        self._states = states

    @property
    def state(self) -> State:
        """Points, step sizes and diagonals of the inverse mass matrices of all chains."""
        adapted = {
            "step_size": np.concatenate([np.ravel(state.adapt_state.step_size) for state in self._states]),
            "inverse_mass": self._of_all([state.adapt_state.inverse_mass_matrix for state in self._states]),
        }
        return State(self._of_all([state.z for state in self._states]), adapted)

    @property
    def diagnostics(self) -> dict[str, float]:
        """Nothing: there are no importance weights."""
        return {}

    @property
    def _jumps(self) -> str:
        """Description of the jumps between several modes; empty for one mode."""
        return f", with jumps between {self._modes} modes" if self._modes > 1 else ""

    @staticmethod
    def _of_all(rows: list[Any]) -> np.ndarray:
        """Return vectors of all chains ``(chains, D)``, from one program of all chains or from one for each."""
        first, *_ = arrays = [np.asarray(row) for row in rows]
        return first if first.ndim == 2 else np.stack(arrays)

    def advance(self, steps: int, progress: Progress, *, kept: bool = True) -> Draws:
        """Run whole blocks; on Ctrl-C the chains finish their block, and the blocks of all chains are returned."""
        blocks = -(-steps // self._size)
        with ThreadPoolExecutor(len(self._states)) as pool:
            futures = [
                pool.submit(self._run_blocks, index, blocks, progress, kept) for index in range(len(self._states))
            ]
            try:
                while any(_unfinished(future) for future in futures):
                    heed()
            except KeyboardInterrupt:
                self._stop.set()
                self.interrupted = True
        by_chain = [future.result() for future in futures]
        common = min(len(blocks) for blocks in by_chain)
        if common == 0:
            raise KeyboardInterrupt
        names = by_chain[0][0]
        if len(by_chain) == 1 and np.ndim(names["potential"]) == 2:
            return {name: np.concatenate([block[name] for block in by_chain[0]], 1) for name in names}
        return {
            name: np.stack([np.concatenate([b[name] for b in chain[:common]]) for chain in by_chain]) for name in names
        }

    def _run_blocks(self, index: int, blocks: int, progress: Progress, kept: bool) -> list[Draws]:
        draws: list[Draws] = []
        with computing_in(self._precision):
            for _ in range(blocks):
                if self._stop.is_set():
                    break
                self._states[index], block = self._block(self._states[index])
                draws.append(jax.device_get(block))
                diverged = draws[-1]["diverging"]
                progress.advance(diverged.size, int(diverged.sum()) if kept else 0)
        return draws


class HMC(Chains):
    """HMC of fixed, jittered length, in coordinates whitened at the mode."""

    method, algorithm = "hmc", "HMC"
    default_warmup, target_accept, first_step_size = 200, 0.85, 0.3
    whitened = True

    def describe(self, target: str) -> str:
        """Describe the sampler; ``target`` names the sampled parameters."""
        return f"HMC of fixed length on {target}, whitened at the {'heaviest ' * (self._modes > 1)}mode{self._jumps}"

    def shrink_steps(self, draws: Draws) -> bool:
        """Halve the step sizes, up to three times, where draws diverged after the warm-up.

        Posteriors of rewards are curved sharply in places that warm-up rarely meets.
        """
        if self._halvings == _HALVINGS or not draws["diverging"].any():
            return False
        self._halvings += 1
        for index, state in enumerate(self._states):
            adapted = state.adapt_state._replace(step_size=0.5 * state.adapt_state.step_size)
            self._states[index] = state._replace(adapt_state=adapted)
        return True


class NUTS(Chains):
    """No-U-Turn sampler with an adapted diagonal mass matrix, around the mode."""

    method, algorithm = "nuts", "NUTS"
    default_warmup, target_accept, first_step_size = 1000, 0.95, 0.1
    whitened = False

    def describe(self, target: str) -> str:
        """Describe the sampler, which runs on all parameters."""
        return f"NUTS{self._jumps}"

    def shrink_steps(self, draws: Draws) -> bool:
        """Keep the step sizes: NUTS adapts to the curvature along its trajectories."""
        return False


def _unfinished(future: Future[list[Draws]]) -> bool:
    """Wait 0.1 s, so that Ctrl-C can be handled, and return True where the future has not finished."""
    try:
        future.exception(timeout=0.1)
    except TimeoutError:
        return True
    return False
