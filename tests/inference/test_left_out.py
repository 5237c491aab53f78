"""Leave-one-out where units are one of several agents, against sums over who is which agent."""

import itertools

import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp

import goalinf as gi

HALL = gi.gridworld("s..a", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
AGENTS = [gi.agents.soft_optimal(beta=2.0), gi.agents.uniform()]
WEIGHTS = np.array([0.25, 0.75])
SUBJECT = np.array([0, 7, 0, 3, 3])  # numbers with gaps, in no order
ACTIONS = np.array([[3, 3, 1], [2, 3, 3], [3, 3, 3], [1, 2, -1], [3, -1, 3]])  # two choices are missing
STATES = np.array([[0, 1, 2, 2], [0, 0, 1, 2], [0, 1, 2, 3], [1, 1, 0, 0], [0, 1, 2, 3]])
WALKS = gi.Trajectories.of(STATES, ACTIONS, lengths=[3] * 5, subject=SUBJECT)
UNITS = {"trajectory": np.arange(5), "subject": SUBJECT, "data": np.zeros(5, int)}


def probabilities():
    """Of every choice under every agent, ``(K, N, T)``; one where there is none."""
    tables = [np.asarray(agent.policy(HALL, WANTS)) for agent in AGENTS]
    found = np.array([table[STATES[:, :3], np.maximum(ACTIONS, 0)] for table in tables])
    return np.where(ACTIONS >= 0, found, 1.0)


def joint(by, kept):
    """Probability of the choices that are kept: a sum over every way in which units are agents."""
    units, total = UNITS[by], 0.0
    names = np.unique(units)
    p = probabilities()
    for who in itertools.product(range(2), repeat=len(names)):
        agent = np.array(who)[np.searchsorted(names, units)]
        chosen = p[agent, np.arange(5)]
        total += WEIGHTS[list(who)].prod() * np.where(kept, chosen, 1.0).prod()
    return total


def expected(by, unit):
    """Log p(y_i | all others), for every unit that is left out."""
    everything = ACTIONS >= 0
    if unit == "step":
        items = [everything & (np.arange(15).reshape(5, 3) == i) for i in np.flatnonzero(everything)]
    else:
        items = [everything & (UNITS[unit] == i)[:, None] for i in np.unique(UNITS[unit])]
    return [np.log(joint(by, everything) / joint(by, everything & ~item)) for item in items]


@pytest.mark.parametrize("by", UNITS)
def test_what_is_left_out_is_predicted_by_all_others(by):
    """With nothing to sample, leave-one-out is exact; no order of the trajectories matters."""
    agent = gi.agents.mixture(AGENTS, weights=WEIGHTS, by=by)
    fit = gi.infer(0, HALL, agent=agent, reward=WANTS, data=WALKS, chains=1, draws=100)
    for unit in ("step", "trajectory", "subject"):
        np.testing.assert_allclose(gi.inference.loo(fit, unit).elpd_i, expected(by, unit), rtol=1e-10)
    evidence = fit.tree["log_likelihood"]["choices"].sum("trajectory")
    np.testing.assert_allclose(evidence, np.log(joint(by, ACTIONS >= 0)), rtol=1e-10)


def test_own_models_and_what_draws_differ_in(tmp_path):
    """Own models give the numbers of standard models at every draw of beta; a file does not hold an own model."""
    weights = WEIGHTS.tolist()

    def model(data):
        known = gi.agents.soft_optimal(beta=numpyro.sample("beta", dist.LogNormal(0.0, 1.0)))
        agent = gi.agents.mixture([known, gi.agents.uniform()], weights=weights, by="subject")
        numpyro.sample("choices", gi.Behavior(HALL, agent, WANTS), obs=data)

    fit = gi.infer(0, model=model, data=WALKS, chains=1, draws=40)
    betas = fit.posterior["beta"].values[0]
    by_draw = []
    for beta in betas:
        agents = [gi.agents.soft_optimal(beta=beta), gi.agents.uniform()]
        scores = np.stack(
            [np.asarray(gi.Behavior(HALL, one, WANTS).log_prob_by("trajectory", WALKS)) for one in agents]
        )
        total = np.stack([scores[:, subject == SUBJECT].sum(1) for subject in SUBJECT], 1)
        by_draw.append(np.subtract(*[logsumexp(np.log(WEIGHTS)[:, None] + x, axis=0) for x in (total, total - scores)]))
    from goalinf.inference.scoring.given_the_rest import given_the_rest
    from goalinf.precision import computing_in

    with computing_in("float64"):
        found = given_the_rest(fit, {"beta": fit.posterior["beta"].values}, "trajectory")
    np.testing.assert_allclose(found[0], by_draw, rtol=1e-10)
    plain = -(logsumexp(-np.array(by_draw), axis=0) - np.log(len(betas)))
    assert float(gi.inference.loo(fit).elpd) == pytest.approx(plain.sum(), abs=0.1)
    again = gi.load(fit.save(tmp_path / "fit.nc"))
    assert gi.inference.loo(again, "subject").elpd == gi.inference.loo(fit, "subject").elpd
    with pytest.raises(ValueError, match=r"the fit is needed that gi\.infer returned"):
        gi.inference.loo(again, "trajectory")
