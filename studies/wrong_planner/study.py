"""Log score and regret of wrong planners: exact posteriors for every pair of true and assumed agent."""

import sys
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit, rel_entr
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

MAP = """
a.....
.~~.~.
....~.
.~....
.~.~~.
.....b
"""
SLIP, OTHER_SLIP, DISCOUNT = 0.1, 0.3, 0.95
BETA, NOISY, STEPS = 4.0, 1.0, 15
SPREAD = {"a": 1.0, "b": 1.0, "~": 1.0, "elsewhere": 0.1}  # sd of the reward on arrival, normal around zero
AGENTS = {
    "rational": gi.agents.boltzmann(beta=BETA),
    "rational, noisy": gi.agents.boltzmann(beta=NOISY),
    "two steps ahead": gi.agents.lookahead(depth=2, beta=BETA),
    "impatient": gi.agents.myopic(discount=0.5, beta=BETA),
    "hyperbolic, naive": gi.agents.hyperbolic(k=1.0, beta=BETA, horizon=STEPS),
    "hyperbolic, sophisticated": gi.agents.hyperbolic(k=1.0, beta=BETA, horizon=STEPS, sophisticated=True),
    "risk-averse": gi.agents.risk_sensitive(risk=-2.0, beta=BETA),
    "risk-seeking": gi.agents.risk_sensitive(risk=2.0, beta=BETA),
    "loss-averse": gi.agents.prospect(loss_aversion=2.25, beta=BETA, exponent=0.88),
    "optimistic": gi.agents.optimistic(optimism=0.5, beta=BETA),
    "pessimistic": gi.agents.optimistic(optimism=-0.5, beta=BETA),
    "illusion of control": gi.agents.illusion_of_control(control=3.0, beta=BETA),
    "extremal": gi.agents.extremal(peak=0.8, beta=BETA),
    "left and right exchanged": gi.agents.false_dynamics(confusion=0.8, beta=BETA, alternative=[0, 1, 3, 2]),
}
QUICK = ("rational", "impatient", "optimistic")
THETAS, CHOICES = np.array([-2.0, -1.0, 1.0, 2.0]), 20
INFORMATION = {0.1: ".0588", 0.5: ".6344", 1.0: ".9491", 2.0: "1.0197", 5.0: ".7364", 20.0: ".6931"}  # nats


def town(slip):
    return gi.gridworld(MAP, slip=slip, terminal="ab", discount=DISCOUNT)


def drawn(rng, world, count):
    """Draw candidates: rewards on arrival at either terminal state, in the lava, and elsewhere."""
    for _ in range(count):
        values = {place: rng.normal(0.0, spread) for place, spread in SPREAD.items()}
        default = values.pop("elsewhere")
        yield gi.StateReward.at(world, values, default=default, on="arrival")


def information(beta):
    """Compute the information of the actions about theta, in nats, by summing over all counts."""
    counts = binom.pmf(np.arange(CHOICES + 1), CHOICES, expit(beta * THETAS)[:, None])
    return float(rel_entr(counts, counts.mean(axis=0)).sum() / len(THETAS))


def noise_informs(key, data_sets):
    """Check the information in a two-armed bandit: exact, and from the log score of simulated data."""
    arms = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
    wants = [gi.ActionReward([[theta, 0.0]]) for theta in THETAS]
    agents = {f"{beta:g}": gi.agents.boltzmann(beta=beta) for beta in INFORMATION}
    found = gi.identify.misspecification_matrix(
        key, arms, agents, wants, trajectories=CHOICES, steps=1, data_sets=data_sets
    )
    for name, digits in zip(agents, INFORMATION.values(), strict=True):
        exact, pair = information(float(name)), {"true": name, "assumed": name}
        yield common.reads(f"information at beta {name}, exact", exact, digits)
        if float(name) * np.ptp(THETAS) < 50:  # beyond it actions are deterministic
            score = float(found.log_score.sel(pair)) + np.log(len(THETAS))
            error = float(found.log_score_error.sel(pair))
            yield common.within(f"information at beta {name}, simulated", score, exact, error)


def gains(found, measure, other):
    """Compute the gain of a measure over another assumption, and the gain in standard errors."""
    gain = found[f"{measure}_each"] - other
    error = gain.std("data_set", ddof=1) / np.sqrt(gain.sizes["data_set"])
    mean = gain.mean("data_set")
    return mean, mean / np.maximum(error, 1e-9)


