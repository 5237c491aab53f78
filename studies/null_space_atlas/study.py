"""Null spaces of rewards in small worlds, against closed forms."""

import sys
from pathlib import Path

import jax
import matplotlib
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

DISCOUNT, OTHER_DISCOUNT, BETA = 0.7, 0.5, 2.0
NORMAL = dist.Normal(0.0, 1.0)
ACTION, TRANSITION = gi.ActionReward(NORMAL), gi.TransitionReward(NORMAL)
DEPARTURE, ARRIVAL = (gi.StateReward(NORMAL, on=on) for on in ("departure", "arrival"))
SOFT, HARD = gi.agents.soft_optimal(beta=BETA), gi.agents.boltzmann(beta=BETA)
QUICK = ("ring of 3", "triangle", "absorbing end")  # all of one size
CHORD = [[1, 1], [2, 2], [3, 3], [0, 1]]


def moves(successors):
    """Make transitions (S, A, S) from the next state of each action."""
    return np.eye(len(successors))[np.array(successors)]


def ring(n):
    return moves([[(s - 1) % n, (s + 1) % n] for s in range(n)])


def square(side, wrap=False):
    """Make four moves on a square of cells, a torus or with walls."""
    place = np.arange(side * side).reshape(side, side)
    padded = np.pad(place, 1, mode="wrap" if wrap else "edge")
    around = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return moves(np.stack(around, axis=-1).reshape(side * side, -1))


def law(rng, *shape):
    """Draw random transition probabilities."""
    drawn = rng.random(shape) + 0.1
    return drawn / drawn.sum(-1, keepdims=True)


def exogenous(controlled, chances):
    """Make transitions of states (k, z): the action is the next k, and z has its own transition law."""
    own = np.broadcast_to(np.eye(controlled)[None], (controlled, controlled, controlled))
    joint = np.einsum("kal,zy->kzaly", own, chances)
    return joint.reshape(controlled * len(chances), controlled, -1)


def zoo(rng):
    """Yield worlds: transitions, nullity of a state reward (kappa), and of r(s, a) with a long horizon.

    Worlds of equal size share the programs that JAX compiles, which is what takes the time.
    """
    return {
        "bandit, 3 arms": (np.ones((1, 3, 1)), 1, 1),
        "stay or switch": (moves([[0, 1], [1, 0]]), 1, 1),
        "ring of 3": (ring(3), 1, 1),
        "triangle": (moves([[1, 1], [2, 2], [0, 1]]), 2, 1),
        "absorbing end": (moves([[1, 0], [2, 0], [2, 2]]), 1, 1),
        "ring of 4": (ring(4), 2, 2),
        "cycle of 4, a chord": (moves(CHORD), 3, 1),
        "two islands": (moves([[0, 1], [1, 0], [2, 3], [3, 2]]), 2, 2),
        "ring of 4, may stay": (moves([[3, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 0]]), 1, 1),
        "walls 4 x 4": (square(4), 1, 1),
        "torus 4 x 4": (square(4, wrap=True), 2, 2),
        "no choice": (np.repeat(law(rng, 6, 1, 6), 3, axis=1), 6, 6),
        "random": (law(rng, 6, 3, 6), 1, 1),
        "room of 3, weather of 2": (exogenous(3, law(rng, 2, 2)), 2, 2),
    }


