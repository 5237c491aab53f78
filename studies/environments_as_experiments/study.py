"""Identification by a second environment: nullities by rank, and errors by principal angle."""

import sys
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

STATES, ACTIONS, DISCOUNT, BETA, STEPS = 6, 3, 0.9, 2.0, 50
MIXED, DISCOUNTS = (0.05, 0.2, 0.5, 1.0), (0.85, 0.6, 0.3)
SIZES, REPEATS = (300, 3000, 30_000, 300_000), 10  # choices in both environments together; true rewards
AGENT = gi.agents.soft_optimal(beta=BETA)
PRIOR = gi.ActionReward(dist.Normal(0.0, 1.0))


def law(rng, *shape):
    """Draw random transition probabilities."""
    return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])


def torus(side):
    place = np.arange(side * side).reshape(side, side)
    around = [np.roll(place, step, axis) for axis in (0, 1) for step in (1, -1)]
    return np.eye(side * side)[np.stack(around, axis=-1).reshape(-1, 4)]


def exogenous(controlled, chances):
    """Make transitions of states (k, z): the action is the next k, and z has its own transition law."""
    own = np.broadcast_to(np.eye(controlled)[None], (controlled, controlled, controlled))
    joint = np.einsum("kal,zy->kzaly", own, chances)
    return joint.reshape(controlled * len(chances), controlled, -1)


def zoo(rng, quick):
    """Yield a name, two environments, and the nullity of r(s, a) in closed form."""
    world = gi.from_arrays

    def discounts(P):
        return world(P, discount=DISCOUNT), world(P, discount=0.5)

    P, weathers = law(rng, STATES, ACTIONS, STATES), [law(rng, 2, 2) for _ in range(2)]
    yield "random, the same twice", [world(P, discount=DISCOUNT)] * 2, STATES
    other = world(law(rng, STATES, ACTIONS, STATES), discount=DISCOUNT)
    yield "random, two", (world(P, discount=DISCOUNT), other), 1
    yield "random, two discounts", discounts(P), 1
    rooms = [world(exogenous(3, weather), discount=DISCOUNT) for weather in weathers]
    yield "room of 3, two laws of a weather of 2", rooms, 3 + 2 - 1
    yield "room of 3 with a weather of 2, two discounts", discounts(exogenous(3, weathers[0])), 2
    yield "no choice, two discounts", discounts(np.repeat(law(rng, 6, 1, 6), 3, axis=1)), 6
    if quick:
        return
    yield "torus 3 x 3, two discounts", discounts(torus(3)), 1
    yield "torus 4 x 4, two discounts", discounts(torus(4)), 2
    yield "random, 18 states and 5 choices", [world(law(rng, 18, 5, 18), discount=1 / 1.05) for _ in range(2)], 1
    firms = [world(exogenous(20, law(rng, 20, 20)), discount=DISCOUNT) for _ in range(2)]
    yield "firm of 20, two laws of a market of 20", firms, 20 + 20 - 1


def open_directions(rng, quick):
    """Yield nullities in closed form, by the geometry of shapings, and by the Jacobian of the policies."""
    for name, pair, expected in zoo(rng, quick):
        found = gi.identify.transferability(pair)
        jacobian = np.nan
        if pair[0].n_states <= 20:  # the Jacobian of the largest takes too long
            worlds = dict(enumerate(pair))
            jacobian = gi.identify.null_space(
                worlds, AGENT, gi.ActionReward(np.ones(pair[0].mdp.available.shape))
            ).dimension
        yield {"environments": name, "closed form": expected, "nullity": found.nullity, "rank": found.rank,
               "by the Jacobian": jacobian, "sine": found.weakest}  # fmt: skip


def neighbors(P, other):
    """Make second environments for a first one: the same one, mixtures with another, and other discounts."""
    yield "the same", gi.from_arrays(P, discount=DISCOUNT)
    for share in MIXED:
        mixed = (1 - share) * P + share * other
        yield f"{share:.0%} of another", gi.from_arrays(mixed, discount=DISCOUNT)
    for discount in DISCOUNTS:
        yield f"discount {discount}", gi.from_arrays(P, discount=discount)


def learned(rng, key, sizes, repeats):
    """Yield the error of the mode in the first environment and in a third one, by second environment and data."""
    P, other, third = (law(rng, STATES, ACTIONS, STATES) for _ in range(3))
    first, target = (gi.from_arrays(one, discount=DISCOUNT) for one in (P, third))
    for name, second in neighbors(P, other):
        angle = gi.identify.transferability([first, second], target=target)
        worlds = {"first": first, "second": second}
        for choices in sizes:
            for repeat in range(repeats):
                one, two, three = jax.random.split(jax.random.fold_in(key, repeat), 3)
                truth = gi.ActionReward(np.asarray(jax.random.normal(one, (STATES, ACTIONS)), float))
                walks = choices // STEPS // 2
                data = gi.simulate(two, worlds, AGENT, truth, trajectories=walks, steps=STEPS)
                mode = gi.inference.find_map(three, worlds, agent=AGENT, reward=PRIOR, data=data).reward
                yield {
                    "second": name, "nullity": angle.nullity, "rank": angle.rank, "sine": angle.weakest,
                    "choices": choices, "repeat": repeat, "error here": gi.identify.distance.starc(first, truth, mode),
                    "error elsewhere": gi.identify.distance.starc(target, truth, mode),
                }  # fmt: skip


