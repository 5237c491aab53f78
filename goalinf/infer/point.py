"""A quick look: the posterior mode, its Laplace approximation, and stochastic variational inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import xarray as xr
from numpyro import handlers
from numpyro.infer import SVI, Trace_ELBO, autoguide, init_to_value
from numpyro.optim import Adam

from goalinf.agents import Agent, Mixture
from goalinf.agents.alternatives import options_of
from goalinf.agents.contexts import Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, takes_key
from goalinf.errors import ConvergenceError
from goalinf.infer import assemble
from goalinf.infer.density import Model
from goalinf.infer.fit import Fit
from goalinf.infer.geometry import Geometry
from goalinf.infer.labeled import labeled_fit
from goalinf.infer.mode import climb
from goalinf.infer.posterior import Posterior
from goalinf.infer.priors import fill
from goalinf.infer.problem import own_model, standard
from goalinf.precision import Precision, computing_in

_NO_MODE = "the posterior may have no mode (try a tighter prior), or float32 may be too coarse"
_KINKS = (
    "this agent plans with a hard maximum: its posterior has kinks where best actions tie, and the mode may lie "
    "on one, where no gradient vanishes: use gi.infer, or gi.soft_optimal, whose posterior is smooth"
)


@dataclasses.dataclass(frozen=True, eq=False)
class PointEstimate:
    """The posterior mode.

    Parameters
    ----------
    values : Dataset
        Every parameter at the mode, labeled.
    log_posterior : float
        Log joint density there in nats, in the unconstrained coordinates in which it was climbed.
    steps : int
        Iterations it took.
    agent, reward
        With the mode in the place of every prior; None for a model of your own.
    """

    values: xr.Dataset
    log_posterior: float
    steps: int
    agent: Agent | Mixture | None
    reward: Any


@takes_key
def find_mode(
    key: PRNGKey,
    world: Worlds | None = None,
    *,
    agent: Agent | Mixture | None = None,
    reward: Rewards | None = None,
    data: Any,
    model: Model | None = None,
    dims: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
    precision: Precision | None = None,
) -> PointEstimate:
    """Maximum a posteriori, by trust-region Newton steps with implicit derivatives.

    The mode is that of the density over unconstrained coordinates (log beta, for one), in which the sampler starts too.
    A mode of an ill-posed problem says nothing about what else fits: use :func:`infer` and :func:`audit` for that.

    Parameters
    ----------
    key, world, agent, reward, data, model, dims, coords, precision
        As for :func:`infer`.

    Returns
    -------
    PointEstimate

    Raises
    ------
    ValueError
        As :func:`infer`.
    ConvergenceError
        Where the gradient does not vanish at the end; a Boltzmann agent's posterior has kinks, and its mode may lie on
        one.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> best = gi.find_mode(jax.random.key(1), hall, agent=gi.soft_optimal(beta=2.0), reward=prior, data=walks)
    >>> best.values["reward.values"].dims
    ('state',)
    """
    with computing_in(precision):
        posterior = _posterior(key, world, agent, reward, data, model, dims or {}, coords or {})
        mode = climb(posterior.plain.target)
        if not mode.converged:
            raise ConvergenceError(
                f"the mode was not reached in {mode.steps} steps: a gradient of {mode.gradient:.2g} is left; "
                + (_KINKS if _has_kinks(posterior.agent) else _NO_MODE)
            )
        values = posterior.at(mode.flat)
        labeled = assemble.dataset(values, posterior.dims, posterior.coords, ())
        sites = {site.name: values[site.name] for site in posterior.sites}
        filled = (None, None) if posterior.agent is None else fill(posterior.agent, posterior.reward, sites)
        return PointEstimate(labeled, -mode.potential, mode.steps, *filled)


@takes_key
def approximate(
    key: PRNGKey,
    world: Worlds | None = None,
    *,
    agent: Agent | Mixture | None = None,
    reward: Rewards | None = None,
    data: Any,
    model: Model | None = None,
    by: Literal["laplace", "svi"] = "laplace",
    draws: int = 1000,
    steps: int = 2000,
    dims: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
    precision: Precision | None = None,
) -> Fit:
    """A Gaussian approximation of the posterior in unconstrained coordinates: seconds instead of minutes.

    ``"laplace"`` takes the curvature at the mode; ``"svi"`` fits a Gaussian of full rank by maximizing the evidence
    lower bound (NumPyro, Adam). The fit says that it is an approximation; nothing guards its quality.

    Parameters
    ----------
    key, world, agent, reward, data, model, dims, coords, precision
        As for :func:`infer`.
    by : {"laplace", "svi"}
        The method.
    draws : int
        Independent draws from the approximation.
    steps : int
        Optimization steps of SVI.

    Returns
    -------
    Fit
        One chain of independent draws.

    Raises
    ------
    ValueError
        As :func:`infer`; or where ``by`` is neither method.
    ConvergenceError
        Where the curvature at the mode is not positive definite (Laplace), or the bound is not finite (SVI).

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> look = gi.approximate(jax.random.key(1), hall, agent=gi.soft_optimal(beta=2.0), reward=prior, data=walks)
    >>> look.posterior.sizes["draw"]
    1000
    """
    if by not in ("laplace", "svi"):
        raise ValueError(f"by is {by!r}; expected 'laplace' or 'svi'")
    for name, count in (("draws", draws), ("steps", steps)):
        check_count(name, count)
    with computing_in(precision) as chosen:
        key_model, key_fit, key_draw = jax.random.split(key, 3)
        posterior = _posterior(key_model, world, agent, reward, data, model, dims or {}, coords or {})
        if by == "laplace":
            flat, said = _laplace(key_draw, posterior, draws)
        else:
            flat, said = _svi(key_fit, key_draw, posterior, draws, steps)
        density = posterior.plain.density
        found = density.over_draws("constrain", density.constrain, flat, posterior.data)
        values = {name: one[None] for name, one in found.items()}
        stats = {"diverging": np.zeros((1, draws), bool)}
        return labeled_fit(key, posterior, values, stats, xr.Dataset(), {"sampler": said, "algorithm": by}, chosen)


def _has_kinks(agent: Any) -> bool:
    return agent is not None and not all(one.planner.smooth for one in options_of(agent))


def _posterior(
    key: Any, world: Any, agent: Any, reward: Any, data: Any, model: Any, dims: Any, coords: Any
) -> Posterior:
    if model is not None:
        return own_model(key, model, data, dims, coords)
    posterior = standard(key, world, agent, reward, data, as_product=False)
    if not posterior.sites:
        raise ValueError("nothing continuous is unknown: the posterior of what is discrete is exact, with gi.infer")
    return posterior


def _laplace(key: Any, posterior: Posterior, draws: int) -> tuple[Any, str]:
    geometry = Geometry.laplace(climb(posterior.plain.target))
    if geometry is None:
        raise ConvergenceError("the curvature at the mode is not positive definite; use gi.infer, or by='svi'")
    noise = jax.random.normal(key, (draws, geometry.center.size))
    return geometry.center + noise @ geometry.scale.T, "A Laplace approximation, not MCMC."


def _svi(key: Any, key_draw: Any, posterior: Posterior, draws: int, steps: int) -> tuple[Any, str]:
    density = posterior.plain.density

    def flat_model(data: Any) -> None:
        flat = numpyro.sample("flat", dist.ImproperUniform(dist.constraints.real_vector, (), (density.size,)))
        with handlers.block():  # the sites of the model itself are none of the guide's business
            potential = density.potential(flat, data)
        numpyro.factor("log_density", -potential)

    guide = autoguide.AutoMultivariateNormal(flat_model, init_loc_fn=init_to_value(values={"flat": density.start}))
    svi = SVI(flat_model, guide, Adam(0.02), Trace_ELBO())
    result = svi.run(key, steps, posterior.data, progress_bar=False)
    bound = -float(np.mean(np.asarray(result.losses)[-100:]))
    if not np.isfinite(bound):
        raise ConvergenceError("the evidence lower bound is not finite; use tighter priors, or gi.infer")
    return guide.get_posterior(result.params).sample(
        key_draw, (draws,)
    ), f"Variational inference, not MCMC; evidence lower bound {bound:.1f} nats."
