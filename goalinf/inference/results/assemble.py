"""From raw draws to a fit: values of the model as it was written, labels, and the log-likelihood of the choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr
from scipy.special import softmax

from goalinf.agents.agent import By
from goalinf.agents.mixture_agent import MixtureAgent
from goalinf.checks import numpy_generator
from goalinf.data import Observations
from goalinf.inference.model import site_labels
from goalinf.inference.model.log_density import Data, Density
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.model.tabulated.likelihood_table import LikelihoodTable
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.standing import as_group
from goalinf.inference.samplers.sampler import Sampled
from goalinf.planning.log_space import safe_log
from goalinf.precision import Precision
from goalinf.types import PRNGKey


def assembled(key: PRNGKey, posterior: Posterior, precision: Precision, first_draw: int, sampled: Sampled) -> Fit:
    """Make the fit of draws; ``first_draw`` is the number of the first of them in its run."""
    key = jax.random.fold_in(key, first_draw) if first_draw else key
    x, coordinates = sampled.draws["x"], sampled.coordinates
    geometry, parameterization = coordinates.geometry, coordinates.parameterization
    flat = geometry.center + x.reshape(-1, x.shape[-1]) @ geometry.scale.T
    values = posterior.values(jax.random.fold_in(key, 1), parameterization, flat)
    values = {name: draws.reshape(*x.shape[:2], *draws.shape[1:]) for name, draws in values.items()}
    stats = {name: sampled.draws[name] for name in sampled.draws if name not in ("x", "scores")}
    stats["lp"] = -stats.pop("potential")
    attrs = {
        "sampler": sampled.sentence,
        "algorithm": sampled.algorithm,
        "kind": "MCMC",
        "whitened": int(geometry.whitened),
        "parameterization": parameterization.name,
        "warmup": sampled.warmup,
        "interrupted": int(sampled.interrupted),
        "modes": sampled.coordinates.modes,
        "modes_missed": sampled.coordinates.missed,
        "every": sampled.every,
        **sampled.diagnostics,
    }
    scores = sampled.draws.get("scores")
    return labeled_fit(key, posterior, values, stats, as_group(sampled), attrs, precision, scores=scores)


def enumerated(key: PRNGKey, posterior: Posterior, chains: int, draws: int, precision: Precision) -> Fit:
    """Draw the exact posterior where nothing but the agent, one of several, is unknown: independent draws.

    Raises
    ------
    ValueError
        Where some actions have probability zero under all of the agents.
    """
    model, data = posterior.model, posterior.labeled
    assert isinstance(model, StandardModel)
    behavior = model.behavior({}, data.context_names)  # without levels: nothing continuous is unknown
    scores = np.asarray(jax.device_get(behavior.log_prob_by(data.unit, posterior.data)))
    if impossible := np.flatnonzero(~np.isfinite(scores)).tolist():
        raise ValueError(
            f"{data.where(data.unit, impossible[0])}: its {data.noun}s have probability zero under every option of "
            f"{model.agent.name} ({len(impossible)} such {data.unit}s). Are all actions available there? Use agents "
            "that can lapse"
        )
    shape = chains, draws
    stats = {"diverging": np.zeros(shape, bool), "lp": np.full(shape, scores.sum())}
    sentence = "All that is unknown is discrete: the responsibilities are its exact posterior."
    attrs = {"sampler": sentence, "algorithm": "enumeration", "kind": "exact"}
    repeated = np.broadcast_to(scores, (*shape, len(scores)))
    return labeled_fit(key, posterior, {}, stats, xr.Dataset(), attrs, precision, scores=repeated)


def labeled_fit(
    key: PRNGKey,
    posterior: Posterior,
    values: Mapping[str, np.ndarray],
    stats: Mapping[str, np.ndarray],
    chain_state: xr.Dataset,
    attrs: Mapping[str, Any],
    precision: Precision,
    *,
    scores: np.ndarray | None = None,
) -> Fit:
    """Build a fit from draws ``(chains, draws, …)``, with labels, pointwise log-likelihood and provenance.

    ``scores (chains, draws, N)`` is the log-likelihood by trajectory, where it is known already.
    """
    shape = next(iter(stats.values())).shape[:2]
    posterior.check_inside(values)
    log_likelihood, failures = (scores, 0) if scores is not None else _by_trajectory(posterior, values, precision)
    dims: dict[str, Sequence[str]] = dict(posterior.dims)
    shares: dict[str, np.ndarray] = {}
    if (mixture := posterior.mixture) is not None:
        values, shares, discrete = _draw_options(key, posterior, mixture, values, shape)
        dims |= discrete
    labels, columns = site_labels.split_coords(posterior.coords)
    groups = {
        "posterior": site_labels.dataset(values, dims, labels, ("chain", "draw")),
        "sample_stats": site_labels.dataset(stats, {}, {}, ("chain", "draw")),
        "observed_data": site_labels.observed(posterior.labeled),
        "sampler": chain_state,
    }
    if constants := site_labels.constant_data(columns, groups["posterior"]):
        groups["constant_data"] = constants
    if log_likelihood is not None:
        unit = posterior.labeled.unit
        coords = {unit: site_labels.labels(posterior.labeled.names(unit))}
        axes = {"choices": (unit,)}
        groups["log_likelihood"] = site_labels.dataset({"choices": log_likelihood}, axes, coords, ("chain", "draw"))
    if shares:
        by_value = {name: (*dims[name], "value") for name in shares}
        groups["responsibilities"] = site_labels.dataset(shares, by_value, labels, ("chain", "draw"))
    tree = xr.DataTree.from_dict(groups)
    scored: dict[str, Any] = {}
    if log_likelihood is not None:
        scored["choices_scored"] = posterior.labeled.n_observed
        if units := _units(posterior, values):
            scored["one_of_several"] = max(units, key=posterior.labeled.units.index)
    provenance = site_labels.provenance(key, posterior.labeled, precision)
    tree.attrs = {**provenance, **scored, **attrs, "planner_failures": failures}
    return Fit(tree, posterior.labeled, posterior.model)


def _draw_options(
    key: PRNGKey,
    posterior: Posterior,
    mixture: MixtureAgent,
    values: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """Draw the option of every unit from its exact conditional; return values of all sites, probabilities and axes."""
    flat = {name: draws.reshape(-1, *draws.shape[2:]) for name, draws in values.items()}
    weights = flat["agent.weights"] if "agent.weights" in flat else np.asarray(mixture.weights)[None]
    joint = safe_log(weights)[..., None] + posterior.by_group(flat)
    joint = np.broadcast_to(joint, (shape[0] * shape[1], *joint.shape[1:]))
    shares = softmax(joint, axis=1)  # (B, K, G)
    rng = numpy_generator(key)
    options = (shares.cumsum(axis=1) < rng.random((len(shares), 1, shares.shape[2]))).sum(axis=1)
    options = np.minimum(options, shares.shape[1] - 1)
    if mixture.numeric:
        options = np.array(mixture.names)[options]
    dims = () if mixture.by == "data" else (mixture.by,)
    shares = np.moveaxis(shares, 1, -1)
    if mixture.by == "data":
        shares, options = shares[:, 0], options[:, 0]
    name = f"agent.{mixture.parameter}"
    all_values = {**values, name: options.reshape(*shape, *options.shape[1:])}
    return all_values, {name: shares.reshape(*shape, *shares.shape[1:])}, {name: dims}


def _units(posterior: Posterior, values: Mapping[str, np.ndarray]) -> list[By]:
    """Return the units of the mixtures: of the agent, or of the behaviors of an own model."""
    if (agent := posterior.agent) is not None:
        units = [agent.by]
    else:
        units = posterior.natural.density.units({name: draws[0, 0] for name, draws in values.items()}, posterior.data)
    return [unit for unit in units if unit is not None]


def _by_trajectory(
    posterior: Posterior, values: Mapping[str, np.ndarray], precision: Precision
) -> tuple[np.ndarray | None, int]:
    """Return the log-likelihood ``(chains, draws, N)`` of every unit; and at how many draws the planner failed."""
    shape = next(iter(values.values())).shape[:2]
    flat = {name: draws.reshape(-1, *draws.shape[2:]) for name, draws in values.items()}
    scored = posterior.by_trajectory(flat)
    if scored is not None:
        return scored.reshape(*shape, -1), int(np.isnan(scored).any(axis=-1).sum())
    data = posterior.data if posterior.table is None else posterior.table
    log_likelihood, residual = pointwise(posterior.written.density, values, data)
    return log_likelihood, int((residual > 1e3 * 64 * np.finfo(precision).eps).sum())


def pointwise(
    density: Density, values: Mapping[str, np.ndarray], data: Data, *, unit: str | None = None
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the log-likelihood of every draw, ``(chains, draws, N[, T])``, and the planners' residuals.

    Default of the unit: the one of which a fit keeps the log-likelihood.
    """
    shape = next(iter(values.values())).shape[:2]
    if not isinstance(data, (Observations, LikelihoodTable)):
        return None, np.zeros(shape)
    unit = unit or data.unit
    flat = {name: draws.reshape(-1, *draws.shape[2:]) for name, draws in values.items()}
    score = partial(density.log_likelihood, unit=unit)
    scored, residual = density.over_draws(("scores", unit), score, flat, data)
    if scored.ndim == 1:  # the model scores nothing that goalinf can split
        return None, np.zeros(shape)
    return scored.reshape(*shape, *scored.shape[1:]), residual.reshape(shape)
