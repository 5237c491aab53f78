"""Parameters with one value per subject or context, with and without a group, against each unit by itself."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.precision import computing_in

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
PRIOR = dist.LogNormal(0.0, 1.0)
SUBJECTS = ("ann", "bob", "cyd")
BETAS = np.array([0.5, 1.5, 4.0])


def walks_of(agents, reward=WANTS, world=HALL, trajectories=4, steps=6):
    """Trajectories of several subjects, in all contexts of the reward; one subject misses the last context."""
    parts = [gi.simulate(n, world, agent, reward, trajectories=trajectories, steps=steps) for n, agent in enumerate(agents)]
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
CONTEXTS = {
    "near": gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure"),
    "far": gi.StateReward.at(HALL, {"b": 2.0}, default=0.0, on="departure"),
}
IN_CONTEXTS = walks_of([gi.agents.soft_optimal(beta=beta) for beta in BETAS], CONTEXTS)
FREE = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
EACH = gi.no_pooling(PRIOR, by="subject")
CASES = {
    "planned": (gi.agents.soft_optimal(beta=EACH), WANTS, DATA),
    "chosen": (gi.agents.boltzmann(beta=EACH), WANTS, DATA),
    "planned, contexts": (gi.agents.soft_optimal(beta=EACH), CONTEXTS, IN_CONTEXTS),
    "chosen, contexts": (gi.agents.boltzmann(beta=EACH), CONTEXTS, IN_CONTEXTS),
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
    "a shared reward": (gi.agents.soft_optimal(beta=EACH), FREE, DATA),
    "horizon": (gi.agents.boltzmann(beta=EACH, horizon=8), WANTS, DATA),
    "habits": (gi.agents.habitual(persistence=gi.no_pooling(dist.Normal(0.0, 1.0), by="subject"), beta=2.0), WANTS, DATA),
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


def values_of(model, data, seed=0):
    """Values of all sites, drawn from their priors."""
    keys = jax.random.split(jax.random.key(seed), 10)
    with computing_in("float64"):
        return {site.name: np.asarray(site.prior.sample(key)) for site, key in zip(model.sites(data), keys, strict=False)}


def one_by_one(model, values, data):
    """The log-likelihood as a sum over subjects and contexts, each with an agent and a reward of its own."""
    total = 0.0
    by = {site.name: site.by for site in model.sites(data)}
    units = "subject" if model.agent.by == "subject" else "both"
    for subject in range(data.n_subjects):
        log_options = []
        for component in model.agent.components:
            score = 0.0
            for context in range(data.n_contexts):
                rows = (data.subject == subject) & (data.context == context)
                if not rows.any():
                    continue
                numbers = {"subject": subject, "context": context}
                agent, reward = component, model.reward
                for name, value in values.items():
                    owner, parameter = name.split(".", 1)
                    number = value[tuple(numbers[unit] for unit in by[name])]
                    if owner == "agent":
                        agent = agent.at(**{parameter: number})
                    else:
                        reward = type(reward)(number, on=reward.on)
                if isinstance(reward, dict):
                    reward = reward[data.context_names[context]]
                part = gi.Trajectories.of(data.states[rows], data.actions[rows], lengths=data.lengths[rows])
                score += float(gi.Behavior(HALL, agent, reward).log_prob(part))
            log_options.append(score)
        total += logsumexp(log_options + np.asarray(model.agent.log_weights)) if units == "subject" else log_options[0]
    return total


@pytest.mark.parametrize("name", CASES)
def test_log_density(name):
    """The log density in compiled code, and log-probabilities on the host, against every unit by itself."""
    agent, reward, data = CASES[name]
    model = StandardModel(HALL, agent, reward)
    values = values_of(model, data)
    expected = one_by_one(model, values, data)
    levels = model.levels(data)
    behavior = model.behavior(values, data.context_names, levels)
    assert float(behavior.log_prob(data)) == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(float(np.sum(behavior.log_prob_by("trajectory", data))), expected, atol=1e-8)
    with computing_in("float64"):
        posterior = posterior_of(model, data)
    density = posterior.natural.density
    with computing_in("float64"):
        scores, residual = density.log_likelihood(values, posterior.data, unit="subject")
    assert np.asarray(scores).sum() == pytest.approx(expected, abs=1e-8)
    assert float(residual) < 1e-8


def test_subjects_with_one_condition_share_its_plan():
    """Plans are made for every condition and level in it that has data, not for each context."""
    same = dict.fromkeys(("near", "far"), WANTS)
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=EACH), same)
    assert len(model.levels(IN_CONTEXTS).subject) == 3
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=EACH), CONTEXTS)
    levels = model.levels(IN_CONTEXTS)
    assert len(levels.subject) == 5  # ann has no data in the context "far"
    assert (levels.number >= 0).sum() == 5
