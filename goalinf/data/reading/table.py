"""Reader of trajectories from a long table: one row per step, every row checked against its world."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from goalinf.data.labels import Labels
from goalinf.data.reading import lookup, rules
from goalinf.data.reading.columns import Keys, Rows, constant, in_sequence, keys, require
from goalinf.data.reading.faults import Faults, Gathered
from goalinf.data.reading.forced import forced_rows
from goalinf.data.reading.outcomes import Outcome, columns_of, outcomes
from goalinf.data.trajectories import Trajectories
from goalinf.sizes import check_memory
from goalinf.worlds.names import texts
from goalinf.worlds.table_files import Table, open_table
from goalinf.worlds.world import World, label

Columns = Hashable | Sequence[Hashable]


def read_trajectories(
    table: pd.DataFrame | str | Path,
    world: World | Mapping[Any, World],
    *,
    trajectory: Columns,
    step: Hashable,
    state: Columns,
    action: Hashable | None = None,
    subject: Columns | None = None,
    context: Columns | None = None,
    outcome: Outcome | None = None,
    forced: Hashable | None = None,
    missing: Sequence[Any] = (),
    delimiter: str | None = None,
) -> Trajectories:
    """Read observed behavior from a long table, and check every row against its world.

    **With an action column** each row is a decision: a state and the action in it. The state after the last action is
    unknown, unless a last row with an empty action gives it. An empty action (NaN, None, pandas.NA, in a text file an
    empty cell) before the last row is a missing action: the state changes, and the action does not enter the
    likelihood. Where no action was made at all, as in a trial with a missed response, the state stays: the next row
    holds the same state, in every world. A missing action changes neither habits nor what an agent has learned.
    **Without an action column** each row is a visit, and the action is inferred from the next state.

    A word is a name: ``NA``, ``None`` or ``null`` in a text file is missing only where it is listed in `missing`. Cells
    of a text file are compared with names as they print, so that a file needs no types; identifiers are numbers only
    where all of them print as they were written (``001`` is text, and differs from ``1``).

    The rows may be in any order. Trajectories, subjects and contexts are numbered in the order of their names, so that
    shuffling the rows has no effect. A trajectory without any action (a single visit) is kept; it counts as one
    trajectory of zero steps.

    Parameters
    ----------
    table : DataFrame or path
        A data frame, or the path of a file ending in ``.csv``, ``.tsv`` (both also with ``.gz``) or ``.parquet``. It is
        not changed.
    world : World, or mapping of context to World
        World of the data. With a mapping, `context` is required and each row is checked in its own world.
        For worlds with memory the table holds plain states; they become pairs (last state, this state), and in belief
        worlds pairs of a state and the belief given the earlier steps.
    trajectory : column or list of columns
        Identifier of the trajectory; a list where episodes are numbered anew for each subject.
    step : column
        Integers, consecutive within a trajectory, with any first value.
    state : column or list of columns
        Name of the state; ``["row", "col"]`` on maps.
    action : column, optional
        Name of the action, or its number where no action is named by an integer.
    subject : column or list of columns, optional
        Name of the subject; constant within a trajectory. Default: one subject.
    context : column or list of columns, optional
        Condition, which selects a world or a known reward; constant within a trajectory. Default: one context.
    outcome : column, or mapping from action to column, optional
        Outcome of the chosen action, any number, from which agents learn under a :class:`~goalinf.RecordedReward`; or
        the outcomes of all actions, by their names, where those of other actions were shown, too. Empty: no outcome.
    forced : column, optional
        True where the action of the row was set by the experimenter or a program: agents learn from it, and it is not
        scored. Truth values, the words true and false in any case, or 1 and 0; may be empty in rows without an action.
    missing : sequence
        Further values that stand for a missing value in the columns named above, such as ``["NA", -99]``.
    delimiter : str, optional
        Character between the cells of a text file. Default: a comma, a tab in ``.tsv``.

    Returns
    -------
    Trajectories
        N trajectories of up to T decisions; ``labels`` hold the names and the table,
        :meth:`~goalinf.Trajectories.to_frame` returns it.

    Raises
    ------
    ValueError
        Where a column is missing, the table is empty or has no action at all; where a row has no state,
        step, trajectory, subject or context, an unknown state or action, or a context without a world; where
        steps are not integers, duplicated or not consecutive; where the subject or context changes within a
        trajectory; where an action is not available in its state, there is a decision in a terminal state,
        a transition is impossible in the world, or an action cannot be inferred because several lead to the next
        state; where an outcome is not a finite number, or has no action; where a forced row has no action, or a row
        with an action is neither forced nor not; where two names print alike (1 and ``"1"``), or a value of `missing`
        is a name of the world. The message names the first such row, its trajectory and step,
        the number of such rows, and the remedy.
    FileNotFoundError
        Where the file does not exist.

    Examples
    --------
    >>> import goalinf as gi
    >>> import pandas as pd
    >>> corridor = gi.gridworld("s..g", moves=("left", "right"), discount=0.9)
    >>> table = pd.DataFrame({
    ...     "path": [1, 1, 1, 2, 2],
    ...     "t": [0, 1, 2, 0, 1],
    ...     "row": 0,
    ...     "col": [0, 1, 2, 1, 2],
    ...     "move": ["right", None, "right", "right", None],
    ... })
    >>> gi.read_trajectories(table, corridor, trajectory="path", step="t", state=["row", "col"], action="move")
    Trajectories: 2 trajectories, 1 to 3 steps each, 4 in all
    1 missing choice
    1 subject, 1 context
    """
    columns: dict[str, Columns | None] = {"trajectory": trajectory, "step": step, "state": state}
    columns |= {"action": action, "subject": subject, "context": context, "forced": forced}
    if outcome is not None:
        columns["outcome"] = columns_of(outcome)
    data = read_opened(open_table(table, delimiter=delimiter), world, columns, missing, Faults(), outcome)
    assert data is not None
    return data


def read_opened(
    table: Table,
    world: World | Mapping[Any, World],
    columns: Mapping[str, Columns | None],
    missing: Sequence[Any],
    faults: Faults | Gathered,
    outcome: Outcome | None = None,
) -> Trajectories | None:
    """Read trajectories from an opened table, as :func:`read_trajectories`; None where faults were gathered."""
    parts = _parts(columns)
    if not require(table.frame, parts, faults):
        return None
    words = [missing] if isinstance(missing, str) else list(missing)
    _check_words(words, world)
    names = [part for part in parts if part not in ("step", "forced")]
    name_columns = [column for part in names for column in parts[part]]
    cleaned = table.without(words, [*name_columns, *parts["step"], *parts.get("forced", [])])
    frame = cleaned.typed(name_columns, parts["step"])

    rows = in_sequence(frame, table.source, keys(frame, parts["trajectory"], "trajectory"), parts["step"][0], faults)
    subject, subjects = _groups(rows, parts, "subject")
    context, contexts = _groups(rows, parts, "context")
    worlds, contexts, row_worlds = _worlds(world, contexts, rows, context, parts, text=table.text is not None)
    state, action = _visits(rows, row_worlds, parts, cleaned)
    seen = None if outcome is None else outcomes(rows, cleaned.frame, outcome, row_worlds.worlds, action)
    is_forced = forced_rows(rows, cleaned.cells, parts["forced"][0], action) if "forced" in parts else None
    decision = (rows.following >= 0) | (action >= 0)
    if not faults.messages and not (action >= 0).any():
        faults.add(
            f"the table has no action at all: {len(frame)} rows, {len(rows.trajectories)} trajectories; "
            "expected at least one recorded action, or one trajectory of two visits"
        )
    if faults.messages:
        return None
    lengths = np.bincount(rows.trajectory[decision], minlength=len(rows.trajectories))
    states, actions, positions = _padded(rows, lengths, state, action)
    by_step = None if seen is None else _by_step(rows, lengths, seen, np.nan)
    forced = None if is_forced is None else _by_step(rows, lengths, is_forced, False)
    labels = Labels(
        trajectories=rows.trajectories,
        subjects=subjects,
        contexts=contexts,
        worlds=worlds,
        columns={part: columns[0] if len(columns) == 1 else tuple(columns) for part, columns in parts.items()},
        table=table.typed(name_columns, parts["step"]).copy(),
        rows=positions,
        source=table.source,
    )
    numbers = {"lengths": lengths, "subject": subject, "context": context}
    return Trajectories.of(states, actions, **numbers, labels=labels, outcomes=by_step, forced=forced)


def _padded(
    rows: Rows, lengths: np.ndarray, state: np.ndarray, action: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return states, actions and positions of rows as rectangles: -1 where there is no row."""
    shape = (len(rows.trajectories), int(lengths.max()))
    check_memory(
        f"{shape[0]:,} trajectories, padded to the longest of {shape[1]:,} steps,",
        60.0 * shape[0] * shape[1],
        "cut long trajectories into shorter ones",
    )
    states = np.full((shape[0], shape[1] + 1), -1, np.int32)
    positions = np.full(states.shape, -1)
    states[rows.trajectory, rows.step] = state
    positions[rows.trajectory, rows.step] = np.arange(len(state))
    return states, _by_step(rows, lengths, action.astype(np.int32), -1), positions


