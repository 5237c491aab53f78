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
import oracles
import pytest
from named_agents import AGENTS, G3, G3_REWARD, MAKERS, REWARDS
from problems import A, S, random_problem

import goalinf as gi
from goalinf import agents
from goalinf.agents import CVaR, IllusionOfControl, Lapse, Optimism, Softmax, ValueIteration, plan, solve
from goalinf.agents.planning import plan_goals
from goalinf.precision import computing_in

BETA = golden.G3_BETA
GOLDEN = {
    "boltzmann_q": gi.boltzmann(BETA),
    "mce": gi.soft_optimal(BETA),
    "mce_horizon_4": gi.finite_horizon(4, BETA),
    "boltzmann_horizon_4": gi.finite_horizon(4, BETA, backup="hard"),
    "boltz_operator": gi.boltzmann(BETA, backup="mean"),
    "lookahead 2": gi.lookahead(2, BETA),
    "greedy": gi.lookahead(1, BETA),
    "myopic discount .5": gi.myopic(0.5, BETA),
    "hyperbolic naive k=1 H=6": gi.hyperbolic(1.0, BETA, horizon=6),
    "hyperbolic sophisticated k=1 H=6": gi.hyperbolic(1.0, BETA, horizon=6, sophisticated=True),
    "quasi-hyperbolic naive .6": gi.quasi_hyperbolic(0.6, BETA),
    "quasi-hyperbolic sophisticated .6": gi.quasi_hyperbolic(0.6, BETA, sophisticated=True),
    "chan_hyperbolic .1": gi.chan_hyperbolic(0.1, BETA),
    "KL default (.8, .2)": gi.kl_bounded(BETA, [0.8, 0.2]),
    "rational inattention 1/3": gi.rational_inattention(BETA, visits=[1.0, 1.0, 1.0]),
    "entropic -1": gi.risk_sensitive(-1.0, BETA),
    "entropic +1": gi.risk_sensitive(1.0, BETA),
    "CVaR .5": gi.cvar(0.5, BETA),
    "prospect log 2": gi.prospect(2.0, BETA),
    "prospect power .88 2.25": gi.prospect(2.25, BETA, exponent=0.88),
    "optimism +1": gi.optimistic(1.0, BETA),
    "optimism -1": gi.optimistic(-1.0, BETA),
    "illusion 2": gi.illusion_of_control(2.0, BETA),
    "illusion 0": gi.illusion_of_control(0.0, BETA),
    "extremal .5": gi.extremal(0.5, BETA),
    "false dynamics: swapped .2": gi.false_dynamics(0.2, BETA, alternative=[1, 0]),
    "lapse .1": gi.boltzmann(BETA, lapse=0.1),
    "anti_boltzmann": gi.anti_rational(BETA),
    "perseveration .5 after 0": gi.habitual(0.5, BETA),
    "successor": gi.successor_representation(BETA),
    "hybrid .5": gi.successor_representation(BETA, model_based=0.5),
    "satisficing .2 10": gi.satisficing(0.2, 10.0),
    "slip aware .2": gi.slipping(0.2, BETA, foreseen=True, recorded="intended"),
    "slip unaware .2": gi.slipping(0.2, BETA),
}


def first_step(policy):
    return policy[0] if policy.ndim == 3 else policy


# -- the golden table -------------------------------------------------------------------------


def test_every_golden_row_has_a_named_agent():
    assert GOLDEN.keys() == golden.G3_POLICY.keys() | golden.G3_AGENT_POLICY.keys()


@pytest.mark.parametrize("name", set(GOLDEN) - {"perseveration .5 after 0"})
def test_golden(name):
    found = first_step(GOLDEN[name].policy(G3, G3_REWARD).values)[:, 0]
    np.testing.assert_allclose(found, (golden.G3_POLICY | golden.G3_AGENT_POLICY)[name], rtol=0, atol=1e-6)


def test_golden_habit():
    name = "perseveration .5 after 0"
    twice = gi.Trajectories.of([[s, s, s] for s in range(3)], [[0, 0]] * 3)  # 0 once more, where it was done before
    scores = gi.Behavior(G3, GOLDEN[name], G3_REWARD).log_prob_by_step(twice)
    np.testing.assert_allclose(np.exp(scores)[:, 1], golden.G3_AGENT_POLICY[name], rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.exp(scores)[:, 0], golden.G3_POLICY["boltzmann_q"], rtol=0, atol=1e-6)


