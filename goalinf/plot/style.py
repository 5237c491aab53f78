"""How every figure looks: sizes, colors that survive color blindness and gray print, labeled colorbars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK = "#222b35"  # walls, marks, lines of text
GROUND = "#f3f1ec"  # free cells and quiet nodes
GRID = "#d9d5cc"  # lines between cells, edges of graphs
GRAY = "#6b7280"  # axis labels, remarks
START, END = "#0072b2", "#d55e00"  # blue and vermilion of Okabe and Ito (2008)
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", INK)

SIGNED = "PuOr_r"  # low purple, high orange: ColorBrewer, safe for all common color blindness
# Small dark, large bright; the darkest part is left out, so that nothing looks like a wall.
AMOUNT = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.22, 1.0, 256)), "amount")
CHANCE = "YlGnBu"  # 0 pale, 1 dark
TIME = "viridis"


def canvas(width: float, height: float, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """A figure that belongs to no window, with a row of axes, in inches."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08), dpi=150)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def figure_of(ax: Axes) -> Figure:
    """The figure that axes lie in (its outermost one)."""
    figure: Any = ax.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


def quiet(ax: Axes) -> None:
    """Thin gray frame and small gray ticks: the data are the loudest thing."""
    for side in ("top", "right", "bottom", "left"):
        ax.spines[side].set_color(GRID)
    ax.tick_params(colors=GRAY, labelsize=7, length=0)
    ax.xaxis.label.set(color=GRAY, size=8)
    ax.yaxis.label.set(color=GRAY, size=8)
    ax.title.set(size=9.5, color=INK)


def colorbar(ax: Axes, colors: ScalarMappable, text: str) -> None:
    """A slim colorbar beside the axes, labeled with what it measures and its unit."""
    bar: Any = figure_of(ax).colorbar(colors, ax=ax, shrink=0.85, aspect=22, pad=0.02)
    bar.set_label(text, size=8, color=GRAY)
    bar.ax.tick_params(labelsize=7, colors=GRAY, length=2)
    bar.outline.set_visible(False)


def colormap(name: str) -> Colormap:
    """A colormap by name."""
    return matplotlib.colormaps[name]


def signed_norm(values: np.ndarray) -> Normalize:
    """Zero in the middle of the colors, both sides equally long, so that equal colors are equal distances."""
    size = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    return TwoSlopeNorm(0.0, -size, size)


def contrast(color: Any) -> str:
    """Ink or white: whichever can be read on this color (relative luminance)."""
    red, green, blue = color[:3]
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
