"""``goalinf show``: a saved fit in words, numbers and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goalinf.cli import common

_HIDDEN = ("planner_failures",)


@common.reported
def show(
    fit: Annotated[
        Path, typer.Argument(metavar="FIT", help="A fit that goalinf saved (.nc or .zarr).", show_default=False)
    ],
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Also draw the reward: mean and sd, as .png, .pdf or .svg.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture if it is there already.")] = False,
) -> None:
    """Say again what a fit found: convergence, summary, audit, and how it was made.

    goalinf show fit.nc --plot reward.png
    """
    if plot is not None:
        common.check_formats(plot, ".png", ".pdf", ".svg")
        common.check_output(plot, force=force)
    import goalinf as gi

    found = gi.load(fit)
    figure = gi.plot.reward_map(found) if plot is not None else None
    common.say(repr(found), "")
    common.show_summary(found.summary())
    common.say("")
    if found.agent is not None:
        common.compile_once()
        common.say(str(gi.audit(found)), "")
    settings = [f"{name} {value}" for name, value in found.tree.attrs.items() if _plain(str(name), value)]
    common.say("Settings: " + "; ".join(settings))
    if figure is not None and plot is not None:
        figure.savefig(plot)
        common.say(f"Written: {plot}")


def _plain(name: str, value: object) -> bool:
    return name not in _HIDDEN and (
        isinstance(value, (int, float)) or (isinstance(value, (str, list)) and len(value) < 72)
    )