def _by_step(rows: Rows, lengths: np.ndarray, values: np.ndarray, fill: float | int) -> np.ndarray:
    """Return values of the rows ``(R, …)`` of all decisions as a rectangle ``(N, T, …)``, filled up."""
    decision = rows.step < lengths[rows.trajectory]
    table = np.full((len(rows.trajectories), int(lengths.max()), *values.shape[1:]), fill, values.dtype)
    table[rows.trajectory[decision], rows.step[decision]] = values[decision]
    return table


def _parts(columns: Mapping[str, Columns | None]) -> dict[str, list[Any]]:
    """Return the columns of every part that is given, as lists."""
    for part in ("trajectory", "step", "state"):
        if columns[part] is None:
            raise ValueError(f"{part}= is None; expected the name of a column")
    parts = {
        part: list(names) if isinstance(names, (list, tuple)) else [names]
        for part, names in columns.items()
        if names is not None
    }
    for part in ("step", "action", "forced"):
        if len(parts.get(part, [0])) != 1:
            raise ValueError(f"{part}= names {len(parts[part])} columns; expected one")
    return parts


def _check_words(words: Sequence[Any], world: World | Mapping[Any, World]) -> None:
    """Refuse a value that stands for a missing value and is also the name of a state or action."""
    worlds = [
        single for single in (world.values() if isinstance(world, Mapping) else [world]) if isinstance(single, World)
    ]
    printed = {label(word) for word in words}
    for base_world in map(lookup.base, worlds if printed else []):
        actions = (
            [name for names in base_world.actions for name in names] if base_world.local_actions else base_world.actions
        )
        for what, names in (("a state", base_world.states), ("an action", actions)):
            ambiguous = printed & {text for name in names if name is not None for text in texts(name)}
            if ambiguous:
                raise ValueError(
                    f"missing= holds {sorted(ambiguous)[0]!r}, which is the name of {what} of the world; leave it out, "
                    "or rename one of them"
                )