def level(key, rng):
    """Check that the variance of the constant equals its prior variance for every pair of environments."""
    worlds = {k: gi.from_arrays(law(rng, STATES, ACTIONS, STATES), discount=DISCOUNT) for k in range(2)}
    one, two, three = jax.random.split(key, 3)
    truth = gi.ActionReward(np.asarray(jax.random.normal(one, (STATES, ACTIONS)), float))
    data = gi.simulate(two, worlds, AGENT, truth, trajectories=300, steps=STEPS)
    look = gi.infer(three, worlds, agent=AGENT, reward=PRIOR, data=data, draws=4000, method="laplace")
    values = look.posterior["reward.values"].values.reshape(4000, -1)
    variance = (values.sum(axis=1) / np.sqrt(values.shape[1])).var(ddof=1)
    return common.within("variance of the level after 30 000 choices, before 1", variance, 1.0, np.sqrt(2 / 4000))


def drawn(table):
    figure = Figure(figsize=(9.4, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    means = table.groupby(["second", "choices"], sort=False)[["sine", "error elsewhere"]].mean()
    order = table.groupby("second")["sine"].first().sort_values()
    colors = dict(zip(order.index, (common.GRAY, *common.COLORS, common.INK), strict=False))
    for name, sine in order.items():
        some = means.loc[name]
        style = "--" if name.startswith("discount") else "-"
        left.plot(some.index, some["error elsewhere"], f"o{style}", color=colors[name], label=f"{name} ({sine:.3f})")
        if sine > 1e-6:
            right.plot(some.index * sine**2, some["error elsewhere"], f"o{style}", color=colors[name])
    left.set(xscale="log", yscale="log", xlabel="choices", ylabel="STARC distance in a third environment")
    left.legend(frameon=False, fontsize=7, title="second environment (sine)", title_fontsize=7)
    right.set(xscale="log", xlabel="choices times sine squared")
    left.set_title("Equal rank, different angles", size=10)
    right.set_title("Scaled by the angle", size=10)
    return figure


def study(quick, seed):
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    counted = pd.DataFrame(open_directions(rng, quick))
    checks = []
    for name, closed, nullity, _, jacobian, _ in counted.itertuples(index=False):
        checks.append(common.same(f"{name}: nullity", nullity, closed))
        if not np.isnan(jacobian):
            checks.append(common.same(f"{name}: nullity by the Jacobian", int(jacobian), closed))
    if not quick:
        ranks = counted.set_index("environments")["rank"]
        checks.append(common.same("rank, 18 states and 5 choices", int(ranks["random, 18 states and 5 choices"]), 35))
        checks.append(common.same("rank, firm of 400", int(ranks["firm of 20, two laws of a market of 20"]), 761))
    checks.append(level(jax.random.fold_in(key, 1), rng))
    sizes, repeats = ((3000,), 2) if quick else (SIZES, REPEATS)
    rows = pd.DataFrame(learned(rng, key, sizes, repeats))
    checks += checked(rows, quick)
    columns = ["second", "nullity", "rank", "sine", "choices"]
    means = rows.groupby(columns, sort=False)[["error here", "error elsewhere"]].agg(["mean", "sem"])
    means.columns = [" ".join(one).replace(" mean", "").replace("sem", "(standard error)") for one in means.columns]
    table = pd.concat([counted, means.reset_index()])
    settings = {
        "states": STATES, "actions": ACTIONS, "discount": DISCOUNT, "beta": BETA, "steps": STEPS,
        "choices": sizes, "true rewards": repeats,
    }  # fmt: skip
    return common.Result(table, drawn(rows), checks, settings)


def checked(rows, quick):
    means = rows.groupby(["second", "choices"])[["sine", "nullity", "error here", "error elsewhere"]].mean()
    last = means.xs(rows.choices.max(), level="choices")
    resolved = last[last.nullity == 1]
    yield common.same("second environments of the same rank", len(resolved), len(MIXED) + len(DISCOUNTS))
    if quick:
        return
    order = float(spearmanr(resolved["sine"], resolved["error elsewhere"]).statistic)
    yield common.holds("error elsewhere by sine, rank correlation", order, "at most -0.9", order <= -0.9)
    here = resolved["error here"]
    spread = float(here.max() / here.min())
    gap = float(resolved["error elsewhere"].max() / resolved["error elsewhere"].min())
    yield common.holds("largest over smallest error elsewhere", gap, f"above that here, {spread:.3g}", gap > spread)
    some = rows[rows.second == "the same"].set_index(["choices", "repeat"])["error elsewhere"]
    fall = some[SIZES[-2]] - some[SIZES[-1]]
    left = some[SIZES[-1]].mean()
    yield common.within("the same twice: fall of the error elsewhere at last", fall.mean(), 0.0, fall.sem())
    floor = float(resolved["error elsewhere"].max())
    yield common.holds("the same twice: error elsewhere", left, f"above all others, {floor:.3g}", left > floor)


common.run(__file__, study)
