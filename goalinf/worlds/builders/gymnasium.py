"""Worlds from Gymnasium's tabular environments; the only module that imports Gymnasium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from goalinf.types import InitialStates
from goalinf.worlds.builders.packing import initial_distribution, pack
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import Names
from goalinf.worlds.world import World

_END = "end"


@runtime_checkable
class Tabular(Protocol):
    """Environment with a table of transitions."""

    P: Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]


def from_gymnasium(env: Any, *, discount: float | int, initial: InitialStates | None = None) -> World:
    """Make a world from a Gymnasium environment with a table ``P`` of transitions (FrozenLake, CliffWalking, Taxi).

    ``P[s][a]`` lists ``(probability, next state, reward, done)``. A state that is entered only by transitions
    that are ``done`` becomes terminal. Where episodes can also continue in such a state, its ``done`` transitions lead
    to an added terminal state named ``"end"`` instead. (Only states that can be reached from the initial states count:
    a step out of a state that no episode visits may end an episode that Gymnasium would continue.)

    Parameters
    ----------
    env : gymnasium.Env or str
        The environment, or its registered name.
    discount : float
        Discount factor per step, in [0, 1].
    initial : states, mapping from states to probabilities, or float (S,), optional
        Distribution of the first state. Default: the distribution of the environment.

    Returns
    -------
    World
        States and actions are the integers of the environment. On grids ``(row, col)`` names a state as well.

    Raises
    ------
    ImportError
        Where ``env`` is a name and Gymnasium is not installed.
    ValueError
        Where the environment has no table, or no initial distribution.

    Examples
    --------
    >>> lake = from_gymnasium("FrozenLake-v1", discount=0.95)
    >>> lake
    World(map: 16 states, 4 actions, discount 0.95, 5 terminal)
    SFFF
    FHFH
    FFFH
    HFFG
    """
    env = _tabular(env)
    table = _Table.read(env)
    n_states, n_actions = len(env.P), len(env.P[0])
    if initial is None:
        initial = getattr(env, "initial_state_distrib", None)
        if initial is None:
            raise ValueError(f"{_name(env)} has no initial distribution; give initial=")
    start = initial_distribution(Names(tuple(range(n_states))), initial, np.ones(n_states, bool))
    live = _visited(table, start > 0)
    entered = np.zeros(n_states, bool)
    entered[table.t[table.done]] = True
    ends = entered & ~live
    to_end = table.done & live[table.t]
    t = np.where(to_end, n_states, table.t)
    added = int(to_end.any())
    mdp = MDP.of(
        *pack(table.s, table.a, t, table.p, n_states + added, n_actions),
        available=np.ones((n_states + added, n_actions), bool),
        terminal=np.append(ends, [True] * added),
        initial=np.append(start, [0.0] * added),
        discount=discount,
    )
    states = (*range(n_states), *[_END] * added)
    actions = tuple(range(n_actions))
    rows = None if added else _rows(env, n_states)
    if rows is None:
        return World(mdp=mdp, states=states, actions=actions)
    row, col = np.divmod(np.arange(n_states), len(rows[0]))
    return World(
        mdp=mdp,
        states=states,
        actions=actions,
        layout="map",
        positions=np.stack([col, row], axis=1).astype(float),
        source="\n".join(rows),
        marks=tuple("".join(rows)),
        aliases={position: i for i, position in enumerate(zip(row.tolist(), col.tolist(), strict=True))},
    )


def gymnasium_reward(env: Any, world: World) -> np.ndarray:
    r"""Return the rewards of the environment, in the order of the successors of the world.

    :math:`R[s, a, k]` is the mean of the rewards that ``P[s][a]`` lists for this successor, weighted by their
    probabilities; zero in terminal states and for successors that are impossible.

    Parameters
    ----------
    env : gymnasium.Env or str
        The environment that the world was made from.
    world : World
        World that :func:`from_gymnasium` made from it.

    Returns
    -------
    float (S, A, K)
        Values for a :class:`~goalinf.TransitionReward`.

    Raises
    ------
    ValueError
        Where the world was not made from this environment.

    Examples
    --------
    >>> lake = from_gymnasium("FrozenLake-v1", discount=0.95)
    >>> reward = gymnasium_reward("FrozenLake-v1", lake)
    >>> float(reward[lake.mdp.successors == 15].max())
    1.0
    """
    env = _tabular(env)
    table = _Table.read(env)
    mdp = world.mdp
    n_states = len(env.P)
    if mdp.n_states - n_states not in (0, 1) or mdp.n_actions != len(env.P[0]):
        raise ValueError(
            f"the world has {mdp.n_states} states and {mdp.n_actions} actions, {_name(env)} has {n_states} and "
            f"{len(env.P[0])}; give the environment that the world was made from"
        )
    t = table.t
    if mdp.n_states > n_states:
        t = np.where(table.done & ~mdp.terminal[t], n_states, t)
    active = ~mdp.terminal[table.s]
    s, a, t, p, r = (column[active] for column in (table.s, table.a, t, table.p, table.r))
    match = (mdp.successors[s, a] == t[:, None]) & (mdp.probabilities[s, a] > 0)
    if not match.any(1).all():
        i = int(np.argmin(match.any(1)))
        raise ValueError(
            f"state {s[i]}, action {a[i]} leads to state {t[i]} in {_name(env)} but not in the world; give the "
            "environment that the world was made from"
        )
    reward, weight = np.zeros(mdp.successors.shape), np.zeros(mdp.successors.shape)
    index = s, a, match.argmax(1)
    np.add.at(reward, index, p * r)
    np.add.at(weight, index, p)
    return reward / np.where(weight > 0, weight, 1.0)


class _Table(NamedTuple):
    """Transitions of an environment, one entry each."""

    s: np.ndarray
    a: np.ndarray
    p: np.ndarray
    t: np.ndarray
    r: np.ndarray
    done: np.ndarray

    @classmethod
    def read(cls, env: Tabular) -> _Table:
        n_states = len(env.P)
        listed = [
            (s, a, *entry)
            for s in range(n_states)
            for a in range(len(env.P[s]))
            for entry in env.P[s][a]
            if entry[0] > 0
        ]
        s, a, p, t, r, done = zip(*listed, strict=True)
        return cls(
            s=np.array(s),
            a=np.array(a),
            p=np.array(p, float),
            t=np.array(t),
            r=np.array(r, float),
            done=np.array(done, bool),
        )


def _tabular(env: Any) -> Tabular:
    if isinstance(env, str):
        try:
            import gymnasium
        except ImportError:
            raise ImportError(f"making {env!r} needs Gymnasium: pip install 'goalinf[gym]'") from None
        env = gymnasium.make(env)
    env = getattr(env, "unwrapped", env)
    if getattr(env, "P", None) is None:
        raise ValueError(
            f"{_name(env)} has no table of transitions P (FrozenLake, CliffWalking and Taxi have one); build the world "
            "with from_arrays or from_table"
        )
    return env


def _name(env: Tabular) -> str:
    spec = getattr(env, "spec", None)
    return str(getattr(spec, "id", type(env).__name__))


def _visited(table: _Table, starts: np.ndarray) -> np.ndarray:
    """Return the mask of the states that an episode can visit before it ends."""
    visited = starts.copy()
    s, t = table.s[~table.done], table.t[~table.done]
    while True:
        newly_visited = t[visited[s] & ~visited[t]]
        if not len(newly_visited):
            return visited
        visited[newly_visited] = True


def _rows(env: Tabular, n_states: int) -> tuple[str, ...] | None:
    """Return the lines of a map, where the states are the cells of a grid in reading order."""
    description = getattr(env, "desc", None)
    if description is not None and np.size(description) == n_states:
        return tuple("".join(np.asarray(row).astype(str)) for row in description)
    shape = getattr(env, "shape", None)
    if shape is not None and len(shape) == 2 and np.prod(shape) == n_states:
        return ("." * shape[1],) * shape[0]
    return None
