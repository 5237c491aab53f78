"""Reference posteriors of the catalogue: every model on its own example data.

    python models/reference/make.py                       # all models; minutes
    python models/reference/make.py baker_2009 reddy_2018 # some of them

Each model has one JSON file: settings, seeds and versions; for every quantity with a posterior its mean, sd, quantiles,
effective sample sizes, R-hat and Monte Carlo error of the mean; and the checks that it passed. Exact posteriors have
neither sampling errors nor seeds.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import xarray as xr

import goalinf as gi
import goalinf_models
from goalinf.atomic_files import written_whole

FOLDER = Path(__file__).parent
SEEDS = {"data": 0, "fit": 1}
SETTINGS = {"chains": 4, "draws": 2500}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LIMITS = {"r_hat_at_most": 1.01, "ess_at_least": 400.0, "divergences": 0, "planner_failures": 0}


def catalogue() -> dict[str, ModuleType]:
    """Return the models by name."""
    modules = {name: getattr(goalinf_models, name) for name in goalinf_models.__all__}
    return {name: thing for name, thing in modules.items() if isinstance(thing, ModuleType)}


def example(module: ModuleType, variant: str) -> Any:
    """Make the data of a reference posterior."""
    return module.example(jax.random.key(SEEDS["data"]), variant)


def fitted(module: ModuleType, variant: str, *, seed: int = SEEDS["fit"], **settings: Any) -> Any:
    """Compute the posterior of a variant given its example data."""
    by, arguments = module.VARIANTS[variant].by, module.model(example(module, variant), variant)
    if by is gi.infer:
        return by(jax.random.key(seed), **arguments, **{**SETTINGS, **settings}, progress=False)
    return by(**arguments)


def sampled(fit: gi.Fit, sites: tuple[str, ...]) -> dict[str, Any]:
    """Make the entry of a posterior from chains."""
    numbers: dict[str, Any] = {}
    draws = fit.posterior
    for site in sites:
        table = fit.summary(site).reset_index(drop=True)
        flat = draws[site].values.reshape(-1, *draws[site].shape[2:])
        flat = flat.reshape(len(flat), -1)
        for i, label in enumerate(labels(draws[site].isel(chain=0, draw=0))):
            row = table.iloc[i]
            numbers[f"{site}{label}"] = {
                "mean": float(flat[:, i].mean()),
                "sd": float(flat[:, i].std(ddof=1)),
                "quantiles": dict(zip(map(str, QUANTILES), np.quantile(flat[:, i], QUANTILES).tolist(), strict=True)),
                **{key: float(row[key]) for key in ("ess_bulk", "ess_tail", "r_hat", "mcse_mean")},
            }
    if "responsibilities" in fit.tree:
        for name, share in fit.responsibilities.data_vars.items():
            mean = share.mean(("chain", "draw"))
            for label, value in zip(labels(mean), mean.values.ravel(), strict=True):
                numbers[f"P({name}){label}"] = {"mean": float(value)}
    continuous = [
        entry for key, entry in numbers.items() if "r_hat" in entry and key.split("[")[0] not in fit._discrete
    ]
    found = {
        "r_hat": max(entry["r_hat"] for entry in continuous),
        "ess": min(min(entry["ess_bulk"], entry["ess_tail"]) for entry in continuous),
        "divergences": fit.divergences,
        "planner_failures": int(fit.tree.attrs["planner_failures"]),
    }
    checks = {
        "r_hat": found["r_hat"] <= LIMITS["r_hat_at_most"],
        "ess": found["ess"] >= LIMITS["ess_at_least"],
        "divergences": found["divergences"] == 0,
        "planner_failures": found["planner_failures"] == 0,
    }
    method = {"method": str(fit.tree.attrs["algorithm"]), "sampler": str(fit.tree.attrs["sampler"]), **SETTINGS}
    return {"settings": method, "posterior": numbers, "found": found, "checks": checks}


def enumerated(posterior: xr.DataArray, sites: tuple[str, ...]) -> dict[str, Any]:
    """Make the entry of an exact posterior: of every trajectory, halfway and after its last step."""
    numbers: dict[str, Any] = {}
    steps = posterior.sizes["step"] - 1
    for n, step in product(range(posterior.sizes["trajectory"]), (steps // 2, steps)):
        then = posterior.isel(trajectory=n, step=step)
        numbers[f"log_evidence[{n}, {step}]"] = {"mean": float(then["evidence"])}
        for site in sites:
            share = then.sum([dim for dim in then.dims if dim != site])
            for value in share[site].values.tolist():
                numbers[f"P({site})[{n}, {step}, {value}]"] = {"mean": float(share.sel({site: value}))}
            if share[site].dtype.kind in "fi":
                mean = float((share * share[site]).sum())
                sd = float((share * (share[site] - mean) ** 2).sum()) ** 0.5
                numbers[f"{site}[{n}, {step}]"] = {"mean": mean, "sd": sd}
    total = posterior.sum([dim for dim in posterior.dims if dim not in ("trajectory", "step")])
    error = float(np.abs(total - 1.0).max())
    checks = {"sums_to_one": error < 1e-9, "evidence_falls": bool((posterior.evidence.diff("step") < 1e-9).all())}
    return {"settings": {"method": "exact"}, "posterior": numbers, "found": {"error": error}, "checks": checks}


def labels(values: xr.DataArray) -> list[str]:
    """Make the labels of the entries, in brackets and in order."""
    if not values.dims:
        return [""]
    named = [values[dim].values.tolist() for dim in values.dims]
    return [
        f"[{', '.join(str(own[i]) for own, i in zip(named, place, strict=True))}]" for place in np.ndindex(values.shape)
    ]


def reference(module: ModuleType) -> dict[str, Any]:
    """Make the entries of all variants of a model."""
    variants = {}
    for name, variant in module.VARIANTS.items():
        posterior = fitted(module, name)
        entry = (sampled if isinstance(posterior, gi.Fit) else enumerated)(posterior, variant.sites)
        variants[name] = {"question": variant.question, "sites": list(variant.sites), **entry}
    libraries = {library: version(library) for library in ("goalinf", "jax", "numpyro", "numpy")}
    made = {"python": platform.python_version(), **libraries}
    return {"model": module.__name__.split(".")[-1], "seeds": SEEDS, "versions": made, "variants": variants}


def main(names: list[str]) -> int:
    """Write the files of these models and return the number of failed checks."""
    failed = 0
    for name in names or catalogue():
        entry = reference(catalogue()[name])
        wrong = [
            f"{variant}: {check}"
            for variant, posteriors in entry["variants"].items()
            for check, ok in posteriors["checks"].items()
            if not ok
        ]
        failed += len(wrong)
        with written_whole(FOLDER / f"{name}.json") as partial:
            partial.write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {len(entry['variants'])} variants; {', '.join(wrong) or 'every check holds'}\n")
    return failed


if __name__ == "__main__":
    raise SystemExit(min(main(sys.argv[1:]), 1))
