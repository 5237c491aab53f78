"""Style of all figures: sizes, colors for color blindness and gray print, labeled colorbars."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize, TwoSlopeNorm
from matplotlib.layout_engine import ConstrainedLayoutEngine

from goalinf.display import printable

INK = "#222b35"  # walls, marks, lines of text
GROUND = "#f3f1ec"  # free cells and nodes without values
GRID = "#d9d5cc"  # lines between cells, edges of graphs
GRAY = "#6b7280"  # axis labels, remarks
START, END = "#0072b2", "#d55e00"  # blue and vermilion of Okabe and Ito (2008)
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", INK)

SIGNED = "PuOr_r"  # low purple, high orange: ColorBrewer, safe for all common color blindness
# Small dark, large bright; without the darkest part, which would look like walls.
AMOUNT = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.22, 1.0, 256)), "amount")
CHANCE = "YlGnBu"  # 0 pale, 1 dark
TIME = "viridis"

_SCREEN = 96  # pixels of an inch in a browser


class Figure(matplotlib.figure.Figure):
    """Matplotlib figure with a display for notebooks.

    It has no window and is not registered with pyplot. Notebooks therefore show it once, as the value of a cell, and
    not a second time at the end of the cell.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the image, and its size in a notebook, which does not depend on the resolution."""
        with io.BytesIO() as file:
            self.savefig(file, format="png", bbox_inches="tight")
            picture = file.getvalue()
        width, height = struct.unpack(">II", picture[16:24])  # the header of a PNG
        scale = _SCREEN / self.dpi
        return picture, {"width": round(width * scale), "height": round(height * scale)}


def sheet(width: float, height: float) -> Figure:
    """Create an empty figure with constrained layout; sizes in inches."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08), dpi=150)


def canvas(width: float, height: float, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Create a figure with a row of axes; sizes in inches."""
    figure = sheet(width, height)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def figure_of(ax: Axes) -> matplotlib.figure.Figure:
    """Return the outermost figure of axes."""
    figure: Any = ax.figure
    while not isinstance(figure, matplotlib.figure.Figure):
        figure = figure.figure
    return figure


def name(text: object) -> str:
    r"""Escape a name for Matplotlib: ``$`` does not start a formula, and a line break does not start a line."""
    return printable(text).replace("$", r"\$")


def legend(
    ax: Axes, handles: Sequence[Any], names: Sequence[Any], **options: str | float | int | bool | tuple[float, float]
) -> None:
    """Draw a legend; names may begin with ``_``, with which Matplotlib marks entries to leave out."""
    box = ax.legend(handles, [str(number) for number in range(len(names))], **options)
    for entry, text in zip(box.get_texts(), names, strict=True):
        entry.set_text(name(text))


def quiet(ax: Axes) -> None:
    """Set a thin gray frame and small gray ticks."""
    for side in ("top", "right", "bottom", "left"):
        ax.spines[side].set_color(GRID)
    ax.tick_params(colors=GRAY, labelsize=7, length=0)
    ax.xaxis.label.set(color=GRAY, size=8)
    ax.yaxis.label.set(color=GRAY, size=8)
    ax.title.set(size=9.5, color=INK)


def colorbar(ax: Axes, colors: ScalarMappable, text: str) -> None:
    """Add a colorbar beside the axes, labeled with its quantity and unit."""
    bar: Any = figure_of(ax).colorbar(colors, ax=ax, shrink=0.85, aspect=22, pad=0.02)
    bar.set_label(text, size=8, color=GRAY)
    bar.ax.tick_params(labelsize=7, colors=GRAY, length=2)
    bar.outline.set_visible(False)


def colormap(name: str) -> Colormap:
    """Return a colormap by name."""
    return matplotlib.colormaps[name]


def signed_norm(values: np.ndarray) -> Normalize:
    """Return a norm with zero in the middle of the colors and a symmetric range."""
    size = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    return TwoSlopeNorm(0.0, -size, size)


def contrast(color: Sequence[float] | np.ndarray) -> str:
    """Return ink or white, the one with contrast to this color (relative luminance)."""
    red, green, blue = color[:3]
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
