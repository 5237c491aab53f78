"""Log-likelihoods of further data by draw of a fit and by option of its mixture.

Every behavior of a model has scores of every trajectory under every option. A single agent is one option.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import log_softmax

from goalinf.agents.plannable import check_plannable
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.data import Observations, Trajectories
from goalinf.data.covariates import level_names, level_numbers
from goalinf.data.matching.align import aligned, new_names
from goalinf.inference.model.log_density import Density, Model
from goalinf.inference.model.models import CustomModel, Draw, StandardModel
from goalinf.inference.model.priors import Site
from goalinf.inference.model.program_cache import mapped, recipe, shapes, shared
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_density

Draws = Mapping[str, np.ndarray]
Scores = list[tuple[np.ndarray, np.ndarray]]  # of every behavior, log weights (D, K) and log-likelihoods (D, K, N)


def thinned(draws: xr.Dataset, most: int) -> dict[str, np.ndarray]:
    """Select evenly spaced draws of all variables, ``(chain, draw, …)``, at most this many per chain."""
    every = -(-draws.sizes["draw"] // most)
    return {str(name): draws[name].values[:, ::every] for name in draws.data_vars}


def flattened(values: Draws) -> dict[str, np.ndarray]:
    """Join the draws of all chains: arrays ``(chain, draw, …)`` to ``(D, …)``."""
    return {name: draws.reshape(-1, *draws.shape[2:]) for name, draws in values.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class AgentScorer:
    """Log-likelihoods of observations under every option of a fitted agent.

    Parameters
    ----------
    sites : list of Site
        Parameters, in the order in which they are computed.
    draws : mapping from site to array (D, …)
        Draws of all sites that are not computed, for the levels of these observations.
    by : str
        Unit of the mixture; a single agent is one option, of every unit of the data.
    program : callable
        Draws of all sites to log weights (D, K) and log-likelihoods (D, K, N).
    """

    sites: list[Site]
    draws: Draws
    by: str
    program: Callable[[Draws], tuple[np.ndarray, np.ndarray]]

    def at(self, changed: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Return log weights (D, K) and log-likelihoods (D, K, N), with other values of some of the sites."""
        return self.program(_computed(self.sites, {**self.draws, **changed}))


def agent_scorer(
    fit: Fit,
    values: Draws,
    data: Observations,
    world: Worlds | None = None,
    reward: Rewards | None = None,
    *,
    unit: str | None = None,
) -> AgentScorer:
    """Make the scorer of the fitted agent in these worlds and with these rewards; default: those of the fit.

    Levels of the data that the fit does not know have the values of arbitrary levels of the fit.
    """
    item = unit or data.unit
    fitted = fit.standard("agent")
    model = StandardModel(
        fitted.world if world is None else world, fitted.agent, fitted.reward if reward is None else reward
    )
    contexts = data.context_names
    data.check(Conditions.of(model.world, model.reward, contexts).worlds, model.agent)
    sites, levels = model.sites(data, fit.data), model.levels(data)
    names = [site.name for site in sites if not site.computed and site.name in values]
    draws = {site.name: _for_levels(site, values[site.name], fit.data, data) for site in sites if site.name in names}
    complete = _computed(sites, draws)
    _check_draws({site.name: site.prior.shape() for site in sites}, complete)
    first = model.behavior({name: array[0] for name, array in complete.items()}, contexts, levels)
    for condition_world, condition_reward in first.conditions.distinct.pairs():
        check_plannable(first.agent, condition_world, condition_reward)
    host_model, unlabeled = model.own_arrays(), (data if levels is None else levels.coded(data)).unlabeled()

    def options(draw: Draw, observations: Observations) -> Any:
        return host_model.behavior(draw, contexts, levels).by_option(item, observations)

    def without_parameters(_: Draws) -> tuple[np.ndarray, np.ndarray]:
        log_weights, scores = jax.device_get(options({}, unlabeled))
        return log_weights[None], scores[None]

    by = model.agent.by or data.unit
    if not sites:
        return AgentScorer(sites, draws, by, without_parameters)
    plans = None if levels is None else levels.arrays
    key = recipe(*host_model.contents(), contexts, jnp.result_type(float).name, shapes(unlabeled), plans)
    program = shared(key, ("options", item), lambda: mapped(options))
    return AgentScorer(sites, draws, by, lambda complete: jax.device_get(program(complete, (unlabeled,))))


def _computed(sites: list[Site], draws: Draws) -> dict[str, np.ndarray]:
    """Return draws of all sites, in which those that are computed have the covariates of the data of the sites."""
    complete: dict[str, np.ndarray] = {}
    for site in sites:
        if site.computed:
            complete[site.name] = np.asarray(jax.vmap(site.compute)(complete))
        elif site.name in draws:
            complete[site.name] = draws[site.name]
    return complete


