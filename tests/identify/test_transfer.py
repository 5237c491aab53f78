"""Graphs, horizons and several worlds: formulas against the tables of the theory and published ranks."""

import jax
import networkx as nx
import numpy as np
import oracles
import pytest
import specimens
from scipy.stats import norm

import goalinf as gi
from goalinf.identify import controllability_deficit, graph_criteria, transferability

ZOO = specimens.zoo()


@pytest.mark.parametrize("name", ZOO)
def test_graphs_and_horizons_of_the_zoo(name):
    """Period, co-successor components, kappa_H step by step, and its limit."""
    specimen, world = ZOO[name], gi.from_arrays(ZOO[name].P, discount=0.7)
    found = graph_criteria(world)
    assert found.period == specimen.period == oracles.period(specimen.P)
    assert found.strongly_connected == (specimen.period is not None)
    assert 1 <= found.co_successor_components <= specimen.kappa
    if (specimen.P.max(2) == 1).all():
        assert found.co_successor_components == specimen.kappa
    for horizon in range(1, 7):
        expected = oracles.kappa_horizon(specimen.P, horizon)
        assert controllability_deficit(world, horizon=horizon) == expected, horizon
    assert controllability_deficit(world, horizon=10**9) == specimen.kappa_inf
    assert controllability_deficit(world) == specimen.kappa == controllability_deficit(world, horizon=2)


def test_kappa_of_a_horizon_is_the_null_space_of_its_policies_where_episodes_end():
    """Features are those of states that have not ended; the null space by the Jacobian is the cross-check."""
    P = oracles.random_law(np.random.default_rng(0), 5, 2, 5)
    P[0, 1] = P[0, 0]
    P[1, 1] = P[1, 0]
    world = gi.from_arrays(P, terminal=[4], discount=0.9)
    for horizon in (1, 2, 3):
        found = gi.identify.null_space(
            world, gi.agents.finite_horizon(horizon=horizon, beta=1.0), gi.ActionReward(np.ones((5, 2)))
        )
        inert = 2  # of the terminal state
        assert found.dimension == inert + controllability_deficit(world, horizon=horizon)


def test_getting_around():
    line = nx.path_graph(5, create_using=nx.DiGraph)
    there = graph_criteria(gi.graph_world(line, initial=0, terminal=4, discount=0.9))
    assert (there.coverage_time, there.closed_components, there.period) == (4, 1, None)
    from_the_middle = graph_criteria(gi.graph_world(line, initial=2, terminal=4, discount=0.9))
    assert from_the_middle.coverage_time is None
    assert "Some states cannot be reached" in str(from_the_middle)
    assert "1 set of states cannot be left again" in str(there)


def test_bad_horizons():
    world = gi.gridworld("s.a", discount=0.9)
    for horizon in (0, -1):
        with pytest.raises(ValueError, match=r"horizon is .*; expected a number of steps"):
            controllability_deficit(world, horizon=horizon)


def garnets(n, states, actions, seed=0, discount=0.9):
    keys = jax.random.split(jax.random.key(seed), n)
    return [gi.garnet(key, states=states, actions=actions, branching=states, discount=discount) for key in keys]


def test_rank_of_random_worlds():
    """S = 18, A = 5, discount 1/1.05: 35 = 2 * 18 - 1 (Rolland et al. 2022)."""
    one, two, target = garnets(3, 18, 5, discount=1 / 1.05)
    found = transferability({"one": one, "two": two}, target=target)
    assert (found.rank, found.nullity, found.transfers) == (35, 1, True)
    alone = transferability([one], target=target)
    assert (alone.rank, alone.nullity, alone.transfers, alone.weakest) == (0, 18, False, 0.0)
    assert transferability([one, one], target=one).transfers


@pytest.mark.parametrize("name", ["ring of 4", "triangle", "no choice", "random"])
def test_two_discounts_leave_what_one_world_leaves_of_state_rewards(name):
    found = transferability([gi.from_arrays(ZOO[name].P, discount=discount) for discount in (0.9, 0.5)])
    assert found.nullity == ZOO[name].kappa
    assert found.rank == 2 * len(ZOO[name].P) - found.nullity


