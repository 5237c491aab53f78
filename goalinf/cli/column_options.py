"""Options for the columns of a table, shared by ``fit`` and ``check``."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from goalinf import worlds
    from goalinf.worlds.table_files import Table as OpenTable

_TABLE = "Columns of the table"
_LOOKS = {
    "subject": {"subject", "subjects", "subj", "subject_id", "participant", "participant_id", "sub", "ppid"},
    "context": {"context", "condition", "cond", "group", "treatment"},
}

Table = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="Table with one row per step: .csv, .tsv (also .gz) or .parquet.", show_default=False
    ),
]
World = Annotated[
    Path,
    typer.Option(
        "--world",
        help="World, a TOML file with map, edges or transitions, and discount.",
        show_default=False,
    ),
]
OptionalTable = Annotated[Path | None, *Table.__metadata__]
OptionalWorld = Annotated[Path | None, *World.__metadata__]
Trajectory = Annotated[
    list[str],
    typer.Option(
        "--trajectory", help="Identifier of the trajectory; repeat for several columns.", rich_help_panel=_TABLE
    ),
]
Step = Annotated[str, typer.Option("--step", help="Number of the step.", rich_help_panel=_TABLE)]
State = Annotated[
    list[str],
    typer.Option("--state", help="State; on maps also twice: --state row --state col.", rich_help_panel=_TABLE),
]
Action = Annotated[
    str | None,
    typer.Option("--action", help="Action. Default: actions are inferred from the next state.", rich_help_panel=_TABLE),
]
Subject = Annotated[str | None, typer.Option("--subject", help="Subject.", rich_help_panel=_TABLE)]
Context = Annotated[str | None, typer.Option("--context", help="Condition.", rich_help_panel=_TABLE)]

Missing = Annotated[
    list[str],
    typer.Option(
        "--missing",
        help="Word for a missing value, in addition to the empty cell; repeat for several.",
        rich_help_panel=_TABLE,
    ),
]
Rename = Annotated[
    list[str],
    typer.Option(
        "--rename",
        metavar="[COLUMN:]OLD=NEW",
        help="Word in the table and its name in the world, such as choice:1=left; repeat for several.",
        rich_help_panel=_TABLE,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option("--delimiter", help="Cell separator. Default: a comma, a tab in .tsv.", rich_help_panel=_TABLE),
]


@dataclasses.dataclass(frozen=True)
class Columns:
    """Columns of a table by part, and rules for reading their cells."""

    trajectory: list[str]
    step: str
    state: list[str]
    action: str | None
    subject: str | None
    context: str | None
    missing: list[str]
    rename: list[str]
    delimiter: str | None

    @property
    def parts(self) -> dict[str, Any]:
        """Column or columns by part."""
        lists = {"trajectory": self.trajectory, "state": self.state}
        parts = {part: names[0] if len(names) == 1 else names for part, names in lists.items()}
        return {**parts, "step": self.step, "action": self.action, "subject": self.subject, "context": self.context}

    @property
    def named(self) -> list[str]:
        """Columns that hold names."""
        columns = [*self.trajectory, *self.state, self.action, self.subject, self.context]
        return [column for column in dict.fromkeys(columns) if column is not None]


def read(table: Path, world: worlds.World, columns: Columns) -> Any:
    """Read the trajectories of a table, with a check of every row.

    Raises
    ------
    ValueError
        Where rows do not fit; all kinds of faults are listed.
    """
    from goalinf.data.reading.faults import Gathered
    from goalinf.data.reading.table import read_opened
    from goalinf.worlds.table_files import open_table

    opened = _renamed(open_table(table, delimiter=columns.delimiter), columns)
    faults = Gathered()
    data = read_opened(opened, world, columns.parts, columns.missing, faults)
    if len(faults.messages) == 1:
        raise ValueError(faults.messages[0])
    if data is None:
        listed = "\n".join(f"{number}. {message}" for number, message in enumerate(faults.messages, 1))
        raise ValueError(f"{table.name} has {len(faults.messages)} kinds of faults:\n{listed}")
    return data


def unnamed(table: pd.DataFrame, used: Mapping[str, Hashable]) -> list[str]:
    """Return sentences about columns that probably hold subjects or contexts, and were not given as options."""
    sentences = []
    for part, looks in _LOOKS.items():
        if part in used:
            continue
        for column in table.columns:
            values = table[column].nunique()
            if str(column).lower() in looks and values > 1 and column not in used.values():
                sentences.append(
                    f"Column {column!r} ({values} values) is not used as the {part}: all rows count as one {part}. "
                    f"To use it, give --{part} {column}"
                )
    return sentences


def _renamed(table: OpenTable, columns: Columns) -> Any:
    """Replace words in a table by the rules of --rename."""
    words: dict[Hashable, dict[str, str]] = {}
    for rule in columns.rename:
        old, equals, new = rule.partition("=")
        if not (equals and old and new):
            raise ValueError(f"--rename {rule}: expected OLD=NEW, or COLUMN:OLD=NEW")
        column, colon, word = old.partition(":")
        among = [column] if colon and column in columns.named else columns.named
        old = word if colon and column in columns.named else old
        holding = [
            name for name in among if name in table.cells and old in set(map(str, table.cells[name].dropna().unique()))
        ]
        if len(holding) != 1:
            description = (
                f"columns {', '.join(holding)} hold" if holding else f"no cell of column {' or '.join(among)} holds"
            )
            remedy = f"name the column, as in --rename {holding[0]}:{rule}" if holding else "correct the word"
            raise ValueError(f"--rename {rule}: {description} {old!r}; {remedy}")
        if words.setdefault(holding[0], {}).setdefault(old, new) != new:
            raise ValueError(
                f"--rename {rule}: another --rename maps this word to {words[holding[0]][old]}; remove one of them"
            )
    return table.renamed(words) if words else table
