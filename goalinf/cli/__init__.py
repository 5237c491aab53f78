"""Command line: ``goalinf demo``, ``fit``, ``show`` and ``check``."""

from __future__ import annotations

from typing import Annotated

import typer

from goalinf.cli import check_command, common, demo_command, fit_command, show_command
from goalinf.cli.resume_command import Resumable

app = typer.Typer(
    name="goalinf",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with **goalinf demo**; then give your own table and world to **goalinf check**, **goalinf fit** and "
    "**goalinf show**.",
)


def _version(requested: bool) -> bool:
    if requested:
        from importlib.metadata import version

        typer.echo(f"goalinf {version('goalinf')}")
        raise typer.Exit
    return requested


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Infer rewards and planning from behavior, and report which parts of the reward the data identify.

    Compiled programs of JAX are kept in `$XDG_CACHE_HOME/goalinf` (`~/.cache/goalinf`), so that the next
    command starts sooner; the folder can be deleted at any time. The library itself keeps no files.
    """
    common.debugging = debug


app.command("demo")(demo_command.demo)
app.command("fit", cls=Resumable)(fit_command.fit)
app.command("show")(show_command.show)
app.command("check")(check_command.check)
