"""Runs that stop and go on."""

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr
from small import HALL, plain_model, walks_of

import goalinf as gi
from goalinf.inference.results import checkpoint
from goalinf.inference.samplers.chains import Chains
from goalinf.inference.samplers.imh import IndependentChains


@pytest.fixture(scope="module")
def independent(walks):
    """Independent proposals for the reward alone."""
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    size = {"chains": 2, "draws": 100}
    return gi.infer(jax.random.key(1), HALL, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, **size)


def test_draws_are_appended(independent):
    assert independent.tree.attrs["algorithm"] == "IMH"
    more = gi.resume(independent, draws=60)
    assert dict(more.posterior.sizes) == {"chain": 2, "draw": 160, "state": 3}
    for name in ("posterior", "sample_stats", "log_likelihood"):
        both = more.tree[name].to_dataset()
        assert both.isel(draw=slice(100)).identical(independent.tree[name].to_dataset())
        assert both["draw"].values.tolist() == list(range(160))
    assert not np.array_equal(more.posterior["reward.values"][:, 100:], more.posterior["reward.values"][:, :60])
    assert more.summary()["r_hat"].max() < 1.1


def test_the_pareto_k_is_that_of_the_longer_part(independent):
    assert gi.resume(independent, draws=60).tree.attrs["khat"] == independent.tree.attrs["khat"]
    more = gi.resume(independent, draws=150)
    assert more.tree.attrs["khat"] != independent.tree.attrs["khat"]


@pytest.mark.parametrize("suffix", ["nc", pytest.param("zarr", marks=pytest.mark.slow)])
def test_hmc_goes_on_with_its_step_size(suffix, walks, tmp_path):
    run = sampled(walks, method="hmc")
    path = run.save(tmp_path / f"fit.{suffix}")
    assert gi.load(path).sample_stats.identical(run.sample_stats)
    more = gi.resume(path, draws=50)
    assert np.array_equal(more.sample_stats["step_size"][:, -1], run.sample_stats["step_size"][:, -1])
    assert not np.isin(more.sample_stats["lp"][:, 230:], run.sample_stats["lp"]).any()


def test_from_a_file(fit, tmp_path):
    path = fit.save(tmp_path / "fit.zarr")
    assert gi.resume(path, draws=50).posterior.identical(gi.resume(fit, draws=50).posterior)
    twice = gi.resume(gi.resume(path, draws=50), draws=50).posterior["agent.beta"]
    assert not np.isin(twice[:, 150:], twice[:, 100:150]).any()


def test_nuts_goes_on_with_its_mass_matrix(walks):
    prior = gi.StateReward(dist.Normal(0.0, np.array([1.0, 0.01, 1.0])), on="departure")
    agent = gi.agents.soft_optimal(beta=2.0)
    settings = {"chains": 2, "warmup": 200, "draws": 50, "method": "nuts"}
    fit = gi.infer(jax.random.key(3), HALL, agent=agent, reward=prior, data=walks, **settings)
    more = gi.resume(fit, draws=50)
    mass = more.tree["sampler"]["inverse_mass"].values
    assert np.array_equal(mass, fit.tree["sampler"]["inverse_mass"].values)
    assert (mass.max(1) > 30 * mass.min(1)).all()
    assert more.sample_stats["n_steps"][:, 50:].mean() < 2 * more.sample_stats["n_steps"][:, :50].mean()
    assert more.divergences == fit.divergences == 0


def test_a_model_of_ones_own(own, walks, tmp_path):
    more = gi.resume(own, draws=50)
    assert more.posterior["weight"].dims == ("chain", "draw", "feature")
    assert more.posterior["feature"].values.tolist() == ["shop"]
    path = own.save(tmp_path / "own.nc")
    # The function of a model from a file is compiled anew: its chains are the same but for rounding.
    again = gi.resume(path, draws=50, model=plain_model, data=walks).posterior
    xr.testing.assert_allclose(again, more.posterior, rtol=1e-9)
    with pytest.raises(ValueError, match=r"a function cannot be kept in a file.*give model= and data="):
        gi.resume(path, draws=50)
    with pytest.raises(ValueError, match="not the data of the fit"):
        gi.resume(path, draws=50, model=plain_model, data=walks_of(seed=3))


