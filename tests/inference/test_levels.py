"""Parameters with one value per subject or context: log densities against each unit by itself, and plans."""

import dataclasses

import jax
import numpy as np
import pytest
from pooled import CASES, CONTEXTS, EACH, HALL, IN_CONTEXTS, PRIOR, WANTS, WORLDS, walks_of
from scipy.special import logsumexp

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import draw_sites
from goalinf.precision import computing_in


def values_of(model, data, seed=0):
    """Values of all sites, drawn from their priors."""
    with computing_in("float64"):
        return draw_sites(jax.random.key(seed), model.sites(data))


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
                world = model.world[data.context_names[context]] if isinstance(model.world, dict) else model.world
                score += float(gi.Behavior(world, agent, reward).log_prob(part))
            log_options.append(score)
        total += logsumexp(log_options + np.asarray(model.agent.log_weights)) if units == "subject" else log_options[0]
    return total


@pytest.mark.parametrize("name", CASES)
def test_log_density(name):
    """The log density in compiled code, and log-probabilities on the host, against every unit by itself."""
    agent, reward, data = CASES[name]
    model = StandardModel(WORLDS if name.endswith("worlds") else HALL, agent, reward)
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


def policies_in(contexts, data, prior):
    """Program of the policies of a hard maximum, with a beta by subject or context, in its levels; and its result."""
    model = StandardModel(HALL, gi.agents.boltzmann(beta=prior), contexts)
    levels = model.levels(data)

    def policies(betas):
        return model.behavior({"agent.beta": betas}, data.context_names, levels).policies[0].log_probs

    (site,) = model.sites(data)
    with computing_in("float64"):
        program = jax.make_jaxpr(policies)(np.ones(site.prior.shape()))
    return program, program.out_avals[0].shape


def test_a_value_by_context_is_planned_in_that_context_alone():
    """No choice is computed for a value in the conditions in which it does not occur."""
    rewards = {f"c{n:02}": gi.StateReward(np.arange(5.0) == n % 5, on="departure") for n in range(12)}
    data = gi.simulate(0, HALL, gi.agents.boltzmann(beta=1.0), rewards, trajectories=1, steps=6)
    program, shape = policies_in(rewards, data, gi.no_pooling(PRIOR, by="context"))
    assert shape == (12, 5, 4)
    assert max(np.prod(v.aval.shape) for equation in program.eqns for v in equation.outvars) <= 4 * np.prod(shape)


def test_conditions_are_planned_once_for_all_choices_in_them():
    """The plan of a hard maximum does not depend on beta: the compiled program has no loop of a solver."""
    program, shape = policies_in(CONTEXTS, IN_CONTEXTS, EACH)
    assert shape == (5, 5, 4)
    assert "while" not in str(program)


def test_subjects_with_one_condition_share_its_plan():
    """Plans are made for every condition and level in it that has data, not for each context."""
    same = dict.fromkeys(("near", "far"), WANTS)
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=EACH), same)
    assert len(model.levels(IN_CONTEXTS).subject) == 3
    model = StandardModel(HALL, gi.agents.soft_optimal(beta=EACH), CONTEXTS)
    levels = model.levels(IN_CONTEXTS)
    assert len(levels.subject) == 5  # ann has no data in the context "far"
    assert (levels.number >= 0).sum() == 5


def test_data_of_other_subjects_are_refused():
    """Values belong to the subjects for which the levels were made, by name."""
    agent, reward, _ = CASES["planned, contexts"]
    model = StandardModel(HALL, agent, reward)
    levels = model.levels(IN_CONTEXTS)
    behavior = model.behavior(values_of(model, IN_CONTEXTS), IN_CONTEXTS.context_names, levels)
    labels = dataclasses.replace(IN_CONTEXTS.labels, subjects=("ann", "cyd", "bob"))
    renamed = gi.Trajectories.of(
        IN_CONTEXTS.states,
        IN_CONTEXTS.actions,
        lengths=IN_CONTEXTS.lengths,
        subject=IN_CONTEXTS.subject,
        context=IN_CONTEXTS.context,
        labels=labels,
    )
    with pytest.raises(ValueError, match=r"the subjects of the data are 'ann', 'cyd', 'bob'.*give the data for which"):
        behavior.log_prob(renamed)
    everywhere = walks_of([gi.agents.soft_optimal(beta=1.0)] * 3, CONTEXTS)
    both = gi.Trajectories.of(
        everywhere.states[:1],
        everywhere.actions[:1],
        lengths=everywhere.lengths[:1],
        context=[1],
        contexts=everywhere.context_names,
    )
    with pytest.raises(
        ValueError, match="trajectory 0: parameters have no values for its subject in its context: give"
    ):
        behavior.log_prob(both)
