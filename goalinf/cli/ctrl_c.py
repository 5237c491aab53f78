"""Response to Ctrl-C on the command line: one sentence on the error stream and exit code 130."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from goalinf import interrupt

EXIT = 130  # 128 + SIGINT


class Listener:
    """Response of a command to Ctrl-C, in its own thread, which also runs while JAX compiles.

    A command without draws to keep ends at once. A command with draws to keep detects the request at its next step,
    writes the draws, and exits with 130 where ``pressed`` is True.

    Attributes
    ----------
    keeps : str
        Message where the command writes its draws before it ends; empty for commands without draws.
    said : str
        Message where the command ends at once.
    scratch : Path or None
        Temporary folder of the command, removed where it ends at once.
    pressed : bool
        True after Ctrl-C.
    """

    def __init__(self) -> None:
        self.keeps = ""
        self.said = "Interrupted."
        self.scratch: Path | None = None
        self.pressed = False
        self._warned = False

    def listen(self, presses: socket.socket) -> None:
        """Respond to every SIGINT until the other end is closed."""
        with presses:
            while number := presses.recv(1):
                if number[0] == signal.SIGINT:
                    self.hear()

    def press(self, *_: object) -> None:
        """Request the end of the computation; runs in the main thread, between two Python instructions."""
        self.pressed = True
        interrupt.request()

    def hear(self) -> None:
        """End the process at once, or let it write its draws first."""
        if self.keeps and interrupt.keeping() and not self._warned:
            self._warned = True
            say(f"{self.keeps} Ctrl-C again stops at once.")
            return
        say("Stopped at once." if self._warned else self.said)
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT)  # a normal exit would wait for the threads of the computation


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """Respond to Ctrl-C while the block runs, in the main thread, unless the process ignores it."""
    listener = Listener()
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    if not main or not callable(handler):
        yield listener
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    interrupt.keep(False)
    interrupt.forget()
    threading.Thread(target=listener.listen, args=(receiver,), daemon=True).start()
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, listener.press)
    try:
        yield listener
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(before)
        sender.close()


def say(text: str) -> None:
    """Write a line to the error stream, and show the cursor that a progress bar has hidden."""
    shown = "\r\x1b[K\x1b[?25h" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{shown}{text}\n")
    sys.stderr.flush()
