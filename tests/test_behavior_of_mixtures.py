"""Mixtures of agents: a sum over options, by subject, trajectory or data set."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp
from test_latent_behavior import G3, REWARD, walks

import goalinf as gi


@pytest.fixture(scope="module")
def people():
    """Two subjects with three walks each."""
    each = [
        walks("lookahead", trajectories=3, steps=6, agent=gi.agents.lookahead(depth=d, beta=2.0), seed=d)
        for d in (1, 4)
    ]
    subject = np.repeat([0, 1], 3)
    order = [0, 3, 1, 4, 2, 5]  # subjects take turns
    states, actions = (np.concatenate([getattr(one, x) for one in each])[order] for x in ("states", "actions"))
    return gi.Trajectories.of(states, actions, subject=subject[order])


@pytest.mark.parametrize("by", ["subject", "trajectory", "data"])
def test_one_of_is_a_sum_over_options(people, by):
    depths, weights = [1, 2, 4], np.array([0.5, 0.3, 0.2])
    mixture = gi.agents.lookahead(depth=gi.one_of(depths, weights=weights, by=by), beta=2.0)
    alone = np.array(
        [
            gi.Behavior(G3, gi.agents.lookahead(depth=d, beta=2.0), REWARD).log_prob_by("trajectory", people)
            for d in depths
        ]
    )
    group = {"subject": people.subject, "trajectory": np.arange(6), "data": np.zeros(6, int)}[by]
    scores = np.stack([alone[:, group == g].sum(1) for g in np.unique(group)], axis=1)
    expected = logsumexp(np.log(weights)[:, None] + scores, axis=0).sum()
    behavior = gi.Behavior(G3, mixture, REWARD)
    np.testing.assert_allclose(behavior.log_prob(people), expected, rtol=1e-12)
    np.testing.assert_allclose(behavior.log_prob_by("trajectory", people).sum(), expected, rtol=1e-12)
    np.testing.assert_allclose(behavior.log_prob_by("step", people).sum(), expected, rtol=1e-12)
    whole = gi.one_of({str(d): gi.agents.lookahead(depth=d, beta=2.0) for d in depths}, weights=weights, by=by)
    np.testing.assert_allclose(gi.Behavior(G3, whole, REWARD).log_prob(people), expected, rtol=1e-12)


def test_an_option_that_cannot_be():
    """Data that are impossible under one option: the probabilities of the others, and of later subjects, are exact."""
    data = gi.Trajectories.of([[0, 1], [0, 1], [0, 1]], [[0], [1], [0]], subject=[0, 0, 1])
    only = gi.agents.uniform(default=np.array([1.0, 0.0]))
    mixture = gi.one_of({"only": only, "any": gi.agents.uniform()})
    scores = gi.Behavior(G3, mixture, REWARD).log_prob_by("trajectory", data)
    np.testing.assert_allclose(np.exp(scores), [0.75, 0.125 / 0.75, 0.75], rtol=1e-12)


def test_simulation_draws_who_it_is():
    only = gi.one_of(
        {"first": gi.agents.uniform(default=[1.0, 0.0]), "second": gi.agents.uniform(default=[0.0, 1.0])},
        by="trajectory",
    )
    data = gi.simulate(jax.random.key(0), G3, only, REWARD, trajectories=400, steps=3)
    assert (data.actions.min(1) == data.actions.max(1)).all()
    assert 150 < (data.actions[:, 0] == 0).sum() < 250
    alike = gi.one_of([gi.agents.uniform(default=[1.0, 0.0]), gi.agents.uniform(default=[0.0, 1.0])], by="data")
    assert len(np.unique(gi.simulate(jax.random.key(1), G3, alike, REWARD, trajectories=50, steps=2).actions)) == 1


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="weights are"):
        gi.one_of([1, 2], weights=[1.0, -1.0])
    with pytest.raises(ValueError, match="at least one"):
        gi.one_of([])
    with pytest.raises((ValueError, TypeError), match="person"):
        gi.one_of([1, 2], by="person")
    with pytest.raises(ValueError, match="different kinds"):
        gi.one_of([gi.agents.boltzmann(beta=1.0), REWARD])
    with pytest.raises(ValueError, match="both one_of"):
        gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=gi.one_of([1.0, 2.0]))
    with pytest.raises(ValueError, match="depth is 0"):
        gi.agents.lookahead(depth=gi.one_of([0, 2]), beta=1.0)
    with pytest.raises(ValueError, match=r"agent is one_of.*expected one of its agents, such as agent\.components"):
        gi.Behavior(G3, gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=1.0), REWARD).policy  # noqa: B018


def test_numeric_options_of_any_parameter():
    mixture = gi.agents.quasi_hyperbolic(present_bias=gi.one_of([0.3, 1.0]), beta=2.0)
    assert mixture.names == (0.3, 1.0)
    assert mixture.parameter == "present_bias"
    assert set(mixture.parameters) == {"beta"}
    assert mixture.at(beta=dist.LogNormal(0.0, 1.0)).components[1].parameters["beta"] is not None
    whole = gi.one_of({"a": gi.agents.boltzmann(beta=1.0), "b": gi.agents.lookahead(depth=2, beta=1.0)})
    assert set(whole.parameters) == {"a.beta", "b.beta"}
    assert whole.at(**{"b.beta": 3.0}).components[1].parameters["beta"] == 3.0
    with pytest.raises(ValueError, match=r"no parameter 'beta'"):
        whole.at(beta=2.0)
