"""Forced trials: the action was set by the experimenter. It is learned from as any other, and it is not scored."""

import itertools

import agent_oracles
import history_oracles
import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy.special import log_softmax, logsumexp

import goalinf as gi
from goalinf.behavior import replicate
from goalinf.precision import computing_in

ARMS = gi.bandit(["A", "B"])
POINTS = gi.RecordedReward()
RNG = np.random.default_rng(8)
TRIALS = 14
STATES = np.zeros((2, TRIALS + 1), int)
ACTIONS = RNG.integers(0, 2, (2, TRIALS))
OUTCOMES = RNG.normal(size=(2, TRIALS)).round(2)
FORCED = RNG.random((2, TRIALS)) < 0.4
FORCED[:, [0, 5]] = True, False
BETA = 1.7
KEY = jax.random.key(0)


def bandit(forced=FORCED, **more):
    return gi.Trajectories.of(STATES, ACTIONS, outcomes=OUTCOMES, forced=forced, **more)


HIDDEN = gi.Trajectories.of(STATES, ACTIONS, outcomes=np.where(FORCED, np.nan, OUTCOMES), observed=~FORCED)


# -- learners against loops over the trials -----------------------------------------------------


def rescorla_wagner(action, outcome):
    value = np.zeros(2)
    for a, u in zip(action, outcome, strict=True):
        yield BETA * value, 0.4
        value[a] += (0.6 if u >= value[a] else 0.2) * (u - value[a])


def kalman(action, outcome):
    mean, variance = np.full(2, 0.3), np.full(2, 4.0)
    for a, u in zip(action, outcome, strict=True):
        yield BETA * (mean + 0.5 * np.sqrt(variance)), 0.0
        precision = 1 / variance[a] + 1 / 0.8**2
        mean[a] = (mean[a] / variance[a] + u / 0.8**2) / precision
        variance[a] = 1 / precision
        variance += 0.3**2


def pearce_hall(action, outcome):
    value, attention = np.zeros(2), np.ones(2)
    for a, u in zip(action, outcome, strict=True):
        yield BETA * value, 0.0
        error = u - value[a]
        value[a] += 0.4 * attention[a] * error
        attention[a] = 0.7 * attention[a] + 0.3 * abs(error)


def q_learning(action, outcome):
    value = np.full(2, 0.2)
    for a, u in zip(action, outcome, strict=True):
        yield BETA * value, 0.0
        value[a] += 0.3 * (u + 0.5 * value.max() - value[a])


def habits(action, outcome):
    kernel = np.zeros(2)
    for a in action:
        yield 0.9 * kernel, 0.0
        kernel += 0.35 * (np.eye(2)[a] - kernel)


LEARNERS = {
    "Rescorla-Wagner": (
        gi.agents.rescorla_wagner(learning_rate=0.6, loss_rate=0.2, persistence=0.4, beta=BETA),
        rescorla_wagner,
    ),
    "Kalman": (
        gi.agents.kalman_learner(
            observation_sd=0.8, drift_sd=0.3, initial=0.3, initial_sd=2.0, exploration=0.5, beta=BETA
        ),
        kalman,
    ),
    "Pearce-Hall": (gi.agents.pearce_hall(learning_rate=0.4, associability_rate=0.3, beta=BETA), pearce_hall),
    "Q-learning": (gi.agents.q_learning(learning_rate=0.3, discount=0.5, initial=0.2, beta=BETA), q_learning),
}


def by_hand(learner):
    """Log-probabilities of all actions, (N, T), also of forced ones."""
    logs = np.zeros(ACTIONS.shape)
    for n, (action, outcome) in enumerate(zip(ACTIONS, OUTCOMES, strict=True)):
        for t, (utility, persistence) in enumerate(learner(action, outcome)):
            repeats = np.eye(2)[action[t - 1]] if t else np.zeros(2)
            logs[n, t] = log_softmax(utility + persistence * repeats)[action[t]]
    return logs


