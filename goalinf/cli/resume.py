"""``goalinf fit --resume``: go on with a fit that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

# Options that the file does not hold, or that have a meaning of their own with --resume.
_ALLOWED = ("resume", "out", "draws", "checkpoint", "force")


def refuse_others(invocation: typer.Context, source: Path) -> None:
    """Refuse options whose values are in the file: table, world, model, columns, seed.

    Parameters
    ----------
    invocation : Context
        Of the command; it tells an option that was given from a default.
    source : Path
        The file.
    """
    refused = [
        "TABLE" if option.name == "table" else option.opts[0]
        for option in invocation.command.params
        if option.name not in _ALLOWED and _given(invocation, option.name)
    ]
    if refused:
        raise typer.BadParameter(
            f"--resume goes on with the table, world, model and settings that are in {source}: leave out "
            f"{', '.join(refused)}"
        )


def _given(invocation: typer.Context, name: str | None) -> bool:
    origin = invocation.get_parameter_source(name or "")
    return origin is not None and origin.name == "COMMANDLINE"


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
