"""Bayes factors of zero reward, and the posterior given optimality alone."""

import sys
from itertools import product
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

ARMS = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
WIDTHS = (1.0, 3.0, 10.0)  # of the priors of the arms
PUBLISHED = {  # Bayes factors by choices of the first arm, all choices, and width
    (5, 10): ("2.4081", "6.6227", "21.8336"),
    (8, 10): (".4534", ".8164", "2.5132"),
    (10, 10): (".0157", ".0037", ".0023"),
    (50, 100): ("7.1243", "21.184", "70.5412"),
    (60, 100): (".9713", "2.7839", "9.2306"),
}
GRID = gi.open_grid(3, 3, discount=0.9)
WANTS = gi.StateReward([0.0] * 8 + [1.0], on="departure")  # one corner
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
OBSERVER = gi.agents.soft_optimal(beta=1.0)
SIZES = {0.0: (100, 1000, 10_000), 0.1: (100, 1000, 10_000, 100_000)}  # choices by beta
SIZES |= {1.0: (100, 1000, 10_000), 10.0: (100, 10_000)}
STEPS, WIDER = 50, 3.0  # of a trajectory; factor of the width of the prior
SHOWN = 8  # directions of reward: all but the constant
RINGS = {2: ([[0, 1], [0, 1]], 0.5, 2), 3: ([[2, 1], [0, 2], [1, 0]], 1 / 6, 6)}  # successors, chance, policies


def by_quadrature(sigma, first, total):
    """Compute the marginal likelihood of the actions by quadrature over the difference between the arms."""

    def density(gap):
        likelihood = -first * np.logaddexp(0, -gap) - (total - first) * np.logaddexp(0, gap)
        return norm.pdf(gap, 0, sigma * np.sqrt(2)) * np.exp(likelihood)

    return quad(density, -12 * sigma, 12 * sigma, points=[0.0], limit=500, epsabs=0, epsrel=1e-10)[0]


def arms(key, counts, widths):
    """Yield Bayes factors of zero reward for two arms, by the library and by quadrature."""
    for first, total in counts:
        made = gi.Trajectories.of(np.zeros((1, total + 1), int), [[0] * first + [1] * (total - first)])
        prior = gi.ActionReward(dist.Normal(0.0, 1.0))
        fit = gi.infer(key, ARMS, agent=OBSERVER, reward=prior, data=made, draws=4000)
        found = gi.identify.zero_reward(key, fit, scales=widths).table
        for row in found.itertuples():
            exact = -total * np.log(2) - np.log(by_quadrature(row.scale, first, total))
            yield {
                "world": "arms", "choices": total, "first": first, "width": row.scale, "exact": exact,
                "log Bayes factor": row.log_bayes_factor, "error": row.error, "converged": row.converged,
            }  # fmt: skip


