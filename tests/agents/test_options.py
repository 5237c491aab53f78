"""Options with errors of termination: against enumeration, at their limits, and what they refuse."""

import agent_oracles
import history_oracles as histories
import jax
import jax.numpy as jnp
import named_agents
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from problems import A, S, random_problem, seeds

import goalinf as gi
from goalinf.agents import Option, solve
from goalinf.precision import computing_in

BETA, EARLY, OVERSHOOT = 1.5, 0.1, 0.3
HALL = gi.gridworld("a..b", discount=0.9)
LEFT = Option(np.tile(np.eye(4)[2], (4, 1)), np.eye(4)[0], name="left")
RIGHT = Option(np.tile(np.eye(4)[3], (4, 1)), np.eye(4)[3], name="right")
WANTS = gi.StateReward.at(HALL, {"b": 1.0}, default=0.0, on="departure")


def random_options(rng, available, over):
    """Three options that stop now and then; the first may begin everywhere."""
    policies = np.where(available, rng.random((3, S, A)), 0.0)
    policies /= policies.sum(-1, keepdims=True)
    ends = rng.random((3, S)) * (rng.random((3, S)) < 0.7)
    starts = rng.random((3, S)) < 0.6
    starts[0] = True
    return policies, ends, starts & ~over


def oracle(P, r, discount, options, over):
    """Modes by the slow code; terminal states, where nothing is chosen, are left out by whoever compares."""
    policies, ends, starts = options
    Q = histories.option_values(P, r, discount, policies, ends, starts, over)
    return Q, histories.options(np.where(over[:, None], 0.0, Q), policies, ends, BETA, EARLY, OVERSHOOT)


def made(options, **others):
    return gi.agents.options(
        options=[Option(*each) for each in zip(*options, strict=True)],
        beta=BETA,
        early=EARLY,
        overshoot=OVERSHOOT,
        **others,
    )


@settings(max_examples=10)
@given(seeds)
def test_against_enumeration(seed):
    world, P, available, over, rng = random_problem(seed, 0.9)
    options, r = random_options(rng, available, over), rng.normal(size=(S, A))
    Q, modes = oracle(P, r, 0.9, options, over)
    policy = solve(made(options), world, gi.ActionReward(r))
    going = ~over
    begun = np.isfinite(Q) & going[:, None]
    np.testing.assert_allclose(policy.values.T[begun] / BETA, Q[begun], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.exp(policy.log_probs)[:, going], modes.policies[:, going], atol=1e-12)
    np.testing.assert_allclose(np.exp(policy.modes.initial)[going], modes.initial[going], atol=1e-10)
    np.testing.assert_allclose(np.exp(policy.modes.kernel)[going], modes.kernel[going], atol=1e-10)


def test_scores_are_sums_over_all_paths_of_options():
    world, P, available, over, rng = random_problem(3, 0.9, terminal=False)
    options, r = random_options(rng, available, over), rng.normal(size=(S, A))
    modes = oracle(P, r, 0.9, options, over)[1]
    walks = gi.simulate(jax.random.key(0), world, made(options), gi.ActionReward(r), trajectories=4, steps=5)
    scores = gi.Behavior(world, made(options), gi.ActionReward(r)).log_prob_by("trajectory", walks)
    expected = [
        histories.modes_log_likelihood(*modes, states[:-1], actions)
        for states, actions in zip(walks.states, walks.actions, strict=True)
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-10)


@pytest.mark.parametrize("overshoot", [0.0, 0.4])
def test_options_of_one_action_that_end_everywhere_are_actions(overshoot):
    world, _, available, over, rng = random_problem(5, 0.9)
    r = rng.normal(size=(S, A))
    actions = [
        Option(
            np.where(available[:, [a]], np.eye(A)[a], available / available.sum(1, keepdims=True)),
            np.ones(S),
            available[:, a] & ~over,
        )
        for a in range(A)
    ]
    with computing_in("float64"):
        policy = jax.device_get(
            gi.agents.options(options=actions, beta=BETA, overshoot=overshoot).policies(world.mdp, gi.ActionReward(r))
        )
    boltzmann = gi.agents.boltzmann(beta=BETA).policy(world, gi.ActionReward(r)).values
    first = np.einsum("so,osa->sa", np.exp(policy.modes.initial), np.exp(policy.log_probs))
    np.testing.assert_allclose(first[~over], boltzmann[~over], atol=1e-10)
    if overshoot == 0.0:
        following = np.einsum("smo,osa->sma", np.exp(policy.modes.kernel), np.exp(policy.log_probs))
        np.testing.assert_allclose(following[~over], np.repeat(boltzmann[~over, None], A, axis=1), atol=1e-10)


