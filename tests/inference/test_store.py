"""A fit in a file comes back as it was, or not at all."""

import dataclasses
import datetime
import os

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr
from small import HALL

import goalinf as gi
from goalinf.inference.results.files import fit_files
from goalinf.inference.results.files.checksum import sealed
from goalinf.inference.results.files.fit_files import FORMAT, check_target
from goalinf.inference.results.files.serialize import Reader, UnstorableError, Writer
from goalinf.precision import computing_in

SUFFIXES = ("nc", "zarr")


@pytest.fixture(scope="module", params=SUFFIXES)
def saved(request, fit, tmp_path_factory):
    return fit.save(tmp_path_factory.mktemp("fits") / f"fit.{request.param}")


def round_trip(value):
    writer = Writer()
    structure = writer.structure(value)
    return Reader(writer.arrays, writer.records).value(structure)


def test_all_that_came_out_comes_back(saved, fit):
    again = gi.load(saved)
    assert again.summary().equals(fit.summary())
    assert again.posterior.identical(fit.posterior)
    assert again.sample_stats.identical(fit.sample_stats)
    assert list(again.tree.children) == list(fit.tree.children)
    assert again.tree.attrs == fit.tree.attrs
    assert repr(again) == repr(fit)


TABLE = pd.DataFrame(
    {
        "walk": [0, 0, 1],
        "t": [0, 1, 0],
        "row": 0,
        "col": [0, 1, 0],
        "move": ["right", "right", None],
        "rt": [0.31, np.nan, 0.5],
        "note": ["first", None, "NA"],
        "day": pd.to_datetime(["2026-01-01", "2026-01-02", None]),
        "arm": pd.Categorical(["a", "b", "a"]),
        "age": pd.array([31, None, 40], dtype="Int64"),
        "odd": [(0, 1), 2, None],
        "key": [True, False, True],
    },
    index=pd.Index([9, 7, 5], name="line"),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_table_comes_back_with_the_columns_of_the_user(suffix, tmp_path):
    read = gi.read_trajectories(TABLE, HALL, trajectory="walk", step="t", state=["row", "col"], action="move")
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    key = jax.random.key(0)
    fit = gi.infer(
        key, HALL, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=read, draws=10, method="laplace"
    )
    data = gi.load(fit.save(tmp_path / f"fit.{suffix}")).data
    pd.testing.assert_frame_equal(data.to_frame(), TABLE)
    pd.testing.assert_frame_equal(data.select([0]).to_frame(), TABLE.iloc[:2])
    assert data.labels.where(0, 1) == "row 7 (trajectory 0, step 1)"


def test_values_that_no_file_holds_come_back_as_text():
    table = pd.DataFrame({"when": [datetime.date(2026, 1, 2)], ("two", 1): 3})
    again = round_trip(table)
    assert again["when"].tolist() == ["2026-01-02"]
    assert list(again.columns) == ["when", ("two", 1)]
    assert round_trip(table.iloc[:0]).shape == (0, 2)


def test_the_model_comes_back(saved, fit):
    again = gi.load(saved)
    assert np.array_equal(again.mean_reward().values, fit.mean_reward().values)
    assert [np.array_equal(a.values, b.values) for a, b in zip(again.rewards(3), fit.rewards(3), strict=True)] == [
        True
    ] * 3
    key = jax.random.key(3)
    for one, other in zip(again.predict(key, 2), fit.predict(key, 2), strict=True):
        assert one.data_hash() == other.data_hash()
    assert gi.audit(again, quick=True).to_frame().equals(gi.audit(fit, quick=True).to_frame())
    assert again.world.source == HALL.source
    assert again.world.index((0, 2)) == 2
    assert again.agent.parameters["beta"].loc == 0.5


def test_the_data_come_back(saved, walks):
    data = gi.load(saved).data
    assert data.data_hash() == walks.data_hash()
    assert data.trajectory_names == walks.trajectory_names
    assert data.subject_names == ("ann", "bob")
    assert data.to_frame().equals(walks.to_frame())


def test_the_file_is_closed_and_alone(saved, fit):
    gi.load(saved)
    assert sorted(os.listdir(saved.parent)) == [saved.name]
    fit.save(saved, overwrite=True)
    assert sorted(os.listdir(saved.parent)) == [saved.name]
    assert gi.load(saved).summary().equals(fit.summary())


def test_a_fit_that_was_loaded_can_be_saved(saved, fit, tmp_path):
    again = gi.load(gi.load(saved).save(tmp_path / "again.nc"))
    assert again.summary().equals(fit.summary())
    assert again.tree.attrs == fit.tree.attrs


def test_existing_files_are_left_alone(saved, fit):
    with pytest.raises(FileExistsError, match=rf"{saved.name} exists already; .*overwrite=True"):
        fit.save(saved)


def test_targets_that_cannot_be(fit, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"'\.csv' names no format .*\.nc \(NetCDF\) or \.zarr"):
        fit.save(tmp_path / "fit.csv")
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere; create it first"):
        fit.save(tmp_path / "nowhere" / "fit.nc")
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(IsADirectoryError, match="left alone"):
        fit.save(tmp_path / "mine.zarr", overwrite=True)
    (tmp_path / "file.zarr").write_text("mine")
    with pytest.raises(FileExistsError, match="left alone"):
        fit.save(tmp_path / "file.zarr", overwrite=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="not yours to write to"):
        check_target(tmp_path / "fit.nc", overwrite=False)


def test_files_that_are_no_fits(fit, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        gi.load(tmp_path / "none.nc")
    whole = fit.save(tmp_path / "whole.nc").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        cut = tmp_path / "cut.nc"
        cut.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.nc cannot be read as a fit: it is truncated"):
            gi.load(cut)
    other = tmp_path / "other.nc"
    xr.Dataset({"x": 1.0}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(ValueError, match="goalinf did not write it"):
        gi.load(other)
    for attrs, said in (
        ({}, "no format number"),
        ({"format": "x"}, "'x'"),
        ({"format": FORMAT}, "'/fitted' is missing"),
    ):
        other.write_bytes(sealed(xr.DataTree(xr.Dataset({"x": 1.0}, attrs=attrs))))
        with pytest.raises(ValueError, match=said):
            gi.load(other)
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder; a fit in NetCDF is one file"):
        gi.load(tmp_path / "folder.nc")


def test_a_chunk_that_is_gone(fit, tmp_path):
    path = fit.save(tmp_path / "fit.zarr")
    (path / "posterior" / "agent.beta" / "0.0").unlink()
    with pytest.raises(ValueError, match=r"fit\.zarr is damaged"):
        gi.load(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_format(suffix, fit, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_files, "FORMAT", FORMAT + 1)
    path = fit.save(tmp_path / f"fit.{suffix}")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=rf"format {FORMAT + 1}, written by goalinf .* reads format {FORMAT}"):
        gi.load(path)


def test_a_model_of_ones_own(own, tmp_path):
    again = gi.load(own.save(tmp_path / "own.nc"))
    assert again.summary().equals(own.summary())
    assert again.model.function is None
    with pytest.raises(ValueError, match="a function cannot be kept in a file"):
        again.mean_reward()
    with pytest.raises(ValueError, match="a function cannot be kept in a file"):
        again.predict(jax.random.key(0))


def test_a_prior_that_no_file_can_hold(fit, tmp_path):
    class Mine(dist.Normal):
        pass

    strange = dataclasses.replace(
        fit, model=dataclasses.replace(fit.model, reward=gi.StateReward(Mine(0.0, 1.0), on="departure"))
    )
    with pytest.warns(UserWarning, match="were not kept in the file: a prior of class Mine"):
        again = gi.load(strange.save(tmp_path / "fit.nc"))
    assert again.summary().equals(fit.summary())
    with pytest.raises(ValueError, match="were not kept in the file: a prior of class Mine is not one of NumPyro's"):
        again.mean_reward()


def test_names_that_no_file_can_hold(fit, walks, tmp_path):
    def saved_with(name, **labels):
        numbers = {part: getattr(walks, part) for part in ("lengths", "observed", "subject")}
        labels = dataclasses.replace(walks.labels, **labels)
        data = gi.Trajectories.of(walks.states, walks.actions, **numbers, labels=labels)
        return gi.load(dataclasses.replace(fit, data=data).save(tmp_path / name))

    dated = saved_with("dated.nc", columns={"step": pd.Timestamp("2020-01-01")})
    assert dated.data.labels.columns == {"step": "2020-01-01 00:00:00"}
    assert "not_kept" not in dated.tree.attrs
    odd = gi.graph_world(nx.Graph([(frozenset("a"), frozenset("b"))]), discount=0.9)
    bare = saved_with("bare.nc", worlds=(odd,))
    assert bare.data.data_hash() == walks.data_hash()
    assert bare.data.labels is None
    assert "The names of the data were not kept in the file: a frozenset" in bare.tree.attrs["not_kept"]
    assert str(gi.audit(bare, quick=True)) == str(gi.audit(fit, quick=True))


def test_an_approximation(fit, tmp_path):
    rough = gi.infer(
        jax.random.key(0), HALL, agent=fit.agent, reward=fit.reward, data=fit.data, draws=50, method="laplace"
    )
    again = gi.load(rough.save(tmp_path / "rough.nc"))
    assert again.summary().equals(rough.summary())


PRIORS = (
    dist.Normal(0.1, 2.0),
    dist.Normal(np.array([0.1, 0.2]), 1.0),
    dist.Normal(0.0, 1.0).expand([3, 2]).to_event(2),
    dist.LogNormal(0.1, 1.0),
    dist.HalfNormal(2.0),
    dist.Gamma(2.0, 3.0),
    dist.Uniform(0.1, 2.0),
    dist.TruncatedNormal(0.0, 1.0, low=0.1),
    dist.MultivariateNormal(np.zeros(2), np.array([[2.0, 0.5], [0.5, 1.0]])),
)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_priors(prior):
    with computing_in("float64"):
        again = round_trip(prior)
        value = prior.sample(jax.random.key(0))
        assert type(again) is type(prior)
        assert again.shape() == prior.shape()
        assert np.array_equal(again.log_prob(value), prior.log_prob(value))


def test_things_that_are_no_records():
    with pytest.raises(UnstorableError, match="a function cannot be written"):
        Writer().structure(round_trip)


GRAPH = nx.DiGraph([("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")])
GRAPH.add_node("a", pos=(0.0, 1.0), owner=object())
WORLDS = {
    "graph": gi.graph_world(GRAPH, stay=True, discount=0.9),
    "memory": gi.with_memory(HALL),
    "slippery": gi.gridworld("s#a\n...", slip=0.2, discount=0.5, terminal="a"),
    "arrays": gi.from_arrays(np.full((2, 1, 2), 0.5), discount=0.0),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_worlds(world):
    again = round_trip(world)
    for name in ("states", "actions", "layout", "marks", "aliases"):
        assert getattr(again, name) == getattr(world, name), name
    assert all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again.mdp), jax.tree.leaves(world.mdp), strict=True)
    )
    assert repr(again) == repr(world)
    if isinstance(world.source, nx.Graph):
        assert nx.utils.graphs_equal(nx.DiGraph(again.source.edges), nx.DiGraph(world.source.edges))
        assert again.source.nodes["a"] == {"pos": (0.0, 1.0)}
    if world.memory is not None:
        assert again.memory.base.states == HALL.states
        assert again.cells("a") == world.cells("a")


REWARDS = (
    gi.ActionReward(np.ones((3, 2))),
    gi.LinearReward(np.eye(3), dist.Normal(0.0, 1.0), on="arrival", names=("x", "y", "z")),
    gi.ShapedReward(gi.StateReward(dist.Normal(0.0, 1.0), on="arrival"), np.arange(3.0)),
    gi.goals(HALL, {"end": "a"}, step_cost=0.5)["end"],
)


@pytest.mark.parametrize("reward", REWARDS, ids=lambda reward: type(reward).__name__)
def test_rewards(reward):
    again = round_trip({"first": reward, ("a", 1): reward})
    assert list(again) == ["first", ("a", 1)]
    assert jax.tree.structure(again["first"]) == jax.tree.structure(reward)
    assert all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again["first"]), jax.tree.leaves(reward), strict=True)
    )


def test_agents():
    again = round_trip(gi.agents.boltzmann(beta=2.5, horizon=7))
    assert (again.name, again.planner.horizon, again.planner.backup, again.parameters["beta"]) == (
        "boltzmann",
        7,
        "hard",
        2.5,
    )
