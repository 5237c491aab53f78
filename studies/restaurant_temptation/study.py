"""Restaurant temptation: preferences of naive and sophisticated agents with present bias."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi
from goalinf_models import evans_2016, exact
from goalinf_models.evans_worlds import restaurants

TOWN = restaurants()
MOVES = {"l": "left", "r": "right", "u": "up", "d": "down"}
PATHS = {"naive": "uuuulll", "sophisticated": "uurruuulull"}  # to the donuts on the way; the long way to the vegetables
TEMPTED = np.array([evans_2016.TIME, 10.0, -10.0, -10.0, 20.0, 0.0, 0.0])  # time; donut, veg, noodle: now, later
COLUMNS = ("evidence", "P(naive)", "P(donut tempts)", "E veg - donut")
PUBLISHED = {
    "naive": (".019858", ".9417", ".8852", "9.889"),
    "sophisticated": (".004511", ".0614", ".8660", "14.330"),
}
PUBLISHED_GOALS = {"donut": ".9106", "veg": ".0604", "noodle": ".0290"}


def trajectory_of(moves):
    """Make the trajectory that starts at the crossing."""
    world, state, rows = TOWN.world, "3,1", []
    for step, move in enumerate(moves):
        rows.append({"walk": 0, "step": step, "state": state, "action": MOVES[move]})
        after = world.mdp.successors[world.index(state), world.action_index(MOVES[move])]
        state = world.states[int(after[0])]
    return gi.read_trajectories(
        pd.DataFrame(rows), world, trajectory="walk", step="step", state="state", action="action"
    )


def tempting(beliefs):
    """Return True where vegetables are preferred four and six steps away, and donuts next to the shop."""

    def worth(kind, delay):  # at k = 1
        return beliefs[f"{kind}.now"] / (1 + delay) + beliefs[f"{kind}.later"] / (2 + delay)

    return (worth("donut", 4) < worth("veg", 6)) & (worth("donut", 0) > worth("veg", 2))


def believed(name):
    """Yield one row after every step of a trajectory."""
    for n, beliefs in enumerate(exact(**evans_2016.model(trajectory_of(PATHS[name]), "restaurant"))[0]):
        veg, donut = (beliefs[f"{kind}.now"] + beliefs[f"{kind}.later"] for kind in ("veg", "donut"))
        numbers = (
            np.exp(beliefs.evidence),
            beliefs.sel(naive=True).sum(),
            beliefs.where(tempting(beliefs), 0.0).sum(),
            (beliefs * (veg - donut)).sum(),
        )
        yield {"walk": name, "steps": n, **dict(zip(COLUMNS, map(float, numbers), strict=True))}


def chance_of(name):
    """Compute the probability of the trajectory under the naive or the sophisticated agent."""
    agent = gi.agents.hyperbolic(k=1.0, beta=500.0, horizon=TOWN.horizon, sophisticated=name == "sophisticated")
    wants = TOWN.reward(TEMPTED)
    return float(np.exp(gi.Behavior(TOWN.world, agent, wants).log_prob(trajectory_of(PATHS[name]))))


def after_one_step():
    """Compute the posterior of the preferred shop for an agent without discounting, after one step to the left."""
    likes = {kind: [-0.04, *np.repeat(1.0 + np.eye(3)[i], 2)] for i, kind in enumerate(PUBLISHED_GOALS)}
    goals = {kind: TOWN.reward(np.array(weights)) for kind, weights in likes.items()}
    agent = gi.agents.hyperbolic(k=0.0, beta=2.0, horizon=TOWN.horizon)
    return gi.goal_posterior(TOWN.world, agent, goals, trajectory_of("l"))[0, -1].values


def drawn(table):
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    panels = figure.subplots(1, 3)
    labels = ("P(naive)", "P(donuts tempt)", "E (vegetables − donuts), utility")
    for axes, column, label in zip(panels, COLUMNS[1:], labels, strict=True):
        for color, (walk, one) in zip(common.COLORS, table.groupby("walk", sort=False), strict=False):
            axes.plot(one["steps"], one[column], marker="o", markersize=3.5, color=color, label=f"{walk} agent")
        axes.set(xlabel="steps observed", ylabel=label, xticks=range(0, 12, 2))
    panels[0].set_ylim(0, 1)
    panels[1].set_ylim(0, 1)
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.suptitle("Two trajectories through the town, and the posterior after every step", size=10)
    return figure


def study(quick, seed):
    walks = ["naive"] if quick else list(PATHS)
    table = pd.DataFrame([row for name in walks for row in believed(name)])
    checks = [common.reads("P(donut tempts) before the first step", table["P(donut tempts)"][0], ".0898")]
    for name in walks:
        last = table[table["walk"] == name].iloc[-1]
        for column, digits in zip(COLUMNS, PUBLISHED[name], strict=True):
            checks.append(common.reads(f"trajectory of the {name}, {column}", last[column], digits))
        chance = chance_of(name)
        checks.append(
            common.holds(f"the {name} agent takes this trajectory, probability", chance, "> 0.95", chance > 0.95)
        )
    for (kind, digits), found in zip(PUBLISHED_GOALS.items(), after_one_step(), strict=True):
        checks.append(common.reads(f"one step to the left, P({kind})", found, digits))
    settings = {"horizon": TOWN.horizon, "utilities of the agent": dict(zip(TOWN.names, TEMPTED, strict=True))}
    return common.Result(table, drawn(table), checks, {**settings, "k": 1.0, "beta of the agent": 500.0})


common.run(__file__, study)
