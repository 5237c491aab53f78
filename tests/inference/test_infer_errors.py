"""What ``gi.infer`` refuses, in words."""

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import goalinf as gi

HALL = gi.gridworld("s.a", discount=0.9)
AGENT = gi.agents.soft_optimal(beta=1.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
KNOWN = gi.StateReward(np.zeros(3), on="departure")
DATA = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
KEY = jax.random.key(0)


def infer(**changes):
    return gi.infer(KEY, **{"world": HALL, "agent": AGENT, "reward": PRIOR, "data": DATA, "progress": False, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"reward": gi.StateReward(dist.Normal(0.0, 1.0).expand((4,)), on="arrival")},
            r"prior of reward\.values has shape \(4,\); expected \(3,\) \(state\), or a scalar prior",
        ),
        (
            {"reward": gi.ActionReward(dist.Normal(np.zeros((3, 2)), 1.0))},
            r"has shape \(3, 2\); expected \(3, 4\) \(state x action\)",
        ),
        (
            {"reward": gi.LinearReward(np.ones((3, 2)), dist.Normal(np.zeros(3), 1.0), on="arrival")},
            r"reward\.weights has shape \(3,\); expected \(2,\) \(feature\)",
        ),
        (
            {"reward": gi.StateReward(dist.Poisson(1.0), on="arrival")},
            r"prior of reward\.values is discrete \(Poisson\); expected a continuous one",
        ),
        ({"agent": gi.agents.soft_optimal(beta=dist.Poisson(1.0))}, r"prior of agent\.beta is discrete"),
        (
            {"reward": gi.StateReward(dist.Delta(2.0), on="arrival")},
            r"prior of reward\.values is a Delta, .*: give the number",
        ),
        (
            {"reward": gi.StateReward(dist.ImproperUniform(dist.constraints.real, (), ()), on="arrival")},
            r"the prior of reward\.values is improper; .*use a wide proper prior, such as",
        ),
        ({"reward": {0: PRIOR}}, "the reward of context 0 holds a prior; expected known rewards in a mapping"),
        ({"reward": KNOWN}, "no parameter has a prior: give a parameter of the agent or the reward a distribution"),
        ({"data": gi.Trajectories.of([[0, 1]], [[-1]], lengths=[1])}, "the data hold no observed action"),
        ({"data": gi.Trajectories.of([[5, 1]], [[3]])}, "state number 5; the world has 3 states"),
        ({"data": gi.Trajectories.of([[0, 1]], [[6]])}, "action number 6; the world has 4 actions"),
        ({"agent": None}, r"gi\.infer needs agent="),
        ({"reward": None, "world": None}, r"gi\.infer needs world, reward="),
        ({"chains": 0}, "chains is 0; expected a whole number of at least 1"),
        ({"draws": -1}, "draws is -1; expected a whole number"),
        ({"warmup": -5}, "warmup is -5; expected a whole number of at least 0"),
        ({"model": lambda data: None}, r"either model=, or world, agent and reward, not both"),
        ({"world": gi.gridworld("s.a", discount=1.0)}, "with discount 1 this problem cannot end from state"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        infer(**changes)


def test_wrong_kinds():
    for changes in ({"data": {"state": [0]}}, {"agent": 3.0}, {"world": "hall"}, {"reward": 2.0}):
        with pytest.raises(TypeError):
            infer(**changes)


def test_impossible_choices():
    """A choice that does not exist, or of probability zero, names its step and the way out."""
    corridor = gi.gridworld("s.a", discount=0.9, blocked="unavailable")
    up = gi.Trajectories.of([[0, 1, 2], [1, 1, 2]], [[3, 3], [0, 3]])
    with pytest.raises(ValueError, match=r"trajectory 1, step 0: action up is not available in state 0,1"):
        infer(world=corridor, data=up)
    never = gi.agents.PlanningAgent(choice=gi.agents.Softmax(dist.LogNormal(0.0, 1.0), np.eye(4)[[3, 3, 2]]))
    back = gi.Trajectories.of([[0, 1, 2], [1, 0, 1]], [[3, 3], [2, 3]])
    with pytest.raises(ValueError, match=r"probability zero under the agent \(1 such steps\).*an agent with lapses"):
        infer(agent=never, reward=KNOWN, data=back)


def test_models_of_ones_own():
    def nothing_unknown(data):
        numpyro.sample("choices", gi.Behavior(HALL, AGENT, KNOWN), obs=data)

    def nothing_observed(data):
        numpyro.sample("beta", dist.LogNormal(0.0, 1.0))

    def discrete(data):
        beta = numpyro.sample("beta", dist.Poisson(2.0))
        numpyro.sample("choices", gi.Behavior(HALL, AGENT.at(beta=beta), KNOWN), obs=data)

    for model, message in [
        (nothing_unknown, "the model has no parameter to infer"),
        (nothing_observed, "the model has no observed site"),
        (discrete, "site 'beta' is discrete; marginalize it"),
    ]:
        with pytest.raises(ValueError, match=message):
            gi.infer(KEY, model=model, data=DATA, progress=False)


@pytest.mark.parametrize(
    "prior", [dist.HalfCauchy(1.0), dist.InverseGamma(1.0, 1.0), dist.FoldedDistribution(dist.Normal(0, 1))]
)
def test_priors_without_a_mean_are_priors(prior):
    """The model is tried at the median before anything is sampled."""
    assert gi.inference.find_map(KEY, HALL, agent=gi.agents.boltzmann(beta=prior), reward=KNOWN, data=DATA) is not None


def test_a_model_without_behaviors_whose_density_is_not_finite():
    """No trajectory is to blame: the message names none."""

    def impossible(data):
        numpyro.sample("x", dist.Normal(0.0, 1.0))
        numpyro.factor("never", -np.inf * (data.n_trajectories > 0))

    with pytest.raises(ValueError, match=r"^the log density is not finite at the center of the prior"):
        gi.infer(KEY, model=impossible, data=DATA)