@pytest.mark.parametrize("name", LEARNERS)
def test_a_forced_trial_teaches_and_is_not_scored(name):
    agent, learner = LEARNERS[name]
    behavior, expected = gi.Behavior(ARMS, agent, POINTS), by_hand(learner)
    np.testing.assert_allclose(behavior.log_prob_by("step", bandit(None)), expected, rtol=1e-10)
    found = np.asarray(behavior.log_prob_by("step", bandit()))
    np.testing.assert_allclose(found, np.where(FORCED, 0.0, expected), rtol=1e-10)
    # The score without the flag is that with it plus the log-probability of the forced actions, given the past.
    total, of_all = (float(behavior.log_prob(data)) for data in (bandit(), bandit(None)))
    assert total == pytest.approx(of_all - expected[FORCED].sum(), rel=1e-10)
    assert abs(float(behavior.log_prob(HIDDEN)) - total) > 1e-3  # nothing is learned from a missing action


def test_forced_actions_form_habits():
    """The world has no reward here: choices follow the habits alone."""
    world, reward = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5), gi.ActionReward(np.zeros((1, 2)))
    agent = gi.agents.habitual(persistence=0.9, habit_rate=0.35, beta=1.0)
    data = gi.Trajectories.of(STATES, ACTIONS, forced=FORCED)
    found = gi.Behavior(world, agent, reward).log_prob_by("step", data)
    np.testing.assert_allclose(found, np.where(FORCED, 0.0, by_hand(habits)), rtol=1e-10)


@pytest.mark.parametrize("stage", [0, 1])
def test_both_stages_of_the_two_step_task_may_be_forced(stage):
    rows = [("1", a, s, p) for a, c in (("a", 0.7), ("b", 0.3)) for s, p in (("x", c), ("y", 1 - c))]
    rows += [(s, a, end, 0.5) for s in "xy" for a in "ab" for end in ("won", "lost")]
    rows += [(s, a, "1", 1.0) for s in ("won", "lost") for a in "ab"]
    steps = pd.DataFrame(rows, columns=["state", "action", "next_state", "probability"])
    world = gi.from_table(steps, initial="1", discount=0.9, probability="probability")
    reward = gi.StateReward.at(world, {"won": 1.0}, default=0.0, on="arrival")
    c1, s2, c2, won = RNG.integers(0, 2, (4, TRIALS))
    names = [["1", "xy"[s], "won" if w else "lost"] for s, w in zip(s2, won, strict=True)]
    states = [world.index(name) for trial in names for name in trial] + [world.index("1")]
    actions = [number for a, b in zip(c1, c2, strict=True) for number in (a, b, 0)]
    forced = np.zeros((TRIALS, 3), bool)
    forced[:, stage] = FORCED[0]
    forced[:, 2] = True  # nothing is chosen there
    numbers = {"a1": 0.5, "a2": 0.3, "b1": 2.0, "b2": 1.5, "lam": 0.6, "p": 0.2, "w": 0.4}
    expected = history_oracles.two_step(c1, s2, c2, won, **numbers)
    agent = gi.agents.two_step(
        learning_rate_1=0.5,
        learning_rate_2=0.3,
        beta_1=2.0,
        beta_2=1.5,
        eligibility=0.6,
        repetition=0.2,
        model_based=0.4,
        first=world.index("1"),
    )
    data = gi.Trajectories.of([states], [actions], forced=forced.reshape(1, -1))
    found = np.asarray(gi.Behavior(world, agent, reward).log_prob_by("step", data)).reshape(TRIALS, 3)
    np.testing.assert_allclose(found[:, :2], np.where(forced[:, :2], 0.0, expected), rtol=1e-9)


# -- agents that plan, hidden modes, mixtures and goals ------------------------------------------

HALL = gi.gridworld("a.s.b", discount=0.9)
LEFT, RIGHT = HALL.action_index("left"), HALL.action_index("right")
TO_A = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
PATH, DONE = [[2, 3, 4, 3, 2]], [[RIGHT, RIGHT, LEFT, LEFT]]
IMPOSED = np.array([[True, False, True, False]])
WALK = gi.Trajectories.of(PATH, DONE, forced=IMPOSED)


