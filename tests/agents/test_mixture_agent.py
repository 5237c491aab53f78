"""Mixtures are agents: their components, their policies, and functions that need an agent that is no mixture."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi

HALL = gi.gridworld("s..a", discount=0.9)
REWARD = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
SOFT, IDLE = gi.agents.soft_optimal(beta=2.0), gi.agents.uniform()
EITHER = gi.agents.mixture({"soft": SOFT, "idle": IDLE}, weights=[3.0, 1.0])
DATA = gi.simulate(jax.random.key(0), HALL, SOFT, REWARD, trajectories=3, steps=4)
GOALS = gi.goals(HALL, {"end": "a"})
NEEDS_ONE = {
    "policy": lambda agent: agent.policy(HALL, REWARD),
    "solve": lambda agent: gi.agents.solve(agent, HALL, REWARD),
    "Behavior.policy": lambda agent: gi.Behavior(HALL, agent, REWARD).policy,
    "plot.policy": lambda agent: gi.plot.policy(HALL, agent, REWARD),
    "goal_posterior": lambda agent: gi.goal_posterior(HALL, agent, GOALS, DATA),
    "null_space": lambda agent: gi.identify.null_space(HALL, agent, PRIOR),
    "experts": lambda agent: gi.identify.null_space(HALL, {"one": agent}, PRIOR),
    "degenerate_pairs": lambda agent: gi.identify.degenerate_pairs(HALL, agent, REWARD),
    "agent_equivalence": lambda agent: gi.identify.agent_equivalence(HALL, agent, REWARD, {"idle": IDLE}),
    "Demonstrations": lambda agent: gi.identify.Demonstrations(HALL, agent),
    "mixture": lambda agent: gi.agents.mixture([agent, SOFT]),
    "one_of": lambda agent: gi.one_of([agent, SOFT]),
}


@pytest.mark.parametrize("function", NEEDS_ONE)
def test_functions_that_need_one_agent_refuse_a_mixture_with_one_message(function):
    message = r"is one_of\(.*\); expected one of its agents, such as agent\.components\[0\]"
    with pytest.raises(ValueError, match=message):
        NEEDS_ONE[function](EITHER)


@pytest.mark.parametrize("agent", [SOFT, IDLE, gi.agents.habitual(persistence=0.5, beta=2.0)])
def test_another_agent_is_its_own_only_component(agent):
    assert agent.components == (agent,)
    assert agent.by is None
    np.testing.assert_array_equal(agent.log_weights, [0.0])


def test_a_mixture_of_one_agent_behaves_like_the_agent():
    alone = gi.Behavior(HALL, SOFT, REWARD)
    for by in ("subject", "trajectory", "data"):
        mixed = gi.Behavior(HALL, gi.agents.mixture([SOFT], by=by), REWARD)
        np.testing.assert_allclose(mixed.log_prob(DATA), alone.log_prob(DATA), rtol=1e-14)
        for unit in ("step", "trajectory"):
            np.testing.assert_allclose(
                mixed.log_prob_by(unit, DATA), alone.log_prob_by(unit, DATA), rtol=1e-12, atol=1e-14
            )
            np.testing.assert_array_equal(mixed.by_option(unit, DATA)[1], alone.by_option(unit, DATA)[1])


@pytest.mark.parametrize("depths", [[1, 3], [None, 2], [2, None, 1]])
def test_depths_planned_together_have_the_policies_of_every_depth(depths):
    """A depth of None, an infinite horizon, is planned alone."""

    def optimistic(depth):
        return gi.agents.optimistic(optimism=0.5, beta=2.0, depth=depth)

    policies = gi.Behavior(HALL, optimistic(gi.one_of(depths)), REWARD).policies
    for depth, policy in zip(depths, policies, strict=True):
        expected = gi.Behavior(HALL, optimistic(depth), REWARD).policy
        np.testing.assert_allclose(policy.log_probs, expected.log_probs, rtol=1e-12)


def test_parameters_of_components_have_their_usual_priors_and_facts():
    whole = gi.one_of({"a": SOFT, "b": gi.agents.boltzmann(beta=1.0)})
    assert set(whole.default_priors) == {"a.beta", "b.beta"}
    assert whole.at(**whole.default_priors).components[1].parameters["beta"].shape() == ()
    depths = gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=2.0, discount=0.5)
    assert set(depths.components[0].confounded(PRIOR)) >= {"beta", "discount"}
    assert set(depths.confounded(PRIOR)) == {"beta"}
    assert whole.confounded(PRIOR) == {}


def test_weights_are_shares():
    """Weights add up to one however a mixture is made; others are refused at once."""
    mixed = gi.agents.mixture({"a": gi.agents.boltzmann(beta=2.0), "b": gi.agents.uniform()})
    np.testing.assert_allclose(mixed.at(weights=[3.0, 1.0]).weights, [0.75, 0.25])
    np.testing.assert_allclose(gi.agents.MixtureAgent(mixed.components, [3.0, 1.0], ("a", "b")).weights, [0.75, 0.25])
    for weights in ([-1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 0.0]):
        with pytest.raises(ValueError, match="expected 2 finite numbers of at least 0, not all 0"):
            mixed.at(weights=weights)
    with pytest.raises(ValueError, match="by is 'foo'"):
        gi.agents.MixtureAgent(mixed.components, [3.0, 1.0], ("a", "b"), by="foo")
