"""Counts n(s, a) in every form, and that they are scored as the choices that they count."""

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import oracles
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import goalinf as gi

HALL = gi.gridworld("s.a", moves=("left", "right"), blocked="unavailable", terminal="a", discount=0.9)
COUNTS = np.array([[0, 3], [1, 2], [0, 0]])
FRAME = pd.DataFrame(COUNTS, index=pd.Index(["s", (0, 1), "a"], tupleize_cols=False), columns=["left", "right"])
FORMS = {
    "array": COUNTS,
    "list": COUNTS.tolist(),
    "floats": COUNTS.astype(float),
    "pairs": {("s", "right"): 3, ((0, 1), "left"): 1, ((0, 1), "right"): 2},
    "nested": {"s": {"right": 3}, (0, 1): {"right": 2, "left": 1}},
    "frame": FRAME,
    "frame in another order": FRAME.iloc[::-1, ::-1],
    "long": pd.DataFrame({"state": ["s", (0, 1), (0, 1)], "action": ["right", "left", "right"], "count": [3, 1, 2]}),
    "series": FRAME.iloc[[0]].stack().astype(float),  # noqa: PD013
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form):
    data = gi.Trajectories.from_counts(HALL, FORMS[form])
    expected = COUNTS * [[1], [0], [0]] if form == "series" else COUNTS
    assert data.choice_counts(3, 2).tolist() == expected.tolist()
    assert data.lengths.tolist() == [1] * expected.sum()


@given(st.integers(0, 10_000))
def test_the_score_is_that_of_the_counted_choices(seed):
    rng = np.random.default_rng(seed)
    P, values = rng.dirichlet(np.ones(4), (4, 3)), rng.normal(size=4)
    world = gi.from_arrays(P, discount=0.9)
    counts = rng.poisson(1.0, (4, 3))
    counts[0, 0] += 1
    agent, wants = gi.agents.soft_optimal(beta=2.0), gi.StateReward(values, on="departure")
    policy = oracles.mce(P, np.tile(values[:, None], 3), 0.9, 2.0).policy
    data = gi.Trajectories.from_counts(world, counts)
    total = gi.Behavior(world, agent, wants).log_prob(data)
    assert total == pytest.approx((counts * np.log(policy)).sum(), abs=1e-10)


def test_they_can_be_given_wherever_trajectories_are_scored():
    data = gi.Trajectories.from_counts(HALL, COUNTS)
    key, agent = jax.random.key(0), gi.agents.soft_optimal(beta=1.0)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    fit = gi.infer(key, HALL, agent=agent, reward=prior, data=data, draws=50, method="laplace")
    assert fit.tree["log_likelihood"]["choices"].shape == (1, 50, 6)
    assert gi.audit(fit, quick=True).n_observed == 6
    assert gi.goal_posterior(HALL, agent, gi.goals(HALL, {"end": "a"}), data).sizes["trajectory"] == 6
    assert len(gi.inference.log_predictive_density(fit, data)) == 6
    assert data.to_frame()["state"].tolist()[:3] == ["s"] * 3


def test_on_graphs_and_in_worlds_with_memory():
    ring = gi.graph_world(nx.cycle_graph(3), discount=0.9)
    frame = pd.DataFrame([[np.nan, 2, 1], [1, np.nan, 0], [0, 4, np.nan]])
    data = gi.Trajectories.from_counts(ring, frame)
    assert data.choice_counts(3, 2).tolist() == [[2, 1], [1, 0], [0, 4]]
    pairs = gi.with_memory(ring)
    data = gi.Trajectories.from_counts(pairs, {((None, 0), 1): 2})
    assert data.n_observed == 2


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (COUNTS[:2], r"counts have shape \(2, 2\); expected \(3, 2\), one row per state, one column per action"),
        (COUNTS - 1, "state s, action left: the count is -1; expected a whole number of at least 0"),
        (COUNTS + 0.5, "state s, action left: the count is 0.5; expected a whole number"),
        ([[0, np.nan], [1, 2], [0, 0]], "state s, action right: the count is nan; expected a whole number"),
        ([[0, "3"], [1, 2], [0, 0]], "state s, action left: the count is '0'; expected a whole number"),
        ({("s", "right"): True}, "the count is True; expected a whole number"),
        ([[1, 0], [0, 0], [0, 0]], "state s, action left: the count is 1; the action is not available there"),
        ([[0, 1], [0, 0], [2, 0]], "state a, action left: the count is 2, and the state is terminal"),
        (COUNTS * 0, "the counts hold 0 choices; expected 1 to 100,000"),
        (COUNTS * 100_000, "the counts hold 600,000 choices; expected 1 to 100,000"),
        ({("x", "right"): 1}, "unknown state 'x'"),
        ({("s", "up"): 1}, "unknown action 'up' in state s: the actions are left, right"),
        ({"s": 3}, r"counts hold the key 's'; expected pairs \(state, action\)"),
        ({("s", "right"): 1, ((0, 0), "right"): 2}, "state s, action right: two counts are given; add them up"),
        (FRAME.iloc[[0, 0, 1]], "state s, action left: two counts are given; add them up"),
        (FRAME.iloc[:, [1, 0, 1]], "state s, action right: two counts are given; add them up"),
        ([[0, 1], [1]], r"counts have rows of different lengths; expected \(3, 2\), one row per state"),
    ],
)
def test_wrong_counts(counts, said):
    with pytest.raises(ValueError, match=said):
        gi.Trajectories.from_counts(HALL, counts)


