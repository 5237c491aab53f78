"""Identification of the cause of errors: slips, lapses, noisy plans, abandoned plans, switched goals."""

import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

import goalinf as gi

CROSSINGS, WAYS, DISCOUNT, BETA = 4, 3, 0.9, 8.0
GOALS = {"a": [0, 1, 2, 0], "b": [1, 2, 0, 2]}  # the right way at every crossing
WORTH = {"equally wrong": (1.0, 0.0, 0.0), "one nearly right": (1.0, 0.6, 0.0)}
SHARES, HAZARDS = (0.1, 0.2, 0.3, 0.4), (0.02, 0.05, 0.1, 0.2)
ROUNDS, EPISODES = (1, 2, 4, 8), (1, 2, 4, 8, 16, 32)
STEPS, TOTAL = CROSSINGS * ROUNDS[-1], 32  # TOTAL rounds where long episodes are compared with short ones
BARE, STRONG = 1.0, 3.0  # log Bayes factors: not worth more than a bare mention; strong (Kass and Raftery 1995)
MODELS = ("slip", "lapse", "planning noise", "abandonment", "switching")
PANELS = (("equally wrong", 1), ("equally wrong", ROUNDS[-1]), ("one nearly right", 1))

_NEXT = np.broadcast_to((np.arange(CROSSINGS)[:, None, None] + 1) % CROSSINGS, (CROSSINGS, WAYS, 1))
RING = gi.from_arrays(successors=_NEXT, probabilities=np.ones(_NEXT.shape), initial=[0], discount=DISCOUNT)


class Size(NamedTuple):
    """Data sets for each value of a rate; plans that the observer averages over; plans of the simulated agents."""

    data_sets: int
    draws: int
    plans: int


def wanted(worth):
    """Make the rewards of the two goals, from the rewards of the correct way, of the next one, and of the last."""
    place = (np.arange(WAYS) - np.array(list(GOALS.values()))[..., None]) % WAYS
    return [gi.ActionReward(values) for values in np.array(worth)[place]]


def right(agent, want):
    """Compute the probability of the correct way to goal a on a first visit, over all crossings."""
    policy = agent.policy(RING, want).values.reshape(-1, CROSSINGS, WAYS)
    return policy[:, np.arange(CROSSINGS), GOALS["a"]].mean()


def noises(want, draws, seed):
    """Compute the planning noise with as many errors as the slips."""

    def excess(sigma, share):
        return right(gi.agents.noisy_plan(plan_noise=sigma, beta=BETA, draws=draws, seed=seed), want) - right(
            gi.agents.slipping(slip=share, beta=BETA), want
        )

    return [brentq(excess, 0.01, 10.0, args=(share,), xtol=1e-6) for share in SHARES]


def agents(sigmas, draws, seed):
    """Make every model with every value of its rate."""
    return {
        "slip": [gi.agents.slipping(slip=share, beta=BETA) for share in SHARES],
        "lapse": [gi.agents.boltzmann(beta=BETA, lapse=share) for share in SHARES],
        "planning noise": [
            gi.agents.noisy_plan(plan_noise=sigma, beta=BETA, draws=draws, seed=seed) for sigma in sigmas
        ],
        "abandonment": [gi.agents.abandoning(hazard=hazard, beta=BETA) for hazard in HAZARDS],
        "switching": [gi.agents.switching(switch=hazard, beta=BETA) for hazard in HAZARDS],
    }


def acted(key, agent, wants, count):
    """Simulate long episodes, each with one of the goals."""
    both, *each = jax.random.split(key, 3)
    options = {"trajectories": count, "steps": STEPS}
    if agent.name == "switching":
        return gi.simulate(both, RING, agent, gi.one_of(wants), **options)
    walks = [gi.simulate(one, RING, agent, want, **options) for one, want in zip(each, wants, strict=True)]
    goal = np.asarray(jax.random.bernoulli(both, shape=(count, 1)))
    return gi.Trajectories.of(walks[0].states, np.where(goal, walks[1].actions, walks[0].actions))


