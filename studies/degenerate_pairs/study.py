"""Likelihood, description length and regret of degenerate pairs of planner and reward."""

import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi
from goalinf.identify import Pair

DISCOUNT, PRECISION, LETTER = 0.9, 0.05, 8.0
BETAS = {"noisy": 2.0, "nearly deterministic": 100.0}
HALL = gi.open_grid(3, 3, discount=DISCOUNT)
# The same cells with permuted controls, under which a habit has other consequences.
TURNED = gi.open_grid(3, 3, moves={"up": (1, 0), "down": (-1, 0), "left": (0, 1), "right": (0, -1)}, discount=DISCOUNT)


def rewards(seed):
    """Make a reward with one goal, and one with a different value in every cell."""
    goal = np.zeros(9)
    goal[8] = 1.0
    rich = np.random.default_rng(seed).permutation(np.linspace(-1.0, 1.0, 9))
    return {"one goal": goal, "nine values": rich}


def bits(*tables):
    """Compute the description length: the distinct values, at a precision, and an index for every entry."""
    total = 0.0
    for table in tables:
        distinct = len(np.unique(np.round(np.asarray(table) / PRECISION)))
        total += distinct * LETTER + np.size(table) * np.log2(distinct)
    return total


def explained(truth, values, noise, beta, size, seed):
    """Yield one row per pair."""
    agent, wants = gi.agents.boltzmann(beta=beta), gi.StateReward(values, on="departure")
    data = gi.simulate(jax.random.key(seed), HALL, agent, wants, trajectories=size, steps=10)
    policy = agent.policy(HALL, wants).values
    habits = np.log(policy) / beta
    soft = Pair(
        "soft-optimal",
        gi.agents.soft_optimal(beta=beta),
        gi.ActionReward(habits),
        "reward of an action: its log-probability",
    )
    pairs = (*gi.identify.degenerate_pairs(HALL, agent, wants), soft)
    scores = gi.identify.score_pairs(HALL, pairs, data)
    lengths = {  # named planners have no bits; negations one bit; a policy is a table
        "meant": bits(values),
        "opposite": bits(values) + 1,
        "indifferent": bits(policy),
        "greedy": bits(policy),
        "greedy opposite": bits(policy) + 1,
        "soft-optimal": bits(policy),
    }
    for pair in pairs:
        yield {
            "truth": truth,
            "choices": noise,
            "pair": pair.name,
            "log likelihood": scores.log_likelihood[pair.name],
            "difference": scores.difference[pair.name],
            "bits": lengths[pair.name],
            "regret here": gi.identify.distance.regret(HALL, wants, pair.reward),
            "regret, controls turned": gi.identify.distance.regret(TURNED, wants, pair.reward),
        }


def checked(table):
    """Check equal likelihoods, the shortest description, and regrets from 0 to 1."""
    for (truth, noise), one in table.groupby(["truth", "choices"], sort=False):
        name, by = f"{truth}, {noise}", one.set_index("pair")
        worst = float(by["difference"].abs().max())
        scale = 1e-9 * max(1.0, float(by["log likelihood"].abs().max()))
        yield common.holds(f"{name}, largest difference in log likelihood", worst, f"≤ {scale:.1g}", worst <= scale)
        yield common.same(f"{name}, opposite against meant", by.loc["opposite", "difference"], 0.0)
        cheapest = by["bits"].drop(["meant", "opposite"]).min() < by.loc["meant", "bits"]
        simple = truth == "nine values" and noise == "nearly deterministic"
        yield common.same(f"{name}, a degenerate pair has a shorter description", bool(cheapest), simple)
        lost = by["regret, controls turned"]
        yield common.holds(f"{name}, regret of the meant pair", lost["meant"], "0", lost["meant"] < 1e-9)
        yield common.holds(f"{name}, regret of the opposite", lost["opposite"], "1", lost["opposite"] > 1 - 1e-9)
        between = bool(0.01 < lost["indifferent"] < 0.99)
        yield common.holds(f"{name}, regret of zero reward", lost["indifferent"], "between 0 and 1", between)


def drawn(table):
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    marks = dict(zip(table["pair"].unique(), "o^sDvP", strict=True))
    for axes, (truth, one) in zip(panels, table.groupby("truth", sort=False), strict=False):
        for row in one.to_dict("records"):
            color = common.COLORS[list(BETAS).index(row["choices"])]
            axes.scatter(row["bits"], row["regret, controls turned"], color=color, marker=marks[row["pair"]], s=42)
        axes.set(title=f"the truth: {truth}", xlabel="description length (bits)", ylim=(-0.05, 1.05))
    panels[0].set_ylabel("regret with permuted controls")
    for pair, mark in marks.items():
        panels[1].scatter([], [], color=common.GRAY, marker=mark, label=pair)
    for color, noise in zip(common.COLORS, BETAS, strict=False):
        panels[1].scatter([], [], color=color, marker="_", label=noise)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    figure.suptitle("Six pairs of planner and reward with the same likelihood", size=10)
    return figure


def study(quick, seed):
    cases = [(truth, values, noise) for truth, values in rewards(seed).items() for noise in BETAS]
    if quick:
        cases = cases[:1]
    size = 5 if quick else 100
    table = pd.DataFrame([row for *case, noise in cases for row in explained(*case, noise, BETAS[noise], size, seed)])
    settings = {"discount": DISCOUNT, "beta": BETAS, "trajectories": size, "steps": 10, "precision": PRECISION}
    return common.Result(table, drawn(table), list(checked(table)), {**settings, "bits of a value": LETTER})


common.run(__file__, study)
