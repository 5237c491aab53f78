"""Dense systems in compiled code: batches, derivatives, and no batched factorization on a CPU."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalinf.planning.solvers.dense_lu import solve
from goalinf.precision import computing_in


@pytest.fixture(autouse=True)
def float64():
    with computing_in("float64"):
        yield


def systems(batch=7, size=5):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(batch, size, size)) + 3.0 * np.eye(size)), jnp.asarray(
        rng.normal(size=(batch, size))
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_batches_of_every_kind(compiled):
    matrices, rights = systems()
    wrap = jax.jit if compiled else lambda function: function
    each = np.linalg.solve(matrices, rights[..., None])[..., 0]
    np.testing.assert_allclose(wrap(solve)(matrices[0], rights[0]), each[0], atol=1e-12)
    np.testing.assert_allclose(wrap(jax.vmap(solve))(matrices, rights), each, atol=1e-12)
    one_matrix = np.linalg.solve(matrices[0], rights.T).T
    np.testing.assert_allclose(wrap(jax.vmap(solve, (None, 0)))(matrices[0], rights), one_matrix, atol=1e-12)
    one_right = np.stack([np.linalg.solve(matrix, rights[0]) for matrix in matrices])
    np.testing.assert_allclose(wrap(jax.vmap(solve, (0, None)))(matrices, rights[0]), one_right, atol=1e-12)
    twice = jax.vmap(jax.vmap(solve, (None, 0)), (0, None))
    expected = np.stack([np.linalg.solve(matrix, rights.T).T for matrix in matrices])
    np.testing.assert_allclose(wrap(twice)(matrices, rights), expected, atol=1e-12)


def test_derivatives_are_those_of_jax():
    matrices, rights = systems()

    def total(solver, x):
        shifted = matrices + x[0] * x[1] * jnp.eye(5)
        return jnp.sum(jax.vmap(solver)(shifted, x[1] * rights) ** 2)

    x = jnp.array([0.3, 1.2])
    for derivative in (jax.grad, jax.hessian, lambda f: jax.jacrev(jax.jacrev(f)), lambda f: jax.jacfwd(jax.jacfwd(f))):
        found, expected = (derivative(lambda x, s=s: total(s, x))(x) for s in (solve, jnp.linalg.solve))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a property of programs for a CPU")
def test_no_batch_is_factorized_at_once():
    """A batch of LAPACK calls is divided among the threads that run the programs, which may all wait for each other."""
    matrices, rights = systems(batch=24, size=22)
    text = jax.jit(jax.vmap(solve)).lower(matrices, rights).compile().as_text()
    calls = [line for line in text.splitlines() if "lapack_" in line and "custom-call(" in line]
    shapes = [tuple(map(int, found.split(","))) for line in calls for found in re.findall(r"f64\[([\d,]+)\]", line)]
    assert shapes
    assert max(np.prod(shape) for shape in shapes) <= 22 * 22
    batched = jax.jit(jax.vmap(jnp.linalg.solve)).lower(matrices, rights).compile().as_text()
    assert "f64[24,22,22]" in "".join(line for line in batched.splitlines() if "lapack_" in line)
