"""``goalinf check``: check of a table against a world before a fit."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from goalinf.cli import column_options, common


@common.reported
def check(
    table: column_options.Table,
    world: column_options.World,
    trajectory: column_options.Trajectory = ["trajectory"],  # noqa: B006 (typer copies it)
    step: column_options.Step = "step",
    state: column_options.State = ["state"],  # noqa: B006
    action: column_options.Action = None,
    subject: column_options.Subject = None,
    context: column_options.Context = None,
    missing: column_options.Missing = [],  # noqa: B006
    rename: column_options.Rename = [],  # noqa: B006
    delimiter: column_options.Delimiter = None,
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
    parts = column_options.Columns(trajectory, step, state, action, subject, context, missing, rename, delimiter)
    data = column_options.read(table, place, parts)
    visits = data.state_visits(place.n_states)
    common.say(
        "",
        str(data),
        f"{int((visits > 0).sum())} of {place.n_states} states visited",
        *column_options.unnamed(data.labels.table, data.labels.columns),
        "Every row fits the world.",
    )
