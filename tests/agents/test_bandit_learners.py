"""Learners of bandits against loops over trials that share no code with the library."""

import warnings

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy.special import log_softmax

import goalinf as gi
from goalinf_models import daw_2011

RNG = np.random.default_rng(3)
ARMS = gi.bandit(["A", "B", "C"])
CUES = gi.bandit(["A", "B", "C"], offers={"AB": "AB", "BC": "BC", "all": "ABC"})
TRIALS = 25
ALL_OUTCOMES = RNG.normal(size=(2, TRIALS, 3)).round(2)


def trials(world, *, missing=True):
    """Two subjects: states, actions (-1 where missing) and outcomes of all actions."""
    available = np.asarray(world.mdp.available)
    states = RNG.integers(0, world.n_states, (2, TRIALS + 1))
    actions = np.array([[RNG.choice(np.flatnonzero(available[s])) for s in row[:-1]] for row in states])
    if missing:
        actions[0, 4] = actions[1, 7] = -1
    return states, actions


def by_hand(world, states, actions, outcomes, value, learn, *, beta, persistence=0.0, by_state=False):
    """Log-probabilities of the actions: ``value(memory)`` by option, ``learn(memory, row, action, outcomes)``."""
    available = np.asarray(world.mdp.available)
    scores = np.zeros(actions.shape)
    for n, (path, done) in enumerate(zip(states, actions, strict=True)):
        memory, last = {}, None
        for t, action in enumerate(done):
            s = path[t]
            row = s if by_state else 0
            utility = beta * np.array([value(memory, row, a) for a in range(3)])
            if last is not None:
                utility[last] += persistence
            if action < 0:
                continue
            scores[n, t] = log_softmax(np.where(available[s], utility, -np.inf))[action]
            learn(memory, row, action, outcomes[n, t])
            last = action
    return scores


def rescorla_wagner(initial, gain, loss, unchosen, forgetting):
    def value(memory, row, a):
        return memory.get((row, a), initial)

    def learn(memory, row, action, outcome):
        before = {key: value(memory, *key) for key in [(r, a) for r in range(3) for a in range(3)]}
        for (r, a), v in before.items():
            if r == row and a == action:
                if np.isfinite(outcome[a]):
                    memory[r, a] = v + (gain if outcome[a] >= v else loss) * (outcome[a] - v)
            elif r == row and unchosen > 0 and np.isfinite(outcome[a]):
                memory[r, a] = v + unchosen * (outcome[a] - v)
            else:
                memory[r, a] = v + forgetting * (initial - v)

    return value, learn


def kalman(initial, initial_sd, observation_sd, drift_sd, exploration):
    def known(memory, row, a):
        return memory.get((row, a), (initial, initial_sd**2))

    def value(memory, row, a):
        mean, variance = known(memory, row, a)
        return mean + exploration * np.sqrt(variance)

    def learn(memory, row, action, outcome):
        for key in [(r, a) for r in range(3) for a in range(3)]:
            mean, variance = known(memory, *key)
            if key == (row, action) and np.isfinite(outcome[action]):
                precision = 1 / variance + 1 / observation_sd**2
                mean = (mean / variance + outcome[action] / observation_sd**2) / precision
                variance = 1 / precision
            memory[key] = mean, variance + drift_sd**2

    return value, learn


def pearce_hall(initial, rate, associability_rate, start):
    def value(memory, row, a):
        return memory.get((row, a), (initial, start))[0]

    def learn(memory, row, action, outcome):
        v, attention = memory.get((row, action), (initial, start))
        if np.isfinite(outcome[action]):
            error = outcome[action] - v
            changed = (1 - associability_rate) * attention + associability_rate * abs(error)
            memory[row, action] = v + rate * attention * error, changed

    return value, learn


CASES = {
    "one rate": (
        gi.agents.rescorla_wagner(learning_rate=0.3, beta=2.0),
        rescorla_wagner(0.0, 0.3, 0.3, 0.0, 0.0),
        {"beta": 2.0},
    ),
    "all rates, by state": (
        gi.agents.rescorla_wagner(
            learning_rate=0.6,
            loss_rate=0.2,
            unchosen_rate=0.4,
            forgetting=0.1,
            initial=0.5,
            persistence=0.7,
            beta=1.5,
            by_state=True,
        ),
        rescorla_wagner(0.5, 0.6, 0.2, 0.4, 0.1),
        {"beta": 1.5, "persistence": 0.7, "by_state": True},
    ),
    "gains, losses and forgetting": (
        gi.agents.rescorla_wagner(learning_rate=0.6, loss_rate=0.2, forgetting=0.3, initial=-0.2, beta=1.5),
        rescorla_wagner(-0.2, 0.6, 0.2, 0.0, 0.3),
        {"beta": 1.5},
    ),
    "Kalman": (
        gi.agents.kalman_learner(
            observation_sd=0.8, drift_sd=0.3, initial=0.1, initial_sd=1.2, exploration=0.5, persistence=-0.4, beta=2.0
        ),
        kalman(0.1, 1.2, 0.8, 0.3, 0.5),
        {"beta": 2.0, "persistence": -0.4},
    ),
    "Pearce-Hall, by state": (
        gi.agents.pearce_hall(
            learning_rate=0.4, associability_rate=0.3, initial_associability=0.8, initial=0.2, beta=2.0, by_state=True
        ),
        pearce_hall(0.2, 0.4, 0.3, 0.8),
        {"beta": 2.0, "by_state": True},
    ),
}


