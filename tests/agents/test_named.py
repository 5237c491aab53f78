"""Named agents: golden numbers, what each takes besides its own arguments, and how they are composed."""

import inspect
import re

import agent_oracles
import equinox as eqx
import golden
import jax
import named_agents
import numpy as np
import numpyro.distributions as dist
import pytest
from biases import quick
from named_agents import AGENTS, G3, G3_REWARD, MAKERS, REWARDS

import goalinf as gi
from goalinf import agents
from goalinf.agents import CVaR, IllusionOfControl, Lapse, Optimism, Softmax, ValueIteration, parts, solve
from goalinf.agents.hidden import abandonment, options
from goalinf.agents.memory import habits
from goalinf.planning import Part, risk

BETA = golden.G3_BETA


# -- the other parts --------------------------------------------------------------------------

OTHERS = {
    "horizon": 3,
    "depth": 2,
    "discount": 0.5,
    "backup": "mean",
    "outlook": CVaR(0.5),
    "beliefs": IllusionOfControl(2.0),
    "noise": Lapse(0.1),
    "lapse": 0.1,
}


def documented(name):
    """Further arguments that the docstring of a constructor names."""
    (text,) = re.findall(r"\*\*others\n(.*?)\n\nReturns\n", inspect.getdoc(getattr(gi.agents, name)), re.DOTALL)
    return set(re.findall(r"``(\w+)(?:=[\d.]+)?``", text))


def test_every_constructor_is_here():
    functions = {name: one for name, one in vars(gi.agents).items() if inspect.isfunction(one)}
    found = {name for name, function in functions.items() if ".named." in function.__module__}
    assert found - {"ignorant"} == set(MAKERS)  # which needs several worlds
    for name, agent in AGENTS.items():
        assert agent.name == name


@pytest.mark.parametrize("name", MAKERS)
def test_docstrings_name_the_other_arguments(name):
    taken, own = set(), set(inspect.signature(getattr(gi.agents, name)).parameters)
    for key, value in OTHERS.items():
        if key in own:
            continue
        try:
            agent = MAKERS[name](BETA, **{key: value})
        except ValueError as error:
            assert re.search(rf"{key}.*(leave {key} out|give one of them)|backup='hard'", str(error))  # noqa: PT017
        else:
            taken.add(key)
            planning = agent.planning
            planner, noise = planning.planner.innermost, planning.noise
            held = {"beliefs": planning.beliefs, "noise": noise, "lapse": getattr(noise, "lapse", None)}
            found = held[key] if key in held else getattr(planner, key)
            assert eqx.tree_equal(jax.tree.map(np.asarray, found), jax.tree.map(np.asarray, value))
    said = documented(name) - own
    if name == "anti_rational":
        assert eqx.tree_equal(
            gi.agents.anti_rational(beta=BETA, negated=True, backup="soft").planner.planner, ValueIteration("soft")
        )
        said -= {"backup"}
    if name == "slipping":
        assert eqx.tree_equal(
            gi.agents.slipping(slip=0.1, beta=BETA, beliefs=OTHERS["beliefs"]).beliefs, OTHERS["beliefs"]
        )
        said -= {"beliefs"}
    assert taken == said


# Habits act on the choice before the lapse.
LAPSING = {name for name in MAKERS if "lapse" in documented(name)} - {"habitual"}


@pytest.mark.parametrize("name", quick(LAPSING, ("boltzmann", "options", "q_learning")))
def test_a_lapse_is_the_same_for_everybody(name):
    reward = REWARDS.get(name, G3_REWARD)
    plain = AGENTS[name].policy(G3, reward)
    lapsing = MAKERS[name](BETA, lapse=0.1).policy(G3, reward)
    np.testing.assert_allclose(lapsing, 0.9 * plain + 0.1 / 2, atol=1e-12)


def test_three_arguments_make_an_optimistic_agent_of_bounded_depth_that_lapses():
    named = gi.agents.optimistic(optimism=0.5, beta=2.0, depth=3, lapse=0.05)
    parts = gi.agents.PlanningAgent(
        planner=ValueIteration(depth=3, outlook=Optimism(0.5)), choice=Softmax(2.0), noise=Lapse(0.05)
    )
    assert named.parameters == parts.parameters
    np.testing.assert_array_equal(named.policy(G3, G3_REWARD), parts.policy(G3, G3_REWARD))

    values = np.zeros(3)
    for _ in range(3):  # by hand
        outcome = golden.G3_R[..., None] + golden.G3_DISCOUNT * values
        tilted = golden.G3_P * np.exp(0.5 * outcome)
        Q = (tilted * outcome).sum(-1) / tilted.sum(-1)
        values = Q.max(1)
    expected = agent_oracles.lapse(agent_oracles.act(Q, 2.0), 0.05)
    np.testing.assert_allclose(named.policy(G3, G3_REWARD), expected, atol=1e-12)


def test_a_failing_plan_with_a_habit_and_a_lapse():
    habitual = gi.agents.habitual(persistence=0.5, beta=BETA, lapse=0.1)
    agent = agents.HiddenModeAgent(habitual, agents.Abandoning(0.1))
    assert list(agent.parameters) == ["beta", "lapse", "persistence", "habit_rate", "hazard", "recovery"]
    assert np.isfinite(solve(agent, G3, G3_REWARD).log_probs).all()
    slipping = agents.PlanningAgent(
        beliefs=agents.ForeseesSlips(), choice=Softmax(BETA), noise=agents.Slip(0.2, recorded="intended")
    )
    slip = agents.MemoryAgent(slipping, agents.ChoiceKernel(0.0, 1.0))
    np.testing.assert_allclose(slip.policy(G3, G3_REWARD)[:, 0], golden.G3_AGENT_POLICY["slip aware .2"], atol=1e-6)


