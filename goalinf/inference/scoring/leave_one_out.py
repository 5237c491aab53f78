"""Leave-one-out predictive accuracy of one fit, by Pareto-smoothed importance sampling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from goalinf.checks import check_choice
from goalinf.data import Observations
from goalinf.data.trajectory_arrays import many
from goalinf.inference import _arviz
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.assemble import pointwise
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_density
from goalinf.inference.scoring.by_option import flattened, thinned
from goalinf.inference.scoring.given_the_rest import depend, given_the_rest, sums
from goalinf.inference.scoring.marginal import check_own_model, items_of, marginal, nested, owned
from goalinf.precision import computing_in

_DRAWS = 1000  # more draws add little to LOO
_INTEGRATED = 500  # draws at which effects are integrated out: each one takes 16 likelihoods or more
_INACCURATE = 0.1  # squared relative error of an integral above which a table warns
_NUMBERS = 50_000_000  # numbers by draw and step that are held in memory at once


def loo(fit: Fit, unit: str | None = None) -> _arviz.LOO:
    """Compute the leave-one-out predictive accuracy of one fit: ArviZ's ``ELPDData``; see :func:`compare`."""
    return left_out(fit, unit).result


class LeftOut(NamedTuple):
    """Leave-one-out predictive accuracy.

    Parameters
    ----------
    result : LOO
        Importance sampling.
    scores : float (chains, kept draws, units)
        Log density of every unit, given all other units and the parameters of a draw.
    warning : str
        In words, where an integral over effects is not accurate; else empty.
    """

    result: _arviz.LOO
    scores: np.ndarray
    warning: str


def left_out(fit: Fit, unit: str | None) -> LeftOut:
    """Compute the leave-one-out predictive accuracy of one fit."""
    check_observations(fit)
    data, draws, warning = fit.data, fit.posterior, ""
    unit = data.unit if unit is None else unit
    check_choice("unit", unit, data.units[:-1])
    if (has_effects := owned(fit, unit)) and nested(fit, unit):
        scores, warning = _over_effects(fit, unit)
    elif depend(fit, unit):
        if has_effects and unit == "subject":
            raise ValueError(
                "subjects have parameters of their own, and all data are one of several agents: leaving a subject out "
                "would need an integral for every agent. Give every subject an agent (by='subject'), or leave out "
                "trajectories (unit='trajectory')"
            )
        scores = _given_the_rest(fit, unit)
    elif data.units.index(unit) < data.units.index(data.unit):
        scores = _by_part(fit, unit)
    else:
        scores, items = _by_unit(fit), items_of(data, unit)[data.scored(data.unit)]
        check_own_model(fit, unit, thinned(draws, 5))
        scores = sums(scores, items)
    if scores.shape[-1] < 2:
        raise ValueError(f"the data have a single {unit}, and leave-one-out needs two or more; use a smaller unit")
    selected = draws.isel(draw=slice(None, None, -(-draws.sizes["draw"] // scores.shape[1])))
    coords = {"chain": selected["chain"], "draw": selected["draw"]}
    result = _arviz.loo(xr.DataArray(scores, dims=("chain", "draw", "unit"), coords=coords), selected)
    return LeftOut(result, scores, warning)


def _over_effects(fit: Fit, unit: str) -> tuple[np.ndarray, str]:
    """Return log-likelihoods without the parameters of single units, ``(chains, kept draws, units)``, and a warning."""
    with computing_in(fit.tree.attrs["precision"]):
        values = thinned(fit.posterior, max(1, _INTEGRATED // fit.posterior.sizes["chain"]))
        shape = next(iter(values.values())).shape[:2]
        integral = marginal(fit, flattened(values), unit)
    error = integral.error.mean(axis=0)
    inaccurate = int((error > _INACCURATE).sum())
    warning = (
        f"the integral over the effects of {inaccurate} of {many(len(error), unit)} has a relative Monte Carlo error "
        f"up to {np.sqrt(error.max()):.2g}, and their elpd is not accurate: fit folds of the data (gi.workflow.kfold)"
    )
    scores = integral.log_likelihood + error  # 1 / p is averaged, of which the expectation is 1 + error times too large
    return scores.reshape(*shape, -1), warning if inaccurate else ""


def check_observations(fit: Fit, name: str = "this fit") -> None:
    """Refuse data without units that could be left out."""
    if not isinstance(fit.data, Observations):
        raise ValueError(
            f"{name} has no pointwise log-likelihood: its model is your own and its data ({type(fit.data).__name__}) "
            "are not gi.Trajectories or other observations, so that their units are unknown. Give the model "
            "gi.Trajectories and a site that is a gi.Behavior, or compare with ArviZ on numpyro.infer.log_likelihood"
        )


def _by_unit(fit: Fit) -> np.ndarray:
    """Return the log-likelihood of every trajectory (or other unit) with an observation, ``(chains, draws, N)``."""
    if "log_likelihood" not in fit.tree.children:
        raise ValueError("this model has no pointwise log-likelihood: give it a site that is a gi.Behavior")
    scores = fit.tree["log_likelihood"].to_dataset()["choices"].values
    return scores[:, :, fit.data.scored(fit.data.unit)]


def _given_the_rest(fit: Fit, unit: str) -> np.ndarray:
    """Return the log density of every unit given all other data, ``(chains, kept draws, units)``."""
    options = len(fit.agent.components) if isinstance(fit.model, StandardModel) else 1
    numbers = options * fit.data.scored(fit.data.units[0]).size
    with computing_in(fit.tree.attrs["precision"]):
        values = thinned(fit.posterior, max(1, min(_DRAWS, _NUMBERS // numbers) // fit.posterior.sizes["chain"]))
        return given_the_rest(fit, values, unit)


def _by_part(fit: Fit, unit: str) -> np.ndarray:
    """Return the log-likelihood of every part of the units, such as actions, ``(chains, kept draws, parts)``."""
    scored = fit.data.scored(unit)
    with computing_in(fit.tree.attrs["precision"]):
        density = fitted_density(fit)
        n_chains, most = fit.posterior.sizes["chain"], _NUMBERS // scored.size
        values = thinned(fit.posterior, max(1, min(_DRAWS, most) // n_chains))
        scores, _ = pointwise(density, values, fit.data.unlabeled(), unit=unit)
    if scores is None:
        raise ValueError("this model has no pointwise log-likelihood: give it a site that is a gi.Behavior")
    return scores[:, :, scored]
