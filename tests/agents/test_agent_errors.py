"""Wrong agents, rewards and goals: what was found, what was expected, in words."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.rewards import tables

HALL = gi.gridworld("a.s\n#.a", discount=0.9)
REWARD = gi.StateReward(np.zeros(5), on="departure")


@pytest.mark.parametrize("make", [gi.agents.soft_optimal, gi.agents.boltzmann])
@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_beta_out_of_range(make, beta):
    with pytest.raises(ValueError, match=rf"beta is {beta:g}; expected a finite number in \[0, inf\]"):
        make(beta=beta)
    with pytest.raises(ValueError, match=rf"beta is {beta:g}; expected a finite number"):
        make(beta=1.0).at(beta=beta)


def test_parameters_by_name():
    agent = gi.agents.soft_optimal(beta=1.0)
    assert agent.at(beta=3.0).parameters == {"beta": 3.0}
    assert agent.parameters == {"beta": 1.0}
    with pytest.raises(ValueError, match="soft_optimal has no parameter 'gamma'; it has beta"):
        agent.at(gamma=0.5)


@pytest.mark.parametrize("horizon", [0, -3, True])
def test_horizon(horizon):
    with pytest.raises(ValueError, match=rf"horizon is {horizon!r}; expected a whole number of at least 1"):
        gi.agents.soft_optimal(beta=1.0, horizon=horizon)


class Forgetful(gi.agents.Beliefs):
    """Beliefs of a user in which every row sums to the share of outcomes that is remembered."""

    remembered: Any
    parameters: ClassVar = {"remembered": (0.0, 2.0)}

    def __call__(self, mdp):
        return dataclasses.replace(mdp, probabilities=self.remembered * mdp.probabilities)


def test_beliefs_that_are_no_distributions():
    """Rows below one act like a smaller discount, and rows above one have no fixed point."""
    agent = gi.agents.PlanningAgent(beliefs=Forgetful(1.0), choice=gi.agents.Softmax(1.0))
    assert agent.policy(HALL, REWARD).shape == (5, 4)
    said = r"the agent believes that state 0,0, action up has probabilities that sum to 0\.5; expected 1: correct"
    with pytest.raises(ValueError, match=said):
        agent.at(remembered=0.5).policy(HALL, REWARD)
    half = dataclasses.replace(HALL.mdp, probabilities=HALL.mdp.probabilities / 2)
    swapped = gi.agents.PlanningAgent(beliefs=gi.agents.FalseDynamics(1.0, half), choice=gi.agents.Softmax(1.0))
    with pytest.raises(ValueError, match=said):
        gi.simulate(0, HALL, swapped, REWARD, trajectories=1, steps=1)
    with pytest.raises(ValueError, match=said):
        gi.Behavior(HALL, agent.at(remembered=0.5), REWARD)


def test_prior_where_a_number_is_needed():
    with pytest.raises(ValueError, match=r"a LogNormal prior stands where a number is needed; .*agent\.at"):
        gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)).policy(HALL, REWARD)
    with pytest.raises(ValueError, match="a Normal prior stands where a number is needed"):
        gi.agents.soft_optimal(beta=1.0).policy(HALL, gi.StateReward(dist.Normal(0.0, 1.0), on="departure"))


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (
            gi.StateReward(np.zeros(4), on="arrival"),
            r"values of the StateReward has shape \(4,\); this world needs \(5,\)",
        ),
        (
            gi.ActionReward(np.zeros((5, 3))),
            r"ActionReward has shape \(5, 3\); this world needs \(5, 4\) \(state, action\)",
        ),
        (gi.TransitionReward(np.zeros((5, 4, 2))), r"has shape \(5, 4, 2\); this world needs \(5, 4, 1\)"),
        (
            gi.LinearReward(np.zeros((4, 2)), [1, 2], on="arrival"),
            r"features .* has shape \(4, 2\); this world needs \(5, 2\)",
        ),
        (gi.ShapedReward(REWARD, np.zeros(4)), r"potential of the ShapedReward has shape \(4,\)"),
        (
            gi.ShapedReward(gi.StateReward(np.zeros(4), on="arrival"), np.zeros(5)),
            r"values of the StateReward has shape \(4,\)",
        ),
        (gi.StateReward(3.0, on="arrival"), r"values of the StateReward has shape \(\); this world needs \(5,\)"),
    ],
)
def test_shapes(reward, message):
    with pytest.raises(ValueError, match=message):
        gi.agents.soft_optimal(beta=1.0).policy(HALL, reward)


def test_timing_has_no_default():
    for needs in (lambda: gi.StateReward(np.zeros(5)), lambda: gi.StateReward.at(HALL, {"s": 1.0}, default=0.0)):
        with pytest.raises(TypeError, match="on"):
            needs()
    with pytest.raises(
        ValueError, match=r"on is 'exit'; expected 'departure' \(collected on leaving a state\) or 'arrival'"
    ):
        tables._timing("exit")  # the annotations that tests execute would catch it first in the constructor
    with pytest.raises(ValueError, match="features of states need on='departure' or on='arrival'"):
        gi.LinearReward(np.zeros((5, 2)), [1.0, 2.0])
    with pytest.raises(ValueError, match="on= is for features of states"):
        gi.LinearReward(np.zeros((5, 4, 2)), [1.0, 2.0], on="arrival")


def test_linear_rewards():
    with pytest.raises(ValueError, match=r"weights have shape \(3,\); the features need \(2,\)"):
        gi.LinearReward(np.zeros((5, 2)), [1.0, 2.0, 3.0], on="arrival")
    with pytest.raises(ValueError, match="1 names for 2 features"):
        gi.LinearReward(np.zeros((5, 2)), [1.0, 2.0], on="arrival", names=("water",))
    with pytest.raises(ValueError, match="features have 1 axes"):
        gi.LinearReward(np.zeros(5), [1.0], on="arrival")


def test_numbers_are_finite():
    with pytest.raises(ValueError, match=r"values of a StateReward: entry \[1\] is nan; expected finite numbers"):
        gi.StateReward([0.0, float("nan"), 0.0, 0.0, 0.0], on="departure")
    with pytest.raises(ValueError, match="step_cost of a GoalReward"):
        gi.goals(HALL, {"a": "a"}, step_cost=float("inf"))


def test_rewards_by_name():
    reward = gi.StateReward.at(HALL, {"a": 2.0, (0, 1): -1.0}, default=0.5, on="departure")
    np.testing.assert_array_equal(reward.values, [2.0, -1.0, 0.5, 0.5, 2.0])
    with pytest.raises(ValueError, match="has a value from both 'a' and"):
        gi.StateReward.at(HALL, {"a": 2.0, (0, 0): 1.0}, default=0.0, on="departure")
    with pytest.raises(ValueError, match="'z'"):
        gi.StateReward.at(HALL, {"z": 2.0}, default=0.0, on="departure")
    assert (gi.StateReward.zero(HALL).values == 0).all()


def test_goals():
    with pytest.raises(ValueError, match=r"goal 'wall': .*wall"):
        gi.goals(HALL, {"wall": (1, 0)})
    with pytest.raises(ValueError, match="goal 'far'"):
        gi.goals(HALL, {"far": (7, 7)})
    with pytest.raises(ValueError, match="goal 'z'"):
        gi.goals(HALL, {"z": "z"})
    with pytest.raises(ValueError, match="no goals were given; name at least one place"):
        gi.goals(HALL, {})
    with pytest.raises(ValueError, match="goal 'none' names no state"):
        gi.goals(HALL, {"none": []})
    both = gi.goals(HALL, {"a": "a", "mixed": ["s", (0, 1)]})
    np.testing.assert_array_equal(both["a"].goal, [True, False, False, False, True])
    np.testing.assert_array_equal(both["mixed"].goal, [False, True, True, False, False])


def test_labels_of_a_policy():
    policy = gi.agents.boltzmann(beta=1.0).policy(HALL, REWARD)
    assert policy.dims == ("state", "action")
    assert list(policy.action.values) == ["up", "down", "left", "right"]
    assert {"row", "col"} <= set(policy.coords)
    numbered = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
    policy = gi.agents.boltzmann(beta=1.0).policy(numbered, gi.ActionReward([[0.0, 1.0]]))
    assert policy.sel(state=0, action=1).item() == pytest.approx(1 / (1 + np.exp(-1)))  # integers stay integers
