"""What each source of data determines a reward up to: objects stay as they are under the changes named, and no other."""

import itertools

import jax
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import goalinf as gi
from goalinf.identify import OptimalityPreserving, ambiguity, invariance
from goalinf.identify.exact.data_sources import SOURCES
from goalinf.identify.exact.invariances import transitions

DISCOUNT, BETA = 0.8, 1.5


def a_world(seed, ends=False):
    """Four states: starts 0 and 1, 2 beyond, 3 never reached, some transitions impossible; 2 may end the episode."""
    rng = np.random.default_rng(seed)
    P = oracles.random_law(rng, 4, 2, 4) * (rng.random((4, 2, 4)) < 0.7)
    P[:, :, 2] += 0.2
    P[:3, :, 3] = 0.0
    P /= P.sum(2, keepdims=True)
    return gi.from_arrays(P, initial=[0.5, 0.5, 0.0, 0.0], terminal=[2] if ends else (), discount=DISCOUNT)


def table(world, reward):
    """R(s, a, t), NaN where nothing can happen."""
    s, a, k = transitions(world)
    R = np.full((world.n_states, world.n_actions, world.n_states), np.nan)
    R[s, a, np.asarray(world.mdp.successors)[s, a, k]] = np.broadcast_to(
        reward(world.mdp), world.mdp.probabilities.shape
    )[s, a, k]
    return R


def expected(world, reward):
    return np.nansum(world.mdp.dense() * np.nan_to_num(table(world, reward)), axis=2)


def steps(R):
    """Every transition that can happen: (s, t, reward)."""
    return [(s, t, R[s, a, t]) for s, a, t in zip(*np.nonzero(~np.isnan(R)), strict=True)]


def fragments(world, reward, starts=None):
    """Returns of all pieces of at most two steps; or of whole episodes: two steps and then a loop for ever, or an end."""
    R = table(world, reward)
    every, found = steps(R), []
    if starts is None:
        found += [0.0] + [r for _, _, r in every]
        return np.array(
            found + [r + DISCOUNT * q for (_, t, r), (s, _, q) in itertools.product(every, every) if s == t]
        )
    ended = world.mdp.terminal
    loops = {s: [r / (1 - DISCOUNT) for a, t, r in every if a == t == s] for s in range(world.n_states)}
    for s, t, r in every:
        loops[s] += [(r + DISCOUNT * q) / (1 - DISCOUNT**2) for a, b, q in every if (a, b) == (t, s) and t != s]
    for s, t, r in every:
        if s in starts:
            found += [r] if ended[t] else [r + DISCOUNT * loop for loop in loops[t]]
    return np.array(found)


def differences(values):
    return (values[:, None] - values[None, :]).ravel()


REACHED = [0, 1, 2]
OBJECTS = {
    "optimal values": lambda w, r: oracles.boltzmann_q(w.mdp.dense(), expected(w, r), DISCOUNT, BETA).Q.ravel(),
    "policy": lambda w, r: oracles.mce(w.mdp.dense(), expected(w, r), DISCOUNT, BETA).policy.ravel(),
    "trajectories": lambda w, r: (
        oracles.boltzmann_q(w.mdp.dense(), expected(w, r), DISCOUNT, BETA).policy[REACHED].ravel()
    ),
    "fragment returns": fragments,
    "fragment comparisons": lambda w, r: 1 / (1 + np.exp(BETA * differences(fragments(w, r)))),
    "trajectory returns": lambda w, r: fragments(w, r, starts=(0, 1)),
    "trajectory comparisons": lambda w, r: 1 / (1 + np.exp(BETA * differences(fragments(w, r, starts=(0, 1))))),
}


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_what_a_source_of_data_leaves_open(source, seed):
    """The table of Skalse et al. (2023), row by row; another change, of any kind that is not named, shows."""
    world = a_world(seed)
    reward = gi.ActionReward(np.random.default_rng(seed).normal(size=(4, 2)))
    seen = OBJECTS[source](world, reward)
    left = ambiguity(world, source)
    changed = left.apply(reward, jax.random.key(seed))
    np.testing.assert_allclose(OBJECTS[source](world, changed), seen, atol=1e-8)
    assert left.relates(reward, changed)
    for kind in ("constant", "potential", "zero-initial potential", "k-initial potential", "redistribution", "mask"):
        own = invariance(world, kind)
        more = own + left
        if own.dimension and more.dimension > left.dimension:
            other = own.apply(reward, jax.random.key(seed + 1))
            shows = np.abs(OBJECTS[source](world, other) - seen).max() > 1e-6
            assert shows, kind
            assert not left.relates(reward, other)
            assert more.relates(reward, other)


