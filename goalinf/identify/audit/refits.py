"""The model of a fit with another reward: zero reward, or a prior of another width."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist

from goalinf.identify.local.unidentified import Directions
from goalinf.inference.bridge_sampling import Evidence, marginal_likelihood
from goalinf.inference.infer import infer, whole
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.planning.parameters import entry_prior
from goalinf.precision import computing_in
from goalinf.rewards import Reward
from goalinf.types import PRNGKey

_SAME = 1e-9  # relative difference of log-likelihoods that counts as rounding
_TRIED = 3  # draws of the agent, to test whether its parameters matter under zero reward
_WIDENED = (dist.Normal, dist.Laplace, dist.StudentT, dist.Cauchy, dist.Logistic)


def zero_reward_evidence(key: PRNGKey, fit: Fit) -> Evidence:
    """Compute the log marginal likelihood of the agent of a fit with zero reward."""
    zeros = {s.name: np.zeros(s.prior.shape()) for s in fit.sites if s.name.startswith("reward.")}
    model = fit.standard("agent and reward")
    reward = model.reward_at(zeros)
    zero_model = StandardModel(model.world, model.agent, reward)
    sites = [site for site in fit.sites if site.name.startswith("agent.")]
    log_likelihoods = []
    with computing_in("float64"):
        for draw_key in jax.random.split(key, _TRIED if sites else 1):
            keys = [jax.random.fold_in(draw_key, i) for i in range(len(sites))]
            values = {site.name: np.asarray(site.prior.sample(k)) for site, k in zip(sites, keys, strict=True)}
            log_likelihoods.append(float(zero_model.behavior(values, fit.data.context_names).log_prob(fit.data)))
    if not np.isfinite(log_likelihoods).all():
        raise ValueError(
            f"with zero reward the agent has no finite value in this undiscounted world, or gives an observed "
            f"{fit.data.noun} probability 0: use a discount below 1, or a lapse"
        )
    if np.ptp(log_likelihoods) <= _SAME * max(1.0, abs(log_likelihoods[0])):
        reason = "Exact: with zero reward the likelihood does not depend on the parameters of the agent."
        return Evidence(log_likelihoods[0], 0.0, reason)
    return marginal_likelihood(key, refit(key, fit, reward))


def refit(key: PRNGKey, fit: Fit, reward: Reward) -> Fit:
    """Fit the model of a fit with another reward or another prior of it, with as many draws."""
    size = fit.posterior.sizes
    chains, draws = size["chain"], size["draw"]
    return whole(infer(key, fit.world, agent=fit.agent, reward=reward, data=fit.data, chains=chains, draws=draws))


def widen_prior(fit: Fit, directions: Directions, scale: float) -> Any:
    """Return the reward with priors that are ``scale`` times as wide; None if a prior has no scale."""
    priors = {}
    for name in directions.reward_sites:
        prior = directions.sites[name].prior
        entry = entry_prior(prior)
        if isinstance(entry, dist.MultivariateNormal):
            entry = dist.MultivariateNormal(scale * entry.loc, scale_tril=scale * entry.scale_tril)
        elif isinstance(entry, _WIDENED):
            scaled = {"loc": scale * entry.loc, "scale": scale * entry.scale}
            fixed = {"df": entry.df} if isinstance(entry, dist.StudentT) else {}
            entry = type(entry)(**fixed, **scaled)
        else:
            return None
        batch = prior.shape()[: len(prior.shape()) - len(entry.event_shape)]
        priors[name] = entry.expand(batch)
    return fit.standard("reward").reward_at(priors)
