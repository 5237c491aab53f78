"""The options that say which column of a table plays which part; ``fit`` and ``check`` share them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_TABLE = "Columns of the table"

Table = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="The table: one row per step, as .csv, .csv.gz or .parquet.", show_default=False
    ),
]
World = Annotated[
    Path,
    typer.Option(
        "--world",
        help="The world, a TOML file: map, edges or transitions, and discount.",
        show_default=False,
    ),
]
OptionalTable = Annotated[Path | None, *Table.__metadata__]
OptionalWorld = Annotated[Path | None, *World.__metadata__]
Trajectory = Annotated[
    list[str],
    typer.Option("--trajectory", help="What tells trajectories apart; repeat for several.", rich_help_panel=_TABLE),
]
Step = Annotated[str, typer.Option("--step", help="Number of the step.", rich_help_panel=_TABLE)]
State = Annotated[
    list[str],
    typer.Option("--state", help="The state; on maps also twice: --state row --state col.", rich_help_panel=_TABLE),
]
Action = Annotated[
    str | None,
    typer.Option(
        "--action", help="The action. Without it, actions are read off the next state.", rich_help_panel=_TABLE
    ),
]
Subject = Annotated[str | None, typer.Option("--subject", help="Who acted.", rich_help_panel=_TABLE)]
Context = Annotated[str | None, typer.Option("--context", help="The condition.", rich_help_panel=_TABLE)]


def read(
    table: Path,
    world: Any,
    trajectory: list[str],
    step: str,
    state: list[str],
    action: str | None,
    subject: str | None,
    context: str | None,
) -> Any:
    """The trajectories of a table, every row checked."""
    from goalinf.data import read_trajectories

    one = {"trajectory": trajectory, "state": state}
    several: dict[str, Any] = {part: names[0] if len(names) == 1 else names for part, names in one.items()}
    return read_trajectories(table, world, step=step, action=action, subject=subject, context=context, **several)
