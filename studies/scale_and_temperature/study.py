"""Inverse temperature and size of the reward, with some values known."""

import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure
from numpyro.diagnostics import effective_sample_size

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

SIDE, DISCOUNT, BETA, SPREAD = 3, 0.9, 2.0, 1.0
ROOM = gi.open_grid(SIDE, SIDE, discount=DISCOUNT)
STEPS = 10  # of a trajectory
FIRST, LAST = 0, SIDE**2 - 1  # two corners: cells whose value may be known, to be 0 and to be 1
NORMAL = dist.Normal(0.0, 1.0)


def observed(key, truth, size):
    """Simulate trajectories of an agent with this reward."""
    wants = gi.StateReward(truth, on="departure")
    return gi.simulate(key, ROOM, gi.agents.soft_optimal(beta=BETA), wants, trajectories=size // STEPS, steps=STEPS)


def corners_known(data):
    """Model with known rewards of both corners."""
    beta = numpyro.sample("beta", dist.LogNormal(0.0, SPREAD))
    others = numpyro.sample("others", NORMAL.expand([SIDE**2 - 2]).to_event(1))
    values = jnp.concatenate([jnp.zeros(1), others, jnp.ones(1)])
    behavior = gi.Behavior(ROOM, gi.agents.soft_optimal(beta=beta), gi.StateReward(values, on="departure"))
    numpyro.sample("choices", behavior, obs=data)


def sampled(key, data, known, draws):
    """Sample beta (chain, draw) and the reward (chain, draw, state)."""
    if known == 2:
        drawn = gi.infer(key, model=corners_known, data=data, draws=draws).posterior
        values = np.pad(drawn["others"].values, ((0, 0), (0, 0), (1, 1)))
        values[..., LAST] = 1.0
        return drawn["beta"].values, values
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, SPREAD))
    # A feature for every cell but the first, whose reward is 0.
    others = gi.LinearReward(np.eye(SIDE**2)[:, 1:], NORMAL, on="departure")
    with warnings.catch_warnings():  # beta is not identified beside the reward, on purpose
        warnings.simplefilter("ignore", gi.errors.UnidentifiedWarning)
        reward = others if known else gi.StateReward(NORMAL, on="departure")
        drawn = gi.infer(key, ROOM, agent=agent, reward=reward, data=data, draws=draws).posterior
    if known:
        return drawn["agent.beta"].values, np.pad(drawn["reward.weights"].values, ((0, 0), (0, 0), (1, 0)))
    return drawn["agent.beta"].values, drawn["reward.values"].values


def limit(product, known):
    """Compute the standard deviation of log beta, given beta times the identified part of the reward.

    The reward is then a function of beta: the identified part is product / beta, and the constant is what the known
    value requires, or has its prior. The density of log beta is that of its prior, times the prior of this reward,
    times the volume beta ** -(S - 1) of the change from reward to product.
    """
    grid = np.linspace(-6.0, 6.0, 20_001)
    reward = product / np.exp(grid)[:, None]
    if known:
        reward = (reward - reward[:, [FIRST]])[:, 1:]
    log_density = -0.5 * (grid / SPREAD) ** 2 - 0.5 * (reward**2).sum(1) - (len(product) - 1) * grid
    weights = np.exp(log_density - log_density.max())
    mean = np.average(grid, weights=weights)
    return float(np.sqrt(np.average((grid - mean) ** 2, weights=weights)))


def spread(draws):
    """Compute the standard deviation and its Monte Carlo standard error; draws are (chain, draw)."""
    square = (draws - draws.mean()) ** 2
    sd = np.sqrt(square.mean())
    return float(sd), float(square.std() / np.sqrt(effective_sample_size(square)) / (2 * sd))


def checked(table):
    """Check that the sd of log beta is at its limit with no or one known value, and decreases with two."""
    most = table[table["steps"] == table["steps"].max()].set_index("known values")
    for known in most.index.intersection([0, 1]):
        row = most.loc[known]
        yield common.within(f"{known} known, sd of log beta", row["sd log beta"], row["limit"], row["error"])
        label = f"{known} known, correlation of log beta and log size"
        yield common.holds(label, row["correlation"], "< -0.99", row["correlation"] < -0.99)
    two = table[table["known values"] == 2]["sd log beta"].values
    if len(two) < 2:  # at toy size
        return
    ratio = two[-2] / two[-1]
    yield common.holds(
        "2 known, sd of log beta, over ten times the steps", ratio, "√10 within 25 %", 0.8 < ratio / 10**0.5 < 1.25
    )


def drawn(table, clouds):
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    scatter, lines = figure.subplots(1, 2, width_ratios=(1, 1.1))
    for color, (known, (log_beta, log_size)) in zip(common.COLORS, clouds.items(), strict=False):
        scatter.scatter(log_beta[::8], log_size[::8], s=3, color=color, alpha=0.4, linewidth=0, label=f"{known} known")
        one = table[table["known values"] == known]
        lines.errorbar(
            one["steps"], one["sd log beta"], 2 * one["error"], color=color, marker="o", label=f"{known} known"
        )
        if known < 2:
            lines.axhline(one["limit"].iloc[-1], color=color, linestyle=":", linewidth=1)
    lines.plot([], [], color=common.GRAY, linestyle=":", label="limit without end of data")
    scatter.set(xlabel="log beta", ylabel="log size of the identified part of the reward")
    scatter.set_title(f"posterior after {table['steps'].max():,} steps", size=9)
    lines.set(xscale="log", yscale="log", xlabel="steps observed", ylabel="posterior sd of log beta")
    lines.legend(title="values of cells", frameon=False, fontsize=8)
    return figure


def study(quick, seed):
    sizes, draws, counts = ((100_000,), 250, (0,)) if quick else ((1000, 10_000, 100_000), 500, (0, 1, 2))
    truth = np.random.default_rng(seed).normal(size=SIDE**2)
    truth[[FIRST, LAST]] = 0.0, 1.0
    rows, clouds = [], {}
    for known in counts:
        for size in sizes:
            key_walks, key_fit = jax.random.split(jax.random.fold_in(jax.random.key(seed), size))
            beta, reward = sampled(key_fit, observed(key_walks, truth, size), known, draws)
            shown = reward - reward.mean(-1, keepdims=True)  # the constant is the only null direction
            log_beta, log_size = np.log(beta), np.log(np.linalg.norm(shown, axis=-1))
            sd, error = spread(log_beta)
            expected = limit((beta[..., None] * shown).mean((0, 1)), known) if known < 2 else np.nan
            correlation = np.corrcoef(log_beta.ravel(), log_size.ravel())[0, 1]
            product = float((log_beta + log_size).std())
            rows.append((known, size, sd, error, expected, float(log_size.std()), product, correlation))
        clouds[known] = (log_beta.ravel(), log_size.ravel())
    columns = ("known values", "steps", "sd log beta", "error", "limit", "sd log size", "sd log product", "correlation")
    table = pd.DataFrame(rows, columns=columns)
    wants = gi.StateReward(truth, on="departure")
    joint = gi.identify.null_space(ROOM, gi.agents.soft_optimal(beta=BETA), wants, free=("beta",)).dimension
    checks = [common.same("null dimensions of reward and beta together", joint, 2)]
    settings = {"discount": DISCOUNT, "beta": BETA, "sd of log beta, prior": SPREAD, "chains": 4, "draws": draws}
    return common.Result(table, drawn(table, clouds), checks + list(checked(table)), settings)


common.run(__file__, study)
