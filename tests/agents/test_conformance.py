"""Every agent answers the same questions in every kind of world; and what it says of itself is so."""

import warnings

import golden
import jax
import jax.numpy as jnp
import named_agents
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
from biases import quick

import goalinf as gi
from goalinf.agents import Option, solve
from goalinf.identify.local.jacobian import log_policy_jacobian
from goalinf.precision import computing_in

WORLDS = {
    "grid": gi.gridworld("s.x\n.#.\n..a", discount=0.9, slip=0.2, terminal="a"),
    "graph": gi.graph_world(nx.path_graph(4), initial=0, discount=0.9),
    "memory": gi.with_memory(gi.graph_world(nx.path_graph(3), initial=0, discount=0.9)),
    "garnet": gi.garnet(jax.random.key(1), states=5, actions=3, branching=2, discount=0.9),
}
# The task of two_step is a world of its own; an agent that does not know its world brings one along.
AGENTS = sorted(set(named_agents.MAKERS) - {"two_step", "ignorant"})
LEARNERS = ("kalman_learner", "pearce_hall", "q_learning", "rescorla_wagner")
STEPS = 4  # the horizon of finite_horizon


def made(name, world, beta=2.0):
    """An agent of this name for this world."""
    n_states, n_actions = world.n_states, world.mdp.n_actions
    uniform = np.full(n_actions, 1.0 / n_actions)
    own = {
        "false_dynamics": lambda: gi.agents.false_dynamics(
            confusion=0.2, beta=beta, alternative=np.roll(np.arange(n_actions), 1)
        ),
        "kl_bounded": lambda: gi.agents.kl_bounded(
            beta=beta, default=uniform + 0.1 * (np.arange(n_actions) == 0) / 1.1 - 0.1 * uniform / 1.1
        ),
        "options": lambda: gi.agents.options(
            options=[
                Option(np.tile(uniform, (n_states, 1)), np.full(n_states, 0.5), name="any"),
                Option(np.asarray(world.mdp.available) / world.mdp.available.sum(1, keepdims=True), np.ones(n_states)),
            ],
            beta=beta,
            early=0.1,
        ),
        "subgoal": lambda: gi.agents.subgoal(detour=0.5, beta=beta, world=world, places=[world.states[1]]),
        "uniform": gi.agents.uniform,
    }
    return own[name]() if name in own else named_agents.MAKERS[name](beta)


def wanted(name, world, values=None):
    """A reward of the kind that the agent takes."""
    values = np.random.default_rng(0).normal(size=world.n_states) if values is None else values
    reward = gi.StateReward(values, on="departure")
    if name == "switching":
        return gi.one_of({"one": reward, "other": gi.StateReward(-values, on="departure")})
    return gi.goals(world, {"end": world.states[-1]}, step_cost=1.0)["end"] if name == "subgoal" else reward


@pytest.mark.parametrize("world", quick(WORLDS, ["grid"]))
@pytest.mark.parametrize("name", AGENTS)
def test_policies_are_distributions_over_what_is_available(name, world):
    world = WORLDS[world]
    policy = solve(made(name, world), world, wanted(name, world))
    np.testing.assert_allclose(np.exp(policy.log_probs).sum(-1), 1.0, atol=1e-12)
    acting = ~policy.ended & ~np.asarray(world.mdp.terminal)
    refused = ~np.asarray(world.mdp.available) & acting[:, None]
    assert np.isneginf(np.broadcast_to(policy.log_probs, policy.log_probs.shape)[..., refused]).all()
    if policy.modes is not None:
        np.testing.assert_allclose(np.exp(policy.modes.initial).sum(-1), 1.0, atol=1e-12)
        if policy.modes.kernel is not None:
            np.testing.assert_allclose(np.exp(policy.modes.kernel).sum(-1), 1.0, atol=1e-12)


# A policy, habits, a learner, modes that move and modes that stay.
@pytest.mark.parametrize("name", quick(AGENTS, ["cvar", "habitual", "q_learning", "abandoning", "noisy_plan"]))
def test_simulates_and_scores_what_it_simulated(name):
    """The mean surprise is what the agent itself expects, within Monte Carlo error; others are more surprised."""
    world = WORLDS["garnet"]
    agent, reward = made(name, world), wanted(name, world)
    data = gi.simulate(jax.random.key(0), world, agent, reward, trajectories=300, steps=STEPS)
    scores = gi.Behavior(world, agent, reward).log_prob_by("trajectory", data)
    assert np.isfinite(scores).all()
    again = gi.simulate(jax.random.key(1), world, agent, reward, trajectories=300, steps=STEPS)
    other = gi.Behavior(world, agent, reward).log_prob_by("trajectory", again)
    assert abs(scores.mean() - other.mean()) < 4.0 * np.hypot(scores.std(), other.std()) / np.sqrt(300)
    guessed = gi.Behavior(world, gi.agents.uniform(), gi.StateReward(np.zeros(5), on="departure")).log_prob_by(
        "trajectory", data
    )
    difference = scores - guessed
    assert difference.mean() >= -3.0 * difference.std() / np.sqrt(300)  # Gibbs: nobody predicts better than the truth


