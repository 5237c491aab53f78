"""ArviZ takes the tree of a fit as it is, in the interface of every supported Python."""

import subprocess
import sys
import warnings

import arviz
import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr

import goalinf as gi

# ArviZ 1 needs Python 3.12; on 3.11 the same interface is called `arviz.preview`, beside that of ArviZ 0.23.
CURRENT = arviz.__version__.split(".")[0] != "0"
if not CURRENT:
    import arviz.preview
az = arviz if CURRENT else arviz.preview

TOWN = gi.gridworld("s.a\n.#.", discount=0.9)


@pytest.fixture(scope="module")
def town_fit():
    """Beta and the rewards of the cells of a map: an axis with names and, beside them, rows and columns."""
    truth = gi.StateReward.at(TOWN, {"a": 1.0}, default=0.0, on="departure")
    walks = gi.simulate(jax.random.key(0), TOWN, gi.agents.soft_optimal(beta=2.0), truth, trajectories=5, steps=10)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
    with pytest.warns(UserWarning, match="both have a prior"):
        return gi.infer(jax.random.key(1), TOWN, agent=agent, reward=prior, data=walks, chains=2, warmup=50, draws=50)


def test_axes_of_the_posterior_have_labels_and_nothing_else(town_fit):
    assert set(town_fit.posterior.coords) == {"chain", "draw", "state"} == set(town_fit.posterior.dims)
    assert town_fit.posterior["state"].values.tolist() == ["s", "0,1", "a", "1,0", "1,2"]
    constants = town_fit.tree["constant_data"].to_dataset()
    assert {name: column.values.tolist() for name, column in constants.data_vars.items()} == {
        "row": [0, 0, 0, 1, 1],
        "col": [0, 1, 2, 0, 2],
    }
    xr.testing.assert_identical(constants["state"].variable, town_fit.posterior["state"].variable)


def test_states_that_are_all_integers_stay_integers():
    world = gi.from_arrays(np.full((3, 2, 3), 1 / 3), discount=0.9)
    data = gi.Trajectories.of([[0, 1, 2]], [[0, 1]])
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    fit = gi.infer(jax.random.key(0), world, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=data, draws=20)
    assert fit.posterior["state"].dtype.kind == "i"
    assert "constant_data" not in fit.tree
    assert fit.summary("reward.values").index.tolist() == [0, 1, 2]


def test_rows_and_columns_come_back_from_a_file(town_fit, tmp_path):
    again = gi.load(town_fit.save(tmp_path / "town.nc"))
    xr.testing.assert_identical(again.tree["constant_data"].to_dataset(), town_fit.tree["constant_data"].to_dataset())


def test_a_summary_by_arviz_is_ours(town_fit):
    table = az.summary(town_fit.tree, round_to="none")
    assert table.index.tolist() == [
        "agent.beta",
        *(f"reward.values[{name}]" for name in ("s", "0,1", "a", "1,0", "1,2")),
    ]
    pd.testing.assert_series_equal(table["mean"].astype(float), town_fit.summary()["mean"])


@pytest.mark.parametrize("name", ["plot_trace", "plot_forest", "plot_dist", "plot_rank", "plot_ess", "plot_parallel"])
def test_arviz_draws_a_tree_as_it_is(town_fit, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        assert getattr(az, name)(town_fit.tree, backend="matplotlib") is not None


@pytest.mark.skipif(CURRENT, reason="ArviZ 1 has one interface")
@pytest.mark.parametrize("name", ["summary", "plot_trace", "plot_forest", "plot_posterior"])
def test_the_older_interface_takes_what_it_makes_of_the_tree(town_fit, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in (arviz.from_datatree(town_fit.tree), town_fit.posterior):
            assert getattr(arviz, name)(data) is not None


def test_columns_of_an_own_model_survive_resuming():
    def model(data):
        weight = numpyro.sample("weight", dist.Normal(np.zeros(2), 1.0).to_event(1))
        numpyro.sample("y", dist.Normal(weight, 1.0).to_event(1), obs=data["y"])

    labels = {"feature": ["near", "far"], "distance": ("feature", [1.0, 2.0])}
    settings = {"chains": 2, "warmup": 20, "draws": 20, "dims": {"weight": ["feature"]}, "coords": labels}
    fit = gi.infer(jax.random.key(0), model=model, data={"y": np.zeros(2)}, **settings)
    for one in (fit, gi.resume(fit, draws=20)):
        assert set(one.posterior.coords) == {"chain", "draw", "feature"}
        assert one.posterior["feature"].values.tolist() == ["near", "far"]
        constants = one.tree["constant_data"].to_dataset()
        assert constants["distance"].sel(feature="far").item() == 2.0


def test_functions_that_take_no_tree_take_the_posterior_and_the_file(town_fit, tmp_path):
    rows = len(town_fit.summary())
    assert len(arviz.summary(town_fit.posterior)) == rows
    path = town_fit.save(tmp_path / "town.nc")
    assert len(arviz.summary(arviz.from_netcdf(path), group="posterior")) == rows


FIRST = """
import sys, warnings
import arviz
import numpyro.distributions as dist
import goalinf as gi

hall = gi.gridworld("s.a", discount=0.9)
prior = gi.StateReward(dist.TruncatedNormal(0.0, 1.0, low=-1.0), on="departure")
walk = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
warnings.simplefilter("ignore")
fit = gi.infer(0, hall, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=walk, draws=20, chains=2, warmup=20, method="hmc")
print(gi.load(fit.save(sys.argv[1])).summary().equals(fit.summary()))
"""


def test_a_fit_is_loaded_where_arviz_was_imported_first(tmp_path):
    """ArviZ 1 loads JAX and NumPyro lazily, which leaves modules of NumPyro without attributes."""
    done = subprocess.run([sys.executable, "-c", FIRST, str(tmp_path / "fit.nc")], capture_output=True, text=True)
    assert done.stdout.strip().endswith("True"), done.stderr
