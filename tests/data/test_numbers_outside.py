"""States and actions that the world does not have: refused where numbers can be looked at, not a number in compiled code."""

from functools import partial

import jax
import networkx as nx
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest

import goalinf as gi
from goalinf.data.matching.fitting import check_numbers

TWO = gi.from_arrays(np.full((4, 2, 4), 0.25), discount=0.9)  # four states, two actions
WANTS = gi.StateReward(np.arange(4.0), on="departure")
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
AGENTS = {
    "counts": gi.agents.soft_optimal(beta=1.0),
    "steps": gi.agents.soft_optimal(beta=1.0, horizon=5),
    "filter": gi.agents.habitual(persistence=0.5, beta=1.0),
    "one of": gi.one_of([gi.agents.soft_optimal(beta=1.0), gi.agents.boltzmann(beta=1.0)]),
}
ACTION_7 = [[0, 1, 2, 3], [0, 1, 2, 3]], [[0, 1, 0], [1, 7, 1]]
STATE_9 = [[0, 1, 2, 3], [0, 9, 2, 3]], [[0, 1, 0], [1, 0, 1]]
ONE_TOO_HIGH = [[0, 1, 2, 3]], [[1, 2, 2]]
SAID = {
    "action 7": (ACTION_7, r"trajectory 1, step 1: action number 7; the world has 2 actions, numbers 0 to 1$"),
    "state 9": (STATE_9, r"trajectory 1, step 1: state number 9; the world has 4 states, numbers 0 to 3$"),
    "codes 1/2": (ONE_TOO_HIGH, r"numbers 0 to 1\. The numbers are one too high: subtract 1 \(2 such entries\)"),
}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("fault", SAID)
def test_behavior_refuses_them(agent, fault):
    arrays, said = SAID[fault]
    data = gi.Trajectories.of(*arrays)
    behavior = gi.Behavior(TWO, AGENTS[agent], WANTS)
    for score in (behavior.log_prob, *(partial(behavior.log_prob_by, unit) for unit in ("trajectory", "step"))):
        with pytest.raises(ValueError, match=said):
            score(data)
    with pytest.raises(ValueError, match=said):
        gi.Behavior(TWO, AGENTS[agent], WANTS, like=data)


@pytest.mark.parametrize("agent", ["counts", "steps", "filter"])
def test_traced_numbers_make_the_score_undefined(agent):
    right = gi.Trajectories.of(STATE_9[0][:1], STATE_9[1][:1])

    @jax.jit
    def scores(data):
        behavior = gi.Behavior(TWO, AGENTS[agent], WANTS)
        return behavior.log_prob(data), behavior.log_prob_by("step", data)

    assert all(np.isfinite(found).all() for found in scores(right))
    for arrays, _ in SAID.values():
        total, by_step = scores(gi.Trajectories.of(*arrays))
        assert np.isnan(total)
        assert np.isnan(by_step).any()


@pytest.mark.parametrize("agent", ["counts", "steps", "filter"])
@pytest.mark.parametrize("names", ["xyz", "xy", "x"])
def test_traced_contexts_without_a_world_make_the_score_undefined(agent, names):
    """A context number beyond the names is no other context, whether there are several conditions or one."""
    known = {"x": WANTS, "y": gi.StateReward(np.zeros(4), on="departure"), "z": WANTS}  # x and z are one condition
    wants, worlds = {name: known[name] for name in names}, dict.fromkeys(names, TWO)
    one, other = (gi.Trajectories.of([[0, 1]], [[1]], context=[n]) for n in (len(names) - 1, len(names)))
    behavior = gi.Behavior(worlds, AGENTS[agent], wants, contexts=tuple(names))
    scores = jax.jit(lambda data: (behavior.log_prob(data), behavior.log_prob_by("step", data)))
    assert all(np.isfinite(found).all() for found in scores(one))
    assert all(np.isnan(found).all() for found in scores(other))
    with pytest.raises(ValueError, match=rf"trajectory 0 is of context number {len(names)}; expected 0 to"):
        behavior.log_prob(other)


def own_model(data):
    beta = numpyro.sample("beta", dist.LogNormal(0.0, 1.0))
    numpyro.sample("choices", gi.Behavior(TWO, gi.agents.soft_optimal(beta=beta), WANTS), obs=data)


def own_factor(data):
    beta = numpyro.sample("beta", dist.LogNormal(0.0, 1.0))
    numpyro.factor("choices", gi.Behavior(TWO, gi.agents.soft_optimal(beta=beta), WANTS).log_prob(data["walks"]))