def test_golden_values():
    values = solve(GOLDEN["chan_hyperbolic .1"], G3, G3_REWARD).values / BETA
    np.testing.assert_allclose(values, golden.G3_V_CHAN_HYPERBOLIC, atol=1e-6)
    inattentive = GOLDEN["rational inattention 1/3"].policy(G3, G3_REWARD)
    np.testing.assert_allclose(inattentive.mean("state"), golden.G3_INATTENTIVE_HABIT, atol=1e-6)


# -- the other parts --------------------------------------------------------------------------

OTHERS = {
    "horizon": 3,
    "depth": 2,
    "discount": 0.5,
    "backup": "mean",
    "outlook": CVaR(0.5),
    "beliefs": IllusionOfControl(2.0),
    "execution": Lapse(0.1),
    "lapse": 0.1,
}


def documented(name):
    """Further arguments that the docstring of a constructor names."""
    (text,) = re.findall(r"\*\*others\n(.*?)\n\n    Returns", getattr(gi, name).__doc__, re.DOTALL)
    return set(re.findall(r"``(\w+)(?:=[\d.]+)?``", text))


def test_every_constructor_is_here():
    assert set(agents.named.__all__) == set(MAKERS)
    for name, agent in AGENTS.items():
        assert agent.name == name


@pytest.mark.parametrize("name", MAKERS)
def test_docstrings_name_the_other_arguments(name):
    taken, own = set(), set(inspect.signature(getattr(gi, name)).parameters)
    for key, value in OTHERS.items():
        if key in own:
            continue
        try:
            agent = MAKERS[name](BETA, **{key: value})
        except ValueError as error:
            assert re.search(rf"{key}.*(leave {key} out|give one of them)|backup='hard'", str(error))  # noqa: PT017
        else:
            taken.add(key)
            planner = getattr(agent.planner, "planner", agent.planner)
            hand = getattr(agent.execution, "inner", agent.execution)
            held = {"beliefs": agent.beliefs, "execution": hand, "lapse": getattr(hand, "lapse", None)}
            found = held[key] if key in held else getattr(planner, key)
            assert eqx.tree_equal(jax.tree.map(np.asarray, found), jax.tree.map(np.asarray, value))
    said = documented(name) - own
    if name == "anti_rational":
        assert eqx.tree_equal(
            gi.anti_rational(BETA, negated=True, backup="soft").planner.planner, ValueIteration("soft")
        )
        said -= {"backup"}
    if name == "slipping":
        assert eqx.tree_equal(gi.slipping(0.1, BETA, beliefs=OTHERS["beliefs"]).beliefs, OTHERS["beliefs"])
        said -= {"beliefs"}
    assert taken == said


@pytest.mark.parametrize("name", set(MAKERS) - {"slipping", "habitual"})
def test_a_lapse_is_the_same_for_everybody(name):
    reward = REWARDS.get(name, G3_REWARD)
    plain = AGENTS[name].policy(G3, reward)
    lapsing = MAKERS[name](BETA, lapse=0.1).policy(G3, reward)
    np.testing.assert_allclose(lapsing, 0.9 * plain + 0.1 / 2, atol=1e-12)


def test_three_arguments_make_an_optimistic_agent_of_bounded_depth_that_lapses():
    named = gi.optimistic(0.5, beta=2.0, depth=3, lapse=0.05)
    parts = gi.Agent(planner=ValueIteration(depth=3, outlook=Optimism(0.5)), choice=Softmax(2.0), execution=Lapse(0.05))
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
    habit = agents.ChoiceKernel(0.5, 1.0, inner=Lapse(0.1))
    agent = gi.abandoning(0.1, BETA, execution=habit)
    assert list(agent.parameters) == ["beta", "hazard", "recovery", "persistence", "habit_rate", "lapse"]
    assert np.isfinite(solve(agent, G3, G3_REWARD).log_probs).all()
    slip = gi.Agent(
        beliefs=agents.ForeseesSlips(),
        choice=Softmax(BETA),
        execution=agents.ChoiceKernel(0.0, 1.0, inner=agents.Slip(0.2, recorded="intended")),
    )
    np.testing.assert_allclose(slip.policy(G3, G3_REWARD)[:, 0], golden.G3_AGENT_POLICY["slip aware .2"], atol=1e-6)


# -- priors and discrete parameters -----------------------------------------------------------


