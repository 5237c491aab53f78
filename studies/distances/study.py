"""Correlation of distances between rewards with regret, in random worlds."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

WORLDS, PAIRS, STEPS = 24, 3, 16  # pairs of rewards in each world, steps from the first to the second
STATES, ACTIONS, DISCOUNT = 32, 4, 0.95
SPREAD = 0.2  # Dirichlet concentration of the transitions: all are possible, a few are likely
SIZE, LEVEL, SHAPED, MOVED = 10.0, 30.0, 40.0, 10.0  # largest scales of the components of a reward
RESAMPLED, SURE = 2000, 0.01  # bootstrap over worlds; share of it in which a gap may have the opposite sign


def uncanonical(world, one, two):
    """Compute half the distance between the unchanged rewards, each scaled to length one."""
    return np.linalg.norm(one.values / np.linalg.norm(one.values) - two.values / np.linalg.norm(two.values)) / 2


METRICS = {
    "none": uncanonical,
    "EPIC": gi.identify.distance.epic,
    "DARD": gi.identify.distance.dard,
    "STARC, value-adjusted": partial(gi.identify.distance.starc, canonicalization="value-adjusted"),
    "STARC, minimal": gi.identify.distance.starc,
}


def random_reward(rng, P):
    """Draw R(s, a, s'), normal, of random scale, with a constant, and at random with shaping and redistribution."""
    R = rng.uniform(0, SIZE) * rng.normal(size=P.shape) + rng.uniform(0, LEVEL)
    if rng.random() < 0.5:
        potential = rng.uniform(0, SHAPED) * rng.normal(size=len(P))
        R = R + DISCOUNT * potential - potential[:, None, None]
    if rng.random() < 0.5:
        moved = rng.uniform(0, MOVED) * rng.normal(size=P.shape)
        R = R + moved - (P * moved).sum(2, keepdims=True)
    return R


def compared(rng, worlds, steps):
    """Yield a row for each comparison: distances by every metric, and the regret of acting on the second reward."""
    for number in range(worlds):
        P = rng.dirichlet(np.full(STATES, SPREAD), size=(STATES, ACTIONS))
        world = gi.from_arrays(P, discount=DISCOUNT)
        for pair in range(PAIRS):
            first, last = random_reward(rng, P), random_reward(rng, P)
            one = gi.TransitionReward(first)
            for step in range(1, steps + 1):
                two = gi.TransitionReward(first + (last - first) * step / steps)
                distances = {name: metric(world, one, two) for name, metric in METRICS.items()}
                regret = gi.identify.distance.regret(world, one, two)
                yield {"world": number, "pair": pair, "step": step, **distances, "regret": regret}


def correlations(rows):
    """Compute the correlation of every metric with regret, from (comparisons, metrics + 1)."""
    return np.corrcoef(rows.T)[-1, :-1]


def checked(again):
    """Check gaps between correlations of metrics in bootstrap samples of worlds."""
    none, epic, dard, adjusted, minimal = again.T
    gaps = {
        "EPIC over none": epic - none,
        "DARD over none": dard - none,
        "STARC, value-adjusted, over EPIC": adjusted - epic,
        "STARC, value-adjusted, over DARD": adjusted - dard,
        "STARC, minimal, over EPIC": minimal - epic,
        "STARC, minimal, over DARD": minimal - dard,
        "EPIC nearer to DARD than to none": epic - none - abs(dard - epic),
        "DARD nearer to EPIC than to STARC": adjusted - dard - abs(dard - epic),
        "the two STARC nearer to each other than to DARD": adjusted - dard - abs(adjusted - minimal),
    }
    for name, gap in gaps.items():
        least = np.quantile(gap, SURE)
        yield common.holds(f"{name}: gap in correlation, {SURE:.0%} quantile", least, "above 0", least > 0)


def drawn(rows, found):
    figure = Figure(figsize=(10.0, 2.7), layout="constrained")
    panels = figure.subplots(1, len(METRICS), sharey=True)
    for axes, name, color in zip(panels, METRICS, common.COLORS, strict=False):
        axes.scatter(rows[name], rows["regret"], s=4, alpha=0.4, color=color, linewidths=0)
        axes.set_title(f"{name}\ncorrelation {found[name]:.2f}", size=9)
        axes.set(xlabel="distance", xlim=(-0.03, 1), ylim=(-0.03, 1.03))
    panels[0].set_ylabel("regret")
    return figure


def study(quick, seed):
    worlds, steps = (3, 2) if quick else (WORLDS, STEPS)
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(compared(rng, worlds, steps))
    grouped = rows[[*METRICS, "regret"]].values.reshape(worlds, -1, len(METRICS) + 1)
    flat = grouped.reshape(-1, len(METRICS) + 1)
    found = dict(zip(METRICS, correlations(flat), strict=True))
    chosen = rng.integers(0, worlds, (RESAMPLED, worlds))
    again = np.array([correlations(np.concatenate(grouped[some])) for some in chosen])
    columns = {"metric": list(METRICS), "correlation": list(found.values()), "standard error": again.std(axis=0)}
    order = common.holds("none lowest, STARC highest", list(found.values()), "in this order", in_order(found))
    settings = {"worlds": worlds, "pairs": PAIRS, "steps": steps, "states": STATES, "actions": ACTIONS}
    settings |= {"discount": DISCOUNT, "concentration": SPREAD}
    settings |= {"size": SIZE, "level": LEVEL, "shaped": SHAPED, "redistributed": MOVED}
    return common.Result(
        pd.DataFrame(columns), drawn(rows, found), [order, *([] if quick else checked(again))], settings
    )


def in_order(found):
    none, *between, adjusted, minimal = found.values()
    return none < min(between) and max(between) < min(adjusted, minimal)


common.run(__file__, study)
