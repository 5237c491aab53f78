"""``goalinf fit --resume``: go on with a fit that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

# What the file does not say, or what has a meaning of its own where a fit goes on.
_ALLOWED = ("resume", "out", "draws", "checkpoint", "force")


def refuse_others(context: typer.Context, source: Path) -> None:
    """Refuse what the file says already: table, world, model, columns, seed."""
    given = [
        "TABLE" if parameter.name == "table" else parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in _ALLOWED
        and parameter.name is not None
        and str(context.get_parameter_source(parameter.name)).endswith("COMMANDLINE")
    ]
    if given:
        raise typer.BadParameter(
            f"--resume goes on with the table, world, model and settings that are in {source}: leave out "
            f"{', '.join(given)}"
        )


def resumed(source: Path, draws: int, checkpoint: Path | None) -> Any:
    """The fit of a file, with as many more draws as are left to ``draws`` per chain.

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
