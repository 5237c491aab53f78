"""How well distances foretell regret over random worlds: the ordering of theory 2.11, in a reduced replication.

Every transition of a world is possible and a few are likely (Dirichlet, concentration .2). Rewards R(s, a, s') are
independent normal, of a random size. To these comes what no policy sees, in amounts as large: a level; in half of them
shaping; in half of them redistribution over what may follow a choice. EPIC and DARD see the last of the three, the
rewards as they are show all. How far the correlations lie apart hangs on these amounts, their order does not.
"""

from functools import partial

import numpy as np
import pytest

import goalinf as gi
from goalinf.identify.distance import dard, epic, regret, starc

WORLDS, PAIRS, STATES, ACTIONS, DISCOUNT = 12, 4, 32, 4, 0.95
STEPS = (0.5, 1.0)  # how far from the first reward to the second
RESAMPLED = 1000
SURE = 0.01  # share of resampled sets of worlds in which a gap may be the other way round


def uncanonical(world, one, two):
    """Half the distance between the rewards themselves, each of length one."""
    return np.linalg.norm(*[one.values / np.linalg.norm(one.values) - two.values / np.linalg.norm(two.values)]) / 2


METRICS = {
    "none": uncanonical,
    "epic": epic,
    "dard": dard,
    "value-adjusted": partial(starc, canonicalization="value-adjusted"),
    "minimal": starc,
}


def random_reward(rng, P):
    R = rng.uniform(0, 10) * rng.normal(size=P.shape) + rng.uniform(0, 30)
    if rng.random() < 0.5:
        potential = rng.uniform(0, 40) * rng.normal(size=len(P))
        R = R + DISCOUNT * potential - potential[:, None, None]
    if rng.random() < 0.5:
        moved = rng.uniform(0, 10) * rng.normal(size=P.shape)
        R = R + moved - (P * moved).sum(2, keepdims=True)
    return R


@pytest.fixture(scope="module")
def found():
    """Distances by every metric, and regret: (worlds, comparisons, metrics + 1)."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(WORLDS):
        P = rng.dirichlet(np.full(STATES, 0.2), size=(STATES, ACTIONS))
        world = gi.from_arrays(P, discount=DISCOUNT)
        for _ in range(PAIRS):
            first, last = random_reward(rng, P), random_reward(rng, P)
            one = gi.TransitionReward(first)
            for step in STEPS:
                two = gi.TransitionReward(first + step * (last - first))
                rows.append([*(metric(world, one, two) for metric in METRICS.values()), regret(world, one, two)])
    return np.array(rows).reshape(WORLDS, -1, len(METRICS) + 1)


def correlations(rows):
    """Of every metric with regret."""
    return np.corrcoef(rows.reshape(-1, rows.shape[-1]).T)[-1, :-1]


def test_ordering(found):
    """None < EPIC, DARD < both STARC, in (nearly) all sets of worlds drawn again from these worlds."""
    rng = np.random.default_rng(1)
    again = np.array([correlations(found[rng.integers(0, WORLDS, WORLDS)]) for _ in range(RESAMPLED)])
    none, by_epic, by_dard, adjusted, minimal = again.T
    for low, high in (none, [by_epic, by_dard]), (by_epic, [adjusted, minimal]), (by_dard, [adjusted, minimal]):
        assert np.quantile(np.array(high) - low, SURE, axis=1).min() > 0
    # Neither of two alike is nearer to another kind than to the other.
    for nearby in (abs(by_dard - by_epic), abs(adjusted - minimal)):
        for apart in (by_epic - none, adjusted - by_dard):
            assert np.quantile(apart - nearby, SURE) > 0
