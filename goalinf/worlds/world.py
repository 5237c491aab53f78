"""World: an MDP with the names people use for its states and actions."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import networkx as nx
import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from goalinf.display import card, drawing, facts
from goalinf.types import StateName, States
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import Names, label, plain
from goalinf.worlds.pairs import Belief, Memory
from goalinf.worlds.validate import validate

__all__ = ["Belief", "Memory", "World", "label"]

_ROWS_SHOWN = 40
_NAMED = 8  # so many names of states are shown in a notebook


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
        Layout of pictures of the world.
    positions : float (S, 2), optional
        Coordinates ``(x, y)`` for plots; on maps ``(col, row)``.
    source : str or networkx graph, optional
        The map text or the graph that the world was read from.
    marks : tuple of str, optional
        On maps, the character of each state's cell.
    aliases : mapping, optional
        Further names: name -> state index. On maps every ``(row, col)`` is one.
    memory : Memory or Belief, optional
        Where the states are (last node, this node) or (state, belief) pairs: the first-order world and the pairs.

    Raises
    ------
    ValueError
        Where rows do not sum to one, a state that is not terminal has no action, a number is not
        finite, or the discount lies outside [0, 1]; the state and action are named.

    Examples
    --------
    >>> from goalinf.worlds import gridworld
    >>> hall = gridworld("s..a", discount=0.9)
    >>> hall.states
    ('s', (0, 1), (0, 2), 'a')
    >>> hall.index((0, 3)), hall.action_index("left")
    (3, 2)
    >>> hall.check()
    Empty DataFrame
    Columns: [finding, state, remedy]
    Index: []
    """

    mdp: MDP
    states: tuple[Hashable, ...]
    actions: tuple[Any, ...]
    layout: Literal["map", "graph", "table"] = "table"
    positions: np.ndarray | None = None
    source: str | nx.Graph | None = None
    marks: tuple[str, ...] | None = None
    aliases: Mapping[Hashable, int] = dataclasses.field(default_factory=dict)
    memory: Memory | Belief | None = None

    def __post_init__(self):
        validate(self)

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
        """True where every state has action names of its own, as on graphs."""
        return len(self.actions) > 0 and isinstance(self.actions[0], tuple)

    @cached_property
    def names(self) -> Names:
        """The names of the states and every other way to point at one."""
        rows = tuple(self.source.split("\n")) if self.layout == "map" and isinstance(self.source, str) else None
        return Names(self.states, self.aliases, self.marks, rows)

    def index(self, state: StateName) -> int:
        """Look up the number of the state with this name (a mark, a position ``(row, col)``, a node).

        Raises
        ------
        ValueError
            Where no state has that name; close names are suggested.
        """
        return self.names.index(state)

    def cells(self, key: StateName) -> list[int]:
        """Numbers of all states that a key names: every cell carrying that mark, or the one state of that name.

        In a world with memory, the name of a state of the first-order world names every pair that ends there; in a
        belief world, it names that state under every belief.

        Raises
        ------
        ValueError
            Where the key names nothing; close names are suggested.
        """
        if self.memory is None or self.names.known(key):
            return self.names.cells(key)
        base_states = self.memory.base.cells(key)
        return np.flatnonzero(np.isin(self.memory.pairs[:, 1], base_states)).tolist()

    def action_index(self, action: StateName, state: int | None = None) -> int:
        """Look up the number of an action; on graphs the state (a number) is needed.

        Raises
        ------
        ValueError
            Where no action has that name there.
        """
        names = self.action_names(state)
        action = plain(action)
        if action in names:
            return names.index(action)
        location = "" if state is None else f" in state {label(self.states[state])}"
        known_names = ", ".join(label(name) for name in names if name is not None)
        raise ValueError(f"unknown action {action!r}{location}: the actions are {known_names}")

    def action_names(self, state: int | None = None) -> tuple[Any, ...]:
        """Names of the actions, those of one state where states have their own."""
        if not self.local_actions:
            return self.actions
        if state is None:
            raise ValueError("on this world every state has its own actions: say which state")
        return self.actions[state]

    def coords(self) -> dict[str, Any]:
        """Coordinates for labeled arrays: ``state``, and on maps ``row`` and ``col`` beside it."""
        if all(isinstance(name, int) and not isinstance(name, bool) for name in self.states):
            names = np.array(self.states)
        else:
            names = np.array([label(name) for name in self.states], dtype=str)
        coords: dict[str, Any] = {"state": names}
        if self.layout == "map" and self.positions is not None:
            coords["col"] = ("state", self.positions[:, 0].astype(int))
            coords["row"] = ("state", self.positions[:, 1].astype(int))
        return coords

    # -- arrays from names --------------------------------------------------------------------

    def indicator(self, keys: States) -> np.ndarray:
        """One on the states that any of the keys names, zero elsewhere, ``(S,)``.

        A string on a map is read as a set of marks: ``world.indicator("ab")`` is one on every ``a`` and ``b``.

        Raises
        ------
        ValueError
            Where a key names nothing.
        """
        marked = np.zeros(self.n_states)
        names = self.names if self.memory is None or self.names.known(keys) else self.memory.base.names
        for key in names.split(keys):
            marked[self.cells(key)] = 1.0
        return marked

    def align(self, values: pd.Series | Mapping[Any, Any]) -> np.ndarray:
        """Values in the order of the states, ``(S,)``, from a series or mapping keyed by state names.

        Raises
        ------
        ValueError
            Where a state is missing, named twice or unknown, or a value is not finite.
        """
        items = list(values.items())
        aligned = np.full(self.n_states, np.nan)
        assigned: set[int] = set()
        for key, value in items:
            i = self.index(key)
            if i in assigned:
                raise ValueError(f"state {label(self.states[i])} has two values; give each state one")
            if not np.isfinite(value):
                raise ValueError(f"the value of state {label(self.states[i])} is {value}; expected a finite number")
            assigned.add(i)
            aligned[i] = value
        missing = [label(self.states[i]) for i in range(self.n_states) if i not in assigned]
        if missing:
            examples = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
            raise ValueError(f"{len(missing)} of {self.n_states} states have no value: {examples}")
        return aligned

    # -- looking at it ------------------------------------------------------------------------

    def check(self) -> pd.DataFrame:
        """List possible errors of the world, one row per finding (``finding``, ``state``, ``remedy``).

        Errors (rows that do not sum to one, a state without actions) are raised when the world is built;
        here are the things that may be intended: unreachable states, states that cannot be left, states
        with a single choice.
        """
        mdp = self.mdp
        s, t = self.edges()
        reached = _reached(np.asarray(mdp.initial) > 0, _graph(s, t, self.n_states))
        leaves = np.zeros(self.n_states, bool)
        leaves[s[s != t]] = True
        live = ~mdp.terminal
        stays = live & ~leaves
        findings = {
            "unreachable": (~reached, "give it a path from a start, or leave it out"),
            "starts at the end": (~live & (mdp.initial > 0), "an episode that starts in a terminal state has no steps"),
            "cannot be left": (stays, "mark it terminal if the episode ends there"),
            "a single choice": (
                live & ~stays & (mdp.available.sum(1) == 1),
                "steps taken there say nothing about the agent",
            ),
        }
        rows = [
            (i, finding, label(self.states[i]), remedy)
            for finding, (mask, remedy) in findings.items()
            for i in np.flatnonzero(mask).tolist()
        ]
        rows.sort(key=lambda row: row[0])
        return pd.DataFrame([row[1:] for row in rows], columns=["finding", "state", "remedy"])

    def transition_graph(self) -> nx.DiGraph:
        """Directed graph over state numbers with an edge wherever some available action can lead."""
        graph: nx.DiGraph = nx.DiGraph()
        graph.add_nodes_from(range(self.n_states))
        s, t = self.edges()
        graph.add_edges_from(zip(s.tolist(), t.tolist(), strict=True))
        return graph

    def can_reach(self, places: np.ndarray) -> np.ndarray:
        """States from which some available actions can lead to one of these (bool ``(S,)``, theirs included)."""
        return _reached(places, self._backward)

    @cached_property
    def _backward(self) -> csr_array:
        """Every step from where it leads to where it starts."""
        s, t = self.edges()
        return _graph(t, s, self.n_states)

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers s and t of every step s -> t that some available action can make (repeated where several can)."""
        mdp = self.mdp
        possible = (mdp.probabilities > 0) & mdp.available[:, :, None] & ~mdp.terminal[:, None, None]
        s, a, k = np.nonzero(possible)
        return s, np.asarray(mdp.successors)[s, a, k].astype(s.dtype)

    def __repr__(self) -> str:
        ends = int(self.mdp.terminal.sum())
        parts = [f"{self.n_states} states", f"{self.n_actions} actions", f"discount {float(self.mdp.discount):g}"]
        if ends:
            parts.append(f"{ends} terminal")
        head = f"World({self.layout}: " + ", ".join(parts) + ")"
        return f"{head}\n{self.source}" if self._map_fits else head

    def _repr_html_(self) -> str:
        starts, ends = np.flatnonzero(self.mdp.initial > 0), np.flatnonzero(self.mdp.terminal)
        rows = {
            "states": self._named(np.arange(self.n_states)),
            "actions": f"up to {self.n_actions} in a state"
            if self.local_actions
            else self._count_and_examples(self.actions),
            "discount": float(self.mdp.discount),
            "starts": self._named(starts),
            "terminal": self._named(ends),
        }
        map_html = drawing(str(self.source)) if self._map_fits else ""
        return card(f"World ({self.layout})", facts(rows), map_html)

    @property
    def _map_fits(self) -> bool:
        """True where the map is short enough to be shown with the world."""
        return self.names.rows is not None and len(self.names.rows) <= _ROWS_SHOWN

    def _named(self, states: np.ndarray) -> str:
        return self._count_and_examples([self.states[i] for i in states.tolist()])

    @staticmethod
    def _count_and_examples(names: Sequence[Any]) -> str:
        """Show the number of names and the first of them."""
        examples = ", ".join(label(name) for name in names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        return f"{len(names):,}: {examples}" if examples else "none"


def _graph(tails: np.ndarray, heads: np.ndarray, n: int) -> csr_array:
    return csr_array((np.ones(tails.size), (tails, heads)), shape=(n, n))


def _reached(starts: np.ndarray, graph: csr_array) -> np.ndarray:
    """Find the states that can be reached from any of the starts (bool ``(S,)``), the starts included."""
    n = starts.size
    start_states = np.flatnonzero(starts)
    # One more node, from which every start can be reached, so that one search finds all that is reachable.
    heads, ends = np.append(graph.indices, start_states), np.append(graph.indptr, graph.nnz + start_states.size)
    extended = csr_array((np.ones(heads.size), heads, ends), shape=(n + 1, n + 1))
    reached = np.zeros(n + 1, bool)
    reached[breadth_first_order(extended, n, return_predecessors=False)] = True
    return reached[:-1]
