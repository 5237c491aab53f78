"""Diagnosis of a fit: limits at both sides, digits that tell numbers from limits, remedies."""

import re

import numpy as np
import pytest
import typer.main
import xarray as xr

import goalinf as gi
from goalinf.cli import app
from goalinf.cli.words import in_options
from goalinf.inference import _arviz
from goalinf.inference.results.diagnostics import beyond_limit


def fit_of(diverging=0, **attrs):
    stats = {"diverging": (("chain", "draw"), np.arange(20).reshape(2, 10) < diverging)}
    draws = {"u": (("chain", "draw"), np.random.default_rng(0).normal(size=(2, 10)))}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset(stats)})
    tree.attrs = {"algorithm": "HMC", "kind": "MCMC", "sampler": "HMC.", **attrs}
    return gi.Fit(tree, None)


CASES = [
    (1.01, 400.0, {}, None),
    (np.nextafter(1.01, 2), 400.0, {}, "R-hat reaches 1.01000000000000"),
    (1.0104, 400.0, {}, "R-hat reaches 1.0104 (should be at most 1.01)"),
    (1.0106, 400.0, {}, "R-hat reaches 1.011 (should be at most 1.01)"),
    (1.09, 400.0, {}, "R-hat reaches 1.090 (should be at most 1.01)"),
    (np.inf, 400.0, {}, "R-hat reaches inf"),
    (np.nan, 400.0, {}, "R-hat needs more than one chain"),
    (1.0, 399.96, {}, "the smallest effective sample size is 399.96 (should be at least 400)"),
    (1.0, 399.0, {}, "the smallest effective sample size is 399 (should be at least 400)"),
    (1.0, np.nan, {}, "the smallest effective sample size is nan"),
    (1.0, 400.0, {"khat": 0.7}, None),
    (1.0, 400.0, {"khat": 0.7004}, "the Pareto k of the proposals is 0.7004 (should be at most 0.7)"),
    (1.0, 400.0, {"khat": 0.71}, "the Pareto k of the proposals is 0.71 (should be at most 0.7)"),
    (1.0, 400.0, {"diverging": 1}, "1 draws diverged"),
    (1.0, 400.0, {"planner_failures": 1}, "the planner did not converge at 1 draws"),
    (1.0, 400.0, {"modes": 9, "modes_missed": 0.25}, None),
    (1.0, 400.0, {"modes": 9, "modes_missed": 0.26}, "the posterior has more modes than the 9 that were found"),
]


@pytest.mark.parametrize(("r_hat", "ess", "other", "worry"), CASES)
def test_limits(monkeypatch, r_hat, ess, other, worry):
    monkeypatch.setattr(_arviz, "worst", lambda _: (r_hat, ess))
    fit = fit_of(**other)
    assert fit.converged is (worry is None)
    assert fit.diagnosis.startswith("Converged: " if worry is None else f"NOT converged: {worry}")


@pytest.mark.parametrize("algorithm", ["laplace", "svi"])
def test_an_approximation_has_converged_where_its_weights_have_a_light_tail(algorithm):
    made = {"algorithm": algorithm, "kind": "approximation"}
    assert fit_of(**made, khat=0.7).converged
    assert not fit_of(**made, khat=np.nextafter(0.7, 1)).converged
    assert fit_of(**made).converged  # too few draws to tell
    assert fit_of(algorithm="enumeration", kind="exact").converged


def test_remedies_are_those_of_what_is_wrong(monkeypatch):
    monkeypatch.setattr(_arviz, "worst", lambda _: (1.0, 400.0))
    said = fit_of(diverging=2).diagnosis
    assert (
        "use smaller steps (target_accept=0.99), tighter priors, or another parameterization (more draws do not remove"
        in said
    )
    assert "draw more" not in said
    monkeypatch.setattr(_arviz, "worst", lambda _: (1.2, 50.0))
    assert "draw more (draws=), warm up longer (warmup=), or use tighter priors" in fit_of().diagnosis
    assert "target_accept" not in fit_of().diagnosis
    both = fit_of(diverging=2).diagnosis
    assert "draw more (draws=)" in both
    assert "target_accept=0.99" in both
    assert "use method='hmc'" in fit_of(algorithm="IMH").diagnosis


def test_more_draws_are_no_remedy_for_modes_that_were_missed(monkeypatch):
    monkeypatch.setattr(_arviz, "worst", lambda _: (1.0, 400.0))
    said = fit_of(modes=9, modes_missed=0.5).diagnosis
    assert "use a prior that excludes most of the modes (more draws do not reach the missing ones)" in said
    assert "draw more" not in said


@pytest.mark.parametrize(
    ("visits", "known"), [("by turns", True), ("one after the other", False), ("rarely", True), ("a third once", True)]
)
def test_the_probability_of_every_mode_is_known(visits, known):
    """From independent indicators; from one change in every chain; not judged below one draw in a hundred."""
    rng = np.random.default_rng(0)
    mode = {
        "by turns": rng.integers(0, 2, (4, 500)),
        "one after the other": (np.arange(500) >= np.array([[100], [200], [300], [400]])).astype(int),
        "a third once": np.where(np.arange(2000).reshape(4, 500) < 18, 2, rng.integers(0, 2, (4, 500))),
        "rarely": (np.arange(500) == 499).astype(int) * np.ones((4, 1), int),
    }[visits]
    fit = fit_of(modes=2)
    stats = {"diverging": (("chain", "draw"), np.zeros((4, 500), bool)), "mode": (("chain", "draw"), mode)}
    draws = {"u": (("chain", "draw"), rng.normal(size=(4, 500)))}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset(stats)})
    tree.attrs = fit.tree.attrs
    fit = gi.Fit(tree, None)
    assert fit.converged is known
    assert ("the probability of mode 0" in fit.diagnosis) is not known


def test_digits_tell_a_number_from_its_limit():
    assert beyond_limit(1.01004, 1.01, 3) == "1.01004"
    assert beyond_limit(1.5, 1.01, 3) == "1.500"
    assert beyond_limit(float("inf"), 1.01, 3) == "inf"
    assert beyond_limit(0.7, 0.7, 2) == f"{0.7:.15f}"  # equal: every digit


def test_remedies_of_a_diagnosis_are_options_that_exist(monkeypatch):
    """Every figure beyond its limit, of every sampler: no argument of Python is left, and every option is one of fit."""
    options = {param.opts[0].removeprefix("--") for param in typer.main.get_command(app).commands["fit"].params}
    monkeypatch.setattr(_arviz, "worst", lambda _: (1.2, 50.0))
    for algorithm in ("IMH", "HMC", "NUTS"):
        said = in_options(fit_of(algorithm=algorithm, diverging=2, khat=0.9, modes=9, modes_missed=0.5).diagnosis)
        assert "--target-accept 0.99" in said
        assert ("--method hmc" in said) == (algorithm == "IMH")
        assert "=" not in said
        assert {"draws", "target-accept"} <= set(re.findall(r"--([a-z-]+)", said)) <= options
    monkeypatch.setattr(_arviz, "worst", lambda _: (np.nan, 50.0))
    assert "run several chains (--chains)" in in_options(fit_of().diagnosis)
