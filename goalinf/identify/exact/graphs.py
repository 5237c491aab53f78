"""Criteria of identifiability from the graph of a world: components, period, coverage time."""

from __future__ import annotations

import dataclasses
import math

import networkx as nx
import numpy as np

from goalinf.checks import check_kind
from goalinf.worlds import World

_A_WORLD = "a World, such as gi.gridworld makes"


@dataclasses.dataclass(frozen=True)
class GraphCriteria:
    """Properties of the transition graph that determine identifiability.

    Parameters
    ----------
    n_states : int
        S.
    strongly_connected : bool
        True where every state can be reached from every other state.
    closed_components : int
        Number of closed sets of states, which are never left again (a terminal state is one).
    period : int, optional
        Greatest common divisor of the lengths of all cycles; None if the graph is not strongly connected.
    coverage_time : int, optional
        Number of steps within which every state can be reached from an initial state; None if one is unreachable.
    co_successor_components : int
        See :func:`co_successor_components`.
    """

    n_states: int
    strongly_connected: bool
    closed_components: int
    period: int | None
    coverage_time: int | None
    co_successor_components: int

    def __str__(self) -> str:
        connectivity = (
            "Every state can be reached from every other"
            if self.strongly_connected
            else f"{self.closed_components} set{'s' * (self.closed_components != 1)} of states cannot be left again"
        )
        period = "" if self.period is None else f", and the period of its cycles is {self.period}"
        coverage = (
            "Some states cannot be reached from the initial states."
            if self.coverage_time is None
            else f"Every state can be reached from the initial states within {self.coverage_time} steps."
        )
        n_components = self.co_successor_components
        components = f"The co-successor graph has {n_components} component{'s' * (n_components != 1)}."
        return f"{connectivity}{period}.\n{coverage}\n{components}"


def graph_criteria(world: World) -> GraphCriteria:
    r"""Compute properties of the transition graph that determine identifiability.

    In a deterministic world, the null space of a state reward under a stationary policy has as many dimensions as there
    are co-successor components; the null space of a reward r(s, a) under the policies of a long finite horizon has as
    many as the period, if the graph is strongly connected (compare :func:`~goalinf.identify.controllability_deficit`).

    Parameters
    ----------
    world : World
        The world; the edges are the transitions of available actions in states that are not terminal.

    Returns
    -------
    GraphCriteria

    References
    ----------
    Kim, Garg, Shiragur and Ermon (2021), "Reward identification in inverse reinforcement learning", for coverage and
    period; Fu, Luo and Levine (2018) for components.

    Examples
    --------
    >>> import networkx as nx, goalinf as gi
    >>> print(gi.identify.graph_criteria(gi.graph_world(nx.cycle_graph(6), initial=0, discount=0.9)))
    Every state can be reached from every other, and the period of its cycles is 2.
    Every state can be reached from the initial states within 3 steps.
    The co-successor graph has 2 components.
    """
    check_kind("world", world, World, _A_WORLD)
    moves = world.transition_graph()
    strong = nx.is_strongly_connected(moves)
    starts = np.nonzero(world.mdp.initial)[0].tolist()
    distance = nx.multi_source_dijkstra_path_length(moves, starts, weight=None)
    return GraphCriteria(
        n_states=world.n_states,
        strongly_connected=strong,
        closed_components=sum(1 for _ in nx.attracting_components(moves)),
        period=_period(moves) if strong else None,
        coverage_time=max(distance.values()) if len(distance) == world.n_states else None,
        co_successor_components=co_successor_components(world),
    )


def co_successor_components(world: World) -> int:
    """Count connected components of the graph that joins two states if some state can lead to both in one step.

    For deterministic worlds it equals :func:`controllability_deficit`; for stochastic ones it is a lower bound.

    Parameters
    ----------
    world : World
        The world.

    Returns
    -------
    int

    Examples
    --------
    >>> import networkx as nx, goalinf as gi
    >>> co_successor_components(gi.graph_world(nx.cycle_graph(6), discount=0.9))
    2
    """
    check_kind("world", world, World, _A_WORLD)
    graph = nx.empty_graph(world.n_states)
    departures, arrivals = world.edges()
    for state in np.unique(departures):
        nx.add_path(graph, np.unique(arrivals[departures == state]).tolist())
    return nx.number_connected_components(graph)


def _period(moves: nx.DiGraph) -> int:
    """Compute the period of a strongly connected graph from the levels of a breadth-first search."""
    level = nx.single_source_shortest_path_length(moves, next(iter(moves)))
    return math.gcd(*(level[s] + 1 - level[t] for s, t in moves.edges))