@pytest.mark.parametrize("source", ["trajectory returns", "trajectory comparisons"])
def test_episodes_that_end(source):
    """Potentials are zero where the episode has ended; so the constant shows even in comparisons."""
    world = a_world(1, ends=True)
    reward = gi.ActionReward(np.random.default_rng(1).normal(size=(4, 2)))
    seen = OBJECTS[source](world, reward)
    changed = ambiguity(world, source).apply(reward, jax.random.key(0))
    np.testing.assert_allclose(OBJECTS[source](world, changed), seen, atol=1e-9)
    level = invariance(world, "constant").apply(reward, jax.random.key(0))
    assert np.abs(OBJECTS[source](world, level) - seen).max() > 1e-3


@given(st.integers(0, 10_000))
def test_spaces(seed):
    """Dimensions by counting; a sum is no larger than its parts; removing leaves one of them all."""
    world = a_world(seed, ends=seed % 2 == 1)
    s, a, _ = transitions(world)
    live = int((~np.asarray(world.mdp.terminal)).sum())
    n_choices = len(np.unique(2 * s + a))
    dimension = {kind: invariance(world, kind).dimension for kind in ("constant", "potential", "redistribution")}
    assert dimension == {"constant": 1, "potential": live, "redistribution": len(s) - n_choices}
    both = invariance(world, "potential") + invariance(world, "redistribution")
    np.testing.assert_allclose(both.basis @ both.basis.T, np.eye(both.dimension), atol=1e-9)
    assert both.dimension == live + len(s) - n_choices  # shapings have expectations of their own
    reward = gi.ActionReward(np.random.default_rng(seed).normal(size=(4, 2)))
    changed = both.apply(reward, jax.random.key(seed))
    one, other = (both.remove(each) for each in (reward, changed))
    np.testing.assert_allclose(one.values, other.values, atol=1e-9)
    assert gi.identify.distance.starc(world, reward, changed) == pytest.approx(0.0, abs=1e-7)
    double = gi.TransitionReward(2.0 * changed.values)
    assert both.relates(reward, double, scale=True)
    assert not both.relates(reward, double)
    assert not both.relates(reward, gi.TransitionReward(-2.0 * changed.values), scale=True)


@given(st.integers(0, 10_000))
def test_the_same_optimal_choices(seed):
    world = a_world(seed, ends=seed % 2 == 1)
    rng = np.random.default_rng(seed)
    reward = gi.ActionReward(rng.normal(size=(4, 2)))
    same = OptimalityPreserving.of(world, reward)
    assert same.contains(reward)
    drawn = same.draw(jax.random.key(seed))
    np.testing.assert_allclose(same.draw(jax.random.key(seed), size=2.5).values, 2.5 * drawn.values, rtol=1e-12)
    assert same.contains(drawn)
    assert same.contains((invariance(world, "potential")).apply(reward, jax.random.key(1)))
    assert not same.contains(gi.StateReward.zero(world))  # under which all choices are
    assert gi.identify.distance.regret(world, reward, drawn) == pytest.approx(0.0, abs=1e-9)


def test_ties_are_kept():
    """Both ways around are equally good, and stay so."""
    ring = gi.from_arrays(np.eye(4)[[[1, 3], [2, 0], [3, 1], [0, 2]]], discount=0.9)
    reward = gi.StateReward([0.0, 0.0, 1.0, 0.0], on="departure")
    same = OptimalityPreserving.of(ring, reward)
    assert same.optimal[0].all()
    assert same.contains(same.draw(jax.random.key(0)))


def test_masks_and_refusals():
    world = a_world(0)
    given_ones = np.zeros(world.mdp.probabilities.shape, bool)
    given_ones[0, 1] = True
    assert invariance(world, "mask", masked=given_ones).dimension == int(
        (np.asarray(world.mdp.probabilities)[0, 1] > 0).sum()
    )
    with pytest.raises(ValueError, match=r"masked has shape \(2,\) and type bool; expected bool"):
        invariance(world, "mask", masked=np.zeros(2, bool))
    with pytest.raises(ValueError, match="masked names the transitions of a mask, and kind is 'potential'"):
        invariance(world, "potential", masked=given_ones)
    with pytest.raises(ValueError, match="these invariances are of two worlds"):
        invariance(world, "potential") + invariance(a_world(0), "potential")
    hall = gi.gridworld("a.b", discount=0.9)
    goal = gi.goals(hall, {"a": "a"})["a"]
    with pytest.raises(ValueError, match="this reward ends the episode by itself"):
        invariance(hall, "potential").remove(goal)
    with pytest.raises(ValueError, match="this reward ends the episode by itself"):
        OptimalityPreserving.of(hall, goal)


def test_an_invariance_prints_its_kinds():
    world = a_world(0)
    both = ambiguity(world, "policy")
    assert repr(both).startswith("Invariance(redistribution + potential, ")
    assert repr(both).endswith(f" of {both.basis.shape[1]} dimensions)")
    assert repr(ambiguity(world, "fragment returns")).startswith("Invariance(none, 0 of ")