def checks_of(found, quick):
    names = found["true"].values.tolist()
    right = {
        name: found[f"{name}_each"].sel(assumed=found["true"].rename(true="true")).drop_vars("assumed")
        for name in ("log_score", "regret")
    }
    _, better = gains(found, "log_score", right["log_score"])
    wrong = [(true, name) for true in names for name in better.assumed.values if name != true]
    largest = max(float(better.sel(true=true, assumed=name)) for true, name in wrong)
    yield common.holds(
        "log score: largest gain of a wrong assumption, in standard errors", largest, "at most 4", largest <= 4
    )
    covered = np.array([float(found.coverage.sel(true=name, assumed=name)) for name in names])
    lowest = found.attrs["level"] - 4 * np.sqrt(0.09 / found.sizes["data_set"])
    yield common.holds(
        "coverage with the right assumption, lowest", covered.min(), f"at least {lowest:.3g}", covered.min() >= lowest
    )
    if quick:
        return
    _, worse = gains(found, "log_score", found.log_score_each.sel(assumed="prior"))
    count = int((worse.sel(assumed=names) < -4).sum())
    yield common.holds("log score: wrong assumptions that are worse than no data", count, "at least 3", count >= 3)
    rational = right["log_score"].sel(true="rational")
    gain = right["log_score"] - rational
    z = gain.mean("data_set") / np.maximum(gain.std("data_set", ddof=1) / np.sqrt(gain.sizes["data_set"]), 1e-9)
    ahead = [name for name in names if float(z.sel(true=name)) > 4]
    yield common.holds(
        "right assumption: agents with a higher log score than the rational one", ahead, "at least 1", bool(ahead)
    )


def figure_of(found):
    """Draw two matrices with their numbers."""
    figure = Figure(figsize=(9.6, 5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    prior = float(found.log_score.sel(assumed="prior")[0])
    drawn = (
        ("log_score", "log posterior probability of the truth (nats)", "RdYlBu", (2 * prior, 0.0)),
        ("regret", "regret with a higher slip probability", "YlGnBu_r", (0.0, float(found.regret.max()))),
    )
    for axes, (name, title, colors, (low, high)) in zip(panels, drawn, strict=True):
        values = found[name].values
        colormap = matplotlib.colormaps[colors]
        image = axes.imshow(values, cmap=colormap, vmin=low, vmax=high, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            red, green, blue, _ = colormap(image.norm(value))
            light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
            text = f"{value:.{1 if value > -9.95 else 0}f}" if name == "log_score" else f"{value:.2f}".lstrip("0")
            bold = "bold" if row == column else "normal"
            axes.text(
                column, row, text, ha="center", va="center", size=5.5, weight=bold, color=common.INK if light else "w"
            )
        axes.set_xticks(
            range(values.shape[1]), found.assumed.values, rotation=40, ha="right", rotation_mode="anchor", size=7
        )
        axes.set_yticks(range(values.shape[0]), found["true"].values, size=7)
        axes.axvline(values.shape[1] - 1.5, color=common.INK, linewidth=1)
        axes.set_xlabel("assumed agent")
        axes.set_title(title, size=10)
    panels[0].set_ylabel("true agent")
    return figure


def study(quick, seed):
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    world = town(SLIP)
    agents = {name: AGENTS[name] for name in QUICK} if quick else AGENTS
    count, data_sets, walks = (10, 20, 2) if quick else (100, 200, 3)
    candidates = list(drawn(rng, world, count))
    one, two = jax.random.split(key)
    found = gi.identify.misspecification_matrix(
        one, world, agents, candidates,
        trajectories=walks, steps=STEPS, data_sets=data_sets, transfer=town(OTHER_SLIP),
    )  # fmt: skip
    measures = ("log_score", "regret", "starc", "coverage")
    columns = [column for name in measures for column in (name, f"{name}_error")]
    table = found[columns].to_dataframe().reset_index()
    checks = [*checks_of(found, quick), *noise_informs(two, 50 if quick else 400)]
    settings = {
        "map": MAP.split(), "slip": SLIP, "slip of the transfer": OTHER_SLIP, "discount": DISCOUNT, "beta": BETA,
        "candidates": count, "data sets": data_sets, "trajectories": walks, "steps": STEPS, "spread": SPREAD,
    }  # fmt: skip
    return common.Result(pd.DataFrame(table), figure_of(found), checks, settings)


common.run(__file__, study)
