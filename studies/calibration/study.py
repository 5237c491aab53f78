"""Calibration of the posterior of rewards, and regret of acting on it, for worlds drawn from the prior."""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

parser = argparse.ArgumentParser(add_help=False)
parser.add_argument("--worlds", type=int, default=5)
options, sys.argv[1:] = parser.parse_known_args()
if options.worlds < 2:
    parser.error(f"--worlds is {options.worlds}; expected 2 or more, as the standard error is that over worlds")

SLIP, DISCOUNT, BETA = 0.1, 0.9, 2.0
MEAN, SD = -1.0, 3.0  # of the prior of every state's reward
DEMONSTRATIONS, STEPS = 5, 5
# Of 39 independent draws and the truth, each is as likely to be of any rank: the truth lies between the second smallest
# and the second largest draw with probability 36/40, exactly.
KEPT, EDGE, LEVEL = 39, 1, 0.9
SAMPLER = {"method": "hmc", "chains": 2, "warmup": 100, "draws": 300}
MIXED, MOST = 1.1, 1200  # chains continue until R-hat is below MIXED, or they have MOST draws
TAIL = 0.8  # the conditional value at risk is the mean of the worst fifth of the returns
STATES = ("all states", "states that behavior can show", "states where a choice was seen", "terminal states")


def random_world(rng, side):
    """Draw a grid in which a tenth of the cells is terminal, and its reward."""
    ends = rng.choice(side * side, round(side * side / 10), replace=False)
    terminal = [tuple(divmod(int(cell), side)) for cell in ends]
    world = gi.open_grid(side, side, stay=True, slip=SLIP, terminal=terminal, discount=DISCOUNT)
    return world, gi.StateReward(rng.normal(MEAN, SD, side * side), on="departure")


def optimal(world, values):
    """Compute an optimal action in every state, as its number."""
    chances = gi.agents.boltzmann(beta=1.0).policy(world, gi.StateReward(values, on="departure")).values
    return np.where(world.mdp.terminal, 0, np.nan_to_num(chances).argmax(1))


def occupancy(world, policy):
    """Compute expected discounted visits of every state (S,); the return of a state reward is their product."""
    chances = policy if policy.ndim == 2 else np.eye(world.n_actions)[policy]
    live = ~world.mdp.terminal
    moves = np.einsum("sa,sat->st", np.nan_to_num(chances), world.mdp.dense()) * live[:, None]
    return live * np.linalg.solve(np.eye(world.n_states) - DISCOUNT * moves.T, world.mdp.initial)


def values_of(world, expert, values):
    """Compute the value of every state under the expert's policy for this reward."""
    reward = gi.StateReward(values, on="departure")
    chances = np.nan_to_num(expert.policy(world, reward).values)
    moves = np.einsum("sa,sat->st", chances, world.mdp.dense())
    live = ~world.mdp.terminal
    return np.linalg.solve(np.eye(world.n_states) - DISCOUNT * live[:, None] * moves, live * values)


def covered(truth, draws):
    """Return True where a truth (...) lies in the 90 % interval of draws (39, ...)."""
    ordered = np.sort(draws, axis=0)
    return (truth > ordered[EDGE]) & (truth < ordered[-1 - EDGE])


def one_world(key, rng, side, expert, sampler):
    """Draw a world, simulate its expert, infer; return a row of the table, and rewards with their posterior."""
    world, wants = random_world(rng, side)
    truth, live = np.asarray(wants.values), ~world.mdp.terminal
    data = gi.simulate(key, world, expert, wants, trajectories=DEMONSTRATIONS, steps=STEPS)
    prior = gi.StateReward(dist.Normal(MEAN, SD), on="departure")
    fit = gi.infer(key, world, agent=expert, reward=prior, data=data, progress=False, **sampler)
    summary = fit.summary("reward.values")
    while summary["r_hat"].max() >= MIXED and fit.posterior.sizes["draw"] < MOST:
        fit = gi.resume(fit, draws=sampler["draws"], progress=False)
        summary = fit.summary("reward.values")
    draws = fit.posterior["reward.values"].values.reshape(-1, world.n_states)
    kept = draws[np.linspace(0, len(draws) - 1, KEPT).astype(int)]
    seen = np.zeros(world.n_states, bool)
    seen[np.asarray(data.states)[:, :-1][np.asarray(data.observed)]] = True

    inside, sizes = covered(truth, kept), {}
    row = {"largest R-hat": summary["r_hat"].max(), "smallest ESS": summary["ess_bulk"].min()}
    row |= {"diverged": fit.divergences, "draws": fit.n_draws, "choices": data.n_observed}
    for name, which in zip(STATES, (live | True, live, live & seen, ~live), strict=True):
        name = f"coverage, rewards of {name}"
        row[name], sizes[name] = inside[which].mean(), int(which.sum())
    values = np.array([values_of(world, expert, one) for one in kept])
    true_values = values_of(world, expert, truth)
    row["coverage, values of the expert's policy"] = covered(true_values, values)[live].mean()
    start = np.asarray(world.mdp.initial)
    row["coverage, expected return of the expert"] = float(covered(start @ true_values, values @ start))

    # Against the prior, state by state: normal densities with the mean and sd of the draws.
    gain = stats.norm.logpdf(truth, draws.mean(0), draws.std(0)) - stats.norm.logpdf(truth, MEAN, SD)
    row["log density of the truth over the prior's"] = gain[live].sum()

    policies = [optimal(world, one) for one in (draws.mean(0), *kept)]
    visits = np.array([occupancy(world, policy) for policy in policies])
    returns = visits @ draws.T
    cautious = np.argmin([gi.identify.distance.value_at_risk(-one, TAIL)[1] for one in returns])
    row["promised by the mean"], row["return of the mean"] = returns[0].mean(), visits[0] @ truth
    expected = {
        "best": optimal(world, truth),
        "expert": np.nan_to_num(expert.policy(world, wants).values),
        "posterior mean": policies[0],
        "cautious": policies[cautious],
        "one draw": policies[1],
        "uniform": np.where(live[:, None], 1.0 / world.n_actions, 0.0) * np.ones(world.n_actions),
    }
    for name, policy in expected.items():
        row[f"return, {name}"] = occupancy(world, policy) @ truth
        row[f"lost, {name}"] = gi.identify.distance.compatibility(world, wants, policy)
    sizes |= {name: 1 for name in row if name.startswith("coverage") and name not in sizes}
    return row, sizes, np.column_stack([truth, draws.mean(0), draws.std(0), live & seen])[live]


