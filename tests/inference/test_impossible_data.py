"""Data that cannot happen in their world are refused wherever they are scored."""

import functools

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from test_same_choices import FORK, FORK_GOALS

import goalinf as gi

END = gi.gridworld("a.s.b", terminal="a", discount=0.9)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
KNOWN = gi.StateReward(np.arange(5.0), on="departure")
AGENT = gi.agents.soft_optimal(beta=1.0)
BEHIND = gi.Trajectories.of([[2, 1, 2, 3], [1, 0, 1, 2]], [[2, 3, 3], [2, 3, 3]])
JUMP = gi.Trajectories.of([[2, 4]], [[3]])
POSSIBLE = gi.Trajectories.of([[2, 1, 0], [2, 3, 4]], [[2, 2], [3, 3]])
KEY = jax.random.key(0)


def own(data):
    weight = numpyro.sample("weight", dist.Normal(0.0, 1.0))
    numpyro.sample("choices", gi.Behavior(END, AGENT, gi.StateReward(weight * np.arange(5.0), on="arrival")), obs=data)


@functools.cache
def fitted(kind):
    options = {"model": own} if kind == "own" else {"world": END, "agent": AGENT, "reward": PRIOR}
    return gi.infer(KEY, data=POSSIBLE, draws=20, warmup=20, chains=1, progress=False, **options)


ENTRIES = {
    "log_prob": lambda data: gi.Behavior(END, AGENT, KNOWN).log_prob(data),
    "log_prob_by_step": lambda data: gi.Behavior(END, AGENT, KNOWN).log_prob_by("step", data),
    "log_prob_by_trajectory": lambda data: gi.Behavior(END, AGENT, KNOWN).log_prob_by("trajectory", data),
    "mixture": lambda data: gi.Behavior(END, gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=1.0), KNOWN).log_prob(
        data
    ),
    "by_option": lambda data: gi.Behavior(END, AGENT, KNOWN).by_option("trajectory", data),
    "mode_posterior": lambda data: gi.Behavior(END, gi.agents.abandoning(hazard=0.1, beta=1.0), KNOWN).mode_posterior(
        data
    ),
    "closed over": lambda data: jax.jit(lambda b: gi.Behavior(END, AGENT.at(beta=b), KNOWN).log_prob(data))(1.0),
    "goal_posterior": lambda data: gi.goal_posterior(END, AGENT.at(beta=2.0), gi.goals(END, {"b": "b"}), data),
    "infer": lambda data: gi.infer(KEY, END, agent=AGENT, reward=PRIOR, data=data, draws=20, chains=1, progress=False),
    "find_map": lambda data: gi.inference.find_map(KEY, END, agent=AGENT, reward=PRIOR, data=data),
    "own model": lambda data: gi.infer(KEY, model=own, data=data, draws=20, warmup=20, chains=1, progress=False),
    "held_out": lambda data: gi.inference.log_predictive_density(fitted("standard"), data),
    "held_out of an own model": lambda data: gi.inference.log_predictive_density(fitted("own"), data),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_cannot_happen_is_refused_at_every_entry(entry):
    with pytest.raises(ValueError, match=r"^trajectory 1, step 1: state a is terminal: the episode has ended there"):
        entry(BEHIND)
    with pytest.raises(
        ValueError, match=r"^trajectory 0, step 0: action right in state s never leads to state b, which"
    ):
        entry(JUMP)
    entry(POSSIBLE)


def test_arrays_are_refused_in_the_words_of_the_table_reader():
    table = pd.DataFrame({"walk": 0, "t": [0, 1], "row": 0, "col": [2, 4], "move": ["right", None]})
    columns = {"trajectory": "walk", "step": "t", "state": ["row", "col"], "action": "move"}
    with pytest.raises(ValueError, match="never leads to state b") as by_table:
        gi.read_trajectories(table, END, **columns)
    with pytest.raises(ValueError, match="never leads to state b") as by_array:
        gi.Behavior(END, AGENT, KNOWN).log_prob(JUMP)
    words = [
        str(error.value).split(": ", 1)[1].replace("row 1", "trajectory 0, step 1") for error in (by_table, by_array)
    ]
    assert words[0] == words[1]


def test_a_row_of_the_table_is_named_where_the_world_is_another_one():
    table = pd.DataFrame({"walk": 7, "t": [3, 4], "row": 0, "col": [2, 3], "move": ["right", None]})
    columns = {"trajectory": "walk", "step": "t", "state": ["row", "col"], "action": "move"}
    data = gi.read_trajectories(table, END, **columns)
    other = gi.gridworld("a.s.b", terminal="as", discount=0.9)
    with pytest.raises(ValueError, match=r"^row 0 \(trajectory 7, step 3\): state s is terminal"):
        gi.Behavior(other, AGENT, KNOWN).log_prob(data)


def test_slips_that_are_not_recorded_lead_elsewhere():
    """The data hold the intended action; the world moved by another one that is available."""
    agent = gi.agents.slipping(slip=0.5, beta=1.0, recorded="intended")
    data = gi.simulate(KEY, END, agent, KNOWN, trajectories=30, steps=6)
    assert np.isfinite(gi.Behavior(END, agent, KNOWN).log_prob(data))
    with pytest.raises(ValueError, match="never leads to state"):
        gi.Behavior(END, AGENT, KNOWN).log_prob(data)
    with pytest.raises(ValueError, match="no action leads from state s to state b"):
        gi.Behavior(END, agent, KNOWN).log_prob(JUMP)


def test_an_unrecorded_slip_does_not_stay_where_no_action_stays():
    """Nothing was done only where the choice is missing."""
    agent, steps = gi.agents.slipping(slip=0.5, beta=1.0, recorded="intended"), [[FORK.index("s")] * 2]
    behavior = gi.Behavior(FORK, agent, FORK_GOALS["A"])
    with pytest.raises(ValueError, match="no action leads from state s to state s"):
        behavior.log_prob(gi.Trajectories.of(steps, [[0]]))
    assert behavior.log_prob(gi.Trajectories.of(steps, [[-1]], lengths=[1])) == 0.0


def test_worlds_of_several_conditions_are_each_checked_with_their_own_data():
    worlds = {"open": gi.gridworld("a.s.b", discount=0.9), "end": END}
    data = gi.Trajectories.of(BEHIND.states, BEHIND.actions, context=np.array([1, 0], np.int32))
    assert np.isfinite(gi.Behavior(worlds, AGENT, KNOWN, contexts=("open", "end")).log_prob(data))
    with pytest.raises(ValueError, match="trajectory 1, step 1: state a is terminal"):
        gi.Behavior(worlds, AGENT, KNOWN, contexts=("end", "open")).log_prob(data)


def test_worlds_with_memory_are_checked_by_their_pairs():
    memory = gi.with_memory(END)
    walk = [memory.index(pair) for pair in [(None, "s"), ("s", (0, 3)), ((0, 3), "b")]]
    agent, wants = gi.agents.soft_optimal(beta=1.0), gi.StateReward.zero(memory)
    assert np.isfinite(gi.Behavior(memory, agent, wants).log_prob(gi.Trajectories.of([walk], [[3, 3]])))
    with pytest.raises(
        ValueError, match="trajectory 0, step 0: action left in state None,s never leads to state s,\\(0,3\\)"
    ):
        gi.Behavior(memory, agent, wants).log_prob(gi.Trajectories.of([walk], [[2, 3]]))
