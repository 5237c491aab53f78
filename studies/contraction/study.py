"""Posterior variance in null directions and in identified directions, by sample size."""

import sys
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure
from numpyro.diagnostics import effective_sample_size

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

SIDE, DISCOUNT, BETA = 4, 0.9, 2.0
AGENT = gi.agents.soft_optimal(beta=BETA)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
STEPS = 10  # of a trajectory
ENOUGH = 100.0  # times the prior's precision: above it the prior is negligible


def torus():
    """Make a torus with four moves."""
    padded = np.pad(np.arange(SIDE**2).reshape(SIDE, SIDE), 1, mode="wrap")
    around = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return gi.from_arrays(np.eye(SIDE**2)[np.stack(around, axis=-1).reshape(SIDE**2, 4)], discount=DISCOUNT)


WORLDS = {"walls": gi.open_grid(SIDE, SIDE, discount=DISCOUNT), "torus": torus()}


def fisher(world, values, visits):
    """Compute the Fisher information of visits about the state rewards at these values, by central differences."""

    def log_policy(at):
        return np.log(AGENT.policy(world, gi.StateReward(at, on="departure")).values)

    steps = 1e-4 * np.eye(len(values))
    slope = np.stack([(log_policy(values + step) - log_policy(values - step)) / 2e-4 for step in steps])
    return np.einsum("s,sa,isa,jsa->ij", visits, np.exp(log_policy(values)), slope, slope)


def spread(draws, direction):
    """Compute the variance along a direction and its Monte Carlo standard error; draws are (chain, draw, state)."""
    along = draws @ direction
    square = (along - along.mean()) ** 2
    return square.mean(), square.std() / np.sqrt(effective_sample_size(square))


def divergence(draws, directions):
    """Compute KL(posterior || prior) in nats along these directions, for normal approximations."""
    along = draws.reshape(-1, draws.shape[-1]) @ directions.T
    covariance = np.atleast_2d(np.cov(along.T))
    mean = along.mean(0)
    return 0.5 * (np.trace(covariance) + mean @ mean - len(mean) - np.linalg.slogdet(covariance)[1])


def studied(name, world, sizes, draws, seed):
    """Compute rows of the table and checks of one world."""
    truth = gi.StateReward(np.random.default_rng(seed).normal(size=SIDE**2), on="departure")
    null = gi.identify.null_space(world, AGENT, PRIOR).basis.values
    board = np.where(np.indices((SIDE, SIDE)).sum(0).ravel() % 2 == 0, 1.0, -DISCOUNT)
    hidden = np.linalg.norm(null @ board) ** 2 / (board @ board)  # share of the checkerboard in the null space
    checks = [common.same(f"{name}, null dimensions", len(null), 2 if name == "torus" else 1)]
    if name == "torus":
        checks.append(
            common.holds("torus, share of the checkerboard in the null space", hidden, "1", hidden > 1 - 1e-9)
        )
    others = np.linalg.svd(null)[2][len(null) :]  # orthogonal to the null space
    rows, learned = [], []
    for size in sizes:
        key_walks, key_fit = jax.random.split(jax.random.fold_in(jax.random.key(seed), size))
        data = gi.simulate(key_walks, world, AGENT, truth, trajectories=size // STEPS, steps=STEPS)
        fit = gi.infer(key_fit, world, agent=AGENT, reward=PRIOR, data=data, draws=draws)
        found = fit.posterior["reward.values"].values
        for i, direction in enumerate(null):
            ratio, error = spread(found, direction)
            rows.append((name, size, f"null {i + 1}", ratio, error, 1.0))
            checks.append(common.within(f"{name}, {size} steps, null {i + 1}, variance", ratio, 1.0, error))
        visits = np.bincount(
            data.states[:, :STEPS].ravel(), minlength=world.n_states
        )  # without the last state of a trajectory
        precision, axes = np.linalg.eigh(others @ fisher(world, found.mean((0, 1)), visits) @ others.T)
        shown = [(*spread(found, axis @ others), 1.0 / (1.0 + of)) for of, axis in zip(precision, axes.T, strict=True)]
        rows += [(name, size, f"identified {i + 1}", *one) for i, one in enumerate(shown)]
        learned.append(len(others) - sum(ratio for ratio, _, _ in shown))
        rows.append((name, size, "effective dimension", learned[-1], np.nan, np.nan))
        rows.append((name, size, "KL from the prior, identified (nats)", divergence(found, others), np.nan, np.nan))
        rows.append((name, size, "KL from the prior, null (nats)", divergence(found, null), np.nan, 0.0))
        for i, (ratio, error, expected) in enumerate(shown):
            if precision[i] > ENOUGH:
                label = f"{name}, {size} steps, identified {i + 1}, variance over its limit"
                checks.append(common.within(label, ratio / expected, 1.0, error / expected))
    if len(sizes) > 1:
        checks.append(
            common.holds(f"{name}, effective dimension", learned, "grows", bool(np.all(np.diff(learned) > 0)))
        )
    fine = learned[-1] <= len(others)
    checks.append(
        common.holds(f"{name}, effective dimension at the largest sample size", learned[-1], f"≤ {len(others)}", fine)
    )
    return rows, checks


def drawn(table):
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    for axes, name in zip(panels, WORLDS, strict=False):
        for direction, one in table[table["world"] == name].groupby("direction"):
            kind = direction.split()[0]
            if kind in ("null", "identified"):
                style = {"color": common.COLORS[1], "linewidth": 2} if kind == "null" else {"color": common.COLORS[0]}
                axes.errorbar(one["steps"], one["found"], 2 * one["error"], **{"linewidth": 0.8, **style})
        axes.set(xscale="log", yscale="log", xlabel="steps observed", title=f"{SIDE} x {SIDE} cells, {name}")
        axes.set_ylabel("posterior variance / prior variance")
    panels[0].plot([], [], color=common.COLORS[1], linewidth=2, label="null")
    panels[0].plot([], [], color=common.COLORS[0], linewidth=0.8, label="identified")
    panels[0].legend(title="directions of reward", frameon=False)
    for color, name in zip(common.COLORS[2:], WORLDS, strict=False):
        one = table[(table["world"] == name) & (table["direction"] == "effective dimension")]
        bound = SIDE**2 - (2 if name == "torus" else 1)
        panels[2].plot(one["steps"], one["found"], marker="o", color=color, label=name)
        panels[2].axhline(bound, color=color, linestyle=":", linewidth=1)
    panels[2].set(xscale="log", xlabel="steps observed", ylabel="effective dimension learned", ylim=(0, SIDE**2))
    panels[2].legend(title="dotted: upper limit", frameon=False)
    return figure


def study(quick, seed):
    sizes, draws = ((100,), 250) if quick else ((10, 100, 1000, 10_000), 1000)
    rows, checks = [], []
    for name, world in list(WORLDS.items())[quick:]:
        more, found = studied(name, world, sizes, draws, seed)
        rows, checks = rows + more, checks + found
    table = pd.DataFrame(rows, columns=["world", "steps", "direction", "found", "error", "expected"])
    settings = {"discount": DISCOUNT, "beta": BETA, "steps of a trajectory": STEPS, "chains": 4, "draws": draws}
    return common.Result(table, drawn(table), checks, settings)


common.run(__file__, study)
