"""Derivatives of biased agents by beta, every parameter and the reward, against differences; batches; single precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from biases import BIASES, CHAN, quick, random_dense
from problems import A, S
from specimens import moves

import goalinf as gi
from goalinf.agents import (
    CVaR,
    EntropicRisk,
    Extremal,
    FalseDynamics,
    IllusionOfControl,
    Optimism,
    PlanningAgent,
    Prospect,
    RationalInattention,
    Satisficing,
    Softmax,
    ValueIteration,
)
from goalinf.planning.solvers import bicgstab
from goalinf.precision import cast, computing_in

BETA, STEP = 2.0, 1e-5
SMOOTH = {**BIASES, "hyperbola": CHAN}
FAST = ("CVaR", "hyperbolic, sophisticated", "illusion", "mean", "optimism", "present bias, sophisticated")


def scored(make, mdp, weights, shape, count, kind=gi.TransitionReward):
    """x = (beta, parameters, reward) -> sum of log-probabilities that count, times weights."""

    def score(x):
        reward = kind(x[1 + count :].reshape(shape))
        log_probs = make(x[0], *x[1 : 1 + count]).policies(mdp, reward).log_probs
        return jnp.sum(jnp.where(weights > 0, weights * jnp.where(weights > 0, log_probs, 0.0), 0.0))

    return score


@pytest.mark.parametrize("name", quick(SMOOTH.keys() - {"default policy"}, (*FAST, "rational inattention")))
def test_gradients(name):
    """Reverse and forward, compiled; each parameter by itself, and a direction of the reward."""
    bias = SMOOTH[name]
    d, rng = random_dense(31, 0.9), np.random.default_rng(31)
    R = np.abs(d.R) if name == "hyperbola" else d.R
    values = d.reward(R).values if bias.transitions else R.mean(-1)
    parameters = [BETA, *(0.4 * low + 0.6 * high for low, high in bias.ranges)]
    x = np.concatenate([parameters, values.ravel()])
    with computing_in("float64"):
        mdp, x = cast((d.world.mdp, x))
        weights = np.where(d.counted, rng.uniform(0.5, 1.5, (S, A)), 0.0)
        if name == "rational inattention":  # how small what is never done is, nobody says
            weights = np.where(np.exp(bias.agent(BETA).policies(mdp, d.reward(R)).log_probs) > 1e-3, weights, 0.0)
        kind = gi.TransitionReward if bias.transitions else gi.ActionReward
        score = scored(bias.agent, mdp, weights, values.shape, len(bias.ranges), kind)
        along = np.where(np.arange(x.size) < len(parameters), 0.0, rng.normal(size=x.size))
        directions = [*np.eye(len(parameters), x.size), along]

        @jax.jit
        def derivatives(x):
            forward = jax.vmap(lambda v: jax.jvp(score, (x,), (v,))[1])(jnp.asarray(directions))
            return score(x), jax.grad(score)(x), forward

        _, reverse, forward = derivatives(x)
        for direction, found in zip(directions, forward, strict=True):
            near, far = (derivatives(x + step * direction)[0] for step in (STEP, -STEP))
            expected = (near - far) / (2 * STEP)
            assert float(found) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)
            assert float(reverse @ direction) == pytest.approx(float(found), rel=1e-8, abs=1e-9)


# -- where outcomes tie or are certain, where a bias vanishes ----------------------------------------

KINKS = {
    "CVaR": (lambda a: ValueIteration(outlook=CVaR(a)), 0.5),
    "entropic": (lambda a: ValueIteration(outlook=EntropicRisk(a)), 0.0),
    "entropic, 1": (lambda a: ValueIteration(outlook=EntropicRisk(a)), 1.0),
    "extremal": (lambda a: ValueIteration(outlook=Extremal(a)), 0.5),
    "optimism": (lambda a: ValueIteration(outlook=Optimism(a)), 1.0),
    "prospect": (lambda a: ValueIteration(outlook=Prospect(1.5, a)), 0.8),
    "prospect, plain": (lambda a: ValueIteration(outlook=Prospect(1.0, a)), 1.0),
    "mean": (lambda a: ValueIteration("mean", discount=a), 0.5),
}


@pytest.mark.parametrize("name", quick(KINKS, ("CVaR", "prospect, plain")))
def test_derivatives_at_ties_are_numbers(name):
    """The reward is zero everywhere, and all outcomes alike; or outcomes are certain, and actions lead to one place."""
    make, parameter = KINKS[name]
    certain, any_place = moves([[1, 1, 2], [2, 2, 0], [2, 2, 2]]), np.full((3, 3, 3), 1 / 3)
    weights = np.linspace(0.5, 1.5, 9).reshape(3, 3)
    with computing_in("float64"):

        @jax.jit
        def gradient(x, mdp):
            agent = lambda beta, a: PlanningAgent(planner=make(a), choice=Softmax(beta))  # noqa: E731
            return jax.grad(scored(agent, mdp, weights, (3, 3, 1), 1))(x)

        x = cast(np.concatenate([[BETA, parameter], np.zeros(9)]))
        for P in (certain, any_place):
            mdp = cast(gi.from_arrays(P, discount=0.9).mdp)
            found = gradient(x, mdp)
            assert np.isfinite(found).all()
            if P is any_place and name != "prospect":
                assert np.abs(found[2:]).max() > 0.05  # an optimizer that starts at zero gets away from there


VANISHING = {
    "extremal": (lambda a: looks(Extremal(a)), 0.0),
    "entropic": (lambda a: looks(EntropicRisk(a)), 0.0),
    "illusion": (lambda a: PlanningAgent(IllusionOfControl(a), choice=Softmax(BETA)), 0.0),
    "large illusion": (lambda a: PlanningAgent(IllusionOfControl(a), choice=Softmax(BETA)), 2000.0),
    "satisficing": (lambda a: PlanningAgent(choice=Satisficing(a, 2.0)), 0.0),
}


def looks(outlook):
    return PlanningAgent(planner=ValueIteration(outlook=outlook), choice=Softmax(BETA))


@pytest.mark.parametrize("name", quick(VANISHING, ("extremal", "entropic", "large illusion")))
def test_derivatives_where_a_bias_vanishes(name):
    """At the ends of the range of a parameter: to the inside."""
    d = random_dense(32, 0.9)
    assert d.counted[0].sum() > 1
    make, parameter = VANISHING[name]
    with computing_in("float64"):
        mdp, reward = cast((d.world.mdp, d.reward()))
        program = jax.jit(jax.value_and_grad(lambda a: make(a).policies(mdp, reward).log_probs[0, 0]))
        (value, found), (near, _) = program(parameter), program(parameter + 1e-6)
    assert float(found) == pytest.approx(float(near - value) / 1e-6, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", quick(["optimism", "false: world"], ["false: world"]))
def test_large_worlds(name):
    """Where linear systems are iterated, forward and backward."""
    world, other = (
        gi.garnet(jax.random.key(i), states=70, actions=2, branching=3, discount=0.9, terminal=2) for i in (1, 2)
    )
    assert world.n_states > bicgstab.DENSE_STATES
    rng = np.random.default_rng(0)
    make = {
        "optimism": lambda beta, w: PlanningAgent(planner=ValueIteration(outlook=Optimism(w)), choice=Softmax(beta)),
        "false: world": lambda beta, m: PlanningAgent(FalseDynamics(m, other), ValueIteration("soft"), Softmax(beta)),
    }[name]
    weights = np.where(np.arange(70)[:, None] < 68, rng.integers(0, 3, (70, 2)), 0)
    x, direction = np.append([2.0, 0.4], rng.normal(size=140)), rng.normal(size=142)
    with computing_in("float64"):
        mdp, x, direction = cast((world.mdp, x, direction))
        score = scored(make, mdp, weights, (70, 2), 1, gi.ActionReward)
        program = jax.jit(lambda x: (score(x), jax.grad(score)(x), jax.jvp(score, (x,), (direction,))[1]))
        _, reverse, forward = program(x)
        near, far = (program(x + step * direction)[0] for step in (STEP, -STEP))
        backward, slope = float(reverse @ direction), float(near - far) / (2 * STEP)
    assert float(forward) == pytest.approx(slope, rel=1e-5)
    assert backward == pytest.approx(float(forward), rel=1e-8)


def test_actions_that_are_alike_are_done_alike_without_attention():
    """Up and down are the same in a hall: what is done has one derivative, though the marginal is not one."""
    hall = gi.gridworld("s.a", discount=0.9)
    reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    same = hall.actions.index("up"), hall.actions.index("down")
    with computing_in("float64"):
        mdp, wants = cast((hall.mdp, reward))
        policy = jax.jit(lambda beta: PlanningAgent(choice=RationalInattention(beta)).policies(mdp, wants).log_probs)
        jacobian = jax.jit(jax.jacfwd(lambda beta: policy(beta)))
        for beta in (5.0, 20.0):
            found, changes = np.asarray(policy(beta)), np.asarray(jacobian(beta))
            np.testing.assert_array_equal(found[:, same[0]], found[:, same[1]])
            np.testing.assert_allclose(changes[:, same[0]], changes[:, same[1]], atol=1e-10)
            likely = found > np.log(1e-3)
            difference = (policy(beta + STEP) - policy(beta - STEP)) / (2 * STEP)
            np.testing.assert_allclose(changes[likely], np.asarray(difference)[likely], atol=1e-5)


def test_temperatures_of_states():
    d = random_dense(33, 0.9)
    rng = np.random.default_rng(33)
    weights = np.where(d.counted, rng.uniform(0.5, 1.5, (S, A)), 0.0)
    with computing_in("float64"):
        mdp, reward, x = cast((d.world.mdp, d.reward(), rng.uniform(0.5, 3.0, S)))

        @jax.jit
        def score(betas):
            planner = ValueIteration("soft", outlook=Optimism(0.5))
            log_probs = PlanningAgent(planner=planner, choice=Softmax(betas)).policies(mdp, reward).log_probs
            return jnp.sum(jnp.where(weights > 0, weights * jnp.where(weights > 0, log_probs, 0.0), 0.0))

        gradient = jax.jit(jax.grad(score))(x)
        for found, one in zip(gradient, np.eye(S), strict=True):
            expected = (score(x + STEP * one) - score(x - STEP * one)) / (2 * STEP)
            assert float(found) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)


# -- batches and precision ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", quick(FAST, ("CVaR", "mean")))
def test_batches(name):
    """Several betas and parameters at once."""
    bias = BIASES[name]
    d = random_dense(34, 0.9)
    xs = [np.linspace(low + 0.1, high - 0.1, 3) for low, high in bias.ranges]
    betas = np.array([0.5, 2.0, 3.0])
    with computing_in("float64"):
        mdp, reward = cast((d.world.mdp, d.reward()))
        one = lambda beta, *x: bias.agent(beta, *x).policies(mdp, reward).log_probs  # noqa: E731
        found = jax.jit(jax.vmap(one))(*cast([betas, *xs]))
    for i in range(3):
        expected = bias.solve(d, betas[i], *(x[i] for x in xs)).log_probs
        where = np.broadcast_to(d.counted, expected.shape) & (expected > -20)
        np.testing.assert_allclose(found[i][where], expected[where], atol=1e-8)


@pytest.mark.parametrize(
    "name", quick((*FAST, "entropic", "rational inattention"), ("CVaR", "entropic", "rational inattention"))
)
def test_single_precision(name):
    bias = BIASES[name]
    d = random_dense(35, 0.9)
    x = [0.4 * low + 0.6 * high for low, high in bias.ranges]
    rough, fine = (bias.solve(d, BETA, *x, precision=p) for p in ("float32", "float64"))
    assert rough.log_probs.dtype == np.float32
    where = np.broadcast_to(d.counted, fine.log_probs.shape) & (fine.log_probs > -10)
    np.testing.assert_allclose(rough.log_probs[where], fine.log_probs[where], atol=5e-4)
