"""Figures of an audit: contraction, zero reward, alternative planners, expected regret, further data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from goalinf.checks import check_kind
from goalinf.display import number
from goalinf.identify import Audit, Contraction, Design, ZeroReward
from goalinf.plot.drawing import style
from goalinf.worlds import label

_WIDTH, _HEIGHT = 4.6, 3.0  # inches of a panel


def audit(audit: Audit) -> Figure:
    """Draw the results of an audit: one panel for every question that was answered.

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
        Where the audit has no results that can be drawn.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data, draws=100)
    >>> [ax.get_title() for ax in gi.plot.audit(gi.audit(fit, quick=True)).axes]
    ['Contraction of the reward']
    """
    check_kind("audit", audit, Audit, "an Audit, such as gi.audit returns")
    panels = panels_of(audit)
    if not panels:
        raise ValueError("this audit has no results to draw: the reward is known, or its prior has no variance")
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure = style.sheet(_WIDTH * columns, _HEIGHT * rows)
    for position, draw in enumerate(panels, start=1):
        ax = figure.add_subplot(rows, columns, position)
        draw(ax)
        style.quiet(ax)
    return figure


def panels_of(audit: Audit) -> list[Callable[[Axes], None]]:
    """Return the drawing functions of the panels of an audit; each takes its axes."""
    panels: list[Callable[[Axes], None]] = []
    if audit.contraction is not None:
        panels.append(partial(_contraction, contraction=audit.contraction))
    if (answers := audit.answers) is not None:
        if isinstance(answers.zero, ZeroReward):
            panels.append(partial(_zero_reward, zero=answers.zero))
        if isinstance(answers.planners, pd.DataFrame):
            panels.append(partial(_planners, planners=answers.planners))
        if isinstance(answers.regret, pd.DataFrame):
            panels.append(partial(_expected_regret, regrets=answers.regret))
        if isinstance(answers.design, Design):
            panels.append(partial(_design, table=answers.design.table))
    return panels


def _contraction(ax: Axes, contraction: Contraction) -> None:
    identified, unidentified = np.sort(contraction.identified), contraction.unidentified
    position = np.arange(len(identified))
    ax.bar(position, identified, color=style.START, label="identified")
    position, error = len(identified) + np.arange(len(unidentified)), 2 * contraction.error
    ax.bar(position, unidentified, yerr=error, color=style.END, ecolor=style.GRAY, label="not identified")
    ax.axhline(1.0, color=style.GRAY, lw=0.8, ls="--")
    ax.set(title="Contraction of the reward", xlabel="direction of reward", ylabel="posterior / prior variance")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(0.0, 1.35 * max(1.0, (unidentified + error).max(initial=0.0), identified.max(initial=0.0)))
    ax.legend(fontsize=7, frameon=False)


def _zero_reward(ax: Axes, zero: ZeroReward) -> None:
    """Draw prior and posterior of the size of beta times the reward, the product on which behavior depends."""
    edges = zero.mass["size"].to_numpy()
    width = np.diff(edges)
    for name, color in (("prior", style.GRAY), ("posterior", style.START)):
        density = np.diff(zero.mass[name]) / width
        ax.stairs(density, edges, color=color, fill=name == "posterior", alpha=0.8, label=name)
    ax.axvline(0.0, color=style.END, lw=1.6, label="zero reward")
    ax.set(xlim=(-0.03 * edges[-1], edges[-1]), xlabel="size of beta x reward", ylabel="probability density")
    ax.set_ylim(bottom=0.0)
    ax.set_title(f"Zero reward: log Bayes factor {number(zero.log_bayes_factor)} nats")
    ax.legend(fontsize=7, frameon=False)


def _planners(ax: Axes, planners: pd.DataFrame) -> None:
    """Draw one bar per planner, with the number of actions that distinguish it from the fitted planner."""
    gaps, choices = (planners[name].to_numpy(float) for name in ("gap", "choices"))
    finite = np.isfinite(choices)
    position = np.arange(len(gaps))
    smallest = gaps[finite].min(initial=np.inf)
    low, high = (smallest / 10, gaps[finite].max()) if finite.any() else (0.1, 1.0)
    ax.barh(position[finite], gaps[finite] - low, left=low, height=0.5, color=style.START)
    for row, (gap, count) in enumerate(zip(gaps, choices, strict=True)):
        words = _distinguished_by(gap, count)
        x = gap if np.isfinite(count) else low
        ax.annotate(words, (x, row), (3, 0), textcoords="offset points", va="center", size=7, color=style.INK)
    ax.set_yticks(position, [style.name(label(name)) for name in planners.index])
    ax.set_ylim(len(gaps) - 0.4, -0.6)
    # Room for the words to the right of the longest bar: they take about half of the panel.
    ax.set(xscale="log", xlim=(low, high * (high / low) ** 1.2), title="Other planners with their own rewards")
    if finite.any():
        ax.set_xlabel("evidence against the planner (nats per action)")
    else:
        ax.set_xticks([])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("evidence against the planner: none from any action")


def _distinguished_by(gap: float, choices: float) -> str:
    if np.isnan(gap):
        return "planning failed"
    return f"5 nats after about {number(int(choices))} actions" if np.isfinite(choices) else "fits equally well"


def _expected_regret(ax: Axes, regrets: pd.DataFrame) -> None:
    position = np.arange(len(regrets))
    ax.barh(position, regrets["regret"], height=0.5, color=style.START, label="mean")
    ax.plot(regrets["value_at_risk"], position, "|", ms=14, mew=2, color=style.INK, label="95 % quantile")
    ax.plot(regrets["chance"], position, "x", color=style.END, label="uniform policy")
    ax.set_yticks(position, [style.name(label(name)) for name in regrets.index])
    ax.set_ylim(len(regrets) - 0.4, -0.6)
    ax.set(title="Expected regret of the posterior mean", xlabel="regret (share of the range of returns)")
    ax.set_xlim(-0.02, 1.02)
    ax.legend(fontsize=7, frameon=False)


def _design(ax: Axes, table: pd.DataFrame) -> None:
    position = np.arange(len(table))
    column, unit = ("evsi", "value of the data (utility)") if "evsi" in table else ("information", "information (nats)")
    ax.barh(
        position, table[column], xerr=2 * table[f"{column}_error"], height=0.5, color=style.START, ecolor=style.GRAY
    )
    ax.set_yticks(position, [style.name(label(name)) for name in table.index])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set(title="Further data", xlabel=f"expected {unit}")
