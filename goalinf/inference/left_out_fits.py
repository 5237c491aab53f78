"""Units scored by fits of other data: exact leave-one-out, and folds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from goalinf.data import Labels, Trajectories
from goalinf.inference.bridge_sampling import bridge
from goalinf.inference.infer import infer
from goalinf.inference.predictive import by_draw, log_densities
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_data import check_data
from goalinf.inference.samplers.progress import Progress
from goalinf.inference.scoring.given_the_rest import sums
from goalinf.inference.scoring.marginal import items_of
from goalinf.types import PRNGKey

REFITTABLE = ("trajectory", "subject")  # units without which a model can be fitted


class Refitted(NamedTuple):
    """Log densities (I,) of units given all others, relative Monte Carlo errors, and whether the fits converged."""

    log_density: np.ndarray
    error: np.ndarray
    converged: np.ndarray


def check_refittable(fit: Fit, name: str, unit: str) -> None:
    """Refuse to score units by further fits where the model cannot be fitted without them.

    Raises
    ------
    ValueError
        Where the model is a user's own, the draws are an approximation, the data are no trajectories, or the unit is
        a step.
    """
    fit.standard("agent", "compare without refit=, or score the units by fits of your own")
    if fit.kind == "approximation":
        raise ValueError(
            f"refit= is given, and the draws of the fit {name!r} are an approximation ({fit.tree.attrs['algorithm']}); "
            "bridge sampling needs draws of the posterior: fit with gi.infer(method='auto')"
        )
    if not isinstance(fit.data, Trajectories) or unit not in REFITTABLE:
        raise ValueError(
            f"refit= is given, and the unit is {unit!r} of {type(fit.data).__name__}; expected unit='trajectory' or "
            "unit='subject' of gi.Trajectories"
        )


def refitted(key: PRNGKey, fit: Fit, unit: str, items: Sequence[int] | np.ndarray, scores: np.ndarray) -> Refitted:
    r"""Score units given all other units, by fits of the others.

    .. math:: p(y_i \mid y_{-i}) = \frac{\int p(y_i \mid \theta)\,p(y_{-i} \mid \theta)\,p(\theta)\,d\theta}
        {\int p(y_{-i} \mid \theta)\,p(\theta)\,d\theta}

    is a ratio of normalizing constants of two posteriors, and is estimated from draws of both by bridge sampling. An
    average over draws of the second alone has a large error where the unit is improbable.

    Parameters
    ----------
    key : jax.random key
        Source of randomness, which is consumed.
    fit : Fit
        Fit of trajectories, of which the model, the data, and the numbers of chains and draws are taken.
    unit : str
        ``"trajectory"`` or ``"subject"``.
    items : sequence of int
        Ranks of the units, among those with observed actions.
    scores : float (chains, draws, I)
        Log densities of these units given the others, at draws of the fit.
    """
    check_data(fit.tree, fit.data)
    data = with_names(fit.data)
    of_item, found = items_of(data, unit), []
    with Progress(f"{unit} left out", len(items), divergences=False) as progress:
        for number, item in enumerate(items):
            rest = _fit_again(jax.random.fold_in(key, number), fit, data.select(of_item != item))
            without, _ = by_draw(rest, data.select(of_item == item))
            found.append((*bridge(scores[..., number], without.sum(axis=1)), rest.converged))
            progress.advance(1)
    return Refitted(*(np.array(values) for values in zip(*found, strict=True)))


def _fit_again(key: PRNGKey, fit: Fit, data: Trajectories) -> Fit:
    """Fit the model of a fit to other data, with as many draws."""
    return infer(
        key,
        fit.world,
        agent=fit.agent,
        reward=fit.reward,
        data=data,
        chains=fit.posterior.sizes["chain"],
        draws=fit.posterior.sizes["draw"],
        precision=fit.tree.attrs["precision"],
        progress=False,
    )


def scores_by_unit(fit: Fit, data: Trajectories, unit: str) -> pd.DataFrame:
    """Return ``choices`` (observed actions) and ``log_density`` of units that were not fitted, by their names.

    The density of a unit is that of all its choices together, averaged over draws.
    """
    log_probs, coupled = by_draw(fit, data)
    rows, items = np.flatnonzero(data.scored("trajectory")), items_of(data, unit)
    first = np.unique(items[rows], return_index=True)[1]
    log_density = log_densities(sums(log_probs[:, rows], items[rows]), coupled[rows][first])
    choices = sums(np.asarray(data.scored("step")).sum(axis=1)[rows], items[rows])
    names = [data.names(unit)[number] for number in np.asarray(data.members(unit))[rows][first]]
    index = pd.Index(names, name=unit, tupleize_cols=False)
    if (impossible := np.flatnonzero(np.isneginf(log_density))).size:
        raise ValueError(
            f"{unit} {names[impossible[0]]!r}: its actions have probability zero at every draw of a fit of other data. "
            "Check that all actions are available; remove the step, mark the action as missing, or use an agent with "
            "lapses"
        )
    return pd.DataFrame({"choices": choices.astype(int), "log_density": log_density}, index=index)


def with_names(data: Trajectories) -> Trajectories:
    """Return the data with names of subjects, which parts of the data keep; their numbers where they have none."""
    if data.labels is not None:
        return data
    labels = Labels(tuple(range(data.n_trajectories)), data.subject_names, data.context_names)
    return dataclasses.replace(data, labels=labels, contexts=None)
