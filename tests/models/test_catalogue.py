"""Every model of the catalogue keeps the convention, runs, scores what it simulated, and has a reference that holds."""

import importlib.util
import inspect
import json
from types import ModuleType

import jax
import jaxtyping
import numpy as np
import pandas as pd
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density

import goalinf as gi
import goalinf_models
from goalinf.inference.model.models import StandardModel
from goalinf_models import Variant, exact

MODELS = {n: m for n in goalinf_models.__all__ if isinstance(m := getattr(goalinf_models, n), ModuleType)}
VARIANTS = [(name, variant) for name, module in MODELS.items() for variant in module.VARIANTS]
# One of the biases is enough; what compiles one program for each of ten biases, or plans for every detour, is slow.
SLOW = {("chan_2021", "one_of"), ("baker_2009", "M3")}
SOME = [
    pytest.param(name, variant, marks=pytest.mark.slow) if (name, variant) in SLOW else (name, variant)
    for name, variant in VARIANTS
    if name != "chan_2021" or variant in ("one_of", "pessimism")
]


def by(name, variant):
    return MODELS[name].VARIANTS[variant].by


@pytest.fixture(scope="module")
def made(repository):
    """The script that makes the references."""
    spec = importlib.util.spec_from_file_location("make", repository / "models" / "reference" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference(repository, name):
    return json.loads((repository / "models" / "reference" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_models_are_there():
    assert set(MODELS) >= {
        *("ramachandran_amir_2007", "ziebart_2008", "baker_2009", "evans_2016", "reddy_2018", "chan_2021"),
        *("ashwood_2022", "daw_2011", "planning_depth", "delay_discounting"),
    }


@pytest.mark.parametrize("name", MODELS)
def test_every_module_has_the_parts_of_the_convention(name):
    module = MODELS[name]
    for title in ("Story", "Sites", "References"):
        assert f"\n{title}\n-----" in module.__doc__, title
    assert all(isinstance(variant, Variant) for variant in module.VARIANTS.values())
    assert next(iter(inspect.signature(module.example).parameters)) == "key"
    first = next(iter(module.VARIANTS))
    for function in (module.example, module.model):
        assert inspect.signature(function).parameters["variant"].default == first
        assert function.__doc__
    for variant in module.VARIANTS.values():
        for site in variant.sites:
            assert f"``{site}``" in module.__doc__, site
        assert variant.question.endswith("?")
    text = inspect.getsource(module).splitlines()
    assert len(text) <= 160


def test_every_question_is_in_the_index(repository):
    text = (repository / "models" / "README.md").read_text(encoding="utf-8")
    for name, module in MODELS.items():
        assert f"`{name}`" in text
        for variant, own in module.VARIANTS.items():
            assert own.question[1:] in text, (name, variant, own.question)


@pytest.mark.parametrize(("name", "variant"), [(name, next(iter(own.VARIANTS))) for name, own in MODELS.items()])
def test_the_same_key_gives_the_same_data_and_the_model_takes_them(name, variant):
    module = MODELS[name]
    one, same = (module.example(jax.random.key(5), variant) for _ in range(2))
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, same)
    else:
        np.testing.assert_array_equal(one.actions, same.actions)
    arguments = module.model(one, variant)
    allowed = set(inspect.signature(module.VARIANTS[variant].by).parameters)
    assert set(arguments) <= allowed
    assert arguments["data"].n_observed > 0


@pytest.mark.parametrize(("name", "variant"), [one for one in VARIANTS if by(*one) is gi.infer])
def test_simulated_data_are_scored_and_sites_have_the_documented_names(name, variant):
    """With draws from the prior in the place of the priors, on the host: nothing is compiled."""
    module = MODELS[name]
    arguments = module.model(module.example(jax.random.key(0), variant), variant)
    if "model" in arguments:
        trace = handlers.trace(handlers.seed(arguments["model"], jax.random.key(1))).get_trace(arguments["data"])
        inner = {key for key, site in trace.items() if site["type"] == "sample" and not site["is_observed"]}
        assert all(f"``{key}``" in module.__doc__ for key in inner)
        made = {key for key, site in trace.items() if site["type"] == "deterministic"}
        names = made & set(module.VARIANTS[variant].sites) or inner
        scored = log_density(handlers.seed(arguments["model"], jax.random.key(1)), (arguments["data"],), {}, {})[0]
    else:
        world, agent, reward, data = (arguments[key] for key in ("world", "agent", "reward", "data"))
        model = StandardModel(world, agent, reward)
        sites = model.sites(data)
        names = {site.name for site in sites}
        draws = {site.name: np.asarray(site.prior.sample(jax.random.key(1)), float) for site in sites}
        behavior = model.behavior(draws, data.context_names, model.levels(data))
        scored = np.sum(behavior.log_prob_by("trajectory", data))
        names |= {f"agent.{agent.parameter}"} if hasattr(agent, "parameter") else set()
    assert names == set(module.VARIANTS[variant].sites)
    assert np.isfinite(scored)
    assert scored < 0


@pytest.mark.parametrize(("name", "variant"), [one for one in SOME if by(*getattr(one, "values", one)) is not gi.infer])
def test_exact_posteriors_are_those_of_the_reference(name, variant, made, repository):
    module = MODELS[name]
    sites = module.VARIANTS[variant].sites
    posterior = made.fitted(module, variant)
    assert set(posterior.dims) == {"trajectory", "step", *sites}
    entry = reference(repository, name)["variants"][variant]["posterior"]
    found = made.enumerated(posterior, sites)["posterior"]
    assert set(found) == set(entry)
    for key, numbers in entry.items():
        assert found[key]["mean"] == pytest.approx(numbers["mean"], rel=1e-6, abs=1e-8), key


@pytest.mark.parametrize("name", MODELS)
def test_references_have_their_settings_and_their_checks_hold(name, made, repository):
    entry = reference(repository, name)
    module = MODELS[name]
    assert entry["model"] == name
    assert entry["seeds"] == made.SEEDS
    assert set(entry["versions"]) == {"python", "goalinf", "jax", "numpyro", "numpy"}
    assert list(entry["variants"]) == list(module.VARIANTS)
    for variant, own in entry["variants"].items():
        assert own["sites"] == list(module.VARIANTS[variant].sites)
        assert own["checks"]
        assert all(own["checks"].values()), (variant, own["checks"])
        sampled = module.VARIANTS[variant].by is gi.infer
        assert (own["settings"]["method"] == "exact") != sampled
        for key, numbers in own["posterior"].items():
            assert np.isfinite(numbers["mean"]), key
            if "r_hat" in numbers and "depth" not in key:
                assert numbers["r_hat"] <= made.LIMITS["r_hat_at_most"], key
                assert min(numbers["ess_bulk"], numbers["ess_tail"]) >= made.LIMITS["ess_at_least"], key
                assert list(numbers["quantiles"].values()) == sorted(numbers["quantiles"].values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("ziebart_2008", "2010"),
        ("planning_depth", "depths"),
        ("reddy_2018", "tasks"),
        ("delay_discounting", "hyperbolic"),
    ],
)
def test_another_seed_finds_the_reference_again(name, variant, made, repository, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # gi.infer is not annotated for one of several
    sites = MODELS[name].VARIANTS[variant].sites
    found = made.sampled(made.fitted(MODELS[name], variant, seed=20, draws=1000), sites)["posterior"]
    entry = reference(repository, name)["variants"][variant]["posterior"]
    assert set(found) == set(entry)
    checked = 0
    for key, numbers in entry.items():
        if "mcse_mean" not in numbers:
            continue
        error = np.hypot(numbers["mcse_mean"], found[key]["mcse_mean"])
        assert abs(found[key]["mean"] - numbers["mean"]) < 5 * error, key
        checked += 1
    assert checked


def test_exact_needs_finitely_many_values():
    evans = MODELS["evans_2016"]
    walk = evans.example(jax.random.key(0), "continuous")
    with pytest.raises(ValueError, match=r"'reward' is not one of finitely many values .* use gi\.infer"):
        exact(**evans.model(walk, "continuous"))