def test_a_planning_agent_scores_only_its_choices():
    agent = gi.agents.soft_optimal(beta=1.5)
    log_policy = np.log(agent.policy(HALL, TO_A).values)
    expected = np.where(IMPOSED, 0.0, log_policy[np.array(PATH)[:, :4], DONE])
    behavior = gi.Behavior(HALL, agent, TO_A)
    np.testing.assert_allclose(behavior.log_prob_by("step", WALK), expected, rtol=1e-10)
    assert float(behavior.log_prob(WALK)) == pytest.approx(expected.sum())
    assert float(behavior.log_prob_by("subject", WALK)[0]) == pytest.approx(expected.sum())
    assert float(jax.jit(behavior.log_prob)(WALK.unlabeled())) == pytest.approx(expected.sum())
    assert WALK.n_observed == WALK.cells.weight.sum() == WALK.choice_counts(5, 4).sum() == 2
    timed = gi.Behavior(HALL, gi.agents.soft_optimal(beta=1.5, horizon=6), TO_A)
    free = gi.Trajectories.of(PATH, DONE)
    expected = np.where(IMPOSED, 0.0, timed.log_prob_by("step", free))
    np.testing.assert_allclose(timed.log_prob_by("step", WALK), expected, rtol=1e-10)


def test_a_forced_action_is_no_evidence_on_hidden_modes():
    """Against the sum over all sequences of goals, in which forced steps have probability one."""
    goals, switch = gi.goals(HALL, {"a": "a", "b": "b"}, step_cost=1.0), 0.2
    agent = gi.agents.switching(switch=switch, beta=1.5)
    behavior = gi.Behavior(HALL, agent, gi.one_of(goals))
    policies = [np.log(gi.agents.boltzmann(beta=1.5).policy(HALL, goal).values) for goal in goals.values()]
    kernel = (1 - switch) * np.eye(2) + switch / 2
    joint = np.zeros((4, 2))  # of the mode at every step, with the actions up to this step
    for t in range(4):
        for modes in itertools.product(range(2), repeat=t + 1):
            log = np.log(0.5) + sum(np.log(kernel[i, j]) for i, j in itertools.pairwise(modes))
            chosen = [k for k in range(t + 1) if not IMPOSED[0, k]]
            log += sum(policies[modes[k]][PATH[0][k], DONE[0][k]] for k in chosen)
            joint[t, modes[-1]] += np.exp(log)
    assert float(behavior.log_prob(WALK)) == pytest.approx(np.log(joint[-1].sum()), rel=1e-9)
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(behavior.mode_posterior(WALK)[0], expected, rtol=1e-9)
    np.testing.assert_allclose(expected[0], 0.5)


def test_a_forced_action_is_no_evidence_on_goals_or_options():
    goals = gi.goals(HALL, {"a": "a", "b": "b"}, step_cost=1.0)
    agent = gi.agents.boltzmann(beta=1.5)
    policies = [np.log(agent.policy(HALL, goal).values) for goal in goals.values()]
    logs = np.array([np.where(IMPOSED[0], 0.0, p[PATH[0][:4], DONE[0]]) for p in policies])
    expected = np.exp(log_softmax(np.pad(logs.cumsum(axis=1), ((0, 0), (1, 0))), axis=0)).T
    found = gi.goal_posterior(HALL, agent, goals, WALK)
    np.testing.assert_allclose(found.sel(trajectory=0), expected, rtol=1e-9)
    # The walk is in b at step 2, where the next action is forced: it says nothing on a goal that ends the episode.
    ended = gi.goal_posterior(HALL, agent, goals, WALK.select([0]), after_goal="impossible")
    assert float(ended.sel(trajectory=0, step=3, goal="b")) > 0.0 == float(ended.sel(trajectory=0, step=4, goal="b"))
    betas = (0.5, 2.0)
    mixture = gi.agents.mixture([gi.agents.boltzmann(beta=beta) for beta in betas], by="trajectory")
    scores = [float(gi.Behavior(HALL, gi.agents.boltzmann(beta=beta), TO_A).log_prob(WALK)) for beta in betas]
    total = float(gi.Behavior(HALL, mixture, TO_A).log_prob(WALK))
    assert total == pytest.approx(logsumexp(scores) - np.log(2), rel=1e-9)


