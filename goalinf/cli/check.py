"""``goalinf check``: check of a table against a world before a fit."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from goalinf.cli import columns, common


@common.reported
def check(
    table: columns.Table,
    world: columns.World,
    trajectory: columns.Trajectory = ["trajectory"],  # noqa: B006 (typer copies it)
    step: columns.Step = "step",
    state: columns.State = ["state"],  # noqa: B006
    action: columns.Action = None,
    subject: columns.Subject = None,
    context: columns.Context = None,
    missing: columns.Missing = [],  # noqa: B006
    rename: columns.Rename = [],  # noqa: B006
    delimiter: columns.Delimiter = None,
) -> None:
    r"""Check a table against a world, row by row, before anything is fitted.

    Prints the world, possible errors in it (unreachable states, states that cannot be left), and the contents of the
    table. Rows that do not fit are an error: every kind of fault, with its first row and the remedy; exit code 1.

        goalinf check walks.csv --world town.toml --state row --state col \
          --action action

    The world is a TOML file such as (a map; or edges = "edges.csv"; or transitions = "transitions.csv")

        map = "s..a"
        discount = 0.95
    """
    from goalinf.worlds import read_world

    place = read_world(world)
    common.say(str(place))
    findings = place.check()
    if len(findings):
        shown = Table(
            title="Possible errors in the world", title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        for head in findings.columns:
            shown.add_column(head)
        for row in findings.itertuples(index=False):
            shown.add_row(*[str(cell) for cell in row])
        Console(highlight=False).print(shown, markup=False)
    else:
        common.say("No possible errors were found in this world.")
    parts = columns.Columns(trajectory, step, state, action, subject, context, missing, rename, delimiter)
    data = columns.read(table, place, parts)
    visits = data.state_visits(place.n_states)
    common.say(
        "",
        str(data),
        f"{int((visits > 0).sum())} of {place.n_states} states visited",
        *columns.unnamed(data),
        "Every row fits the world.",
    )
