"""Interrupts (Ctrl-C), handled between two steps of a computation and never within a step.

A KeyboardInterrupt that is raised while JAX traces or compiles can end the process with a segmentation fault. While the
library computes, Ctrl-C is therefore stored as a request, which takes effect at the next step of a loop on the host or
at the end of the computation.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_requested = threading.Event()
_keeping = threading.Event()  # there are draws that an interrupt must keep
_presses = 0


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Turn Ctrl-C into a request for the duration of the block.

    This applies only in the main thread, and only where Ctrl-C would raise KeyboardInterrupt. A second Ctrl-C raises
    KeyboardInterrupt at once.

    Raises
    ------
    KeyboardInterrupt
        At the end of the block, where the request was not handled within it.
    """
    global _presses
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _presses = 0
    _requested.clear()
    signal.signal(signal.SIGINT, _press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    heed()


def heed() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed; called where a computation may stop."""
    if _requested.is_set() and threading.current_thread() is threading.main_thread():
        _requested.clear()
        raise KeyboardInterrupt


def request() -> None:
    """Ask the computation to stop at its next step."""
    _requested.set()


def forget() -> None:
    """Discard a request, because the computation is complete."""
    _requested.clear()


def keep(draws: bool) -> None:
    """Record whether there are draws that an interrupt must keep."""
    (_keeping.set if draws else _keeping.clear)()


def keeping() -> bool:
    """Return True where there are draws that an interrupt must keep."""
    return _keeping.is_set()


def _press(*_: object) -> None:
    global _presses
    _presses += 1
    if _presses > 1:
        raise KeyboardInterrupt
    request()
