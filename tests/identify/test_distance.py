"""STARC: golden numbers, invariances, trivial rewards, large worlds."""

import itertools
from functools import partial

import golden
import jax
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
import specimens
from hypothesis import given
from hypothesis import strategies as st

import goalinf as gi
from goalinf.identify.distance import canonical as forms
from goalinf.identify.distance import dard, epic, expected_return, regret, starc
from goalinf.identify.distance.canonical import canonical

GRID = gi.from_arrays(specimens.grid(3, stay=True), discount=golden.EPIC_DISCOUNT)
EPIC = {name: gi.StateReward(values, on="departure") for name, values in golden.EPIC_REWARDS.items()}


@pytest.mark.parametrize("pair", golden.STARC_MINIMAL, ids="-".join)
def test_golden(pair):
    expected = golden.STARC_MINIMAL[pair]
    assert starc(GRID, EPIC[pair[0]], EPIC[pair[1]]) == pytest.approx(expected, abs=5.1e-5)
    assert starc(GRID, EPIC[pair[1]], EPIC[pair[0]]) == pytest.approx(expected, abs=5.1e-5)


def test_identities():
    sparse = EPIC["sparse"]
    rows, columns = np.divmod(np.arange(9), 3)
    dense = gi.ShapedReward(sparse, -((2 - rows) + (2 - columns)).astype(float))
    assert starc(GRID, sparse, dense) == pytest.approx(0.0, abs=1e-9)
    assert starc(GRID, sparse, gi.StateReward(3 * sparse.values + 7, on="departure")) == pytest.approx(0.0, abs=1e-9)
    assert starc(GRID, sparse, gi.StateReward(-sparse.values, on="departure")) == pytest.approx(1.0, abs=1e-12)
    hall = gi.gridworld("s..a", discount=0.9)
    for seed in (188, 249, 505):  # canonical rewards whose unit vectors are longer than one by rounding
        values = np.random.default_rng(seed).normal(size=(4, 4))
        assert starc(hall, gi.ActionReward(values), gi.ActionReward(-values)) <= 1.0


def test_other_golden_distances():
    """Every digit of theory 4.5; DARD has none there."""
    for (one, two), expected in golden.EPIC_DISTANCES.items():
        assert epic(GRID, EPIC[one], EPIC[two]) == pytest.approx(expected, abs=5.1e-5)
    for (one, two), expected in golden.STARC_VALUE_ADJUSTED.items():
        found = starc(GRID, EPIC[one], EPIC[two], canonicalization="value-adjusted")
        assert found == pytest.approx(expected, abs=5.1e-5)


METRICS = {
    "minimal": starc,
    "value-adjusted": partial(starc, canonicalization="value-adjusted"),
    "epic": epic,
    "dard": dard,
}


@pytest.mark.parametrize("name", METRICS)
@given(st.integers(0, 10_000))
def test_what_all_distances_ignore_and_see(name, seed):
    """Shaping, scale and level are nothing; the opposite is 1; trivial rewards are 0 from each other."""
    metric, rng = METRICS[name], np.random.default_rng(seed)
    world = gi.from_arrays(oracles.random_law(rng, 4, 2, 4), discount=0.8)
    one, two = (gi.ActionReward(rng.normal(size=(4, 2))) for _ in range(2))
    changed = gi.ShapedReward(gi.ActionReward(3.0 * one.values + 1.0), rng.normal(size=4))
    assert metric(world, one, changed) == pytest.approx(0.0, abs=2e-7)
    assert 1.0 - 1e-12 <= metric(world, one, gi.ActionReward(-one.values)) <= 1.0
    assert metric(world, two, one) == pytest.approx(metric(world, two, changed), abs=1e-7)
    trivial = gi.ShapedReward(gi.StateReward(np.ones(4), on="departure"), rng.normal(size=4))
    assert metric(world, trivial, gi.StateReward.zero(world)) == 0.0
    apart = np.sqrt(0.5) if name in ("epic", "dard") else 0.5
    assert metric(world, trivial, one) == pytest.approx(apart, abs=1e-12)


