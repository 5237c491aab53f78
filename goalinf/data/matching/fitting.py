"""Checks of data against the worlds in which they are scored: names, available actions and possible transitions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property

import numpy as np

from goalinf.data.labels import decision_name
from goalinf.data.reading import rules
from goalinf.data.recorded import Recorded
from goalinf.worlds.alike import same_place
from goalinf.worlds.world import World, label


def check_numbers(data: Recorded, worlds: Sequence[World]) -> None:
    """Check that every state, action and context is a number of these worlds; compiled code would clamp other numbers.

    Parameters
    ----------
    data : Trajectories
        Observed behavior. Nothing is checked where its arrays are traced, or hold a batch of data sets.
    worlds : sequence of World
        One per context of the data, or one for all.

    Raises
    ------
    ValueError
        Where a number is too large. The message names the trajectory, the step (the row, where there is a table) and
        the valid numbers.
    """
    if not data.concrete:
        return
    states, actions, context = map(np.asarray, (data.states, data.actions, data.context))
    if len(worlds) == 1:
        context = np.zeros_like(context)
    elif context.max() >= len(worlds):
        n = int((context >= len(worlds)).argmax())
        raise ValueError(
            f"trajectory {label(data.trajectory_names[n])} is of context number {context[n]}; expected 0 to "
            f"{len(worlds) - 1}, because there are {len(worlds)} worlds"
        )
    for what, values, sizes in (
        ("state", states, np.array([world.n_states for world in worlds])),
        ("action", actions, np.array([world.n_actions for world in worlds])),
    ):
        if values.size == 0 or values.max() < sizes.min():
            continue
        wrong = values >= sizes[context][:, None]
        if wrong.any():
            n, t = np.argwhere(wrong)[0].tolist()
            size = int(sizes[context[n]])
            high = values[values >= 0].min() >= 1 and values.max() == size
            hint = ". The numbers are one too high: subtract 1" if high else ""
            more = f" ({wrong.sum():,} such entries)" if wrong.sum() > 1 else ""
            raise ValueError(
                f"{decision_name(data.labels, n, t)}: {what} number {values[n, t]}; the world has {size} {what}s, "
                f"numbers 0 to {size - 1}{hint}{more}"
            )


def check_fits(data: Recorded, worlds: Sequence[World], *, slips: bool = False) -> None:
    """Refuse data that cannot come from these worlds, for data from a table and for arrays.

    Every state and action must exist and have the name that it had in the world in which the data were read or
    simulated. The rules of :func:`~goalinf.read_trajectories` hold: no decision in a terminal state, every action is
    available, and every transition has a positive probability.

    Parameters
    ----------
    data : Trajectories
        Observed behavior.
    worlds : sequence of World
        One per context of the data, or one for all.
    slips : bool
        True where data hold intended actions and the world moves by executed ones: a transition is then possible where
        any available action makes it.

    Raises
    ------
    ValueError
        Where a state or an action does not exist or has another name (for example first-order data in a world with
        memory), or where a rule is broken. The message names trajectory and step, and the row where the data came from
        a table.
    """
    check_numbers(data, worlds)
    contexts, (context, *pairs) = data.context_names, _recorded_pairs(data)
    for number, name in enumerate(contexts):
        world = worlds[min(number, len(worlds) - 1)]
        whose = f"the data of context {name!r}" if len(contexts) > 1 else "the data"
        recorded_world = data.labels.worlds[number] if data.labels is not None and data.labels.worlds else world
        if recorded_world is not world:
            of_context = context == number if len(contexts) > 1 else slice(None)
            _check_names(whose, recorded_world, world, *(numbers[of_context] for numbers in pairs))
    visits = _Visits.of(data, worlds)
    state, action = visits.state, visits.action
    rules.check_ended(visits, visits, state, visits.decision)
    rules.check_available(visits, visits, state, action)
    rules.check_moves(visits, visits, state, action, slips=slips)


def _recorded_pairs(data: Recorded) -> tuple[np.ndarray, ...]:
    """Return context, state and action of every different choice, and of every forced action."""
    cells = data.cells
    pairs = tuple(np.asarray(numbers) for numbers in (cells.context, cells.state, cells.action))
    if data.forced is None:
        return pairs
    n, t = np.nonzero(data.forced)
    forced = (data.context[n], data.states[n, t], data.actions[n, t])
    return tuple(np.concatenate([chosen, np.asarray(more)]) for chosen, more in zip(pairs, forced, strict=True))


@dataclasses.dataclass(frozen=True, eq=False)
class _Visits:
    """Visits of all trajectories, concatenated, with the interface that the rules use for the rows of a table."""

    data: Recorded
    worlds: tuple[World, ...]  # one per context, or one for all
    state: np.ndarray  # (N (T + 1),), −1 where there is no visit
    action: np.ndarray  # (N (T + 1),), −1 where there is none or it is missing
    decision: np.ndarray  # (N (T + 1),), missing actions included
    following: np.ndarray  # (N (T + 1),) position of the visit after a decision, −1 where it was not seen

    @classmethod
    def of(cls, data: Recorded, worlds: Sequence[World]) -> _Visits:
        """Collect all visits of the data."""
        states = np.asarray(data.states)
        width = states.shape[1]
        decision = np.arange(width) < np.asarray(data.lengths)[:, None]
        action, following = np.full(states.shape, -1), np.full(states.shape, -1)
        np.copyto(action[:, :-1], data.actions, where=np.asarray(data.observed))
        known_next = decision[:, :-1] & (states[:, 1:] >= 0)
        np.copyto(following[:, :-1], np.arange(1, states.size + 1).reshape(states.shape)[:, :-1], where=known_next)
        return cls(data, tuple(worlds), states.ravel(), action.ravel(), decision.ravel(), following.ravel())

    @property
    def _width(self) -> int:
        return self.data.states.shape[1]

    def base(self, row: int) -> World:
        """Return the world of a visit."""
        return self.worlds[min(int(self.data.context[row // self._width]), len(self.worlds) - 1)]

    def name(self, row: int, state: np.ndarray) -> str:
        """Return the printed name of the state of a visit."""
        return label(self.base(row).states[state[row]])

    def bases(self) -> Sequence[tuple[World, np.ndarray]]:
        """Return every world with the positions of its visits."""
        return self._located

    @cached_property
    def _located(self) -> list[tuple[World, np.ndarray]]:
        visited = self.state >= 0
        distinct = list({id(world): world for world in self.worlds}.values())
        if len(distinct) == 1:
            return [(distinct[0], np.flatnonzero(visited))]
        of_context = np.array([[world is candidate for candidate in distinct].index(True) for world in self.worlds])
        world_number = np.repeat(of_context[np.asarray(self.data.context)], self._width)
        return [(world, np.flatnonzero((world_number == number) & visited)) for number, world in enumerate(distinct)]

    def owner(self, position: int) -> str:
        """Return ``"trajectory 3, step 5"``, with its row where the data came from a table."""
        return decision_name(self.data.labels, *divmod(position, self._width))

    def refuse(self, wrong: np.ndarray, say: Callable[[int], str]) -> None:
        """Raise an error about the first wrong visit, with the number of wrong visits."""
        if wrong.any():
            position = int(wrong.argmax())
            count = f" ({wrong.sum():,} steps have this fault; this is the first)" if wrong.sum() > 1 else ""
            raise ValueError(f"{self.owner(position)}: {say(position)}{count}")


def check_same_conditions(
    data: Recorded,
    fitted: Recorded,
    *,
    worlds: bool,
    rewards: bool,
    remedy: str,
    one_world: bool = False,
    one_reward: bool = False,
    digest_in: Callable[[Hashable, World], str] | None = None,
) -> None:
    """Check that contexts of the same name have the same world and reward in new data and in fitted data.

    Parameters
    ----------
    data, fitted : Trajectories
        New data, and the data of the fit.
    worlds, rewards : bool
        True where the worlds, or the known rewards, of the fit are used for the new data.
    remedy : str
        Arguments that avoid the error, with ``{0}`` for ``"world"`` or ``"reward"``.
    one_world, one_reward : bool
        True where the fit has one world, or one reward, for all contexts: contexts of other names are compared, too.
    digest_in : callable, optional
        Maps the name of a fitted context and a world to the digest of the fit's reward in that world.

    Raises
    ------
    ValueError
        Where the data were read or simulated in another world, or simulated with another reward.
    """
    if data.labels is None or fitted.labels is None:
        return
    names, fitted_worlds, new_worlds = fitted.context_names, fitted.labels.worlds, data.labels.worlds
    number_of = {name: number for number, name in enumerate(names)}
    for number, name in enumerate(data.context_names):
        same, everywhere = [number_of[name]] if name in number_of else [], list(number_of.values())
        subject = f"the data of context {name!r}" if len(number_of) > 1 or name != 0 else "the data"
        fitted_data = "data of that name" if same else "data"
        changes = {
            k: _changed(new_worlds[number], fitted_worlds[k]) if fitted_worlds and new_worlds else ""
            for k in same or (everywhere if one_world or one_reward else [])
        }
        compared = same or (everywhere if one_world else [])
        if worlds and compared and all(changes[k] for k in compared):
            raise ValueError(
                f"{subject} are of another world than the fitted {fitted_data}: {changes[compared[0]]} differ. Give "
                f"{remedy.format('world')} to score them in the fitted one"
            )
        compared = same or (everywhere if one_reward else [])
        if not (rewards and data.labels.rewards and fitted.labels.rewards and compared):
            continue
        allowed = {fitted.labels.rewards[k] for k in compared}
        for k in compared:  # the digest of a reward depends on the world
            if digest_in and changes[k] and digest_in(names[k], fitted_worlds[k]) == fitted.labels.rewards[k]:
                allowed.add(digest_in(names[k], new_worlds[number]))
        if data.labels.rewards[number] not in allowed:
            raise ValueError(
                f"{subject} were simulated with another reward than the fitted {fitted_data}. Give "
                f"{remedy.format('reward')} to score them with the fitted one"
            )


def _changed(world: World, other_world: World) -> str:
    """Return the names of the parts in which two worlds differ; empty where they are equal."""
    if world is other_world:
        return ""
    parts = ("successors", "probabilities", "available", "terminal", "discount")
    arrays = [(np.asarray(getattr(world.mdp, name)), np.asarray(getattr(other_world.mdp, name))) for name in parts]
    return ", ".join(name for name, pair in zip(parts, arrays, strict=True) if not np.array_equal(*pair))


def _check_names(whose: str, recorded_world: World, world: World, states: np.ndarray, actions: np.ndarray) -> None:
    remedy = "read or simulate them in the world that they are fitted in"
    for s in np.unique(states).tolist():
        if not same_place(recorded_world, world, s):
            recorded, fitted = label(recorded_world.states[s]), label(world.states[s])
            raise ValueError(
                f"{whose} come from another world, where state number {s} is {recorded}; here it is {fitted}: {remedy}"
            )
    for s, a in zip(states.tolist(), actions.tolist(), strict=True):
        recorded, fitted = recorded_world.action_names(s)[a], world.action_names(s)[a]
        if recorded != fitted and None not in (recorded, fitted):
            which_action = f"action number {a} in state {label(world.states[s])}"
            raise ValueError(
                f"{whose} come from another world, where {which_action} is {label(recorded)}; here it is "
                f"{label(fitted)}: {remedy}"
            )
