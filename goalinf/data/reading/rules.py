"""Rules of the world: checks that each row is possible, and actions inferred from transitions.

They apply to the rows of a table and to the visits of arrays (:mod:`goalinf.data.matching.fitting`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np

from goalinf.data.reading.columns import Rows
from goalinf.data.reading.lookup import RowWorlds
from goalinf.worlds.mdp import MDP
from goalinf.worlds.world import Belief, Memory, World, label

_UNCLEAR = -2  # result of Belief.follow where the belief depends on a missing action
_SMALL_TABLE = 1 << 14


@runtime_checkable
class Sequence(Protocol):
    """Rows in sequence: position of the following row (−1 at the end), names of rows, errors about rows."""

    @property
    def following(self) -> np.ndarray: ...  # noqa: D102

    def owner(self, position: int) -> str: ...  # noqa: D102

    def refuse(self, wrong: np.ndarray, say: Callable[[int], str]) -> None: ...  # noqa: D102


@runtime_checkable
class Located(Protocol):
    """World of each row, to which its state number belongs."""

    def base(self, row: int) -> World: ...  # noqa: D102

    def name(self, row: int, state: np.ndarray) -> str: ...  # noqa: D102

    def bases(self) -> Iterable[tuple[World, np.ndarray]]: ...  # noqa: D102


def check_ended(rows: Sequence, row_worlds: Located, state: np.ndarray, decision: np.ndarray) -> None:
    """Raise where there is a decision in a terminal state."""
    ended = np.zeros(len(state), bool)
    for world, chosen in row_worlds.bases():
        ended[chosen] = np.asarray(world.mdp.terminal)[state[chosen]]
    rows.refuse(
        ended & decision,
        lambda i: (
            f"state {row_worlds.name(i, state)} is terminal: the episode has ended there, and no action is possible. "
            "Remove the steps that follow (the last row may give the state, with an empty action)"
        ),
    )


def check_available(rows: Sequence, row_worlds: Located, state: np.ndarray, action: np.ndarray) -> None:
    """Raise where an action is not available in its state."""
    wrong = np.zeros(len(state), bool)
    for world, chosen in row_worlds.bases():
        chosen = chosen[action[chosen] >= 0]
        wrong[chosen] = ~np.asarray(world.mdp.available)[state[chosen], action[chosen]]

    def say(i: int) -> str:
        world, s = row_worlds.base(i), int(state[i])
        names = world.action_names(s)
        allowed = _listed([names[a] for a in np.flatnonzero(world.mdp.available[s])])
        return (
            f"action {label(names[action[i]])} is not available in state {row_worlds.name(i, state)}; expected "
            f"{allowed}. Correct the row, or make the action available in the world"
        )

    rows.refuse(wrong, say)


def missed_steps(rows: Sequence, row_worlds: Located, state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Return True for steps without any action, ``(R,)``: the action is missing, and no action can keep the state.

    A trial with a missed response starts again: its row and the next row hold the same state.
    """
    missed = np.zeros(len(state), bool)
    for world, chosen in row_worlds.bases():
        chosen = chosen[(rows.following[chosen] >= 0) & (action[chosen] < 0)]
        chosen = chosen[state[rows.following[chosen]] == state[chosen]]
        possible, pair = _possible_actions(world.mdp, state[chosen], state[chosen])
        missed[chosen] = ~possible[pair].any(1)
    return missed


def check_moves(
    rows: Sequence, row_worlds: Located, state: np.ndarray, action: np.ndarray, *, slips: bool = False
) -> None:
    """Raise where the state of the next row cannot follow under the action, or under any action where it is missing.

    A missing action may also leave the state unchanged (:func:`missed_steps`). With ``slips``, the recorded action is
    the intended one, and the world may move by any available action.
    """
    wrong = np.zeros(len(state), bool)
    for world, chosen in row_worlds.bases():
        chosen = chosen[rows.following[chosen] >= 0]
        possible, pair = _possible_actions(world.mdp, state[chosen], state[rows.following[chosen]])
        actions = action[chosen]
        by_action, by_any = possible[pair, np.maximum(actions, 0)], possible[pair].any(1)
        wrong[chosen] = ~by_any if slips else np.where(actions >= 0, ~by_action, ~by_any)
    wrong &= ~missed_steps(rows, row_worlds, state, action)

    def say(i: int) -> str:
        if slips or action[i] < 0:
            return _forbidden(rows, row_worlds, state, i)
        world, s, a = row_worlds.base(i), int(state[i]), int(action[i])
        after = int(rows.following[i])
        follow = world.mdp.successors[s, a][world.mdp.probabilities[s, a] > 0]
        return (
            f"action {label(world.action_names(s)[a])} in state {row_worlds.name(i, state)} never leads to state "
            f"{row_worlds.name(after, state)}, which comes next ({rows.owner(after)}); in this world it leads to "
            f"{_listed([world.states[t] for t in np.unique(follow)])}. Correct the rows, or the world, or cut the "
            "trajectory there"
        )

    rows.refuse(wrong, say)