def by_plans(agent, want, data):
    """Compute the log-likelihood after every number of rounds from the counts at each crossing."""
    logs = np.log(agent.policy(RING, want).values)
    total = np.zeros((data.n_trajectories, len(ROUNDS)))
    for crossing in range(CROSSINGS):
        ways = np.asarray(data.actions)[:, crossing::CROSSINGS, None]
        counts = np.cumsum(ways == np.arange(WAYS), axis=1)[:, np.array(ROUNDS) - 1]
        kinds, number = np.unique(counts.reshape(-1, WAYS), axis=0, return_inverse=True)
        average = logsumexp(logs[:, crossing] @ kinds.T, axis=0) - np.log(len(logs))
        total += average[number].reshape(total.shape)
    return total


def scored(agent, wants, data):
    """Compute the log-likelihood of every episode after every number of rounds; the goal is unknown."""

    def by_steps(want):
        scores = gi.Behavior(RING, agent, want).log_prob_by("step", data)
        return np.cumsum(scores, axis=1)[:, CROSSINGS * np.array(ROUNDS) - 1]

    if agent.name == "switching":
        return by_steps(gi.one_of(wants))
    one = by_steps if agent.name != "noisy_plan" else lambda want: by_plans(agent, want, data)
    return logsumexp([one(want) for want in wants], axis=0) - np.log(len(wants))


def over_rates(options, wants, data):
    """Compute the log-likelihood (rate, episode, number of rounds) of one model."""
    return np.stack([scored(agent, wants, data) for agent in options])


def average(logs):
    """Compute the logarithm of the mean over the first axis."""
    return logsumexp(logs, axis=0) - np.log(len(logs))


def followed(key, kind, size, seed):
    """Compute log marginal likelihoods (true model, model, data set, episodes, rounds); return both sets of agents."""
    wants = wanted(WORTH[kind])
    sigmas = noises(wants[0], size.draws, 2 * seed)
    # The simulated agents have other plans than the observer's draws; otherwise the errors would identify the plan.
    makers, rivals = agents(sigmas, size.plans, 2 * seed + 1), agents(sigmas, size.draws, 2 * seed)
    who = [agent for options in makers.values() for agent in options]
    keys = jax.random.split(key, len(who))
    parts = [acted(k, agent, wants, size.data_sets * EPISODES[-1]) for k, agent in zip(keys, who, strict=True)]
    data = gi.Trajectories.of(*map(np.concatenate, zip(*((part.states, part.actions) for part in parts), strict=True)))
    found = []
    for options in rivals.values():
        logs = over_rates(options, wants, data).reshape(len(options), -1, EPISODES[-1], len(ROUNDS))
        found.append(average(logs.cumsum(axis=2)[:, :, np.array(EPISODES) - 1]))
    found = np.stack(found).reshape(len(MODELS), len(MODELS), -1, len(EPISODES), len(ROUNDS))
    return found.swapaxes(0, 1), makers, rivals


def rows(kind, found):
    """Compute the mean posterior probability of every model, by true model and sample size."""
    chances = softmax(found, axis=1)
    mean, count = chances.mean(axis=2), chances.shape[2]
    error = chances.std(axis=2, ddof=1) / np.sqrt(count)
    for (i, j, n, k), chance in np.ndenumerate(mean):
        yield {
            "wrong ways": kind, "rounds": ROUNDS[k], "episodes": EPISODES[n], "true": MODELS[i], "model": MODELS[j],
            "probability": chance, "error": error[i, j, n, k],
        }  # fmt: skip


def as_the_library(key, makers, rivals):
    """Check the marginal likelihoods of one subject against the library."""
    want, *_ = wants = wanted(WORTH["equally wrong"])
    one, two = jax.random.split(key)
    data = gi.simulate(one, RING, makers["planning noise"][1], want, trajectories=4, steps=STEPS)
    models = {model: gi.one_of(rivals[model]) for model in MODELS if model != "switching"}
    table = gi.identify.agent_posterior(two, RING, models, want, data).table
    for model in models:
        own = average(over_rates(rivals[model], [want], data)[:, :, -1].sum(axis=1))
        off = abs(table.loc[model, "log_evidence"] - own)
        yield common.holds(f"evidence of {model}: off the library's by", off, "below 1e-9", off < 1e-9)
    # An unknown goal is equivalent to a random goal that never switches.
    either = gi.Behavior(RING, gi.agents.switching(switch=0.0, beta=BETA, lapse=SHARES[1]), gi.one_of(wants))
    off = abs(float(either.log_prob(data)) - scored(rivals["lapse"][1], wants, data)[:, -1].sum())
    yield common.holds("goal not known: off the library's by", off, "below 1e-9", off < 1e-9)


