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


def forced_of(values: Rows, lengths: np.ndarray, recorded: np.ndarray, observed: Rows | None) -> np.ndarray | None:
    """Return True where a recorded action was forced; None where none was: such data equal data without this array.

    ``recorded`` marks the steps with an action; ``observed`` hides steps, of which nothing is known.
    """
    forced = truths(values, "forced")
    check_shapes(recorded, forced=forced)
    without_action = forced & ~recorded & (np.arange(recorded.shape[1]) < lengths[:, None])
    if observed is not None:
        without_action &= np.asarray(observed)
    if without_action.any():
        n, t = np.argwhere(without_action)[0]
        raise ValueError(
            f"forced: trajectory {n}, step {t} is forced and has no action ({without_action.sum():,} such steps); give "
            "the action that was forced, or False where no action was made"
        )
    return forced & recorded if (forced & recorded).any() else None


def outcomes_of(values: Rows, actions: np.ndarray) -> np.ndarray:
    """Return outcomes as floats; those of the chosen actions (N, T) as an array of all actions, NaN for the others."""
    try:
        outcomes = np.asarray(values)
        if outcomes.dtype.kind not in "iuf":
            raise TypeError
        outcomes = outcomes.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "outcomes holds values that are no numbers, or rows of different lengths; expected numbers, "
            "NaN where there is no outcome"
        ) from None
    if outcomes.shape != actions.shape:
        return outcomes
    without_action = np.isfinite(outcomes) & (actions < 0)
    if without_action.any():
        n, t = np.argwhere(without_action)[0]
        raise ValueError(
            f"outcomes: trajectory {n}, step {t} has the outcome {outcomes[n, t]:g} and no action; give the action, or "
            "NaN as the outcome"
        )
    chosen = np.arange(actions.max(initial=0) + 1) == actions[..., None]
    return np.where(chosen, outcomes[..., None], np.nan)


def check_outcomes(outcomes: np.ndarray, states: np.ndarray, actions: np.ndarray) -> None:
    """Raise where outcomes do not fit the actions, or are infinite."""
    if outcomes.ndim not in (3, 4) or outcomes.shape[:2] != actions.shape:
        raise ValueError(
            f"outcomes has shape {outcomes.shape}; expected {actions.shape} for the chosen actions, "
            f"{(*actions.shape, 'A')} for all actions, or {(*actions.shape, 'S', 'A')} where they depend on the state"
        )
    if outcomes.ndim == 4 and outcomes.shape[2] <= states.max(initial=-1):
        raise ValueError(
            f"outcomes has {outcomes.shape[2]} states, and states holds number {states.max()}: give an outcome, or "
            "NaN, for every state"
        )
    if outcomes.shape[-1] <= actions.max(initial=-1):
        raise ValueError(
            f"outcomes has {outcomes.shape[-1]} actions, and actions holds number {actions.max()}: give an outcome, or "
            "NaN, for every action"
        )
    if np.isinf(outcomes).any():
        raise ValueError("outcomes holds an infinite number; expected finite ones, NaN where there is no outcome")


def schedule_of(values: Numbers, n: int, t: int) -> np.ndarray:
    """Return the outcomes that actions would have, ``(N, T, A)`` or ``(N, T, S, A)``; one for all from ``(T, A)``.

    Raises
    ------
    ValueError
        Where the shape does not fit N trajectories of T steps, or a number is not finite.
    """
    schedule = given = np.asarray(values)
    if given.dtype.kind not in "iuf":
        raise ValueError(f"outcomes holds {given.dtype}; expected numbers, the outcome that every action would have")
    schedule = schedule.astype(np.float64)
    if schedule.ndim == 2:
        schedule = np.broadcast_to(schedule, (n, *schedule.shape))
    if schedule.ndim not in (3, 4) or schedule.shape[0] != n or schedule.shape[1] < t:
        raise ValueError(
            f"outcomes has shape {given.shape}; expected ({t}, A) for all trajectories, ({n}, {t}, A), or "
            f"({n}, {t}, S, A) where outcomes depend on the state"
        )
    if not np.isfinite(schedule).all():
        raise ValueError("outcomes holds a number that is not finite; give the outcome that every action would have")
    return schedule[:, :t]


def check_schedule(data: Any, worlds: Sequence[Any]) -> None:
    """Refuse to simulate a learner where the outcomes of other choices than the recorded ones are unknown.

    Where the action was forced, its outcome is enough.

    Raises
    ------
    ValueError
        Where outcomes are unknown at a step that has one.
    """
    if data.outcomes is None:
        raise ValueError(
            "the reward is recorded with the data, and these hold no outcomes: simulate with gi.simulate(outcomes=), "
            "an array (T, A), (N, T, A) or (N, T, S, A) of the outcome that every action would have; elsewhere give "
            "such data as like="
        )
    outcomes, states = np.asarray(data.outcomes), np.maximum(np.asarray(data.states)[:, :-1], 0)
    shape = max(world.n_states for world in worlds), outcomes.shape[-1]
    available = np.zeros((len(worlds), *shape), bool)
    for table, world in zip(available, worlds, strict=True):
        offered = np.asarray(world.mdp.available)[:, : shape[1]]
        table[: offered.shape[0], : offered.shape[1]] = offered
    number = np.asarray(data.context) if len(worlds) > 1 else np.zeros(len(states), int)
    needed = available[number[:, None], states] if outcomes.ndim == 3 else available[number][:, None]
    if data.forced is not None:
        is_recorded = np.arange(shape[1]) == np.asarray(data.actions)[..., None]
        possible = is_recorded | ~np.asarray(data.forced)[..., None]
        needed = needed & (possible if outcomes.ndim == 3 else possible[:, :, None])
    known = np.isfinite(outcomes)
    unknown = (needed & ~known).reshape(*states.shape, -1).any(axis=-1)
    partly = unknown & known.reshape(*states.shape, -1).any(axis=-1)
    if partly.any():
        n, t = np.argwhere(partly)[0]
        raise ValueError(
            f"{data.where('step', int(n), int(t))}: the outcomes of the actions that were not chosen are unknown "
            f"({partly.sum():,} such steps), and a simulated agent may choose them: give the outcome that every action "
            "would have, as columns (gi.read_trajectories(outcome={action: column, …})) or as an array "
            "(gi.Trajectories.of, gi.simulate: outcomes=)"
        )


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
        shape = {"states": (n, t + 1), "observed": (n, t), "forced": (n, t)}.get(name, (n,))
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
    forced: np.ndarray | None = None,
) -> None:
    """Raise where the fields of a :class:`~goalinf.Trajectories` contradict one another."""
    forced = np.zeros(actions.shape, bool) if forced is None else forced
    step_fields = {"observed": observed, "forced": forced}
    check_shapes(actions, states=states, lengths=lengths, subject=subject, context=context, **step_fields)
    n, t = actions.shape
    decision = np.arange(t) < lengths[:, None]
    faults = {
        f"a length outside 0 to {t}": (lengths < 0) | (lengths > t),
        "a negative subject or context number": (subject < 0) | (context < 0),
        "a decision without a state": (decision & (states[:, :-1] < 0)).any(1),
        "an action after its end": (~decision & observed).any(1),
        "a decision marked as observed without an action": (observed & (actions < 0)).any(1),
        "a decision marked as forced without an action": (forced & ~observed).any(1),
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