@given(st.integers(0, 10_000))
def test_canonical_forms_by_their_formulas(seed):
    """EPIC and DARD by sums over everything; an advantage has mean zero over the choices of every state."""
    rng = np.random.default_rng(seed)
    P, g = oracles.random_law(rng, 3, 2, 3), 0.7
    world = gi.from_arrays(P, discount=g)
    tables = rng.normal(size=(2, 3, 2, 3))
    one, two = (gi.TransitionReward(aligned(world, R)) for R in tables)
    every = list(itertools.product(range(3), range(2), range(3)))
    by_epic, by_dard = np.zeros((2, 2, len(every)))
    for n, R in enumerate(tables):
        for i, (s, a, t) in enumerate(every):
            mean = [np.mean([R[x, b, y] for b in range(2) for y in range(3)]) for x in range(3)]
            by_epic[n, i] = R[s, a, t] + g * mean[t] - mean[s] - g * np.mean(mean)
            by_dard[n, i] = R[s, a, t] + np.mean(
                [
                    sum(P[t, b, y] * g * R[t, b, y] - P[s, b, y] * R[s, b, y] for y in range(3))
                    - g * sum(P[s, b, x] * P[t, b, y] * R[x, b, y] for x in range(3) for y in range(3))
                    for b in range(2)
                ]
            )
    weights = np.array([P[s, a, t] for s, a, t in every])
    for metric, forms_, w in ((epic, by_epic, np.ones(len(every))), (dard, by_dard, weights)):
        correlation = np.cov(forms_, aweights=w)[0, 1] / np.sqrt(np.prod(np.diag(np.cov(forms_, aweights=w))))
        assert metric(world, one, two) == pytest.approx(np.sqrt((1 - correlation) / 2), abs=1e-7)
    advantage = forms.value_adjusted(world, one).reshape(3, 2)
    np.testing.assert_allclose(advantage.mean(1), 0.0, atol=1e-12)
    even = np.full((3, 2), 0.5)
    assert expected_return(world, gi.ActionReward(advantage), even) == pytest.approx(0.0, abs=1e-10)


def aligned(world, table):
    """A reward of all transitions in the order of the world's successors."""
    return np.take_along_axis(table, np.asarray(world.mdp.successors), axis=2)


def test_regret_as_published():
    """Optimal for one and worth less for another: .000671 (true path) and .000419 (true cliff), both for sparse.

    Published of one deterministic optimum each; ours chooses evenly among all, so that it lies between the best and
    the worst of them.
    """
    # All 120 orders of preference among equally good actions lead to two regrets; these ten orders find both.
    orders = [np.roll(row, shift) for row in (np.arange(5), np.arange(5)[::-1]) for shift in range(5)]
    for truth, published in (("path", 0.000671), ("cliff", 0.000419)):
        found = []
        for order in orders:
            leaning = EPIC["sparse"].values[:, None] + 1e-5 * order
            found.append(regret(GRID, EPIC[truth], gi.ActionReward(leaning)))
        assert min(abs(np.array(found) - published)) < 5e-7
        assert min(found) < regret(GRID, EPIC[truth], EPIC["sparse"]) < max(found)


