"""Posterior density of a fit, made again from its model and its data."""

from __future__ import annotations

import numpy as np

from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.log_density import Data, Density
from goalinf.inference.model.models import AnyModel
from goalinf.inference.model.posterior import Posterior, covered
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_data import check_data, same_data


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
    if data is not None and not same_data(fit.tree, fit.data, data):
        raise ValueError(
            "data= are not the data of the fit: the draws belong to one data set; start anew with gi.infer"
        )
    if data is None:
        check_data(fit.tree, fit.data)
    posterior = posterior_of(fit.model if model is None else model, fit.data if data is None else data)
    values = {str(name): np.asarray(array.values) for name, array in fit.posterior.data_vars.items()}

    def inside(used: Posterior) -> Posterior:
        used.check_inside(values)
        return used

    return covered(posterior, inside)