@pytest.mark.parametrize("world", [ARMS, CUES], ids=["arms", "cues"])
@pytest.mark.parametrize("name", CASES)
def test_scores_equal_a_loop_over_trials(name, world):
    agent, rule, settings = CASES[name]
    states, actions = trials(world)
    outcomes = np.where(RNG.random(ALL_OUTCOMES.shape) < 0.2, np.nan, ALL_OUTCOMES)  # some were not seen
    data = gi.Trajectories.of(states, actions, lengths=[TRIALS, TRIALS], outcomes=outcomes)
    scores = gi.Behavior(world, agent, gi.RecordedReward()).log_prob_by("step", data)
    np.testing.assert_allclose(scores, by_hand(world, states, actions, outcomes, *rule, **settings), atol=1e-12)


def test_outcomes_of_chosen_actions_are_enough_for_learners_that_ignore_the_others():
    agent, rule, settings = CASES["gains, losses and forgetting"]
    states, actions = trials(ARMS)
    chosen = np.where(
        actions >= 0, np.take_along_axis(ALL_OUTCOMES, np.maximum(actions, 0)[..., None], 2)[..., 0], np.nan
    )
    data = gi.Trajectories.of(states, actions, lengths=[TRIALS, TRIALS], outcomes=chosen)
    scores = gi.Behavior(ARMS, agent, gi.RecordedReward()).log_prob_by("step", data)
    np.testing.assert_allclose(scores, by_hand(ARMS, states, actions, ALL_OUTCOMES, *rule, **settings), atol=1e-12)


def test_loss_aversion_and_curvature_are_those_of_the_formula():
    reward = gi.RecordedReward(scale=0.5, loss_aversion=2.0, curvature=0.7)
    x = np.array([-3.0, -0.5, 0.0, 0.5, 3.0, np.nan])
    expected = np.where(x < 0, -2.0, 1.0) * 0.5 * np.abs(x) ** 0.7
    with jax.enable_x64(True):
        np.testing.assert_allclose(reward.utility(x), expected, rtol=1e-12)
    slope = jax.grad(lambda c: gi.RecordedReward(curvature=c).utility(np.array([0.0, 2.0]))[0])(1.0)
    assert float(slope) == 0.0


def test_rewards_of_the_world_teach_as_recorded_ones_do():
    """A bandit of two states for the outcomes, and the same choices with recorded outcomes."""
    table = pd.DataFrame(
        [("cue", a, b) for a in ("left", "right") for b in ("good", "bad")]
        + [(b, "next", "cue") for b in ("good", "bad")],
        columns=["state", "action", "next_state"],
    ).assign(probability=[0.5] * 4 + [1.0] * 2)
    world = gi.from_table(table, probability="probability", discount=0.0)
    pays = gi.StateReward.at(world, {"good": 1.0, "bad": -1.0}, default=0.0, on="arrival")
    agent = gi.agents.rescorla_wagner(learning_rate=0.3, loss_rate=0.6, beta=2.0, by_state=True)
    data = gi.simulate(0, world, agent, pays, trajectories=2, steps=20, starts="cue")
    cue, after = np.asarray(data.states)[:, 0:20:2], np.asarray(data.states)[:, 1:21:2]
    won = np.where(after == world.index("good"), 1.0, -1.0)
    assert (cue == world.index("cue")).all()
    side = (np.asarray(data.actions)[:, ::2] == list(world.actions).index("right")).astype(int)
    recorded = gi.Trajectories.of(np.zeros((2, 11), int), side, lengths=[10, 10], outcomes=won)
    two = gi.bandit(["left", "right"])
    same = gi.Behavior(two, agent, gi.RecordedReward()).log_prob_by("step", recorded)
    np.testing.assert_allclose(gi.Behavior(world, agent, pays).log_prob_by("step", data)[:, ::2], same, atol=1e-12)


