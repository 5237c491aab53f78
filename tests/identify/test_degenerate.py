"""Armstrong and Mindermann's pairs: the same policy and likelihood, for any planner, reward and world."""

import jax
import named_agents
import numpy as np
import pytest
from named_agents import G3

import goalinf as gi
from goalinf.rewards import negated

AGENTS = {
    name: agent
    for name, agent in named_agents.AGENTS.items()
    if agent.one_policy and agent.horizon is None and name not in ("uniform", "subgoal", "chan_hyperbolic")
}
RNG = np.random.default_rng(0)
REWARDS = {
    "state": gi.StateReward(RNG.normal(size=3), on="arrival"),
    "action": gi.ActionReward(RNG.normal(size=(3, 2))),
    "linear": gi.LinearReward(RNG.normal(size=(3, 2, 2)), RNG.normal(size=2)),
    "shaped": gi.ShapedReward(gi.StateReward(RNG.normal(size=3), on="departure"), RNG.normal(size=3)),
}


CASES = [(name, "action") for name in AGENTS] + [(name, kind) for name in ("cvar", "soft_optimal") for kind in REWARDS]
SOME = [("cvar", "action"), ("quasi_hyperbolic", "action"), ("soft_optimal", "shaped"), ("soft_optimal", "linear")]


@pytest.mark.parametrize(
    ("name", "kind"), [one if one in SOME else pytest.param(*one, marks=pytest.mark.slow) for one in CASES]
)
def test_every_pair_makes_the_policy(name, kind):
    pairs = gi.identify.degenerate_pairs(G3, AGENTS[name], REWARDS[kind])
    assert [one.name for one in pairs] == ["meant", "opposite", "indifferent", "greedy", "greedy opposite"]
    policies = [one.agent.policy(G3, one.reward).values for one in pairs]
    for policy in policies[1:]:
        np.testing.assert_allclose(policy, policies[0], atol=1e-9)


def test_no_data_tell_them_apart_and_another_world_does():
    hall = gi.gridworld("s..\n.#a", terminal="a", blocked="unavailable", slip=0.1, discount=0.9)
    wants = gi.StateReward.at(hall, {"a": 2.0}, default=-0.1, on="arrival")
    walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=3.0), wants, trajectories=20, steps=10)
    pairs = gi.identify.degenerate_pairs(hall, gi.agents.soft_optimal(beta=3.0), wants)
    table = gi.identify.score_pairs(hall, pairs, walks)
    np.testing.assert_allclose(table.difference, 0.0, atol=1e-9)
    assert table.log_likelihood["meant"] == pytest.approx(
        float(gi.Behavior(hall, gi.agents.soft_optimal(beta=3.0), wants).log_prob(walks))
    )
    # The opposite takes one bit more to say; a coarser pencil takes fewer bits for all.
    assert table.bits["opposite"] == table.bits["meant"] + 1
    assert table.bits["greedy opposite"] == table.bits["greedy"] + 1
    assert (gi.identify.score_pairs(hall, pairs, walks, precision=0.1).bits < table.bits).all()
    with pytest.raises(ValueError, match="precision is 0; expected a number above 0"):
        gi.identify.score_pairs(hall, pairs, walks, precision=0)
    blown = gi.gridworld("s..\n.#a", terminal="a", blocked="unavailable", slip=0.9, discount=0.5)
    there = [one.agent.policy(blown, one.reward).values for one in pairs]
    np.testing.assert_allclose(there[1], there[0], atol=1e-9)  # who is opposite twice is so everywhere
    assert all(np.abs(other - there[0]).max() > 0.01 for other in there[2:])


def test_bits_by_hand():
    """One arm of value 1/2 - (-1/2) after centering: numbers 1, -1 and beta 2 in halves."""
    arms = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
    pairs = gi.identify.degenerate_pairs(
        arms, gi.agents.soft_optimal(beta=2.0), gi.ActionReward(np.array([[1.0, 0.0]]))
    )
    data = gi.Trajectories.of(np.zeros((1, 2), int), np.array([[0]]))
    table = gi.identify.score_pairs(arms, pairs[:1], data, precision=0.5)
    # 4 is written as 8 (7 bits), 1 as 2 (3 bits), -1 as 3 (3 bits).
    assert table.bits["meant"] == 7 + 3 + 3


def test_opposites():
    for reward in REWARDS.values():
        brings = np.broadcast_to(reward(G3.mdp), G3.mdp.probabilities.shape)
        np.testing.assert_allclose(np.broadcast_to(negated(reward)(G3.mdp), brings.shape), -brings, atol=1e-12)


def test_refusals():
    hall = gi.gridworld("a.s.b", discount=0.9)
    goal = gi.goals(hall, {"a": "a"}, step_cost=1.0)["a"]
    with pytest.raises(
        ValueError, match="negation needs a reward that is linear in its parameters, and a GoalReward does not"
    ):
        gi.identify.degenerate_pairs(hall, gi.agents.boltzmann(beta=2.0), goal)
    zero = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    with pytest.raises(ValueError, match="abandoning does not act by one stationary policy"):
        gi.identify.degenerate_pairs(hall, gi.agents.abandoning(hazard=0.1, beta=2.0), zero)
    never = gi.agents.uniform(default=[0.0, 0.0, 0.5, 0.5])
    with pytest.raises(ValueError, match="uniform gives action 0 in state 'a' probability 0"):
        gi.identify.degenerate_pairs(hall, never, zero)
