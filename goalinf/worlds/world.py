"""World: an MDP with the names people use for its states and actions."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any, Literal

import networkx as nx
import numpy as np
import pandas as pd

from goalinf.worlds.mdp import MDP

_SUM_TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class World:
    """An MDP with labels: what users hold. Labels never enter compiled code.

    Usually made by a builder (:func:`~goalinf.gridworld`, :func:`~goalinf.graph_world`, …).

    Parameters
    ----------
    mdp : MDP
        The numbers.
    states : tuple (S,)
        One hashable name per state: an integer, a string, or a tuple such as ``(row, col)``.
    actions : tuple (A,) or (S, A) nested
        Names of the actions; on graphs each state has its own, ``None`` where unavailable.
    layout : {"map", "graph", "table"}
        How the world is drawn.
    positions : float (S, 2), optional
        Coordinates ``(x, y)`` for plots; on maps ``(col, row)``.
    source : str or networkx graph, optional
        The map text or the graph that the world was read from.
    marks : tuple of str, optional
        On maps, the character of each state's cell.
    aliases : mapping, optional
        Further names: name -> state index. On maps every ``(row, col)`` is one.
    memory : Memory, optional
        Where the states are (last node, this node) pairs: the first-order world and the pairs.

    Raises
    ------
    ValueError
        Where rows do not sum to one, a state that is not terminal has no action, a number is not
        finite, or the discount lies outside [0, 1]; the state and action are named.
    """

    mdp: MDP
    states: tuple[Hashable, ...]
    actions: tuple
    layout: Literal["map", "graph", "table"] = "table"
    positions: np.ndarray | None = None
    source: str | nx.Graph | None = None
    marks: tuple[str, ...] | None = None
    aliases: Mapping[Hashable, int] = dataclasses.field(default_factory=dict)
    memory: Memory | None = None

    def __post_init__(self):
        _check(self)

    # -- names --------------------------------------------------------------------------------

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return self.mdp.n_states

    @property
    def n_actions(self) -> int:
        """Number of actions, A (on graphs: the largest number of choices at any node)."""
        return self.mdp.n_actions

    @property
    def local_actions(self) -> bool:
        """Whether every state has action names of its own, as on graphs."""
        return len(self.actions) > 0 and isinstance(self.actions[0], tuple)

    @cached_property
    def _index(self) -> dict[Hashable, int]:
        return {**self.aliases, **{name: i for i, name in enumerate(self.states)}}

    def index(self, state: Any) -> int:
        """Number of the state with this name (a mark, a position ``(row, col)``, a node).

        Raises
        ------
        ValueError
            Where no state has that name; close names are suggested.
        """
        found = self._index.get(_plain(state)) if isinstance(_plain(state), Hashable) else None
        if found is None:
            raise ValueError(f"unknown state {_plain(state)!r}: {self._suggest(state)}")
        return found

    def _suggest(self, state: Any) -> str:
        if self.layout == "map" and isinstance(_plain(state), tuple) and isinstance(self.source, str):
            rows = self.source.split("\n")
            row, col = (*_plain(state), 0, 0)[:2]
            if isinstance(row, int) and isinstance(col, int):
                if not (0 <= row < len(rows) and 0 <= col < len(rows[0])):
                    return f"the map has rows 0 to {len(rows) - 1} and columns 0 to {len(rows[0]) - 1}"
                return f"cell (row {row}, column {col}) is {rows[row][col]!r}, a wall; name a free cell"
        names = [label(name) for name in self._index]
        close = difflib.get_close_matches(label(_plain(state)), names, n=3)
        if close:
            return f"did you mean {' or '.join(close)}?"
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        return f"this world has {self.n_states} states: {shown}"

    def cells(self, key: Any) -> list[int]:
        """Numbers of all states that a key names: every cell carrying that mark, or the one state of that name."""
        if self.marks is not None and isinstance(key, str) and key in self.marks:
            return [i for i, mark in enumerate(self.marks) if mark == key]
        return [self.index(key)]

    def action_index(self, action: Any, state: int | None = None) -> int:
        """Number of an action; on graphs the state (a number) is needed.

        Raises
        ------
        ValueError
            Where no action has that name there.
        """
        names = self.action_names(state)
        action = _plain(action)
        if action in names:
            return names.index(action)
        where = "" if state is None else f" in state {label(self.states[state])}"
        shown = ", ".join(label(name) for name in names if name is not None)
        raise ValueError(f"unknown action {action!r}{where}: the actions are {shown}")

    def action_names(self, state: int | None = None) -> tuple:
        """Names of the actions, those of one state where states have their own."""
        if not self.local_actions:
            return self.actions
        if state is None:
            raise ValueError("on this world every state has its own actions: say which state")
        return self.actions[state]

    def coords(self) -> dict[str, Any]:
        """Coordinates for labeled arrays: ``state``, and on maps ``row`` and ``col`` beside it."""
        if all(isinstance(name, int) for name in self.states):
            names = np.array(self.states)
        else:
            names = np.array([label(name) for name in self.states], dtype=str)
        coords: dict[str, Any] = {"state": names}
        if self.layout == "map" and self.positions is not None:
            coords["col"] = ("state", self.positions[:, 0].astype(int))
            coords["row"] = ("state", self.positions[:, 1].astype(int))
        return coords

    # -- arrays from names --------------------------------------------------------------------

    def indicator(self, keys: str | Iterable[Any]) -> np.ndarray:
        """One on the states that any of the keys names, zero elsewhere, ``(S,)``.

        A string on a map is read as a set of marks: ``world.indicator("ab")`` is one on every ``a`` and ``b``.
        """
        one = np.zeros(self.n_states)
        for key in [keys] if isinstance(keys, str) and self.marks is None else keys:
            one[self.cells(key)] = 1.0
        return one

    def align(self, values: pd.Series | Mapping[Any, float]) -> np.ndarray:
        """Values in the order of the states, ``(S,)``, from a series or mapping keyed by state names.

        Raises
        ------
        ValueError
            Where a state is missing, named twice or unknown, or a value is not finite.
        """
        items = list(values.items())
        aligned = np.full(self.n_states, np.nan)
        seen: set[int] = set()
        for key, value in items:
            i = self.index(key)
            if i in seen:
                raise ValueError(f"state {label(self.states[i])} has two values; give each state one")
            if not np.isfinite(value):
                raise ValueError(f"the value of state {label(self.states[i])} is {value}; expected a finite number")
            seen.add(i)
            aligned[i] = value
        missing = [label(self.states[i]) for i in range(self.n_states) if i not in seen]
        if missing:
            shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
            raise ValueError(f"{len(missing)} of {self.n_states} states have no value: {shown}")
        return aligned

    # -- looking at it ------------------------------------------------------------------------

    def check(self) -> pd.DataFrame:
        """What deserves a second look: one row per finding (``finding``, ``state``, ``remedy``).

        Errors (rows that do not sum to one, a state without actions) are raised when the world is built;
        here are the things that may be intended: unreachable states, states that cannot be left, states
        with a single choice.
        """
        mdp = self.mdp
        graph = self.transition_graph()
        sources = np.flatnonzero(mdp.initial > 0)
        reachable = set(sources.tolist())
        for source in sources:
            reachable |= nx.descendants(graph, int(source))
        rows = []
        for i in range(self.n_states):
            name = label(self.states[i])
            if i not in reachable:
                rows.append(("unreachable", name, "give it a path from a start, or leave it out"))
            if mdp.terminal[i]:
                continue
            if set(graph.successors(i)) <= {i}:
                rows.append(("cannot be left", name, "mark it terminal if the episode ends there"))
            elif mdp.available[i].sum() == 1:
                rows.append(("a single choice", name, "steps taken there say nothing about the agent"))
        return pd.DataFrame(rows, columns=["finding", "state", "remedy"])

    def transition_graph(self) -> nx.DiGraph:
        """Directed graph over state numbers with an edge wherever some available action can lead."""
        mdp = self.mdp
        possible = (mdp.probabilities > 0) & mdp.available[:, :, None] & ~mdp.terminal[:, None, None]
        graph: nx.DiGraph = nx.DiGraph()
        graph.add_nodes_from(range(self.n_states))
        s, a, k = np.nonzero(possible)
        graph.add_edges_from(zip(s.tolist(), mdp.successors[s, a, k].tolist(), strict=True))
        return graph

    def __repr__(self) -> str:
        ends = int(self.mdp.terminal.sum())
        parts = [f"{self.n_states} states", f"{self.n_actions} actions", f"discount {float(self.mdp.discount):g}"]
        if ends:
            parts.append(f"{ends} terminal")
        head = f"World({self.layout}: " + ", ".join(parts) + ")"
        return f"{head}\n{self.source}" if self.layout == "map" and isinstance(self.source, str) else head


@dataclasses.dataclass(frozen=True, eq=False)
class Memory:
    """What a second-order world remembers: its first-order world and which pair each state stands for."""

    base: World
    pairs: np.ndarray  # (S, 2): last state (−1 at the start) and this state, as numbers of the base world

    @cached_property
    def lookup(self) -> np.ndarray:
        """Number of the pair, ``(S_base + 1, S_base)``; the last row is "no last state"; −1 where there is no such pair."""
        table = np.full((self.base.n_states + 1, self.base.n_states), -1)
        table[self.pairs[:, 0], self.pairs[:, 1]] = np.arange(len(self.pairs))
        return table


def label(name: Any) -> str:
    """Printed name of a state or action: ``"1,2"`` for a position, the text itself for anything else."""
    return ",".join(str(part) for part in name) if isinstance(name, tuple) else str(name)


def _plain(name: Any) -> Any:
    """Python scalars in place of NumPy's, so that names compare and hash alike."""
    if isinstance(name, np.generic):
        return name.item()
    if isinstance(name, (tuple, list)):
        return tuple(_plain(part) for part in name)
    return name


