"""Figures of checks before and after fitting: recovery, predictive checks, calibration, prior and posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from goalinf.data import Trajectories
from goalinf.plot.drawing import style

_SHOWN = 60  # labels of one statistic
_PANEL = 2.9  # inches
_UNITS = {
    "choice": "share of actions",
    "stay": "probability",
    "path_length": "moves per trajectory",
    "occupancy": "share of visits",
    "goal_reached": "share of trajectories",
    "win_stay": "probability",
}


@runtime_checkable
class Estimates(Protocol):
    """Estimates beside true values, such as :class:`goalinf.workflow.recovery.Recovery`."""

    @property
    def estimates(self) -> pd.DataFrame:
        """One row per run and number: ``parameter``, ``true``, ``mean``, ``low``, ``high``, ``converged``."""

    @property
    def table(self) -> pd.DataFrame:
        """One row per parameter, with ``correlation`` and ``coverage``."""


@runtime_checkable
class Ranks(Protocol):
    """Ranks of drawn values, such as :class:`goalinf.workflow.calibration.Calibration`."""

    @property
    def ranks(self) -> pd.DataFrame:
        """One row per run, one column per parameter."""

    @property
    def draws(self) -> int:
        """Number of draws among which values are ranked."""


@runtime_checkable
class Checked(Protocol):
    """Replicated data, such as :class:`goalinf.workflow.predictive_checks.Replications`."""

    def check(self, data: Trajectories, of: Sequence[str] | None) -> pd.DataFrame:
        """Return observed values, and mean and interval of replicated values, by statistic and label."""


def recovery(recovered: Estimates, *, parameters: Sequence[str] | None = None) -> Figure:
    """Draw posterior means and 90 % intervals against the true values, one panel per parameter.

    Parameters
    ----------
    recovered : Recovery
        From :func:`goalinf.recover`.
    parameters : sequence of str, optional
        Names of parameters. Default: all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KeyError
        Where there is no such parameter.
    """
    table = recovered.table
    names = list(table.index) if parameters is None else list(parameters)
    if unknown := [name for name in names if name not in table.index]:
        raise KeyError(f"{unknown[0]!r} was not recovered; there are {', '.join(table.index)}")
    figure, axes = style.canvas(_PANEL * len(names), _PANEL, len(names))
    for ax, name in zip(axes, names, strict=True):
        rows = recovered.estimates[recovered.estimates["parameter"] == name]
        style.quiet(ax)
        for converged, color in ((True, style.START), (False, style.END)):
            part = rows[rows["converged"] == converged]
            if part.empty:
                continue
            ax.vlines(part["true"], part["low"], part["high"], color=color, lw=0.8, alpha=0.5)
            text = "converged" if converged else "NOT converged"
            ax.plot(part["true"], part["mean"], "o", ms=3, color=color, label=text)
        low, high = (float(getattr(np, end)(rows[["true", "mean"]].to_numpy())) for end in ("min", "max"))
        ax.plot([low, high], [low, high], color=style.GRAY, lw=0.8, zorder=0)
        row = table.loc[name]
        ax.set_title(
            f"{style.name(name)}\ncorrelation {row['correlation']:.2f}, coverage {row['coverage']:.0%}", fontsize=8
        )
        ax.set(xlabel="true value", ylabel="posterior mean, 90 % interval")
        if not rows["converged"].all():
            ax.legend(fontsize=6)
    return figure


def predictive(
    replications: Checked,
    data: Trajectories,
    *,
    of: Sequence[str] | None = None,
) -> Figure:
    """Draw observed statistics on the 90 % intervals of replicated data, one panel per statistic.

    Parameters
    ----------
    replications : Replications
        From :func:`goalinf.posterior_predictive`.
    data : Trajectories
        Observed data.
    of : sequence of str, optional
        Statistics; see :func:`goalinf.predictive_check`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = replications.check(data, of)
    names = list(dict.fromkeys(table.index.get_level_values("statistic")))
    tables = [table.loc[name] for name in names]
    widths = [min(max(1.8, 0.6 + 0.2 * len(part)), 9.0) for part in tables]
    figure = style.sheet(sum(widths), _PANEL)
    axes = list(figure.subplots(1, len(names), squeeze=False, width_ratios=widths)[0])
    for ax, name, part in zip(axes, names, tables, strict=True):
        shown = part if len(part) <= _SHOWN else part.nlargest(_SHOWN, "replicated")
        place = np.arange(len(shown))
        style.quiet(ax)
        ax.vlines(place, shown["low"], shown["high"], color=style.GRID, lw=5, label="replicated, 90 %")
        ax.plot(place, shown["replicated"], "_", color=style.GRAY, ms=7)
        outside = (shown["observed"] < shown["low"]) | (shown["observed"] > shown["high"])
        ax.plot(place[~outside], shown["observed"][~outside], "o", ms=3.5, color=style.START, label="observed")
        if outside.any():
            ax.plot(place[outside], shown["observed"][outside], "o", ms=3.5, color=style.END, label="observed, outside")
        labels = [style.name(label) for label in shown.index]
        ax.set_xticks(place, labels, rotation=90 if len(place) > 3 else 0, fontsize=6)
        ax.set(ylabel=_UNITS.get(name, name), xlim=(-0.7, len(place) - 0.3))
        cut = f", {_SHOWN} of {len(part)}" if len(part) > _SHOWN else ""
        ax.set_title(f"{name.replace('_', ' ')}{cut}", fontsize=8)
    axes[0].legend(fontsize=6)
    return figure


