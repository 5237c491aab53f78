"""Data of three subjects, in one context or two, and models with one value per subject or context."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import xarray as xr

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import prior_draws
from goalinf.inference.results.assemble import labeled_fit
from goalinf.precision import computing_in

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
PRIOR = dist.LogNormal(0.0, 1.0)
SUBJECTS = ("ann", "bob", "cyd")
BETAS = np.array([0.5, 1.5, 4.0])


def walks_of(agents, reward=WANTS, world=HALL, trajectories=4, steps=6):
    """Trajectories of several subjects, in all contexts of the reward; one subject misses the last context."""
    parts = [
        gi.simulate(n, world, agent, reward, trajectories=trajectories, steps=steps) for n, agent in enumerate(agents)
    ]
    states, actions, lengths, context = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("states", "actions", "lengths", "context")
    )
    labels = dataclasses.replace(
        parts[0].labels,
        trajectories=tuple(range(len(states))),
        subjects=SUBJECTS[: len(parts)],
    )
    subject = np.repeat(np.arange(len(parts)), [part.n_trajectories for part in parts])
    data = gi.Trajectories.of(states, actions, lengths=lengths, subject=subject, context=context, labels=labels)
    return data.select((subject > 0) | (context == 0)) if data.n_contexts > 1 else data


DATA = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS])


def of_prior(agent, reward=WANTS, data=DATA, draws=20):
    """A fit whose draws are those of the prior: made in a second, and as good as any for integrals at each draw."""
    with computing_in("float64"):
        posterior = posterior_of(StandardModel(HALL, agent, reward), data)
        values = {name: array[None] for name, array in prior_draws(jax.random.key(0), posterior.sites, draws).items()}
        stats, attrs = {"diverging": np.zeros((1, draws), bool)}, {"algorithm": "prior", "kind": "approximation"}
        return labeled_fit(jax.random.key(0), posterior, values, stats, xr.Dataset(), attrs, "float64")


CONTEXTS = {
    "near": gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure"),
    "far": gi.StateReward.at(HALL, {"b": 2.0}, default=0.0, on="departure"),
}
IN_CONTEXTS = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS], CONTEXTS)
WORLDS = {"near": HALL, "far": gi.gridworld("a.s.b", discount=0.6)}
FREE = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
EACH = gi.no_pooling(PRIOR, by="subject")
CASES = {
    "planned": (gi.agents.soft_optimal(beta=EACH), WANTS, DATA),
    "chosen": (gi.agents.boltzmann(beta=EACH), WANTS, DATA),
    "planned, contexts": (gi.agents.soft_optimal(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "chosen, contexts": (gi.agents.boltzmann(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "planned, worlds": (gi.agents.soft_optimal(beta=EACH), WANTS, IN_CONTEXTS),
    "chosen, worlds": (gi.agents.boltzmann(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "discounts, worlds": (
        gi.agents.soft_optimal(discount=gi.no_pooling(dist.Beta(8.0, 2.0)), beta=2.0),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "discounts": (gi.agents.soft_optimal(discount=gi.no_pooling(dist.Beta(8.0, 2.0)), beta=2.0), WANTS, DATA),
    "rewards of a hard planner": (
        gi.agents.boltzmann(beta=2.0),
        gi.StateReward(gi.no_pooling(dist.Normal(0.0, 1.0)), on="departure"),
        DATA,
    ),
    "by context": (gi.agents.boltzmann(beta=gi.no_pooling(PRIOR, by="context")), CONTEXTS, IN_CONTEXTS),
    "by both": (gi.agents.boltzmann(beta=gi.no_pooling(PRIOR, by=("subject", "context"))), CONTEXTS, IN_CONTEXTS),
    "two units": (
        gi.agents.boltzmann(beta=EACH, lapse=gi.no_pooling(dist.Beta(1.0, 9.0), by="context")),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "rewards": (
        gi.agents.soft_optimal(beta=2.0),
        gi.StateReward(gi.no_pooling(dist.Normal(0.0, 1.0), by="subject"), on="departure"),
        DATA,
    ),
    "an array prior": (
        gi.agents.soft_optimal(beta=2.0),
        gi.StateReward(gi.no_pooling(dist.Normal(np.zeros(5), np.arange(1.0, 6.0)).to_event(1)), on="departure"),
        DATA,
    ),
    "a shared reward": (gi.agents.soft_optimal(beta=EACH), FREE, DATA),
    "horizon": (gi.agents.boltzmann(beta=EACH, horizon=8), WANTS, DATA),
    "habits": (
        gi.agents.habitual(persistence=gi.no_pooling(dist.Normal(0.0, 1.0), by="subject"), beta=2.0),
        WANTS,
        DATA,
    ),
    "modes": (
        gi.agents.switching(switch=gi.no_pooling(dist.Beta(1.0, 3.0), by="subject"), beta=2.0),
        gi.one_of(gi.goals(HALL, {"left": "a", "right": "b"}, step_cost=1.0)),
        DATA,
    ),
    "mixture": (
        gi.agents.lookahead(depth=gi.one_of([1, 3], by="subject"), beta=EACH),
        CONTEXTS,
        IN_CONTEXTS,
    ),
}