@pytest.mark.parametrize("name", quick(AGENTS, ["hyperbolic", "cvar", "q_learning", "plan_commitment"]))
def test_compiles_differentiates_and_batches(name):
    """jit, grad with respect to every parameter of the agent against finite differences, and vmap."""
    world = WORLDS["garnet"]
    agent, reward = made(name, world), wanted(name, world)
    data = gi.simulate(jax.random.key(0), world, agent, reward, trajectories=5, steps=STEPS).unlabeled()
    names = [key for key, value in agent.parameters.items() if np.ndim(value) == 0]

    def density(x):
        return gi.Behavior(world, agent.at(**dict(zip(names, x, strict=True))), reward).log_prob(data)

    here = np.array([float(agent.parameters[key]) for key in names])
    if not names:
        return
    with computing_in("float64"):
        value, slopes = jax.jit(jax.value_and_grad(density))(jnp.asarray(here))
        np.testing.assert_allclose(value, gi.Behavior(world, agent, reward).log_prob(data), rtol=1e-9)
        points = here + 1e-5 * np.concatenate([np.eye(len(here)), -np.eye(len(here))])
        inside = np.array(
            [low <= x <= high for x, (low, high) in zip(here + 1e-5, map(agent.ranges.get, names), strict=True)]
        )
        inside &= np.array(
            [low <= x <= high for x, (low, high) in zip(here - 1e-5, map(agent.ranges.get, names), strict=True)]
        )
        values = np.asarray(jax.vmap(density)(jnp.asarray(points))).reshape(2, -1)
    numeric = (values[0] - values[1]) / 2e-5
    np.testing.assert_allclose(np.asarray(slopes)[inside], numeric[inside], rtol=1e-4, atol=1e-5)


# -- what agents say of themselves ----------------------------------------------------------------

LAW = oracles.random_law(np.random.default_rng(3), 3, 2, 3)
ENDLESS = gi.from_arrays(LAW, discount=golden.G3_DISCOUNT)


def one_policy(agent):
    """Whether it acts by one stationary policy."""
    return agent.one_policy and agent.horizon is None


TABLES = [name for name in AGENTS if name not in ("subgoal", "switching", "uniform")]


@pytest.mark.parametrize("name", TABLES)
def test_invariances_are_as_declared(name):
    """Rewards by outcome, so that agents who look at outcomes see what is moved between them."""
    agent = named_agents.AGENTS[name]
    outcomes = np.random.default_rng(4).uniform(0.2, 1.0, size=(3, 2, 3))
    discount = agent.discount
    discount = golden.G3_DISCOUNT if discount is None else float(discount)
    potential = np.array([1.0, -2.0, 0.5])
    noise = np.random.default_rng(5).normal(size=(3, 2, 3))
    moved = noise - (LAW * noise).sum(-1, keepdims=True)
    changes = {
        "constant": np.full((3, 2, 3), 0.7),
        "potential": discount * potential[None, None, :] - potential[:, None, None],
        "redistribution": moved,
    }
    if name == "false_dynamics" or name in LEARNERS:
        pytest.skip("takes no rewards by outcome, or learns from each as it comes")
    before = np.exp(solve(agent, ENDLESS, gi.TransitionReward(outcomes)).log_probs)
    for kind, change in changes.items():
        after = np.exp(solve(agent, ENDLESS, gi.TransitionReward(outcomes + change)).log_probs)
        same = np.abs(after - before).max() < 1e-7
        assert same == agent.invariances[kind], (kind, np.abs(after - before).max())


