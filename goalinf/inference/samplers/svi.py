"""Stochastic variational inference: a Gaussian fitted to a posterior by the evidence lower bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.infer import SVI, Trace_ELBO, autoguide, init_to_value
from numpyro.optim import Adam

from goalinf.errors import ConvergenceError
from goalinf.inference.model.log_density import Density
from goalinf.inference.model.posterior import Form
from goalinf.inference.samplers.hmc import Geometry

STEPS = 2000


def gaussian(key: Any, form: Form, steps: int) -> tuple[Geometry, str]:
    """Fit a Gaussian of full rank by maximizing the evidence lower bound; returns also a description.

    Raises
    ------
    ConvergenceError
        Where the bound is not finite.
    """
    guide, run = form.density.program(("svi", steps), lambda: _optimizer(form.density, steps))
    params, losses = run(key, form.data)
    bound = -float(np.mean(np.asarray(losses)[-100:]))
    if not np.isfinite(bound):
        raise ConvergenceError(
            "gi.inference.approximate: the evidence lower bound of SVI is not finite; use tighter priors, or gi.infer"
        )
    fitted = guide.get_posterior(params)
    geometry = Geometry(np.asarray(fitted.loc), np.asarray(fitted.scale_tril), True)
    return geometry, f"Variational inference, not MCMC, with an evidence lower bound of {bound:.1f} nats"


def _optimizer(density: Density, steps: int) -> tuple[Any, Callable[[Any, Any], tuple[Any, Any]]]:
    """Return a guide, and its optimization by ``steps`` steps as a function of a key and the data."""

    def flat_model(data: Any) -> None:
        flat = numpyro.sample("flat", dist.ImproperUniform(dist.constraints.real_vector, (), (density.size,)))
        with handlers.block():  # hides the sites of the model from the guide
            potential = density.value(flat, data)
        numpyro.factor("log_density", -potential)

    guide = autoguide.AutoMultivariateNormal(flat_model, init_loc_fn=init_to_value(values={"flat": density.start}))
    svi = SVI(flat_model, guide, Adam(0.02), Trace_ELBO())
    update = jax.jit(lambda state, data: jax.lax.scan(lambda s, _: svi.update(s, data), state, length=steps))

    def run(key: Any, data: Any) -> tuple[Any, Any]:
        state, losses = update(svi.init(key, data), data)
        return svi.get_params(state), losses

    return guide, run
