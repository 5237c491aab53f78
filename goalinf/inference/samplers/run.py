"""Loop of a run: chains draw in parts, which are kept, thinned, and written about every minute."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from goalinf import interrupt
from goalinf.inference.results.checkpoint import Checkpoint
from goalinf.inference.samplers.geometry import Coordinates
from goalinf.inference.samplers.progress import Progress
from goalinf.inference.samplers.sampler import Draws, Sampled, Sampler, Settings, State
from goalinf.types import PRNGKey

PART = 100  # draws between two looks at whether it is time to write; the first part is the pilot


@dataclasses.dataclass(eq=False)
class Run:
    """Running chains and their draws so far.

    Parameters
    ----------
    sampler : Sampler
        Chains after their warm-up.
    coordinates : Coordinates
        Posterior in the coordinates of the sampler.
    settings : Settings
        Settings of the run.
    every : int
        Number k where every k-th draw so far is kept.
    warmup : int
        Steps of warm-up.
    sentence : callable
        Returns the description of the run.
    progress, checkpoint
        Progress bar, and the file of the draws so far.
    """

    sampler: Sampler
    coordinates: Coordinates
    settings: Settings
    every: int
    warmup: int
    sentence: Callable[[Run], str]
    progress: Progress
    checkpoint: Checkpoint
    parts: list[Draws] = dataclasses.field(default_factory=list)
    restarts: int = 0

    def __post_init__(self) -> None:
        self.steps = self.settings.draws * self.every

    @property
    def count(self) -> int:
        """Number of steps so far, of every chain."""
        return sum(part["potential"].shape[1] for part in self.parts)

    def sampled(self) -> Sampled:
        """Return the draws so far. Whatever continues the run starts at the last draw that is kept."""
        joined = {name: np.concatenate([part[name] for part in self.parts], 1) for name in self.parts[0]}
        draws = {name: values[:, : self.settings.draws] for name, values in thinned(joined, self.every).items()}
        return Sampled(
            draws,
            self.coordinates,
            self.sampler.algorithm,
            self.sentence(self),
            self.warmup,
            self.every,
            self.sampler.interrupted,
            dataclasses.replace(self.sampler.state, x=draws["x"][:, -1]),
            self.sampler.diagnostics,
        )

    def draw(self, review: Callable[[Run], None]) -> None:
        """Draw until there are enough draws, or until Ctrl-C; ``review`` is called after every part.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C where there are no draws.
        """
        while (count := self.count) < self.steps and not self.sampler.interrupted:
            try:
                if count and self.checkpoint.due():
                    self.checkpoint.write(self.sampled())
                self.parts.append(self.sampler.advance(min(PART, self.steps - count), self.progress))
            except KeyboardInterrupt:  # while writing, or before any chain had finished a block
                if not count:
                    raise
                self.sampler.interrupted = True
                break
            if self.count >= self.steps:
                self.every = self.steps // self.settings.draws
            if not self.sampler.interrupted:
                review(self)

    def begin_again(self) -> None:
        """Discard all draws."""
        self.progress.restart(self.settings.chains * self.count)
        self.checkpoint.begin_again()
        self.parts, self.restarts, self.every, self.steps = [], self.restarts + 1, 1, self.settings.draws

    def lengthen(self) -> None:
        """Draw twice as many steps, of which the same number of draws is kept; the draws so far are a complete run."""
        self.progress.lengthen(self.settings.chains * self.steps)
        self.checkpoint.begin_again()  # other draws are kept than those that were written so far
        self.steps *= 2


def run(
    key: PRNGKey,
    sampler: type[Sampler],
    coordinates: Coordinates,
    state: State,
    settings: Settings,
    checkpoint: Checkpoint,
    *,
    sentence: Callable[[Run], str],
    warmup: int = 0,
    every: int = 1,
    review: Callable[[Run], None] = lambda _: None,
) -> Sampled:
    """Run chains of a sampler from a state: the steps of the warm-up, then draws, every k-th of which is kept.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C where there are no draws.
    """
    steps = settings.chains * (warmup + settings.in_blocks(settings.draws * every))
    title = f"{sampler.algorithm}, {settings.chains} chains"
    with Progress(title, steps, show=settings.progress) as progress:
        chains = sampler(key, coordinates, state, settings, warmup=warmup)
        if warmup:
            chains.advance(warmup, progress, kept=False)
            if chains.interrupted:
                raise KeyboardInterrupt
        interrupt.keep(True)
        running = Run(chains, coordinates, settings, every, warmup, sentence, progress, checkpoint)
        running.draw(review)
    if running.steps > settings.draws * every:
        checkpoint.begin_again()
    return running.sampled()


def thinned(draws: Draws, every: int) -> Draws:
    """Keep every k-th draw ``(chains, draws, …)``, with the number of steps and the divergences of its window of k."""
    windows: dict[str, Callable[..., Any]] = {"n_steps": np.sum, "acceptance_rate": np.mean}
    windows |= {"diverging": np.any, "jumped": np.any}
    selected = {}
    for name, values in draws.items():
        complete = values[:, : values.shape[1] // every * every]
        grouped = complete.reshape(len(values), -1, every, *values.shape[2:])
        selected[name] = windows[name](grouped, axis=2) if name in windows and every > 1 else grouped[:, :, -1]
    return selected
