"""The program ``goalinf``, also as ``python -m goalinf``."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with one sentence, unless a running command handles the interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from goalinf.cli import app

    app()


def _end(*_: object) -> None:
    sys.stderr.write("Interrupted.\n")
    sys.stderr.flush()
    os._exit(130)


if __name__ == "__main__":
    main()
