"""Feasible rewards: cones against optimal policies found otherwise, linear programs against bisection and draws."""

import itertools

import jax
import numpy as np
import oracles
import pytest
import specimens
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

import goalinf as gi
from goalinf.identify import controllability_deficit, feasible_set
from goalinf.identify.distance import compatibility

ZOO = specimens.zoo()


def advantages(P, discount, policy, r):
    """By definition, with a linear solve."""
    law = np.einsum("sa,sat->st", policy, P)
    V = np.linalg.solve(np.eye(len(P)) - discount * law, (policy * r).sum(1))
    return r + discount * P @ V - V[:, None]


def one_choice(choice, n_actions):
    return np.eye(n_actions)[np.asarray(choice)]


@given(st.integers(0, 10_000))
def test_inside_is_optimal(seed):
    """Of all classes, for policies of one choice and of several, in worlds that end and offer less somewhere."""
    rng = np.random.default_rng(seed)
    P, g = oracles.random_law(rng, 4, 3, 4), 0.8
    can = rng.random((4, 3)) < 0.8
    can[:, 0] = True
    ends = np.array([False, False, False, seed % 2 == 0])
    world = gi.from_arrays(P, available=can, terminal=ends, discount=g)
    P = np.where(ends[:, None, None], 0.0, P)
    for rewards in ("departure", "arrival", "action"):
        values = rng.normal(size=4 if rewards != "action" else (4, 3))
        reward = gi.ActionReward(values) if rewards == "action" else gi.StateReward(values, on=rewards)
        brings = {
            "departure": values[..., None],
            "arrival": P @ values if rewards == "arrival" else 0,
            "action": values,
        }
        r = np.where(ends[:, None], 0.0, np.broadcast_to(brings[rewards], (4, 3)))
        optimal = oracles.boltzmann_q(P, r, g, 1.0, available=can, terminal=ends).Q
        best = np.where(can, optimal, -np.inf).argmax(1)
        for choice in (best, rng.permuted(np.zeros((4, 1), int) + np.arange(3), axis=1)[:, 0]):
            if not (can | ends[:, None])[np.arange(4), choice].all():
                continue
            found = feasible_set(world, choice, rewards=rewards)
            lost = -advantages(P, g, one_choice(choice, 3), r)[can & ~ends[:, None] & (one_choice(choice, 3) == 0)]
            assert found.contains(reward) == (lost.min(initial=0.0) >= -1e-9)
            if found.contains(reward) and len(lost):
                assert found.margin(reward) == pytest.approx(lost.min(), abs=1e-9)
                assert compatibility(world, reward, one_choice(choice, 3)) == pytest.approx(0.0, abs=1e-8)
        assert feasible_set(world, best, rewards=rewards).contains(reward)


@given(st.integers(0, 10_000))
def test_explicit_form(seed):
    """r = -A 1{not chosen} + V - gamma P V for any V and A >= 0 (Metelli et al. 2021), and nothing else."""
    rng = np.random.default_rng(seed)
    P, g = oracles.random_law(rng, 4, 3, 4), 0.9
    policy = np.where(rng.random((4, 3)) < 0.5, rng.random((4, 3)), 0.0)
    policy[:, 0] += 0.1
    policy /= policy.sum(1, keepdims=True)
    found = feasible_set(gi.from_arrays(P, discount=g), policy, rewards="action")
    A, V = np.where(policy == 0, rng.exponential(size=(4, 3)), 0.0), rng.normal(size=4)
    shaped = V[:, None] - g * P @ V
    assert found.contains(gi.ActionReward(shaped - A))
    if (policy == 0).any():
        assert found.margin(gi.ActionReward(shaped - A)) == pytest.approx(A[policy == 0].min(), abs=1e-9)
        assert not found.contains(gi.ActionReward(shaped + A))
    several = (policy > 0).sum(1) > 1
    if several.any():
        wrong = A.copy()
        wrong[several.argmax(), 0] += 0.1  # one of several choices that are made loses
        assert not found.contains(gi.ActionReward(shaped - wrong))


@pytest.mark.parametrize(
    "name", ["ring of 4", "triangle", "no choice", "random", "grid of 3", "two disconnected switches"]
)
def test_what_stays_open_whatever_the_policy_is_kappa(name):
    rng, P = np.random.default_rng(0), ZOO[name].P
    world = gi.from_arrays(P, discount=0.7)
    for rewards in ("departure", "arrival"):
        for _ in range(3):
            choice = rng.integers(P.shape[1], size=len(P))
            found = feasible_set(world, choice, rewards=rewards)
            assert found.lineality == ZOO[name].kappa == controllability_deficit(world)
    assert feasible_set(world, np.zeros(len(P), int), rewards="action").lineality == len(P)