CONFOUNDED = {
    "discount": (gi.agents.myopic(discount=0.5, beta=2.0), "action", {"beta", "discount"}),
    "lapse": (gi.agents.boltzmann(beta=2.0, lapse=0.1), "action", {"beta", "lapse"}),
    "risk": (gi.agents.risk_sensitive(risk=-1.0, beta=2.0), "action", {"beta", "risk"}),
    "depth": (gi.agents.lookahead(depth=3, beta=2.0, discount=0.7, lapse=0.1), "action", {"beta", "discount", "lapse"}),
    "negated": (gi.agents.anti_rational(beta=2.0, negated=True, discount=0.7), "action", {"beta", "discount"}),
    "discount, by state": (gi.agents.myopic(discount=0.5, beta=2.0), "departure", {"beta", "discount"}),
    "present bias, by state": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0),
        "departure",
        {"beta", "present_bias"},
    ),
    "present bias, on arrival": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0),
        "arrival",
        {"beta", "present_bias"},
    ),
    "risk, by state": (gi.agents.risk_sensitive(risk=-1.0, beta=2.0), "departure", set()),
    "depth, by state": (gi.agents.lookahead(depth=3, beta=2.0, discount=0.7), "departure", {"beta", "discount"}),
    "depth, on arrival": (gi.agents.lookahead(depth=3, beta=2.0, discount=0.7), "arrival", {"beta", "discount"}),
    "known leaves": (
        gi.agents.lookahead(depth=3, beta=2.0, discount=0.7, leaf=[0.1, 0.5, 0.2]),
        "departure",
        {"beta", "discount"},
    ),
    "leaves alone": (gi.agents.lookahead(depth=1, beta=2.0, discount=0.7, leaf=[0.1, 0.5, 0.2]), "departure", set()),
    "negated, by state": (
        gi.agents.anti_rational(beta=2.0, negated=True, discount=0.7),
        "departure",
        {"beta", "discount"},
    ),
    "slip meant": (
        gi.agents.slipping(slip=0.2, beta=2.0, foreseen=True, recorded="intended"),
        "departure",
        {"beta", "slip"},
    ),
    "slip done": (gi.agents.slipping(slip=0.2, beta=2.0, foreseen=True), "departure", {"beta"}),
    "SR, by state": (
        gi.agents.successor_representation(beta=2.0, model_based=0.4),
        "departure",
        {"beta", "model_based"},
    ),
    "two worlds": (gi.agents.myopic(discount=0.5, beta=2.0, lapse=0.1), "two departure", {"beta"}),
    "two worlds, present bias": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0),
        "two departure",
        {"beta", "present_bias"},
    ),
    "two worlds, equilibrium": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0, sophisticated=True),
        "two departure",
        {"beta", "present_bias"},
    ),
    "two worlds, present bias on arrival": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0),
        "two arrival",
        {"beta"},
    ),
    "features": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0, discount=0.8),
        "features",
        {"beta", "present_bias"},
    ),
}
WIDE = gi.from_arrays(oracles.random_law(np.random.default_rng(10), 6, 2, 6), discount=golden.G3_DISCOUNT)
SECOND = gi.from_arrays(oracles.random_law(np.random.default_rng(9), 3, 2, 3), discount=golden.G3_DISCOUNT)


@pytest.mark.parametrize("case", quick(CONFOUNDED, ["discount", "depth", "two worlds, present bias", "features"]))
def test_confounded_parameters_are_those_that_the_null_space_finds(case):
    """Declared: one direction more. Not declared although it bends the outlook: none more, with state rewards."""
    agent, kind, expected = CONFOUNDED[case]
    rng = np.random.default_rng(6)
    action, state = rng.uniform(0.2, 1.0, (3, 2)), rng.normal(size=3)
    *several, on = kind.split()
    if on == "action":
        reward = gi.ActionReward(action)
    elif on == "features":
        reward = gi.LinearReward(np.eye(6)[:, :2], state[:2], on="departure")
    else:
        reward = gi.StateReward(state, on=on)
    world = {"one": ENDLESS, "other": SECOND} if several else WIDE if on == "features" else ENDLESS
    assert set(agent.confounded(reward, 2 if several else 1)) == expected
    alone = gi.identify.null_space(world, agent, reward).dimension
    for parameter in agent.parameters:
        more = gi.identify.null_space(world, agent, reward, free=(parameter,)).dimension - alone
        assert more == (parameter in expected), parameter


def test_the_discount_is_that_of_the_agent_who_has_one():
    """Few features buy it; that of the world, which nobody uses, is not what is asked for."""
    features = gi.LinearReward(np.eye(6)[:, :2], np.array([1.0, -0.5]), on="departure")
    own, theirs = gi.agents.myopic(discount=0.6, beta=2.0), gi.agents.boltzmann(beta=2.0)
    found = gi.identify.null_space(WIDE, own, features, free=("discount",))
    assert (found.dimension, list(found.agent)) == (0, ["agent.discount"])
    assert list(gi.identify.null_space(WIDE, theirs, features, free=("discount",)).agent) == ["discount"]
    both = gi.identify.null_space(WIDE, {1: own, 2: theirs}, features, free=("discount",))
    assert (both.dimension, set(both.agent)) == (0, {"agent.discount", "discount"})


