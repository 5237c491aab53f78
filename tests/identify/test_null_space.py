"""Null spaces: the tables of the theory row by row, formulas against numbers, names that add up."""

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
import specimens
from null_spaces import (
    ACTION,
    ARRIVAL,
    DEPARTURE,
    NORMAL,
    SOFT,
    TRANSITION,
    ZOO,
    check,
    flat,
    kinds,
    projection,
    world_of,
)

import goalinf as gi
from goalinf.identify import co_successor_components, controllability_deficit, null_space
from goalinf.identify.local.jacobian import log_policy_jacobian

WHATEVER = "whatever is chosen"
SOME = ("ring of 4", "triangle", "two disconnected switches", "no choice", "exogenous", "torus of 3")


@pytest.mark.parametrize("name", [n if n in SOME else pytest.param(n, marks=pytest.mark.slow) for n in ZOO])
def test_zoo(name):
    """Every row: S for r(s, a), all of it shapings; kappa for state rewards, (I - gamma P_1) ker D."""
    specimen, world = ZOO[name], world_of(name)
    found = null_space(world, SOFT, ACTION)
    check(found)
    assert found.dimension == specimen.nullity
    assert kinds(found) == {"constant": 1} | (
        {"potential shaping": specimen.nullity - 1} if specimen.nullity > 1 else {}
    )
    shapings = projection(oracles.shaping_map(specimen.P, 0.7))
    np.testing.assert_allclose(flat(found).T @ flat(found), shapings, atol=1e-8)

    found = null_space(world, SOFT, DEPARTURE)
    check(found)
    assert found.dimension == specimen.kappa == controllability_deficit(world)
    assert kinds(found) == {"constant": 1} | (
        {"controllability deficit": specimen.kappa - 1} if specimen.kappa > 1 else {}
    )
    invisible = projection(oracles.invisible_departure(specimen.P, 0.7))
    np.testing.assert_allclose(flat(found).T @ flat(found), invisible, atol=1e-8)

    deterministic = (specimen.P.max(2) == 1).all()
    components = co_successor_components(world)
    assert components == specimen.kappa if deterministic else 1 <= components <= specimen.kappa


@pytest.mark.parametrize("name", ["ring of 4", "triangle", "no choice", "exogenous"])
@pytest.mark.parametrize("discount", [0.7, 0.0])
def test_arrival(name, discount):
    """kappa, at discount 0 too; another space than for departure."""
    found = null_space(world_of(name, discount), SOFT, ARRIVAL)
    check(found)
    assert kinds(found) == {"constant": 1, "controllability deficit": ZOO[name].kappa - 1}
    invisible = projection(oracles.invisible_arrival(ZOO[name].P, discount))
    np.testing.assert_allclose(flat(found).T @ flat(found), invisible, atol=1e-8)


def test_departure_at_discount_zero():
    """The policy is uniform whatever the reward."""
    found = null_space(world_of("random", 0.0), SOFT, DEPARTURE)
    check(found)
    assert kinds(found) == {WHATEVER: 5}
    assert kinds(null_space(world_of("random", 0.0), SOFT, ACTION)) == {WHATEVER: 5}


@pytest.mark.parametrize(
    "agent", [gi.agents.boltzmann(beta=0.5), gi.agents.soft_optimal(beta=50.0)], ids=["boltzmann", "beta 50"]
)
def test_independent_of_planner_beta_and_discount(agent):
    for discount in (0.3, 0.99):
        for reward, dimension in ((ACTION, 4), (DEPARTURE, 3)):
            assert null_space(world_of("cycle of 4 with a chord", discount), agent, reward).dimension == dimension


def test_known_rewards_are_examined_where_they_are():
    """For these agents the place does not matter: ties, zero, and a reward drawn at random."""
    world = world_of("ring of 4")
    known = [gi.StateReward(np.array(x), on="departure") for x in ([1.0, 0, 0, 0], [0.0, 0, 0, 0], [5.0, -3, 2, 1])]
    spaces = [
        flat(null_space(world, agent, reward)) for reward in known for agent in (SOFT, gi.agents.boltzmann(beta=2.0))
    ]
    for space in spaces[1:]:
        np.testing.assert_allclose(space.T @ space, spaces[0].T @ spaces[0], atol=1e-8)


