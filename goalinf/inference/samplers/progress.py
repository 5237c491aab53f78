"""Progress bar for chains and other long computations; silent where the error stream is not a terminal."""

from __future__ import annotations

import sys
import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Progress bar with completed steps, remaining time, and divergences of chains.

    Parameters
    ----------
    title : str
        Name of the computation.
    total : int
        Steps of all chains, or parts of the computation.
    divergences : bool
        True where the computation can have divergences.
    show : bool, optional
        Default: only where the error stream is a terminal. Inside another bar nothing is shown: a terminal has one.
    """

    _visible = False  # True while a bar of this process is on the screen

    def __init__(self, title: str, total: int, *, divergences: bool = True, show: bool | None = None):
        visible = (sys.stderr.isatty() if show is None else show) and not Progress._visible
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        if divergences:
            columns.append(TextColumn("{task.fields[divergences]} divergences"))
        self._bar = Bar(*columns, console=Console(stderr=True), disable=not visible, transient=True)
        self._task = self._bar.add_task(title, total=total, divergences=0)
        self._divergences = 0
        self._lock = threading.Lock()

    def advance(self, steps: int, divergences: int = 0) -> None:
        """Add finished steps, and the number of divergences among them after warm-up."""
        with self._lock:
            self._divergences += divergences
            self._bar.update(self._task, advance=steps, divergences=self._divergences)

    def say(self, title: str) -> None:
        """Set the title."""
        self._bar.update(self._task, description=title)

    def restart(self, steps: int) -> None:
        """Subtract steps whose draws were discarded."""
        with self._lock:
            self._divergences = 0
            self._bar.update(self._task, advance=-steps, divergences=0)

    def lengthen(self, steps: int) -> None:
        """Add steps to the total."""
        with self._lock:
            self._bar.update(self._task, total=(self._bar.tasks[self._task].total or 0) + steps)

    def __enter__(self) -> Progress:
        if not self._bar.disable:
            Progress._visible = True
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        if not self._bar.disable:
            Progress._visible = False
