r"""Log-likelihoods of units that have parameters of their own, with these parameters integrated out.

A posterior of the effects of a unit has seen the data of the unit. Leaving the unit out therefore needs
:math:`p(y_i \mid \phi)`, the likelihood given the parameters that the unit shares with others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import numpy as np
import pandas as pd
from scipy.special import logsumexp

from goalinf.data import Observations, Trajectories
from goalinf.data.matching.align import aligned
from goalinf.inference.model.models import CustomModel, StandardModel
from goalinf.inference.results.assemble import pointwise
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_density
from goalinf.inference.scoring.by_option import agent_scorer, flattened, thinned
from goalinf.inference.scoring.effects import SHARED, Effects, owners, with_common_effects, with_levels
from goalinf.inference.scoring.given_the_rest import sums
from goalinf.inference.scoring.integration import Integral, Joint, integrate, log_mean
from goalinf.precision import computing_in

_DRAWS = 500  # at which a marginal likelihood is estimated
_ENOUGH = 0.03  # squared relative error of the likelihood of every unit, mean over the draws
_CHECKED = 5  # draws at which a model of the user is evaluated with other numbers of subjects


def items_of(data: Observations, unit: str) -> np.ndarray:
    """Return the rank of the unit with observations to which every item of ``data.unit`` belongs; -1 for others."""
    scored, members = data.scored(data.unit), np.asarray(data.members(unit))
    items = np.full(len(members), -1)
    items[scored] = np.unique(members[scored], return_inverse=True)[1].ravel()
    return items


def owned(fit: Fit, unit: str) -> bool:
    """Return True where some unit of this kind has a parameter of its own: a level at which it alone has data."""
    if not isinstance(fit.model, StandardModel) or fit.data.units.index(unit) < fit.data.units.index(fit.data.unit):
        return False
    items = items_of(fit.data, unit)
    return any((owners(site, fit.data, items) >= 0).any() for site in with_levels(fit.sites))


def nested(fit: Fit, unit: str) -> bool:
    """Return True where all data of an option of a mixture belong to one unit of this kind."""
    items, groups = items_of(fit.data, unit), np.asarray(fit.data.members(fit.agent.by or fit.data.unit))
    return all(len(np.unique(items[(groups == group) & (items >= 0)])) < 2 for group in np.unique(groups))


def marginal(fit: Fit, values: Mapping[str, np.ndarray], unit: str) -> Integral:
    """Return log-likelihoods of the units with observations, without parameters of their own, (D, I).

    Parameters
    ----------
    fit : Fit
        Posterior draws.
    values : mapping from name to array (D, …)
        Draws of all sites.
    unit : str
        Unit of which some have parameters of their own (:func:`owned`) and in which mixtures are nested.
    """
    data, items = fit.data, items_of(fit.data, unit)
    scorer = agent_scorer(fit, values, data)
    groups = with_common_effects(scorer.sites)
    effects = [Effects.of(group, owners(group[0], data, items), values) for group in groups]

    def enough(integral: Integral) -> bool:
        return bool((integral.error.mean(axis=0) <= _ENOUGH).all())

    owner = np.arange(items.max() + 1)
    return integrate(scorer, effects, _total(data, scorer.by, items), owner, enough)


def evidence_by_subject(fit: Fit, name: str) -> pd.Series:
    """Return the log marginal likelihood of every subject with observations, where subjects are independent.

    Parameters
    ----------
    name : str
        Name of the fit, for messages.

    Raises
    ------
    ValueError
        Where subjects share an unknown parameter or have a group, so that their data are not independent.
    """
    data = fit.data
    model = fit.standard("agent", "give a table of log marginal likelihoods by subject")
    items = items_of(data, "subject")
    group = next((site.name for site in fit.sites if site.hierarchy is not None), None)
    shared = [site.name for site in fit.sites if not site.by or (owners(site, data, items) == SHARED).any()]
    if group is not None or shared or model.agent.by == "data":
        which = group or (shared[0] if shared else f"the agent of {model.agent.name}")
        raise ValueError(
            f"{name!r} has no log marginal likelihood by subject: {which} is {'of a group of' if group else 'one for'} "
            "several subjects, whose data are not independent (a leave-one-out density is no marginal likelihood). Fit "
            "with gi.no_pooling(…, by='subject') for every unknown parameter, or fit each subject alone and give a "
            "table of gi.inference.marginal_likelihood"
        )
    with computing_in(fit.tree.attrs["precision"]):
        if fit.sites:
            draws = flattened(thinned(fit.posterior, max(1, _DRAWS // fit.posterior.sizes["chain"])))
            nats = log_mean(marginal(fit, draws, "subject").log_likelihood)  # equal at all draws but for its error
        else:
            behavior = model.behavior({}, data.context_names)
            scores = np.asarray(jax.device_get(behavior.log_prob_by(data.unit, data.unlabeled())))
            nats = sums(scores[items >= 0], items[items >= 0])
    numbers = np.unique(np.asarray(data.subject)[items >= 0])
    return pd.Series(nats, pd.Index([data.names("subject")[number] for number in numbers], name="subject"))


def _total(data: Observations, by: str, items: np.ndarray) -> Joint:
    """Return the function from log weights and scores of options to log-likelihoods of items, (D, I)."""
    scored = np.flatnonzero(items >= 0)
    groups = np.asarray(data.members(by))[scored]
    item_of_group = items[scored][np.unique(groups, return_index=True)[1]]

    def total(log_weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
        of_groups = logsumexp(log_weights[..., None] + sums(scores[..., scored], groups), axis=1)
        return sums(of_groups, item_of_group)

    return total


def check_own_model(fit: Fit, unit: str, values: Mapping[str, np.ndarray]) -> None:
    """Refuse to leave subjects out of a user's own model that has parameters by subject.

    Parameters
    ----------
    values : mapping from name to array (chains, draws, …)
        Draws of all sites.

    Raises
    ------
    ValueError
        Where a variable has the axis ``subject``, or scores depend on the number of the subject; or, of a fit that was
        loaded from a file, a variable has an axis of as many entries as there are subjects.
    """
    if unit != "subject" or not isinstance(fit.model, CustomModel):
        return
    axes = {str(name): dict(zip(each.dims[2:], each.shape[2:], strict=True)) for name, each in fit.posterior.items()}
    by_subject = [name for name, sizes in axes.items() if "subject" in sizes]
    if fit.model.function is None and not by_subject:  # cannot be evaluated with other numbers
        by_subject = [name for name, sizes in axes.items() if len(fit.data.names("subject")) in sizes.values()]
    elif not by_subject:
        few = {name: draws[:1, :_CHECKED] for name, draws in values.items()}
        density, both = fitted_density(fit), (fit.data.unlabeled(), _exchanged(fit.data))
        original, other = (pointwise(density, few, data)[0] for data in both)
        if original is not None and other is not None and not np.allclose(original, other, equal_nan=True):
            by_subject = ["data.subject"]
    if by_subject:
        raise ValueError(
            f"this model of your own has parameters by subject ({by_subject[0]}), which have seen the data of the "
            "subject: leaving a subject out needs the integral over its parameters, which goalinf computes for "
            "gi.partial_pooling, gi.no_pooling and gi.regression. Write the parameters so, or leave out trajectories "
            "(unit='trajectory')"
        )


def _exchanged(data: Observations) -> Observations:
    """Return the data, without labels, with the numbers of the subjects in reversed order."""
    if isinstance(data, Trajectories):
        return aligned(data, data.subject_names[::-1], data.context_names)
    bare, numbers = data.unlabeled(), np.asarray(data.subject)
    return dataclasses.replace(bare, subject=numbers.max() - numbers)
