"""STARC: golden numbers, invariances, trivial rewards, large worlds."""

import golden
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
import specimens
from hypothesis import given
from hypothesis import strategies as st

import goalinf as gi
from goalinf.identify import distance
from goalinf.identify.distance import canonical, starc

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
    dense = gi.Shaped(sparse, -((2 - rows) + (2 - columns)).astype(float))
    assert starc(GRID, sparse, dense) == pytest.approx(0.0, abs=1e-9)
    assert starc(GRID, sparse, gi.StateReward(3 * sparse.values + 7, on="departure")) == pytest.approx(0.0, abs=1e-9)
    assert starc(GRID, sparse, gi.StateReward(-sparse.values, on="departure")) == pytest.approx(1.0, abs=1e-12)


def test_trivial_rewards():
    """Constants and shapings have no direction: 0 from one another, 1/2 from any other reward."""
    constant = gi.StateReward(np.full(9, 1e6), on="departure")
    shaping = gi.Shaped(gi.StateReward.zero(GRID), np.arange(9.0))
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
    assert starc(limited, gi.Shaped(gi.ActionReward(r), potential), gi.ActionReward(r)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("discount", [0.9, 0.999])
def test_large_worlds(discount, monkeypatch):
    """Iterating gives what the dense solution gives, constants included."""
    grid = gi.open_grid(12, 12, slip=0.1, discount=discount)
    rng = np.random.default_rng(0)
    one, two = (gi.StateReward(rng.normal(size=144), on="arrival") for _ in range(2))
    exact = starc(grid, one, two)
    monkeypatch.setattr(distance, "_DENSE_STATES", 10)
    assert starc(grid, one, two) == pytest.approx(exact, abs=1e-8)
    assert starc(grid, one, gi.Shaped(one, 10 * rng.normal(size=144))) == pytest.approx(0.0, abs=1e-7)
    assert starc(grid, one, gi.StateReward(np.ones(144), on="departure")) == 0.5


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
