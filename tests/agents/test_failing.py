"""Plans that fail: the policy of every latent mode, how the modes begin and how they move, against oracles."""

import agent_oracles as exact
import history_oracles as histories
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from biases import HABIT, Dense, assert_same, cut, random_dense
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import A, S, seeds

import goalinf as gi
from goalinf.agents import (
    Abandoning,
    Agent,
    ForeseesSlips,
    HiddenModeAgent,
    Lapse,
    Negated,
    Optimism,
    PlanCommitment,
    PlanningAgent,
    PlanNoise,
    Slip,
    Softmax,
    Subgoal,
    Switching,
    ValueIteration,
    solve,
)
from goalinf.precision import cast, computing_in

BETA = 2.0
shares = st.sampled_from([0.0, 0.3, 1.0])


def assert_modes(found, expected: histories.Modes, d: Dense) -> None:
    """Policies, and the distribution of the first mode and of the next one, by the state that is arrived at."""
    assert found.log_probs.shape == expected.policies.shape
    for policy, exactly in zip(found.log_probs, expected.policies, strict=True):
        one = found.__class__(policy, found.values[0], found.ended, found.residual)
        assert_same(one, np.where(d.terminal[:, None], np.nan, exactly), d)
    modes, count = found.modes, len(expected.policies)
    initial, kernel = np.exp(modes.initial), np.eye(count) if modes.kernel is None else np.exp(modes.kernel)
    if modes.jump is not None:  # arriving changes the mode, then the kernel moves it on
        arrived = np.eye(count)[modes.jump]
        initial, kernel = np.einsum("m,smn->sn", initial, arrived), arrived @ kernel
    np.testing.assert_allclose(initial, np.broadcast_to(expected.initial, initial.shape), atol=1e-12)
    np.testing.assert_allclose(kernel, np.broadcast_to(expected.kernel, kernel.shape), atol=1e-12)


def boltzmann(d: Dense, r=None, terminal=None, pinned=None) -> np.ndarray:
    """The policy of optimal values."""
    r = oracles.expected(d.P, d.R) if r is None else r
    return oracles.boltzmann_q(d.P, r, d.discount, BETA, d.available, terminal, pinned).policy


def failing(process, planner=None, noise=None) -> Agent:
    agent = PlanningAgent(planner=planner, choice=Softmax(BETA), noise=noise)
    return agent if process is None else HiddenModeAgent(agent, process)


# -- giving up ----------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(seed=seeds, hazard=shares, recovery=shares)
def test_abandoning(seed, hazard, recovery):
    d = random_dense(seed, 0.9)
    idle = exact.uniform((S, A), d.available)
    expected = histories.abandonment(boltzmann(d, terminal=d.terminal), idle, hazard, recovery)
    assert_modes(solve(failing(Abandoning(hazard, recovery)), d.world, d.reward()), expected, d)


def test_abandoning_for_a_habit():
    """Also with another planner, and with a hand that slips, whoever moves it."""
    d = random_dense(1, 0.9)
    habit = cut(HABIT, d)
    soft = oracles.mce(d.P, oracles.expected(d.P, d.R), 0.9, BETA, d.available, d.terminal).policy
    for inner, blurred in ((None, lambda p: p), (Lapse(0.3), lambda p: exact.lapse(p, 0.3, d.available))):
        agent = failing(Abandoning(0.1, 0.2, habit), ValueIteration("soft"), inner)
        found = solve(agent, d.world, d.reward())
        assert_modes(found, histories.abandonment(blurred(soft), blurred(habit), 0.1, 0.2), d)


def test_a_habit_of_what_is_unavailable_is_cut():
    d = random_dense(1, 0.9)
    assert (cut(HABIT, d) != HABIT).any()
    found = solve(failing(Abandoning(0.1, default=HABIT)), d.world, d.reward())
    assert_modes(found, histories.abandonment(boltzmann(d, terminal=d.terminal), cut(HABIT, d), 0.1), d)


def test_abandoning_over_a_horizon():
    d = random_dense(2, 0.9)
    found = solve(failing(Abandoning(0.1), ValueIteration(horizon=3)), d.world, d.reward())
    exactly = oracles.finite(d.P, oracles.expected(d.P, d.R), 0.9, BETA, 3, oracles.hard, d.available, d.terminal)
    assert found.log_probs.shape == (2, 3, S, A)
    np.testing.assert_allclose(np.exp(found.log_probs[0])[:, d.counted], exactly.policy[:, d.counted], atol=1e-12)
    idle = np.broadcast_to(exact.uniform((S, A), d.available)[d.counted], (3, d.counted.sum()))
    np.testing.assert_allclose(np.exp(found.log_probs[1])[:, d.counted], idle, atol=1e-12)


