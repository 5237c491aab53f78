"""Forest of a parameter: the interval of every subject or context, and of their group."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from goalinf.checks import check_flag, check_kind, check_number
from goalinf.inference.results.fit import Fit
from goalinf.plot.drawing import style

_ROW, _TALLEST = 0.16, 12.0  # inches


def forest(
    fit: Fit,
    parameter: str,
    *,
    by: str = "subject",
    entry: Hashable | None = None,
    level: float = 0.9,
    order: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Draw the posterior median and interval of a parameter in every subject, with those of the group behind them.

    Parameters
    ----------
    fit : Fit
        Fit of a parameter with one value per subject or context (:func:`goalinf.partial_pooling`).
    parameter : str
        Its name, such as ``"agent.beta"``.
    by : str
        Units to draw: ``"subject"``, ``"context"``, or a covariate.
    entry : hashable, optional
        Label of one entry, where every unit has several: a state, a feature, a session.
    level : float
        Probability of the intervals, in (0, 1).
    order : bool
        True: sorted by the medians; False: in the order of the data.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KeyError
        Where the fit has no such parameter, or no value of it by unit.
    ValueError
        Where the value of a unit has several entries and ``entry`` names none of them, or the level is not in (0, 1).

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(0, hall, gi.agents.boltzmann(beta=2.0), reward, trajectories=6, steps=10)
    >>> data = gi.Trajectories.of(walks.states, walks.actions, lengths=walks.lengths, subject=[0, 0, 1, 1, 2, 2])
    >>> agent = gi.agents.boltzmann(beta=gi.partial_pooling(dist.LogNormal(0.0, 1.0)))
    >>> fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, method="laplace")
    >>> gi.plot.forest(fit, "agent.beta").axes[0].get_xlabel()
    'agent.beta'
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    check_kind("by", by, str, "a unit such as 'subject'")
    check_flag("order", order)
    if not 0.0 < check_number("level", level, 0.0, 1.0, "a number in (0, 1)") < 1.0:
        raise ValueError(f"level is {level!r}; expected a number in (0, 1)")
    values, names = _draws(fit, parameter, by, entry)
    shares = [(1 - level) / 2, 0.5, (1 + level) / 2]
    low, middle, high = np.quantile(values, shares, axis=0)
    rows = np.argsort(middle, kind="stable") if order else np.arange(len(middle))[::-1]
    if ax is None:
        _, (ax,) = style.canvas(4.2, min(1.0 + _ROW * len(rows), _TALLEST))
    style.quiet(ax)
    height = np.arange(len(rows))
    group = None if _has_covariates(fit, parameter) else fit.posterior.get(f"{parameter}.mean")
    if group is not None:
        group = group.isel(
            {dim: _number(group[dim].values, entry) for dim in group.dims if dim not in ("chain", "draw")}
        )
        left, center, right = np.quantile(group.values, shares)
        ax.axvspan(left, right, color=style.GROUND, zorder=0)
        ax.axvline(center, color=style.GRAY, lw=1.0, zorder=1)
    ax.hlines(height, low[rows], high[rows], color=style.START, lw=1.4, zorder=2)
    ax.plot(middle[rows], height, "o", ms=3.5, color=style.START, zorder=3)
    ax.set_yticks(height, [style.name(names[row]) for row in rows], fontsize=7 if len(rows) <= 40 else 4)
    ax.set(xlabel=style.name(parameter), ylabel=by, ylim=(-0.7, len(rows) - 0.3))
    behind = "" if group is None else "; behind: median of the group"
    ax.set_title(f"median and {level:.0%} interval{behind}", fontsize=8, color=style.GRAY, loc="left")
    return style.figure_of(ax)


def _has_covariates(fit: Fit, parameter: str) -> bool:
    """Return True where the parameter has coefficients: the median of its group is not that of every level."""
    of_group = {f"{parameter}.mean", f"{parameter}.sd"}
    return any(str(name).startswith(f"{parameter}.") and name not in of_group for name in fit.posterior.data_vars)


def _draws(fit: Fit, parameter: str, by: str, entry: Hashable | None) -> tuple[np.ndarray, list[str]]:
    """Return the draws of every unit, ``(draws, units)``, and the names of the units."""
    posterior = fit.posterior
    several = [str(name) for name in posterior.data_vars if by in posterior[name].dims]
    if parameter not in several:
        shown = f"it has {', '.join(several)}" if several else "it has none"
        raise KeyError(f"{parameter!r} is no parameter of this fit with one value per {by}; {shown}")
    array = posterior[parameter]
    others = [str(dim) for dim in array.dims if dim not in ("chain", "draw", by)]
    for dim in others:
        array = array.isel({dim: _number(array[dim].values, entry)})
    names = [str(name) for name in array[by].values.tolist()]
    return array.transpose("chain", "draw", by).values.reshape(-1, len(names)), names


def _number(labels: np.ndarray, entry: Hashable | None) -> int:
    """Return the number of the entry with this label."""
    printed = [str(name) for name in labels.tolist()]
    if str(entry) not in printed:
        shown = ", ".join(printed[:8]) + (", …" if len(printed) > 8 else "")
        raise ValueError(f"entry is {entry!r}; every value has {len(printed)} entries: give one of {shown}")
    return printed.index(str(entry))
