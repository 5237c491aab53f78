"""Figure of a world."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from goalinf.plot.drawing import style
from goalinf.plot.drawing.ground import Ground
from goalinf.worlds import World


def world(world: World, *, ax: Axes | None = None) -> Figure:
    """Draw a world: a map with its walls and marks, or a graph with its nodes and edges.

    Circles mark states in which episodes start (left out where all states are possible), squares states in which they
    end. A graph without positions gets a computed layout, equal in every run: trees are drawn as trees. Names are
    written on up to 60 nodes. A world with memory is drawn as its first-order world.

    Parameters
    ----------
    world : World
        World to draw.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the argument is not a world.

    Examples
    --------
    >>> import goalinf as gi
    >>> figure = gi.plot.world(gi.gridworld("s.#a", terminal="a", discount=0.9))
    >>> figure.axes[0].get_xlabel()
    'column'
    """
    ground = Ground.of(world)
    if ax is None:
        _, (ax,) = ground.sheet(bar=False)
    ground.draw(ax)
    mdp, fold = world.mdp, ground.fold
    starts = np.unique(fold[np.flatnonzero(mdp.initial > 0)])
    ends = np.unique(fold[np.flatnonzero(mdp.terminal)])
    legend = []
    if 0 < len(starts) < ground.world.n_states - len(ends):
        legend.append(_ring(ax, ground, starts, "o", style.START, "episodes start"))
    if len(ends):
        legend.append(_ring(ax, ground, ends, "s", style.END, "episodes end"))
    if legend:
        ax.legend(
            handles=legend,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            frameon=False,
            fontsize=7.5,
            labelcolor=style.GRAY,
        )
    return style.figure_of(ax)


def _ring(ax: Axes, ground: Ground, states: np.ndarray, shape: str, color: str, text: str) -> Line2D:
    """Draw outlines around states; returns their legend entry."""
    x, y = ground.places[states].T
    rows_or_size = ground.shape if ground.is_map else (0, 0)
    side = 46.0 * min(0.46, 6.0 / max(max(rows_or_size), 1)) if ground.is_map else 1.35 * np.sqrt(ground.node_size)
    ax.scatter(x, y, s=side**2, marker=shape, facecolors="none", edgecolors=color, linewidths=1.6, zorder=4)
    return Line2D([], [], marker=shape, linestyle="none", markerfacecolor="none", markeredgecolor=color, label=text)