def test_gradients_are_those_of_finite_differences():
    world, _, available, over, rng = random_problem(7, 0.9)
    options, r, way = random_options(rng, available, over), *rng.normal(size=(2, S, A))

    def score(r, early):
        agent = made(options).at(early=early)
        policy = agent.policies(world.mdp, gi.ActionReward(r))
        return jnp.where(jnp.isfinite(policy.modes.kernel), policy.modes.kernel, 0.0)[np.flatnonzero(~over)].sum()

    with computing_in("float64"):
        value = jax.jit(score)
        slopes = jax.jit(jax.grad(score, argnums=(0, 1)))(r, 0.2)
        step = 1e-5
        np.testing.assert_allclose(
            (slopes[0] * way).sum(), (value(r + step * way, 0.2) - value(r - step * way, 0.2)) / (2 * step), rtol=1e-6
        )
        np.testing.assert_allclose(slopes[1], (value(r, 0.2 + step) - value(r, 0.2 - step)) / (2 * step), rtol=1e-6)


@pytest.mark.slow
def test_an_undiscounted_walk_to_a_goal():
    hall = gi.gridworld("a..b", discount=1.0)
    goal = gi.goals(hall, {"b": "b"}, step_cost=1.0)["b"]
    with computing_in("float64"):
        policy = gi.agents.options(options=[LEFT, RIGHT], beta=1.0).policies(hall.mdp, goal)
    # Walking right costs its steps; walking left gets to the wall, and then one walks right.
    np.testing.assert_allclose(policy.values[1, :3], [-3.0, -2.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(policy.values[0, 1:3], [-4.0, -5.0], atol=1e-12)


@pytest.mark.slow
def test_others_take_part():
    plain = gi.agents.options(options=[LEFT, RIGHT], beta=BETA)
    lapsing = gi.agents.options(options=[LEFT, RIGHT], beta=BETA, lapse=0.2).policy(HALL, WANTS)
    np.testing.assert_allclose(lapsing, 0.8 * plain.policy(HALL, WANTS) + 0.05, atol=1e-12)
    world = named_agents.G3
    options = [named_agents.FIRST, named_agents.SECOND]
    swapped = gi.agents.options(
        options=options,
        beta=BETA,
        beliefs=gi.agents.false_dynamics(confusion=1.0, beta=BETA, alternative=[1, 0]).beliefs,
        discount=0.5,
    )
    P = world.mdp.dense()[:, [1, 0]]
    parts = [np.stack([getattr(o, part) for o in options]) for part in ("policy", "termination", "initiation")]
    Q = histories.option_values(P, named_agents.golden.G3_R, 0.5, *parts)
    with computing_in("float64"):
        found = swapped.policies(world.mdp, named_agents.G3_REWARD)
    np.testing.assert_allclose(np.exp(found.modes.initial), agent_oracles.act(Q, BETA), atol=1e-10)
    assert oracles.boltzmann_q(P, named_agents.golden.G3_R, 0.5, BETA).V.max() >= Q[np.isfinite(Q)].max()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Option(np.full((3, 2), 0.5), np.ones(2)),
            r"termination of 'option' has shape \(2,\); its policy has 3",
        ),
        (
            lambda: Option(np.full((3, 2), 2.0), np.ones(3)),
            r"policy of 'option' holds numbers outside",
        ),
        (lambda: gi.agents.options(options=[], beta=2.0), "options are a tuple of at least one"),
        (
            lambda: gi.agents.options(options=[LEFT], beta=2.0, early=1.5),
            r"early is 1.5; expected a finite number in \[0, 1\]",
        ),
        (
            lambda: gi.agents.options(options=[LEFT], beta=2.0, depth=3),
            "depth is 3, but options have their own planner",
        ),
        (
            lambda: gi.agents.options(options=[named_agents.FIRST], beta=2.0).policy(HALL, WANTS),
            r"policy of 'first' has shape \(3, 2\); this world needs \(4, 4\) \(state, action\)",
        ),
        (
            lambda: gi.agents.options(options=[Option(np.zeros((4, 4)), np.ones(4), name="idle")], beta=2.0).policy(
                HALL, WANTS
            ),
            "policy of 'idle' in state 'a' gives the available actions 0 in total; expected 1",
        ),
        (
            lambda: gi.agents.options(options=[Option(LEFT.policy, LEFT.termination, np.eye(4)[0])], beta=2.0).policy(
                HALL, WANTS
            ),
            r"no option may begin in state \(0, 1\); give one for it",
        ),
    ],
)
def test_wrong_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_options_of_one_step_in_a_large_world():
    world = gi.open_grid(32, 32, slip=0.1, discount=0.9)
    reward = gi.StateReward(np.random.default_rng(0).normal(size=1024), on="departure")
    steps = [Option(np.tile(np.eye(4)[a], (1024, 1)), np.ones(1024), name=str(a)) for a in range(4)]
    found = solve(gi.agents.options(options=steps, beta=2.0), world, reward)
    expected = gi.agents.boltzmann(beta=2.0).policy(world, reward).values
    np.testing.assert_allclose(np.exp(found.modes.initial), expected, atol=1e-9)
