"""Named agents in detail: default policies, temperatures by state, opposites, places on the way, plans that are kept."""

import agent_oracles
import golden
import numpy as np
import oracles
import pytest
from named_agents import G3, G3_REWARD
from problems import A, S, random_problem

import goalinf as gi
from goalinf.agents import CVaR, solve
from goalinf.precision import computing_in

BETA = golden.G3_BETA


@pytest.mark.parametrize("default", ["by action", "by state"])
def test_default_policies_are_cut_to_what_is_available(default):
    world, P, available, over, rng = random_problem(2, 0.9)
    reward, given = rng.normal(size=(S, A)), rng.random((S, A) if default == "by state" else A)
    going = ~over
    exact = agent_oracles.kl_default(P, reward, 0.9, BETA, given, available, over)
    found = gi.agents.kl_bounded(beta=BETA, default=given).policy(world, gi.ActionReward(reward)).values
    np.testing.assert_allclose(found[going], exact.policy[going], atol=1e-10)
    np.testing.assert_allclose(
        solve(gi.agents.kl_bounded(beta=BETA, default=given), world, gi.ActionReward(reward)).values / BETA,
        exact.V,
        atol=1e-9,
    )
    cut = np.where(available, given, 0.0)[going]
    idle = gi.agents.uniform(default=given).policy(world, gi.ActionReward(reward)).values[going]
    np.testing.assert_allclose(idle, cut / cut.sum(1, keepdims=True), atol=1e-12)
    by_state = np.broadcast_to(given, (S, A)) * available / (given * available).sum(1, keepdims=True)
    exact = agent_oracles.successor(P, reward, 0.9, BETA, 0.0, by_state, available, over)
    found = gi.agents.successor_representation(beta=BETA, default=given).policy(world, gi.ActionReward(reward)).values
    np.testing.assert_allclose(found[going], exact.policy[going], atol=1e-10)


@pytest.mark.parametrize(
    "agent",
    [
        gi.agents.kl_bounded(beta=BETA, default=[0.8, 0.2]),
        gi.agents.soft_optimal(beta=[1.0, 2.0, 3.0]),
        gi.agents.boltzmann(beta=[1.0, 2.0, 3.0]),
    ],
)
def test_goals_are_planned_for_together_as_one_by_one(agent):
    rewards = [G3_REWARD, gi.ActionReward(-golden.G3_R)]
    with computing_in("float64"):
        together = agent.planning.policies_of_goals(G3.mdp, rewards)
    for log_probs, reward in zip(together.log_probs, rewards, strict=True):
        np.testing.assert_allclose(np.exp(log_probs), agent.policy(G3, reward), atol=1e-12)


def test_a_temperature_for_every_state():
    betas = np.array([0.5, 2.0, 4.0])
    rational = oracles.boltzmann_q(golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, 1.0)
    expected = agent_oracles.act(betas[:, None] * rational.Q, 1.0)
    np.testing.assert_allclose(gi.agents.boltzmann(beta=betas).policy(G3, G3_REWARD), expected, atol=1e-12)

    soft = lambda Q: oracles.log_sum_exp(betas[:, None] * Q) / betas  # noqa: E731
    Q = agent_oracles.linear(golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, 1.0, soft).Q
    np.testing.assert_allclose(
        gi.agents.soft_optimal(beta=betas).policy(G3, G3_REWARD), agent_oracles.act(betas[:, None] * Q, 1.0), atol=1e-10
    )


def test_a_negated_planner_is_the_planner_of_the_negated_reward():
    opposite = gi.ActionReward(-golden.G3_R)
    for others in ({}, {"depth": 2, "discount": 0.5}, {"backup": "soft"}, {"outlook": CVaR(0.5)}):
        negated = gi.agents.anti_rational(beta=BETA, negated=True, **others).policy(G3, opposite)
        np.testing.assert_allclose(negated, gi.agents.boltzmann(beta=BETA, **others).policy(G3, G3_REWARD), atol=1e-12)
    sabotage = gi.agents.anti_rational(beta=BETA).policy(G3, opposite)
    assert abs(sabotage - gi.agents.boltzmann(beta=BETA).policy(G3, G3_REWARD)).max() > 0.01


def test_places_on_the_way():
    maze = gi.gridworld("a.a\n.#.\n..b", discount=1.0, terminal="b")
    everywhere = gi.agents.subgoal(detour=0.5, beta=BETA, world=maze).process
    assert everywhere.places.shape == (7, 8)
    assert (everywhere.places.sum(1) == 1).all()
    assert (everywhere.dead == maze.mdp.terminal).all()  # no place on the way can be reached from the end
    marks = gi.agents.subgoal(detour=0.5, beta=BETA, world=maze, places={"corners": "a", "exit": ["b", (1, 0)]}).process
    np.testing.assert_array_equal(marks.places.sum(1), [2, 2])
    oneway = gi.from_arrays(successors=[[[1]], [[1]]], probabilities=[[[1.0]], [[1.0]]], discount=0.9)
    np.testing.assert_array_equal(
        gi.agents.subgoal(detour=0.5, beta=BETA, world=oneway, places=[0]).process.dead, [[False, True]]
    )


def test_plans_that_are_followed():
    halves = gi.agents.plan_commitment(replan=0.0, beta=BETA, depths=2)
    np.testing.assert_allclose(halves.process.depths, [2 / 3, 1 / 3])
    with computing_in("float64"):
        policy = gi.agents.plan_commitment(replan=0.0, beta=BETA, depths=[0.0, 1.0], discount=0.5).policies(
            G3.mdp, G3_REWARD
        )
    expected = gi.agents.lookahead(depth=2, beta=BETA, discount=0.5).policy(G3, G3_REWARD)
    np.testing.assert_allclose(np.exp(policy.log_probs[1]), expected, atol=1e-12)
