"""``goalinf fit --resume``: continuation of a fit or checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

# Options that the file does not hold, or that have another meaning with --resume.
_ALLOWED = ("resume", "out", "draws", "checkpoint", "force")


class Resumable(TyperCommand):
    """Command with ``--resume FILE``, which refuses options whose values are in the file: table, model, seed."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command after the check; only here are given options distinguishable from defaults."""
        source = ctx.params["resume"]
        refused = [
            "TABLE" if option.name == "table" else option.opts[0]
            for option in self.params
            if option.name not in _ALLOWED and ctx.get_parameter_source(option.name).name == "COMMANDLINE"
        ]
        if source is not None and refused:
            raise typer.BadParameter(
                f"--resume uses the table, world, model and settings that are in {source}: remove {', '.join(refused)}"
            )
        return super().invoke(ctx)


def resumed(source: Path, draws: int, checkpoint: Path | None) -> Any:
    """Resume the fit of a file until it has ``draws`` draws per chain.

    Raises
    ------
    ValueError
        Where the file has that many draws already, or its model is not known.
    """
    import goalinf as gi
    from goalinf.inference.model.models import StandardModel

    fit = gi.load(source)
    if not isinstance(fit.model, StandardModel):
        raise ValueError(
            f"the file {source} does not contain its model: continue in Python, with gi.resume(…, model=…)"
        )
    done = fit.posterior.sizes["draw"]
    if done >= draws:
        raise ValueError(
            f"{source} has {done} draws per chain; --draws is {draws} and includes them: give a larger number"
        )
    return gi.resume(source, draws=draws - done, checkpoint=checkpoint)
