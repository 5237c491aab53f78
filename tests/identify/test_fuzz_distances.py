"""Distances between rewards are pseudometrics, and blind to what changes no order of policies."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_worlds import fuzzed, rewards, worlds

import goalinf as gi
from goalinf.identify import distance
from goalinf.identify.distance import dard, epic, starc

S, A = 4, 2
METRICS = {
    "minimal": starc,
    "value-adjusted": partial(starc, canonicalization="value-adjusted"),
    "epic": epic,
    "dard": dard,
}
ROUNDING = 1e-6  # of a distance that is the root of a difference of numbers near one
kinds = st.sampled_from(["action", "departure", "arrival"])


def reward(kind, values):
    """A reward of one kind from numbers for every choice; state rewards take those of the first action."""
    return gi.ActionReward(values) if kind == "action" else gi.StateReward(values[:, 0], on=kind)


@fuzzed
@pytest.mark.parametrize("name", METRICS)
@given(
    drawn=worlds(S, A),
    values=st.tuples(*[rewards((S, A))] * 3),
    kind=st.tuples(kinds, kinds, kinds),
    potential=rewards(S),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_distances_are_pseudometrics(name, drawn, values, kind, potential, scale):
    """Zero to itself, symmetric, at most one; the triangle inequality; shaping and scale are nothing."""
    d, (x, y, z) = partial(METRICS[name], drawn.world), map(reward, kind, values)
    xy, yz, xz = d(x, y), d(y, z), d(x, z)
    assert all(0.0 <= distance <= 1.0 for distance in (xy, yz, xz))
    assert d(x, x) <= ROUNDING
    assert d(y, x) == pytest.approx(xy, abs=ROUNDING)
    assert xz <= xy + yz + ROUNDING
    changed = gi.ShapedReward(reward(kind[0], scale * values[0]), potential)
    assert d(changed, y) == pytest.approx(xy, abs=ROUNDING)
    opposite = reward(kind[0], -values[0])
    assume(d(x, opposite) > ROUNDING)  # a trivial reward is its own opposite
    assert d(x, opposite) == pytest.approx(1.0, abs=ROUNDING)
    if name in ("epic", "dard"):  # roots of (1 - correlation) / 2
        assert d(opposite, y) ** 2 == pytest.approx(1.0 - xy**2, abs=ROUNDING)


@fuzzed
@given(drawn=worlds(S, A), truth=rewards((S, A)), other=rewards((S, A)), potential=rewards(S))
def test_regret_is_a_share(drawn, truth, other, potential):
    """Of the range of returns: none for the truth, all for its opposite; shaping costs nothing."""
    assume(drawn.discount < 1.0)
    true, wrong = gi.ActionReward(truth), gi.ActionReward(other)
    regret = partial(distance.regret, drawn.world)
    assert 0.0 <= regret(true, wrong) <= 1.0
    assert regret(true, true) == pytest.approx(0.0, abs=1e-9)
    assert regret(true, gi.ShapedReward(true, potential)) == pytest.approx(0.0, abs=1e-9)
    assert regret(true, gi.ActionReward(-truth)) in (0.0, pytest.approx(1.0, abs=1e-9))
    assert np.isclose(regret(gi.ShapedReward(true, potential), wrong), regret(true, wrong), atol=1e-9)