@pytest.mark.parametrize(("name", "shares"), [("stay or switch", {1 / 2}), ("ring of 3", {1 / 6})])
def test_chances_of_cones(name, shares):
    """Under a prior that no rotation changes: exact by symmetry, counted within three standard errors."""
    P = ZOO[name].P
    n, count = len(P), 4000
    world = gi.from_arrays(P, discount=0.8)
    drawn = np.random.default_rng(1).normal(size=(count, n))
    total = 0.0
    for choice in itertools.product(range(2), repeat=n):
        losses = feasible_set(world, np.array(choice), rewards="departure").losses
        share = (losses @ drawn.T >= 0).all(0).mean()
        total += share
        goes = P[np.arange(n), choice].argmax(1)
        # Only a constant reward makes it optimal to go to all states alike, or round and round.
        possible = len(set(goes)) == 1 if n == 2 else len(set(choice)) == 2
        expected = next(iter(shares)) if possible else 0.0
        assert abs(share - expected) <= 3 * np.sqrt(expected * (1 - expected) / count)
    assert total == pytest.approx(1.0)


def test_the_mode_is_no_reward_and_the_mean_is_some():
    """Optimality alone with a Gaussian prior: the origin is in every cone."""
    world = gi.from_arrays(ZOO["ring of 3"].P, discount=0.8)
    found = feasible_set(world, [0, 0, 1], rewards="departure")
    inside = {"type": "ineq", "fun": lambda r: found.losses @ r, "jac": lambda _: found.losses}
    start = found.ng_russell().values
    mode = minimize(lambda r: r @ r / 2, start, jac=lambda r: r, constraints=inside, method="SLSQP", tol=1e-16).x
    assert np.linalg.norm(mode) < 1e-6
    drawn = np.random.default_rng(2).normal(size=(4000, 3))
    kept = drawn[(drawn @ found.losses.T >= 0).all(1)]
    error = kept.std(0) / np.sqrt(len(kept))
    assert np.linalg.norm(kept.mean(0)) > 5 * np.linalg.norm(error)


@pytest.mark.parametrize("rewards", ["departure", "arrival", "action"])
@pytest.mark.parametrize("name", ["random", "grid of 3", "chain with an absorbing end"])
def test_the_penalty_from_which_on_nothing_is_wanted(name, rewards):
    P = ZOO[name].P
    world = gi.from_arrays(P, discount=0.7)
    choice = oracles.boltzmann_q(P, np.random.default_rng(3).normal(size=P.shape[:2]), 0.7, 1.0).Q.argmax(1)
    if rewards != "action":
        choice = oracles.boltzmann_q(P, np.random.default_rng(4).normal(size=len(P))[:, None] + 0 * P[..., 0], 0.7, 1.0)
        choice = choice.Q.argmax(1)
    found = feasible_set(world, choice, rewards=rewards)
    low, high = 0.0, 1e3
    while high - low > 1e-6:
        middle = (low + high) / 2
        zero = np.abs(found.ng_russell(middle).values).max() < 1e-9
        low, high = (low, middle) if zero else (middle, high)
    assert found.critical_penalty() == pytest.approx(high, abs=1e-5)
    one, double = found.ng_russell(), found.ng_russell(bound=2.0)
    assert found.contains(one)
    assert np.abs(one.values).max() <= 1 + 1e-9
    gain = [smallest(found, reward) for reward in (one, double)]
    assert gain[1] == pytest.approx(2 * gain[0])
    rng = np.random.default_rng(5)  # and no other reward within the bound is better
    for _ in range(200):
        other = found._reward(np.clip(one.values.ravel() + 0.3 * rng.normal(size=found.losses.shape[1]), -1, 1))
        assert not found.contains(other) or smallest(found, other) <= gain[0] + 1e-9


def smallest(found, reward):
    """The sum over states of what the second best choice loses."""
    lost = found.losses @ reward.values.ravel()
    return sum(lost[found.choices[:, 0] == s].min() for s in np.unique(found.choices[:, 0]))


def test_intervals_center_and_corners():
    P = ZOO["random"].P
    world = gi.from_arrays(P, discount=0.7)
    choice = oracles.boltzmann_q(P, np.random.default_rng(4).normal(size=5)[:, None] + np.zeros((5, 2)), 0.7, 1.0)
    found = feasible_set(world, choice.Q.argmax(1), rewards="departure")
    np.testing.assert_allclose(found.intervals(), np.stack([-np.ones(5), np.ones(5)]), atol=1e-9)  # constants
    known = {0: 0.3, 1: -0.2}
    ends = found.intervals(margin=0.05, known=known)
    assert ends.dims == ("end", "state")
    np.testing.assert_allclose(ends.sel(state=[0, 1]), [[0.3, -0.2]] * 2, atol=1e-9)
    assert (ends.sel(end="low") <= ends.sel(end="high") + 1e-9).all()
    center, radius = found.center(margin=0.05, known=known)
    rng = np.random.default_rng(6)
    for _ in range(50):
        away = np.r_[0.0, 0.0, rng.normal(size=3)]
        inside = center.values + 0.999 * radius * away / np.linalg.norm(away)
        assert found.margin(gi.StateReward(inside, on="departure")) >= 0.05 - 1e-9
        assert (inside >= ends.sel(end="low") - 1e-9).all()
        assert (inside <= ends.sel(end="high") + 1e-9).all()
    assert radius > 0
    corner, again = (found.extreme(jax.random.key(1), margin=0.05).values for _ in range(2))
    np.testing.assert_array_equal(corner, again)
    tight = np.isclose(np.abs(corner), 1.0).sum() + np.isclose(found.losses @ corner, 0.05).sum()
    assert tight >= 5
    several = feasible_set(world, np.full((5, 2), 0.5), rewards="departure")
    assert several.center()[1] == 0.0
    assert several.contains(several.center()[0])
    named = gi.gridworld("s.a", discount=0.9)
    stay = feasible_set(named, [3, 3, 3], rewards="action").intervals(margin=0.1, known={("a", "right"): 1.0})
    assert float(stay.sel(state="a", action="up", end="high")) <= 0.9 + 1e-9


