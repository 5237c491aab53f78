"""An audit in pictures: what the data narrowed, what they refuse, who else might have acted, what it would cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from goalinf.checks import check_kind
from goalinf.identify import Audit, Contraction, Design, ZeroReward
from goalinf.plot import style

_SMALLEST = 1e-7  # nats per choice; a smaller gap is drawn as none
_WIDTH, _HEIGHT = 4.6, 3.0  # inches of a panel


def audit(audit: Audit) -> Figure:
    """Draw what an audit found: one panel for every question that was answered.

    Parameters
    ----------
    audit : Audit
        From :func:`goalinf.audit`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where nothing was answered that can be drawn.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(jax.random.key(1), hall, agent=gi.soft_optimal(beta=2.0), reward=prior, data=walks, draws=100)
    >>> [ax.get_title() for ax in gi.plot.audit(gi.audit(fit, quick=True)).axes]
    ['What the data narrowed']
    """
    check_kind("audit", audit, Audit, "an Audit, such as gi.audit returns")
    panels = panels_of(audit)
    if not panels:
        raise ValueError("this audit holds nothing to draw: the reward was known, or its prior has no variance")
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout=layout, dpi=150)
    for number, draw in enumerate(panels):
        ax = figure.add_subplot(rows, columns, number + 1)
        draw(ax)
        style.quiet(ax)
    return figure


def panels_of(audit: Audit) -> list[Callable[[Axes], None]]:
    """What can be drawn of an audit, each on axes of its own."""
    panels: list[Callable[[Axes], None]] = []
    if audit.contraction is not None:
        panels.append(partial(_narrowed, found=audit.contraction))
    if (found := audit.answers) is not None:
        if isinstance(found.zero, ZeroReward) and found.zero.mass is not None:
            panels.append(partial(_near_zero, mass=found.zero.mass))
        if isinstance(found.planners, pd.DataFrame):
            panels.append(partial(_planners, planners=found.planners))
        if isinstance(found.acting, pd.DataFrame):
            panels.append(partial(_acting, acting=found.acting))
        if isinstance(found.design, Design):
            panels.append(partial(_design, table=found.design.table))
    return panels


def _narrowed(ax: Axes, found: Contraction) -> None:
    shown, hidden = np.sort(found.identified), found.unidentified
    place = np.arange(len(shown))
    ax.bar(place, shown, color=style.START, label="directions that behavior shows")
    after = len(shown) + np.arange(len(hidden))
    ax.bar(after, hidden, yerr=2 * found.error, color=style.END, ecolor=style.GRAY, label="directions that it does not")
    ax.axhline(1.0, color=style.GRAY, lw=0.8, ls="--")
    ax.set(title="What the data narrowed", xlabel="direction of reward", ylabel="posterior / prior variance")
    ax.set_ylim(0.0, 1.35 * max(1.0, hidden.max(initial=0.0), shown.max(initial=0.0)))
    ax.legend(fontsize=7, frameon=False)


def _near_zero(ax: Axes, mass: pd.DataFrame) -> None:
    ax.plot(mass["radius"], mass["prior"], color=style.GRAY, marker="o", ms=3, label="prior")
    ax.plot(mass["radius"], mass["posterior"], color=style.START, marker="o", ms=3, label="posterior")
    ax.set(xscale="log", ylim=(-0.03, 1.03), title="How near to wanting nothing", ylabel="probability of being nearer")
    ax.set_xlabel("distance from zero reward (prior standard deviations)")
    ax.legend(fontsize=7, frameon=False)


def _planners(ax: Axes, planners: pd.DataFrame) -> None:
    gaps = planners["gap"].to_numpy()
    place = np.arange(len(gaps))
    told = gaps > _SMALLEST
    ax.barh(place[told], gaps[told], left=0.0, color=style.START)
    ax.plot(np.full((~told).sum(), _SMALLEST), place[~told], "o", color=style.END, label="none: no behavior tells")
    ax.set_yticks(place, [str(name) for name in planners.index])
    ax.set_ylim(len(gaps) - 0.4, -0.6)
    ax.set(xscale="log", title="Who else would act alike", xlabel="what speaks against them (nats per choice)")
    ax.set_xlim(_SMALLEST / 3, max(gaps.max(initial=0.0) * 3, 10 * _SMALLEST))
    if (~told).any():
        ax.legend(fontsize=7, frameon=False)


def _acting(ax: Axes, acting: pd.DataFrame) -> None:
    place = np.arange(len(acting))
    ax.barh(place, acting["regret"], height=0.5, color=style.START, label="mean")
    ax.plot(acting["value_at_risk"], place, "|", ms=14, mew=2, color=style.INK, label="95 % quantile")
    ax.plot(acting["chance"], place, "x", color=style.END, label="choosing evenly")
    ax.set_yticks(place, [str(name) for name in acting.index])
    ax.invert_yaxis()
    ax.set(title="What acting on it would cost", xlabel="regret (share of the range of returns)", xlim=(-0.02, 1.02))
    ax.legend(fontsize=7, frameon=False)


def _design(ax: Axes, table: pd.DataFrame) -> None:
    place = np.arange(len(table))
    what, unit = ("evsi", "value of the data (utility)") if "evsi" in table else ("information", "information (nats)")
    ax.barh(place, table[what], xerr=2 * table[f"{what}_error"], color=style.START, ecolor=style.GRAY)
    ax.set_yticks(place, [str(name) for name in table.index])
    ax.invert_yaxis()
    ax.set(title="Which further data would help", xlabel=f"expected {unit}")
