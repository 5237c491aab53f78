"""Hessians of models with levels, from few products, against all second derivatives."""

import dataclasses

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from inference.pooled import CONTEXTS, DATA, FREE, HALL, IN_CONTEXTS, WANTS

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.curvature import SHARED, colors
from goalinf.inference.model.mode import Compiled
from goalinf.inference.model.models import StandardModel
from goalinf.precision import computing_in

PRIOR = dist.LogNormal(0.0, 1.0)
BY_SUBJECT = gi.partial_pooling(PRIOR, by="subject", spread=dist.HalfNormal(1.0))
CHOOSES = gi.agents.boltzmann
MODELS = {
    "no pooling, and a shared reward": (CHOOSES(beta=gi.no_pooling(PRIOR, by="subject"), depth=2), FREE, DATA),
    "crossed": (
        CHOOSES(beta=BY_SUBJECT, lapse=gi.no_pooling(dist.Beta(1.0, 9.0), by="context")),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "nested, and slopes": (
        CHOOSES(
            beta=gi.regression("1 + context", PRIOR, by="subject", spread=dist.HalfNormal(0.5), slopes="context"),
            lapse=gi.partial_pooling(dist.Beta(2.0, 9.0), by=["subject", "context"], spread=dist.HalfNormal(1.0)),
        ),
        CONTEXTS,
        IN_CONTEXTS,
    ),
    "by context only": (CHOOSES(beta=gi.no_pooling(PRIOR, by="context")), CONTEXTS, IN_CONTEXTS),
    "mixture by subject": (
        gi.one_of([CHOOSES(beta=BY_SUBJECT), gi.agents.anti_rational(beta=1.0)], by="subject"),
        WANTS,
        DATA,
    ),
}


def density_of(agent, reward, data):
    posterior = posterior_of(StandardModel(HALL, agent, reward), data)
    parameterization = posterior.uninformed_preferred
    return parameterization.density, parameterization.data


@pytest.mark.parametrize("name", MODELS)
def test_hessian_equals_all_second_derivatives(name):
    with computing_in("float64"):
        density, data = density_of(*MODELS[name])
        assert (density.owner >= 0).any()
        at = density.start + 0.1 * np.random.default_rng(0).normal(size=density.size)
        expected = jax.jit(jax.hessian(density.potential))(at, data)
        _, _, hessian = Compiled(density, data).derivatives(at)
        np.testing.assert_allclose(hessian, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
        if name == "crossed":  # as Laplace's method computes it in many dimensions, with and without units
            for same in (density, dataclasses.replace(density, owner=None, recipe=object())):
                found = same.curvature(at, data)
                np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


def test_number_of_products_does_not_grow_with_the_subjects():
    few, many = np.array([SHARED, SHARED, 0, 1, 0, 1]), np.array([SHARED, SHARED, *range(50), *range(50)])
    assert colors(few)[0].max() == colors(many)[0].max() == 3


def test_trajectories_of_one_mixture_have_no_independent_subjects():
    agent = gi.one_of([CHOOSES(beta=BY_SUBJECT), gi.agents.anti_rational(beta=1.0)], by="data")
    with computing_in("float64"):
        assert density_of(agent, WANTS, DATA)[0].owner is None
