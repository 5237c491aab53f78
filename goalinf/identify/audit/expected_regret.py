"""Expected regret of acting on an inferred reward, in the worlds of the data and in other worlds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from goalinf.checks import check_count, check_kind
from goalinf.identify.candidates import CandidateRewards, Target
from goalinf.identify.distance.posterior_distance import value_at_risk
from goalinf.identify.distance.regret import share_of_range
from goalinf.identify.local.unidentified import worlds_of
from goalinf.inference.results.fit import Fit
from goalinf.worlds import World


def expected_regret(
    fit: Fit, worlds: World | Mapping[str, World] | None = None, *, draws: int = 200, level: float = 0.95
) -> pd.DataFrame:
    r"""Compute the expected regret of the policy that is optimal for the posterior mean of the reward.

    .. math:: \frac{\max_\pi J_R(\pi) - J_R(\pi_{\bar R})}{\max_\pi J_R(\pi) - \min_\pi J_R(\pi)},
        \qquad \bar R = E[R \mid D],\quad R \sim p(R \mid D)

    Returns are linear in the reward: no other policy that depends on the posterior alone has a larger expected return.

    Parameters
    ----------
    fit : Fit
        From :func:`~goalinf.infer` with a prior of the reward.
    worlds : World or mapping from name to World, optional
        Worlds in which the policy acts; default: the worlds of the data.
    draws : int
        Number of posterior draws of the reward.
    level : float
        Level of the value at risk, in (0, 1).

    Returns
    -------
    DataFrame
        One row per world, as shares of the range of returns from its initial states: ``regret``, the posterior mean;
        ``value_at_risk`` and ``tail``, the quantile and the mean beyond it; ``chance``, the mean regret of the uniform
        policy, for comparison.

    Raises
    ------
    ValueError
        If the fit has no world, agent and reward, if its reward is known, if a reward ends the episode by itself, or if
        no best or no worst policy exists.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("b.s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=5.0), reward, trajectories=50, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=5.0), reward=prior, data=data, draws=100)
    >>> bool(gi.identify.expected_regret(fit)["regret"].iloc[0] < 0.05)
    True
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    check_count("draws", draws, 2)
    rewards = fit.rewards(min(draws, fit.n_draws))
    targets = worlds_of(fit) if worlds is None else worlds if isinstance(worlds, Mapping) else {"there": worlds}
    if not targets:
        raise ValueError("worlds is empty; expected a world, or a mapping from name to World")
    rows = {}
    for name, world in targets.items():
        check_kind(f"the world {name!r}", world, World, "a World, such as gi.gridworld makes")
        target = Target.of(CandidateRewards.of(world, rewards))
        candidates = target.candidates
        worst_returns = candidates.returns(candidates.greedy(-candidates.units), candidates.expected)
        uniform = candidates.rows / np.maximum(candidates.rows.sum(axis=1, keepdims=True), 1)
        uniform_returns = candidates.returns(np.repeat(uniform[None], len(rewards), axis=0), candidates.expected)
        regret = share_of_range(target.best, target.now, worst_returns)
        chance = share_of_range(target.best, uniform_returns, worst_returns)
        regret_at_risk, tail = value_at_risk(regret, level)
        rows[name] = {"regret": regret.mean(), "value_at_risk": regret_at_risk, "tail": tail, "chance": chance.mean()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("world")
