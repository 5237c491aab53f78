"""Posterior distributions of the distance or regret between the inferred and a given reward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from goalinf.checks import check_count, check_kind, check_number
from goalinf.identify.distance.pseudometrics import starc
from goalinf.inference.results.fit import Fit
from goalinf.rewards import Reward
from goalinf.types import Numbers
from goalinf.worlds import World


def posterior(
    fit: Fit,
    reward: Reward,
    *,
    metric: Callable[[World, Reward, Reward], float] = starc,
    world: World | None = None,
    draws: int = 500,
) -> xr.DataArray:
    """Compute the distance of every posterior draw of the reward from a given reward.

    Parameters
    ----------
    fit : Fit
        From :func:`~goalinf.infer` with a world, an agent and a prior of the reward.
    reward : Reward
        The given reward, such as the true reward of a simulation.
    metric : callable
        A distance of ``(world, reward, draw)``: ``gi.identify.distance.starc``, ``epic`` or ``dard``; or
        ``gi.identify.distance.regret``, the normalized regret under ``reward`` of acting on the draw.
    world : World, optional
        World of the comparison. Default: the world of the fit.
    draws : int
        Number of draws, evenly spaced over all chains; all draws if there are fewer.

    Returns
    -------
    DataArray (sample)
        Distances, with coordinates ``chain`` and ``draw``. Quantiles give a posterior interval, and
        ``(found < eps).mean()`` the posterior probability of a distance below ``eps``, which
        :func:`goalinf.plot.distances` plots for all ``eps``.

    Raises
    ------
    ValueError
        If the fit has no world and reward, if its reward is known, or if it has several worlds and none is given.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=5.0), reward, trajectories=50, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=5.0), reward=prior, data=data, draws=100)
    >>> found = gi.identify.distance.posterior(fit, reward, draws=100)
    >>> bool(found.quantile(0.05) < 0.1 < found.quantile(0.95) < 0.5)
    True
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    check_count("draws", draws)
    model = fit.standard("reward", "fit with gi.infer(…, reward=…)")
    sites = [site.name for site in fit.sites if site.name.startswith("reward.")]
    if not sites:
        raise ValueError("this fit knows its reward: compare the two rewards, such as with gi.identify.distance.starc")
    comparison_world = fit.world if world is None else world
    if not isinstance(comparison_world, World):
        raise ValueError("this fit has several worlds: give the world of the comparison, world=…")
    values = {name: np.asarray(fit.posterior[name].values, float) for name in sites}
    n_chains, n_draws = next(iter(values.values())).shape[:2]
    positions = np.unique(np.linspace(0, n_chains * n_draws - 1, min(draws, n_chains * n_draws)).astype(int))
    chain, draw = np.unravel_index(positions, (n_chains, n_draws))
    distances = [
        metric(comparison_world, reward, model.reward_at({name: value[c, d] for name, value in values.items()}))
        for c, d in zip(chain, draw, strict=True)
    ]
    coords: dict[str, Any] = {"chain": ("sample", chain), "draw": ("sample", draw)}
    return xr.DataArray(np.array(distances), dims="sample", coords=coords, name=getattr(metric, "__name__", "distance"))


def value_at_risk(losses: Numbers | xr.DataArray, level: float = 0.95) -> tuple[float, float]:
    r"""Compute value at risk and conditional value at risk: a quantile of the losses, and the mean beyond it.

    Parameters
    ----------
    losses : float (n,) or DataArray
        Draws of a loss, such as regrets by :func:`posterior`.
    level : float
        Probability of a loss up to the value at risk, in (0, 1).

    Returns
    -------
    value_at_risk, conditional : float
        The quantile, and the conditional value at risk: the mean of the largest share :math:`1 - \text{level}` of the
        losses, with a fractional weight of the draw at the quantile.

    References
    ----------
    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk".

    Examples
    --------
    >>> value_at_risk([0.0, 0.1, 0.2, 0.9], level=0.5)
    (0.1, 0.55)
    """
    level = check_number("level", level, 0.0, 1.0, "a number in (0, 1)")
    values = np.asarray(losses, float).ravel()
    if not len(values) or level in (0.0, 1.0):
        raise ValueError(
            f"level is {level:g} of {len(values)} losses; expected a number in (0, 1) and at least one loss"
        )
    quantile = np.quantile(values, level, method="inverted_cdf")
    excess = np.maximum(values - quantile, 0.0).mean() / (1.0 - level)
    return float(quantile), float(quantile + excess)