def test_regret():
    for name, truth in EPIC.items():
        assert regret(GRID, truth, truth) == pytest.approx(0.0, abs=1e-12), name
        assert regret(GRID, truth, gi.StateReward(-truth.values, on="departure")) == pytest.approx(1.0), name
        assert regret(GRID, gi.ShapedReward(gi.StateReward.zero(GRID), np.arange(9.0)), truth) == 0.0
    rng = np.random.default_rng(0)
    P = oracles.random_law(rng, 3, 2, 3)
    world, r, q = gi.from_arrays(P, initial=[0.2, 0.3, 0.5], discount=0.8), *rng.normal(size=(2, 3, 2))

    def worth(choice, reward):
        law, gained = P[range(3), choice], reward[range(3), choice]
        return np.array([0.2, 0.3, 0.5]) @ np.linalg.solve(np.eye(3) - 0.8 * law, gained)

    every = list(itertools.product(range(2), repeat=3))
    best, worst = (extreme(worth(c, r) for c in every) for extreme in (max, min))
    acted = max(every, key=lambda c: worth(c, q))  # from these starts, and so from every one
    expected = (best - worth(acted, r)) / (best - worst)
    assert regret(world, gi.ActionReward(r), gi.ActionReward(q)) == pytest.approx(expected, abs=1e-10)


def test_scale_and_level_do_not_decide_what_is_best():
    corridor = gi.gridworld("a.s.b", discount=0.9)
    left, right = (gi.StateReward.at(corridor, {mark: 1.0}, default=0.0, on="departure") for mark in "ab")
    for scale, level in ((1e-12, 0.0), (1e-3, 1e4), (1e6, -1e3)):
        moved = [gi.StateReward(scale * one.values + level, on="departure") for one in (left, right)]
        assert regret(corridor, left, moved[0]) == pytest.approx(0.0, abs=1e-9)
        assert regret(corridor, left, moved[1]) == pytest.approx(1.0)
        assert regret(corridor, moved[0], right) == pytest.approx(1.0, abs=1e-5)


def test_all_transitions_where_episodes_end():
    """What is paid on leaving a terminal state is known, though nobody leaves it."""
    hall = gi.gridworld("s..a", terminal="a", discount=0.9)
    rng = np.random.default_rng(0)
    one, two = gi.StateReward(rng.normal(size=4), on="departure"), gi.StateReward(rng.normal(size=4), on="departure")
    assert epic(hall, one, two) == pytest.approx(np.sqrt((1 - np.corrcoef(one.values, two.values)[0, 1]) / 2))
    for metric in (epic, dard):
        for reward in (one, gi.StateReward(one.values, on="arrival"), gi.ActionReward(rng.normal(size=(4, 4)))):
            assert metric(hall, reward, gi.ShapedReward(reward, rng.normal(size=4))) == pytest.approx(0.0, abs=1e-7)


def test_returns_without_an_end():
    endless = gi.gridworld("a.s.b", terminal=["a", "b"], discount=1.0)
    cost = gi.StateReward(-np.ones(5), on="departure")
    with pytest.raises(ValueError, match="with discount 1 there is no worst policy here"):
        regret(endless, cost, cost)
    with pytest.raises(ValueError, match="with discount 1 this policy never ends the episode from state"):
        expected_return(endless, cost, np.eye(4)[[0] * 5])
    line = gi.from_arrays(
        np.eye(4)[[[1, 2], [3, 2], [3, 3], [3, 3]]], terminal=[3], initial=[1.0, 0.0, 0.0, 0.0], discount=1.0
    )
    ends = gi.ActionReward(np.array([[0.0, 0.0], [2.0, 1.0], [0.0, -1.0], [0.0, 0.0]]))
    assert regret(line, ends, gi.ActionReward(-ends.values)) == 1.0


def test_distances_refused():
    hall = gi.gridworld("s.a", discount=0.9)
    step = gi.TransitionReward(np.ones(hall.mdp.successors.shape))
    with pytest.raises(ValueError, match=r"going from s to 0,1 \(action 0\) is not given"):
        epic(hall, step, step)
    listed = np.broadcast_to([0, 1], (2, 1, 2))  # a successor that is listed with probability zero is impossible
    rare = gi.from_arrays(successors=listed, probabilities=[[[0.5, 0.5]], [[0.0, 1.0]]], discount=0.9)
    with pytest.raises(ValueError, match=r"going from 1 to 0 \(action 0\) is not given"):
        dard(rare, *[gi.TransitionReward(np.ones((2, 1, 2)))] * 2)
    endless = gi.gridworld("s.a", discount=1.0)
    zero = gi.StateReward.zero(endless)
    with pytest.raises(ValueError, match="never ends the episode from state s"):
        starc(endless, zero, zero, canonicalization="value-adjusted")
    with pytest.raises(ValueError, match=r"policy has shape \(2, 2\) and type float64; expected"):
        expected_return(hall, gi.StateReward.zero(hall), np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match="policy gives the actions in state s the probabilities"):
        expected_return(hall, gi.StateReward.zero(hall), np.full((3, 4), 0.5))