def walks(key, beta, choices):
    agent = gi.agents.soft_optimal(beta=beta)
    return gi.simulate(key, GRID, agent, WANTS, trajectories=choices // STEPS, steps=STEPS)


def where_zero_is_true(choices):
    """Compute mean and standard deviation of the log Bayes factor for normal likelihood and prior around zero."""
    watched = gi.identify.Demonstrations(GRID, OBSERVER, trajectories=choices // STEPS, steps=STEPS)
    seen = np.maximum(np.linalg.eigvalsh(watched.fisher(gi.StateReward.zero(GRID), ("reward.values",))), 0.0)
    share = seen / (1 + seen)
    return (np.log1p(seen) - share).sum() / 2, np.sqrt((share**2).sum() / 2)


def on_grid(key, sizes, repeats):
    """Yield log Bayes factors of zero reward on the grid; the observer assumes beta 1."""
    for beta, choices in ((beta, choices) for beta, some in sizes.items() for choices in some):
        for repeat in range(repeats if beta == 0 else 1):
            one, two, three = jax.random.split(jax.random.fold_in(key, repeat), 3)
            data = walks(one, beta, choices)
            fit = gi.infer(two, GRID, agent=OBSERVER, reward=PRIOR, data=data, draws=1000)
            found = gi.identify.zero_reward(three, fit, scales=() if repeat else (WIDER,))
            for row in found.table.itertuples():
                yield {
                    "world": "grid", "beta": beta, "choices": choices, "width": row.scale, "repeat": repeat,
                    "log Bayes factor": row.log_bayes_factor, "error": row.error, "converged": row.converged,
                    "exact": where_zero_is_true(choices)[0] if beta == 0 and row.scale == 1 else np.nan,
                }  # fmt: skip


def optimality(rng, count):
    """Check optimality alone: probabilities of cones, their modes and means, and Ng and Russell's program."""
    for size, (successors, chance, several) in RINGS.items():
        world = gi.from_arrays(np.eye(size)[np.array(successors)], discount=0.9)
        drawn = rng.normal(size=(count, size))
        inside = {}
        for policy in product(range(2), repeat=size):
            losses = gi.identify.feasible_set(world, np.array(policy), rewards="departure").losses
            inside[policy] = (losses @ drawn.T >= 0).all(axis=0)
        shares = {policy: float(one.mean()) for policy, one in inside.items() if one.any()}
        yield common.same(f"ring of {size}: policies that can be optimal", len(shares), several)
        error = np.sqrt(chance * (1 - chance) / count)
        for policy, share in shares.items():
            yield common.within(f"ring of {size}: chance of policy {policy}", share, chance, error, errors=3)
        # In the plane of the identified directions the cone is a wedge, whose mean has a known length.
        policy = next(iter(shares))
        kept = drawn[inside[policy]]
        length = np.sqrt(2 / np.pi) if size == 2 else np.sqrt(np.pi / 2) * 3 / np.pi
        shown = kept - kept.mean(axis=1, keepdims=True)
        toward = shown.mean(axis=0) / np.linalg.norm(shown.mean(axis=0))
        along = shown @ toward
        yield common.within(f"ring of {size}: posterior mean", along.mean(), length, along.std() / np.sqrt(len(along)))
        losses = gi.identify.feasible_set(world, np.array(policy), rewards="departure").losses
        mode = mode_of(losses, kept[0])
        yield common.holds(f"ring of {size}: size of the mode", mode, "at most 1e-6", mode <= 1e-6)


def mode_of(losses, start):
    """Compute the size of the most probable reward of a normal prior under optimality constraints."""
    inside = {"type": "ineq", "fun": lambda reward: losses @ reward, "jac": lambda _: losses}
    found = minimize(lambda r: r @ r / 2, start, jac=lambda r: r, constraints=inside, method="SLSQP", tol=1e-16)
    return float(np.linalg.norm(found.x))


def penalties():
    """Compute Ng and Russell's reward on the grid by penalty, and the penalty from which on it is zero."""
    best = gi.agents.soft_optimal(beta=50.0).policy(GRID, WANTS).values.argmax(axis=1)
    cone = gi.identify.feasible_set(GRID, best, rewards="departure")
    critical = cone.critical_penalty()
    shares = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99, 1.01, 1.2])
    return cone, critical, [(share * critical, size_at(cone, share * critical)) for share in shares]


def size_at(cone, penalty):
    return float(np.abs(cone.ng_russell(penalty).values).sum())


def snap(cone, low, high):
    """Compute this penalty by bisection."""
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (low, middle) if size_at(cone, middle) < 1e-9 else (middle, high)
    return high


