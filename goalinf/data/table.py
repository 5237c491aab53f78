"""Reading trajectories from a long table: one row per step, every row checked against its world."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from goalinf.data import lookup, rules
from goalinf.data.columns import Keys, Rows, constant, in_sequence, keys, require
from goalinf.data.labels import Labels
from goalinf.data.trajectories import Trajectories
from goalinf.sizes import check_memory
from goalinf.worlds.table_files import read_table
from goalinf.worlds.world import World, label

Columns = Hashable | Sequence[Hashable]


def read_trajectories(
    table: pd.DataFrame | str | Path,
    world: World | Mapping[Hashable, World],
    *,
    trajectory: Columns,
    step: Hashable,
    state: Columns,
    action: Hashable | None = None,
    subject: Columns | None = None,
    context: Columns | None = None,
) -> Trajectories:
    """Read observed behavior from a long table, and check every row against the world it happened in.

    **With an action column** each row is a decision: the state and the action chosen there. The state after
    the last action was not seen, unless a last row with an empty action gives it. An empty action (NaN, None,
    NA) before the last row is a missing choice: the state moves on, the likelihood gets nothing. Where nothing was done
    at all, as in a trial whose response was missed, the state stays: the next row holds the same state, in whatever
    world. A missing choice leaves habits and what an agent has learned as they were.
    **Without one** each row is a visit and the action is read off the next state.

    The rows may stand in any order. Trajectories, subjects and contexts are numbered in the order of their
    names, so that shuffling the rows changes nothing. A trajectory without any choice (a single visit) is
    kept; it counts as one trajectory of no steps.

    Parameters
    ----------
    table : DataFrame or path
        A data frame, or the path of a file ending in ``.csv``, ``.csv.gz`` or ``.parquet``. It is not changed.
    world : World, or mapping of context to World
        Where it happened. With a mapping, `context` is required and each row is checked in its own world.
        On worlds with memory the table holds plain states; they become pairs (last state, this state), and in belief
        worlds pairs of a state and the belief after what has happened.
    trajectory : column or list of columns
        What tells trajectories apart; a list where episodes are numbered anew for each subject.
    step : column
        Integers, consecutive within a trajectory, starting anywhere.
    state : column or list of columns
        Name of the state; ``["row", "col"]`` on maps.
    action : column, optional
        Name of the action, or its number where no action is named by an integer.
    subject : column or list of columns, optional
        Who acted; constant within a trajectory. Default: one subject.
    context : column or list of columns, optional
        The condition: which world, or which known reward; constant within a trajectory. Default: one context.

    Returns
    -------
    Trajectories
        N trajectories of up to T decisions; ``labels`` hold the names and the table,
        :meth:`~goalinf.Trajectories.to_frame` gives it back.

    Raises
    ------
    ValueError
        Where a column is missing, the table is empty or has no choice at all; where a row has no state,
        step, trajectory, subject or context, an unknown state or action, or a context without a world; where
        steps are not integers, duplicated or not consecutive; where the subject or context changes within a
        trajectory; where an action is not available in its state, something is decided in a terminal state,
        the world forbids a transition, or an action cannot be read off because several lead to the next
        state. The message names the first such row, its trajectory and step, how many there are, and the remedy.
    FileNotFoundError
        Where the file is not there.

    Examples
    --------
    >>> import goalinf as gi
    >>> import pandas as pd
    >>> corridor = gi.gridworld("s..g", moves=("left", "right"), discount=0.9)
    >>> table = pd.DataFrame({
    ...     "walk": [1, 1, 1, 2, 2],
    ...     "t": [0, 1, 2, 0, 1],
    ...     "row": 0,
    ...     "col": [0, 1, 2, 1, 2],
    ...     "move": ["right", None, "right", "right", None],
    ... })
    >>> gi.read_trajectories(table, corridor, trajectory="walk", step="t", state=["row", "col"], action="move")
    Trajectories: 2 trajectories, 1 to 3 steps each, 4 in all
    1 missing choice
    1 subject, 1 context
    """
    frame, source = read_table(table)
    given = {"trajectory": trajectory, "step": step, "state": state}
    given |= {"action": action, "subject": subject, "context": context}
    for part in ("trajectory", "step", "state"):
        if given[part] is None:
            raise ValueError(f"{part}= is None; expected the name of a column")
    parts = {part: _listed(columns) for part, columns in given.items() if columns is not None}
    for part in ("step", "action"):
        if len(parts.get(part, [0])) != 1:
            raise ValueError(f"{part}= names {len(parts[part])} columns; expected one")
    require(frame, parts)

    rows = in_sequence(frame, source, keys(frame, parts["trajectory"], "trajectory"), parts["step"][0])
    who, subjects = _groups(rows, parts, "subject")
    task, contexts = _groups(rows, parts, "context")
    worlds = _worlds(world, contexts, rows, task, parts)
    different = list({id(one): one for one in worlds}.values())
    number = np.array([[one is other for other in different].index(True) for one in worlds])
    places = lookup.Places(tuple(different), number[task[rows.trajectory]])

    at, chosen = _visits(rows, places, parts)
    decision = (rows.following >= 0) | (chosen >= 0)
    if not (chosen >= 0).any():
        raise ValueError(
            f"the table has no choice at all: {len(frame)} rows, {len(rows.trajectories)} trajectories; "
            "expected at least one recorded action, or one trajectory of two visits"
        )
    lengths = np.bincount(rows.trajectory[decision], minlength=len(rows.trajectories))
    shape = (len(rows.trajectories), int(lengths.max()))
    check_memory(
        f"{shape[0]:,} trajectories, padded to the longest of {shape[1]:,} steps,",
        60.0 * shape[0] * shape[1],
        "cut long trajectories into shorter ones",
    )
    states, actions = np.full((shape[0], shape[1] + 1), -1, np.int32), np.full(shape, -1, np.int32)
    positions = np.full(states.shape, -1)
    states[rows.trajectory, rows.step] = at
    positions[rows.trajectory, rows.step] = np.arange(len(frame))
    actions[rows.trajectory[decision], rows.step[decision]] = chosen[decision]
    labels = Labels(
        trajectories=rows.trajectories,
        subjects=subjects,
        contexts=contexts,
        worlds=worlds,
        columns={part: columns[0] if len(columns) == 1 else tuple(columns) for part, columns in parts.items()},
        table=frame.copy(),
        rows=positions,
        source=source,
    )
    return Trajectories.of(states, actions, lengths=lengths, subject=who, context=task, labels=labels)


def _listed(columns: Columns) -> list:
    return list(columns) if isinstance(columns, (list, tuple)) else [columns]


def _visits(rows: Rows, places: lookup.Places, parts: dict[str, list]) -> tuple[np.ndarray, np.ndarray]:
    """State and action numbers of every row, ``(R,)`` each, after all checks; action −1 where there is none."""
    at = lookup.states(rows, places, keys(rows.frame, parts["state"], "state"), parts["state"])
    if "action" in parts:
        chosen = lookup.actions(rows, places, at, keys(rows.frame, parts["action"], "action"))
        rules.check_ended(rows, places, at, (rows.following >= 0) | (chosen >= 0))
        rules.check_available(rows, places, at, chosen)
        rules.check_moves(rows, places, at, chosen)
    else:
        rules.check_ended(rows, places, at, rows.following >= 0)
        chosen = rules.read_off(rows, places, at)
    return rules.lift(rows, places, at, chosen), chosen


def _groups(rows: Rows, parts: dict[str, list], part: str) -> tuple[np.ndarray, tuple]:
    """Number of the subject (or context) of every trajectory, ``(N,)``, and the names."""
    if part not in parts:
        return np.zeros(len(rows.trajectories), np.int64), (0,)
    key: Keys = keys(rows.frame, parts[part], part)
    columns = [*parts["trajectory"], *parts[part]]
    remedy = f"If trajectories are numbered anew for each {part}, name them by both columns: trajectory={columns}"
    return constant(rows, key, part, remedy), key.names


def _worlds(
    world: World | Mapping[Hashable, World], contexts: tuple, rows: Rows, task: np.ndarray, parts: dict[str, list]
) -> tuple[World, ...]:
    """The world of each context."""
    if isinstance(world, World):
        return (world,) * len(contexts)
    if not isinstance(world, Mapping) or not world or not all(isinstance(one, World) for one in world.values()):
        raise ValueError(f"world is a {type(world).__name__}; expected a World, or a mapping from context to World")
    if "context" not in parts:
        raise ValueError("several worlds were given: name the column that tells the world of each row: context=")
    known = np.array([context in world for context in contexts])
    rows.refuse(
        ~known[task[rows.trajectory]],
        lambda i: (
            f"context {contexts[task[rows.trajectory[i]]]!r} has no world; the mapping has "
            f"{', '.join(label(context) if not isinstance(context, str) else repr(context) for context in world)}"
        ),
    )
    return tuple(world[context] for context in contexts)
