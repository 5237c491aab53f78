"""Regret of models with equal predictive accuracy."""

import sys
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

DISCOUNT, SLIP, STEPS, TIE = 0.9, 0.1, 20, 0.01  # a tie: largest difference from the best, nats per action
ROOM = gi.open_grid(3, 3, slip=SLIP, discount=DISCOUNT)
AROUND = {"up": (1, 0), "down": (-1, 0), "left": (0, 1), "right": (0, -1)}
PLACES = {
    "same room": ROOM,
    "controls turned": gi.open_grid(3, 3, slip=SLIP, moves=AROUND, discount=DISCOUNT),
    "half of moves slip": gi.open_grid(3, 3, slip=0.5, discount=DISCOUNT),
    "discount 0.5": gi.open_grid(3, 3, slip=SLIP, discount=0.5),
}
SHOWN = ("same room", "controls turned")
TRUTH = gi.agents.soft_optimal(beta=2.0)
WRONG = {
    "discount 0.5": gi.agents.soft_optimal(beta=2.0, discount=0.5),
    "hard maximum": gi.agents.boltzmann(beta=2.0),
    "present bias, naive": gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0, sophisticated=False),
    "three steps ahead": gi.agents.lookahead(depth=3, beta=2.0),
    "anti-rational": gi.agents.anti_rational(beta=2.0),
}
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
GUESS = "guessing"


def models(key, data, wrong):
    """Yield name, agent and reward of every model: the true planner, its degenerate pairs, wrong planners."""
    right = gi.inference.find_map(key, ROOM, agent=TRUTH, reward=PRIOR, data=data)
    for pair in gi.identify.degenerate_pairs(ROOM, right.agent, right.reward):
        yield pair.name, pair.agent, pair.reward
    for name in wrong:
        found = gi.inference.find_map(key, ROOM, agent=WRONG[name], reward=PRIOR, data=data)
        yield name, found.agent, found.reward
    yield (
        GUESS,
        gi.agents.uniform(),
        gi.StateReward.zero(ROOM),
    )  # reference for differences in accuracy


def by_trajectory(agent, reward, data):
    """Compute the log-likelihood of every trajectory, nats per action."""
    logs = np.log(agent.policy(ROOM, reward).values)
    return logs[np.asarray(data.states)[:, :-1], np.asarray(data.actions)].mean(axis=1)


def scored(number, count, wrong, seed):
    """Yield one row per model of a demonstrator: held-out log-likelihood, and regrets of its reward."""
    key = jax.random.fold_in(jax.random.key(seed), number)
    wants = gi.StateReward(np.random.default_rng([seed, number]).permutation(np.linspace(-1.0, 1.0, 9)), on="departure")
    seen, new = (gi.simulate(one, ROOM, TRUTH, wants, trajectories=count, steps=STEPS) for one in jax.random.split(key))
    own = by_trajectory(TRUTH, wants, new)
    for name, agent, reward in models(key, seen, wrong):
        behind = by_trajectory(agent, reward, new) - own
        yield {
            "demonstrator": number,
            "model": name,
            "log likelihood": (own + behind).mean(),
            "above the truth": behind.mean(),
            "error": behind.std(ddof=1) / np.sqrt(count),
            **{
                f"regret, {place}": gi.identify.distance.regret(world, wants, reward) for place, world in PLACES.items()
            },
        }


def checked(table):
    """Check that all models tie, the uniform policy does not, and regrets range from 0 to 1."""
    for number, rows in table.groupby("demonstrator"):
        name, by = f"demonstrator {number}", rows.set_index("model")
        models = by.drop(index=GUESS)
        logs = models["log likelihood"]
        tied = models[logs >= logs.max() - TIE]
        yield common.same(f"{name}, models that tie with the best", len(tied), len(models))
        twins = float(np.ptp(logs.loc[["meant", "opposite", "indifferent", "greedy", "greedy opposite"]]))
        yield common.holds(f"{name}, difference between degenerate pairs", twins, "below 1e-9", twins < 1e-9)
        lost = logs.max() - by.loc[GUESS, "log likelihood"]
        yield common.holds(f"{name}, loss of the uniform policy", lost, f"above {10 * TIE:g}", lost > 10 * TIE)
        for place in SHOWN:
            regrets = tied[f"regret, {place}"]
            spread = float(np.ptp(regrets))
            yield common.holds(f"{name}, {place}, range of regrets", spread, "above 0.9", spread > 0.9)
            yield common.holds(f"{name}, {place}, regret of the meant pair", regrets["meant"], "below 0.1",
                               regrets["meant"] < 0.1)  # fmt: skip


def drawn(table):
    figure = Figure(figsize=(9.4, 4.2), layout="constrained")
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    marks = dict(zip(table["model"].unique(), "o^sDvPX*<>.", strict=False))
    for axes, place in zip(panels, SHOWN, strict=True):
        axes.axvspan(-TIE, TIE, color=common.GRAY, alpha=0.2, linewidth=0)
        for index, (name, rows) in enumerate(table.groupby("model", sort=False)):
            color = common.GRAY if name == GUESS else common.COLORS[index % len(common.COLORS)]
            options = {"color": color, "marker": marks[name], "s": 34, "alpha": 0.75, "linewidth": 0, "label": name}
            axes.scatter(rows["above the truth"], rows[f"regret, {place}"], **options)
        axes.set(
            title=place, xlabel="held-out log-likelihood minus that of the truth\n(nats per action)", ylim=(-0.05, 1.05)
        )
        axes.title.set_size(10)
    panels[0].set_ylabel("regret of acting on the reward")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    figure.suptitle("Models with equal predictive accuracy; the gray band is a tie", size=10)
    return figure


def study(quick, seed):
    jax.config.update("jax_disable_most_optimizations", True)  # short programs: compile fast
    demonstrators, count, wrong = (1, 100, ("anti-rational",)) if quick else (5, 500, WRONG)
    table = pd.DataFrame([row for number in range(demonstrators) for row in scored(number, count, wrong, seed)])
    settings = {
        "discount": DISCOUNT, "slip": SLIP, "beta": 2.0, "trajectories": count, "steps": STEPS, "tie": TIE,
        "prior": "Normal(0, 1)", "values of states": "-1 to 1 in steps of 0.25, in random order",
    }  # fmt: skip
    return common.Result(table, drawn(table), list(checked(table)), settings)


common.run(__file__, study)
