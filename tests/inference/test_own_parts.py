"""Parts of a user's own, under priors."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.behavior.conditions import Conditions
from goalinf.identify.local.jacobian import log_policy_jacobian
from goalinf.identify.local.null_space import null_space_at
from goalinf.inference.model.priors import find_sites

HALL = gi.gridworld("b.s.a", discount=0.9)
WANTS = gi.StateReward(np.arange(5.0), on="arrival")


class Distraction(gi.agents.Noise):
    """Lapses whose probability differs between states."""

    distraction: Any
    parameters: ClassVar = {"distraction": (0.0, 1.0)}
    dims: ClassVar = {"distraction": ("state",)}

    def __call__(self, log_probs, available):
        distraction = jnp.broadcast_to(self.distraction, log_probs.shape[-2:-1])[:, None]
        lapses = available / available.sum(axis=-1, keepdims=True)
        return jnp.log((1.0 - distraction) * jnp.exp(log_probs) + distraction * lapses)


def agent_with(distraction):
    myopic = gi.agents.ValueIteration(depth=1)
    return gi.agents.PlanningAgent(planner=myopic, choice=gi.agents.Softmax(5.0), noise=Distraction(distraction))


def test_a_parameter_by_state_is_labeled_by_states():
    """Lapses at one of two states: the posterior of this state is higher than that of the other."""
    left, right = 2, 3
    data = gi.Trajectories.of([[2, 3, 2, 3, 2, 3, 2, 3, 2]] * 3, [[right, left] * 4] * 3)
    agent = agent_with(dist.Beta(1.0, 1.0).expand([5]))
    fit = gi.infer(1, HALL, agent=agent, reward=WANTS, data=data, method="laplace", draws=200)
    draws = fit.posterior["agent.distraction"]
    assert draws.dims == ("chain", "draw", "state")
    assert draws["state"].values.tolist() == ["b", "0,1", "s", "0,3", "a"]
    means = draws.mean(("chain", "draw")).values
    assert means[3] > means[2] + 0.2
    assert [site.dims for site in find_sites(agent.at(distraction=dist.Beta(1.0, 1.0)), WANTS, HALL)] == [()]


def test_null_directions_of_a_parameter_by_state_are_labeled():
    """The reward is zero, so that no state identifies its lapses."""
    reward = gi.StateReward(np.zeros(5), on="arrival")
    found = log_policy_jacobian(HALL, agent_with(np.full(5, 0.2)), reward, wrt=("agent.distraction",))
    joint = null_space_at([found], Conditions.of(HALL, reward), [agent_with(np.full(5, 0.2))], reward)
    assert [(one.kind, one.dimension) for one in joint.directions] == [("agent", 5)]
    assert joint.agent["agent.distraction"]["state"].values.tolist() == ["b", "0,1", "s", "0,3", "a"]


def test_axes_of_parameters_are_checked():
    with pytest.raises(ValueError, match=r"distraction has shape \(4,\); this world needs \(5,\) \(state\)"):
        agent_with(np.full(4, 0.1)).policy(HALL, WANTS)
    data = gi.simulate(0, HALL, agent_with(0.1), WANTS, trajectories=1, steps=2)
    with pytest.raises(ValueError, match=r"prior of agent.distraction has shape \(4,\); expected \(5,\) \(state\)"):
        gi.infer(1, HALL, agent=agent_with(dist.Beta(1.0, 1.0).expand([4])), reward=WANTS, data=data)

    class Wrong(Distraction):
        dims: ClassVar = {"distraction": ("feature",)}

    with pytest.raises(
        TypeError, match="Wrong declares the axis 'feature' of distraction; expected 'state' or 'action'"
    ):
        Wrong(0.1)
