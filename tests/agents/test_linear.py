"""The linear systems of derivatives, in every way they are solved, against a plain matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from problems import WORLDS, to_the_hub

import goalinf as gi
from goalinf.planning.bellman import Problem, backup_jacobian
from goalinf.planning.solvers import bicgstab
from goalinf.precision import cast, computing_in

# Few states are factorized; many are swept, transposed by predecessors or, where one place has very many, by scattering.
SYSTEMS = {
    "factorized": gi.garnet(jax.random.key(1), states=40, actions=3, branching=4, discount=0.95),
    "predecessors": gi.garnet(jax.random.key(2), states=60, actions=2, branching=2, discount=0.95),
    "scattered": to_the_hub(discount=0.95),
}


def test_every_way_is_taken():
    sizes = {name: world.n_states for name, world in SYSTEMS.items()}
    assert sizes["factorized"] <= bicgstab.DENSE_STATES < min(sizes["predecessors"], sizes["scattered"])
    assert len(SYSTEMS["predecessors"].mdp.origins) > 0
    assert len(SYSTEMS["scattered"].mdp.origins) == 0
    assert len(WORLDS["hub"].mdp.origins) == 0
    assert WORLDS["hub"].n_states > bicgstab.DENSE_STATES


@pytest.mark.parametrize("rescued", [False, True])
@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_and_transposed_systems(name, rescued, monkeypatch):
    """(I - discount P_pi) x = b and its transposed; by iteration, and by the matrix where that stalls."""
    if rescued:
        monkeypatch.setattr(bicgstab, "_PATIENCE", 1)
    world, rng = SYSTEMS[name], np.random.default_rng(0)
    mdp = world.mdp
    shares = rng.dirichlet(np.ones(world.n_actions), size=world.n_states)
    right = rng.normal(size=(2, world.n_states))
    moves = np.einsum("sa,sat->st", shares, mdp.dense())
    matrix = np.eye(world.n_states) - 0.95 * moves
    with computing_in("float64"):
        problem = cast(Problem.of(mdp, gi.StateReward.zero(world), 1.0))
        weights = backup_jacobian(problem, jnp.zeros(world.n_states), jnp.asarray(shares.T))

        def solve(b):
            return bicgstab.solve_linear(problem, weights, b)

        def both(b, c):
            return solve(b), jax.linear_transpose(solve, b)(c)[0]

        found, transposed = jax.jit(both)(*right)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right[0]), atol=1e-9)
    np.testing.assert_allclose(transposed, np.linalg.solve(matrix.T, right[1]), atol=1e-9)


def test_gradient_where_all_lead_to_one_place():
    """Reverse mode by scattering, against finite differences of code that shares nothing with the library."""
    world, rng = to_the_hub(), np.random.default_rng(1)
    P, values = world.mdp.dense(), rng.normal(size=60)
    counts = rng.integers(0, 3, size=(60, 2)).astype(float)

    def exactly(rho):
        policy = oracles.mce(P, oracles.departure(P, rho), 0.8, 2.0).policy
        return float((counts * np.log(policy)).sum())

    def score(rho, mdp):
        reward = gi.StateReward(rho, on="departure")
        return (counts * gi.agents.soft_optimal(beta=2.0).policies(mdp, reward).log_probs).sum()

    with computing_in("float64"):
        gradient = np.asarray(jax.jit(jax.grad(score))(jnp.asarray(values), cast(world.mdp)))
    for direction in (np.eye(60)[0], np.eye(60)[17], rng.normal(size=60)):
        slope = oracles.gradient(lambda step, way=direction: exactly(values + step[0] * way), np.zeros(1))[0]
        assert gradient @ direction == pytest.approx(slope, rel=1e-6, abs=1e-7)
