"""``goalinf fit --resume``: go on with a fit that was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

# Options that the file does not hold, or that have a meaning of their own with --resume.
_ALLOWED = ("resume", "out", "draws", "checkpoint", "force")


def refuse_others(options: Mapping[str, Any], defaults: Mapping[str, Any], source: Path) -> None:
    """Refuse options whose values are in the file: table, world, model, columns, seed.

    Parameters
    ----------
    options, defaults : mapping
        All arguments and options of the command by name, as they were given and as they are by default.
    source : Path
        The file.
    """
    given = [name for name, value in options.items() if name not in _ALLOWED and value != defaults[name]]
    if given:
        words = ["TABLE" if name == "table" else f"--{name.replace('_', '-')}" for name in given]
        raise typer.BadParameter(
            f"--resume goes on with the table, world, model and settings that are in {source}: leave out "
            f"{', '.join(words)}"
        )


def resumed(source: Path, draws: int, checkpoint: Path | None) -> Any:
    """Resume the fit of a file until it has ``draws`` draws per chain.

    Raises
    ------
    ValueError
        Where it has so many already, or its model is not known.
    """
    import goalinf as gi

    fit = gi.load(source)
    if fit.agent is None:
        raise ValueError(f"the model of {source} is not known: go on in Python, with gi.resume(…, model=…)")
    done = fit.posterior.sizes["draw"]
    if done >= draws:
        raise ValueError(f"{source} has {done} draws per chain; --draws is {draws}, theirs included: ask for more")
    return gi.resume(source, draws=draws - done, checkpoint=checkpoint)