def _visits(
    rows: Rows, row_worlds: lookup.RowWorlds, parts: dict[str, list[Any]], table: Table
) -> tuple[np.ndarray, np.ndarray]:
    """Return state and action numbers of every row, ``(R,)`` each, after all checks; action −1 where there is none."""
    text = table.text is not None
    state = lookup.states(rows, row_worlds, keys(table.cells, parts["state"], "state"), parts["state"], text=text)
    if "action" in parts:
        key = keys(table.cells, parts["action"], "action")
        action = lookup.actions(rows, row_worlds, state, key, parts["action"][0], text=text)
        rules.check_ended(rows, row_worlds, state, (rows.following >= 0) | (action >= 0))
        rules.check_available(rows, row_worlds, state, action)
        rules.check_moves(rows, row_worlds, state, action)
    else:
        rules.check_ended(rows, row_worlds, state, rows.following >= 0)
        action = rules.infer_actions(rows, row_worlds, state)
    return (state if rows.faults.messages else rules.lift(rows, row_worlds, state, action)), action


def _groups(rows: Rows, parts: dict[str, list[Any]], part: str) -> tuple[np.ndarray, tuple[Hashable, ...]]:
    """Return the number of the subject (or context) of every trajectory, ``(N,)``, and the names."""
    if part not in parts:
        return np.zeros(len(rows.trajectories), np.int64), (0,)
    key: Keys = keys(rows.frame, parts[part], part)
    columns = [*parts["trajectory"], *parts[part]]
    remedy = f"If trajectories are numbered anew for each {part}, name them by both columns: trajectory={columns}"
    return constant(rows, key, part, remedy), key.names


def _worlds(
    world: World | Mapping[Any, World],
    contexts: tuple[Hashable, ...],
    rows: Rows,
    context: np.ndarray,
    parts: dict[str, list[Any]],
    *,
    text: bool,
) -> tuple[tuple[World, ...], tuple[Hashable, ...], lookup.RowWorlds]:
    """Return world and name of each context, and the world of each row; names in text files are compared as printed."""
    n_rows = len(rows.trajectory)
    if isinstance(world, World):
        row_worlds = lookup.RowWorlds((world,), np.zeros(n_rows, np.int64), np.ones(n_rows, bool))
        return (world,) * len(contexts), contexts, row_worlds
    if (
        not isinstance(world, Mapping)
        or not world
        or not all(isinstance(candidate, World) for candidate in world.values())
    ):
        raise ValueError(f"world is a {type(world).__name__}; expected a World, or a mapping from context to World")
    if "context" not in parts:
        raise ValueError("several worlds were given: name the column with the context of each row: context=")
    printed = {label(name): name for name in world} if text else {}
    names = [name if name in world else printed.get(label(name), name) for name in contexts]
    number = np.where(rows.trajectory < 0, -1, context[rows.trajectory])
    has_world = np.array([name in world for name in names] + [False])
    rows.refuse(
        ~has_world[number],
        lambda i: (
            f"context {contexts[number[i]]!r} has no world; the mapping has "
            f"{', '.join(label(name) if not isinstance(name, str) else repr(name) for name in world)}"
        ),
    )
    used = [world[name] for name in names if name in world] or list(world.values())[:1]
    distinct = list({id(candidate): candidate for candidate in used}.values())
    world_number = [
        [world.get(name) is candidate for candidate in distinct].index(True) if name in world else 0 for name in names
    ]
    row_worlds = lookup.RowWorlds(tuple(distinct), np.array([*world_number, 0])[number], has_world[number])
    return tuple(world[name] for name in names if name in world), tuple(names), row_worlds