def test_transition_rewards():
    """S A S - S (A - 1) of all entries, N_T - S (A - 1) of the possible ones; the impossible ones are inert."""
    P = oracles.random_law(np.random.default_rng(0), 4, 2, 4)
    P[:, :, 0] = 0.0
    P[0, 0] = [1, 0, 0, 0]
    P /= P.sum(2, keepdims=True)
    every = np.broadcast_to(np.arange(4), (4, 2, 4))
    found = null_space(gi.from_arrays(successors=every, probabilities=P, discount=0.7), SOFT, TRANSITION)
    check(found)
    possible = int((P > 0).sum())
    assert found.dimension == 32 - 4
    assert kinds(found) == {
        "inert": 32 - possible,
        "redistribution": possible - 8,
        "constant": 1,
        "potential shaping": 3,
    }
    assert found.basis.dims == ("direction", "state", "action", "successor")


def test_linear_features():
    """d + S - rank [Phi, W]: features that are shapings, or say the same twice, are hidden."""
    P, discount = ZOO["random"].P, 0.7
    W = oracles.shaping_map(P, discount)
    rng = np.random.default_rng(1)
    generic = rng.normal(size=(10, 3))
    Phi = np.column_stack([generic, W @ rng.normal(size=5), generic[:, 0] + generic[:, 1], np.ones(10)])
    reward = gi.LinearReward(Phi.reshape(5, 2, 6), NORMAL, names=tuple("abcdef"))
    found = null_space(world_of("random"), SOFT, reward)
    check(found)
    assert found.dimension == 6 + 5 - oracles.rank(np.column_stack([Phi, W])) == 3
    assert kinds(found) == {"redistribution": 1, "constant": 1, "potential shaping": 1}
    np.testing.assert_allclose(found.basis.sel(feature=["d", "e", "f"]).values[1], [0, 0, 1], atol=1e-8)
    for unit in (1e-9, 1e6):
        scaled = null_space(world_of("random"), SOFT, gi.LinearReward(unit * Phi.reshape(5, 2, 6), NORMAL))
        assert kinds(scaled) == kinds(found)


@pytest.mark.parametrize(("name", "by_horizon"), [("triangle", [3, 2, 1]), ("cycle of 4 with a chord", [4, 3, 2, 1])])
def test_finite_horizon(name, by_horizon):
    """kappa_H: what choices influence at longer and longer lags."""
    for horizon, dimension in enumerate(by_horizon, start=1):
        found = null_space(world_of(name), gi.agents.soft_optimal(beta=1.0, horizon=horizon), ACTION)
        check(found)
        assert found.dimension == dimension == oracles.kappa_horizon(ZOO[name].P, horizon)
        expected = {WHATEVER: dimension} if horizon == 1 else {"constant": 1, "controllability deficit": dimension - 1}
        assert kinds(found) == {kind: n for kind, n in expected.items() if n}
    assert null_space(world_of("ring of 4"), gi.agents.boltzmann(beta=1.0, horizon=6), ACTION).dimension == 2


def test_saturation():
    """Every free parameter of the agent is one more direction for tabular rewards; few features can buy them."""
    world = world_of("random", 0.9)
    for reward, nullity in ((ACTION, 5), (DEPARTURE, 1)):
        for free, extra in [
            (("beta",), {"scale": 1}),
            (("discount",), {"trade-off": 1}),
            (("beta", "discount"), {"scale": 1, "trade-off": 1}),
        ]:
            found = null_space(world, SOFT, reward, free=free)
            check(found)
            assert found.dimension == nullity + len(free)
            named = kinds(found)
            assert {kind: named[kind] for kind in extra} == extra
            assert list(found.agent.data_vars) == [name if name == "discount" else f"agent.{name}" for name in free]
            assert not np.concatenate([found.agent[name].values[:nullity] for name in found.agent]).any()
    goals = gi.LinearReward(np.eye(5)[:, :2], NORMAL, on="departure")
    assert null_space(world, SOFT, goals, free=("discount",)).dimension == 0
    assert kinds(null_space(world, SOFT, goals, free=("beta", "discount"))) == {"scale": 1}
    assert "All 3 parameters" in str(null_space(world, SOFT, goals, free=("discount",)))


