"""Stacking weights against the maximum of what they are defined by, and leaving one out against exact posteriors."""

import numpy as np
import pytest
import xarray as xr
from scipy import optimize, stats

from goalinf.inference import _arviz

UNITS = 40


def looked_at(scores):
    """LOO of a model whose units have these log-likelihoods, whatever the draw."""
    rng = np.random.default_rng(0)
    array = xr.DataArray(
        scores + 0.01 * rng.normal(size=(2, 100, len(scores))),
        dims=("chain", "draw", "unit"),
        coords={"chain": range(2), "draw": range(100)},
    )
    draws = xr.Dataset({"x": (("chain", "draw"), rng.normal(size=(2, 100)))}, coords=array.coords)
    return _arviz.loo(array, draws)


@pytest.mark.parametrize("shared", [0.0, -900.0])
def test_stacking_weights_are_the_best_mixture(shared):
    r"""They maximize :math:`\sum_i \log \sum_k w_k e^{\mathrm{elpd}_{ik}}` (Yao et al. 2018), far below zero too."""
    rng = np.random.default_rng(1)
    loos = {name: looked_at(shared + rng.normal(mean, 1.0, UNITS)) for name, mean in (("a", -2.0), ("b", -2.1))}
    one, other = (loos[name].elpd_i.values - shared for name in "ab")

    def lost(share):
        return -np.log(share * np.exp(one) + (1 - share) * np.exp(other)).sum()

    best = optimize.minimize_scalar(lost, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-8}).x
    assert 0.1 < best < 0.95
    found = _arviz.weights(loos)
    assert found["a"] == pytest.approx(best, abs=2e-3)
    assert found["b"] == pytest.approx(1 - best, abs=2e-3)
    assert loos["a"].elpd_i.values.mean() == pytest.approx(shared + one.mean())  # what came in is as it was


def test_weights_of_three_models():
    """The maximum over the simplex by another optimizer; a model that is best nowhere has no weight."""
    rng = np.random.default_rng(3)
    loos = {name: looked_at(rng.normal(mean, 1.0, UNITS)) for name, mean in (("a", -2.0), ("b", -2.2))}
    loos["worse"] = looked_at(np.minimum(loos["a"].elpd_i.values, loos["b"].elpd_i.values) - 1.0)
    densities = np.exp([each.elpd_i.values for each in loos.values()])

    def lost(free):
        return -np.log(np.exp(free - np.logaddexp.reduce(free)) @ densities).sum()

    free = optimize.minimize(lost, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}).x
    expected = dict(zip(loos, np.exp(free - np.logaddexp.reduce(free)), strict=True))
    found = _arviz.weights(loos)
    assert found["worse"] == pytest.approx(0.0, abs=1e-3)
    assert found.to_dict() == pytest.approx(expected, abs=3e-3)


def test_leaving_one_out_is_exact_where_the_posterior_is_known():
    """A normal mean with a flat prior: the posterior of the others predicts each, in closed form."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=20)
    mean = rng.normal(y.mean(), 1 / np.sqrt(20), size=(4, 5000))
    scores = xr.DataArray(
        stats.norm.logpdf(y, mean[..., None]),
        dims=("chain", "draw", "unit"),
        coords={"chain": range(4), "draw": range(5000)},
    )
    found = _arviz.loo(scores, xr.Dataset({"mean": (("chain", "draw"), mean)}, coords=scores.coords))
    rest = (y.sum() - y) / 19
    expected = stats.norm.logpdf(y, rest, np.sqrt(1 + 1 / 19))
    np.testing.assert_allclose(found.elpd_i, expected, atol=0.01)
    assert found.elpd == pytest.approx(expected.sum(), abs=0.02)
    within = stats.norm.logpdf(y, mean[..., None]).reshape(-1, 20)
    lpd = np.log(np.exp(within).mean(axis=0)).sum()
    assert found.p == pytest.approx(lpd - expected.sum(), abs=0.05)
