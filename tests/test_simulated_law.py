"""Every draw of a simulation is a draw of its own: paths come up as often as scores and transitions together say."""

import itertools

import jax
import numpy as np
import pytest

import goalinf as gi

COUNT, CHANCES = 20_000, np.array([0.35, 0.65])


def fork(forbidden=False):
    """Two actions, two outcomes each, all of them different; from there back to the start, by any action.

    As many actions as outcomes and modes: draws with one key would be the same draw. ``forbidden``: the start has a
    third action that cannot be chosen.
    """
    actions = 3 if forbidden else 2
    successors, probabilities = np.zeros((5, actions, 2), int), np.zeros((5, actions, 2))
    successors[0, :2] = [[1, 2], [3, 4]]
    successors[1:, :, 1] = np.arange(1, 5)[:, None]  # never
    probabilities[0, :2], probabilities[1:, :, 0] = CHANCES, 1.0
    available = np.ones((5, actions), bool)
    available[:, 2:] = False
    return gi.from_arrays(
        successors=successors, probabilities=probabilities, available=available, initial=[0], discount=0.5
    )


def rewards(actions=2):
    return np.eye(5, actions)[[0] * 5] * 0.6, np.eye(5, actions)[[1] * 5] * 0.6


def assert_frequencies(counts, expected):
    """Within five standard errors, in every cell."""
    assert counts.sum() == COUNT
    assert expected.sum() == pytest.approx(1.0)
    error = np.sqrt(expected * (1 - expected) / COUNT)
    np.testing.assert_array_less(np.abs(counts / COUNT - expected), 5 * error + 1e-12)


ONE, OTHER = map(gi.ActionReward, rewards())
AGENTS = {
    "boltzmann": (gi.agents.boltzmann(beta=1.0), ONE),
    "habitual": (gi.agents.habitual(persistence=1.0, beta=1.0), ONE),
    "q_learning": (gi.agents.q_learning(learning_rate=0.5, beta=2.0), ONE),
    "switching": (gi.agents.switching(switch=0.5, beta=3.0), gi.one_of({"one": ONE, "other": OTHER})),
    "abandoning": (gi.agents.abandoning(hazard=0.5, beta=3.0), ONE),
    "noisy_plan": (gi.agents.noisy_plan(plan_noise=1.0, beta=3.0, draws=2), ONE),
}


@pytest.mark.parametrize("name", AGENTS)
def test_choices_and_transitions_and_modes_are_drawn_apart(name):
    """The joint frequencies of a choice, its outcome, the next choice and the one after, against their product."""
    world, (agent, reward) = fork(), AGENTS[name]
    data = gi.simulate(jax.random.key(3), world, agent, reward, trajectories=COUNT, steps=3)
    paths = np.array(list(itertools.product((0, 1), (0, 1), (0, 1), (0, 1))))  # choice, outcome, choice, choice
    states = np.stack(
        [0 * paths[:, 0], 1 + 2 * paths[:, 0] + paths[:, 1], 0 * paths[:, 0], 0 * paths[:, 0] - 1], axis=1
    )
    every = gi.Trajectories.of(states, paths[:, [0, 2, 3]], lengths=np.full(16, 3))
    expected = np.exp(np.asarray(gi.Behavior(world, agent, reward).log_prob_by("trajectory", every)))
    seen = (np.asarray(data.states)[:, 1] - 1 - 2 * data.actions[:, 0]) * 4 + 8 * data.actions[:, 0]
    counts = np.bincount(seen + 2 * data.actions[:, 1] + data.actions[:, 2], minlength=16)
    assert_frequencies(counts, expected * CHANCES[paths[:, 1]])


@pytest.mark.parametrize(("slip", "forbidden"), [(0.3, True), (0.9, False)])
def test_hidden_slips_take_available_actions_only_and_are_drawn_apart(slip, forbidden):
    """What was meant, what was done and what came of it; where a third action is there, it cannot be chosen."""
    world = fork(forbidden)
    reward = gi.ActionReward(rewards(world.n_actions)[0])
    agent = gi.agents.slipping(slip=slip, beta=1.0, recorded="intended")
    data = gi.simulate(jax.random.key(5), world, agent, reward, trajectories=COUNT, steps=1)
    meant, came = np.asarray(data.actions)[:, 0], np.asarray(data.states)[:, 1]
    assert (came != 0).all()  # where the third action would have led
    policy = agent.policy(world, reward).values[0, :2]
    done = (1 - slip) * np.eye(2) + slip / 2
    expected = policy[:, None, None] * done[:, :, None] * CHANCES
    assert_frequencies(np.bincount(4 * meant + came - 1, minlength=8), expected.ravel())
