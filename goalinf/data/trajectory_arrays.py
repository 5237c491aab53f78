"""Checks and defaults of the arrays of trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from goalinf.data.labels import Labels
from goalinf.types import Numbers, Numeric

Rows = Numeric | Sequence[Any]  # an array, or lists: one per trajectory, or one number per trajectory
_LARGEST = np.iinfo(np.int32).max


def many(count: int, what: str) -> str:
    """Return a count with its noun: ``"1 subject"``, ``"2 trajectories"``."""
    plural = "trajectories" if what == "trajectory" else f"{what}s"
    return f"{count:,} {what if count == 1 else plural}"


def completed(
    states: Rows,
    actions: Rows,
    lengths: Rows | None,
    observed: Rows | None,
    subject: Rows | None,
    context: Rows | None,
) -> dict[str, np.ndarray]:
    """Return the arrays of :class:`~goalinf.Trajectories` by name, by the rules of :meth:`goalinf.Trajectories.of`."""
    states, actions = integers(states, "states"), integers(actions, "actions")
    if states.ndim != 2 or actions.ndim != 2 or states.shape != (actions.shape[0], actions.shape[1] + 1):
        raise ValueError(
            f"states has shape {states.shape} and actions {actions.shape}; expected (N, T+1) and (N, T): "
            "append a column of -1 to states where the last state was not seen"
        )
    n, t = actions.shape
    lengths = default_lengths(states, actions) if lengths is None else integers(lengths, "lengths")
    observed = np.ones((n, t), bool) if observed is None else truths(observed, "observed")
    subject = np.zeros(n, np.int32) if subject is None else integers(subject, "subject")
    context = np.zeros(n, np.int32) if context is None else integers(context, "context")
    check_shapes(actions, lengths=lengths, observed=observed, subject=subject, context=context)
    observed = observed & (np.arange(t) < lengths[:, None]) & (actions >= 0)
    return {
        "states": np.where(np.arange(t + 1) <= lengths[:, None], states, -1).astype(np.int32),
        "actions": np.where(observed, actions, -1).astype(np.int32),
        "lengths": lengths,
        "observed": observed,
        "subject": subject,
        "context": context,
    }


def integers(values: Rows, name: str) -> np.ndarray:
    """Convert values to an int32 array; they must be whole numbers, −1 or more."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} has rows of different lengths; fill them up with -1, or use a table") from None
    if array.dtype == object or array.dtype.kind not in "iuf":
        raise ValueError(f"{name} holds {array.dtype}; expected a rectangle of integers, -1 where there is none")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.round(array))).all():
        raise ValueError(f"{name} holds a number that is not an integer or not finite; write -1 where there is none")
    if array.size and (array.min() < -1 or array.max() > _LARGEST):
        wrong = array.min() if array.min() < -1 else array.max()
        raise ValueError(f"{name} holds {wrong:.0f}; expected numbers from 0 up, -1 where there is none")
    return array.astype(np.int32)


def truths(values: Rows, name: str) -> np.ndarray:
    """Convert values to an array of booleans; words and numbers are refused, because NumPy would count them as true."""
    array = np.asarray(values)
    if array.dtype != bool:
        raise ValueError(f"{name} holds {array.dtype}; expected True and False")
    return array