def test_errors(fit):
    with pytest.raises(ValueError, match="draws is 0"):
        gi.resume(fit, draws=0)
    with pytest.raises(ValueError, match="this fit knows its world"):
        gi.resume(fit, draws=10, model=plain_model)
    rough = gi.infer(
        jax.random.key(0), HALL, agent=fit.agent, reward=fit.reward, data=fit.data, draws=50, method="laplace"
    )
    with pytest.raises(ValueError, match="not sampled by chains"):
        gi.resume(rough, draws=10)


def sampled(walks, **options):
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.5, 0.5))
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    key = jax.random.key(1)
    size = {"chains": 2, "warmup": 100, "draws": 230, "target_accept": 0.95}
    return gi.infer(key, HALL, agent=agent, reward=prior, data=walks, **size, **options)


def test_checkpoints(walks, tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    written = []
    save = gi.Fit.save

    def watched(fit, target, **options):
        written.append(fit.posterior.sizes["draw"])
        return save(fit, target, **options)

    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(gi.Fit, "save", watched)
    run = sampled(walks, checkpoint=path)
    assert written == [100, 200, 230]
    assert gi.load(path).summary().equals(run.summary())
    # The chains do not know that they were written down.
    assert np.array_equal(run.sample_stats["lp"], sampled(walks).sample_stats["lp"])
    assert len(np.unique(run.sample_stats["lp"])) > 200
    with pytest.raises(FileExistsError, match=r"run\.nc exists already; .*continue it with gi\.resume"):
        sampled(walks, checkpoint=path)
    assert gi.resume(path, draws=50, checkpoint=path).posterior.sizes["draw"] == 280


SCRIPT = """
    import os, signal, sys, threading
    import jax, numpyro.distributions as dist
    import goalinf as gi
    from goalinf.inference.samplers.chains import Chains
    from goalinf.inference.samplers.imh import IndependentChains

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    path, method = sys.argv[1:]
    kind = {"hmc": Chains, "independence": IndependentChains}[method]
    advance, calls = kind.advance, []

    def interrupted(chains, *args, **options):  # Ctrl-C while the second hundred of draws is being made
        calls.append(options.get("kept", True))
        if sum(calls) == 2:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            args = (1_000_000, *args[1:])
        return advance(chains, *args, **options)

    kind.advance = interrupted
    hall = gi.gridworld("s.a", stay=True, discount=0.9)
    wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), wants, trajectories=8, steps=6)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    fit = gi.infer(
        jax.random.key(1), hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, chains=2, warmup=100,
        draws=1_000_000, checkpoint=path, method=method,
    )
    assert "It was interrupted: these are the draws so far." in fit.diagnosis, fit.diagnosis
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.parametrize("method", ["hmc", "independence"])
def test_control_c_keeps_the_draws(method, tmp_path):
    path = tmp_path / "run.nc"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), method],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    fit = gi.load(path)
    assert fit.tree.attrs["interrupted"] == 1
    draws = fit.posterior.sizes["draw"]
    assert draws > 100
    more = gi.resume(fit, draws=50)
    assert more.posterior.sizes["draw"] == draws + 50
    assert "interrupted" not in more.diagnosis


def test_control_c_before_there_are_draws(walks, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    for kind in (Chains, IndependentChains):
        monkeypatch.setattr(kind, "advance", stop)
    for method in ("auto", "hmc"):
        with pytest.raises(KeyboardInterrupt):
            sampled(walks, method=method)


def test_control_c_during_warm_up(walks, monkeypatch):
    advance = Chains.advance

    def interrupted(chains, *arguments, **options):
        found = advance(chains, *arguments, **options)
        chains.interrupted = True
        return found

    monkeypatch.setattr(Chains, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sampled(walks, method="hmc")


def test_control_c_while_writing(walks, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    save, calls = gi.Fit.save, []

    def stop_once(fit, target, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return save(fit, target, **options)

    monkeypatch.setattr(gi.Fit, "save", stop_once)
    run = sampled(walks, checkpoint=tmp_path / "run.nc")
    assert run.posterior.sizes["draw"] == 200
    assert "interrupted" in gi.load(tmp_path / "run.nc").diagnosis