@pytest.mark.parametrize("fault", SAID)
def test_every_entry_of_inference_refuses_them(fault):
    arrays, said = SAID[fault]
    data, key = gi.Trajectories.of(*arrays), jax.random.key(0)
    agent = gi.agents.soft_optimal(beta=1.0)
    own = {"model": own_model, "data": data}
    entries = [
        lambda: gi.infer(key, TWO, agent=agent, reward=PRIOR, data=data),
        lambda: gi.infer(key, **own),
        lambda: gi.infer(key, model=own_factor, data={"walks": data}),
        lambda: gi.inference.find_map(key, **own),
        lambda: gi.inference.find_map(key, TWO, agent=agent, reward=PRIOR, data=data),
        lambda: gi.infer(key, **own, method="laplace"),
        lambda: gi.goal_posterior(TWO, agent, {"a": WANTS}, data),
        lambda: gi.identify.agent_posterior(key, TWO, {"soft": agent}, PRIOR, data),
        lambda: gi.identify.score_pairs(TWO, gi.identify.degenerate_pairs(TWO, agent, WANTS), data),
    ]
    for entry in entries:
        with pytest.raises(ValueError, match=said):
            entry()


def test_walks_that_are_compared():
    with pytest.raises(ValueError, match=SAID["action 7"][1]):
        gi.identify.PreferenceQuery(TWO, gi.Trajectories.of(*ACTION_7))


def test_held_out_data_of_a_model_of_your_own():
    right = gi.Trajectories.of(STATE_9[0][:1], STATE_9[1][:1])
    fit = gi.infer(jax.random.key(0), model=own_model, data=right, chains=1, draws=20, warmup=50, method="nuts")
    with pytest.raises(ValueError, match=SAID["action 7"][1]):
        gi.inference.log_predictive_density(fit, gi.Trajectories.of(*ACTION_7))


def test_a_world_that_is_smaller_than_another_of_the_same_data():
    """Padded to one shape, a small world has states and actions that it does not have."""
    worlds = {"large": TWO, "small": gi.from_arrays(np.full((2, 1, 2), 0.5), discount=0.9)}
    wants = {name: gi.StateReward(np.zeros(world.n_states), on="departure") for name, world in worlds.items()}
    data = gi.Trajectories.of([[3, 3], [3, 3]], [[1], [0]], context=[0, 1], contexts=("large", "small"))
    with pytest.raises(ValueError, match="trajectory 1, step 0: state number 3; the world has 2 states"):
        gi.Behavior(worlds, gi.agents.soft_optimal(beta=1.0), wants).log_prob(data)
    data = gi.Trajectories.of([[3, 3], [1, 1]], [[1], [0]], context=[0, 2])
    with pytest.raises(ValueError, match="trajectory 1 is of context number 2; expected 0 to 1"):
        check_numbers(data, list(worlds.values()))


@pytest.mark.parametrize("kind", [int, str, float])
def test_codes_of_a_table_that_are_one_too_high(kind, tmp_path):
    table = pd.DataFrame({"walk": 0, "t": [0, 1, 2], "at": 0, "choice": [1, 2, 2]}).astype({"choice": kind})
    columns = {"trajectory": "walk", "step": "t", "state": "at", "action": "choice"}
    said = r"unknown action '?2'?.* \(column 'choice'\)\. The codes are one too high: they run from 1 to 2, expected 0 to 1"
    named = gi.from_arrays(np.full((4, 2, 4), 0.25), discount=0.9, actions=["left", "right"])
    table.to_csv(tmp_path / "walks.csv", index=False)
    for world in (TWO, named):
        with pytest.raises(ValueError, match=r"row 1, line 3 of walks.csv \(trajectory 0, step 1\): " + said):
            gi.read_trajectories(tmp_path / "walks.csv", world, **columns)
        if kind is not str:
            with pytest.raises(ValueError, match=r"row 1 \(trajectory 0, step 1\): " + said):
                gi.read_trajectories(table, world, **columns)
    right = table.assign(choice=table["choice"].astype(float).astype(int) - 1)
    assert gi.read_trajectories(right, named, **columns).actions.tolist() == [[0, 1, 1]]


def test_a_number_is_no_code_where_names_are_numbers(tmp_path):
    """Actions named "1" and "2": the code 0 is unknown, and not the first action."""
    world = gi.from_arrays(np.full((4, 2, 4), 0.25), discount=0.9, actions=["1", "2"])
    table = pd.DataFrame({"walk": 0, "t": [0, 1], "at": 0, "choice": [0, 1]})
    table.to_csv(tmp_path / "walks.csv", index=False)
    columns = {"trajectory": "walk", "step": "t", "state": "at", "action": "choice"}
    for source in (table, tmp_path / "walks.csv"):
        with pytest.raises(ValueError, match="unknown action 0: the actions are 1, 2"):
            gi.read_trajectories(source, world, **columns)


def test_numbers_that_fit_are_let_pass():
    ring = gi.graph_world(nx.cycle_graph(4), discount=0.9)
    data = gi.Trajectories.of([[3, 0, -1]], [[0, 0]])
    assert np.isfinite(gi.Behavior(ring, gi.agents.soft_optimal(beta=1.0), WANTS).log_prob(data))
