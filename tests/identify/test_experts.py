"""Null spaces of several experts with one reward: what each shows of what the others hide."""

import numpy as np
import oracles
import pytest
from null_spaces import ACTION, SOFT, ZOO, check, flat, kinds, world_of

import goalinf as gi
from goalinf.identify import null_space


@pytest.mark.parametrize("name", ["ring of 4", "random", "no choice"])
def test_two_experts_in_one_world(name):
    """Another discount of the expert's own is as good as another of the world's: kappa."""
    world = world_of(name, 0.9)
    experts = {
        "patient": SOFT,
        "hasty": gi.agents.soft_optimal(beta=1.0, discount=0.5),
        "too": gi.agents.boltzmann(beta=2.0, discount=0.5),
    }
    found = null_space(world, experts, ACTION)
    check(found)
    assert found.dimension == ZOO[name].kappa
    worlds = {discount: world_of(name, discount) for discount in (0.9, 0.5)}
    both = flat(null_space(worlds, SOFT, ACTION))
    np.testing.assert_allclose(flat(found).T @ flat(found), both.T @ both, atol=1e-8)


def test_experts_have_parameters_of_their_own():
    """One scale for all, and every beta but one: with a known discount each, two experts show one another's beta."""
    world, rng = world_of("random", 0.9), np.random.default_rng(5)
    reward = gi.ActionReward(rng.normal(size=(5, 2)))
    experts = {"a": SOFT, "b": gi.agents.soft_optimal(beta=1.0, discount=0.5), "c": gi.agents.uniform()}
    found = null_space(world, experts, reward, free=("beta",))
    check(found)
    assert found.agent["agent.beta"].dims == ("direction", "expert_with_beta")
    assert found.agent["agent.beta"].sizes["expert_with_beta"] == 2
    assert kinds(found) == {"constant": 1, "scale": 1}
    assert np.ptp(found.agent["agent.beta"].values[-1]) < 1e-9
    # of a hidden r(s, a) they see the same choices: by finite differences of the oracle
    P, last = world.mdp.dense(), flat(found)[-1].reshape(5, 2)
    for beta, discount in ((2.0, 0.9), (1.0, 0.5)):
        step = found.agent["agent.beta"].values[-1, 0]
        moved = [
            np.log(oracles.mce(P, reward.values + h * last, discount, beta * np.exp(h * step)).policy)
            for h in (-1e-5, 1e-5)
        ]
        np.testing.assert_allclose(moved[1] - moved[0], 0.0, atol=1e-9)


def test_experts_with_and_without_a_horizon():
    """What one who looks ahead for ever and one who looks two steps ahead both hide: U_P and all r(s, a) = g(s)."""
    P = ZOO["random"].P
    experts = {"ever": SOFT, "two": gi.agents.finite_horizon(horizon=2, beta=2.0)}
    found = null_space(world_of("random", 0.7), experts, ACTION)
    check(found)
    W, E = oracles.shaping_map(P, 0.7), np.kron(np.eye(5), np.ones((2, 1)))
    two = E @ oracles.null_space(P[:, 1] - P[:, 0])
    assert found.dimension == W.shape[1] + two.shape[1] - oracles.rank(np.column_stack([W, two])) == 1


def test_experts_who_show_nothing_hide_nothing_of_the_others():
    """However little one shows beside another, in its own units or not at all."""
    world = world_of("random", 0.9)
    alone = flat(null_space(world, SOFT, ACTION))
    for other in (gi.agents.boltzmann(beta=0.0), gi.agents.uniform(), gi.agents.boltzmann(beta=1e-9)):
        found = null_space(world, {"x": SOFT, "y": other}, ACTION)
        check(found)
        assert kinds(found) == {"constant": 1, "potential shaping": 4}
        np.testing.assert_allclose(flat(found).T @ flat(found), alone.T @ alone, atol=1e-8)


def test_experts_with_other_parameters_than_one_another():
    experts = {"x": SOFT, "y": gi.agents.quasi_hyperbolic(present_bias=0.7, beta=1.0)}
    reward = gi.ActionReward(np.random.default_rng(5).normal(size=(5, 2)))
    found = null_space(world_of("random", 0.9), experts, reward, free=("beta", "present_bias"))
    check(found)
    assert found.agent["agent.beta"].dims == ("direction", "expert")
    assert found.agent["agent.present_bias"].dims == ("direction", "expert_with_present_bias")
    assert null_space(world_of("random", 0.9), SOFT, reward, free="beta").dimension == 6


def test_experts_refused():
    world = world_of("random")
    with pytest.raises(ValueError, match="same contexts; 'b' is named by one of them only"):
        null_space({"a": world}, {"a": SOFT, "b": SOFT}, ACTION)
    with pytest.raises(ValueError, match="mapping from context to agent is empty"):
        null_space(world, {}, ACTION)
    with pytest.raises(ValueError, match=r"no parameter 'agent\.lapse'; there are agent\.beta"):
        null_space(world, {"a": SOFT, "b": SOFT}, ACTION, free=("lapse",))