def test_simulated_choices_have_the_scored_probabilities():
    """First choices after a known history, against the probability with which they are scored."""
    agent = gi.agents.rescorla_wagner(learning_rate=0.5, loss_rate=0.2, beta=1.0, persistence=0.5)
    outcomes = np.array([[1.0, -1.0, 0.5], [0.2, 2.0, -1.0], [0.0, 0.0, 1.0]])
    data = gi.simulate(1, ARMS, agent, gi.RecordedReward(), trajectories=4000, steps=3, outcomes=outcomes)
    scores = np.exp(gi.Behavior(ARMS, agent, gi.RecordedReward()).log_prob_by("trajectory", data))
    paths, first, counts = np.unique(np.asarray(data.actions), axis=0, return_index=True, return_counts=True)
    assert len(paths) == 27
    z = (counts - 4000 * scores[first]) / np.sqrt(4000 * scores[first] * (1 - scores[first]))
    assert np.abs(z).max() < 4.0
    np.testing.assert_allclose(scores[first].sum(), 1.0, atol=1e-12)


def test_two_step_task_with_recorded_rewards():
    """First choice 0 or 1, second stage 1 or 2: the same task with and without states for the outcomes."""
    P = np.zeros((3, 2, 3))
    P[0, :, 1:] = [[0.7, 0.3], [0.3, 0.7]]
    P[1:, :, 0] = 1.0
    world = gi.from_arrays(P, discount=1.0, initial=np.eye(3)[0])
    learner = gi.agents.two_step(
        learning_rate_1=0.4,
        learning_rate_2=0.6,
        beta_1=3.0,
        beta_2=2.0,
        eligibility=0.5,
        repetition=0.2,
        model_based=0.6,
    )
    schedule = RNG.integers(0, 2, (3, 20, 3, 2)).astype(float)
    data = gi.simulate(2, world, learner, gi.RecordedReward(), trajectories=3, steps=20, outcomes=schedule)
    recorded = gi.Behavior(world, learner, gi.RecordedReward()).log_prob_by("step", data)
    longer, pays = daw_2011.task()
    states, actions = np.asarray(data.states), np.asarray(data.actions)
    frame = data.to_frame()
    won = frame["outcome"].to_numpy().reshape(3, 20)[:, 1::2]
    triples = np.stack([states[:, 0:20:2], states[:, 1:20:2], np.where(won > 0, 3, 4)], axis=2).reshape(3, 30)
    done = np.stack([actions[:, ::2], actions[:, 1::2], 0 * won.astype(int)], axis=2).reshape(3, 30)
    in_states = gi.Trajectories.of(np.concatenate([triples, np.zeros((3, 1), int)], axis=1), done)
    same = np.asarray(gi.Behavior(longer, learner, pays).log_prob_by("step", in_states)).reshape(3, 10, 3)[..., :2]
    np.testing.assert_allclose(np.asarray(recorded).reshape(3, 10, 2), same, atol=1e-12)


def test_gradients_equal_finite_differences():
    states, actions = trials(ARMS)
    data = gi.Trajectories.of(states, actions, lengths=[TRIALS, TRIALS], outcomes=ALL_OUTCOMES)

    def score(x):
        agent = gi.agents.rescorla_wagner(
            learning_rate=x[0], loss_rate=x[1], unchosen_rate=x[2], forgetting=x[3], initial=x[4], beta=x[5]
        )
        reward = gi.RecordedReward(loss_aversion=x[6], curvature=x[7])
        return gi.Behavior(ARMS, agent, reward).log_prob(data)

    at = np.array([0.6, 0.2, 0.3, 0.1, 0.4, 2.0, 1.5, 0.8])
    with jax.enable_x64(True):
        slope = np.asarray(jax.jit(jax.grad(score))(at))
        program = jax.jit(score)
        steps = 1e-6 * np.eye(8)
        by_difference = [(float(program(at + h)) - float(program(at - h))) / 2e-6 for h in steps]
    np.testing.assert_allclose(slope, by_difference, rtol=1e-5, atol=1e-6)


def test_recorded_rewards_do_not_confound_beta():
    states, actions = trials(ARMS)
    data = gi.Trajectories.of(states, actions, lengths=[TRIALS, TRIALS], outcomes=ALL_OUTCOMES)
    reward = gi.RecordedReward(loss_aversion=dist.LogNormal(0.0, 0.5))
    agent = gi.agents.q_learning(learning_rate=0.3, beta=dist.LogNormal(0.0, 1.0))
    assert agent.confounded(reward, 1, ends=False) == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gi.infer(0, ARMS, agent=agent, reward=reward, data=data, method="laplace")