def test_trivial_rewards():
    """Constants and shapings have no direction: 0 from one another, 1/2 from any other reward."""
    constant = gi.StateReward(np.full(9, 1e6), on="departure")
    shaping = gi.ShapedReward(gi.StateReward.zero(GRID), np.arange(9.0))
    trivial = [gi.StateReward.zero(GRID), constant, shaping]
    assert all(starc(GRID, one, two) == 0.0 for one in trivial for two in trivial)
    assert all(starc(GRID, one, EPIC["path"]) == 0.5 for one in trivial)
    tiny = gi.StateReward(1e-9 * EPIC["path"].values, on="departure")
    assert starc(GRID, tiny, EPIC["path"]) == pytest.approx(0.0, abs=1e-9)


@given(st.integers(0, 10_000))
def test_random_worlds(seed):
    """As the oracle; the expectation of a transition reward is what counts; only choices that can occur count."""
    rng = np.random.default_rng(seed)
    P = oracles.random_law(rng, 4, 3, 4)
    world = gi.from_arrays(P, discount=0.9)
    R, r = rng.normal(size=(4, 3, 4)), rng.normal(size=(4, 3))
    found = starc(world, gi.TransitionReward(R), gi.ActionReward(r))
    assert found == pytest.approx(oracles.starc(P, 0.9, oracles.expected(P, R), r), abs=1e-10)

    can = rng.random((4, 3)) < 0.7
    can[:, 0] = True
    ends = np.array([False, False, False, True])
    limited = gi.from_arrays(P, available=can, terminal=ends, discount=0.9)
    rows = (can & ~ends[:, None]).ravel()
    W = oracles.shaping_map(P, 0.9)[rows][:, ~ends]
    expected = r.ravel()[rows] - W @ np.linalg.lstsq(W, r.ravel()[rows], rcond=None)[0]
    np.testing.assert_allclose(canonical(limited, gi.ActionReward(r)), expected, atol=1e-10)
    hidden = gi.ActionReward(np.where(rows.reshape(4, 3), r, 1e3))  # entries that nobody collects
    assert starc(limited, hidden, gi.ActionReward(r)) == pytest.approx(0.0, abs=1e-9)
    potential = rng.normal(size=4)  # worth nothing at the end
    assert starc(limited, gi.ShapedReward(gi.ActionReward(r), potential), gi.ActionReward(r)) == pytest.approx(
        0.0, abs=1e-9
    )


@pytest.mark.parametrize("discount", [0.9, 0.999])
def test_large_worlds(discount, monkeypatch):
    """Iterating gives what the dense solution gives, constants included."""
    grid = gi.open_grid(12, 12, slip=0.1, discount=discount)
    rng = np.random.default_rng(0)
    one, two = (gi.StateReward(rng.normal(size=144), on="arrival") for _ in range(2))
    exact = starc(grid, one, two)
    monkeypatch.setattr(forms, "_DENSE_STATES", 10)
    assert starc(grid, one, two) == pytest.approx(exact, abs=1e-8)
    assert starc(grid, one, gi.ShapedReward(one, 10 * rng.normal(size=144))) == pytest.approx(0.0, abs=1e-7)
    # Processors round the norm differently.
    assert starc(grid, one, gi.StateReward(np.ones(144), on="departure")) == pytest.approx(0.5, abs=1e-14)