@pytest.mark.parametrize("name", set(MAKERS) - {"uniform"})
def test_every_number_can_be_a_prior(name):
    known = AGENTS[name]
    prior = dist.Uniform(0.1, 0.9)
    skipped = {"default"}
    agent = known.at(**dict.fromkeys(set(known.parameters) - skipped, prior))
    function = getattr(gi, name)
    own = [key for key in inspect.signature(function).parameters if key in known.parameters and key not in skipped]
    fixed = {
        "option": {"options": [named_agents.FIRST, named_agents.SECOND]},
        "false_dynamics": {"alternative": [1, 0]},
        "finite_horizon": {"horizon": 4},
        "hyperbolic": {"horizon": 6},
        "kl_bounded": {"default": [0.8, 0.2]},
        "lookahead": {"depth": 2},
        "noisy_plan": {"draws": 5},
        "plan_commitment": {"depths": 3},
        "slipping": {"foreseen": True},
        "subgoal": {"world": G3, "places": [1]},
    }.get(name, {})
    assert own
    assert eqx.tree_equal(function(**dict.fromkeys(own, prior), **fixed), agent)


def test_a_parameter_says_what_it_is_wherever_it_stands():
    owners = {}
    for room in ("beliefs", "planners", "outlooks", "choice", "execution", "history", "failures", "options"):
        for part in vars(getattr(agents, room)).values():
            if inspect.isclass(part) and issubclass(part, agents.parts.Part) and part.__module__.endswith(room):
                for name in part.parameters:
                    owners.setdefault(name, set()).add(room)
    assert {"beta", "lapse", "hazard", "optimism", "discount"} <= set(owners)
    assert {name: rooms for name, rooms in owners.items() if len(rooms) > 1} == {}


def test_one_of_several_in_the_place_of_any_argument():
    depths = gi.lookahead(gi.one_of([1, 2, 4], weights=[2.0, 1.0, 1.0]), BETA)
    assert (depths.parameter, depths.names, depths.by) == ("depth", (1, 2, 4), "subject")
    np.testing.assert_allclose(depths.weights, [0.5, 0.25, 0.25])
    assert [agent.planner.depth for agent in depths.agents] == [1, 2, 4]

    shared = gi.optimistic(0.5, BETA, depth=gi.one_of([2, 3], by="data"), lapse=0.1)  # one that it does not set itself
    assert (shared.parameter, shared.by) == ("depth", "data")
    assert [agent.parameters["lapse"] for agent in shared.agents] == [0.1, 0.1]

    named = gi.hyperbolic(1.0, BETA, horizon=6, sophisticated=gi.one_of({"naive": False, "wise": True}))
    assert named.names == ("naive", "wise")
    kinds = gi.boltzmann(BETA, outlook=gi.one_of([CVaR(0.5), Optimism(1.0)]))
    assert kinds.names == ("CVaR", "Optimism")
    assert gi.false_dynamics(0.1, BETA, alternative=gi.one_of([[0, 1], [1, 0]])).names == (0, 1)
    with pytest.raises(ValueError, match="depth and lapse are both one_of"):
        gi.optimistic(0.5, BETA, depth=gi.one_of([1, 2]), lapse=gi.one_of([0.0, 0.1]))


def test_mixtures():
    who = gi.mixture({"planner": gi.boltzmann(BETA), "idler": gi.uniform()}, weights=dist.Dirichlet(np.ones(2)))
    assert (who.names, who.parameter) == (("planner", "idler"), "which")
    assert gi.mixture([gi.boltzmann(BETA), gi.uniform()]).names == ("boltzmann", "uniform")
    with pytest.raises(ValueError, match="mixture got a Mixture; expected agents, such as"):
        gi.mixture({"both": who, "one": gi.uniform()})
    with pytest.raises(ValueError, match=r"weights have shape \(3,\); expected a prior over 2 shares"):
        gi.mixture([gi.boltzmann(BETA), gi.uniform()], weights=dist.Dirichlet(np.ones(3)))
    with pytest.raises(ValueError, match="mixture got no option"):
        gi.mixture([])


# -- default policies, temperatures by state, places ------------------------------------------


