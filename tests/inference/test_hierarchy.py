"""The distribution of the values of a group, and the priors that make it."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from pooled import PRIOR

import goalinf as gi
from goalinf.inference.model.hierarchy import Evidence, Hierarchy
from goalinf.precision import computing_in


@pytest.mark.parametrize("prior", [PRIOR, dist.Beta(2.0, 3.0), dist.Normal(1.0, 2.0), dist.Uniform(0.0, 5.0)])
def test_standardized_differences_have_the_prior_of_the_values(prior):
    """For any evidence the density of the values is that of the differences, over the slope of the map."""
    rng = np.random.default_rng(0)
    with computing_in("float64"):
        hierarchy = Hierarchy(prior.expand((2,)).to_event(1), dist.HalfNormal(1.0).expand((2,)).to_event(1), (4,))
        mean, sd = np.asarray(prior.sample(jax.random.key(1), (2,))), rng.uniform(0.1, 2.0, 2)
        differences = rng.normal(size=(4, 2))
        for evidence in (hierarchy.uninformed, Evidence(rng.exponential(size=(4, 2)), rng.normal(size=(4, 2)))):

            def values_of(flat, evidence=evidence):
                return hierarchy.located(mean, sd, flat.reshape(4, 2), evidence).ravel()

            values = values_of(differences.ravel())
            slope = np.linalg.slogdet(np.asarray(jax.jacobian(values_of)(differences.ravel())))[1]
            of_differences = hierarchy.standardized(mean, sd, evidence).log_prob(differences)
            of_values = hierarchy.given(mean, sd).log_prob(values.reshape(4, 2))
            assert float(of_values) == pytest.approx(float(of_differences) - slope, abs=1e-9)
            back = hierarchy.differences(mean, sd, values.reshape(4, 2), evidence)
            np.testing.assert_allclose(back, differences, atol=1e-9)
        spread_of_zero = hierarchy.located(mean, np.zeros(2), differences, evidence)
        np.testing.assert_allclose(spread_of_zero, np.broadcast_to(mean, (4, 2)), rtol=1e-12)


def test_evidence_of_a_normal_likelihood_is_its_precision():
    """At a mode with a likelihood that is normal, evidence has its precision and its mean, whatever it was before."""
    hierarchy = Hierarchy(dist.Normal(0.0, 2.0), dist.HalfNormal(1.0), (3,))
    tau, center = np.array([4.0, 0.5, 30.0]), np.array([1.0, -2.0, 0.3])
    mean, sd = np.array(0.4), np.array(0.7)
    with computing_in("float64"):
        for before in (hierarchy.uninformed, Evidence(np.array([1.0, 2.0, 0.1]), np.array([0.3, -0.2, 1.0]))):

            def potential(differences, before=before):
                x = hierarchy.located(mean, sd, differences, before)
                return ((x - mean) ** 2 / (2 * sd**2) + tau * (x - center) ** 2 / 2).sum()

            mode = hierarchy.differences(mean, sd, (mean / sd**2 + tau * center) / (1 / sd**2 + tau), before)
            curvature = np.diag(np.asarray(jax.hessian(potential)(mode)))
            found = hierarchy.evidence(mean, sd, mode, before, curvature)
            np.testing.assert_allclose(found.precision, tau, rtol=1e-9)
            np.testing.assert_allclose(found.weighted, tau * center, rtol=1e-9)
        flat = hierarchy.evidence(mean, sd, np.zeros(3), hierarchy.uninformed, np.full(3, 0.5))
        assert not np.any(flat.precision)
        assert not np.any(flat.weighted)


def test_units_are_given_as_a_list():
    assert gi.no_pooling(PRIOR, by=["context", "subject"]).by == ("subject", "context")
    assert gi.no_pooling(PRIOR, by=["subject"]).expand((5,)).shape() == (5,)
    assert gi.no_pooling(PRIOR).expand((5,)).to_event(1).event_shape == (5,)


@pytest.mark.parametrize(
    ("prior", "width"),
    [
        (dist.LogNormal(0.3, 0.7), 0.7),
        (dist.Normal(np.zeros(3), np.arange(1.0, 4.0)).to_event(1), [1.0, 2.0, 3.0]),
        (dist.TruncatedNormal(1.0, 2.0, high=3.0), None),
    ],
)
def test_the_usual_spread_is_the_width_of_the_prior(prior, width):
    """On the scale of the link: half of the central 68 %."""
    scale = gi.partial_pooling(prior).spread.scale
    assert (np.asarray(scale) > 0).all()
    if width is not None:
        np.testing.assert_allclose(scale, width, rtol=1e-6)


def test_a_spread_with_bounds_by_entry():
    prior = dist.Normal(np.zeros(3), 1.0)
    assert gi.partial_pooling(prior, spread=dist.Uniform(np.zeros(3), np.ones(3))).spread.shape() == (3,)
    with pytest.raises(ValueError, match="spread is Uniform; expected a prior of a standard deviation"):
        gi.partial_pooling(prior, spread=dist.Uniform(np.array([0.0, -1.0, 0.0]), np.ones(3)))
