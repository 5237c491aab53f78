"""Null spaces of matrices: an absolute tolerance in the units of the problem."""

import numpy as np
import pytest
import specimens

import goalinf as gi
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.jacobian import log_policy_jacobian

RNG = np.random.default_rng(9)


def test_kernel_has_an_absolute_tolerance():
    rounding = 1e-15 * RNG.normal(size=(6, 3))
    assert kernel(rounding, 1e-8).dimension == 3  # relative to its largest singular value it would have rank 3
    assert kernel(np.zeros((2, 3)), 0.0).dimension == 3
    assert kernel(np.zeros((0, 3)), 1e-8).dimension == 3
    assert kernel(np.zeros((4, 0)), 1e-8).dimension == 0
    wide = kernel(np.array([[1.0, 1.0, 0.0]]), 1e-8)
    np.testing.assert_allclose(wide.basis @ wide.basis.T, np.eye(2), atol=1e-12)
    assert wide.singular_values == pytest.approx([np.sqrt(2), 0, 0])
    assert kernel(np.eye(3), 1e-8).gap == float("inf")


def test_large_worlds_iterate_to_the_same():
    """Above the size at which the solver turns to sparse iterations: G W = 0, shapings change nothing."""
    grid = gi.open_grid(13, 13, discount=0.95)
    reward = gi.StateReward(RNG.normal(size=169), on="departure")
    found = log_policy_jacobian(grid, gi.agents.soft_optimal(beta=1.0), reward)
    null = kernel(found.matrix(), found.tolerance)
    assert null.dimension == 1
    assert null.gap > 1e6
    np.testing.assert_allclose(np.abs(null.basis), 1 / 13, atol=1e-9)


def test_units_do_not_matter():
    """Scaling beta, or the unit of the features, scales the Jacobian and its tolerance alike."""
    world = gi.from_arrays(specimens.zoo()["random"].P, discount=0.9)
    features = RNG.normal(size=(5, 2, 2))
    for beta, unit in [(1.0, 1.0), (1e-6, 1.0), (1e3, 1.0), (1.0, 1e-9), (1.0, 1e6)]:
        reward = gi.LinearReward(unit * features, RNG.normal(size=2) / unit)
        found = log_policy_jacobian(world, gi.agents.soft_optimal(beta=beta), reward)
        assert kernel(found.matrix(), found.tolerance).dimension == 0