@pytest.mark.parametrize("free", [(), ("beta",)])
def test_priors_of_beta_whose_quantiles_numpyro_lacks(free):
    """Where the null space is examined depends on the prior; its dimension does not."""
    gamma, log_normal = (
        null_space(world_of("ring of 4", 0.9), gi.agents.soft_optimal(beta=prior), DEPARTURE, free=free)
        for prior in (dist.Gamma(2.0, 1.0), dist.LogNormal(0.0, 1.0))
    )
    check(gamma)
    assert kinds(gamma) == kinds(log_normal)
    assert gamma.dimension == log_normal.dimension == ZOO["ring of 4"].kappa + len(free)


def test_scale_is_reward_against_log_beta():
    reward = gi.ActionReward(np.random.default_rng(2).normal(size=(5, 2)))
    found = null_space(world_of("random", 0.9), SOFT, reward, free=("beta",))
    last = found.basis.values[-1] / -found.agent["agent.beta"].values[-1]
    unexplained = (reward.values - last).ravel()  # the rest of the reward is shaping
    outside = unexplained - flat(found)[:-1].T @ (flat(found)[:-1] @ unexplained)
    np.testing.assert_allclose(outside, 0.0, atol=1e-8)


def test_several_worlds():
    """2 S - rank [W1 | -W2] for r(s, a); with free parameters, as one environment more buys them."""
    rng = np.random.default_rng(3)
    one, two = (oracles.random_law(rng, 5, 3, 5) for _ in range(2))
    worlds = {"one": gi.from_arrays(one, discount=0.9), "two": gi.from_arrays(two, discount=0.6)}
    found = null_space(worlds, SOFT, ACTION)
    check(found)
    assert kinds(found) == {"constant": 1}
    assert oracles.two_worlds_nullity(one, 0.9, two, 0.6) == 1
    worlds = {"one": gi.from_arrays(one, discount=0.9), "two": gi.from_arrays(two, discount=0.9)}
    assert kinds(null_space(worlds, SOFT, DEPARTURE, free=("discount",))) == {"constant": 1}
    assert kinds(null_space(worlds, SOFT, DEPARTURE, free=("discount", "beta"))) == {"constant": 1, "scale": 1}


@pytest.mark.parametrize("name", ["ring of 4", "cycle of 4 with a chord", "no choice"])
def test_two_discounts_resolve_what_one_world_resolves_of_state_rewards(name):
    found = null_space({discount: world_of(name, discount) for discount in (0.9, 0.5)}, SOFT, ACTION)
    check(found)
    assert found.dimension == ZOO[name].kappa
    assert set(kinds(found)) <= {"constant", "potential shaping"}


def test_exogenous_variables_never_resolve():
    """Two laws of what nobody controls: |K| + |Z| - 1."""
    rng = np.random.default_rng(4)
    laws = {i: gi.from_arrays(specimens.exogenous(3, oracles.random_law(rng, 4, 4)), discount=0.9) for i in range(2)}
    assert null_space(laws, SOFT, ACTION).dimension == 3 + 4 - 1


def test_terminal_states_and_unavailable_actions():
    """Potentials vanish where the episode ends; what is never collected is inert."""
    rng = np.random.default_rng(6)
    P = oracles.random_law(rng, 5, 3, 5)
    available = np.ones((5, 3), bool)
    available[0, 2] = available[1, 0] = False
    world = gi.from_arrays(P, available=available, terminal=[3, 4], discount=0.9)
    found = null_space(world, SOFT, ACTION)
    check(found)
    assert kinds(found) == {"inert": 2 * 3 + 2, "potential shaping": 3}
    inert = found.basis.values[:8].sum(0)
    np.testing.assert_array_equal(inert, ~available | np.isin(np.arange(5), [3, 4])[:, None])
    found = null_space(world, SOFT, DEPARTURE)  # ending is an alternative to going on: the constant shows
    assert kinds(found) == {"inert": 2}
    assert found.basis.sel(direction=[0, 1], state=[3, 4]).values.tolist() == np.eye(2).tolist()
    found = null_space(world, SOFT, ARRIVAL)  # u = 1: a bonus for ending, its interest for going on
    check(found)
    assert found.dimension == 1 == controllability_deficit(world)
    np.testing.assert_allclose(found.basis.values[0] / found.basis.values[0, 4], [0.1, 0.1, 0.1, 1.0, 1.0], atol=1e-8)


