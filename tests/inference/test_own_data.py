"""A model of the user's own on data of any form, from sampling to a file and back."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from small import walks_of

import goalinf as gi
from goalinf.inference.model import mode_search
from goalinf.inference.model.site_labels import data_hash

TIMES = np.array([1.0, 2.0, 3.0])
KEY = jax.random.key(0)


def waiting(data):
    """Normal times around an unknown mean, whatever they come in."""
    mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
    first = jax.tree.leaves(data)[0] if data is not None else TIMES
    numpyro.sample("times", dist.Normal(mean, 1.0), obs=jnp.asarray(first))


def fitted(data):
    return gi.infer(KEY, model=waiting, data=data, chains=2, warmup=50, draws=50)


FORMS = {
    "array": (TIMES, {"data"}),
    "dictionary": ({"times": TIMES, "who/when": np.array([True])}, {"data.times", "data.who|when"}),
    "tuple": ((TIMES, 2), {"data.0", "data.1"}),
    "nothing": (None, set()),
}


def test_a_fit_of_a_file_goes_on_with_its_data_alone(tmp_path):
    """Equal data may be given again; others are refused."""
    fit = fitted({"times": TIMES})
    path = fit.save(tmp_path / "waiting.nc")
    given = jax.tree.map(np.array, fit.data)
    further = gi.resume(path, draws=50, model=waiting, data=given)
    assert further.posterior.identical(gi.resume(fit, draws=50).posterior)
    with pytest.raises(ValueError, match="data= are not the data of the fit"):
        gi.resume(path, draws=50, model=waiting, data=jax.tree.map(lambda leaf: np.array(leaf) + 1, fit.data))


def test_data_that_changed_in_place_are_refused(tmp_path):
    """Draws and data belong together: no function continues from or scores draws of other data."""
    times = TIMES.copy()
    fit = fitted({"times": times, "other": np.zeros(2)})
    times[1] = -5.0
    said = r"the data of this fit are not those of its draws: data\.times changed in place.*restore them, or start anew"
    with pytest.raises(ValueError, match=said):
        gi.resume(fit, draws=50)
    with pytest.raises(ValueError, match=said):
        gi.inference.marginal_likelihood(KEY, fit)
    with pytest.raises(ValueError, match=said):
        gi.resume(fit.save(tmp_path / "waiting.nc"), draws=50, model=waiting)
    times[:] = fit.tree["observed_data"]["data.times"]
    assert gi.resume(fit, draws=50).posterior.sizes["draw"] == 100


@pytest.mark.parametrize("form", FORMS)
def test_from_sampling_to_a_file_and_back(form, tmp_path):
    data, names = FORMS[form]
    fit = fitted(data)
    assert set(fit.tree["observed_data"].data_vars) == names
    assert "mean" in fit.summary().index
    assert "50 draws of mean" in repr(fit)
    for suffix in ("nc", "zarr"):
        again = gi.load(fit.save(tmp_path / f"fit.{suffix}"))
        assert jax.tree.structure(again.data) == jax.tree.structure(data)
        assert all(
            np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again.data), jax.tree.leaves(data), strict=True)
        )
        assert again.summary().equals(fit.summary())
        assert again.tree["observed_data"].to_dataset().identical(fit.tree["observed_data"].to_dataset())
    assert gi.resume(again, draws=50, model=waiting).posterior.sizes["draw"] == 100


def test_quick_looks():
    data = {"times": TIMES}
    exact = TIMES.sum() / 4  # four observations' worth, one of them the prior at zero
    assert gi.inference.find_map(KEY, model=waiting, data=data).values["mean"].item() == pytest.approx(exact, abs=1e-6)
    rough = gi.infer(KEY, model=waiting, data=data, method="laplace")
    assert rough.summary()["mean"].item() == pytest.approx(exact, abs=0.1)


def test_what_needs_trajectories_says_so():
    fit = fitted(TIMES)
    said = r"no pointwise log-likelihood: its model is your own and its data \(ndarray\) are not gi\.Trajectories"
    for unit in ("trajectory", "step", "subject"):
        with pytest.raises(ValueError, match=f"this fit has {said}"):
            gi.inference.loo(fit, unit)
    with pytest.raises(ValueError, match=f"the fit 'a' has {said}"):
        gi.compare({"a": fit, "b": fit})
    with pytest.raises(ValueError, match=said):
        gi.inference.log_predictive_density(fit, walks_of())
    with pytest.raises(TypeError):
        gi.compare({"b": "fit.nc", "a": fit})


class Session(eqx.Module):
    """A record that no file of goalinf can hold."""

    times: np.ndarray


def test_data_that_no_file_can_hold_cost_no_draws(tmp_path):
    fit = fitted(Session(TIMES))
    again = gi.load(fit.save(tmp_path / "fit.nc"))
    assert again.data is None
    assert again.summary().equals(fit.summary())
    assert "a Session cannot be written to a file" in again.tree.attrs["not_kept"]
    with pytest.raises(ValueError, match=r"The data were not kept in the file: a Session .*: give data="):
        gi.resume(again, draws=50, model=waiting)


def test_the_hash_tells_data_apart():
    hashes = [data_hash(data) for data in (TIMES, TIMES + 1, TIMES.astype(int), {"times": TIMES}, (TIMES,), None)]
    assert len(set(hashes)) == len(hashes)
    assert data_hash({"times": TIMES}) == data_hash({"times": TIMES.copy()})
    walks = walks_of()
    assert data_hash(walks) == walks.data_hash()


def scoped(data):
    """Two sites, of which one is named within a scope."""
    inside = numpyro.handlers.scope(lambda: numpyro.sample("mean", dist.Normal(0.0, 1.0)), "who")
    weights = numpyro.sample("weights", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    numpyro.sample("times", dist.Normal(inside() + weights.sum(), 1.0), obs=jnp.asarray(data))


def dotted(data):
    inside = numpyro.handlers.scope(lambda: numpyro.sample("mean", dist.Normal(0.0, 1.0)), "who", divider=".")
    numpyro.sample("times", dist.Normal(inside(), 1.0), obs=jnp.asarray(data))


def derived(data):
    mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
    numpyro.deterministic("mean/twice", 2.0 * mean)
    numpyro.sample("times", dist.Normal(mean, 1.0), obs=jnp.asarray(data))


def chained(data):
    numpyro.sample("times", dist.Normal(numpyro.sample("chain", dist.Normal(0.0, 1.0)), 1.0), obs=jnp.asarray(data))


@pytest.mark.parametrize("entry", [gi.infer, gi.inference.find_map, partial(gi.infer, method="laplace")])
@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (scoped, {}, r"site 'who/mean' has a '/'.*divider='\.'"),
        (derived, {}, "site 'mean/twice' has a '/'"),
        (chained, {}, r"do not fit the sites of the model \(chain \(\)\)"),
        (waiting, {"dims": {"mean": ["a/b"]}}, "axis 'a/b' has a '/'"),
        (waiting, {"dims": {"mean": ["a"]}}, r"do not fit the sites of the model \(mean \(\)\)"),
    ],
)
def test_names_that_no_file_can_hold_are_refused_before_sampling(entry, model, options, said, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("it has begun")

    monkeypatch.setattr(mode_search, "climb", fail)
    with pytest.raises(ValueError, match=said):
        entry(KEY, model=model, data=TIMES, **options)


def test_labels_of_another_length_are_refused_before_sampling():
    def weighted(data):
        weights = numpyro.sample("weights", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
        numpyro.sample("times", dist.Normal(weights.sum(), 1.0), obs=jnp.asarray(data))

    with pytest.raises(ValueError, match=r"dims= and coords= do not fit the sites of the model \(weights \(2,\)\)"):
        gi.infer(KEY, model=weighted, data=TIMES, dims={"weights": ["kind"]}, coords={"kind": ["a", "b", "c"]})


def test_another_divider_is_fine(tmp_path):
    fit = gi.infer(KEY, model=dotted, data=TIMES, chains=2, warmup=50, draws=50)
    assert list(gi.load(fit.save(tmp_path / "fit.nc")).posterior.data_vars) == ["who.mean"]
