"""Fits compared by what they predict."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr
from scipy import stats
from scipy.special import logsumexp
from small import HALL, walks_of

import goalinf as gi
from goalinf.inference.comparison import _row
from goalinf.inference.left_out_fits import Refitted, refitted
from goalinf.inference.scoring.by_option import thinned
from goalinf.inference.scoring.leave_one_out import left_out

COLUMNS = ["rank", "elpd", "p", "elpd_diff", "se", "weight", "dse", "max_k", "bad_k", "warning"]


@pytest.mark.parametrize("unit", ["trajectory", pytest.param("step", marks=pytest.mark.slow), "subject"])
def test_a_table_best_first(fit, own, unit):
    table = gi.compare({"tabular": fit, "one weight": own}, unit=unit)
    assert list(table.columns) == COLUMNS
    assert set(table.index) == {"tabular", "one weight"}
    assert table["rank"].tolist() == [0, 1]
    assert table["elpd_diff"].iloc[0] == 0
    assert table["elpd_diff"].iloc[1] == pytest.approx(table["elpd"].iloc[1] - table["elpd"].iloc[0])
    assert table["elpd_diff"].iloc[1] <= 0
    assert table["weight"].sum() == pytest.approx(1.0, abs=1e-6)
    assert ((table["warning"] == "") == (table["bad_k"] == 0)).all()


def test_standard_errors_by_hand(fit, own):
    """Both are those of a sum of n terms: the root of n times the sample standard deviation of a term."""
    fits = {"tabular": fit, "one weight": own}
    table = gi.compare(fits)
    by_unit = {name: gi.inference.loo(one).elpd_i.values for name, one in fits.items()}
    best = by_unit[table.index[0]]
    for name, terms in by_unit.items():
        n, behind = len(terms), terms - best
        assert table.loc[name, "elpd"] == pytest.approx(terms.sum(), rel=1e-12)
        se = np.sqrt(n * ((terms - terms.mean()) ** 2).sum() / (n - 1))
        assert table.loc[name, "se"] == pytest.approx(se, rel=1e-12)
        assert table.loc[name, "se"] == pytest.approx(float(gi.inference.loo(fits[name]).se), rel=1e-9)
        dse = np.sqrt(n * ((behind - behind.mean()) ** 2).sum() / (n - 1))
        assert table.loc[name, "dse"] == pytest.approx(dse, abs=1e-12)
    assert table["dse"].iloc[0] == 0
    assert 0 < table["dse"].iloc[1] != table["se"].iloc[1]


def test_bad_pareto_k_are_counted():
    """One unit at the limit and two above it."""
    k = xr.DataArray([0.7, 0.71, 1.2])
    one, best = (
        SimpleNamespace(elpd_i=xr.DataArray(terms), pareto_k=k, p=1.5, se=0.0)
        for terms in ([-1.0, -2.0, -4.0], [-1.0, -1.0, -1.0])
    )
    row = _row(one, best, "trajectory", ["a note"])
    assert (row["elpd"], row["elpd_diff"], row["max_k"], row["bad_k"], row["p"]) == (-7.0, -4.0, 1.2, 2, 1.5)
    assert row["warning"].startswith("2 of 3 trajectories have Pareto k above 0.7: ")
    assert row["warning"].endswith("; a note")


@pytest.mark.parametrize(
    ("most", "kept"), [(2, [0, 3]), (3, [0, 2, 4]), (4, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])]
)
def test_evenly_spaced_draws_are_at_most_as_many_as_allowed(most, kept):
    draws = xr.Dataset({"u": (("chain", "draw"), np.arange(5)[None] + [[0], [10]])})
    assert thinned(draws, most)["u"].tolist() == [kept, [10 + number for number in kept]]


def test_approximations_beside_samples(fit, own):
    """Fits by different algorithms are compared, and the table says so at the approximation."""
    rough = dataclasses.replace(own, tree=own.tree.copy())
    rough.tree.attrs |= {"algorithm": "laplace", "kind": "approximation"}
    table = gi.compare({"sampled": fit, "rough": rough})
    assert f"(laplace), those of 'sampled' by {fit.tree.attrs['algorithm']}: elpd_diff" in table.loc["rough", "warning"]
    assert "approximation" not in table.loc["sampled", "warning"]
    assert not gi.compare({"a": rough, "b": rough})["warning"].str.contains("approximation").any()


def test_units_count_what_was_observed(fit, walks):
    assert gi.inference.loo(fit, "step").n_data_points == walks.n_observed == 47
    assert gi.inference.loo(fit).n_data_points == 8
    assert gi.inference.loo(fit, "subject").n_data_points == 2


def test_leave_one_out_is_that_of_importance_sampling(own):
    # With one well determined parameter plain importance sampling is accurate, and shares no code with PSIS.
    scores = own.tree["log_likelihood"]["choices"].values.reshape(-1, 8)
    exact = -(logsumexp(-scores, axis=0) - np.log(len(scores)))
    assert float(gi.inference.loo(own).elpd) == pytest.approx(exact.sum(), abs=0.05)


def test_steps_sum_to_trajectories(fit):
    from goalinf.inference.scoring.leave_one_out import _by_part, _by_unit

    assert np.allclose(_by_part(fit, "step").sum(-1), _by_unit(fit).sum(-1))


def test_loaded_fits(fit, own, tmp_path):
    again = {"tabular": gi.load(fit.save(tmp_path / "fit.nc")), "one weight": gi.load(own.save(tmp_path / "own.nc"))}
    assert gi.compare(again).equals(gi.compare({"tabular": fit, "one weight": own}))
    assert np.allclose(gi.inference.loo(again["tabular"], "step").elpd, gi.inference.loo(fit, "step").elpd)
    with pytest.raises(
        ValueError, match=r"a function cannot be kept in a file.*the fit is needed that gi\.infer returned"
    ):
        gi.compare(again, unit="step")


def test_errors(fit):
    with pytest.raises(ValueError, match="1 fit cannot be compared"):
        gi.compare({"only": fit})
    with pytest.raises(ValueError, match="unit is 'day'; expected 'step', 'trajectory' or 'subject'"):
        gi.inference.loo(fit, "day")


def some_fit(world, data):
    reward = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    agent = gi.agents.soft_optimal(beta=2.0)
    return gi.infer(jax.random.key(4), world, agent=agent, reward=reward, data=data, chains=2, warmup=100, draws=100)


def test_other_data_and_worlds_with_memory(fit):
    one = walks_of(seed=5)
    first = some_fit(HALL, one)
    said = r"'a' and 'b' are of different data \(8 trajectories with 47 actions, 2 subjects, 1 context, and 8 traj\w+ with 48"
    with pytest.raises(ValueError, match=said):
        gi.compare({"a": fit, "b": first})
    elsewhere = dataclasses.replace(first, data=walks_of(seed=6))
    with pytest.raises(ValueError, match=r"both are 8 trajectories with 48 actions, .*, with other states or actions"):
        gi.compare({"a": first, "b": elsewhere})
    with pytest.raises(ValueError, match="a single subject"):
        gi.inference.loo(first, "subject")
    pairs = gi.with_memory(HALL)
    table = one.to_frame()
    names = {"trajectory": "trajectory", "step": "step", "state": "state", "action": "action"}
    data = [gi.read_trajectories(table, world, **names) for world in (HALL, pairs)]
    found = gi.compare({"first order": some_fit(HALL, data[0]), "second order": some_fit(pairs, data[1])})
    assert set(found.index) == {"first order", "second order"}


def test_held_out(fit, own, tmp_path):
    fit = dataclasses.replace(fit, tree=fit.tree.isel(draw=slice(10), missing_dims="ignore"))
    data = walks_of(seed=9, trajectories=3)
    table = gi.inference.log_predictive_density(fit, data)
    assert table["steps"].tolist() == [6, 6, 6]
    assert np.allclose(table["bits"], -table["log_density"] / np.log(2))
    assert np.allclose(table["bits_per_step"] * 6, table["bits"])
    # By hand: the mean over draws of what each draw's agent gives to the walks.
    draws = fit.posterior.stack(sample=("chain", "draw"))
    density = []
    for i in range(20):
        agent = gi.agents.soft_optimal(beta=float(draws["agent.beta"][i]))
        reward = gi.StateReward(draws["reward.values"].values[:, i], on="departure")
        policy = agent.policy(HALL, reward).values
        density.append(np.log(policy[data.states[:, :-1], data.actions]).sum(1))
    assert np.allclose(table["log_density"], logsumexp(density, axis=0) - np.log(20))
    assert gi.inference.log_predictive_density(gi.load(fit.save(tmp_path / "fit.nc")), data).equals(table)
    assert (gi.inference.log_predictive_density(own, data)["bits"] > 0).all()


def test_contexts_of_compared_data_are_matched_by_name():
    """Data that number their contexts in another order are the same data; with names exchanged they are others."""
    rewards = {name: gi.StateReward(np.eye(3)[s], on="arrival") for name, s in (("pre", 0), ("post", 2))}
    agent = gi.agents.soft_optimal(beta=1.0)
    data = gi.simulate(0, HALL, agent, rewards, trajectories=2, steps=3)
    arrays = {"lengths": data.lengths, "context": 1 - np.asarray(data.context)}
    read = gi.Trajectories.of(data.states, data.actions, **arrays, contexts=("post", "pre"))
    exchanged = gi.Trajectories.of(data.states, data.actions, **arrays, contexts=("pre", "post"))
    mixture = gi.agents.mixture([agent, gi.agents.uniform()], by="trajectory")
    fits = [gi.infer(0, HALL, agent=mixture, reward=rewards, data=d, chains=1) for d in (data, read, exchanged)]
    table = gi.compare({"simulated": fits[0], "read": fits[1]})
    np.testing.assert_allclose(table["elpd_diff"], 0.0, atol=1e-12)
    with pytest.raises(ValueError, match="2 contexts, with other names of contexts"):
        gi.compare({"simulated": fits[0], "exchanged": fits[2]})


def test_units_with_large_pareto_k_are_left_out_by_further_fits(own, monkeypatch):
    """One of four trajectories is random: importance sampling is off by more than a nat, and quadrature is met."""
    wants = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
    agents = [gi.agents.boltzmann(beta=beta) for beta in (8.0, 8.0, 8.0, 0.01)]
    walks = [gi.simulate(k, HALL, agent, wants, trajectories=1, steps=12) for k, agent in enumerate(agents)]
    data = gi.Trajectories.of(
        *(np.concatenate([getattr(walk, name) for walk in walks]) for name in ("states", "actions"))
    )
    x, expected, fits = np.arange(-6.0, 6.0, 0.1), {}, {}
    behaviors = [gi.Behavior(HALL, gi.agents.boltzmann(beta=float(beta)), wants) for beta in np.exp(x)]
    scores = np.stack([np.asarray(behavior.log_prob_by("trajectory", data)) for behavior in behaviors], axis=1)
    for name, mean in (("vague", 0.0), ("known", -0.5)):
        agent = gi.agents.boltzmann(beta=dist.LogNormal(mean, 1.0))
        fits[name] = gi.infer(1, HALL, agent=agent, reward=wants, data=data)
        log_posterior = scores.sum(axis=0) + stats.norm(mean, 1.0).logpdf(x)
        without = logsumexp(log_posterior - scores, axis=1)
        expected[name] = (logsumexp(log_posterior) - without).sum()
        last = refitted(jax.random.key(2), fits[name], "trajectory", [3], left_out(fits[name], None).scores[..., 3:])
        assert 0.0 < last.error[0] < 0.15
        assert abs(last.log_density[0] - logsumexp(log_posterior) + without[3]) < 4 * last.error[0]
        assert last.converged.all()
    table, exact = gi.compare(fits), gi.compare(fits, refit=3)
    assert list(exact.columns) == [*COLUMNS[:-1], "refits", "warning"]
    for name, elpd in expected.items():
        assert table.loc[name, "bad_k"] == exact.loc[name, "refits"] == 1
        assert "fit the others again (refit=)" in table.loc[name, "warning"]
        assert table.loc[name, "elpd"] > elpd + 1.0
        assert exact.loc[name, "elpd"] == pytest.approx(elpd, abs=0.4)
        assert exact.loc[name, "elpd"] + exact.loc[name, "p"] == pytest.approx(
            table.loc[name, "elpd"] + table.loc[name, "p"]
        )
        assert (exact.loc[name, "bad_k"], exact.loc[name, "warning"]) == (0, "")
    fake = Refitted(np.array([-24.0]), np.array([0.5]), np.array([False]))
    monkeypatch.setattr("goalinf.inference.comparison.refitted", lambda *_: fake)
    assert gi.compare(fits, refit=3).loc["vague", "warning"] == (
        "1 of 1 further fit did NOT converge; the density by 1 of 1 further fit has a relative Monte Carlo error up to 0.5: "
        "draw more"
    )
    with pytest.raises(ValueError, match=r"the unit is 'step' of Trajectories; expected unit='trajectory' or"):
        gi.compare(fits, unit="step", refit=0)
    with pytest.raises(ValueError, match=r"model of your own.*compare without refit="):
        gi.compare({"a": own, "b": own}, refit=0)
    laplace = gi.infer(1, HALL, agent=agent, reward=wants, data=data, method="laplace", draws=50)
    with pytest.raises(ValueError, match=r"the draws of the fit 'b' are an approximation \(laplace\); bridge sampling"):
        gi.compare({"a": fits["vague"], "b": laplace}, refit=0)
    with pytest.raises(ValueError, match="refit is 'yes'; expected a whole number"):
        gi.compare(fits, refit="yes")
