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


def of_nothing(key: PRNGKey, fit: Fit) -> Evidence:
    """Compute the log marginal likelihood of the agent of a fit with zero reward."""
    zero = {s.name: np.zeros(s.prior.shape()) for s in fit.sites if s.name.startswith("reward.")}
    model = fit.standard("agent and reward")
    reward = model.reward_at(zero)
    without = StandardModel(model.world, model.agent, reward)
    sites = [site for site in fit.sites if site.name.startswith("agent.")]
    logs = []
    with computing_in("float64"):
        for one in jax.random.split(key, _TRIED if sites else 1):
            values = {
                site.name: np.asarray(site.prior.sample(jax.random.fold_in(one, i))) for i, site in enumerate(sites)
            }
            logs.append(float(without.behavior(values, fit.data.context_names).log_prob(fit.data)))
    if not np.isfinite(logs).all():
        raise ValueError(
            f"with zero reward the agent has no finite value in this undiscounted world, or gives an observed "
            f"{fit.data.noun} probability 0: use a discount below 1, or a lapse"
        )
    if np.ptp(logs) <= _SAME * max(1.0, abs(logs[0])):
        return Evidence(
            logs[0], 0.0, "Exact: with zero reward the likelihood does not depend on the parameters of the agent."
        )
    return marginal_likelihood(key, fitted(key, fit, reward))


def fitted(key: PRNGKey, fit: Fit, reward: Reward) -> Fit:
    """Fit the model of a fit with another reward or another prior of it, with as many draws."""
    size = fit.posterior.sizes
    chains, draws = size["chain"], size["draw"]
    return whole(infer(key, fit.world, agent=fit.agent, reward=reward, data=fit.data, chains=chains, draws=draws))


def widened(fit: Fit, found: Directions, scale: float) -> Any:
    """Return the reward with priors that are ``scale`` times as wide; None if a prior has no scale."""
    priors = {}
    for name in found.reward_sites:
        prior = found.sites[name].prior
        entry = entry_prior(prior)
        if isinstance(entry, dist.MultivariateNormal):
            entry = dist.MultivariateNormal(scale * entry.loc, scale_tril=scale * entry.scale_tril)
        elif isinstance(entry, _WIDENED):
            change = {"loc": scale * entry.loc, "scale": scale * entry.scale}
            kept = {"df": entry.df} if isinstance(entry, dist.StudentT) else {}
            entry = type(entry)(**kept, **change)
        else:
            return None
        batch = prior.shape()[: len(prior.shape()) - len(entry.event_shape)]
        priors[name] = entry.expand(batch)
    return fit.standard("reward").reward_at(priors)
