"""The closed form of a soft-optimal agent's posterior against the compiled density and its automatic derivatives."""

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.mode import Compiled
from goalinf.inference.model.models import StandardModel
from goalinf.planning.solvers.sparse_lu import OneThread
from goalinf.precision import computing_in

KEY = jax.random.key(0)
MAZE = gi.gridworld("s..\n.#a\n..b", discount=0.9, slip=0.1, terminal="b")
RNG = np.random.default_rng(0)
S, A, K = MAZE.mdp.successors.shape
NORMAL = dist.Normal(0.3, 0.7)
PRIORS = {
    "departure": gi.StateReward(NORMAL, on="departure"),
    "arrival": gi.StateReward(NORMAL, on="arrival"),
    "uneven": gi.StateReward(dist.Normal(RNG.normal(size=S), RNG.uniform(0.5, 1.0, S)).to_event(1), on="departure"),
    "action": gi.ActionReward(NORMAL),
    "transition": gi.TransitionReward(NORMAL),
    "state features": gi.LinearReward(RNG.normal(size=(S, 3)), NORMAL, on="arrival"),
    "choice features": gi.LinearReward(RNG.normal(size=(S, A, 2)), NORMAL),
    "transition features": gi.LinearReward(RNG.normal(size=(S, A, K, 2)), NORMAL),
}


def walks_in(world):
    agent = gi.agents.soft_optimal(beta=2.0)
    truth = gi.StateReward(RNG.normal(size=world.n_states), on="departure")
    return gi.simulate(KEY, world, agent, truth, trajectories=8, steps=12)


def assert_agrees(parameterization):
    target, compiled = parameterization.closed, Compiled(parameterization.density, parameterization.data)
    assert parameterization.target.target is target
    for scale in (0.0, 0.3, 1.0):
        flat = target.start + scale * np.random.default_rng(1).normal(size=target.start.size)
        for found, expected in zip(target.derivatives(flat), compiled.derivatives(flat), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
    assert_scores_agree(parameterization)


def assert_scores_agree(parameterization):
    """Many points at once, near where derivatives were asked for last and far from there."""
    target = parameterization.closed
    spread = np.repeat([0.0, 0.1, 1.0, 5.0], 20)[:, None]
    flats = target.start + spread * np.random.default_rng(2).normal(size=(80, target.start.size))
    target.derivatives(target.start)
    potentials, by_trajectory = target.scores(flats)

    @jax.jit
    def expected(flat):
        sites = parameterization.density.constrain(flat, parameterization.data)
        return parameterization.density.potential(flat, parameterization.data), parameterization.density.log_likelihood(
            sites, parameterization.data, unit="trajectory"
        )[0]

    for flat, *found in zip(flats[::3], potentials[::3], by_trajectory[::3], strict=True):
        for one, other in zip(found, expected(flat), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PRIORS)
def test_known_beta(name):
    with computing_in("float64"):
        agent = gi.agents.soft_optimal(beta=1.7)
        assert_agrees(posterior_of(StandardModel(MAZE, agent, PRIORS[name]), walks_in(MAZE)).natural)


@pytest.mark.parametrize("name", ["departure", "uneven", "state features"])
def test_free_beta(name):
    with computing_in("float64"):
        agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.2, 0.5))
        assert_agrees(posterior_of(StandardModel(MAZE, agent, PRIORS[name]), walks_in(MAZE)).product)


def test_several_worlds():
    worlds = {"open": gi.open_grid(3, 3, discount=0.9), "slow": gi.open_grid(3, 3, discount=0.5)}
    truth = gi.StateReward(RNG.normal(size=9), on="departure")
    agent = gi.agents.soft_optimal(beta=1.0)
    walks = gi.simulate(KEY, worlds, agent, truth, trajectories=5, steps=10)
    with computing_in("float64"):
        assert_agrees(posterior_of(StandardModel(worlds, agent, gi.StateReward(NORMAL, on="departure")), walks).natural)


@pytest.mark.parametrize(
    ("agent", "prior"),
    [
        (gi.agents.boltzmann(beta=1.0), NORMAL),
        (gi.agents.soft_optimal(beta=1.0, horizon=12), NORMAL),
        (gi.agents.soft_optimal(beta=1.0), dist.Laplace(0.0, 1.0)),
        (gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 0.5)), NORMAL),
    ],
    ids=["hard", "horizon", "prior", "beta"],
)
def test_where_there_is_none(agent, prior):
    with computing_in("float64"):
        posterior = posterior_of(StandardModel(MAZE, agent, gi.StateReward(prior, on="departure")), walks_in(MAZE))
        assert isinstance(posterior.natural.target.target, Compiled)