def _check(world: World) -> None:
    mdp, states = world.mdp, world.states
    n_states, n_actions, _ = mdp.successors.shape
    if len(states) != n_states:
        raise ValueError(f"{len(states)} state names for {n_states} states; give one name per state")
    if len(set(states)) != n_states:
        twice = next(name for name in states if states.count(name) > 1)
        raise ValueError(f"two states are named {label(twice)}; names must be unique")
    if len(world.actions) != (n_states if world.local_actions else n_actions):
        raise ValueError(f"{len(world.actions)} action names for {n_actions} actions")
    discount = float(mdp.discount)
    if not 0.0 <= discount <= 1.0:
        raise ValueError(f"discount is {discount}; expected a number in [0, 1]")
    if not np.isfinite(mdp.initial).all() or (mdp.initial < 0).any() or abs(mdp.initial.sum() - 1) > _SUM_TOLERANCE:
        raise ValueError(f"the initial distribution sums to {mdp.initial.sum():g}; expected probabilities that sum to 1")
    if (mdp.successors < 0).any() or (mdp.successors >= n_states).any():
        s, a, k = np.argwhere((mdp.successors < 0) | (mdp.successors >= n_states))[0]
        raise ValueError(f"{_where(world, s, a)} leads to state number {mdp.successors[s, a, k]}; there are {n_states} states")
    live = mdp.available & ~mdp.terminal[:, None]
    bad = ~np.isfinite(mdp.probabilities).all(2) | (mdp.probabilities < 0).any(2)
    off = np.abs(mdp.probabilities.sum(2) - 1) > _SUM_TOLERANCE
    for wrong, what in ((bad & live, "has a probability that is negative or not a number"), (off & live, None)):
        if wrong.any():
            s, a = np.argwhere(wrong)[0]
            said = what or f"has probabilities that sum to {mdp.probabilities[s, a].sum():.9g}; expected 1"
            more = f" ({wrong.sum()} rows in all)" if wrong.sum() > 1 else ""
            raise ValueError(f"{_where(world, s, a)} {said}{more}")
    stuck = ~mdp.terminal & ~mdp.available.any(1)
    if stuck.any():
        shown = ", ".join(label(states[i]) for i in np.flatnonzero(stuck)[:5])
        raise ValueError(f"no action is available in state {shown}: mark it terminal, or give it a way to stay or leave")


def _where(world: World, s: int, a: int) -> str:
    return f"state {label(world.states[s])}, action {label(world.action_names(int(s))[a])}"
