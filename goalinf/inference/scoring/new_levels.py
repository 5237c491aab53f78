"""Held-out scores of subjects with parameters that the fit does not know, which are integrated over their group."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

from goalinf.data import Observations
from goalinf.data.covariates import level_names
from goalinf.inference.results.fit import Fit
from goalinf.inference.scoring.by_option import AgentScorer, unknown_levels
from goalinf.inference.scoring.effects import EMPTY, SHARED, Effects, owners, with_common_effects, with_levels
from goalinf.inference.scoring.given_the_rest import ranks
from goalinf.inference.scoring.integration import Integral, integrate
from goalinf.worlds.world import label

_ENOUGH = 4e-4  # squared relative error of the predictive density of every item: 2 %
_INACCURATE = 1e-2  # from which a score is reported as inaccurate: 10 %
Conditional = Callable[[np.ndarray, np.ndarray], np.ndarray]  # scores of options -> given earlier items of the unit


def has_new_levels(fit: Fit, scorer: AgentScorer, data: Observations) -> np.ndarray:
    """Return True for every item of the data whose subject has a level that the fit does not know.

    Raises
    ------
    ValueError
        Where such a level does not belong to one subject alone, or a mixture has one option for all data.
    """
    new = np.zeros(len(data.subject), bool)
    subjects = np.asarray(data.subject)
    for site in with_levels(scorer.sites):
        unknown, owner = unknown_levels(site, fit.data, data), owners(site, data, subjects)
        if "subject" not in site.by and unknown.any():
            raise ValueError(_unknown(fit, site.name, site.by, data))
        new |= np.isin(subjects, owner[unknown & (owner >= 0)])
    if new.any() and scorer.by == "data":
        raise ValueError(
            f"subject {data.names('subject')[subjects[new.argmax()]]!r} was not fitted, and all data are one of "
            "several agents: the integral over the parameters of the subject is not available. Give every subject an "
            "agent (by='subject'), or score subjects of the fit"
        )
    return new


def over_new_levels(
    fit: Fit, scorer: AgentScorer, data: Observations, new: np.ndarray, conditional: Conditional
) -> np.ndarray:
    """Return log-likelihoods (D, N) of items given the earlier ones of their subject, with new levels integrated out.

    Parameters
    ----------
    new : bool (N,)
        Items of subjects with levels that the fit does not know (:func:`has_new_levels`).
    conditional : callable
        Log weights (D, K) and log-likelihoods (D, K, N) of the options to log-likelihoods (D, N) of the items, given
        the earlier items of the same unit of the mixture.
    """
    items = np.flatnonzero(new)
    owner = ranks(np.asarray(data.subject)[items])
    of_items = np.full(len(data.subject), EMPTY)
    of_items[items] = owner
    effects = []
    for group in with_common_effects(scorer.sites):
        level_owner = np.where(unknown_levels(group[0], fit.data, data), owners(group[0], data, of_items), SHARED)
        effects.append(Effects.of(group, level_owner, scorer.draws))

    def joint(log_weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _by_owner(partial(np.cumsum, axis=1), conditional(log_weights, scores)[:, items], owner)

    integral = integrate(scorer, effects, joint, owner, lambda result: bool((_error(result) <= _ENOUGH).all()))
    if (worst := float(_error(integral).max())) > _INACCURATE:
        warnings.warn(
            f"the predictive density of new subjects is an integral over their parameters, with a relative Monte Carlo "
            f"error up to {np.sqrt(worst):.2g}: their scores are not accurate. Score fewer trajectories per subject",
            UserWarning,
            stacklevel=3,
        )
    total = np.array(conditional(*scorer.at({})))
    total[:, items] = _by_owner(differences, integral.log_likelihood, owner)
    return total


def _error(integral: Integral) -> np.ndarray:
    """Return the squared relative error of the mean likelihood of every item, over independent errors of the draws."""
    largest = integral.log_likelihood.max(axis=0)
    likelihood = np.exp(integral.log_likelihood - np.where(np.isneginf(largest), 0.0, largest))
    return (likelihood**2 * integral.error).sum(axis=0) / np.maximum(likelihood.sum(axis=0), 1e-300) ** 2


def differences(until: np.ndarray) -> np.ndarray:
    """Return differences along the last axis, from zero; zero after an impossible entry."""
    before = np.concatenate([np.zeros((len(until), 1)), until[:, :-1]], axis=1)
    possible = before > -np.inf
    return np.where(possible | np.isnan(before), until - np.where(possible, before, 0.0), 0.0)


def _by_owner(function: Callable[[np.ndarray], np.ndarray], values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Apply a function of values along the last axis to the items of every owner."""
    result = np.empty_like(values)
    for number in np.unique(owner):
        at = owner == number
        result[:, at] = function(values[:, at])
    return result


def _unknown(fit: Fit, name: str, by: tuple[str, ...], data: Observations) -> str:
    """Return a message about a level, of a unit other than the subject, that was not fitted."""
    for unit in by:
        known = level_names(fit.data, unit)
        if unknown := [level for level in level_names(data, unit) if level not in set(known)]:
            return (
                f"{unit} {unknown[0]!r} was not fitted, and {name} has one value per {unit}: this one has none. "
                f"Score {unit}s of the fit ({', '.join(map(label, known))})"
            )
    return f"{name} has no value for a combination of {' and '.join(by)}: score combinations of the fit"