def test_float32_is_compiled():
    with computing_in("float32"):
        prior = gi.StateReward(NORMAL, on="departure")
        posterior = posterior_of(StandardModel(MAZE, gi.agents.soft_optimal(beta=1.0), prior), walks_in(MAZE))
        assert isinstance(posterior.natural.target.target, Compiled)


def test_an_impossible_choice_is_named():
    hall = gi.gridworld("s.a", discount=0.9, blocked="unavailable")
    walk = gi.Trajectories.of([[0, 0]], [[0]])
    with pytest.raises(ValueError, match=r"trajectory 0, step 0: action up is not available in state s"):
        gi.inference.find_map(KEY, hall, agent=gi.agents.soft_optimal(beta=1.0), reward=PRIORS["departure"], data=walk)


def test_many_parameters_have_no_hessian():
    """Beyond some 1,500 parameters arrays of all pairs cost more than they save."""
    world = gi.garnet(KEY, states=40, actions=2, branching=20, discount=0.9)
    with computing_in("float64"):
        posterior = posterior_of(
            StandardModel(world, gi.agents.soft_optimal(beta=1.0), gi.TransitionReward(NORMAL)), walks_in(world)
        )
        assert posterior.natural.closed is None


def test_beta_may_be_an_array_of_jax():
    star = gi.graph_world(nx.star_graph(20), initial=0, discount=0.9)
    walks = walks_in(star)
    one, other = (
        gi.inference.find_map(
            KEY, star, agent=gi.agents.soft_optimal(beta=beta), reward=PRIORS["departure"], data=walks
        )
        for beta in (2.0, jnp.asarray(2.0))
    )
    np.testing.assert_allclose(one.values["reward.values"], other.values["reward.values"], atol=1e-6)


def test_shaped_rewards_are_compiled():
    """Their episodes end, after which no choice counts: the counts of a stationary policy do not know that."""
    shaped = gi.ShapedReward(PRIORS["departure"], RNG.normal(size=S))
    with computing_in("float64"):
        assert (
            posterior_of(StandardModel(MAZE, gi.agents.soft_optimal(beta=1.0), shaped), walks_in(MAZE)).natural.closed
            is None
        )


def test_a_center_of_the_prior_that_cannot_be_planned_for():
    """At zero reward an undiscounted soft-optimal agent wanders for ever."""
    hall = gi.gridworld("s...a", discount=1.0, terminal="a")
    walk = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
    with pytest.raises(ValueError, match=r"not finite at the center of the prior.*is infinite where steps cost less"):
        gi.inference.find_map(KEY, hall, agent=gi.agents.soft_optimal(beta=1.0), reward=PRIORS["departure"], data=walk)


def test_what_is_defined_does_not_depend_on_the_way():
    with computing_in("float64"):
        target = posterior_of(
            StandardModel(MAZE, gi.agents.soft_optimal(beta=1.0), PRIORS["departure"]), walks_in(MAZE)
        ).natural.closed
    here = target.start + 0.1
    before = target.derivatives(here)
    target.derivatives(np.full(S, 1e300))  # no planner survives this
    target.derivatives(np.full(S, 1e6))
    for one, other in zip(before, target.derivatives(here), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_scores_of_points_that_no_planner_survives():
    with computing_in("float64"):
        target = posterior_of(
            StandardModel(MAZE, gi.agents.soft_optimal(beta=1.0), PRIORS["departure"]), walks_in(MAZE)
        ).natural.closed
    flats = np.stack([target.start, np.full(S, 1e300), target.start + 0.1, np.full(S, np.nan)])
    target.derivatives(target.start)
    potentials, by_trajectory = target.scores(flats)
    assert np.isfinite(potentials).tolist() == np.isfinite(by_trajectory).all(1).tolist() == [True, False, True, False]
    assert potentials[1] == potentials[3] == np.inf
    np.testing.assert_allclose(potentials[2], target.derivatives(flats[2])[0], rtol=1e-12)


def test_threads_share_one_limit_and_leave_the_libraries_as_they_were():
    """The first that comes in sets it, and only the last that leaves takes it away."""

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before, first, second = threads(), OneThread(5), OneThread(5)
        assert set(before) == {2}
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert set(threads()) == {1}
        second.__exit__()
        assert threads() == before
        with OneThread(10_000):
            assert threads() == before
