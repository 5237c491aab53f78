"""Background of all figures of a world: cells and walls of a map, or nodes and edges of a graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from goalinf.plot.drawing import layout, style
from goalinf.worlds import World, label

_LABELED = 60  # nodes; above, names would cover the graph


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """First-order world with coordinates for every state.

    Parameters
    ----------
    world : World
        World that is drawn; for a world with memory its first-order world.
    fold : int (S,)
        For every state of the given world, the corresponding state of `world`.
    """

    world: World
    fold: np.ndarray

    @classmethod
    def of(cls, world: World) -> Ground:
        """Build the background of a world; for a world with memory, of its first-order world.

        Raises
        ------
        ValueError
            Where the argument is not a world.
        """
        if not isinstance(world, World):
            raise ValueError(f"expected a World to draw, found {type(world).__name__}; build one with gi.gridworld, …")
        fold = np.arange(world.n_states)
        while world.memory is not None:
            fold = world.memory.pairs[fold, 1]
            world = world.memory.base
        return cls(world, fold)

    @property
    def is_map(self) -> bool:
        """True where states are cells of a map."""
        return self.world.layout == "map" and self.world.positions is not None

    @cached_property
    def places(self) -> np.ndarray:
        """Coordinates ``(S, 2)``: column and row on maps."""
        positions = self.world.positions
        return layout.compute(self.world.transition_graph()) if positions is None else np.asarray(positions, float)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        col, row = self.places.max(0).astype(int) + 1
        source = self.world.source
        lines = source.split("\n") if isinstance(source, str) else [""]
        return max(int(row), len(lines)), max(int(col), len(lines[0]))

    @cached_property
    def links(self) -> np.ndarray:
        """Steps between different states, ``(E, 2)``, each once."""
        pairs = np.unique(np.stack(self.world.edges(), axis=1), axis=0)
        return pairs[pairs[:, 0] != pairs[:, 1]]

    @cached_property
    def spacing(self) -> float:
        """Median distance of a node to its nearest neighbor, in the units of the coordinates."""
        if self.is_map or len(self.places) < 2:
            return 1.0
        distances = np.linalg.norm(self.places[:, None] - self.places[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        nearest = distances.min(1)
        return float(np.median(nearest[nearest > 0])) if (nearest > 0).any() else 1.0

    def size(self) -> tuple[float, float]:
        """Return width and height of one panel, in inches."""
        if self.is_map:
            rows, cols = self.shape
            scale = min(0.46, 6.0 / max(rows, cols))
            return max(cols * scale, 2.4), max(rows * scale, 1.4)
        width, height = np.ptp(self.places, axis=0) if len(self.places) > 1 else (1.0, 1.0)
        longest = float(np.clip(1.9 + 0.4 * np.sqrt(len(self.places)), 2.8, 6.0))
        top = max(float(width), float(height), 1e-9)
        return longest * max(float(width) / top, 0.35), longest * max(float(height) / top, 0.35)

    def sheet(self, panels: int = 1, *, bar: bool) -> tuple[Figure, Sequence[Axes]]:
        """Create a figure with panels of the size of the world; ``bar``: with room for a colorbar."""
        width, height = self.size()
        return style.canvas(panels * (width + 0.55 + 0.8 * bar), height + 0.75, panels)

    # -- drawing ------------------------------------------------------------------------------

    def draw(
        self,
        ax: Axes,
        values: np.ndarray | None = None,
        *,
        colors: Colormap | None = None,
        norm: Normalize | None = None,
        busy: bool = False,
    ) -> Any:
        """Draw the background, states colored by `values` where given; returns the artist for a colorbar, or None.

        ``busy``: cells will have further content, so that marks are drawn in their corners.
        """
        style.quiet(ax)
        artist = (self._cells if self.is_map else self._nodes)(ax, values, colors, norm)
        self._names(ax, artist, busy)
        return artist if values is not None else None

    def _cells(self, ax, values, colors, norm):
        rows, cols = self.shape
        number = np.full((rows, cols), -1)
        col, row = self.places.astype(int).T
        number[row, col] = np.arange(len(row))
        ax.imshow(number >= 0, cmap=ListedColormap([style.INK, style.GROUND]), vmin=0, vmax=1, zorder=0)
        image = None
        if values is not None:
            grid = np.ma.masked_array(np.asarray(values)[np.maximum(number, 0)], number < 0)
            image = ax.imshow(grid, cmap=colors, norm=norm, zorder=1)
        # Lines between free cells only, not inside walls.
        right_pairs = np.argwhere((number[:, 1:] >= 0) & (number[:, :-1] >= 0))
        lower_pairs = np.argwhere((number[1:] >= 0) & (number[:-1] >= 0))
        lines = [[(c + 0.5, r - 0.5), (c + 0.5, r + 0.5)] for r, c in right_pairs]
        lines += [[(c - 0.5, r + 0.5), (c + 0.5, r + 0.5)] for r, c in lower_pairs]
        ax.add_collection(LineCollection(lines, colors=style.GRID, linewidths=0.5, alpha=0.9, zorder=1.5))
        ax.set(xlim=(-0.5, cols - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal", xlabel="column", ylabel="row")
        ax.set_xticks(range(0, cols, 1 + (cols - 1) // 12))
        ax.set_yticks(range(0, rows, 1 + (rows - 1) // 12))
        return image

    def _nodes(self, ax, values, colors, norm):
        self._edges(ax)
        x, y = self.places.T
        face = {"color": style.GROUND} if values is None else {"c": values, "cmap": colors, "norm": norm}
        rim = style.INK if values is None else style.GRAY
        points = ax.scatter(x, y, s=self.node_size, edgecolors=rim, linewidths=0.7, zorder=3, **face)
        pad = 0.8 * self.spacing
        ax.set(xlim=(x.min() - pad, x.max() + pad), ylim=(y.min() - pad, y.max() + pad), aspect="equal")
        if self.world.positions is None:
            ax.set(xticks=[], yticks=[], xlabel="layout computed: only edges have a meaning", ylabel="")
            ax.set_frame_on(False)
        else:
            ax.set(xlabel="x (as given)", ylabel="y (as given)")
        return points

    @property
    def named(self) -> bool:
        """True where nodes are large enough for their names."""
        return not self.is_map and self.world.n_states <= _LABELED

    @property
    def node_size(self) -> float:
        """Area of a node in square points."""
        width, height = self.size()
        extent = max(float(np.ptp(self.places, axis=0).max()), 1e-9)
        points = 72 * max(width, height) * self.spacing / (extent + 1.6 * self.spacing)
        return float(np.clip(0.55 * points, 4.0, 22.0)) ** 2

    def _edges(self, ax: Axes) -> None:
        pairs = {(int(s), int(t)) for s, t in self.links}
        two_way = [(s, t) for s, t in pairs if s < t and (t, s) in pairs]
        segments = [self.places[[s, t]] for s, t in sorted(two_way)]
        ax.add_collection(LineCollection(segments, colors=style.GRID, linewidths=1.1, zorder=1))
        radius = np.sqrt(self.node_size) / 2
        for s, t in sorted(pair for pair in pairs if pair[::-1] not in pairs):
            ax.add_patch(
                FancyArrowPatch(
                    self.places[s],
                    self.places[t],
                    arrowstyle="-|>",
                    mutation_scale=7,
                    shrinkA=radius,
                    shrinkB=radius,
                    color="#b8b3a8",
                    linewidth=0.9,
                    zorder=1,
                )
            )

    def _names(self, ax: Axes, artist: ScalarMappable | None, busy: bool) -> None:
        """Draw marks of cells or names of nodes, in a color with contrast to the background."""
        if self.is_map:
            texts = [mark if mark != "." else "" for mark in self.world.marks or [""] * self.world.n_states]
        else:
            texts = [label(name) for name in self.world.states] if self.named else [""] * self.world.n_states
        values = None if artist is None else artist.get_array()
        longest = max(map(len, texts))
        size = (
            (7.0 if busy else 10.0)
            if self.is_map
            else np.clip(1.8 * np.sqrt(self.node_size) / max(longest, 2), 4.0, 8.0)
        )
        weight = "bold" if self.is_map else "normal"
        shift = -0.33 if self.is_map and busy else 0.0
        for i, (text, (x, y)) in enumerate(zip(texts, self.places, strict=True)):
            if not text:
                continue
            color = style.INK
            if artist is not None and values is not None:
                color = style.contrast(artist.to_rgba(values[(int(y), int(x)) if self.is_map else i]))
            options: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 5}
            ax.text(x + shift, y + shift, style.name(text), size=size, weight=weight, color=color, **options)