# -- priors and discrete parameters -----------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"uniform"}))
def test_every_number_can_be_a_prior(name):
    known = AGENTS[name]
    prior = dist.Uniform(0.1, 0.9)
    skipped = {"default"}
    agent = known.at(**dict.fromkeys(set(known.parameters) - skipped, prior))
    function = getattr(gi.agents, name)
    own = [key for key in inspect.signature(function).parameters if key in known.parameters and key not in skipped]
    fixed = {
        "options": {"options": [named_agents.FIRST, named_agents.SECOND]},
        "false_dynamics": {"alternative": [1, 0]},
        "finite_horizon": {"horizon": 4},
        "hyperbolic": {"horizon": 6},
        "kl_bounded": {"default": [0.8, 0.2]},
        "lookahead": {"depth": 2},
        "noisy_plan": {"draws": 5},
        "pearce_hall": {"by_state": True},
        "plan_commitment": {"depths": 3},
        "slipping": {"foreseen": True},
        "subgoal": {"world": G3, "places": [1]},
    }.get(name, {})
    assert own
    assert eqx.tree_equal(function(**dict.fromkeys(own, prior), **fixed), agent)


def test_a_parameter_says_what_it_is_wherever_it_stands():
    owners = {}
    rooms = [
        parts.beliefs,
        parts.value_iteration,
        parts.successor,
        risk,
        parts.choice,
        parts.noise,
        habits,
        abandonment,
        options,
    ]
    for room in rooms:
        for part in vars(room).values():
            if inspect.isclass(part) and issubclass(part, Part) and part.__module__ == room.__name__:
                for name in part.parameters:
                    owners.setdefault(name, set()).add(room.__name__)
    assert {"beta", "lapse", "hazard", "optimism", "discount"} <= set(owners)
    assert {name: rooms for name, rooms in owners.items() if len(rooms) > 1} == {}


def test_one_of_several_in_the_place_of_any_argument():
    depths = gi.agents.lookahead(depth=gi.one_of([1, 2, 4], weights=[2.0, 1.0, 1.0]), beta=BETA)
    assert (depths.parameter, depths.names, depths.by) == ("depth", (1, 2, 4), "subject")
    np.testing.assert_allclose(depths.weights, [0.5, 0.25, 0.25])
    assert [agent.planner.depth for agent in depths.components] == [1, 2, 4]

    shared = gi.agents.optimistic(
        optimism=0.5, beta=BETA, depth=gi.one_of([2, 3], by="data"), lapse=0.1
    )  # one that it does not set itself
    assert (shared.parameter, shared.by) == ("depth", "data")
    assert [agent.parameters["lapse"] for agent in shared.components] == [0.1, 0.1]

    named = gi.agents.hyperbolic(k=1.0, beta=BETA, horizon=6, sophisticated=gi.one_of({"naive": False, "wise": True}))
    assert named.names == ("naive", "wise")
    kinds = gi.agents.boltzmann(beta=BETA, outlook=gi.one_of([CVaR(0.5), Optimism(1.0)]))
    assert kinds.names == ("CVaR", "Optimism")
    assert gi.agents.false_dynamics(confusion=0.1, beta=BETA, alternative=gi.one_of([[0, 1], [1, 0]])).names == (0, 1)
    with pytest.raises(ValueError, match="depth and lapse are both one_of"):
        gi.agents.optimistic(optimism=0.5, beta=BETA, depth=gi.one_of([1, 2]), lapse=gi.one_of([0.0, 0.1]))


def test_mixtures():
    who = gi.agents.mixture(
        {"planner": gi.agents.boltzmann(beta=BETA), "idler": gi.agents.uniform()}, weights=dist.Dirichlet(np.ones(2))
    )
    assert (who.names, who.parameter) == (("planner", "idler"), "which")
    assert gi.agents.mixture([gi.agents.boltzmann(beta=BETA), gi.agents.uniform()]).names == ("boltzmann", "uniform")
    with pytest.raises(
        ValueError,
        match=r"agent 'both' of the mixture is one_of.*expected one of its agents, such as agent\.components",
    ):
        gi.agents.mixture({"both": who, "one": gi.agents.uniform()})
    with pytest.raises(
        ValueError, match=r"weights have a Dirichlet prior of shape \(3,\); expected a prior over 2 weights"
    ):
        gi.agents.mixture([gi.agents.boltzmann(beta=BETA), gi.agents.uniform()], weights=dist.Dirichlet(np.ones(3)))
    with pytest.raises(ValueError, match="mixture got no option"):
        gi.agents.mixture([])


STEPS = {"pearce_hall": 12}  # values differ after the second outcome of an option


@pytest.mark.parametrize("name", sorted(set(MAKERS) - set(REWARDS)))
def test_scales_is_true_where_only_beta_times_the_reward_matters(name):
    """Half the inverse temperature and twice the reward: the same behavior, or the agent does not declare it."""
    make, doubled = MAKERS[name], gi.ActionReward(2.0 * golden.G3_R)
    data = gi.simulate(0, G3, make(beta=2.0), G3_REWARD, trajectories=3, steps=STEPS.get(name, 4))
    before = float(gi.Behavior(G3, make(beta=2.0), G3_REWARD).log_prob(data))
    after = float(gi.Behavior(G3, make(beta=1.0), doubled).log_prob(data))
    assert np.isfinite(before)
    assert make(beta=2.0).scales == (abs(after - before) < 1e-9)
