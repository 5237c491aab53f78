"""Designs: tables of the trajectories that will be observed, without choices."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from goalinf.behavior.conditions import Worlds
from goalinf.checks import check_count, check_kind
from goalinf.data import Labels, Trajectories
from goalinf.types import StateName
from goalinf.worlds import World
from goalinf.worlds.names import label

_REQUIRED = ("subject", "trajectory", "steps")
_ROLES = (*_REQUIRED, "context", "start")


def design(
    world: Worlds,
    *,
    subjects: int | Sequence[Hashable],
    trajectories: int,
    steps: int,
    sessions: Sequence[Hashable] | None = None,
    start: StateName | None = None,
) -> pd.DataFrame:
    """Make a table of the trajectories of an experiment, without choices: a design.

    It can be changed like any table before it is given to :func:`~goalinf.simulate` or :func:`~goalinf.recover`:
    remove rows for an unbalanced design, add columns for covariates (constant within a trajectory), write ``nan`` for a
    start that is drawn from the initial distribution of the world.

    Parameters
    ----------
    world : World or mapping from context to World
        World of the experiment. With a mapping every subject acts in all contexts.
    subjects : int or sequence
        Number of subjects, or their names.
    trajectories : int
        Number of trajectories of every subject, in each context and each session.
    steps : int
        Largest number of decisions in a trajectory.
    sessions : sequence, optional
        Names of the sessions, the column ``session``.
    start : state, optional
        First state of all trajectories. Default: drawn from the initial distribution of the world.

    Returns
    -------
    DataFrame
        One row per trajectory: ``subject``, ``context`` where there are several, ``session``, ``trajectory`` (numbered
        through), ``steps``, and ``start`` where it was given.

    Raises
    ------
    ValueError
        Where a count is not positive, a name occurs twice, or a world has no such state.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> table = gi.design(hall, subjects=2, sessions=["pre", "post"], trajectories=3, steps=10)
    >>> len(table), list(table)
    (12, ['subject', 'session', 'trajectory', 'steps'])
    """
    worlds = world if isinstance(world, Mapping) else {0: world}
    for one in worlds.values():
        check_kind("world", one, World, "a World, such as gi.gridworld makes, or a mapping from context to it")
        if start is not None:
            one.index(start)
    for name, count in (("trajectories", trajectories), ("steps", steps)):
        check_count(name, count)
    names = {"subject": _names("subjects", subjects), "context": tuple(worlds), "session": (None,)}
    if sessions is not None:
        names["session"] = _names("sessions", sessions)
    rows = list(product(*names.values(), range(trajectories)))
    columns: dict[str, Any] = {name: [row[axis] for row in rows] for axis, name in enumerate(names)}
    if not isinstance(world, Mapping):
        del columns["context"]
    if sessions is None:
        del columns["session"]
    columns |= {"trajectory": range(len(rows)), "steps": steps}
    table = pd.DataFrame(columns)
    if start is not None:
        table["start"] = pd.Series([start] * len(rows), dtype=object)
    return table


def _names(what: str, names: int | Sequence[Hashable]) -> tuple[Hashable, ...]:
    if isinstance(names, (int, np.integer)) and what == "subjects":
        check_count(what, names)
        return tuple(range(int(names)))
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        number = "a number, or " if what == "subjects" else ""
        raise ValueError(f"{what} is {names!r}; expected {number}a list of names")
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"{what} has {twice!r} twice; expected different names")
    return tuple(names)


def template_of(rng: np.random.Generator, world: Worlds, table: pd.DataFrame) -> Trajectories:
    """Return trajectories with the subjects, contexts, covariates, starts and lengths of a design.

    Their actions are the first available ones, and without a meaning: simulation replaces them.

    Raises
    ------
    ValueError
        Where a column is missing, a value is missing or of the wrong kind, or a context has no world.
    """
    if missing := [name for name in _REQUIRED if name not in table]:
        raise ValueError(
            f"the design has no column {missing[0]!r}; expected {', '.join(_REQUIRED)}, as gi.design makes them; it "
            f"has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError("the design has no rows; expected one per trajectory")
    worlds = world if isinstance(world, Mapping) else None
    if worlds is not None and "context" not in table:
        raise ValueError("the worlds were given by context, and the design has no column 'context': add it")
    for name in (*_REQUIRED, *(["context"] if "context" in table else [])):
        if table[name].isna().any():
            raise ValueError(f"row {label(table.index[int(table[name].isna().argmax())])} of the design has no {name}")
    if (again := table["trajectory"].duplicated()).any():
        raise ValueError(
            f"trajectory {label(table['trajectory'][again.to_numpy()].iloc[0])} occurs twice in the design; expected a "
            "different name in every row"
        )
    lengths = [_length(table, row) for row in range(len(table))]
    subjects, subject = _numbered(table["subject"])
    contexts, context = _numbered(table["context"]) if "context" in table else ((0,), np.zeros(len(table), int))
    if worlds is not None and (unknown := [name for name in contexts if name not in worlds]):
        raise ValueError(
            f"context {unknown[0]!r} of the design has no world; the worlds are of {', '.join(map(repr, worlds))}"
        )
    by_context: list[World] = [world[name] if isinstance(world, Mapping) else world for name in contexts]
    starts = [_start(rng, table, row, by_context[context[row]]) for row in range(len(table))]
    longest = max(lengths)
    first_action = [int(by_context[c].mdp.available[s].argmax()) for c, s in zip(context, starts, strict=True)]
    others = [name for name in table.columns if name not in _ROLES]
    labels = Labels(
        tuple(table["trajectory"]),
        subjects,
        contexts,
        worlds=tuple(by_context),
        columns={name: name for name in ("subject", "trajectory", "context") if name in table},
        covariates=table[others].reset_index(drop=True) if others else None,
    )
    return Trajectories.of(
        np.repeat(np.array(starts)[:, None], longest + 1, axis=1),
        np.repeat(np.array(first_action)[:, None], longest, axis=1),
        lengths=lengths,
        subject=subject,
        context=context,
        labels=labels,
    )


def _numbered(column: pd.Series) -> tuple[tuple[Hashable, ...], np.ndarray]:
    numbers, names = pd.factorize(column)
    return tuple(names.tolist()), numbers


def _length(table: pd.DataFrame, row: int) -> int:
    value = table["steps"].tolist()[row]
    if (
        not isinstance(value, (int, np.integer)) and not (isinstance(value, float) and value.is_integer())
    ) or value < 1:
        raise ValueError(
            f"row {label(table.index[row])} of the design has steps {value!r}; expected a whole number of at least 1"
        )
    return int(value)


def _start(rng: np.random.Generator, table: pd.DataFrame, row: int, world: World) -> int:
    """Return the number of the first state of a row; drawn from the initial distribution where none is given."""
    start = table["start"].iloc[row] if "start" in table else None
    if start is None or (isinstance(start, float) and np.isnan(start)):
        return int(rng.choice(world.n_states, p=world.mdp.initial))
    return world.index(start)
