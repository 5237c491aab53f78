"""Sequential choice of environments by value, by information, by rank, and at random."""

import functools
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

STATES, ACTIONS, ROOM, DISCOUNT = 12, 3, 4, 0.9  # every environment is a room of some of the states
USED = 6  # the tasks are rooms of the first of them
POOL, TASKS, CHOSEN, REPEATS = 20, 5, 3, 10
WALKS, STEPS, DRAWS = 4, 20, 40  # in every environment; draws of the mean after an experiment
AGENT = gi.agents.soft_optimal(beta=2.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="arrival")
CRITERIA = {"value": "evsi", "information": "information", "rank": "nullity", "chance": None}


def room(rng, among):
    """Make a random world on some of the states; all others are never visited and absorbing."""
    inside = rng.choice(among, ROOM, replace=False)
    P = np.broadcast_to(np.eye(STATES)[:, None], (STATES, ACTIONS, STATES)).copy()
    P[np.ix_(inside, range(ACTIONS), inside)] = rng.dirichlet(np.ones(ROOM), size=(ROOM, ACTIONS))
    return gi.from_arrays(P, initial=np.isin(np.arange(STATES), inside) / ROOM, discount=DISCOUNT)


def useful(world):
    """Compute the share of a room's states that belong to the tasks."""
    return float(np.asarray(world.mdp.initial)[:USED].sum())


def value(task, truth, reward):
    """Compute the expected return of the optimal policy for a reward, uniform over optimal actions."""
    best = gi.identify.OptimalityPreserving.of(task, reward).optimal
    return gi.identify.distance.expected_return(task, truth, best / best.sum(axis=1, keepdims=True))


def learned(key, pool, tasks, data, truth, ends, names):
    """Compute the posterior after some environments, and the normalized regret of acting on its mean."""
    known = data.select(np.isin(np.array(data.context_names)[data.context], names))
    worlds = {name: pool[name] for name in names}
    fit = gi.infer(key, worlds, agent=AGENT, reward=PRIOR, data=known, method="laplace")
    mean = fit.mean_reward()
    returns = {name: value(task, truth, mean) for name, task in tasks.items()}
    return fit, np.mean([(ends[name][0] - returns[name]) / np.ptp(ends[name]) for name in tasks])


def followed(key, rng, pool, tasks, criterion, chosen, after):
    """Yield rows after each environment, when the next one is the best by a criterion."""
    names = ["first"]
    for step in range(chosen + 1):
        fit, regret = after(tuple(sorted(names)))
        remaining = {name: watch(world) for name, world in pool.items() if name not in names}
        if criterion == "chance" or step == chosen:  # one candidate is enough for the current nullity
            name = rng.choice(list(remaining))
            remaining = {name: remaining[name]}
        valued = criterion == "value" and step < chosen
        design = gi.identify.design_experiment(
            jax.random.fold_in(key, step), fit, remaining, targets=tasks if valued else None, draws=DRAWS
        )
        yield {
            "criterion": criterion, "environments": step, "regret": regret, "nullity": design.nullity,
            "useful": useful(pool[names[-1]]) if step else np.nan,
            "least value": design.table["evsi"].min() if valued else np.nan,
        }  # fmt: skip
        names.append(next_one(rng, design.table, CRITERIA[criterion] if step < chosen else None))


def watch(world):
    return gi.identify.Demonstrations(world, AGENT, trajectories=WALKS, steps=STEPS)


def next_one(rng, table, column):
    """Return the best by a column of a design; ties at random."""
    table = table.loc[rng.permutation(table.index.to_numpy())]
    if column is None:
        return table.index[0]
    return table[column].idxmin() if column == "nullity" else table[column].idxmax()


def compared(rng, key, repeats, count, chosen):
    for repeat in range(repeats):
        one, two, three = jax.random.split(jax.random.fold_in(key, repeat), 3)
        pool = {"first": room(rng, STATES)} | {f"room {k}": room(rng, STATES) for k in range(count)}
        tasks = {f"task {k}": room(rng, USED) for k in range(TASKS)}
        truth = gi.StateReward(np.asarray(jax.random.normal(one, (STATES,)), float), on="arrival")
        data = gi.simulate(two, pool, AGENT, truth, trajectories=WALKS, steps=STEPS)
        opposite = gi.StateReward(-truth.values, on="arrival")
        ends = {name: (value(task, truth, truth), value(task, truth, opposite)) for name, task in tasks.items()}
        after = functools.cache(functools.partial(learned, three, pool, tasks, data, truth, ends))
        for criterion in CRITERIA:
            for row in followed(three, rng, pool, tasks, criterion, chosen, after):
                yield {"repeat": repeat, **row}


def drawn(rows):
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 3)
    titles = {"regret": "regret in the tasks", "nullity": "null directions of the reward",
              "useful": "share of the new room in the tasks"}  # fmt: skip
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        for number, (name, color) in enumerate(zip(CRITERIA, common.COLORS, strict=False)):
            some = rows[rows.criterion == name].groupby("environments")[column].agg(["mean", "sem"]).dropna()
            places = some.index + 0.06 * (number - 1.5)
            axes.errorbar(places, some["mean"], some["sem"], fmt="o-", color=color, label=name, markersize=4)
        axes.set_xlabel("environments chosen")
        axes.set_xticks(sorted(rows.environments.unique()))
        axes.set_title(title, size=9)
        axes.set_ylim(bottom=0)
    panels[0].legend(frameon=False, fontsize=8, title="chosen by", title_fontsize=8)
    return figure


def checked(rows, quick):
    least = rows["least value"].min()
    yield common.holds("least expected value of an environment", least, "at least 0", least >= -1e-9)
    one = rows[rows.environments == 1].pivot_table(index="repeat", columns="criterion", values="nullity")
    worse = int((one["rank"] > one.min(axis=1)).sum())
    yield common.same("pools in which rank does not have the fewest null directions after one environment", worse, 0)
    order = rows.sort_values("environments").groupby(["criterion", "repeat"])["nullity"]
    yield common.same("criteria and pools in which null directions reappear", int((order.diff() > 0).sum()), 0)
    if quick:
        return
    later = rows[rows.environments > 0]
    regret, use = (later.pivot_table(index="repeat", columns="criterion", values=name) for name in ("regret", "useful"))
    for other in list(CRITERIA)[1:]:
        less, more = (errors_of(one["value"] - one[other]) for one in (regret, use))
        name = f"value against {other}, in standard errors"
        yield common.holds(f"{name}: regret", less, "below 2", less < 2)
        yield common.holds(f"{name}: states of the tasks", more, "above 2", more > 2)


def errors_of(gains):
    """Compute a mean in units of its standard error."""
    return float(gains.mean() / gains.sem())


def study(quick, seed):
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    repeats, count, chosen = (2, 4, 1) if quick else (REPEATS, POOL, CHOSEN)
    rows = pd.DataFrame(compared(rng, key, repeats, count, chosen))
    table = rows.groupby(["criterion", "environments"], sort=False)[["regret", "nullity", "useful"]].agg(
        ["mean", "sem"]
    )
    table.columns = [" ".join(one).replace(" mean", "").replace("sem", "(standard error)") for one in table.columns]
    settings = {
        "states": STATES, "states of a room": ROOM, "states of the tasks": USED, "discount": DISCOUNT, "beta": 2.0,
        "candidates": count, "tasks": TASKS, "trajectories": WALKS, "steps": STEPS, "true rewards": repeats,
    }  # fmt: skip
    return common.Result(table.reset_index(), drawn(rows), list(checked(rows, quick)), settings)


common.run(__file__, study)
