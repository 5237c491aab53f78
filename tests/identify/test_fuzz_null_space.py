"""The rank of null spaces, and the spaces, against the formulas of theory 2.4 by an independent SVD."""

import numpy as np
import oracles
from hypothesis import given
from hypothesis import strategies as st
from null_spaces import ACTION, ARRIVAL, DEPARTURE, NORMAL, check, flat, projection
from random_worlds import fuzzed, worlds

import goalinf as gi

S, A = 4, 2


def hidden(drawn, kind):
    """Columns that span the rewards which no stationary policy shows, by linear algebra alone.

    Choices that cannot occur count for nothing. A potential vanishes where the episode has ended.
    """
    P, g, live = drawn.P, drawn.discount, ~drawn.terminal
    rows = np.argwhere(drawn.counted)
    first = {s: next(a for state, a in rows if state == s) for s in np.flatnonzero(live)}
    # D: what the other choices do that the first one of the state does not.
    D = np.array([P[s, a] - P[s, first[s]] for s, a in rows if a != first[s]]).reshape(-1, S)
    onward = np.array([P[s, first[s]] if live[s] else np.zeros(S) for s in range(S)])
    if kind == "action":
        inert = np.eye(S * A)[:, ~drawn.counted.ravel()]
        shapings = np.where(drawn.counted.ravel()[:, None], oracles.shaping_map(P, g)[:, live], 0.0)
        return np.concatenate([inert, shapings], axis=1)
    if kind == "departure":
        # V is zero where the episode has ended, and no choice moves it: rho = V - g P_1 V.
        V = oracles.null_space(np.concatenate([D, np.eye(S)[drawn.terminal]]), 1e-9) if g > 0 else np.eye(S)
        return np.concatenate([V - g * onward @ V, np.eye(S)[:, drawn.terminal]], axis=1) * 1.0
    # rho + g V is what no choice moves; V is its expectation, zero where the episode has ended.
    u = oracles.null_space(D if len(D) else np.zeros((1, S)), 1e-9)
    return u - g * onward @ u


@fuzzed
@given(
    drawn=worlds(S, A, discount=st.sampled_from([0.0, 0.5, 0.9])),
    kind=st.sampled_from(["action", "departure", "arrival"]),
)
def test_null_spaces_are_those_of_the_formulas(drawn, kind):
    reward = {"action": ACTION, "departure": DEPARTURE, "arrival": ARRIVAL}[kind]
    found = gi.identify.null_space(drawn.world, gi.agents.soft_optimal(beta=1.5), reward)
    check(found)
    expected = projection(hidden(drawn, kind))
    assert found.dimension == round(np.trace(expected))
    np.testing.assert_allclose(flat(found).T @ flat(found), expected, atol=1e-7)


@fuzzed
@given(drawn=worlds(S, A, discount=st.sampled_from([0.5, 0.9]), ends=False, gaps=False), features=st.data())
def test_linear_features_and_horizons_have_the_rank_of_the_formulas(drawn, features):
    """d + S - rank [Phi, W] of linear features; S - rank [D; D P_1; ...] of a finite horizon."""
    Phi = np.array(
        features.draw(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=S * A, max_size=S * A)),
        float,
    )
    linear = gi.LinearReward(Phi.reshape(S, A, 3), NORMAL, names=("a", "b", "c"))
    W = oracles.shaping_map(drawn.P, drawn.discount)
    found = gi.identify.null_space(drawn.world, gi.agents.soft_optimal(beta=1.5), linear)
    assert found.dimension == 3 + S - oracles.rank(np.column_stack([Phi, W]))
    for horizon in (1, 2, 3):
        found = gi.identify.null_space(drawn.world, gi.agents.soft_optimal(beta=1.5, horizon=horizon), ACTION)
        assert found.dimension == oracles.kappa_horizon(drawn.P, horizon)
