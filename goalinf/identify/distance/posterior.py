"""Distances and regrets of a posterior: of every draw of the reward, to one that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from goalinf.checks import check_count, check_kind, check_number
from goalinf.identify.distance.pseudometrics import starc
from goalinf.inference.model.priors import fill
from goalinf.inference.results.fit import Fit
from goalinf.rewards import Reward
from goalinf.worlds import World


def posterior(
    fit: Fit,
    reward: Reward,
    *,
    metric: Callable[[World, Reward, Reward], float] = starc,
    world: World | None = None,
    draws: int = 500,
) -> xr.DataArray:
    """How far the rewards of a posterior are from another one, draw by draw.

    Parameters
    ----------
    fit : Fit
        From :func:`~goalinf.infer` with a world, an agent and a prior of the reward.
    reward : Reward
        The other reward, such as the truth of a simulation.
    metric : callable
        A distance of ``(world, reward, draw)``: ``gi.identify.distance.starc``, ``epic`` or ``dard``; or
        ``gi.identify.distance.regret``, the normalized regret under ``reward`` of acting on the draw.
    world : World, optional
        Where they are compared: another one tells what they are worth there. Default: that of the fit.
    draws : int
        How many draws are taken, evenly spaced over all chains; all of them where there are fewer.

    Returns
    -------
    DataArray (sample)
        With coordinates ``chain`` and ``draw``. Its quantiles are a posterior interval; ``(found < eps).mean()`` is the
        posterior probability of being closer than that, which :func:`goalinf.plot.distances` draws for all of them.

    Raises
    ------
    ValueError
        Where the fit does not say what was fitted, or knows the reward, or holds several worlds and none is given.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=5.0), wants, trajectories=50, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=5.0), reward=prior, data=walks, draws=100)
    >>> found = gi.identify.distance.posterior(fit, wants, draws=100)
    >>> bool(found.quantile(0.05) < 0.1 < found.quantile(0.95) < 0.5)
    True
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    check_count("draws", draws)
    if getattr(fit, "reward", None) is None or getattr(fit, "world", None) is None:
        raise ValueError(
            "this fit is of a model of your own, which does not say what its reward is: use gi.infer with one"
        )
    sites = [site.name for site in fit.sites if site.name.startswith("reward.")]
    if not sites:
        raise ValueError(
            "this fit knows its reward, so that there is no posterior of distances: compare the two rewards"
        )
    where = fit.world if world is None else world
    if not isinstance(where, World):
        raise ValueError("this fit holds several worlds: say in which one the rewards are compared, world=…")
    values = {name: np.asarray(fit.posterior[name].values, float) for name in sites}
    n_chains, n_draws = next(iter(values.values())).shape[:2]
    taken = np.unique(np.linspace(0, n_chains * n_draws - 1, min(draws, n_chains * n_draws)).astype(int))
    chain, draw = np.unravel_index(taken, (n_chains, n_draws))
    found = [
        metric(where, reward, fill(fit.agent, fit.reward, {name: value[c, d] for name, value in values.items()})[1])
        for c, d in zip(chain, draw, strict=True)
    ]
    coords: dict[str, Any] = {"chain": ("sample", chain), "draw": ("sample", draw)}
    return xr.DataArray(np.array(found), dims="sample", coords=coords, name=getattr(metric, "__name__", "distance"))


def value_at_risk(losses: Any, level: float = 0.95) -> tuple[float, float]:
    r"""How bad it gets: the loss that is exceeded with probability 1 - level, and the mean loss beyond it.

    Parameters
    ----------
    losses : float (n,) or DataArray
        Draws, such as regrets by :func:`posterior`.
    level : float
        In (0, 1).

    Returns
    -------
    value_at_risk, conditional : float
        The quantile, and the conditional value at risk: the mean of the worst share of :math:`1 - \text{level}`,
        weighed exactly.

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
        raise ValueError(f"level is {level:g} of {len(values)} losses; expected a number in (0, 1), and some losses")
    quantile = np.quantile(values, level, method="inverted_cdf")
    excess = np.maximum(values - quantile, 0.0).mean() / (1.0 - level)
    return float(quantile), float(quantile + excess)
