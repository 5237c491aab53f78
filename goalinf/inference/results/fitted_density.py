"""Posterior density of a fit, made again from its model and its data."""

from __future__ import annotations

import numpy as np

from goalinf.data import Observations
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.log_density import Data, Density
from goalinf.inference.model.models import AnyModel
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.model.site_labels import data_hash, observed
from goalinf.inference.results.fit import Fit


def fitted_density(fit: Fit) -> Density:
    """Return the density of the model of a fit as it was written."""
    return fitted_posterior(fit).natural.density


def fitted_posterior(fit: Fit, model: AnyModel | None = None, data: Data | None = None) -> Posterior:
    """Return the posterior of which a fit has draws; default: of its own model and its own data.

    Raises
    ------
    ValueError
        Where the data are not those of the draws, or the function of a model is not known.
    """
    if data is not None and not _same_data(fit, data):
        raise ValueError(
            "data= are not the data of the fit: the draws belong to one data set; start anew with gi.infer"
        )
    if data is None:
        check_data(fit)
    return posterior_of(fit.model if model is None else model, fit.data if data is None else data)


def check_data(fit: Fit) -> None:
    """Refuse a fit whose data changed in place after its draws were made.

    Raises
    ------
    ValueError
        Where they did, or were not kept in a file.
    """
    if not _same_data(fit, fit.data):
        raise ValueError(_changed(fit))


def _same_data(fit: Fit, data: Data) -> bool:
    """Equal numbers, and equal names of contexts, by which a model finds worlds and rewards."""
    if data_hash(data) != fit.tree.attrs["data_hash"]:
        return False
    both = isinstance(data, Observations) and isinstance(fit.data, Observations)
    return not both or data.context_names == fit.data.context_names


def _changed(fit: Fit) -> str:
    """Return a message about data that are not those of the draws, although the fit holds them."""
    if fit.data is None:
        return f"{fit.tree.attrs['not_kept']}: give data="
    before, now = fit.tree["observed_data"].to_dataset(), observed(fit.data)
    names = [str(name) for name in now if name not in before or not np.array_equal(before[name], now[name])]
    return (
        f"the data of this fit are not those of its draws: {', '.join(names) or 'an array'} changed in place after the "
        "fit. The arrays of the fit are in fit.tree['observed_data']: restore them, or start anew with gi.infer"
    )
