"""Figures of trajectories on their world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from goalinf.checks import check_kind
from goalinf.data import Trajectories
from goalinf.plot.drawing import style
from goalinf.plot.drawing.ground import Ground
from goalinf.worlds import World, label

_JITTER = 0.2  # of the distance between neighbors


def trajectories(
    data: Trajectories,
    world: World | None = None,
    which: int | slice | Sequence[int] | np.ndarray | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw trajectories on their world.

    Trajectories are shifted by small pseudorandom distances (equal in every call), so that they do not hide one
    another. A ring marks the start of each, a dot its last state. A single trajectory is colored by time.

    Parameters
    ----------
    data : Trajectories
        Observed or simulated behavior.
    world : World, optional
        World of the data; default: the world in which the data were read or simulated.
    which : int, several, a mask or a slice, optional
        Numbers of the trajectories to draw, from 0; default: all.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the world is not given and the data have none or several, the data do not fit the given world, or there is
        no such trajectory.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=4)
    >>> gi.plot.trajectories(data).axes[0].get_title("left")
    '5 trajectories'
    >>> gi.plot.trajectories(data, which=2).axes[1].get_ylabel()
    'time (steps)'
    """
    check_kind("data", data, Trajectories, "trajectories; read a table with gi.read_trajectories first")
    chosen = data if which is None else data.select(which)
    ground = Ground.of(_world(chosen, world))
    states = np.asarray(chosen.states)
    if states.max(initial=-1) >= len(ground.fold):
        raise ValueError(
            f"the data visit state number {states.max()}, the world has {len(ground.fold)} states: "
            "give the world of the data"
        )
    single = len(states) == 1
    if ax is None:
        _, (ax,) = ground.sheet(bar=single)
    ground.draw(ax, busy=True)
    rng = np.random.default_rng(0)
    width = 0.0 if single and not ground.is_map else _JITTER * ground.spacing
    alpha = float(np.clip(3.0 / np.sqrt(len(states)), 0.15, 0.85)) if not single else 1.0
    for row in states:
        visited = ground.fold[row[row >= 0]]
        if not len(visited):
            continue
        jitter = rng.uniform(-width, width, 2) + rng.uniform(-width / 3, width / 3, (len(visited), 2))
        _path(ax, ground.places[visited] + jitter, single, alpha)
    title = f"trajectory {style.name(label(chosen.trajectory_names[0]))}" if single else f"{len(states)} trajectories"
    ax.set_title(title, loc="left", size=9.5, color=style.INK)
    if single:
        longest = int((states >= 0).sum()) - 1
        style.colorbar(ax, ScalarMappable(Normalize(0, max(longest, 1)), style.TIME), "time (steps)")
    return style.figure_of(ax)


def _path(ax: Axes, points: np.ndarray, single: bool, alpha: float) -> None:
    segments = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(list(segments), linewidths=1.8 if single else 1.1, alpha=alpha, zorder=3.5, capstyle="round")
    if single:
        lines.set(array=np.arange(len(segments)) + 0.5, cmap=style.TIME, norm=Normalize(0, max(len(segments), 1)))
    else:
        lines.set(color=style.START)
    ax.add_collection(lines)
    ax.plot(*points[0], "o", mfc="white", mec=style.START, ms=5, mew=1.2, alpha=max(alpha, 0.5), zorder=4)
    ax.plot(*points[-1], "o", mfc=style.END, mec="white", ms=4.5, mew=0.5, alpha=max(alpha, 0.6), zorder=4.2)


def _world(data: Trajectories, world: World | None) -> World:
    if world is not None:
        return world
    worlds = data.labels.worlds if data.labels is not None else ()
    different = list({id(labeled): labeled for labeled in worlds}.values())
    if not different:
        raise ValueError("the data do not contain their world: give it, gi.plot.trajectories(data, world)")
    if len(different) > 1:
        names = ", ".join(map(str, data.context_names))
        raise ValueError(
            f"the data are from {len(different)} worlds (contexts {names}): give which=, trajectories of one of them"
        )
    return different[0]
