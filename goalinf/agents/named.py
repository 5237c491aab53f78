"""Named agents: the field's names for a choice of parts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from numpyro.distributions import Distribution

from goalinf.agents.agent import Agent, check_parameter
from goalinf.agents.beliefs import TrueBeliefs
from goalinf.agents.choice import Softmax
from goalinf.agents.execution import AsIntended
from goalinf.agents.planners import ValueIteration


def soft_optimal(beta: Any, *, horizon: int | None = None) -> Agent:
    r"""The maximum-causal-entropy agent: plans with the log-sum-exp backup and acts on it.

    .. math:: Q = r + \gamma P V,\quad V = \tfrac1\beta \log\sum_a e^{\beta Q},\quad \pi = e^{\beta (Q - V)}

    It expects its own noise, so that it keeps away from places where a slip of choice is costly.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0. 0: the most random walk (uniform where all states offer equally
        many actions and no episode ends); towards infinity: optimal. Only beta times the reward can be identified.
        A distribution is a prior.
    horizon : int, optional
        Number of decisions, after which nothing is collected; the policy then depends on the time step.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError
        Where beta is negative, not finite or (soft-optimal) not one number, or the horizon is not a positive integer.

    References
    ----------
    Ziebart (2010), "Modeling purposeful adaptive behavior with the principle of maximum causal entropy",
    chapter 5; Haarnoja et al. (2017). Equivalent to dynamic discrete choice with Gumbel shocks, Rust (1987).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.soft_optimal(beta=2.0).policy(hall, reward).sel(state="s", action="right").item() > 0.25
    True
    """
    shape = beta.shape() if isinstance(beta, Distribution) else jnp.shape(beta)
    if shape != ():
        raise ValueError(f"beta has shape {shape}; a soft-optimal agent plans with one temperature: give one number")
    return _agent("soft_optimal", ValueIteration("soft", _horizon(horizon)), beta)


def boltzmann(beta: Any, *, horizon: int | None = None) -> Agent:
    r"""The Boltzmann-rational agent: knows the optimal Q-values and chooses among them with a softmax.

    .. math:: Q^* = r + \gamma P \max_a Q^*,\quad \pi = \mathrm{softmax}_a(\beta\,Q^*)

    It believes that everything after this choice will be optimal. The value is piecewise smooth in the reward:
    for gradient-based sampling of many rewards :func:`soft_optimal` is the smoother one.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0. 0: uniform; towards infinity: uniform over the optimal
        actions. Only beta times the reward can be identified. A distribution is a prior.
    horizon : int, optional
        Number of decisions, after which nothing is collected; the policy then depends on the time step.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError
        Where beta is negative, not finite or (soft-optimal) not one number, or the horizon is not a positive integer.

    References
    ----------
    Ramachandran and Amir (2007), equation 2; Baker, Saxe and Tenenbaum (2009); Luce (1959).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.boltzmann(beta=2.0).policy(hall, reward).dims
    ('state', 'action')
    """
    return _agent("boltzmann", ValueIteration("hard", _horizon(horizon)), beta)


def _agent(name: str, planner: ValueIteration, beta: Any) -> Agent:
    choice = Softmax(check_parameter("beta", beta, *Softmax.parameters["beta"]))
    return Agent(TrueBeliefs(), planner, choice, AsIntended(), name)


def _horizon(horizon: int | None) -> int | None:
    if horizon is None or (isinstance(horizon, int) and not isinstance(horizon, bool) and horizon >= 1):
        return horizon
    raise ValueError(f"horizon is {horizon!r}; expected a positive number of decisions, or None for no end")