def infer_actions(rows: Rows, row_worlds: RowWorlds, state: np.ndarray) -> np.ndarray:
    """Infer the action of every row from the next row: the only action that can lead to its state; −1 at the end.

    Raises
    ------
    ValueError
        Where no action leads there, or several do.
    """
    action, candidates = np.full(len(state), -1), np.ones(len(state), np.int64)
    for world, chosen in row_worlds.bases():
        chosen = chosen[rows.following[chosen] >= 0]
        possible, pair = _possible_actions(world.mdp, state[chosen], state[rows.following[chosen]])
        action[chosen] = possible.argmax(1)[pair]
        candidates[chosen] = possible.sum(1)[pair]
    rows.refuse(candidates == 0, lambda i: _forbidden(rows, row_worlds, state, i))

    def say(i: int) -> str:
        world, s, after = row_worlds.base(i), int(state[i]), int(rows.following[i])
        possible, _ = _possible_actions(world.mdp, state[[i]], state[[after]])
        names = _listed([world.action_names(s)[a] for a in np.flatnonzero(possible[0])], "and")
        return (
            f"the action is not determined by the next state: {names} all lead from state {row_worlds.name(i, state)} "
            f"to state {row_worlds.name(after, state)}. Name the column that holds the action: action="
        )

    rows.refuse(candidates > 1, say)
    return action


def lift(rows: Rows, row_worlds: RowWorlds, state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Return the number of every row's state in its own world, where the table holds states of the base world.

    In a world with memory it is the number of the pair (last state, this state); in a belief world, the number of the
    pair of state and belief, given all earlier steps of the trajectory.
    """
    previous, lifted = np.full(len(state), -1), state.copy()
    has_next = np.flatnonzero(rows.following >= 0)
    previous[rows.following[has_next]] = state[has_next]
    missed = missed_steps(rows, row_worlds, state, action)
    for i in np.flatnonzero(missed)[np.argsort(rows.step[missed], kind="stable")]:  # the last state is unchanged
        previous[rows.following[i]] = previous[i]
    for world, chosen in row_worlds.each():
        if isinstance(world.memory, Memory):
            lifted[chosen] = world.memory.number(previous[chosen], state[chosen])
        elif isinstance(world.memory, Belief):
            lifted[chosen] = _pairs_with_belief(world.mdp, world.memory, rows, chosen, state, action, missed)

    def say(i: int) -> str:
        name = row_worlds.name(i, state)
        if lifted[i] == _UNCLEAR:
            return (
                f"the action before state {name} is missing, and the belief in that state depends on it: give the "
                "action, or cut the trajectory there"
            )
        before = "at the start" if previous[i] < 0 else f"after state {label(row_worlds.base(i).states[previous[i]])}"
        believes = isinstance(row_worlds.worlds[row_worlds.world_number[i]].memory, Belief)
        if believes and previous[i] >= 0:
            return f"no world allows the steps of this trajectory up to state {name}, {before}: correct the rows"
        kind = "belief world" if believes else "world with memory"
        return f"the {kind} has no state for {name} {before}; build the world with this state"

    rows.refuse(lifted < 0, say)
    return lifted


def _pairs_with_belief(
    mdp: MDP,
    belief: Belief,
    rows: Rows,
    chosen: np.ndarray,
    state: np.ndarray,
    action: np.ndarray,
    missed: np.ndarray,
) -> np.ndarray:
    """Return the number of the pair of state and belief of some rows, updated along all trajectories at once.

    A step without any action does not change the pair.
    """
    pair = np.zeros(len(state), np.int64)  # rows after a row without a pair are not looked up
    now = np.setdiff1d(chosen, rows.following)
    pair[now] = belief.start(state[now])
    while (now := now[(pair[now] >= 0) & (rows.following[now] >= 0)]).size:
        after = rows.following[now]
        moved = ~missed[now]
        pair[after] = pair[now]
        pair[after[moved]] = belief.follow(mdp, pair[now[moved]], action[now[moved]], state[after[moved]])
        now = after
    return pair[chosen]


def _possible_actions(mdp: MDP, state: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return True for the available actions that can lead from one state to the other.

    ``(pairs, A)`` over the unique pairs, and the pair of each row: most tables repeat few transitions many times.
    """
    unique, pair = _numbered(state * np.int64(mdp.n_states) + after, mdp.n_states**2)
    s, t = np.divmod(unique, mdp.n_states)
    hits = np.asarray(mdp.successors)[s] == t[:, None, None]
    leads = (hits & (np.asarray(mdp.probabilities)[s] > 0)).any(2)
    return leads & np.asarray(mdp.available)[s], pair


def _numbered(keys: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the unique keys (all below ``size``), and the number of each key among them."""
    if size > keys.size + _SMALL_TABLE:
        return np.unique(keys, return_inverse=True)
    number = np.zeros(size, np.int64)  # a table of all possible keys is faster than sorting
    number[keys] = 1
    unique = np.flatnonzero(number)
    number[unique] = np.arange(unique.size)
    return unique, number[keys]


def _forbidden(rows: Sequence, row_worlds: Located, state: np.ndarray, i: int) -> str:
    world, s, after = row_worlds.base(i), int(state[i]), int(rows.following[i])
    possible = (world.mdp.probabilities[s] > 0) & world.mdp.available[s][:, None]
    reached = _listed([world.states[t] for t in np.unique(world.mdp.successors[s][possible])])
    stay = ""
    if state[after] == s:
        stay = (
            ", give the world a stay action if the agent can choose to stay, or name the action column (action=) and "
            "leave its cell empty if no action was made"
        )
    return (
        f"no action leads from state {row_worlds.name(i, state)} to state {row_worlds.name(after, state)}, which comes "
        f"next ({rows.owner(after)}); one step leads to {reached}. Correct the rows{stay}, or cut the trajectory there"
    )


def _listed(names: list[Hashable], word: str = "or", most: int = 8) -> str:
    """Join names: ``"a, b or c"``."""
    shown = [label(name) for name in names[:most]] + ["…"] * (len(names) > most)
    return " ".join([", ".join(shown[:-1]), word, shown[-1]]) if len(shown) > 1 else "".join(shown)