# -- wanting something else -----------------------------------------------------------------------------


@settings(max_examples=6)
@given(seed=seeds, switch=shares)
def test_switching(seed, switch):
    d = random_dense(seed, 0.9)
    rng = np.random.default_rng(seed)
    several, prior = rng.normal(size=(3, S, A)), rng.dirichlet(np.ones(3))
    options = {name: gi.ActionReward(r) for name, r in zip("abc", several, strict=True)}
    found = solve(failing(Switching(switch)), d.world, gi.one_of(options, weights=prior))
    policies = [boltzmann(d, r, d.terminal) for r in several]
    assert_modes(found, histories.goal_switching(policies, prior, switch), d)


def goals(places, seed=3):
    """A world that never ends by itself, in which step costs 2 and every place can be reached."""
    d = random_dense(seed, 0.9, terminal=False)
    return d, gi.goals(d.world, {str(s): s for s in places}, step_cost=2.0)


def to(d: Dense, place: int) -> np.ndarray:
    """The policy to a goal; uniform in it."""
    pinned = np.where(np.arange(S) == place, 0.0, np.nan)
    policy = boltzmann(d, np.full((S, A), -2.0), pinned=pinned)
    return np.where(np.arange(S)[:, None] == place, exact.uniform((S, A), d.available), policy)


def test_switching_between_goals():
    """Where one goal ends another goes on: no state is the end for all of them."""
    d, wants = goals([1, 4])
    found = solve(failing(Switching(0.2)), d.world, gi.one_of(wants, weights=[0.3, 0.7]))
    assert not found.ended.any()
    modes = histories.goal_switching([to(d, 1), to(d, 4)], [0.3, 0.7], 0.2)
    np.testing.assert_allclose(
        np.exp(found.log_probs[0])[[0, 2, 3, 4, 5]], modes.policies[0][[0, 2, 3, 4, 5]], atol=1e-10
    )
    np.testing.assert_allclose(
        np.exp(found.log_probs[1])[[0, 1, 2, 3, 5]], modes.policies[1][[0, 1, 2, 3, 5]], atol=1e-10
    )


@pytest.mark.parametrize("kappa", [0.0, 0.4, 1.0])
def test_going_by_way_of_places(kappa):
    """The library's last mode is the oracle's first."""
    d, wants = goals([5])
    places = np.eye(S, dtype=bool)[[1, 2]]
    found = solve(failing(Subgoal(kappa, places, np.zeros((2, S), bool))), d.world, wants["5"])
    np.testing.assert_array_equal(found.ended, np.arange(S) == 5)
    modes = histories.via_points(to(d, 5), [to(d, 1), to(d, 2)], [1, 2], kappa)
    order = [1, 2, 0]
    modes = histories.Modes(modes.policies[order], modes.initial[:, order], modes.kernel[:, order][:, :, order])
    modes.policies[[0, 1], [1, 2]] = np.exp(found.log_probs[[0, 1], [1, 2]])  # nobody is in a place on the way to it
    assert_modes(found, modes, d._replace(terminal=np.arange(S) == 5))


# -- plans of some depth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("commitment", [None, 1, 2, 5])
@settings(max_examples=3)
@given(seed=seeds, replan=shares)
def test_plan_commitment(commitment, seed, replan):
    d = random_dense(seed, 0.9)
    depths = np.array([0.2, 0.5, 0.3])
    found = solve(failing(PlanCommitment(replan, depths, commitment), ValueIteration(depth=1)), d.world, d.reward())
    policies = [d.ask(exact.lookahead, 0.9, BETA, depth).policy for depth in (1, 2, 3)]
    lasts = [np.inf] * 3 if commitment is None else [min(depth, commitment) for depth in (1, 2, 3)]
    assert_modes(found, histories.plan_commitment(policies, depths, lasts, replan), d)


def test_plan_commitment_of_every_planner():
    """With an outlook, a soft backup, a discount and leaves of its own, with foreseen slips."""
    d = random_dense(4, 0.9)
    leaf = np.arange(S, dtype=float)
    for planner in (
        lambda depth: ValueIteration("soft", depth=depth, outlook=Optimism(0.5), discount=0.6),
        lambda depth: ValueIteration(depth=depth, leaf=leaf),
    ):
        inner = Slip(0.2)
        agent = HiddenModeAgent(
            PlanningAgent(ForeseesSlips(), planner(2), Softmax(BETA), inner), PlanCommitment(0.5, np.array([0.4, 0.6]))
        )
        found = solve(agent, d.world, d.reward())
        for depth in (1, 2):
            alone = solve(PlanningAgent(ForeseesSlips(), planner(depth), Softmax(BETA), inner), d.world, d.reward())
            np.testing.assert_allclose(found.log_probs[depth - 1], alone.log_probs, atol=1e-10)


