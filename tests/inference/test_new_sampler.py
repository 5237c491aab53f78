"""A sampler that is one class: random-walk Metropolis in whitened coordinates, through inference, files and resuming."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.inference.samplers.sampler import SAMPLERS, Sampler, State

STEP = 1.7  # standard deviations of the posterior: optimal in two dimensions


@pytest.fixture
def metropolis():
    """Register the sampler for one test."""

    class Metropolis(Sampler):
        method, algorithm = "metropolis", "RWM"
        default_warmup = 100
        whitened = True
        options = ()

        def __init__(self, key, coordinates, state, settings, *, warmup):
            self._rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
            self._coordinates = coordinates
            self._x, self._potential = state.x, self._potential_at(state.x)

        def _potential_at(self, x):
            geometry = self._coordinates.geometry
            return -self._coordinates.parameterization.log_density(geometry.center + x @ geometry.scale.T)

        def advance(self, steps, progress, *, kept=True):
            points, potentials = [], []
            for _ in range(steps):
                proposed = self._x + STEP * self._rng.standard_normal(self._x.shape)
                potential = self._potential_at(proposed)
                accepted = np.log(self._rng.uniform(size=len(potential))) < self._potential - potential
                self._x = np.where(accepted[:, None], proposed, self._x)
                self._potential = np.where(accepted, potential, self._potential)
                points.append(self._x)
                potentials.append(self._potential)
            progress.advance(steps * len(self._x))
            potential = np.stack(potentials, axis=1)
            return {"x": np.stack(points, axis=1), "potential": potential, "diverging": np.zeros(potential.shape, bool)}

        @property
        def state(self):
            return State(self._x)

        @property
        def diagnostics(self):
            return {}

        def describe(self, target):
            return f"Random-walk Metropolis on {target}"

        def shrink_steps(self, draws):
            return False

    yield Metropolis
    del SAMPLERS["metropolis"]


COVARIANCE = np.array([[2.0, 1.2], [1.2, 1.0]])
NOISE = np.array([0.5, 2.0])
SEEN = np.array([1.0, -2.0])


def normal(y):
    mean = numpyro.sample("mean", dist.MultivariateNormal(jnp.zeros(2), jnp.asarray(COVARIANCE)))
    numpyro.sample("y", dist.Normal(mean, jnp.sqrt(NOISE)).to_event(1), obs=y)


def test_a_normal_posterior(metropolis, tmp_path):
    """Mean and covariance of the posterior are known; the run continues from its file."""
    options = {"draws": 2000, "method": "metropolis", "progress": False}
    fit = gi.infer(0, model=normal, data=jnp.asarray(SEEN), **options)
    assert fit.kind == "MCMC"
    assert fit.converged, fit.diagnosis
    assert "Random-walk Metropolis on all parameters." in fit.diagnosis
    more = gi.resume(fit.save(tmp_path / "fit.nc"), draws=500, model=normal, data=jnp.asarray(SEEN), progress=False)
    assert more.posterior.sizes["draw"] == 2500
    precision = np.linalg.inv(COVARIANCE) + np.diag(1 / NOISE)
    covariance = np.linalg.inv(precision)
    mean = covariance @ (SEEN / NOISE)
    table, draws = more.summary("mean"), more.posterior["mean"].values.reshape(-1, 2)
    assert (np.abs(draws.mean(axis=0) - mean) < 4 * table["mcse_mean"]).all()
    assert (np.abs(draws.std(axis=0) - np.sqrt(np.diag(covariance))) < 4 * table["mcse_sd"]).all()
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert np.corrcoef(draws.T)[0, 1] == pytest.approx(correlation, abs=4 / np.sqrt(table["ess_bulk"].min()))


def test_options_that_it_does_not_use_are_refused(metropolis):
    with pytest.raises(ValueError, match="remove target_accept=, which method='metropolis' does not use"):
        gi.infer(0, model=normal, data=jnp.asarray(SEEN), method="metropolis", target_accept=0.9)


def test_a_fit_of_a_sampler_that_is_not_known(metropolis, monkeypatch):
    options = {"chains": 2, "draws": 20, "warmup": 0, "progress": False}
    fit = gi.infer(0, model=normal, data=jnp.asarray(SEEN), method="metropolis", **options)
    monkeypatch.setattr(metropolis, "algorithm", "another")
    with pytest.raises(ValueError, match="ran RWM, which is not known; import the module of this sampler"):
        gi.resume(fit, draws=10)


def test_a_method_belongs_to_one_sampler():
    with pytest.raises(TypeError, match="method 'hmc' is that of HMC"):
        type("Other", (Sampler,), {"method": "hmc"})