def test_the_sampler_without_compilation_scores_only_choices(tmp_path):
    reward = gi.StateReward(dist.Normal(np.zeros(5), 1.0).to_event(1), on="departure")
    settings = {"warmup": 10, "draws": 20, "chains": 1, "method": "independence"}
    fit = gi.infer(0, HALL, agent=gi.agents.soft_optimal(beta=1.5), reward=reward, data=WALK, **settings)
    for number in (0, 19):
        values = fit.posterior["reward.values"].values[0, number]
        behavior = gi.Behavior(HALL, gi.agents.soft_optimal(beta=1.5), gi.StateReward(values, on="departure"))
        found = float(fit.tree["log_likelihood"]["choices"][0, number, 0])
        assert found == pytest.approx(float(behavior.log_prob(WALK)), rel=1e-6)
    assert "2 actions" in str(gi.audit(fit, quick=True))
    assert "2 choices scored" in str(fit)
    fit.save(tmp_path / "fit.nc")
    again = gi.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.data.forced, IMPOSED)
    assert gi.inference.log_predictive_density(again, WALK)["steps"].tolist() == [2]
    every = gi.Trajectories.of(PATH, DONE, forced=np.ones_like(IMPOSED))
    with pytest.raises(ValueError, match="no observed action that is scored"):
        gi.infer(0, HALL, agent=gi.agents.soft_optimal(beta=1.5), reward=reward, data=every)


# -- simulation ----------------------------------------------------------------------------------


def test_replications_repeat_forced_actions():
    agent, schedule = LEARNERS["Rescorla-Wagner"][0], RNG.normal(size=(2, TRIALS, 2))
    forced = FORCED & (np.arange(TRIALS) < 9)
    data = gi.Trajectories.of(STATES, ACTIONS, outcomes=schedule, forced=forced)
    again = [replicate(jax.random.key(seed), ARMS, agent, POINTS, data) for seed in range(20)]
    actions = np.array([each.actions for each in again])
    assert all(np.array_equal(each.forced, forced) for each in again)
    np.testing.assert_array_equal(actions[:, forced], np.broadcast_to(ACTIONS[forced], (20, forced.sum())))
    varies = (actions != actions[:1]).any(axis=0)
    assert varies[~forced].mean() > 0.8
    assert not varies[forced].any()
    simulated = gi.simulate(3, ARMS, agent, POINTS, like=data)
    np.testing.assert_array_equal(np.asarray(simulated.actions)[forced], ACTIONS[forced])
    behavior = gi.Behavior(ARMS, agent, POINTS, like=data)
    with computing_in("float64"):
        sampled = jax.jit(behavior.sample)(jax.random.key(0))
        traced = float(jax.jit(behavior.log_prob)(sampled))
    np.testing.assert_array_equal(np.asarray(sampled.actions)[forced], ACTIONS[forced])
    np.testing.assert_array_equal(sampled.forced, forced)
    of_sample = gi.Trajectories.of(STATES, sampled.actions, outcomes=schedule, forced=forced)
    assert traced == pytest.approx(float(behavior.log_prob(of_sample)), rel=1e-10)


def test_a_design_of_several_subjects_repeats_forced_actions():
    rates, schedule = gi.no_pooling(dist.Beta(2.0, 2.0), by="subject"), RNG.normal(size=(2, TRIALS, 2))
    like = gi.Trajectories.of(STATES, ACTIONS, outcomes=schedule, forced=FORCED, subject=[0, 1])
    data = gi.simulate(4, ARMS, gi.agents.rescorla_wagner(learning_rate=rates, beta=2.0), POINTS, like=like)
    np.testing.assert_array_equal(data.forced, FORCED)
    np.testing.assert_array_equal(np.asarray(data.actions)[FORCED], ACTIONS[FORCED])


