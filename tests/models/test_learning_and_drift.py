"""The two-step task against a plain loop, and goals that drift against planning for every step by itself."""

import history_oracles
import jax
import numpy as np

import goalinf as gi
from goalinf.agents import solve
from goalinf_models import ashwood_2022, daw_2011


def test_the_two_step_task():
    table = daw_2011.example(jax.random.key(0)).groupby("subject").head(40)
    world, data = daw_2011.recorded(table)
    names = data.subject_names
    assert names == (0, 1, 2, 3)
    numbers = {
        "learning_rate_1": [0.5, 0.3, 0.2, 0.9],
        "learning_rate_2": [0.4, 0.6, 0.1, 0.5],
        "beta_1": [5.0, 2.0, 1.0, 3.0],
        "beta_2": [3.0, 4.0, 2.0, 1.0],
        "eligibility": [0.6, 0.0, 1.0, 0.5],
        "repetition": [0.1, 0.0, -0.2, 0.3],
        "model_based": [0.4, 0.0, 1.0, 0.7],
    }
    order = ("learning_rate_1", "learning_rate_2", "beta_1", "beta_2", "eligibility", "repetition", "model_based")
    for n, name in enumerate(names):
        own = table[table["subject"] == name]
        trials = (own[column].to_numpy() for column in ("choice1", "state2", "choice2", "reward"))
        agent = gi.agents.two_step(**{key: values[n] for key, values in numbers.items()})
        found = gi.Behavior(world, agent, gi.RecordedReward()).log_prob(data.select([n]))
        expected = history_oracles.two_step(*trials, *(numbers[key][n] for key in order)).sum()
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_every_step_is_planned_for_with_the_reward_of_that_step():
    table = ashwood_2022.example(jax.random.key(0))
    world, data = ashwood_2022.labyrinth(3), ashwood_2022.steps(table)
    rng = np.random.default_rng(0)
    maps, weights = rng.normal(size=(2, world.n_states)), rng.normal(size=(16, 2))
    found = ashwood_2022.behavior(world, maps, weights).log_prob_by("trajectory", data)
    rewards = [gi.StateReward(weight @ maps, on="departure") for weight in weights]
    policies = [solve(gi.agents.soft_optimal(beta=1.0), world, reward).log_probs for reward in rewards]
    expected = [policies[t][s, a] for t, s, a in table[["t", "state", "action"]].to_numpy()]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_weights_are_a_random_walk_in_time():
    """Every map has a walk of its own, from an even share, with steps of half a unit; by a loop."""
    innovations = np.random.default_rng(1).normal(size=(5, 3))
    expected, weight = [], np.full(3, 1.0 / 3.0)
    for innovation in innovations:
        weight = weight + 0.5 * innovation
        expected.append(weight)
    np.testing.assert_allclose(ashwood_2022.drifted(innovations), expected, rtol=1e-12)


def test_the_example_goes_to_the_water_and_home():
    table = ashwood_2022.example(jax.random.key(0))
    assert (table.query("2 <= t <= 4")["state"] == 5).mean() > 0.6
    assert (table.query("t == 7")["state"] == 0).mean() > 0.6
