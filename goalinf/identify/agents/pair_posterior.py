"""Posterior over pairs of planner and reward, from the marginal likelihood of each planner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.special import logsumexp

from goalinf.agents import Agent
from goalinf.agents.agent import check_agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import check_count, check_number, takes_key
from goalinf.data import Trajectories
from goalinf.inference.bridge_sampling import marginal_likelihood
from goalinf.inference.infer import infer, whole
from goalinf.inference.results.fit import Fit
from goalinf.planning.log_space import safe_log
from goalinf.types import PRNGKey


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PlannerPosterior:
    """Posterior over planners, each with its own posterior of the reward.

    Parameters
    ----------
    table : DataFrame
        One row per planner, most probable first: ``log_evidence`` and its Monte Carlo ``error`` (nats),
        ``log_bayes_factor`` over the most probable by evidence alone, ``prior`` and ``probability``, ``converged``.
    fits : dict of Fit
        The fit under each planner.
    """

    table: pd.DataFrame
    fits: dict[str, Fit]

    def draws(self, n: int = 100, *, seed: int = 0) -> list[tuple[str, Any]]:
        """Draw pairs of planner and reward from the joint posterior.

        Parameters
        ----------
        n : int
            Number of draws.
        seed : int
            Seed of the draws.

        Raises
        ------
        ValueError
            If a fit has fewer than n draws, or if its reward is known.
        """
        check_count("n", n)
        check_count("seed", seed, 0)
        fewest = min(fit.n_draws for fit in self.fits.values())
        if n > fewest:
            raise ValueError(f"n is {n}; the smallest of these fits has {fewest} draws")
        chances = self.table["probability"].to_numpy()
        counts = np.random.default_rng(seed).multinomial(n, chances / chances.sum())
        return [
            (name, reward)
            for name, count in zip(self.table.index, counts.tolist(), strict=True)
            for reward in (self.fits[name].rewards(count, seed=seed) if count else ())
        ]

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {row.probability:.3f}" for name, row in self.table.iterrows())
        return f"PlannerPosterior({shares})"


@takes_key
def agent_posterior(
    key: PRNGKey,
    world: Worlds,
    agents: Mapping[str, Agent],
    reward: Rewards,
    data: Trajectories,
    *,
    weights: Mapping[str, float | int] | None = None,
    **options: Any,
) -> PlannerPosterior:
    r"""Compute the posterior over planners, with an unknown reward under each.

    .. math:: p(k \mid D) \propto p(k) \int p(D \mid k, \theta_k, r)\,p(\theta_k)\,p(r)\,d\theta_k\,dr

    With more data the posterior need not converge to the true planner: :func:`agent_equivalence` gives the planners
    that no amount of data distinguishes, and the effect of the priors of their rewards.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world, reward, data
        As for :func:`~goalinf.infer`; common to all planners.
    agents : mapping from name to Agent
        The planners; unknown parameters have priors.
    weights : mapping from name to float, optional
        Prior weights, such as :math:`2^{-\text{bits}}`; default: equal weights.
    **options
        Options of :func:`~goalinf.infer`: ``draws``, ``chains``, ``method``, …

    Returns
    -------
    PlannerPosterior

    Raises
    ------
    ValueError
        As :func:`~goalinf.infer` and :func:`~goalinf.inference.marginal_likelihood`; or if weights are missing,
        negative or all zero.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=5.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> agents = {"decided": gi.agents.soft_optimal(beta=5.0), "undecided": gi.agents.soft_optimal(beta=0.1)}
    >>> gi.identify.agent_posterior(jax.random.key(1), hall, agents, prior, data, draws=100).table.index[0]
    'decided'
    """
    if not isinstance(agents, Mapping) or not agents:
        raise TypeError(
            f"agents is {agents!r}; expected a mapping such as {{'soft': gi.agents.soft_optimal(beta=2.0)}}"
        )
    for name, agent in agents.items():
        check_agent(repr(name), agent)
    prior_weights = dict.fromkeys(agents, 1.0) if weights is None else weights
    message = f"weights are {weights!r}; expected a number for each of {', '.join(agents)}, none negative, not all zero"
    if not isinstance(prior_weights, Mapping) or set(prior_weights) != set(agents):
        raise ValueError(message)
    prior_weights = {
        name: check_number(f"the weight of {name!r}", w, 0.0, np.inf, "a number of at least 0")
        for name, w in prior_weights.items()
    }
    if not 0 < sum(prior_weights.values()) < np.inf:
        raise ValueError(message)
    fits, estimates = {}, {}
    for planner_key, (name, agent) in zip(jax.random.split(key, len(agents)), agents.items(), strict=True):
        key_fit, key_evidence = jax.random.split(planner_key)
        fits[name] = whole(infer(key_fit, world, agent=agent, reward=reward, data=data, **options))
        estimates[name] = marginal_likelihood(key_evidence, fits[name])
    table = pd.DataFrame(
        {
            "log_evidence": {name: estimate.log_evidence for name, estimate in estimates.items()},
            "error": {name: estimate.error for name, estimate in estimates.items()},
            "prior": {name: weight / sum(prior_weights.values()) for name, weight in prior_weights.items()},
            "converged": {name: fit.converged for name, fit in fits.items()},
        }
    ).rename_axis("planner")
    table.insert(2, "log_bayes_factor", table["log_evidence"] - table["log_evidence"].max())
    joint = table["log_evidence"] + safe_log(table["prior"].to_numpy())
    table.insert(4, "probability", np.exp(joint - logsumexp(joint)))
    return PlannerPosterior(table.sort_values("probability", ascending=False, kind="stable"), fits)
