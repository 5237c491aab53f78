"""Worlds from long tables of transitions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from goalinf.types import InitialStates, Numbers, States
from goalinf.worlds.builders.packing import (
    initial_distribution,
    is_one_in_float32,
    ordered,
    pack,
    place_nodes,
    terminal_mask,
)
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import Names, label, plain
from goalinf.worlds.table_files import Table, open_table, row_name
from goalinf.worlds.world import World

Column = str | Sequence[str]


def from_table(
    table: pd.DataFrame | str | Path,
    *,
    state: Column = "state",
    action: str = "action",
    next_state: Column = "next_state",
    probability: str | None = None,
    terminal: States | None = (),
    initial: InitialStates | None = None,
    discount: float | int,
    positions: Mapping[Any, Numbers] | Numbers | None = None,
) -> World:
    """Make a world from a long table with one row per possible transition.

    Parameters
    ----------
    table : DataFrame, or path of a CSV, TSV or Parquet file
        Possible transitions. An action that has no row in a state is not available there. In a text file only an empty
        cell is missing, and names are numbers where all of them are numbers in canonical notation (``001`` is text).
    state, next_state : column, or several
        Names of states; several columns make a tuple, such as ``["row", "col"]``.
    action : column
        Names of actions.
    probability : column, optional
        Probability of the transition. Default: every state and action leads to one state.
    terminal, initial, discount, positions
        As for :func:`~goalinf.worlds.from_arrays`. States that no row leaves must be terminal.

    Returns
    -------
    World
        States and actions sorted where they can be sorted, else in order of appearance.

    Raises
    ------
    ValueError
        Where a column is missing, the table is empty, a row has a missing value, repeats a transition or has no
        probability, or the probabilities of a state and action do not sum to one. The message names the row.
    FileNotFoundError
        Where the file does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"state": [0, 0], "action": ["go", "wait"], "next_state": [1, 0]})
    >>> world = from_table(table, terminal=1, discount=0.9)
    >>> world.actions
    ('go', 'wait')
    >>> world.mdp.dense()[0]
    array([[0., 1.],
           [1., 0.]])
    """
    rows = _Rows(open_table(table))
    departures, arrivals = rows.names({"state": state, "next_state": next_state})
    (row_actions,) = rows.names({"action": action})
    p = np.ones(len(departures)) if probability is None else rows.probabilities(probability)
    states, actions = tuple(ordered([*departures, *arrivals])), tuple(ordered(row_actions))
    names = Names(states)
    number = {name: a for a, name in enumerate(actions)}
    s, t = (np.array([names.index(name) for name in column]) for column in (departures, arrivals))
    a = np.array([number[name] for name in row_actions])
    rows.refuse_repeated(s, a, t, departures, row_actions, certain=probability is None)
    ends = terminal_mask(names, terminal)
    p = rows.normalized(s, a, p, ends, departures, row_actions, probability)
    available = np.zeros((len(states), len(actions)), bool)
    available[s, a] = True
    mdp = MDP.of(
        *pack(s, a, t, p, len(states), len(actions)),
        available=available,
        terminal=ends,
        initial=initial_distribution(names, initial, ~ends),
        discount=discount,
    )
    return World(mdp=mdp, states=states, actions=actions, positions=place_nodes(positions, states))


class _Rows:
    """Rows of a table, with names for messages."""

    def __init__(self, table: Table):
        if table.frame.empty:
            name = "" if table.source is None else f"{table.source} "
            raise ValueError(f"the table {name}is empty; expected one row per transition")
        self.table = table

    def name(self, position: int) -> str:
        return row_name(self.table.frame, position, self.table.source)

    def check(self, name: str, part: str) -> None:
        cells = self.table.cells
        if name not in cells:
            existing = ", ".join(map(repr, cells.columns))
            raise ValueError(f"the table has no column {name!r}; it has {existing}: name the column with {part}=")
        absent = cells[name].isna().to_numpy()
        if absent.any():
            row = self.name(int(absent.argmax()))
            raise ValueError(f"{row}: column {name!r} is missing; fill it in or drop the row")

    def names(self, parts: dict[str, Column]) -> list[list[Hashable]]:
        """Return the names of each part, from one column or several: a list for every part."""
        columns = {
            part: [requested] if isinstance(requested, str) else list(requested) for part, requested in parts.items()
        }
        for part, part_columns in columns.items():
            for column in part_columns:
                self.check(column, part)
        if len(set(map(len, columns.values()))) > 1:
            counts = " and ".join(f"{part}= names {len(part_columns)}" for part, part_columns in columns.items())
            raise ValueError(
                f"{counts} columns; expected the same number, such as state=['row', 'col'] and "
                "next_state=['to_row', 'to_col']"
            )
        values = [
            [[plain(cell) for cell in series] for series in self.table.names(group)]
            for group in zip(*columns.values(), strict=True)
        ]
        names_by_part: list[list[Hashable]] = []
        for number, requested in enumerate(parts.values()):
            cells = [group[number] for group in values]
            names_by_part.append(cells[0] if isinstance(requested, str) else list(zip(*cells, strict=True)))
        return names_by_part

    def probabilities(self, column: str) -> np.ndarray:
        self.check(column, "probability")
        values = self.table.numbers(column)
        if not pd.api.types.is_numeric_dtype(values):
            raise ValueError(f"column {column!r} holds {values.dtype}; expected probabilities")
        p = values.to_numpy(np.float64)
        invalid = ~((p >= 0) & (p <= 1))
        if invalid.any():
            row = int(invalid.argmax())
            raise ValueError(f"{self.name(row)}: {column} is {p[row]:g}; expected a probability, in [0, 1]")
        return p

    def refuse_repeated(
        self,
        s: np.ndarray,
        a: np.ndarray,
        t: np.ndarray,
        departures: Sequence[Hashable],
        row_actions: Sequence[Hashable],
        *,
        certain: bool,
    ) -> None:
        """Refuse a repeated transition; without probabilities, also a repeated pair of state and action."""
        keys = pd.DataFrame({"s": s, "a": a} if certain else {"s": s, "a": a, "t": t})
        repeated = keys.duplicated().to_numpy()
        if repeated.any():
            row = int(repeated.argmax())
            earlier_row = int((keys == keys.iloc[row]).all(axis=1).to_numpy().argmax())
            subject = f"state {label(departures[row])}, action {label(row_actions[row])}"
            if certain and t[earlier_row] != t[row]:
                reason = "has another next state: name the column of probabilities with probability=, or drop one"
            else:
                reason = "has the same transition: drop one"
            raise ValueError(f"{self.name(row)}: {subject} is already in {self.name(earlier_row)}, which {reason}")

    def normalized(
        self,
        s: np.ndarray,
        a: np.ndarray,
        p: np.ndarray,
        ends: np.ndarray,
        departures: Sequence[Hashable],
        row_actions: Sequence[Hashable],
        column: str | None,
    ) -> np.ndarray:
        """Return probabilities that sum to one for each state and action; in float32 within its precision."""
        groups = pd.Series(p).groupby([s, a])
        total, size = (groups.transform(statistic).to_numpy() for statistic in ("sum", "size"))
        if column is not None and self.table.frame[column].dtype == np.float32:
            one_in_float32 = is_one_in_float32(total, size)
            p, total = (
                np.where(one_in_float32, p / np.where(one_in_float32, total, 1.0), p),
                np.where(one_in_float32, 1.0, total),
            )
        invalid = (np.abs(total - 1) > 1e-9) & ~ends[s]
        if invalid.any():
            row = int(invalid.argmax())
            raise ValueError(
                f"{self.name(row)}: the probabilities of state {label(departures[row])}, action "
                f"{label(row_actions[row])} sum to {total[row]:.12g}; expected 1: add the missing "
                "transitions, or divide by the sum"
            )
        return p