def test_plan_commitment_to_the_opposite():
    d = random_dense(4, 0.9)
    committed, alone = (
        failing(process, Negated(ValueIteration(depth=1))) for process in (PlanCommitment(0.5, np.ones(1)), None)
    )
    expected = solve(alone, d.world, d.reward()).log_probs
    np.testing.assert_allclose(solve(committed, d.world, d.reward()).log_probs[0], expected, atol=1e-12)


# -- plans that are wrong -----------------------------------------------------------------------------------


def errors(noisy, calm, d):
    """Between the first two choices of a state, in utility, by mode."""
    s = np.flatnonzero(d.counted.sum(1) > 1)[0]
    a, b = np.flatnonzero(d.available[s])[:2]
    noisy, calm = noisy.log_probs[:, s], calm.log_probs[s]
    return (noisy[:, a] - noisy[:, b] - calm[a] + calm[b]) / BETA


def test_plan_noise():
    """Consistent within an episode: modes that never change. Their noise is that of a difference of two normals."""
    d = random_dense(5, 0.9)
    found, calm = (solve(failing(e), d.world, d.reward()) for e in (PlanNoise(0.7, draws=200), None))
    assert found.modes.kernel is None
    assert found.modes.jump is None
    np.testing.assert_allclose(np.exp(found.modes.initial), 1 / 200)
    noise = errors(found, calm, d) / 0.7
    assert abs(noise.mean()) < 4 * np.sqrt(2 / 200)
    assert abs(noise.var() / 2 - 1) < 4 * np.sqrt(2 / 200)


def test_plan_noise_is_the_same_for_everybody():
    """For every precision, beta, size of the noise, and planner; none at size zero."""
    d = random_dense(5, 0.9)
    noisy = failing(PlanNoise(0.7, draws=4))
    one, rough = (solve(noisy, d.world, d.reward(), precision=p) for p in ("float64", "float32"))
    np.testing.assert_allclose(rough.log_probs[:, d.counted], one.log_probs[:, d.counted], atol=1e-4)
    hard, soft = failing(None), failing(None, ValueIteration("soft"))
    hard, soft = (solve(agent, d.world, d.reward()) for agent in (hard, soft))
    other = solve(failing(PlanNoise(1.4, draws=4), ValueIteration("soft")), d.world, d.reward())
    np.testing.assert_allclose(errors(other, soft, d), 2 * errors(one, hard, d), atol=1e-10)
    none = solve(failing(PlanNoise(0.0, draws=4)), d.world, d.reward())
    np.testing.assert_allclose(none.log_probs[3][d.counted], hard.log_probs[d.counted], atol=1e-12)


# -- derivatives ---------------------------------------------------------------------------------------------

PROCESSES = {
    "abandoning": lambda x: Abandoning(x, 0.5 * x),
    "plan commitment": lambda x: PlanCommitment(x, np.array([0.5, 0.5]), 2),
    "plan noise": lambda x: PlanNoise(x, draws=3),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_derivatives(name):
    """By beta and the parameter of the failure."""
    d = random_dense(6, 0.9)
    with computing_in("float64"):
        mdp, reward = cast((d.world.mdp, d.reward()))

        @jax.jit
        def score(x):
            planner = ValueIteration(depth=2)
            agent = PlanningAgent(planner=planner, choice=Softmax(x[0]))
            policy = HiddenModeAgent(agent, PROCESSES[name](x[1])).policies(mdp, reward)
            kernel = jnp.eye(3) if policy.modes.kernel is None else jnp.exp(policy.modes.kernel)
            probs = jnp.exp(policy.log_probs)
            return jnp.sum(jnp.sin(jnp.arange(probs.size)) * probs.ravel()) + jnp.sum(
                jnp.cos(jnp.arange(kernel.size)) * kernel.ravel()
            )

        gradient = jax.jit(jax.grad(score))
        for x in (np.array([2.0, 0.3]), np.array([0.5, 0.9])):
            found = gradient(jnp.asarray(x))
            for i, step in enumerate(np.eye(2) * 1e-6):
                expected = (score(x + step) - score(x)) / 1e-6
                assert float(found[i]) == pytest.approx(float(expected), abs=1e-4), (x, i)
