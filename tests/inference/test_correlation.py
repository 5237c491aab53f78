"""Correlated effects: the LKJ prior, the algebra of standardized differences, and posteriors and integrals of fits."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import biject_to
from scipy import stats
from test_hierarchy import regression_design

from goalinf.inference.model.hierarchical.correlation import Correlations, pair_names, root_of
from goalinf.inference.model.hierarchical.design_matrix import Design
from goalinf.inference.model.hierarchical.hierarchy import Evidence, Hierarchy
from goalinf.inference.model.hierarchical.unit_effects import UnitEffects
from goalinf.precision import computing_in

PRIOR = dist.LogNormal(0.0, 1.0)


def matrix_of(pairs, size):
    """Correlation matrix of the entries below the diagonal, row by row."""
    matrix = np.eye(size)
    matrix[np.tril_indices(size, -1)] = pairs
    return matrix + np.tril(matrix, -1).T


def slopes_of(function, at, step=1e-6):
    """Jacobian by central differences."""
    columns = []
    for direction in step * np.eye(len(at)):
        columns.append((np.asarray(function(at + direction)) - np.asarray(function(at - direction))) / (2 * step))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("concentration", [0.7, 1.0, 2.5])
def test_the_prior_is_that_of_numpyro(size, concentration):
    """Density of matrices, map from real numbers with its volume, and its inverse; entries are independent."""
    rng, count = np.random.default_rng(size), size * (size - 1) // 2
    with computing_in("float64"):
        prior, other = Correlations(concentration, size, (2,)), dist.LKJ(size, concentration)
        to_pairs = biject_to(prior.support)
        x = rng.normal(size=(count, 2))
        pairs = np.asarray(to_pairs(x))
        matrices = [matrix_of(pairs[:, entry], size) for entry in range(2)]
        for entry, matrix in enumerate(matrices):
            np.testing.assert_allclose(biject_to(other.support)(x[:, entry]), matrix, atol=1e-12)
            root = np.array(
                [[float(row[k][entry]) if k < len(row) else 0.0 for k in range(size)] for row in root_of(pairs).rows]
            )
            np.testing.assert_allclose(root @ root.T, matrix, atol=1e-12)
        expected = sum(float(other.log_prob(matrix)) for matrix in matrices)
        assert float(prior.log_prob(pairs)) == pytest.approx(expected, abs=1e-10)
        slope = slopes_of(lambda flat: np.ravel(to_pairs(flat.reshape(count, 2))), x.ravel())
        volume = float(to_pairs.log_abs_det_jacobian(x, pairs))
        assert volume == pytest.approx(np.linalg.slogdet(slope)[1], abs=1e-7)
        np.testing.assert_allclose(to_pairs.inv(pairs), x, atol=1e-9)
        assert bool(prior.support(pairs))
        assert not bool(prior.support(np.full((count, 2), -0.999 if size > 2 else -1.001)))


def test_draws_of_the_prior():
    """Each correlation is 2 x - 1 with x ~ Beta(b, b), b = concentration - 1 + size / 2 (their section 3)."""
    with computing_in("float64"):
        drawn = np.asarray(Correlations(2.0, 3, (2,)).sample(jax.random.key(0), (4000,)))
    assert drawn.shape == (4000, 3, 2)
    for pair, entry in np.ndindex(3, 2):
        assert stats.kstest((drawn[:, pair, entry] + 1.0) / 2.0, stats.beta(2.5, 2.5).cdf).pvalue > 1e-3
    assert pair_names(("a", "b", "c")) == ("a, b", "a, c", "b, c")


def two_members(entries=()):
    """A regression with two effects by subject, and a parameter with one value by subject."""
    prior = PRIOR.expand(entries).to_event(len(entries))
    regression = Hierarchy("beta", prior, regression_design(slopes=True), sampled=False)
    values = Hierarchy("lapse", dist.Beta(1.0, 9.0), Design.of_levels(("subject",), (3,)), sampled=True)
    return regression, values


def test_algebra_of_several_parameters():
    """Conditional moments of all effects of a unit, densities and the change of variables, with matrices by hand."""
    rng, (regression, other) = np.random.default_rng(3), two_members()
    effects = UnitEffects((regression, other), "correlation.people")
    pairs = np.array([0.6, -0.3, 0.4])
    sd = rng.uniform(0.3, 1.0, 3)
    group = {
        "beta.mean": 1.3,
        "beta.session": rng.normal(size=1),
        "beta.age": rng.normal(),
        "beta.sd": sd[:2],
        "lapse.mean": 0.2,
        "lapse.sd": sd[2],
        "correlation.people": pairs,
    }
    covariance = np.diag(sd) @ matrix_of(pairs, 3) @ np.diag(sd)
    taus = rng.exponential(size=(3, 2)), rng.exponential(size=(3, 1))
    weighted = rng.normal(size=(3, 2)), rng.normal(size=(3, 1))
    evidence = {
        "beta.subject": Evidence(taus[0], weighted[0]),
        "lapse": Evidence(taus[1], weighted[1]),
    }
    with computing_in("float64"):
        deviations = rng.normal(size=(3, 3))
        values = {**group, "beta.subject": deviations[:, :2]}
        logit = np.log(0.2 / 0.8) + deviations[:, 2]
        values["lapse"] = 1.0 / (1.0 + np.exp(-logit))
        parts = [deviations[:, :2], deviations[:, 2:]]
        differences = np.asarray(effects.differences(values, parts, evidence))
        fixed = np.asarray(regression.fixed(group))
        for i in range(3):
            z = np.zeros((3, 3))  # levels of both parameters by effects of both
            z[:2, :2], z[2, 2] = regression.design.varying[i], 1.0
            tau = np.concatenate([taus[0][i], taus[1][i]])
            middle = np.append(fixed[i], np.log(0.2 / 0.8))
            precision = np.linalg.inv(covariance) + z.T @ np.diag(tau) @ z
            mean = np.linalg.solve(precision, z.T @ (np.append(weighted[0][i], weighted[1][i]) - tau * middle))
            length = differences[i] @ differences[i]
            assert length == pytest.approx((deviations[i] - mean) @ precision @ (deviations[i] - mean), rel=1e-9)
        back = np.concatenate(effects.located(values, differences, evidence), axis=1)
        np.testing.assert_allclose(back, deviations, atol=1e-9)
        log_joint = stats.multivariate_normal(np.zeros(3), covariance).logpdf(deviations).sum()
        found = effects.given(regression, values).log_prob(values["beta.subject"])
        found += effects.given(other, values).log_prob(values["lapse"])
        expected = log_joint - np.log(values["lapse"] * (1.0 - values["lapse"])).sum()
        assert float(found) == pytest.approx(expected, abs=1e-9)

        def site_of(flat):
            first, second = effects.located(group, flat.reshape(3, 3), evidence)
            return np.concatenate([np.ravel(regression.site(group, first)), np.ravel(other.site(group, second))])

        slope = np.linalg.slogdet(slopes_of(site_of, differences.ravel()))[1]
        of_differences = float(effects.standardized(group, evidence).log_prob(differences))
        assert of_differences == pytest.approx(float(found) + slope, abs=1e-6)


def test_arrays_have_correlations_by_entry():
    """Effects of two entries of an array parameter: independent, each with its own matrix; prior draws agree."""
    hierarchy, _ = two_members(entries=(2,))
    effects = UnitEffects((hierarchy,), "beta.correlation")
    pairs, sd = np.array([[0.7, -0.5]]), np.array([[0.5, 1.0], [2.0, 0.3]])
    group = {"beta.mean": np.ones(2), "beta.session": np.zeros((1, 2)), "beta.age": np.zeros(2)}
    group |= {"beta.sd": sd, "beta.correlation": pairs}
    with computing_in("float64"):
        deviations = np.random.default_rng(0).normal(size=(3, 2, 2))
        expected = 0.0
        for entry in range(2):
            covariance = np.diag(sd[:, entry]) @ matrix_of(pairs[:, entry], 2) @ np.diag(sd[:, entry])
            expected += stats.multivariate_normal(np.zeros(2), covariance).logpdf(deviations[:, :, entry]).sum()
        prior = effects.given(hierarchy, group)
        assert float(prior.log_prob(deviations)) == pytest.approx(expected, abs=1e-9)
        drawn = np.asarray(jax.vmap(prior.sample)(jax.random.split(jax.random.key(0), 2000)))
        for entry in range(2):
            of_entry = drawn[..., entry].reshape(-1, 2)
            assert np.corrcoef(of_entry.T)[0, 1] == pytest.approx(pairs[0, entry], abs=5 / np.sqrt(6000))
            np.testing.assert_allclose(of_entry.std(axis=0), sd[:, entry], rtol=0.05)