def test_undiscounted():
    hall = gi.gridworld("s..a", terminal="a", discount=1.0)
    cost = gi.StateReward(np.array([-1.0, -1, -1, 0]), on="departure")
    goal = gi.StateReward(np.array([0.0, 0, 0, 1]), on="arrival")  # everyone gets there in the end
    assert starc(hall, cost, goal) == pytest.approx(0.5, abs=1e-12)


def test_refusals():
    hall = gi.gridworld("a.s.b", discount=0.9)
    goals = gi.goals(hall, {"left": "a", "right": "b"})
    assert starc(hall, goals["left"], goals["left"]) == 0.0
    with pytest.raises(ValueError, match="end the episode in different states"):
        starc(hall, goals["left"], goals["right"])
    with pytest.raises(ValueError, match="prior stands where a number is needed"):
        starc(hall, gi.StateReward(dist.Normal(0, 1), on="departure"), gi.StateReward.zero(hall))
    with pytest.raises(ValueError, match=r"this world needs \(5,\)"):
        starc(hall, EPIC["sparse"], EPIC["path"])


@pytest.fixture(scope="module")
def fit():
    hall = gi.gridworld("s.a", discount=0.9)
    wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=5.0), wants, trajectories=30, steps=10)
    prior, agent = gi.StateReward(dist.Normal(0.0, 1.0), on="departure"), gi.agents.soft_optimal(beta=5.0)
    arguments = {"agent": agent, "reward": prior, "data": walks, "chains": 2, "draws": 50}
    return wants, gi.infer(jax.random.key(1), hall, **arguments, progress=False)


def test_distances_of_a_posterior(fit):
    """Of every draw by itself; in another world, another regret."""
    wants, fit = fit
    found = gi.identify.distance.posterior(fit, wants)
    assert found.dims == ("sample",)
    assert found.sizes["sample"] == 100
    for i in (0, 57, 99):
        values = fit.posterior["reward.values"].values[int(found.chain[i]), int(found.draw[i])]
        assert float(found[i]) == starc(fit.world, wants, gi.StateReward(values, on="departure"))
    some = gi.identify.distance.posterior(fit, wants, metric=regret, draws=10)
    assert some.sizes["sample"] == 10
    assert some.name == "regret"
    shut = gi.gridworld("s.a", discount=0.1)
    there = gi.identify.distance.posterior(fit, wants, metric=regret, world=shut, draws=10)
    assert not np.allclose(some, there)


def test_value_at_risk():
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=200_000)  # memoryless: one more beyond every quantile
    quantile, beyond = gi.identify.distance.value_at_risk(losses, 0.95)
    assert quantile == pytest.approx(np.log(20), abs=0.05)
    assert beyond == pytest.approx(quantile + 1, abs=0.05)
    for level in (0.1, 0.5, 0.9):  # of few draws: the mean of the worst share, the last of them in part
        few = np.sort(rng.normal(size=7))
        share = np.clip(np.arange(7, 0, -1) - 7 * (1 - level), 0, 1)
        expected = (few * (1 - share)).sum() / (7 * (1 - level))
        assert gi.identify.distance.value_at_risk(few, level)[1] == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"level is 1; expected a number in \(0, 1\)|level is 1 of 7 losses"):
        gi.identify.distance.value_at_risk(few, 1.0)


def test_a_posterior_that_has_no_distances(fit):
    wants, fit = fit
    data = gi.simulate(jax.random.key(2), fit.world, gi.agents.boltzmann(beta=2.0), wants, trajectories=3, steps=3)
    agent = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))
    known = gi.infer(
        jax.random.key(3), fit.world, agent=agent, reward=wants, data=data, chains=1, draws=4, progress=False
    )
    with pytest.raises(ValueError, match="this fit knows its reward"):
        gi.identify.distance.posterior(known, wants)
    with pytest.raises(ValueError, match="draws is 0"):
        gi.identify.distance.posterior(fit, wants, draws=0)
