"""The options that say which column of a table plays which part; ``fit`` and ``check`` share them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

_TABLE = "Columns of the table"
_LOOKS = {
    "subject": {"subject", "subjects", "subj", "subject_id", "participant", "participant_id", "sub", "ppid"},
    "context": {"context", "condition", "cond", "group", "treatment"},
}

Table = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="The table: one row per step, as .csv, .tsv (also .gz) or .parquet.", show_default=False
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

Missing = Annotated[
    list[str],
    typer.Option(
        "--missing", help="A word that means a missing value, beside the empty cell; repeat.", rich_help_panel=_TABLE
    ),
]
Rename = Annotated[
    list[str],
    typer.Option(
        "--rename",
        metavar="[COLUMN:]OLD=NEW",
        help="A word of the table and what it is called in the world, such as choice:1=left; repeat.",
        rich_help_panel=_TABLE,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option("--delimiter", help="Between cells. Default: a comma, a tab in .tsv.", rich_help_panel=_TABLE),
]


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which column plays which part, and how its cells are read."""

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
        one = {"trajectory": self.trajectory, "state": self.state}
        parts = {part: names[0] if len(names) == 1 else names for part, names in one.items()}
        return {**parts, "step": self.step, "action": self.action, "subject": self.subject, "context": self.context}

    @property
    def named(self) -> list[str]:
        """Every column that holds names."""
        found = [*self.trajectory, *self.state, self.action, self.subject, self.context]
        return [column for column in dict.fromkeys(found) if column is not None]


def read(table: Path, world: Any, columns: Columns) -> Any:
    """The trajectories of a table, every row checked.

    Raises
    ------
    ValueError
        Where rows do not fit; all kinds of faults are listed.
    """
    from goalinf.data.faults import Gathered
    from goalinf.data.table import read_opened
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


def unnamed(data: Any) -> list[str]:
    """Sentences about columns that look like those of subjects or contexts, and were not named."""
    labels, sentences = data.labels, []
    for part, looks in _LOOKS.items():
        if part in labels.columns:
            continue
        for column in labels.table.columns:
            values = labels.table[column].nunique()
            if str(column).lower() in looks and values > 1 and column not in labels.columns.values():
                sentences.append(
                    f"Column {column!r} ({values} values) is not named as the {part}: all rows count as one {part}. "
                    f"Name it with --{part} {column}"
                )
    return sentences


def _renamed(table: Any, columns: Columns) -> Any:
    """The table with words replaced as --rename says."""
    words: dict[str, dict[str, str]] = {}
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
            where = f"columns {', '.join(holding)} hold" if holding else f"no cell of column {' or '.join(among)} holds"
            remedy = f"say which one, as in --rename {holding[0]}:{rule}" if holding else "correct the word"
            raise ValueError(f"--rename {rule}: {where} {old!r}; {remedy}")
        if words.setdefault(holding[0], {}).setdefault(old, new) != new:
            raise ValueError(
                f"--rename {rule}: another --rename calls it {words[holding[0]][old]}; leave one of them out"
            )
    return table.renamed(words) if words else table
