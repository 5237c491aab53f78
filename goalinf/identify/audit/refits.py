"""The model of a fit with another reward: none at all, or one with a prior of another width."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist

from goalinf.agents import Agent
from goalinf.behavior import Behavior
from goalinf.identify.local.unidentified import Directions
from goalinf.inference.bridge_sampling import Evidence, marginal_likelihood
from goalinf.inference.infer import infer, whole
from goalinf.inference.model.priors import fill
from goalinf.inference.results.fit import Fit
from goalinf.planning.parameters import entry_prior
from goalinf.precision import computing_in

_SAME = 1e-9  # log-likelihoods this close are one
_TRIED = 3  # draws of the agent, to see whether it matters for someone who wants nothing
_WIDENED = (dist.Normal, dist.Laplace, dist.StudentT, dist.Cauchy, dist.Logistic)


def of_nothing(key: Any, fit: Fit) -> Evidence:
    """Evidence of the same agent with a reward of zero."""
    zero = {s.name: np.zeros(s.prior.shape()) for s in fit.sites if s.name.startswith("reward.")}
    _, reward = fill(fit.agent, fit.reward, zero)
    sites = [site for site in fit.sites if site.name.startswith("agent.")]
    logs = []
    with computing_in("float64"):
        for one in jax.random.split(key, _TRIED if sites else 1):
            values = {
                site.name: np.asarray(site.prior.sample(jax.random.fold_in(one, i))) for i, site in enumerate(sites)
            }
            agent, _ = fill(fit.agent, fit.reward, values)
            assert isinstance(agent, Agent)
            assert fit.world is not None
            behavior = Behavior(fit.world, agent, reward, contexts=fit.data.context_names)
            logs.append(float(behavior.log_prob(fit.data)))
    if not np.isfinite(logs).all():
        raise ValueError(
            "an agent that wants nothing has no finite plan in this undiscounted world, or cannot have done what was "
            "seen: use a discount below 1, or a lapse"
        )
    if np.ptp(logs) <= _SAME * max(1.0, abs(logs[0])):
        return Evidence(logs[0], 0.0, "Exact: the agent does not matter to somebody who wants nothing.")
    return marginal_likelihood(key, fitted(key, fit, reward))


def fitted(key: Any, fit: Fit, reward: Any) -> Fit:
    """The same model with another reward or prior of it, drawn from as often."""
    size = fit.posterior.sizes
    chains, draws = size["chain"], size["draw"]
    return whole(infer(key, fit.world, agent=fit.agent, reward=reward, data=fit.data, chains=chains, draws=draws))


def widened(fit: Fit, found: Directions, scale: float) -> Any:
    """The reward with priors so many times as wide; None where a prior has no scale."""
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
    return fill(fit.agent, fit.reward, priors)[1]