def test_against_ranks_of_block_matrices():
    """Three worlds, one of them the same as another but for a state: K S - rank, and angles by their definition."""
    rng = np.random.default_rng(1)
    laws = [oracles.random_law(rng, 5, 2, 5) for _ in range(3)]
    laws[1] = laws[0].copy()
    laws[1][2] = oracles.random_law(rng, 1, 2, 5)[0]
    laws[2][:3] = laws[0][:3]
    W = [oracles.shaping_map(P, 0.8) for P in laws]
    zero = np.zeros_like(W[0])
    found = transferability([gi.from_arrays(P, discount=0.8) for P in laws[:2]])
    assert found.rank == oracles.rank(np.column_stack([W[0], -W[1]]))
    first, second = (np.linalg.qr(one)[0] for one in W[:2])
    np.testing.assert_allclose(found.cosines, np.linalg.svd(first.T @ second)[1], atol=1e-9)
    assert found.weakest == pytest.approx(np.sqrt(1 - found.cosines[found.nullity] ** 2))
    assert 1 < found.nullity < 5
    found = transferability([gi.from_arrays(P, discount=0.8) for P in laws])
    block = np.block([[W[0], -W[1], zero], [W[0], zero, -W[2]]])
    assert found.rank == oracles.rank(block) == 15 - found.nullity


def test_cosines_of_unrelated_worlds():
    """Even these have nearly the same shapings (S = 6, A = 3, discount 0.9): two of them leave little to see."""
    cosines = np.array([transferability(garnets(2, 6, 3, seed)).cosines for seed in range(20)])
    np.testing.assert_allclose(cosines[:, 0], 1.0, atol=1e-12)
    one_draw = np.array([0.983, 0.964, 0.952, 0.919, 0.880])  # as published, of one pair of worlds
    assert (abs(one_draw - cosines[:, 1:].mean(0)) < 3 * cosines[:, 1:].std(0)).all()
    assert cosines[:, 1:].mean() > 0.9
    assert str(transferability(garnets(2, 6, 3))).startswith(
        "Not identified by these worlds together: a constant; the smallest"
    )


def test_worlds_that_share_no_reward():
    one, hall = gi.gridworld("s.a", discount=0.9), gi.gridworld("s..a", discount=0.9)
    with pytest.raises(ValueError, match="world number 1 has other states or actions"):
        transferability([one, hall])
    with pytest.raises(ValueError, match="the target has other states or actions"):
        transferability([one], target=hall)
    ending = gi.gridworld("s.a", terminal="a", discount=0.9)
    with pytest.raises(
        ValueError, match=r"has other available actions than the first world, such as action 0 in state 'a'"
    ):
        transferability([one, ending])
    with pytest.raises(ValueError, match="with discount 1 and states from which no episode ends"):
        transferability(gi.gridworld("s.a", discount=1.0))
    with pytest.raises(ValueError, match="there are no worlds"):
        transferability([])


def investment(sigma, *, rho=0.7, widest=0.6, discount=1 / 1.05):
    """Capital (20) and the productivity shock (20): the next capital is chosen, the shock moves by itself.

    Strebulaev and Whited's model of a firm, the shock an AR(1) on a common grid of three standard deviations of the
    widest law (Tauchen 1986).
    """
    z = np.linspace(-1, 1, 20) * 3 * widest / np.sqrt(1 - rho**2)
    edges = np.concatenate([[-np.inf], (z[1:] + z[:-1]) / 2, [np.inf]])
    law = np.diff(norm.cdf((edges[None] - rho * z[:, None]) / sigma), axis=1)
    shock = np.arange(400) % 20
    successors = np.broadcast_to(20 * np.arange(20)[:, None] + np.arange(20), (400, 20, 20))
    probabilities = np.broadcast_to(law[shock][:, None], (400, 20, 20))
    return gi.from_arrays(successors=successors, probabilities=probabilities, discount=discount)


@pytest.mark.slow
def test_published_ranks_of_the_investment_model():
    """761 = 800 - (20 + 20 - 1) for two laws of the shock, 1161 with the target; 803 with three features."""
    one, two, target = map(investment, (0.04, 0.6, 0.02))
    found = transferability([one, two], target=target)
    assert (found.rank, found.nullity, found.transfers) == (761, 39, True)
    assert found.gap > 1e6
    with_target = transferability([one, two, target])
    assert with_target.rank == 1161
    assert with_target.rank - 400 == found.rank  # what is learned holds in the target (Rolland et al. 2022)
    features = np.random.default_rng(0).normal(size=(400, 20, 3))
    hidden = gi.identify.null_space(
        {1: one, 2: two}, gi.agents.soft_optimal(beta=1.0), gi.LinearReward(features, np.ones(3))
    )
    assert 2 * 400 + 3 - hidden.dimension == 803