def default_lengths(states: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Return the decisions per trajectory: visits before the first −1, the last visit only where it has an action."""
    if actions.shape[1] == 0:
        return np.zeros(len(actions), np.int32)
    visits = np.cumprod(states >= 0, axis=1, dtype=bool).sum(1)
    behind = np.arange(states.shape[1]) >= visits[:, None]
    continues = (behind & (states >= 0)).any(1) | (behind[:, :-1] & (actions >= 0)).any(1)
    if continues.any():
        raise ValueError(
            f"trajectory {int(continues.argmax())} goes on after a state of -1 ({continues.sum()} of {len(continues)} "
            "trajectories): every decision needs its state; cut the trajectory there, or give lengths= to leave out "
            "what follows"
        )
    last_visit = np.clip(visits - 1, 0, actions.shape[1] - 1)
    chosen_there = (visits <= actions.shape[1]) & (actions[np.arange(len(actions)), last_visit] >= 0)
    return np.where(chosen_there, visits, np.maximum(visits - 1, 0)).astype(np.int32)


def chosen_numbers(trajectories: slice | Numbers, n: int) -> np.ndarray:
    """Return the numbers of the trajectories that a mask, a slice or integers select."""
    if isinstance(trajectories, slice):
        chosen = np.arange(n)[trajectories]
    else:
        chosen = np.atleast_1d(np.asarray(trajectories))
        if chosen.dtype == bool:
            if chosen.shape != (n,):
                raise ValueError(f"the mask has shape {chosen.shape}; expected one entry for each of {n} trajectories")
            chosen = np.flatnonzero(chosen)
    if chosen.size == 0:
        raise ValueError("no trajectory is selected; select at least one")
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise ValueError(f"trajectories are selected by a mask or integers, not by {chosen.dtype} {chosen.shape}")
    outside = (chosen < -n) | (chosen >= n)
    if outside.any():
        raise ValueError(f"no trajectory number {chosen[outside][0]}: there are {n} trajectories")
    return chosen % n


def check_shapes(actions: np.ndarray, **fields: np.ndarray) -> None:
    """Raise where the shape of a field of a :class:`~goalinf.Trajectories` does not match the shape of `actions`."""
    n, t = actions.shape
    for name, array in fields.items():
        shape = {"states": (n, t + 1), "observed": (n, t)}.get(name, (n,))
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; expected {shape}, to fit actions {(n, t)}")
    if n == 0 or t == 0:
        raise ValueError(f"there are {n} trajectories of {t} steps; expected at least one of each")


def check(
    labels: Labels | None,
    states: np.ndarray,
    actions: np.ndarray,
    lengths: np.ndarray,
    observed: np.ndarray,
    subject: np.ndarray,
    context: np.ndarray,
    *,
    contexts: tuple[Any, ...] | None = None,
) -> None:
    """Raise where the fields of a :class:`~goalinf.Trajectories` contradict one another."""
    check_shapes(actions, states=states, lengths=lengths, observed=observed, subject=subject, context=context)
    n, t = actions.shape
    decision = np.arange(t) < lengths[:, None]
    faults = {
        f"a length outside 0 to {t}": (lengths < 0) | (lengths > t),
        "a negative subject or context number": (subject < 0) | (context < 0),
        "a decision without a state": (decision & (states[:, :-1] < 0)).any(1),
        "an action after its end": (~decision & observed).any(1),
        "a decision marked as observed without an action": (observed & (actions < 0)).any(1),
    }
    for what, wrong in faults.items():
        if wrong.any():
            names = labels.trajectories if labels else range(n)
            raise ValueError(f"trajectory {names[int(wrong.argmax())]} has {what} ({wrong.sum()} of {n} trajectories)")
    n_contexts = int(context.max()) + 1
    if labels is not None:
        if contexts is not None:
            raise ValueError("labels name the contexts already; give either labels= or contexts=")
        _check_names(labels, n, int(subject.max()) + 1, n_contexts)
    if contexts is not None and (len(contexts) < n_contexts or len(set(contexts)) < len(contexts)):
        raise ValueError(
            f"contexts= names {', '.join(map(repr, contexts))}; expected a different name for each of "
            f"{many(n_contexts, 'context')}"
        )


def _check_names(labels: Labels, n: int, n_subjects: int, n_contexts: int) -> None:
    if len(labels.trajectories) != n:
        raise ValueError(f"labels name {many(len(labels.trajectories), 'trajectory')}, the data have {n}")
    for what, names, needed in (("subject", labels.subjects, n_subjects), ("context", labels.contexts, n_contexts)):
        if len(names) < needed:
            raise ValueError(f"labels name {many(len(names), what)}, the data have {needed}")
    if labels.worlds and len(labels.worlds) != len(labels.contexts):
        raise ValueError(f"labels hold {len(labels.worlds)} worlds for {many(len(labels.contexts), 'context')}")
