"""Sensitivity of a posterior to its prior and to its likelihood, by power scaling."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from goalinf.checks import check_kind
from goalinf.inference import _arviz
from goalinf.inference.model.log_density import Data
from goalinf.inference.model.models import Draw, StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_density
from goalinf.inference.scoring.by_option import flattened
from goalinf.precision import computing_in

_SENSITIVE = 0.05  # Kallioinen et al. (2024)


def prior_sensitivity(fit: Fit) -> pd.DataFrame:
    r"""Measure how much the posterior of every parameter changes with the prior, and with the likelihood.

    .. math:: p_\alpha(\theta \mid y) \propto p(\theta)^{\alpha}\,p(y \mid \theta), \qquad
        p_\alpha(\theta \mid y) \propto p(\theta)\,p(y \mid \theta)^{\alpha}

    for :math:`\alpha` near 1, by importance weights of the draws. The sensitivity is the distance (cumulative
    Jensen-Shannon) of the marginal posterior from the posterior at :math:`\alpha = 1`, per doubling of :math:`\alpha`.
    Under a group (:func:`~goalinf.partial_pooling`, :func:`~goalinf.regression`) only the priors of the group are
    scaled: the distribution of subjects in the group is part of the model. In a model of your own, all sites that are
    not observed are scaled.

    Parameters
    ----------
    fit : Fit
        Posterior draws of continuous parameters.

    Returns
    -------
    DataFrame
        One row per scalar: ``prior`` and ``likelihood`` sensitivity, and ``diagnosis`` in words; empty where the
        sensitivity to the prior is below 0.05.

    Raises
    ------
    ValueError
        Where no parameter is continuous, there is no pointwise log-likelihood, or the fit of a model of your own was
        loaded from a file.

    References
    ----------
    Kallioinen et al. (2024), "Detecting and diagnosing prior and likelihood sensitivity with power-scaling".

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(0, hall, gi.agents.boltzmann(beta=2.0), reward, trajectories=5, steps=8)
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(3.0, 0.1))
    >>> fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, method="laplace")
    >>> bool(gi.inference.prior_sensitivity(fit).loc["agent.beta", "prior"] > 0.05)
    True
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    discrete = fit.tree["responsibilities"].to_dataset().data_vars if "responsibilities" in fit.tree else ()
    continuous = fit.posterior.drop_vars(list(discrete))
    if not continuous.data_vars:
        raise ValueError("all unknowns of this fit are discrete; power scaling needs a continuous parameter")
    if "log_likelihood" not in fit.tree:
        raise ValueError("this model has no pointwise log-likelihood: give it a site that is a gi.Behavior")
    log_likelihood = fit.tree["log_likelihood"].to_dataset()["choices"].values.sum(axis=-1)
    table = _arviz.power_scaling(continuous, _log_prior(fit), log_likelihood)
    return table.assign(diagnosis=[_in_words(*row) for row in table.to_numpy()])


def _in_words(prior: float, likelihood: float) -> str:
    """Return the diagnosis of two sensitivities."""
    if prior < _SENSITIVE:
        return ""
    if likelihood < _SENSITIVE:
        return "the prior determines the posterior: the data say little about this number"
    return "prior and data both determine the posterior: they conflict, or the prior is strong; justify the prior"


def _log_prior(fit: Fit) -> np.ndarray:
    """Return the log prior density of every draw, (chains, draws), without distributions of subjects in a group."""
    values = {str(name): np.asarray(array.values) for name, array in fit.posterior.data_vars.items()}
    shape = next(iter(values.values())).shape[:2]
    with computing_in(fit.tree.attrs["precision"]):
        if isinstance(fit.model, StandardModel):
            sites = [site for site in fit.sites if site.hierarchy is None]
            draws = {site.name: jnp.asarray(values[site.name].reshape(-1, *site.prior.shape())) for site in sites}

            def log_prior(draw: Draw) -> Any:
                return jnp.stack([jnp.sum(site.prior.log_prob(draw[site.name])) for site in sites]).sum()

            return np.asarray(jax.vmap(log_prior)(draws)).reshape(shape)
        density = fitted_density(fit)
        data = fit.data.unlabeled()

        def log_prior_of_sites(draw: Draw, observed: Data) -> Any:
            trace = density.replay(dict(draw), observed).values()
            latent = [site for site in trace if site["type"] == "sample" and not site["is_observed"]]
            return jnp.stack([jnp.sum(site["fn"].log_prob(site["value"])) for site in latent]).sum()

        return np.asarray(density.over_draws("log prior", log_prior_of_sites, flattened(values), data)).reshape(shape)
