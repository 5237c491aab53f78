"""Loop over the steps of a kernel: parallel chains, blocks of steps, progress, interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.inference.model.program_cache import shapes
from goalinf.inference.samplers.hmc import Geometry, Kernel
from goalinf.inference.samplers.progress import Progress
from goalinf.interrupt import heed
from goalinf.precision import Precision, computing_in

ChainMethod = Literal["threads", "vectorized"]
Draws = dict[str, np.ndarray]


def default_chain_method() -> ChainMethod:
    """Return "threads" on a CPU, "vectorized" on an accelerator."""
    return "threads" if jax.default_backend() == "cpu" else "vectorized"


class Chains:
    """State of running Markov chains. One block of steps is compiled once, for warm-up and sampling.

    Parameters
    ----------
    key : jax.random key
        Source of randomness.
    kernel, geometry, data
        Kernel, its coordinates, and the data.
    start : float (chains, D)
        Starting points of the chains, in the coordinates of the sampler.
    step_size : float (chains,)
        Initial step sizes.
    warmup : int
        Steps during which the kernel adapts.
    method : {"threads", "vectorized"}
        Python threads that run one program on one device, or one program of all chains.
    inverse_mass : float (chains, D), optional
        Diagonals of the initial inverse mass matrices.
    """

    khat: float | None = None  # there are no importance weights

    def __init__(
        self,
        key: Any,
        kernel: Kernel,
        geometry: Geometry,
        data: Any,
        start: np.ndarray,
        *,
        step_size: np.ndarray,
        warmup: int,
        method: ChainMethod,
        precision: Precision,
        inverse_mass: np.ndarray | None = None,
    ):
        self._size = kernel.block
        self._precision = precision
        self._stop = threading.Event()
        self.interrupted = False
        args = (data, *geometry.arrays())
        keys = jax.random.split(key, len(start))
        # All tracing is done here, on one thread; the chains only run compiled code.
        masses = [None] * len(start) if inverse_mass is None else inverse_mass
        chains = zip(keys, start, step_size, masses, strict=True)
        states = [kernel.start(k, x, e, m, geometry, warmup=warmup) for k, x, e, m in chains]
        block = partial(kernel.run, warmup=warmup)
        if method == "vectorized":
            states = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)]
            block = jax.vmap(block, (0, None))
        name = (kernel.settings, warmup, method, shapes((states[0], args)))
        compiled = kernel.density.program(name, lambda: jax.jit(block).lower(states[0], args).compile())
        self._block = lambda state: compiled(state, args)
        self._states = states

    @property
    def step_size(self) -> np.ndarray:
        """Step sizes of all chains, ``(chains,)``."""
        return np.concatenate([np.ravel(state.adapt_state.step_size) for state in self._states])

    @property
    def inverse_mass(self) -> np.ndarray:
        """Diagonals of the inverse mass matrices of all chains, ``(chains, D)``."""
        found = [np.asarray(state.adapt_state.inverse_mass_matrix) for state in self._states]
        return found[0] if found[0].ndim == 2 else np.stack(found)

    def advance(self, steps: int, progress: Progress, *, kept: bool = True) -> Draws:
        """Run at least this many steps (whole blocks) of every chain; returns arrays ``(chains, steps, …)``.

        On Ctrl-C the chains finish their block; the blocks that all chains have are returned and ``interrupted`` is
        set.

        Raises
        ------
        KeyboardInterrupt
            Where no block was finished.
        """
        blocks = -(-steps // self._size)
        with ThreadPoolExecutor(len(self._states)) as pool:
            futures = [pool.submit(self._walk, index, blocks, progress, kept) for index in range(len(self._states))]
            try:
                while any(_unfinished(future) for future in futures):
                    heed()
            except KeyboardInterrupt:
                self._stop.set()
                self.interrupted = True
        found = [future.result() for future in futures]
        common = min(len(blocks) for blocks in found)
        if common == 0:
            raise KeyboardInterrupt
        names = found[0][0]
        if len(found) == 1 and np.ndim(names["potential"]) == 2:
            return {name: np.concatenate([block[name] for block in found[0]], 1) for name in names}
        return {
            name: np.stack([np.concatenate([b[name] for b in chain[:common]]) for chain in found]) for name in names
        }

    def scale_step_size(self, factor: float) -> None:
        """Multiply the step sizes of all chains; for use after warm-up, when they are fixed."""
        for index, state in enumerate(self._states):
            adapted = state.adapt_state._replace(step_size=factor * state.adapt_state.step_size)
            self._states[index] = state._replace(adapt_state=adapted)

    def _walk(self, index: int, blocks: int, progress: Progress, kept: bool) -> list[Draws]:
        found: list[Draws] = []
        with computing_in(self._precision):
            for _ in range(blocks):
                if self._stop.is_set():
                    break
                self._states[index], block = self._block(self._states[index])
                found.append(jax.device_get(block))
                diverged = found[-1]["diverging"]
                progress.advance(diverged.size, int(diverged.sum()) if kept else 0)
        return found


def thinned(draws: Draws, every: int) -> Draws:
    """Keep every k-th draw ``(chains, draws, …)``, with the number of steps and the divergences of its window of k."""
    windows: dict[str, Callable[..., Any]] = {"n_steps": np.sum, "acceptance_rate": np.mean}
    windows |= {"diverging": np.any, "jumped": np.any}
    kept = {}
    for name, values in draws.items():
        whole = values[:, : values.shape[1] // every * every]
        split = whole.reshape(len(values), -1, every, *values.shape[2:])
        kept[name] = windows[name](split, axis=2) if name in windows and every > 1 else split[:, :, -1]
    return kept


def _unfinished(future: Future) -> bool:
    """Wait 0.1 s, so that Ctrl-C can be handled, and return True where the future has not finished."""
    try:
        future.exception(timeout=0.1)
    except TimeoutError:
        return True
    return False