def test_a_peak_of_what_is_near_rises_with_the_rewards_and_the_end_does_not():
    for agent in (gi.agents.extremal(peak=0.5, beta=2.0, depth=2), gi.agents.extremal(peak=0.5, beta=2.0, horizon=2)):
        assert agent.invariances == {"constant": False, "potential": False, "redistribution": False}
        before, after = (agent.policy(ENDLESS, gi.ActionReward(golden.G3_R + c)).values for c in (0.0, -2.0))
        assert np.abs(after - before).max() > 1e-3
    assert all(gi.agents.uniform().invariances.values())


ONTO = [name for name, agent in named_agents.AGENTS.items() if agent.onto and one_policy(agent)]


@pytest.mark.parametrize("name", quick(ONTO, ["satisficing", "rational_inattention", "extremal"]))
def test_every_policy_is_that_of_some_reward_where_it_says_so(name):
    """Newton's method on r(s, a), along a path from the policy of one reward to a policy drawn at random."""
    agent = named_agents.AGENTS[name]
    reward = np.random.default_rng(7).uniform(0.5, 1.0, (3, 2))
    wanted = np.log(np.random.default_rng(8).dirichlet([2.0, 2.0], 3))

    def odds(reward):
        """Of the second action, in nats, with derivatives."""
        found = log_policy_jacobian(ENDLESS, agent, gi.ActionReward(reward))
        now = np.log(found.policy[0])
        return now[:, 1] - now[:, 0], found.log_policy[0, :, 1] - found.log_policy[0, :, 0]

    first, last = odds(reward)[0], wanted[:, 1] - wanted[:, 0]
    for share in np.linspace(0.0, 1.0, 21)[1:]:
        for _ in range(4):
            now, slopes = odds(reward)
            missing = (1 - share) * first + share * last - now
            reward = reward + np.linalg.lstsq(slopes, missing, rcond=1e-9)[0].reshape(3, 2)
    np.testing.assert_allclose(odds(reward)[0], last, atol=1e-8)


@pytest.mark.parametrize(
    "agent", [gi.agents.boltzmann(beta=2.0, lapse=0.2), gi.agents.slipping(slip=0.2, beta=2.0), gi.agents.uniform()]
)
def test_no_reward_makes_unlikely_what_is_done_by_mistake(agent):
    assert agent.onto is False
    for reward in (golden.G3_R, 1e3 * golden.G3_R):
        assert np.exp(solve(agent, ENDLESS, gi.ActionReward(reward)).log_probs).min() >= 0.1 - 1e-12


def test_priors_that_no_data_can_change_are_warned_of_before_sampling():
    walks = gi.simulate(
        jax.random.key(0), ENDLESS, gi.agents.boltzmann(beta=2.0), named_agents.G3_REWARD, trajectories=5, steps=5
    )
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
    says = r"agent.beta and reward.values both have a prior.*agent.at\(beta"
    with warnings.catch_warnings():
        warnings.simplefilter("error", gi.errors.UnidentifiedWarning)
        with pytest.raises(gi.errors.UnidentifiedWarning, match=says):
            gi.infer(jax.random.key(1), ENDLESS, agent=agent, reward=prior, data=walks, progress=False)
        either = gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=dist.LogNormal(0.0, 1.0))
        with pytest.raises(gi.errors.UnidentifiedWarning, match=says):
            gi.infer(jax.random.key(1), ENDLESS, agent=either, reward=prior, data=walks, progress=False)


def test_usual_priors():
    for name, agent in named_agents.AGENTS.items():
        priors = agent.default_priors
        missing = {key for key, value in agent.parameters.items() if np.ndim(value) == 0} - set(priors)
        assert not missing, name
        low_high = {key: agent.ranges[key] for key in priors}
        for key, prior in priors.items():
            drawn = np.asarray(prior.sample(jax.random.key(0), (50,)))
            assert ((drawn >= low_high[key][0]) & (drawn <= low_high[key][1])).all(), key
            assert np.isfinite(np.asarray(prior.log_prob(drawn))).all(), key


def test_agents_without_one_policy_have_no_null_space():
    with pytest.raises(ValueError, match="does not act by one policy"):
        gi.identify.null_space(ENDLESS, gi.agents.abandoning(hazard=0.1, beta=2.0), named_agents.G3_REWARD)


@pytest.mark.parametrize("name", [*AGENTS, "one_of"])
def test_leaves_of_an_agent_are_numbers(name):
    """Names and kinds are part of the structure, which compiled programs and derivatives never see as arrays."""
    agents = [made(each, WORLDS["grid"]) for each in ([name] if name in AGENTS else ["soft_optimal", "boltzmann"])]
    leaves = jax.tree.leaves(gi.one_of(agents) if len(agents) > 1 else agents[0])
    assert all(np.asarray(leaf).dtype.kind in "fiub" for leaf in leaves)
