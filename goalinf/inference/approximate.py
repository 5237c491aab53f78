"""Approximations of a posterior by a Gaussian: Laplace's method, and stochastic variational inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import xarray as xr
from numpyro import handlers
from numpyro.infer import SVI, Trace_ELBO, autoguide, init_to_value
from numpyro.optim import Adam
from scipy.special import logsumexp

from goalinf.errors import ConvergenceError
from goalinf.inference import _arviz
from goalinf.inference.model.log_density import Data, Density
from goalinf.inference.model.mode import has_kinks, not_reached
from goalinf.inference.model.mode_search import natural_modes
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.results.assemble import labeled_fit
from goalinf.inference.results.diagnostics import KHAT, beyond_limit
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.geometry import Geometry
from goalinf.inference.samplers.sampler import Settings
from goalinf.types import PRNGKey

_FEWEST = 25  # draws needed to estimate the tail of the weights
_LARGEST = 1e9  # bytes of a dense curvature
_SVI_STEPS = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class Gaussian:
    """Gaussian in unconstrained coordinates, its description, and the number of modes that were found."""

    geometry: Geometry
    sentence: str
    modes: int = 1


def laplace(key: PRNGKey, posterior: Posterior, steps: int | None) -> Gaussian:
    """Approximate by the curvature at the mode of largest mass.

    Raises
    ------
    ConvergenceError
        Where the mode is not reached, or the curvature there is not positive definite.
    ValueError
        Where the covariance exceeds 1 GB.
    """
    parameterization, modes = posterior.bounded, natural_modes(key, posterior, steps)
    mode = modes.peaks[0]
    sentence = "A Laplace approximation, not MCMC"
    if len(modes.peaks) > 1:
        share = np.exp(modes.log_mass[0] - logsumexp(modes.log_mass))
        sentence += f", around one of {len(modes.peaks)} modes, which holds about {share:.2g} of the probability"
    if not mode.converged:
        if not has_kinks(posterior.agent):
            raise not_reached("method='laplace'", mode, posterior.agent, steps)
        sentence += f", around a point with a gradient of {mode.gradient:.2g} (the posterior has kinks)"
    if mode.curvature is None:
        size = 8 * mode.flat.size**2
        if size > _LARGEST:
            raise ValueError(
                f"method='laplace': the covariance of {mode.flat.size:,} parameters would take "
                f"{size / 1e9:.1f} GB, more than {_LARGEST / 1e9:.0f} GB; use fewer parameters, or "
                "gi.inference.find_map, which needs no covariance"
            )
        mode = dataclasses.replace(mode, curvature=parameterization.density.curvature(mode.flat, parameterization.data))
    geometry = Geometry.laplace(mode)
    if geometry is None:
        raise ConvergenceError(
            "method='laplace': the mode was reached, but the curvature there is not positive definite: "
            "use method='auto' or method='svi'"
        )
    return Gaussian(geometry, sentence, len(modes.peaks))


def svi(key: PRNGKey, posterior: Posterior, steps: int | None) -> Gaussian:
    """Approximate by the Gaussian of full rank that maximizes the evidence lower bound (2,000 steps by default).

    Raises
    ------
    ConvergenceError
        Where the bound is not finite.
    """
    density, data, count = posterior.bounded.density, posterior.bounded.data, _SVI_STEPS if steps is None else steps
    guide, run = density.program(("svi", count), lambda: _optimizer(density, count))
    params, losses = run(key, data, density.start)
    bound = -float(np.mean(np.asarray(losses)[-100:]))
    if not np.isfinite(bound):
        raise ConvergenceError(
            "method='svi': the evidence lower bound is not finite; use tighter priors, or method='auto'"
        )
    fitted = guide.get_posterior(params)
    geometry = Geometry(np.asarray(fitted.loc), np.asarray(fitted.scale_tril), True)
    return Gaussian(geometry, f"Variational inference, not MCMC, with an evidence lower bound of {bound:.1f} nats")


APPROXIMATIONS: Mapping[str, Callable[[Any, Posterior, int | None], Gaussian]] = {"laplace": laplace, "svi": svi}


def approximated(key: PRNGKey, posterior: Posterior, method: str, steps: int | None, settings: Settings) -> Fit:
    """Draw independently from an approximation of this method; returns a fit of one chain."""
    _, key_fit, key_draw = jax.random.split(key, 3)
    gaussian = APPROXIMATIONS[method](key_fit, posterior, steps)
    geometry, parameterization = gaussian.geometry, posterior.bounded
    noise = np.asarray(jax.random.normal(key_draw, (settings.draws, geometry.center.size)))
    flat = geometry.center + noise @ geometry.scale.T
    quality, tail = _tail(parameterization.log_density(flat) + 0.5 * (noise**2).sum(axis=1))
    sentence = f"{gaussian.sentence}; {tail}."
    attrs = {"sampler": sentence, "algorithm": method, "kind": "approximation", "modes": gaussian.modes, **quality}
    values = {name: draws[None] for name, draws in posterior.values(key, parameterization, flat).items()}
    stats = {"diverging": np.zeros((1, settings.draws), bool)}
    return labeled_fit(key, posterior, values, stats, xr.Dataset(), attrs, settings.precision)


def _tail(log_weights: np.ndarray) -> tuple[dict[str, float], str]:
    """Return the Pareto k of importance weights, and a sentence about it."""
    if len(log_weights) < _FEWEST:
        return {}, f"{len(log_weights)} draws are too few to estimate how close it is to the posterior"
    khat = _arviz.khat(log_weights)
    if khat <= KHAT:
        return {"khat": khat}, f"the Pareto k of its draws is {khat:.2f}"
    sentence = f"the Pareto k of its draws is {beyond_limit(khat, KHAT, 2)} (should be at most {KHAT})"
    return {"khat": khat}, f"{sentence}: they do not represent the posterior; use method='auto'"


def _optimizer(density: Density, steps: int) -> tuple[Any, Callable[[Any, Any, Any], tuple[Any, Any]]]:
    """Return a guide, and its optimization by ``steps`` steps as a function of a key, the data and the start."""

    def flat_model(data: Data) -> None:
        flat = numpyro.sample("flat", dist.ImproperUniform(dist.constraints.real_vector, (), (density.size,)))
        with handlers.block():  # hides the sites of the model from the guide
            potential = density.value(flat, data)
        numpyro.factor("log_density", -potential)

    guide = autoguide.AutoMultivariateNormal(flat_model, init_loc_fn=init_to_value(values={"flat": density.start}))
    svi = SVI(flat_model, guide, Adam(0.02), Trace_ELBO())
    update = jax.jit(lambda state, data: jax.lax.scan(lambda s, _: svi.update(s, data), state, length=steps))

    def run(key: PRNGKey, data: Data, start: np.ndarray) -> tuple[Any, Any]:
        # The guide may be that of an earlier fit, which started elsewhere.
        state = svi.init(key, data)
        params = {**svi.optim.get_params(state.optim_state), f"{guide.prefix}_loc": jnp.asarray(start)}
        state, losses = update(state._replace(optim_state=svi.optim.init(params)), data)
        return svi.get_params(state), losses

    return guide, run
