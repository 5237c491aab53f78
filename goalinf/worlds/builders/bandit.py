"""Bandits: repeated choices whose outcomes are recorded with the data."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from goalinf.checks import check_kind
from goalinf.worlds.builders.transition_arrays import from_arrays
from goalinf.worlds.world import World, label

CHOICE = "choice"  # name of the only state of a bandit without cues


def bandit(
    actions: Sequence[Hashable], *, offers: Mapping[Hashable, Sequence[Hashable]] | Sequence[Hashable] | None = None
) -> World:
    """Make a world of repeated choices: bandits, reversal learning, and tasks in which cues or offers change.

    Every choice is a decision; any offer can be the next one, with equal probability, so that every order of trials is
    possible. Outcomes are not part of the world: they are recorded with the data (:class:`~goalinf.RecordedReward`).

    Parameters
    ----------
    actions : sequence
        Names of the options.
    offers : mapping from name to options, or sequence of names, optional
        States: what is offered or shown at a trial. A mapping gives the options that are available; a sequence names
        cues at which all are. Default: one state, ``"choice"``, with all options.

    Returns
    -------
    World
        With discount 0: the outcome of a choice follows at once.

    Raises
    ------
    ValueError
        Where there are fewer than two options, an offer is empty, or it names an unknown option.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.bandit(["left", "right"]).n_states
    1
    >>> selection = gi.bandit(list("ABCD"), offers={"AB": "AB", "CD": "CD", "AD": "AD"})
    >>> selection.mdp.available.tolist()
    [[True, True, False, False], [False, False, True, True], [True, False, False, True]]
    """
    names = list(actions)
    if isinstance(actions, str) or len(names) < 2:
        raise ValueError(f"actions is {actions!r}; expected the names of at least two options, such as ['A', 'B']")
    if isinstance(offers, str):
        raise ValueError(f"offers is {offers!r}; expected a mapping from offer to options, or the names of cues")
    states: list[Hashable] = [CHOICE] if offers is None else list(offers)
    if not states:
        raise ValueError("offers is empty; expected at least one")
    available = np.ones((len(states), len(names)), bool)
    if isinstance(offers, Mapping):
        check_kind("offers", offers, Mapping, "a mapping from offer to options")
        for row, (state, options) in zip(available, offers.items(), strict=True):
            if unknown := [option for option in options if option not in names]:
                raise ValueError(
                    f"offer {label(state)} names {unknown[0]!r}; the options are {', '.join(map(label, names))}"
                )
            if len(options) == 0:
                raise ValueError(f"offer {label(state)} has no option; expected at least one")
            row[:] = [name in options for name in names]
    shape = (len(states), len(names), len(states))
    return from_arrays(
        successors=np.broadcast_to(np.arange(len(states)), shape),
        probabilities=np.full(shape, 1.0 / len(states)),
        available=available,
        discount=0.0,
        states=states,
        actions=names,
    )