def cells(P, kappa, endless, rng):
    """Yield columns: dimension of the null space, and its closed form."""
    S, A, _ = P.shape
    world, hasty = (gi.from_arrays(P, discount=discount) for discount in (DISCOUNT, OTHER_DISCOUNT))
    W = (np.eye(S)[:, None] - DISCOUNT * P).reshape(S * A, S)
    # Three features: an arbitrary one, a constant, a shaping.
    Phi = np.stack([rng.normal(size=S * A), np.ones(S * A), W @ rng.normal(size=S)], axis=1)
    linear = gi.LinearReward(Phi.reshape(S, A, 3), NORMAL)
    possible = int((P > 0).sum())
    seen = {
        "r(s, a)": (world, SOFT, ACTION, S),
        "r(s, a, s')": (world, SOFT, TRANSITION, possible - S * (A - 1)),
        "3 features": (world, SOFT, linear, 3 + S - np.linalg.matrix_rank(np.hstack([Phi, W]))),
        "departure": (world, SOFT, DEPARTURE, kappa),
        "departure, Boltzmann": (world, HARD, DEPARTURE, kappa),
        "arrival": (world, SOFT, ARRIVAL, kappa),
        "r(s, a), two discounts": ({DISCOUNT: world, OTHER_DISCOUNT: hasty}, SOFT, ACTION, kappa),
        "r(s, a), finite horizon": (world, gi.agents.soft_optimal(beta=BETA, horizon=S + 1), ACTION, endless),
    }
    for name, (place, agent, reward, expected) in seen.items():
        found = gi.identify.null_space(place, agent, reward)
        yield name, found.dimension, int(expected), found.dimension / found.n_parameters


def others(rng):
    """Check short horizons, an exogenous variable under two laws, and agents with unknown parameters."""
    chord = gi.from_arrays(moves(CHORD), discount=DISCOUNT)
    found = [
        gi.identify.null_space(chord, gi.agents.soft_optimal(beta=BETA, horizon=H), ACTION).dimension
        for H in (1, 2, 3, 4)
    ]
    yield common.same("cycle of 4, a chord, r(s, a), horizons 1 to 4", found, [4, 3, 2, 1])
    laws = {i: gi.from_arrays(exogenous(3, law(rng, 2, 2)), discount=DISCOUNT) for i in range(2)}
    yield common.same(
        "room of 3, weather of 2 under two laws, r(s, a)",
        gi.identify.null_space(laws, SOFT, ACTION).dimension,
        3 + 2 - 1,
    )
    world = gi.from_arrays(law(rng, 6, 3, 6), discount=DISCOUNT)
    for title, reward, alone in (("r(s, a)", ACTION, 6), ("departure", DEPARTURE, 1)):
        for free in (("beta",), ("discount",), ("beta", "discount")):
            found = gi.identify.null_space(world, SOFT, reward, free=free).dimension
            yield common.same(f"random, {title}, unknown {' and '.join(free)}", found, alone + len(free))


def drawn(shares, table):
    """Draw the share of null directions as color and their number as text."""
    figure = Figure(figsize=(8.6, 6.2), layout="constrained")
    axes = figure.subplots()
    colors = matplotlib.colormaps["YlGnBu"]
    axes.imshow(shares, cmap=colors, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares.values):
        number = table.iloc[row, column + 1].partition(" ")[0]
        axes.text(column, row, number, ha="center", va="center", color="white" if share > 0.55 else common.INK, size=9)
    axes.set_xticks(range(shares.shape[1]), shares.columns, rotation=30, ha="right", rotation_mode="anchor", size=8)
    axes.set_yticks(range(len(shares)), shares.index, size=8)
    axes.set(xlabel="class of rewards (and agents)", ylabel="world")
    axes.set_title("Null directions of a reward", size=10)
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(cmap=colors), ax=axes, shrink=0.8)
    bar.set_label("share of the reward that is hidden", size=8)
    return figure


def study(quick, seed):
    jax.config.update("jax_disable_most_optimizations", True)  # short programs: compile fast
    rng = np.random.default_rng(seed)
    rows, shares, checks = {}, {}, []
    for name, (P, kappa, endless) in zoo(rng).items():
        if quick and name not in QUICK:
            continue
        found = list(cells(P, kappa, endless, rng))
        rows[name] = {column: f"{dimension} / {expected}" for column, dimension, expected, _ in found}
        shares[name] = {column: share for column, _, _, share in found}
        checks += [common.same(f"{name}, {column}", dimension, expected) for column, dimension, expected, _ in found]
    checks += [] if quick else others(rng)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("world (found / closed form)").reset_index()
    settings = {"discount": DISCOUNT, "other discount": OTHER_DISCOUNT, "beta": BETA, "horizon": "states + 1"}
    return common.Result(table, drawn(pd.DataFrame.from_dict(shares, orient="index"), table), checks, settings)


common.run(__file__, study)
