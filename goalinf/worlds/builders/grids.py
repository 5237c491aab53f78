"""Grid worlds from text maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from goalinf.checks import check_choice, check_count, check_flag, check_kind, check_number
from goalinf.sizes import check_world
from goalinf.types import InitialStates, States
from goalinf.worlds.builders.packing import initial_distribution, terminal_mask
from goalinf.worlds.mdp import MDP, neighbor_lists
from goalinf.worlds.names import Names, plain
from goalinf.worlds.world import World

_WALL, _FREE, _START = "#", ".", "s"
_STRAIGHT = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
_DIAGONAL = {"up-left": (-1, -1), "up-right": (-1, 1), "down-left": (1, -1), "down-right": (1, 1)}
_STAY = {"stay": (0, 0)}
_NAMED = _STRAIGHT | _DIAGONAL | _STAY

Moves = int | Iterable[str] | Mapping[str, tuple[int, int]]


def gridworld(
    text: str,
    *,
    moves: Moves = ("up", "down", "left", "right"),
    stay: bool = False,
    slip: float | int = 0.0,
    blocked: str = "stay",
    terminal: States | None = (),
    initial: InitialStates | None = None,
    discount: float | int,
) -> World:
    r"""Make a grid world from a text map, one character per cell.

    With :math:`A(s)` the moves available in cell s and :math:`f(s, a)` the cell that move a leads to,

    .. math::

        P(t \mid s, a) = (1 - \text{slip}) \, [t = f(s, a)]
        + \text{slip} \, \frac{1}{|A(s)|} \sum_{b \in A(s)} [t = f(s, b)].

    Parameters
    ----------
    text : str
        The map: ``#`` a wall, ``.`` or a space a free cell, ``s`` a start, any other character a mark of its
        cells. Blank lines above and below are removed; rows and columns are counted from 0 in the remaining lines.
        A cell is named by its mark where no other cell carries it, else by ``(row, col)``; ``(row, col)`` is
        accepted wherever a state is.
    moves : 4, 8, names, or mapping from name to (rows down, columns right)
        Known names are ``up``, ``down``, ``left``, ``right``, ``up-left``, ``up-right``, ``down-left``,
        ``down-right`` and ``stay``. A move depends only on its target cell: diagonal moves may pass between walls.
    stay : bool
        Add the move ``stay``.
    slip : float
        Probability that the move is replaced by one drawn uniformly from all that are available (itself
        included).
    blocked : {"stay", "unavailable"}
        A move into a wall or over the edge does not change the state, or is not available.
    terminal : marks or positions
        Cells in which the episode ends, e.g. ``"ab"`` or ``[(0, 3), "a"]``.
    initial : marks or positions, mapping from those to probabilities, or float (S,), optional
        Distribution of the first cell. Default: uniform over the ``s`` cells, else over all cells that are not
        terminal.
    discount : float
        Discount factor per step, in [0, 1].

    Returns
    -------
    World
        States in reading order.

    Raises
    ------
    ValueError
        Where the map is empty or ragged, a move is unknown, ``slip`` is not a probability, ``terminal`` or
        ``initial`` names a wall or no cell, or the memory of this machine cannot hold the world.

    Examples
    --------
    >>> room = gridworld('''
    ... #####
    ... #s.a#
    ... #####
    ... ''', slip=0.4, discount=0.9)
    >>> room.states
    ('s', (1, 2), 'a')
    >>> room.mdp.dense()[1, room.action_index("right")]  # up and down are blocked by walls
    array([0.1, 0.2, 0.7])
    """
    rows = _lines(text)
    check_flag("stay", stay)
    offsets = _offsets(moves, stay)
    slip = check_number("slip", slip, 0.0, 1.0, "a probability, in [0, 1]")
    check_choice("blocked", blocked, ("stay", "unavailable"))
    check_world(len(rows) * len(rows[0]), len(offsets))
    cells = np.array([list(row) for row in rows])
    free = cells != _WALL
    if not free.any():
        raise ValueError("the map has no free cell, only walls ('#'); draw free cells as '.'")
    row, col = np.nonzero(free)
    marks = np.where(cells == " ", _FREE, cells)[free].tolist()
    names = _names(rows, marks, list(zip(row.tolist(), col.tolist(), strict=True)))
    # (S, A), −1 where blocked.
    targets = np.stack([_move_targets(free, row, col, offset) for offset in offsets.values()], axis=1)
    available = targets >= 0 if blocked == "unavailable" else np.ones_like(targets, bool)
    targets = np.where(targets < 0, np.arange(len(row))[:, None], targets)
    ends = terminal_mask(names, terminal)
    starts = np.array(marks) == _START
    mdp = MDP.of(
        *_with_slips(targets, available, slip),
        available=available,
        terminal=ends,
        initial=initial_distribution(names, initial, starts if starts.any() else ~ends),
        discount=discount,
    )
    return World(
        mdp=mdp,
        states=names.states,
        actions=tuple(offsets),
        layout="map",
        positions=np.stack([col, row], axis=1).astype(float),
        source="\n".join(rows),
        marks=names.marks,
        aliases=names.aliases,
    )


def open_grid(rows: int, cols: int, **options: Any) -> World:
    """Make a grid without walls; every cell is named ``(row, col)``.

    Parameters
    ----------
    rows, cols : int
        Size of the grid.
    **options
        As for :func:`gridworld`.

    Returns
    -------
    World

    Raises
    ------
    ValueError
        Where a size is not a whole number of at least 1, and as for :func:`gridworld`.

    Examples
    --------
    >>> grid = open_grid(2, 3, moves=8, stay=True, discount=0.9)
    >>> grid.n_states, grid.n_actions, grid.index((1, 2))
    (6, 9, 5)
    """
    check_count("rows", rows)
    check_count("cols", cols)
    check_world(int(rows) * int(cols), len(_offsets(options.get("moves", _STRAIGHT), options.get("stay", False))))
    return gridworld("\n".join([_FREE * cols] * rows), **options)


def _lines(text: str) -> tuple[str, ...]:
    check_kind("the map", text, str, "text, one line per row; a list of lines is joined with '\\n'.join(lines)")
    lines = text.splitlines()
    filled = [i for i, line in enumerate(lines) if line.strip()]
    if not filled:
        raise ValueError("the map is empty; draw free cells as '.' and walls as '#'")
    lines = lines[filled[0] : filled[-1] + 1]
    for i, line in enumerate(lines):
        if "\t" in line:
            raise ValueError(f"line {i} of the map ({line!r}) has a tab; draw every cell as one character")
        if len(line) != len(lines[0]):
            raise ValueError(
                f"line {i} of the map ({line!r}) has {len(line)} cells where line 0 has {len(lines[0])}; make all "
                "lines equally long (spaces at the end of a line count, and editors may remove them: use '.')"
            )
    return tuple(lines)


def _offsets(moves: Moves, stay: bool) -> dict[str, tuple[int, int]]:
    offsets: dict[str, tuple[int, int]] = {}
    if isinstance(moves, Mapping):
        for name, offset in moves.items():
            offset = plain(offset)
            if not (isinstance(offset, tuple) and len(offset) == 2 and all(isinstance(step, int) for step in offset)):
                raise ValueError(f"move {name!r} is {offset!r}; expected (rows down, columns right), such as (0, 1)")
            offsets[name] = offset
    else:
        if isinstance(moves, int):
            if moves not in (4, 8):
                raise ValueError(f"moves is {moves}; expected 4, 8, names of moves, or a mapping from name to offset")
            moves = list(_STRAIGHT) if moves == 4 else list(_STRAIGHT | _DIAGONAL)
        for name in [moves] if isinstance(moves, str) else moves:
            if name not in _NAMED:
                raise ValueError(
                    f"unknown move {name!r}: known are {', '.join(_NAMED)}; "
                    "for others give a mapping from name to (rows down, columns right)"
                )
            if name in offsets:
                raise ValueError(f"move {name!r} is listed twice; list it once")
            offsets[name] = _NAMED[name]
    if stay:
        offsets |= _STAY
    if not offsets:
        raise ValueError("there are no moves; give at least one, or stay=True")
    return offsets


def _names(rows: tuple[str, ...], marks: list[str], positions: list[tuple[int, int]]) -> Names:
    counts = Counter(marks)
    states = tuple(
        mark if mark != _FREE and counts[mark] == 1 else position
        for mark, position in zip(marks, positions, strict=True)
    )
    return Names(states, {position: i for i, position in enumerate(positions)}, tuple(marks), rows)


def _move_targets(free: np.ndarray, row: np.ndarray, col: np.ndarray, offset: tuple[int, int]) -> np.ndarray:
    """Return the number of the target cell of a move from every free cell, −1 where the move is blocked."""
    number = np.full(free.shape, -1)
    number[free] = np.arange(len(row))
    r, c = row + offset[0], col + offset[1]
    on_map = (r >= 0) & (r < free.shape[0]) & (c >= 0) & (c < free.shape[1])
    targets = np.full(len(row), -1)
    targets[on_map] = number[r[on_map], c[on_map]]
    return targets


def _with_slips(targets: np.ndarray, available: np.ndarray, slip: float) -> tuple[np.ndarray, np.ndarray]:
    """Return successors and probabilities ``(S, A, K)`` of moves with slips."""
    n_states, n_actions = targets.shape
    if slip == 0:
        return targets[:, :, None], np.ones((n_states, n_actions, 1))
    # With slips the same cells may follow every move: K is the largest number of different cells around one cell.
    neighbors, slot = neighbor_lists(targets[:, :, None], available[:, :, None].astype(float))
    intended = slot == np.arange(len(neighbors))  # (S, A, K)
    slip_distribution = available / np.maximum(
        available.sum(1, keepdims=True), 1
    )  # (S, A): distribution of the move drawn by a slip
    probabilities = (1 - slip) * intended + slip * np.einsum("sb,sbk->sk", slip_distribution, intended)[:, None, :]
    return np.broadcast_to(neighbors.T[:, None, :], intended.shape), probabilities
