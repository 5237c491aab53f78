"""Procrastination: a low reward of the work, or present bias."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi
from goalinf_models import evans_2016, exact
from goalinf_models.evans_worlds import procrastination

WORK = procrastination()
DAYS = ["wait"] * 8 + ["work", "relax"]
MODELS = {"rational": "optimal", "procrastination": "may discount"}
MEANS = {"reward": "E reward", "alpha": "E alpha", "k": "E k"}
# After n observations: E reward, P(work on the last day), E alpha, E k, evidence.
PUBLISHED = {
    ("optimal", 0): ("4.4375", ".8313", "322.21", None, "1"),
    ("optimal", 1): ("3.2242", ".5288", "153.20", None, ".26583"),
    ("optimal", 4): ("1.0755", ".1060", "394.02", None, ".10218"),
    ("optimal", 8): (".5302", ".0056", "457.48", None, ".087977"),
    ("optimal", 9): ("4.7674", ".7565", ".68", None, "4.966e-4"),
    ("may discount", 0): ("4.4375", ".6536", "322.21", "1.5", "1"),
    ("may discount", 1): ("3.4214", ".3712", "299.69", "2.2451", ".43064"),
    ("may discount", 4): ("2.9345", ".2402", "455.97", "2.5970", ".28216"),
    ("may discount", 8): ("2.8487", ".2158", "495.72", "2.6309", ".25939"),
    ("may discount", 9): ("6.1569", ".9560", "572.63", "3.4959", ".055978"),
}
COLUMNS = ("E reward", "P(work on the last day)", "E alpha", "E k", "evidence")


def observed():
    """Make the trajectory as a table: eight days of waiting, work on the last effective day, relaxing."""
    states = [f"day {day}" for day in range(9)] + ["done 8"]
    table = pd.DataFrame({"person": 0, "day": range(10), "state": states, "action": DAYS})
    return gi.read_trajectories(table, WORK.world, trajectory="person", step="day", state="state", action="action")


def works(posterior):
    """Compute P(work on the last effective day) under every hypothesis, with the axes of the posterior."""

    def chance(reward, alpha, k=0.0):
        agent = gi.agents.hyperbolic(k=float(k), beta=float(alpha), horizon=WORK.horizon)
        policy = agent.policy(WORK.world, WORK.reward([float(reward), evans_2016.COST, evans_2016.DELAY]))
        return float(policy.sel(state="day 8", action="work")[8])

    grid = np.meshgrid(*(posterior[site].values for site in posterior.dims), indexing="ij")
    return np.vectorize(chance)(*grid)


def followed(variant, data):
    """Yield one row after every observation."""
    posterior = exact(**evans_2016.model(data, variant))[0]
    chance = works(posterior[0])
    for n, after in enumerate(posterior):
        row = {"model": MODELS[variant], "observations": n}
        row |= {name: float((after * after[site]).sum()) for site, name in MEANS.items() if site in after.dims}
        row |= {"P(work on the last day)": float((after * chance).sum()), "evidence": float(np.exp(after.evidence))}
        yield row


def drawn(table):
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    panels = zip(
        figure.subplots(1, 3),
        ("E reward", "P(work on the last day)", "evidence"),
        ("E value of the work (it costs 1)", "P(work on the last day)", "probability of the choices so far"),
        strict=True,
    )
    for axes, column, label in panels:
        for color, (model, one) in zip(common.COLORS, table.groupby("model", sort=False), strict=False):
            axes.plot(one["observations"], one[column], marker="o", markersize=3.5, color=color, label=model)
        axes.set(xlabel="actions observed", ylabel=label, xticks=range(0, 11, 2))
        axes.axvspan(8, 10, color="#f3f1ec", zorder=0)
    axes.set_yscale("log")
    axes.legend(title="observer's model", frameon=False, loc="lower left")
    figure.suptitle("Posterior of two observers: eight days of waiting, then work (shaded: after the work)", size=10)
    return figure


def study(quick, seed):
    data = observed()
    variants = ["rational"] if quick else list(MODELS)
    table = pd.DataFrame([row for variant in variants for row in followed(variant, data)])
    table = table.reindex(columns=["model", "observations", *COLUMNS])
    found = table.set_index(["model", "observations"])
    checks = [
        common.reads(f"{model}, after {n}, {column}", found.loc[(model, n), column], digits)
        for (model, n), row in PUBLISHED.items()
        if model in set(table["model"])
        for column, digits in zip(COLUMNS, row, strict=True)
        if digits is not None
    ]
    if not quick:
        factor = found.loc[("may discount", 10), "evidence"] / found.loc[("optimal", 10), "evidence"]
        checks.append(common.reads("Bayes factor for discounting, all data", factor, "112.7"))
    settings = {"deadline": WORK.horizon, "cost of work": evans_2016.COST, "cost of a day": evans_2016.DELAY}
    return common.Result(table.drop(columns="E k") if quick else table, drawn(table), checks, settings)


common.run(__file__, study)