def again(key, makers):
    """Check how often an error of the first visit is repeated on the next one: simulated, and from the policies."""
    want, _ = wanted(WORTH["equally wrong"])
    for model in ("slip", "planning noise"):
        agent = makers[model][1]
        policy = agent.policy(RING, want).values.reshape(-1, CROSSINGS, WAYS)[:, 0]
        wrong = policy[:, np.arange(WAYS) != GOALS["a"][0]]
        exact = (wrong**2).sum(axis=1).mean() / wrong.sum(axis=1).mean()
        walks = gi.simulate(key, RING, agent, want, trajectories=4000, steps=CROSSINGS + 1)
        before, after = np.asarray(walks.actions)[:, [0, CROSSINGS]].T
        same = (before == after)[before != GOALS["a"][0]]
        error = np.sqrt(exact * (1 - exact) / len(same))
        yield common.within(f"{model}: the same error again", same.mean(), exact, error)


def one_and_the_same(rivals):
    """Check equivalent models: slips and lapses always, noisy plans without repeated visits."""
    want, _ = wanted(WORTH["equally wrong"])
    apart, furthest = 0.0, 0.0
    for options in zip(*(rivals[model] for model in MODELS[:3]), strict=True):
        slips, lapses, plans = (agent.policy(RING, want) for agent in options)
        apart = max(apart, float(abs(slips - lapses).max()))
        error = plans.std("mode") / np.sqrt(plans.sizes["mode"])
        furthest = max(furthest, float((abs(plans.mean("mode") - slips) / error).max()))
    yield common.same("slip and lapse at equal rates: largest difference", apart, 0.0)
    name = "planning noise and slip on a first visit: largest difference, in standard errors of the draws"
    yield common.holds(name, furthest, "at most 4", furthest <= 4)
    share = SHARES[-1]
    for name, slips, others in (
        (
            "foreseen, and lapses of a lower beta",
            {"foreseen": True},
            gi.agents.boltzmann(beta=(1 - share) * BETA, lapse=share),
        ),
        ("recorded as intended, and none", {"recorded": "intended"}, gi.agents.boltzmann(beta=BETA)),
    ):
        off = float(
            abs(gi.agents.slipping(slip=share, beta=BETA, **slips).policy(RING, want) - others.policy(RING, want)).max()
        )
        yield common.holds(f"slips that are {name}: difference", off, "below 1e-12", off < 1e-12)


