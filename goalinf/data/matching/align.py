"""Renumbering of subjects and contexts in the order of another data set, so that parameters match by name."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from goalinf.data.trajectories import Trajectories
from goalinf.types import Numeric
from goalinf.worlds.world import label


def aligned(data: Trajectories, subjects: Sequence[Hashable], contexts: Sequence[Hashable]) -> Trajectories:
    """Return the data without labels, with subjects and contexts numbered in the given order.

    Parameters
    ----------
    data : Trajectories
        Observed behavior.
    subjects, contexts : sequence
        Names in the new order; they contain every name of the data.
    """
    subject = _renumbered(data.subject, data.subject_names, subjects)
    context = _renumbered(data.context, data.context_names, contexts)
    return Trajectories.of(
        data.states,
        data.actions,
        lengths=data.lengths,
        observed=data.observed,
        subject=subject,
        context=context,
        contexts=contexts,
        outcomes=data.outcomes,
        forced=data.forced,
    ).unlabeled()


def _renumbered(numbers: Numeric, names: Sequence[Hashable], order: Sequence[Hashable]) -> np.ndarray:
    """Convert numbers into ``names`` to numbers into ``order``."""
    number_of = {name: number for number, name in enumerate(order)}
    return np.array([number_of[names[number]] for number in np.asarray(numbers)])


def new_names(what: str, names: Sequence[Hashable], known: Sequence[Hashable]) -> list[Hashable]:
    """Return the names that are not known, in their order.

    Raises
    ------
    ValueError
        Where a new name prints like a known one, as 1 and "1" do.
    """
    known_set = set(known)
    new = [name for name in names if name not in known_set]
    printed = {label(name): name for name in known}
    for name in new:
        if label(name) in printed:
            raise ValueError(
                f"{what} {name!r} of the data and {what} {printed[label(name)]!r} of the fit print alike: convert one "
                "of them, so that equal names are equal values"
            )
    return new
