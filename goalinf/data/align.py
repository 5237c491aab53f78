"""Numbers of subjects and contexts in another data set's order, so that what was learned by number is found by name."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from goalinf.data.trajectories import Trajectories
from goalinf.worlds.world import label


def aligned(data: Trajectories, subjects: Sequence[Hashable], contexts: Sequence[Hashable]) -> Trajectories:
    """The same data, without labels, with subjects and contexts numbered in this order.

    Parameters
    ----------
    data : Trajectories
        Observed behavior.
    subjects, contexts : sequence
        Names; every name of the data is among them.
    """
    subject, context = (
        np.array([list(order).index(name) for name in own])[np.asarray(numbers)]
        for order, own, numbers in (
            (subjects, data.subject_names, data.subject),
            (contexts, data.context_names, data.context),
        )
    )
    return Trajectories.of(
        data.states,
        data.actions,
        lengths=data.lengths,
        observed=data.observed,
        subject=subject,
        context=context,
        contexts=contexts,
    ).unlabeled()


def new_names(what: str, names: Sequence[Hashable], known: Sequence[Hashable]) -> list[Hashable]:
    """Names that are not known, in their order.

    Raises
    ------
    ValueError
        Where a new name prints like a known one, as 1 and "1" do.
    """
    found = [name for name in names if name not in known]
    printed = {label(name): name for name in known}
    for name in found:
        if label(name) in printed:
            raise ValueError(
                f"{what} {name!r} of the data and {what} {printed[label(name)]!r} of the fit print alike: convert one "
                "of them, so that equal names are equal values"
            )
    return found
