r"""Leave-one-out predictive densities where every unit is one of several agents.

The option k of a unit is summed over, so that its actions depend on one another given the parameters. With
:math:`w_k` the weights of the options and j the other items (trajectories, steps) of the same unit,

.. math:: p(y_i \mid y_{-i}, \theta) =
    \frac{\sum_k w_k\,p_k(y_i)\,\prod_j p_k(y_j)}{\sum_k w_k\,\prod_j p_k(y_j)}.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from scipy.special import logsumexp

from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_density
from goalinf.inference.scoring.by_option import Scores, agent_scorer, flattened


def depend(fit: Fit, unit: str) -> bool:
    """Return True where several units of this kind share one unknown option of a mixture, and so depend on another."""
    order = fit.data.units
    return order.index(fit.tree.attrs.get("one_of_several", order[0])) > order.index(unit)


def given_the_rest(fit: Fit, values: Mapping[str, np.ndarray], unit: str) -> np.ndarray:
    """Return the log density of every unit with an observed action given all other data, ``(chains, draws, I)``.

    Parameters
    ----------
    fit : Fit
        Posterior draws.
    values : mapping from name to array (chains, draws, …)
        Draws of all sites.
    unit : str
        Unit of the data that is left out.

    Raises
    ------
    ValueError
        Where the fit of a model of your own was loaded from a file.
    """
    data = fit.data
    shape = next(iter(values.values())).shape[:2]
    flat = flattened(values)
    part = data.unit if data.units.index(unit) > data.units.index(data.unit) else unit  # of which the unit consists
    scores: Scores
    if isinstance(fit.model, StandardModel):
        scorer = agent_scorer(fit, flat, data, unit=part)
        by, scores = [scorer.by], [scorer.at({})]
    else:
        density, unlabeled = fitted_density(fit), data.unlabeled()
        units = density.units({name: draws[0] for name, draws in flat.items()}, unlabeled)
        by = [group or data.unit for group in units]  # a single agent is one option
        scores = density.over_draws(("options", part), partial(density.options, unit=part), flat, unlabeled)
    is_scored = data.scored(part)
    positions = np.nonzero(is_scored)[0]  # along the axis of data.unit
    items = np.arange(positions.size) if unit == part else np.asarray(data.members(unit))[positions]
    total = sum(
        _given_others(log_weights, option_scores[:, :, is_scored], np.asarray(data.members(group))[positions], items)
        for group, (log_weights, option_scores) in zip(by, scores, strict=True)
    )
    total = np.asarray(total)
    return np.broadcast_to(total, (shape[0] * shape[1], total.shape[1])).reshape(*shape, -1)


def _given_others(log_weights: np.ndarray, scores: np.ndarray, units: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the log density of every item given all others, by draw, ``(D, I)``.

    Parameters
    ----------
    log_weights : float (D, K)
        Log prior probabilities of the options.
    scores : float (D, K, M)
        Log-likelihoods of parts under every option.
    units : int (M,)
        Unit of the mixture of every part.
    items : int (M,)
        Item, left out as a whole, of every part.
    """
    (of_unit, of_item), part = np.unique(np.stack([units, items]), axis=1, return_inverse=True)
    impossible = np.isneginf(scores)
    added = [sums(values, part.ravel()) for values in (np.where(impossible, 0.0, scores), impossible)]
    unit_sums = [sums(values, of_unit)[..., ranks(of_unit)] for values in added]
    remaining = [total - item_sum for total, item_sum in zip(unit_sums, added, strict=True)]
    log_joint = [np.where(count > 0, -np.inf, total) for total, count in (unit_sums, remaining)]
    density = np.subtract(*[logsumexp(log_weights[..., None] + values, axis=1) for values in log_joint])
    return sums(density, of_item)


def sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sum over the last axis by group, in the order of the group numbers."""
    order = np.argsort(group, kind="stable")
    starts = np.unique(group[order], return_index=True)[1]
    return np.add.reduceat(values[..., order].astype(float), starts, axis=-1)


def ranks(numbers: np.ndarray) -> np.ndarray:
    """Replace numbers by ranks without gaps, in the same order."""
    return np.unique(numbers, return_inverse=True)[1].ravel()
