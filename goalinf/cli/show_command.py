"""``goalinf show``: report of a saved fit, with tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goalinf.cli import common
from goalinf.cli.words import in_options

_HIDDEN = ("planner_failures",)


@common.reported
def show(
    fit: Annotated[Path, typer.Argument(metavar="FIT", help="Saved fit (.nc or .zarr).", show_default=False)],
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Also draw the reward: mean and sd, as .png, .pdf or .svg.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", help="Also write the full audit with its figures, as .html; takes up to a minute."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace these files if they exist already.")] = False,
) -> None:
    """Print the results of a saved fit: convergence, summary, audit, and settings.

    goalinf show fit.nc --plot reward.png --page audit.html
    """
    for path, formats in ((plot, (".png", ".pdf", ".svg")), (page, (".html",))):
        if path is not None:
            common.check_formats(path, *formats)
            common.check_output(path, force=force)
    import goalinf as gi
    from goalinf.atomic_files import written_whole

    found = gi.load(fit)
    figure = gi.plot.reward_map(found) if plot is not None else None
    common.say(in_options(found.heading), "")
    common.show_summary(found.summary())
    common.say("")
    if found.agent is not None:
        common.compile_once()
        audit = gi.audit(found, quick=page is None)
        common.say(in_options(str(audit)), "")
        if page is not None:
            gi.plot.audit_page(audit, page, overwrite=force)
            common.say(f"Written: {page}")
    elif page is not None:
        raise ValueError("the file does not contain the model of this fit, so that there is no audit: remove --page")
    settings = [f"{name} {value}" for name, value in found.tree.attrs.items() if _plain(str(name), value)]
    common.say("Settings: " + "; ".join(settings))
    if figure is not None and plot is not None:
        with written_whole(plot) as partial:
            figure.savefig(partial, format=plot.suffix.lower()[1:])
        common.say(f"Written: {plot}")


def _plain(name: str, value: object) -> bool:
    return name not in _HIDDEN and (
        isinstance(value, (int, float)) or (isinstance(value, (str, list)) and len(value) < 72)
    )