def drawn(table, prices, critical):
    figure = Figure(figsize=(10, 3.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    bandit, grid = table[table.world == "arms"], table[(table.world == "grid") & (table.width == 1)]
    for (total, first), color in zip(((n, k) for k, n in PUBLISHED), common.COLORS, strict=False):
        some = bandit[(bandit.choices == total) & (bandit["first"] == first)]
        left.plot(some.width, some["exact"], color=color, label=f"{first} of {total}")
        left.plot(some.width, some["log Bayes factor"], "o", color=color)
    left.set(xscale="log", xlabel="width of the prior", ylabel="log Bayes factor of zero reward")
    left.set_title("Two arms, lines by quadrature", size=9)
    for (beta, some), color in zip(grid.groupby("beta"), common.COLORS, strict=False):
        middle.plot(some.choices, some["log Bayes factor"], "o", color=color, label=f"beta {beta:g}", markersize=3)
        means = some.groupby("choices")["log Bayes factor"].mean()
        middle.plot(means.index, means, color=color, linewidth=1)
    nothing = grid[grid.beta == 0].groupby("choices").exact.mean()
    middle.plot(nothing.index, nothing, "--", color=common.INK, label="expected at beta 0")
    middle.set(xscale="log", xlabel="actions", ylabel="log Bayes factor of zero reward")
    middle.set_yscale("symlog", linthresh=20)
    middle.set_title("Grid of 3 x 3, by beta of the agent", size=9)
    right.plot(*zip(*prices, strict=True), "o-", color=common.COLORS[0], markersize=3)
    right.axvline(critical, color=common.COLORS[1], linestyle="--", label="critical penalty")
    right.set(xlabel="penalty", ylabel="size of Ng and Russell's reward")
    right.set_title("Optimality alone", size=9)
    for axes in (left, middle, right):
        axes.axhline(0, color=common.GRAY, linewidth=0.6)
        axes.legend(frameon=False, fontsize=7)
    return figure


def checked(table, quick):
    """Check the Bayes factors against quadrature, their expectation where zero is true, and their trend."""
    bandit, grid = table[table.world == "arms"], table[table.world == "grid"]
    for row in bandit.to_dict("records"):
        name = f"arms, {row['first']:g} of {row['choices']}, width {row['width']:g}"
        digits = PUBLISHED[row["first"], row["choices"]][WIDTHS.index(row["width"])]
        yield common.reads(f"{name}: by quadrature", np.exp(row["exact"]), digits)
        off = abs(np.expm1(row["log Bayes factor"] - row["exact"]))
        yield common.holds(f"{name}: relative error of the library", off, "at most 0.01", off <= 0.01)
    yield common.same("fits that did not converge", int((~table.converged).sum()), 0)
    nothing = grid[(grid.beta == 0) & (grid.width == 1)]
    for choices, some in nothing.groupby("choices"):
        mean, deviation = where_zero_is_true(choices)
        found, error = some["log Bayes factor"].mean(), deviation / np.sqrt(len(some))
        yield common.within(f"grid, beta 0, {choices} choices: mean", found, mean, error)
    if quick:
        return
    means = nothing.groupby("choices")["log Bayes factor"].mean()
    rise, error = means[10_000] - means[1000], np.sqrt(SHOWN / (nothing.choices == 1000).sum())  # each varies by 4
    yield common.within("grid, beta 0: rise over ten times the data", rise, SHOWN / 2 * np.log(10), error)
    wide = grid[grid.repeat == 0].set_index(["beta", "choices", "width"])["log Bayes factor"]
    drift = wide[0.0, 10_000, WIDER] - wide[0.0, 10_000, 1.0]
    lindley = SHOWN * np.log(WIDER)
    yield common.holds(
        "grid, beta 0: drift with a wider prior", drift, f"{lindley:.4g} within 0.05", abs(drift - lindley) < 0.05
    )
    for beta in list(SIZES)[1:]:
        last = wide[beta].xs(1.0, level="width").iloc[-1]
        yield common.holds(f"grid, beta {beta:g}, all choices: log Bayes factor", last, "below -10", last < -10)


def study(quick, seed):
    one, two = jax.random.split(jax.random.key(seed))
    counts, widths, repeats, sizes = ((8, 10),), (1.0,), 3, {0.0: (1000,)}
    if not quick:
        counts, widths, repeats, sizes = tuple(PUBLISHED), WIDTHS, 8, SIZES
    rows = [*arms(one, counts, widths), *on_grid(two, sizes, repeats)]
    table = pd.DataFrame(rows)
    cone, critical, prices = penalties()
    bisected, near = snap(cone, 0.0, 100.0), f"{critical:.6g} within 1e-6"
    checks = [
        *checked(table, quick),
        *optimality(np.random.default_rng(seed), 4000 if quick else 100_000),
        common.holds("penalty from which on the reward is zero", bisected, near, abs(bisected - critical) < 1e-6),
    ]
    settings = {
        "discount": 0.9, "widths of the arms": widths, "beta": list(sizes), "choices": list(sizes.values()),
        "steps of a trajectory": STEPS, "data sets at beta 0": repeats, "wider prior": WIDER,
    }  # fmt: skip
    return common.Result(table, drawn(table, prices, critical), checks, settings)


common.run(__file__, study)
