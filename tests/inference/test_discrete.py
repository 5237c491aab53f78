"""One of several: depths and whole agents are summed over, with or without something continuous beside them."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp, softmax
from small import HALL

import goalinf as gi

DEPTHS, WEIGHTS = [1, 2, 3], np.array([0.5, 0.3, 0.2])
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
GROUPS = {"subject": [0, 0, 0, 0, 1, 1, 1, 1], "trajectory": list(range(8)), "data": [0] * 8}


def scores(walks, beta):
    """Log-likelihood (K, N) of every walk under every depth."""
    return np.array(
        [
            gi.Behavior(HALL, gi.agents.lookahead(depth=d, beta=beta), WANTS).log_prob_by("trajectory", walks)
            for d in DEPTHS
        ]
    )


def by_group(values, by):
    """Sums (…, G) over the walks of each who has a depth."""
    return np.stack([values[..., np.array(GROUPS[by]) == g].sum(-1) for g in np.unique(GROUPS[by])], axis=-1)


def inferred(walks, beta=1.0, by="data", agent=None, **more):
    agent = gi.agents.lookahead(depth=gi.one_of(DEPTHS, weights=WEIGHTS, by=by), beta=beta) if agent is None else agent
    return gi.infer(jax.random.key(0), HALL, agent=agent, reward=WANTS, data=walks, **more)


@pytest.mark.parametrize("by", GROUPS)
def test_what_is_discrete_alone_is_exact(walks, by, tmp_path):
    joint = np.log(WEIGHTS)[:, None] + by_group(scores(walks, 1.0), by)
    fit = inferred(walks, by=by)
    shares = fit.responsibilities["agent.depth"]
    assert (shares["value"] == DEPTHS).all()
    expected = softmax(joint, axis=0).T
    found = shares.values if by != "data" else shares.values[:, :, None]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-12)
    drawn = fit.posterior["agent.depth"]
    assert drawn.dims == ("chain", "draw") + (() if by == "data" else (by,))
    for depth, p in zip(DEPTHS, expected.T, strict=True):
        rate = (drawn == depth).mean(("chain", "draw")).values
        assert (abs(rate - p) <= 4 * np.sqrt(p * (1 - p) / 4000) + 1 / 4000).all()
    evidence = logsumexp(joint, axis=0).sum()
    np.testing.assert_allclose(fit.sample_stats["lp"], evidence, rtol=1e-12)
    np.testing.assert_allclose(fit.tree["log_likelihood"]["choices"].sum("trajectory"), evidence, rtol=1e-12)
    assert fit.diagnosis.startswith("Independent draws from the exact posterior")
    again = gi.load(fit.save(tmp_path / "fit.nc"))
    assert again.posterior.equals(fit.posterior)
    assert len(again.predict(jax.random.key(1), 2)) == 2


def test_a_depth_and_a_temperature_against_quadrature(walks):
    prior = dist.LogNormal(0.5, 0.5)
    fit = inferred(walks, beta=prior, by="subject", chains=2, draws=1000)
    logs = np.linspace(-1.5, 2.5, 201)
    with jax.enable_x64(True):
        likelihood = np.stack([by_group(scores(walks, float(np.exp(x))), "subject") for x in logs])  # (B, K, G)
    joint = np.log(WEIGHTS)[:, None] + likelihood
    mass = softmax(logsumexp(joint, axis=1).sum(-1) - 0.5 * ((logs - 0.5) / 0.5) ** 2)
    found = np.log(fit.posterior["agent.beta"].values).ravel()
    mean = mass @ logs
    sd = np.sqrt(mass @ (logs - mean) ** 2)
    assert abs(found.mean() - mean) < 0.15 * sd
    assert found.std() == pytest.approx(sd, rel=0.15)
    expected = np.einsum("b,bkg->gk", mass, softmax(joint, axis=1))
    shares = fit.responsibilities["agent.depth"].mean(("chain", "draw"))
    np.testing.assert_allclose(shares, expected, atol=0.02)
    rates = [(fit.posterior["agent.depth"] == depth).mean(("chain", "draw")).values for depth in DEPTHS]
    np.testing.assert_allclose(np.stack(rates, -1), expected, atol=0.06)


def test_whole_agents_by_name(walks):
    agents = {
        "soft": gi.agents.soft_optimal(beta=2.0),
        "greedy": gi.agents.lookahead(depth=1, beta=2.0),
        "idle": gi.agents.uniform(),
    }
    fit = inferred(walks, agent=gi.agents.mixture(agents, by="trajectory"))
    values = [gi.Behavior(HALL, agent, WANTS).log_prob_by("trajectory", walks) for agent in agents.values()]
    (shares,) = fit.responsibilities.data_vars.values()
    assert shares["value"].values.tolist() == list(agents)
    np.testing.assert_allclose(shares[0, 0], softmax(np.array(values), axis=0).T, atol=1e-12)
    table = gi.compare({"all": fit, "depths": inferred(walks)})
    assert table.loc["all", "elpd"] == pytest.approx(logsumexp(values, axis=0).sum() - 8 * np.log(3), abs=1e-6)


def test_nothing_to_sample(walks, tmp_path):
    for unused in ({"method": "nuts"}, {"method": "laplace"}, {"warmup": 10}, {"target_accept": 0.9}):
        with pytest.raises(ValueError, match=rf"remove {next(iter(unused))}=, which an exact posterior .no continuous"):
            inferred(walks, **unused)
    with pytest.raises(ValueError, match=r"no continuous parameter is unknown.*gi\.infer"):
        gi.inference.find_map(
            jax.random.key(0),
            HALL,
            agent=gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=1.0),
            reward=WANTS,
            data=walks,
        )
    fit = inferred(walks, checkpoint=tmp_path / "kept.nc", draws=10)
    assert gi.load(tmp_path / "kept.nc").posterior.equals(fit.posterior)
    with pytest.raises(ValueError, match="not sampled by chains"):
        gi.resume(fit, draws=5)
    with pytest.raises(ValueError, match=r"the agent of the fit, for an audit, is one_of.*expected one of its agents"):
        gi.audit(fit)


def test_what_no_option_allows(walks):
    never = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    habits = {"one": gi.agents.uniform(default=never), "other": gi.agents.uniform(default=never[::-1])}
    with pytest.raises(ValueError, match="probability zero under every option of one of one, other"):
        inferred(walks, agent=gi.agents.mixture(habits))


def test_responsibilities_of_continued_chains():
    """A continued run has the responsibilities of all draws, in memory and in a file."""
    hall = gi.gridworld("s.a", discount=0.9)
    reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    agent = gi.agents.lookahead(depth=gi.one_of([1, 3]), beta=dist.LogNormal(0.0, 0.5))
    data = gi.simulate(0, hall, gi.agents.lookahead(depth=3, beta=2.0), reward, trajectories=4, steps=5)
    fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, chains=2, draws=50)
    more = gi.resume(fit, draws=20)
    assert more.posterior.sizes["draw"] == more.responsibilities.sizes["draw"] == 70
    np.testing.assert_array_equal(more.responsibilities["agent.depth"][:, :50], fit.responsibilities["agent.depth"])
    assert len(gi.inference.log_predictive_density(more, data)) == 4