def test_a_learner_is_simulated_with_the_outcomes_of_forced_actions_alone():
    """Where the action is forced no other outcome can be met; elsewhere all of them have to be known."""
    agent = LEARNERS["Kalman"][0]
    schedule = RNG.normal(size=(2, TRIALS, 2))
    schedule[FORCED] = np.where(np.eye(2)[ACTIONS[FORCED]] > 0, schedule[FORCED], np.nan)
    data = gi.Trajectories.of(STATES, ACTIONS, outcomes=schedule, forced=FORCED)
    assert replicate(jax.random.key(0), ARMS, agent, POINTS, data).n_observed == (~FORCED).sum()
    free = gi.Trajectories.of(STATES, ACTIONS, outcomes=schedule)
    with pytest.raises(ValueError, match="the outcomes of the actions that were not chosen are unknown"):
        replicate(jax.random.key(0), ARMS, agent, POINTS, free)


def test_a_forced_action_that_a_replication_cannot_make_is_refused():
    world = gi.gridworld("a.s.b", discount=0.9, moves=("left", "right"), blocked="unavailable")
    reward = gi.StateReward.at(world, {"a": 5.0}, default=0.0, on="departure")
    data = gi.Trajectories.of([[2, 3, 2, 1, 2, 1]], [[1, 0, 0, 1, 0]], forced=[[False, False, True, False, True]])

    def every():
        return [replicate(key, world, gi.agents.boltzmann(beta=0.0), reward, data) for key in jax.random.split(KEY, 30)]

    with pytest.raises(ValueError, match=r"trajectory 0, step \d: the action is forced, and the simulated trajectory"):
        every()


def test_statistics_of_choices_leave_forced_actions_out():
    data = gi.Trajectories.of(np.zeros((1, 6), int), [[0, 0, 1, 1, 1]], outcomes=[[1, 1, 0, -1, 2]])
    forced = gi.Trajectories.of(
        np.zeros((1, 6), int), [[0, 0, 1, 1, 1]], outcomes=[[1, 1, 0, -1, 2]], forced=[np.ones(5) == [0, 1, 0, 1, 0]]
    )
    agent = gi.agents.rescorla_wagner(learning_rate=dist.Beta(2.0, 2.0), beta=1.0)
    design = gi.Trajectories.of(data.states, data.actions, outcomes=np.zeros((1, 5, 2)))
    replications = gi.prior_predictive(0, ARMS, agent=agent, reward=POINTS, like=design, draws=2)

    def observed(data):
        table = gi.predictive_check(replications, data, of=["choice", "stay", "win_stay"])["observed"]
        return table.to_dict()

    free, of_choices = observed(data), observed(forced)
    assert free["stay", ""] == 3 / 4
    # Choices after an action: step 2 (changes, after a gain) and step 4 (stays, after a loss); both follow forced ones.
    assert of_choices["stay", ""] == 1 / 2
    assert of_choices["win_stay", "after an outcome above 0"] == 0.0
    assert of_choices["win_stay", "after an outcome of 0 or below"] == 1.0
    assert of_choices["choice", "0: A"] == 1.0
    assert of_choices.get(("choice", "1: A"), 0.0) == 0.0


def test_no_agent_scores_what_it_did_not_choose():
    """Also one of several habits by state, for all ways in which four steps may be forced."""
    P = np.array([[[0.6, 0.4], [0.3, 0.7]], [[0.5, 0.5], [0.2, 0.8]]])
    world, reward = gi.from_arrays(P, discount=0.5), gi.ActionReward(np.array([[0.4, 0.0], [0.0, 0.3]]))
    agent = gi.agents.habitual(persistence=0.8, beta=2.0, habit_rate=0.6, by_state=True)
    Q = np.log(gi.agents.boltzmann(beta=2.0).policy(world, reward).values) / 2.0
    states, actions = [0, 1, 0, 0, 1], [0, 1, 1, 0]
    for flags in itertools.product([False, True], repeat=4):
        data = gi.Trajectories.of([states], [actions], forced=[flags])
        found = np.asarray(gi.Behavior(world, agent, reward).log_prob_by("step", data))[0]
        for t in range(4):
            previous = [actions[k] for k in range(t) if states[k] == states[t]]
            kernel = history_oracles.choice_kernel(previous, 0.6, 2)[-1]
            policy = agent_oracles.act(Q, 2.0, 0.8 * kernel)[states[t]]
            assert found[t] == pytest.approx(0.0 if flags[t] else np.log(policy[actions[t]]))