def test_labels_of_xarray_are_not_matched_by_position():
    labeled = xr.DataArray(
        COUNTS, dims=("state", "action"), coords={"state": ["s", "0,1", "a"], "action": ["left", "right"]}
    )
    with pytest.raises(TypeError, match=r"counts are a DataArray; give counts.to_pandas\(\)"):
        gi.Trajectories.from_counts(HALL, labeled)
    data = gi.Trajectories.from_counts(HALL, labeled[::-1, ::-1].to_pandas())
    assert data.choice_counts(3, 2).tolist() == COUNTS.tolist()


ORDERED = {
    "modes": (gi.agents.switching(switch=0.1, beta=2.0), gi.one_of(gi.goals(HALL, {"s": "s", "a": "a"}))),
    "memory": (gi.agents.habitual(persistence=1.0, beta=2.0), gi.StateReward.zero(HALL)),
    "horizon": (gi.agents.soft_optimal(beta=2.0, horizon=3), gi.StateReward.zero(HALL)),
}


@pytest.mark.parametrize("kind", ORDERED)
def test_agents_whose_choices_have_an_order_refuse_counts(kind):
    agent, reward = ORDERED[kind]
    counts = gi.Trajectories.from_counts(HALL, COUNTS)
    for data in (counts, counts.select([0, 1])):
        with pytest.raises(
            ValueError, match=r"counts of choices have no order, and the actions of .* depend on the order"
        ):
            gi.Behavior(HALL, agent, reward).log_prob(data)
    same = gi.Trajectories.of(counts.states, counts.actions)  # episodes of one step, which have been observed as such
    assert np.isfinite(gi.Behavior(HALL, agent, reward).log_prob(same))


def test_mixtures_by_trajectory_refuse_counts():
    """By subject, all choices are those of one agent, as in one trajectory."""
    counts, reward = (
        gi.Trajectories.from_counts(HALL, COUNTS),
        gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="arrival"),
    )
    agents = [gi.agents.boltzmann(beta=1.0), gi.agents.boltzmann(beta=3.0)]
    with np.errstate(divide="ignore"):  # unavailable actions
        tables = [np.log(agent.policy(HALL, reward).values) for agent in agents]
    scores = [(COUNTS[COUNTS > 0] * table[COUNTS > 0]).sum() for table in tables]
    for by in ("subject", "data"):
        found = gi.Behavior(HALL, gi.one_of(agents, by=by), reward).log_prob(counts)
        assert float(found) == pytest.approx(np.logaddexp(*scores) - np.log(2), abs=1e-10)
    with pytest.raises(ValueError, match=r"do not identify the trajectory of each choice.* by='subject' or by='da"):
        gi.Behavior(HALL, gi.one_of(agents, by="trajectory"), reward).log_prob(counts)


def test_fits_and_goals_refuse_counts_of_ordered_choices():
    counts = gi.Trajectories.from_counts(HALL, COUNTS)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    with pytest.raises(ValueError, match="counts of choices have no order"):
        gi.infer(0, HALL, agent=gi.agents.habitual(persistence=1.0, beta=2.0), reward=prior, data=counts)
    with pytest.raises(ValueError, match="counts of choices have no order"):
        gi.goal_posterior(HALL, gi.agents.boltzmann(beta=1.0, horizon=3), gi.goals(HALL, {"a": "a"}), counts)
