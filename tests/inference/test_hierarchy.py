"""The distribution of the values of a group, and the priors that make it."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from pooled import PRIOR
from scipy import stats

import goalinf as gi
from goalinf.inference.model.hierarchical.design_matrix import Design
from goalinf.inference.model.hierarchical.hierarchy import Evidence, Hierarchy
from goalinf.inference.model.hierarchical.unit_effects import UnitEffects
from goalinf.precision import computing_in


@pytest.mark.parametrize("prior", [PRIOR, dist.Beta(2.0, 3.0), dist.Normal(1.0, 2.0), dist.Uniform(0.0, 5.0)])
def test_standardized_differences_have_the_prior_of_the_values(prior):
    """For any evidence the density of the values is that of the differences, over the slope of the map."""
    rng = np.random.default_rng(0)
    with computing_in("float64"):
        entry = prior.expand((2,)).to_event(1)
        hierarchy = Hierarchy("beta", entry, Design.of_levels(("subject",), (4,)), sampled=True)
        effects = UnitEffects((hierarchy,))
        group = {"beta.mean": np.asarray(prior.sample(jax.random.key(1), (2,))), "beta.sd": rng.uniform(0.1, 2.0, 2)}
        differences = rng.normal(size=(4, 1, 2))
        for evidence in (hierarchy.uninformed, Evidence(rng.exponential(size=(4, 1, 2)), rng.normal(size=(4, 1, 2)))):
            by_site = {"beta": evidence}

            def values_of(flat, evidence=by_site):
                (located,) = effects.located(group, flat.reshape(4, 1, 2), evidence)
                return hierarchy.site(group, located).ravel()

            values = values_of(differences.ravel())
            slope = np.linalg.slogdet(np.asarray(jax.jacobian(values_of)(differences.ravel())))[1]
            of_differences = effects.standardized(group, by_site).log_prob(differences)
            of_values = effects.given(hierarchy, group).log_prob(values.reshape(4, 2))
            assert float(of_values) == pytest.approx(float(of_differences) - slope, abs=1e-9)
            back = effects.differences(group, [hierarchy.deviations(group, values.reshape(4, 2))], by_site)
            np.testing.assert_allclose(back, differences, atol=1e-9)
        no_spread = {**group, "beta.sd": np.zeros(2)}
        middle = hierarchy.site(no_spread, effects.located(no_spread, differences, by_site)[0])
        np.testing.assert_allclose(middle, np.broadcast_to(group["beta.mean"], (4, 2)), rtol=1e-12)


def regression_design(slopes):
    """Three subjects, two sessions, and a covariate of the subjects; with random slopes of the session."""
    session = np.broadcast_to(np.array([0.0, 1.0])[None, :, None], (3, 2, 1))
    age = np.broadcast_to(np.array([-1.0, 0.5, 0.5])[:, None, None], (3, 2, 1))
    varying = np.concatenate([np.ones((3, 2, 1)), session], axis=2) if slopes else np.ones((3, 2, 1))
    columns = {"session": ("second",), "age": ()}
    effects = ("intercept", "second")[: varying.shape[2]]
    fixed = {"session": session, "age": age}
    return Design(("subject", "session"), (3, 2), (3,), fixed, columns, varying, effects)


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("entries", [(), (2,)])
def test_regression_against_the_definition(slopes, entries):
    """Values, densities and standardized differences of a regression, entry by entry, with matrices by hand."""
    rng = np.random.default_rng(1)
    design, n_entries = regression_design(slopes), int(np.prod(entries, dtype=int))
    effects = design.varying.shape[2]
    name = "beta.subject"
    with computing_in("float64"):
        entry = PRIOR.expand(entries).to_event(len(entries))
        hierarchy = Hierarchy("beta", entry, design, sampled=False)
        group = {
            "beta.mean": rng.uniform(0.5, 2.0, entries),
            "beta.sd": rng.uniform(0.2, 1.0, (effects, *entries) if slopes else entries),
            "beta.session": rng.normal(size=(1, *entries)),
            "beta.age": rng.normal(size=entries),
        }
        site = rng.normal(size=(3, *((effects,) if slopes else ()), *entries))
        deviations = site.reshape(3, effects, n_entries)
        sd = np.reshape(group["beta.sd"], (effects, n_entries))
        tau, weighted = rng.exponential(size=(2, 3, 2, n_entries))
        unit_effects = UnitEffects((hierarchy,))
        evidence = {name: Evidence(tau.reshape(3, 2, *entries), weighted.reshape(3, 2, *entries))}
        values = np.asarray(hierarchy.value(group, hierarchy.deviations(group, site))).reshape(3, 2, n_entries)
        differences = np.asarray(unit_effects.differences(group, [hierarchy.deviations(group, site)], evidence))
        log_prior = 0.0
        conditional = np.zeros((3, effects, n_entries))
        for e in range(n_entries):
            middle, of_session, of_age = (np.ravel(group[f"beta.{x}"])[e] for x in ("mean", "session", "age"))
            for i, age in enumerate((-1.0, 0.5, 0.5)):
                z = design.varying[i]
                fixed = np.log(middle) + of_session * np.array([0.0, 1.0]) + of_age * age
                np.testing.assert_allclose(np.log(values[i, :, e]), fixed + z @ deviations[i, :, e], atol=1e-12)
                log_prior += stats.norm.logpdf(deviations[i, :, e], 0.0, sd[:, e]).sum()
                precision = np.diag(sd[:, e] ** -2.0) + z.T @ np.diag(tau[i, :, e]) @ z
                mean = np.linalg.solve(precision, z.T @ (weighted[i, :, e] - tau[i, :, e] * fixed))
                # Standardized differences have length and volume of the deviations from the conditional mean.
                found = differences.reshape(3, effects, n_entries)[i, :, e]
                from_mean = deviations[i, :, e] - mean
                assert found @ found == pytest.approx(from_mean @ precision @ from_mean, rel=1e-9)
                conditional[i, :, e] = mean
        assert float(unit_effects.given(hierarchy, group).log_prob(site)) == pytest.approx(log_prior, abs=1e-9)
        (at_mean,) = unit_effects.located(group, np.zeros_like(differences), evidence)
        np.testing.assert_allclose(np.asarray(at_mean).reshape(3, effects, n_entries), conditional, atol=1e-9)

        def site_of(flat):
            (located,) = unit_effects.located(group, flat.reshape(differences.shape), evidence)
            return hierarchy.site(group, located).ravel()

        np.testing.assert_allclose(site_of(differences.ravel()), site.ravel(), atol=1e-9)
        slope = np.linalg.slogdet(np.asarray(jax.jacobian(site_of)(differences.ravel())))[1]
        of_differences = float(unit_effects.standardized(group, evidence).log_prob(differences))
        assert of_differences == pytest.approx(log_prior + slope, abs=1e-9)


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