def checks_of(found, quick):
    """Check the log marginal likelihoods (true model, model, data set, episodes, rounds) of both kinds."""
    slip, lapse, noise = (MODELS.index(name) for name in ("slip", "lapse", "planning noise"))
    for kind, logs in found.items():
        off = float(np.abs(logs[:, slip] - logs[:, lapse]).max())
        yield common.same(f"{kind}, largest log Bayes factor of slip and lapse", off, 0.0)
    if quick:
        return
    factor = {kind: logs[:, noise] - logs[:, slip] for kind, logs in found.items()}  # of planning noise over slips
    largest = float(np.abs(factor["equally wrong"][..., 0]).max())
    name = "equally wrong, no revisits, largest log Bayes factor of planning noise and slip, all data sets"
    yield common.holds(name, largest, f"below {BARE:g}", largest < BARE)
    for kind, rounds in PANELS:
        n, k = EPISODES.index(TOTAL // rounds), ROUNDS.index(rounds)
        about = f"{kind}, {TOTAL // rounds} x {rounds} rounds"
        if (kind, rounds) != PANELS[0]:
            against, favor = factor[kind][[slip, noise], :, n, k].mean(axis=1)
            name = f"{about}, mean log Bayes factor of planning noise and slip"
            yield common.holds(f"{name}, true model: slips", against, f"below {-STRONG:g}", against < -STRONG)
            yield common.holds(f"{name}, true model: noisy plans", favor, f"above {STRONG:g}", favor > STRONG)
        # With equal priors, to mistake one model for another is as likely as the reverse, on average.
        chances = softmax(found[kind][..., n, k], axis=1)
        mean, error = chances.mean(axis=2), chances.std(axis=2, ddof=1) / np.sqrt(chances.shape[2])
        off = max(
            abs(mean[i, j] - mean[j, i]) / np.hypot(error[i, j], error[j, i])
            for i, j in combinations(range(len(MODELS)), 2)
            if {i, j} != {slip, lapse}
        )
        yield common.holds(f"{about}, asymmetry, in standard errors", off, "at most 4", off <= 4)


def drawn(table):
    """Draw the confusion matrix after 32 rounds, and the probability of the true model."""
    shown = [(kind, rounds) for kind, rounds in PANELS if kind in set(table["wrong ways"])]
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    panels = figure.subplots(2, len(shown), sharey="row")
    colormap = matplotlib.colormaps["Blues"]
    for (kind, rounds), above, below in zip(shown, *panels, strict=True):
        here = table[(table["wrong ways"] == kind) & (table["rounds"] == rounds)]
        final = here[here["episodes"] == min(TOTAL // rounds, table["episodes"].max())]
        values = final.set_index(["true", "model"])["probability"].to_numpy().reshape(len(MODELS), -1)
        above.imshow(values, cmap=colormap, vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            color = "w" if value > 0.6 else common.INK
            above.text(column, row, f"{value:.2f}", ha="center", va="center", size=8, color=color)
        above.set_xticks(range(len(MODELS)), MODELS, rotation=30, ha="right", rotation_mode="anchor", size=8)
        above.set_yticks(range(len(MODELS)), MODELS, size=8)
        each = "one round: no revisits" if rounds == 1 else f"{rounds} rounds: {rounds - 1} revisits"
        above.set_title(f"wrong ways: {kind}\n{final['episodes'].iloc[0]} episodes of {each}", size=9)
        above.set_xlabel("inferred model", size=9)
        for color, mark, model in zip(common.COLORS, "osD^v", MODELS, strict=False):
            truth = here[(here["true"] == model) & (here["model"] == model)]
            below.errorbar(truth["episodes"], truth["probability"], truth["error"], color=color, marker=mark,
                           markersize=4, linewidth=1.2, label=model)  # fmt: skip
        below.set_xscale("log", base=2)
        below.set(xlabel="episodes", ylim=(0, 1.03), xticks=EPISODES, xticklabels=EPISODES)
        below.axhline(1 / len(MODELS), color=common.GRAY, linewidth=0.8, linestyle=":")
    panels[0, 0].set_ylabel("true model")
    panels[1, 0].set_ylabel("probability of the true model")
    figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def study(quick, seed):
    size = Size(2, 2000, 200) if quick else Size(50, 50_000, 1000)
    kinds = list(WORTH)[:1] if quick else list(WORTH)
    *keys, one, two = jax.random.split(jax.random.key(seed), len(kinds) + 2)
    found, people = {}, {}
    for key, kind in zip(keys, kinds, strict=True):
        found[kind], *people[kind] = followed(key, kind, size, seed)
    makers, rivals = people["equally wrong"]
    table = pd.DataFrame([row for kind, logs in found.items() for row in rows(kind, logs)])
    checks = [*as_the_library(one, makers, rivals), *again(two, makers), *one_and_the_same(rivals)]
    settings = {
        "crossings": CROSSINGS, "ways": WAYS, "discount": DISCOUNT, "beta": BETA, "worth": WORTH,
        "shares of slips and lapses": SHARES, "hazards of abandonment and switching": HAZARDS,
        "plan noise": {kind: [float(a.parameters["plan_noise"]) for a in rivals["planning noise"]]
                       for kind, (_, rivals) in people.items()},
        "data sets of each model": size.data_sets * len(SHARES), "plans averaged over": size.draws,
        "plans of the simulated agents": size.plans,
    }  # fmt: skip
    return common.Result(table, drawn(table), checks + list(checks_of(found, quick)), settings)


common.run(__file__, study)