def test_undiscounted_with_an_end():
    """A prior whose draws allow no finite plan is examined at one with a cost for every step."""
    hall = gi.gridworld("s..a", terminal="a", discount=1.0)
    for reward in (DEPARTURE, gi.StateReward.zero(hall)):
        assert kinds(null_space(hall, gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)), reward)) == {"inert": 1}
    goal = gi.goals(hall, {"a": "a"}, step_cost=2.0, bonus=1.0)["a"]
    found = null_space(hall, gi.agents.soft_optimal(beta=2.0), goal)  # the bonus comes in any case
    assert found.basis.parameter.values.tolist() == ["reward.step_cost", "reward.bonus"]
    np.testing.assert_allclose(np.abs(found.basis.values), [[0.0, 1.0]], atol=1e-9)


def test_no_preference():
    assert kinds(null_space(world_of("random"), gi.agents.soft_optimal(beta=0.0), ACTION)) == {"no preference": 10}


def test_town_of_the_quickstart():
    town = gi.gridworld("#########\n#s..#..a#\n#.#.#.#.#\n#.#...#.#\n#..b....#\n#########", slip=0.1, discount=0.95)
    truth = gi.StateReward.at(town, {"a": 2.0, "b": 1.0}, default=0.0, on="departure")
    found = null_space(town, gi.agents.soft_optimal(beta=3.0), truth)
    check(found)
    assert repr(found) == "NullSpace(dimension 1 of 22: constant 1)"
    assert found.gap > 1e9
    np.testing.assert_allclose(found.basis.sel(state="a").values, 22**-0.5, atol=1e-9)
    assert {"row", "col", "state", "kind"} <= set(found.basis.coords)
    joint = null_space(town, gi.agents.soft_optimal(beta=dist.LogNormal(1.0, 0.5)), DEPARTURE, free=("beta",))
    assert kinds(joint) == {"constant": 1, "scale": 1}
    assert str(joint).startswith(
        "2 of 23 parameters (reward, beta) are not identified by any amount of behavior:\n  constant (1): "
    )


def test_shaped_rewards_and_graphs():
    ring = gi.graph_world(nx.cycle_graph(6), discount=0.9)
    potential = np.random.default_rng(7).normal(size=6)
    found = null_space(ring, SOFT, gi.ShapedReward(DEPARTURE, potential))
    assert kinds(found) == {"constant": 1, "controllability deficit": 1}
    board = found.basis.values[1]
    np.testing.assert_allclose(board, np.resize([board[0], -board[0]], 6), atol=1e-9)
    assert null_space(ring, SOFT, ACTION).basis.dims == ("direction", "state", "action")


@pytest.mark.parametrize("seed", range(3))
def test_against_finite_differences(seed):
    """Whatever the library calls hidden moves no policy of the oracle, far from where the Jacobian was taken."""
    rng = np.random.default_rng(seed)
    world = gi.garnet(jax.random.key(seed), states=5, actions=2, branching=2, discount=0.8)
    P, r = world.mdp.dense(), rng.normal(size=(5, 2))
    found = null_space(world, SOFT, gi.ActionReward(r))
    check(found)
    before = oracles.mce(P, r, 0.8, 2.0).policy
    for direction in found.basis.values:
        np.testing.assert_allclose(oracles.mce(P, r + 3 * direction, 0.8, 2.0).policy, before, atol=1e-10)
    exact = oracles.jacobian(lambda x: np.log(oracles.mce(P, x, 0.8, 2.0).policy), r)
    assert oracles.null_space(exact.reshape(10, 10)).shape[1] == found.dimension
    np.testing.assert_allclose(
        exact, log_policy_jacobian(world, SOFT, gi.ActionReward(r)).log_policy[0].reshape(5, 2, 5, 2), atol=1e-8
    )


def test_refusals():
    world = world_of("random")
    with pytest.raises(ValueError, match="belongs to one reward"):
        null_space(world, SOFT, {"x": gi.StateReward(np.zeros(5), on="departure")})
    with pytest.raises(ValueError, match=r"no parameter 'agent\.patience'"):
        null_space(world, SOFT, DEPARTURE, free=("patience",))
    with pytest.raises(ValueError, match=r"shape \(4,\); this world needs \(5,\)"):
        null_space(world, SOFT, gi.StateReward(np.zeros(4), on="departure"))
    hall = gi.gridworld("s..a", terminal="a", discount=1.0)
    pays = gi.LinearReward(np.ones((4, 1)), dist.LogNormal(0.0, 1.0), on="departure")
    with pytest.raises(gi.errors.ConvergenceError, match="or give a known reward with which the problem can be solved"):
        null_space(hall, SOFT, pays)