@pytest.mark.parametrize("default", ["by action", "by state"])
def test_default_policies_are_cut_to_what_is_available(default):
    world, P, available, over, rng = random_problem(2, 0.9)
    reward, given = rng.normal(size=(S, A)), rng.random((S, A) if default == "by state" else A)
    going = ~over
    exact = agent_oracles.kl_default(P, reward, 0.9, BETA, given, available, over)
    found = gi.kl_bounded(BETA, given).policy(world, gi.ActionReward(reward)).values
    np.testing.assert_allclose(found[going], exact.policy[going], atol=1e-10)
    np.testing.assert_allclose(
        solve(gi.kl_bounded(BETA, given), world, gi.ActionReward(reward)).values / BETA, exact.V, atol=1e-9
    )
    cut = np.where(available, given, 0.0)[going]
    idle = gi.uniform(default=given).policy(world, gi.ActionReward(reward)).values[going]
    np.testing.assert_allclose(idle, cut / cut.sum(1, keepdims=True), atol=1e-12)
    by_state = np.broadcast_to(given, (S, A)) * available / (given * available).sum(1, keepdims=True)
    exact = agent_oracles.successor(P, reward, 0.9, BETA, 0.0, by_state, available, over)
    found = gi.successor_representation(BETA, default=given).policy(world, gi.ActionReward(reward)).values
    np.testing.assert_allclose(found[going], exact.policy[going], atol=1e-10)


@pytest.mark.parametrize(
    "agent", [gi.kl_bounded(BETA, [0.8, 0.2]), gi.soft_optimal([1.0, 2.0, 3.0]), gi.boltzmann([1.0, 2.0, 3.0])]
)
def test_goals_are_planned_for_together_as_one_by_one(agent):
    rewards = [G3_REWARD, gi.ActionReward(-golden.G3_R)]
    with computing_in("float64"):
        together = plan_goals(agent, G3.mdp, rewards)
    for log_probs, reward in zip(together.log_probs, rewards, strict=True):
        np.testing.assert_allclose(np.exp(log_probs), agent.policy(G3, reward), atol=1e-12)


def test_a_temperature_for_every_state():
    betas = np.array([0.5, 2.0, 4.0])
    rational = oracles.boltzmann_q(golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, 1.0)
    expected = agent_oracles.act(betas[:, None] * rational.Q, 1.0)
    np.testing.assert_allclose(gi.boltzmann(betas).policy(G3, G3_REWARD), expected, atol=1e-12)

    soft = lambda Q: oracles.log_sum_exp(betas[:, None] * Q) / betas  # noqa: E731
    Q = agent_oracles.linear(golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, 1.0, soft).Q
    np.testing.assert_allclose(
        gi.soft_optimal(betas).policy(G3, G3_REWARD), agent_oracles.act(betas[:, None] * Q, 1.0), atol=1e-10
    )


def test_a_negated_planner_is_the_planner_of_the_negated_reward():
    opposite = gi.ActionReward(-golden.G3_R)
    for others in ({}, {"depth": 2, "discount": 0.5}, {"backup": "soft"}, {"outlook": CVaR(0.5)}):
        negated = gi.anti_rational(BETA, negated=True, **others).policy(G3, opposite)
        np.testing.assert_allclose(negated, gi.boltzmann(BETA, **others).policy(G3, G3_REWARD), atol=1e-12)
    sabotage = gi.anti_rational(BETA).policy(G3, opposite)
    assert abs(sabotage - gi.boltzmann(BETA).policy(G3, G3_REWARD)).max() > 0.01


def test_places_on_the_way():
    maze = gi.gridworld("a.a\n.#.\n..b", discount=1.0, terminal="b")
    everywhere = gi.subgoal(0.5, BETA, world=maze).execution
    assert everywhere.places.shape == (7, 8)
    assert (everywhere.places.sum(1) == 1).all()
    assert not everywhere.dead.any()
    marks = gi.subgoal(0.5, BETA, world=maze, places={"corners": "a", "exit": ["b", (1, 0)]}).execution
    np.testing.assert_array_equal(marks.places.sum(1), [2, 2])
    oneway = gi.from_arrays(successors=[[[1]], [[1]]], probabilities=[[[1.0]], [[1.0]]], discount=0.9)
    np.testing.assert_array_equal(gi.subgoal(0.5, BETA, world=oneway, places=[0]).execution.dead, [[False, True]])


def test_plans_that_are_followed():
    halves = gi.plan_commitment(0.0, BETA, depths=2)
    np.testing.assert_allclose(halves.execution.depths, [2 / 3, 1 / 3])
    with computing_in("float64"):
        policy = plan(gi.plan_commitment(0.0, BETA, depths=[0.0, 1.0], discount=0.5), G3.mdp, G3_REWARD)
    expected = gi.lookahead(2, BETA, discount=0.5).policy(G3, G3_REWARD)
    np.testing.assert_allclose(np.exp(policy.log_probs[1]), expected, atol=1e-12)
