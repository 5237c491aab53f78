"""Figure of a goal posterior over the steps of a trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from goalinf.plot.drawing import style
from goalinf.worlds import label


def goal_timeline(posterior: xr.DataArray, trajectory: int = 0, *, ax: Axes | None = None) -> Figure:
    """Draw the probability of every goal after each step of one trajectory.

    Parameters
    ----------
    posterior : DataArray
        Dimensions ``(trajectory, step, goal)``, from :func:`~goalinf.goal_posterior`; step 0 is the prior.
    trajectory : int
        Number of the trajectory, from 0.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the argument is not a goal posterior, or there is no such trajectory.

    Examples
    --------
    >>> import goalinf as gi
    >>> import xarray as xr
    >>> dims = ("trajectory", "step", "goal")
    >>> belief = xr.DataArray([[[0.5, 0.5], [0.9, 0.1]]], dims=dims, coords={"goal": ["a", "b"]})
    >>> figure = gi.plot.goal_timeline(belief)
    >>> figure.axes[0].get_ylabel()
    'probability of the goal'
    """
    dims = getattr(posterior, "dims", ())
    if set(dims) != {"trajectory", "step", "goal"}:
        received = ", ".join(map(str, dims)) or type(posterior).__name__
        raise ValueError(f"expected dimensions trajectory, step, goal, as from gi.goal_posterior; found {received}")
    count = posterior.sizes["trajectory"]
    if not -count <= trajectory < count:
        raise ValueError(f"no trajectory number {trajectory}: there are {count}, from 0")
    posterior = posterior.isel(trajectory=trajectory).transpose("step", "goal")
    values = np.asarray(posterior.values, float)
    finite = np.isfinite(values).all(1)  # a shorter trajectory is padded after its end
    steps = np.asarray(posterior["step"].values if "step" in posterior.coords else np.arange(len(values)))[finite]
    values = values[finite]
    goals = [
        label(goal) for goal in (posterior["goal"].values if "goal" in posterior.coords else range(values.shape[1]))
    ]
    if ax is None:
        _, (ax,) = style.canvas(4.8, 2.6)
    style.quiet(ax)
    lines = []
    for i, goal in enumerate(goals):
        dashed = "-" if i < len(style.CYCLE) else "--"
        look: dict[str, Any] = {"color": style.CYCLE[i % len(style.CYCLE)], "lw": 1.8, "marker": "o", "ms": 2.6}
        lines += ax.plot(steps, values[:, i], dashed, label=style.name(goal), clip_on=False, zorder=3, **look)
    ax.axhline(1 / len(goals), color=style.GRID, lw=0.8, zorder=1)
    ax.set(xlabel="observed steps", ylabel="probability of the goal", ylim=(0, 1))
    ax.margins(x=0.02)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    number = posterior.coords["trajectory"].item() if "trajectory" in posterior.coords else trajectory
    ax.set_title(f"trajectory {style.name(label(number))}", loc="left", size=9.5, color=style.INK)
    placement: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False, "fontsize": 8}
    style.legend(ax, lines, goals, title="goal", title_fontsize=8, labelcolor=style.INK, **placement)
    return style.figure_of(ax)