def with_error(column):
    """Compute the mean over worlds and its standard error."""
    return column.mean(), column.std(ddof=1) / np.sqrt(len(column))


def checked(rows, sizes):
    """Check coverage and expected return, at three standard errors (Student quantiles for few worlds)."""
    errors = stats.t.ppf(stats.norm.cdf(3.0), len(rows) - 1)
    for name in rows.columns[rows.columns.str.startswith("coverage")]:
        found, error = with_error(rows[name].astype(float))
        # States of one world are dependent, and few worlds may agree by chance: the larger of two standard errors.
        binomial = np.sqrt(LEVEL * (1 - LEVEL) / sizes[name])
        yield common.within(name, found, LEVEL, max(error, binomial), errors=errors)
    kept, error = with_error(rows["return of the mean"] - rows["promised by the mean"])
    yield common.within("return of the mean's policy minus its posterior expectation", kept, 0.0, error, errors=errors)
    gain = rows["log density of the truth over the prior's"].mean()
    yield common.holds("log density of the truth minus that under the prior, nats", gain, "above 0", gain > 0)
    better = (rows["return, posterior mean"] - rows["return, uniform"]).mean()
    yield common.holds("return of the mean's policy minus that of the uniform policy", better, "above 0", better > 0)
    mixed = int((rows["largest R-hat"] < MIXED).sum())
    yield common.holds(f"fits with R-hat below {MIXED}", mixed, f"9 of 10 ({len(rows)} fits)", mixed >= 0.9 * len(rows))


def drawn(points, rows):
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    for seen, color, label in ((0, common.COLORS[5], "no action observed"), (1, common.COLORS[1], "action observed")):
        truth, mean, sd, _ = points[points[:, 3] == seen].T
        left.scatter((truth - mean) / sd, mean, s=8, color=color, label=label, alpha=0.7, linewidths=0)
    for edge in (-1.645, 1.645):
        label = "90 %" if edge > 0 else None
        left.axvline(edge, color=common.GRAY, linewidth=1, linestyle="--", label=label)
    left.set(xlabel="(truth minus posterior mean) / posterior sd", ylabel="posterior mean of a reward")
    left.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.17), ncols=3, frameon=False, columnspacing=1)
    names = [name.removeprefix("lost, ") for name in rows.columns if name.startswith("lost")]
    found = np.array([with_error(rows[f"lost, {name}"]) for name in names])
    right.errorbar(found[:, 0], range(len(names)), xerr=found[:, 1], fmt="o", color=common.COLORS[0], capsize=3)
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set(xlabel="normalized regret", ylabel="policy", xlim=(-0.02, None))
    figure.suptitle(
        f"{len(rows)} worlds drawn from the prior, {DEMONSTRATIONS} trajectories of {STEPS} steps in each", size=10
    )
    return figure


def study(quick, seed):
    side, worlds, beta, expert, sampler = 8, options.worlds, BETA, gi.agents.boltzmann, SAMPLER
    if quick:  # an agent that plans without compilation
        side, worlds, beta, expert = 3, 2, 0.5, gi.agents.soft_optimal
        sampler = {"method": "independence", "draws": 1000}
    rng, key, expert = np.random.default_rng(seed), jax.random.key(seed), expert(beta=beta)
    found = [one_world(jax.random.fold_in(key, number), rng, side, expert, sampler) for number in range(worlds)]
    rows = pd.DataFrame([row for row, _, _ in found])
    sizes = pd.DataFrame([sizes for _, sizes, _ in found]).sum()
    table = pd.DataFrame(
        [(name, *with_error(rows[name].astype(float))) for name in rows], columns=["quantity", "mean", "standard error"]
    )
    converged = (rows["largest R-hat"] <= 1.01) & (rows["smallest ESS"] >= 400)
    settings = {"worlds": worlds, "side": side, "beta": beta, "slip": SLIP, "discount": DISCOUNT, "prior": [MEAN, SD]}
    settings |= {
        "agent": expert.name,
        "sampler": sampler,
        "fits with R-hat at most 1.01 and ESS at least 400": int(converged.sum()),
    }
    figure = drawn(np.concatenate([points for _, _, points in found]), rows)
    return common.Result(table, figure, list(checked(rows, sizes)), settings)


common.run(__file__, study)