@pytest.mark.parametrize("known", [{}, {0: 0.3}, {0: 0.3, 1: -0.2}, {1: 0.0, 2: 0.1, 3: 0.5}])
@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_the_radius_is_that_of_the_entries_that_are_not_known(known, margin):
    """Against the Chebyshev center of the same cone with the known entries put in: there are no others then."""
    world = gi.from_arrays(ZOO["random"].P, discount=0.7)
    values = np.array([0.4, -0.3, 0.2, 0.6, -0.5])
    choice = oracles.boltzmann_q(ZOO["random"].P, values[:, None] + np.zeros((5, 2)), 0.7, 1.0).Q.argmax(1)
    found = feasible_set(world, choice, rewards="departure")
    free = [i for i in range(5) if i not in known]
    fixed = sum((found.losses[:, i] * value for i, value in known.items()), np.zeros(len(found.losses)))
    box = np.concatenate([np.eye(len(free)), -np.eye(len(free))])
    walls = np.concatenate([-found.losses[:, free], box])
    limits = np.concatenate([fixed - margin, np.ones(len(box))])
    lengths = np.sqrt((walls**2).sum(axis=1))
    cost = np.r_[np.zeros(len(free)), -1.0]
    exact = linprog(cost, np.c_[walls, lengths], limits, bounds=[(-1, 1)] * len(free) + [(0, None)])
    if exact.status == 2:
        with pytest.raises(ValueError, match="no reward is left"):
            found.center(margin=margin, known=known)
        return
    center, radius = found.center(margin=margin, known=known)
    assert radius == pytest.approx(-exact.fun, abs=1e-9)
    assert (limits - walls @ center.values[free] >= radius * lengths - 1e-9).all()
    for i, value in known.items():
        assert center.values[i] == pytest.approx(value)


def test_rewards_of_other_classes():
    """Whatever choices bring, a set of rewards of choices has it."""
    hall = gi.gridworld("s..a", discount=0.9)
    wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    right = feasible_set(hall, [3] * 4, rewards="action")
    for reward in (wants, gi.ShapedReward(wants, [3.0, -1.0, 0.0, 2.0]), gi.StateReward(wants.values, on="arrival")):
        assert right.contains(reward)
        assert not feasible_set(hall, [2] * 4, rewards="action").contains(reward)
    near = gi.open_grid(4, 4, discount=0.9999999)
    assert feasible_set(near, np.zeros(16, int), rewards="departure").lineality == 1
    nothing = gi.from_arrays(np.ones((1, 1, 1)), discount=0.9)
    assert str(feasible_set(nothing, [0], rewards="departure").critical_penalty()) == "0.0"


def test_refusals():
    hall = gi.gridworld("s.a", discount=0.9)
    found = feasible_set(hall, [3, 3, 3], rewards="departure")
    with pytest.raises(ValueError, match="expected a reward of states on departure, found ActionReward"):
        found.contains(gi.ActionReward(np.zeros((3, 4))))
    with pytest.raises(ValueError, match="no reward is left under which this policy is optimal"):
        found.intervals(margin=100.0)
    with pytest.raises(
        ValueError, match=r"the known reward of 's' is 3; expected a number within the bound, \[-1, 1\]"
    ):
        found.intervals(known={"s": 3})
    with pytest.raises(ValueError, match="penalty is -1; expected a number of at least 0"):
        found.ng_russell(-1)
    with pytest.raises(ValueError, match="bound is 0; expected a number above 0"):
        found.ng_russell(bound=0)
    with pytest.raises(ValueError, match=r"policy is \[3, 3, 9\]; expected the number of an action in every state"):
        feasible_set(hall, [3, 3, 9], rewards="departure")
    with pytest.raises(ValueError, match=r"policy has shape \(2,\) and type int64; expected"):
        feasible_set(hall, [3, 3], rewards="departure")
    with pytest.raises(
        ValueError, match=r"policy gives the actions in state s the probabilities \[0.5, 0.5, 0.5, 0.5\]"
    ):
        feasible_set(hall, np.full((3, 4), 0.5), rewards="departure")
    ending = gi.gridworld("s.a", terminal="a", discount=1.0)
    with pytest.raises(ValueError, match="with discount 1 this policy never ends the episode from state s"):
        feasible_set(ending, [2, 2, 0], rewards="departure")
    assert feasible_set(ending, [3, 3, 0], rewards="departure").contains(gi.StateReward([-1.0, -1, 0], on="departure"))