def calibration(calibrated: Ranks, *, level: float = 0.95) -> Figure:
    r"""Draw the deviation of the distribution of ranks from the uniform one, with a band, one panel per parameter.

    Inside the band, the deviation at each rank is what ``level`` of calibrated samplers show there.

    Parameters
    ----------
    calibrated : Calibration
        From :func:`goalinf.calibrate`.
    level : float
        Probability of the band at each rank.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names, runs = list(calibrated.ranks), len(calibrated.ranks)
    share = (np.arange(calibrated.draws + 1) + 1.0) / (calibrated.draws + 1.0)
    low, high = (stats.binom.ppf(tail, runs, share) / runs - share for tail in ((1 - level) / 2, (1 + level) / 2))
    figure, axes = style.canvas(_PANEL * len(names), _PANEL, len(names))
    for ax, name in zip(axes, names, strict=True):
        ranks = calibrated.ranks[name].to_numpy().astype(int)
        distribution = np.bincount(ranks, minlength=calibrated.draws + 1).cumsum() / runs
        style.quiet(ax)
        ax.fill_between(share, low, high, step="post", color=style.GRID)
        ax.step(share, distribution - share, where="post", color=style.START, lw=1.2)
        ax.axhline(0.0, color=style.GRAY, lw=0.8)
        ax.set_title(style.name(name), fontsize=8)
        ax.set(xlabel="rank (share)", ylabel="distribution of ranks − uniform")
    return figure


def confusion(matrix: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Draw a matrix of selections: probabilities of the columns in every row.

    Parameters
    ----------
    matrix : DataFrame
        ``matrix`` or ``inversion`` of what :func:`goalinf.confusion` returns.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if ax is None:
        size = 1.4 + 0.6 * len(matrix)
        _, (ax,) = style.canvas(size, size)
    image = ax.imshow(matrix.to_numpy(float), cmap=style.CHANCE, vmin=0.0, vmax=1.0)
    for row, column in np.ndindex(matrix.shape):
        value = matrix.iloc[row, column]
        text = "–" if np.isnan(value) else f"{value:.2f}"
        color = style.contrast(image.cmap(image.norm(0.0 if np.isnan(value) else value)))
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    ax.set_xticks(range(len(matrix.columns)), [style.name(name) for name in matrix.columns], rotation=45, fontsize=7)
    ax.set_yticks(range(len(matrix)), [style.name(name) for name in matrix.index], fontsize=7)
    ax.set(xlabel=str(matrix.columns.name), ylabel=str(matrix.index.name))
    return style.figure_of(ax)