def options_of_own_model(
    fit: Fit, values: Draws, data: Observations, model: Model | None, new_subjects: list[Hashable]
) -> tuple[list[str], Scores, list[np.ndarray | None]]:
    """Score every behavior in a user's own model, with log posterior probabilities of its options by unit."""
    if not isinstance(data, Trajectories):
        raise TypeError(f"a model of your own is scored on trajectories; found {type(data).__name__}")
    subjects, contexts = fit.data.subject_names, fit.data.context_names
    new_contexts = new_names("context", data.context_names, contexts)
    observations = aligned(data, (*subjects, *new_subjects), (*contexts, *new_contexts))
    if model is None:
        density = fitted_density(fit)
        density.check(observations)
    else:
        density = Density.of(model, observations, jax.random.key(0))
    _check_draws({name: np.shape(start) for name, start in density.sites(observations).items()}, values)
    units = density.units({name: array[0] for name, array in values.items()}, observations)
    scored_units = [unit or data.unit for unit in units]  # one agent is one option
    if not scored_units:
        raise ValueError(
            "this model has no site that goalinf can score: give it an observed site that is a gi.Behavior"
        )
    options = partial(density.options, unit=data.unit)
    scores = density.over_draws("options", options, values, observations)
    if new_subjects and len(subjects) > 1:
        swapped = density.over_draws(
            "options", options, values, aligned(data, (*new_subjects, *subjects), (*contexts, *new_contexts))
        )
        _check_new_subjects(data, new_subjects, scores, swapped)
    log_posteriors: list[np.ndarray | None] = [None] * len(scored_units)
    if any(unit != data.unit for unit in scored_units):
        known_function = isinstance(fit.model, CustomModel) and fit.model.function is not None
        fitted = fitted_density(fit) if known_function else density
        all_fitted_scores = fitted.over_draws(
            "options", partial(fitted.options, unit=data.unit), values, fit.data.unlabeled()
        )
        log_posteriors = [
            _members(unit, *fitted_scores, data=fit.data)
            for unit, fitted_scores in zip(scored_units, all_fitted_scores, strict=True)
        ]
    return scored_units, scores, log_posteriors


def _for_levels(site: Site, draws: np.ndarray, fitted: Observations, data: Observations) -> np.ndarray:
    """Return the draws of a parameter for the levels of further data, by name; of the first level for unknown ones."""
    for axis, unit in enumerate(site.by, start=1):
        number_of = {name: number for number, name in enumerate(level_names(fitted, unit))}
        draws = np.take(draws, [number_of.get(name, 0) for name in level_names(data, unit)], axis=axis)
    return draws


def unknown_levels(site: Site, fitted: Observations, data: Observations) -> np.ndarray:
    """Return True for every level of a site, in a flat array, that occurs in the data and is not known to the fit."""
    known = [set(level_names(fitted, unit)) for unit in site.by]
    names = [level_names(data, unit) for unit in site.by]
    sizes = tuple(map(len, names))
    is_known = [np.array([name in of_unit for name in each]) for each, of_unit in zip(names, known, strict=True)]
    occurring = np.zeros(sizes, bool)
    occurring[tuple(level_numbers(data, unit) for unit in site.by)] = True
    return (occurring & ~np.all(np.meshgrid(*is_known, indexing="ij"), axis=0)).ravel()


def _check_draws(shapes: Mapping[str, tuple[int, ...]], values: Draws) -> None:
    """Check that the fit has draws of every parameter of a model, in its shape."""
    for name, shape in shapes.items():
        if name not in values or values[name].shape[1:] != shape:
            received = f"of shape {values[name].shape[1:]}" if name in values else "none"
            raise ValueError(
                f"these data need draws of {name} of shape {shape}, and the fit has {received}: held-out data are "
                f"scored with the draws of the fit, which are {', '.join(values)}"
            )


def _check_new_subjects(data: Trajectories, new_subjects: list[Hashable], scores: Scores, swapped: Scores) -> None:
    """Refuse subjects that were not fitted where their scores depend on the number of the subject."""
    names = [data.subject_names[number] for number in np.asarray(data.subject)]
    is_new = np.array([name in new_subjects for name in names])
    for (_, original), (_, exchanged) in zip(scores, swapped, strict=True):
        if not np.allclose(original[..., is_new], exchanged[..., is_new], equal_nan=True):
            raise ValueError(
                f"subject {new_subjects[0]!r} was not fitted, and the model indexes parameters by data.subject: this "
                "subject has none. Score subjects of the fit, or give model= a model that defines a distribution "
                "for a new subject"
            )


def _members(unit: str, log_weights: np.ndarray, scores: np.ndarray, *, data: Observations) -> np.ndarray | None:
    """Return log posterior probabilities ``(D, G, K)`` of the options of every unit; None where all units are new.

    Parameters
    ----------
    unit : str
        Unit of the mixture.
    log_weights : float (D, K)
        Log prior probabilities.
    scores : float (D, K, N)
        Log-likelihoods of the data of the fit.
    data : Observations
        Data of the fit.
    """
    if unit == data.unit:
        return None
    units = np.asarray(data.members(unit))
    joint = np.stack([scores[..., units == number].sum(-1) for number in range(units.max() + 1)], axis=1)
    return log_softmax(joint + log_weights[:, None], axis=2)
