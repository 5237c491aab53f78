"""Posterior distribution functions of distances between rewards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from goalinf.checks import check_kind, check_number
from goalinf.plot.drawing import style
from goalinf.worlds import label


def distances(
    found: xr.DataArray | Mapping[str, xr.DataArray], *, level: float = 0.9, ax: Axes | None = None
) -> Figure:
    r"""Draw :math:`P(d < \varepsilon)` of the distances, or regrets, of one posterior or several.

    Parameters
    ----------
    found : DataArray or mapping from name to DataArray
        From :func:`goalinf.identify.distance.posterior_distance`.
    level : float
        Probability of the interval between quantiles that is drawn thick and given in the legend, in (0, 1).
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where there are no draws, a distance is not finite, or the level is not in (0, 1).

    Examples
    --------
    >>> import goalinf as gi
    >>> import xarray as xr
    >>> figure = gi.plot.distances({"here": xr.DataArray([0.1, 0.2, 0.4], dims="sample", name="regret")})
    >>> figure.axes[0].get_xlabel()
    'regret'
    """
    named = dict(found) if isinstance(found, Mapping) else {"": found}
    if not named:
        raise ValueError("found is empty; expected draws of a distance, as from gi.identify.distance.posterior")
    if not 0.0 < check_number("level", level, 0.0, 1.0, "a number in (0, 1)") < 1.0:
        raise ValueError(f"level is {level!r}; expected a number in (0, 1)")
    for name, draws in named.items():
        check_kind(
            f"found {name!r}" if name else "found", draws, xr.DataArray, "draws, as from gi.identify.distance.posterior"
        )
        if not draws.size or not np.isfinite(draws.values).all():
            raise ValueError(f"{name or 'found'} holds {draws.size} distances; expected some, and all of them finite")
    if ax is None:
        _, (ax,) = style.canvas(4.8, 2.6)
    style.quiet(ax)
    curves, legend = [], []
    for i, (name, draws) in enumerate(named.items()):
        values = np.sort(draws.values.ravel())
        low, middle, high = np.quantile(values, [(1 - level) / 2, 0.5, (1 + level) / 2])
        color = style.CYCLE[i % len(style.CYCLE)]
        text = f"{label(name)}  {middle:.2g} [{low:.2g}, {high:.2g}]".strip()
        ax.ecdf(values, color=color, lw=1.0, zorder=2)
        inner = values[(values >= low) & (values <= high)]
        share = np.searchsorted(values, inner, side="right") / len(values)
        curves += ax.step(inner, share, where="post", color=color, lw=2.4, label=style.name(text), zorder=3)
        legend.append(text)
    kinds = {style.name(draws.name or "distance") for draws in named.values()}
    ax.set(xlabel=" or ".join(sorted(kinds)), ylabel="posterior probability of less", ylim=(0, 1))
    ax.set_xlim(left=min(0.0, *(float(draws.min()) for draws in named.values())))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    title = f"median [{level:.0%} interval]"
    look: dict[str, Any] = {"fontsize": 8, "labelcolor": style.INK, "loc": "lower right", "frameon": False}
    style.legend(ax, curves, legend, title=title, title_fontsize=8, **look)
    return style.figure_of(ax)
