"""Protocol of samplers, and the records that samplers share."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal

import jax
import numpy as np

from goalinf.inference.samplers.geometry import Coordinates
from goalinf.inference.samplers.progress import Progress
from goalinf.precision import Precision
from goalinf.types import PRNGKey

ChainMethod = Literal["threads", "vectorized"]
Draws = dict[str, np.ndarray]  # statistics and coordinates of draws, (chains, draws, …)
SAMPLERS: dict[str, type[Sampler]] = {}  # by the value of ``method=``


def default_chain_method() -> ChainMethod:
    """Return "threads" on a CPU, "vectorized" on an accelerator."""
    return "threads" if jax.default_backend() == "cpu" else "vectorized"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Sampler settings; see :func:`~goalinf.infer`. ``block`` is the number of steps between checks for Ctrl-C."""

    chains: int
    draws: int
    precision: Precision
    warmup: int | None = None
    target_accept: float | None = None
    chain_method: ChainMethod = dataclasses.field(default_factory=default_chain_method)
    progress: bool | None = None
    block: int = 50

    def in_blocks(self, steps: int) -> int:
        """Round a number of steps up to whole blocks."""
        return -(-steps // self.block) * self.block


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """State of chains, from which they continue.

    Parameters
    ----------
    x : float (chains, D)
        Points of the chains, in the coordinates of the sampler.
    adapted : mapping from name to float (chains,) or (chains, D)
        Numbers that a sampler adapts during warm-up, such as step sizes; empty before the first step.
    """

    x: np.ndarray
    adapted: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Sampled:
    """Draws so far, their coordinates, and the state of the chains after the last of them.

    ``diagnostics`` are attributes of the fit; ``every`` is k where every k-th draw was kept.
    """

    draws: Draws
    coordinates: Coordinates
    algorithm: str
    sentence: str
    warmup: int
    every: int
    interrupted: bool
    state: State
    diagnostics: Mapping[str, float]


class Sampler(abc.ABC):
    """Running Markov chains of one algorithm.

    A final subclass is known to ``gi.infer`` by its ``method``, which no other has, once its module is imported.

    Parameters
    ----------
    key : jax.random key
        Source of randomness.
    coordinates : Coordinates
        Posterior in the coordinates of the sampler.
    state : State
        Starting points, or the state in which earlier chains stopped.
    settings : Settings
        Settings of the run.
    warmup : int
        Steps during which the sampler adapts.

    Attributes
    ----------
    method, algorithm : str
        Value of ``method=``, and the name of the algorithm in fits and in text.
    default_warmup : int
        Steps of warm-up where the user gives none.
    whitened : bool
        True where the coordinates are whitened by the curvature at the mode; False where they are shifted only.
    options : tuple of str
        Arguments of ``gi.infer`` that this sampler uses and others do not.
    interrupted : bool
        True after Ctrl-C.
    """

    method: ClassVar[str]
    algorithm: ClassVar[str]
    default_warmup: ClassVar[int]
    whitened: ClassVar[bool]
    options: ClassVar[tuple[str, ...]]
    interrupted: bool = False

    def __init_subclass__(cls) -> None:
        if "method" not in vars(cls):
            return
        other = SAMPLERS.get(cls.method)
        if other is not None and (other.__module__, other.__qualname__) != (
            cls.__module__,
            cls.__qualname__,
        ):
            raise TypeError(
                f"method {cls.method!r} is that of {other.__qualname__}: give {cls.__qualname__} another one"
            )
        SAMPLERS[cls.method] = cls

    @abc.abstractmethod
    def __init__(self, key: PRNGKey, coordinates: Coordinates, state: State, settings: Settings, *, warmup: int): ...

    @abc.abstractmethod
    def advance(self, steps: int, progress: Progress, *, kept: bool = True) -> Draws:
        """Run at least this many steps of every chain; returns arrays ``(chains, steps, …)``.

        ``x``, ``potential`` and ``diverging`` are required; other statistics are kept, too. Divergences are reported
        to ``progress`` where the steps are ``kept``. A sampler that can stop between two steps calls
        :func:`goalinf.interrupt.heed` there, or returns the finished steps and sets ``interrupted``.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C where there are no finished steps.
        """

    @property
    @abc.abstractmethod
    def state(self) -> State:
        """State of the chains after the last step."""

    @property
    @abc.abstractmethod
    def diagnostics(self) -> Mapping[str, float]:
        """Diagnostics of all steps so far, such as ``khat``; they become attributes of the fit."""

    @abc.abstractmethod
    def describe(self, target: str) -> str:
        """Describe the sampler; ``target`` names the sampled parameters."""

    @abc.abstractmethod
    def shrink_steps(self, draws: Draws) -> bool:
        """Halve the step size where these draws diverged; True where the draws must begin again."""
