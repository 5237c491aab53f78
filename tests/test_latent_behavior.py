"""Behavior with latent modes, histories and alternatives: against sums over all paths, plain loops, and itself."""

import itertools
from functools import partial

import golden
import history_oracles
import jax
import jax.numpy as jnp
import named_agents
import numpy as np
import pytest
from scipy.special import logsumexp

import goalinf as gi
from goalinf.agents import solve

G3, REWARD = named_agents.G3, named_agents.G3_REWARD
MODAL = ["abandoning", "noisy_plan", "options", "plan_commitment", "subgoal", "switching"]
STEPS = 5
slow = partial(pytest.param, marks=pytest.mark.slow)


def wanted(name):
    return named_agents.REWARDS.get(name, REWARD)


def walks(name, trajectories=4, steps=STEPS, seed=0, agent=None):
    agent = named_agents.AGENTS[name] if agent is None else agent
    return gi.simulate(jax.random.key(seed), G3, agent, wanted(name), trajectories=trajectories, steps=steps)


def over_all_modes_of_states(probs, initial, states, actions):
    """The sum over all modes that the states could have, by that of the last state."""
    total = np.zeros(len(probs))
    for modes in itertools.product(range(len(probs)), repeat=probs.shape[1]):
        chosen = (probs[modes[s], s, a] for s, a in zip(states[:-1], actions, strict=True))
        total[modes[states[-2]]] += np.prod(initial[list(modes)]) * np.prod(list(chosen))
    return total


def over_all_paths(policy, states, actions):
    """The sum over all mode paths, by their last mode; jumps and kernels exactly as the record says."""
    probs = np.exp(policy.log_probs)
    count = len(probs)
    initial = np.exp(policy.modes.initial)
    if policy.modes.by_state:
        return over_all_modes_of_states(probs, initial, states, actions)
    kernel = np.eye(count) if policy.modes.kernel is None else np.exp(policy.modes.kernel)
    jump = policy.modes.jump
    total = np.zeros(count)
    for path in itertools.product(range(count), repeat=len(actions)):
        first = initial[states[0]] if initial.ndim == 2 else initial
        if jump is not None:
            first = np.array([first[jump[states[0]] == m].sum() for m in range(count)])
        p = first[path[0]]
        for t, (s, a) in enumerate(zip(states[:-1], actions, strict=True)):
            p *= probs[path[t], s, a]
            if t + 1 < len(actions):
                row = kernel[states[t + 1]] if kernel.ndim == 3 else kernel
                mode = path[t] if jump is None else jump[states[t + 1], path[t]]
                p *= row[mode, path[t + 1]]
        total[path[-1]] += p
    return total


@pytest.mark.parametrize("name", MODAL)
def test_modes_are_summed_over_exactly(name):
    data = walks(name)
    agent, reward = named_agents.AGENTS[name], wanted(name)
    policy = solve(agent, G3, reward)
    behavior = gi.Behavior(G3, agent, reward)
    found, believed = behavior.log_prob_by("trajectory", data), behavior.mode_posterior(data)
    assert data.lengths.max() > 3
    for n in np.flatnonzero(data.lengths):
        length = data.lengths[n]
        states, actions = data.states[n, : length + 1], data.actions[n, :length]
        by_mode = over_all_paths(policy, states, actions)
        np.testing.assert_allclose(found[n], np.log(by_mode.sum()), rtol=1e-11)
        np.testing.assert_allclose(
            believed[n, length - 1 :], np.tile(by_mode / by_mode.sum(), (STEPS + 1 - length, 1)), atol=1e-11
        )
        if policy.modes.jump is None and policy.modes.kernel is not None:
            arguments = np.exp(policy.log_probs), np.exp(policy.modes.initial), np.exp(policy.modes.kernel)
            expected = history_oracles.modes_log_likelihood(*arguments, states, actions)
            np.testing.assert_allclose(found[n], expected, rtol=1e-11)
    np.testing.assert_allclose(behavior.log_prob_by("step", data).sum(1), found, rtol=1e-12)
    np.testing.assert_allclose(behavior.log_prob(data), found.sum(), rtol=1e-12)


@pytest.mark.parametrize("name", [*map(slow, MODAL[:4]), "subgoal", slow("switching"), slow("habitual"), "q_learning"])
def test_all_action_sequences_add_up_to_one(name):
    """Whatever the states were, the probabilities of all choices in them sum to one, missing ones included."""
    agent, reward = named_agents.AGENTS[name], wanted(name)
    states = np.array([0, 1, 0, 1])  # none that ends a goal
    sequences = np.array(list(itertools.product(range(2), repeat=3)))
    data = gi.Trajectories.of(np.tile(states, (8, 1)), sequences)
    scores = gi.Behavior(G3, agent, reward).log_prob_by("trajectory", data)
    np.testing.assert_allclose(logsumexp(scores), 0.0, atol=1e-12)
    if name in MODAL:  # what was not seen is summed over
        missing = gi.Trajectories.of(states[None], [[0, 1, 0]], observed=[[True, False, True]])
        found = gi.Behavior(G3, agent, reward).log_prob(missing)
        both = scores[(sequences[:, 0] == 0) & (sequences[:, 2] == 0)]
        np.testing.assert_allclose(found, logsumexp(both), rtol=1e-12)
        first = gi.Trajectories.of(states[None, :2], [[0]])
        alone = gi.Behavior(G3, agent, reward).log_prob_by("step", missing)[0, 0]
        np.testing.assert_allclose(alone, gi.Behavior(G3, agent, reward).log_prob(first), rtol=1e-12)


@pytest.mark.parametrize("name", ["abandoning", "noisy_plan", "subgoal", "switching"])
@pytest.mark.parametrize("seen", [True, False], ids=["last state seen", "last state not seen"])
def test_behind_the_last_choice_nothing_is_learned_of_the_mode(name, seen):
    """Padding moves no mode, whether or not the last state was seen; missing choices before the end do."""
    data = walks(name, seed=1)
    states = np.array(data.states)
    if not seen:
        states[np.arange(len(states)), data.lengths] = -1
    pad = partial(np.pad, pad_width=((0, 0), (0, 3)), constant_values=-1)
    wide = gi.Trajectories.of(pad(states), pad(data.actions), lengths=data.lengths)
    behavior = gi.Behavior(G3, named_agents.AGENTS[name], wanted(name))
    narrow, found = behavior.mode_posterior(data), behavior.mode_posterior(wide)
    for n, length in enumerate(data.lengths):
        np.testing.assert_allclose(found[n, :length], narrow[n, :length], rtol=1e-12)
        np.testing.assert_array_equal(found[n, length:], np.tile(found[n, length - 1], (STEPS + 3 - length, 1)))
    np.testing.assert_allclose(behavior.log_prob(wide), behavior.log_prob(data), rtol=1e-12)


def test_errors_of_a_noisy_plan_are_independent_between_states():
    """Also where there are more states than draws: a circle on which both actions lead to the next state."""
    n, draws = 6, 2
    following = np.roll(np.eye(n), 1, axis=1)
    circle = gi.from_arrays(np.stack([following, following], axis=1), discount=0.5)
    agent = gi.agents.noisy_plan(plan_noise=1.0, beta=4.0, draws=draws)
    walks = gi.simulate(0, circle, agent, gi.StateReward.zero(circle), trajectories=2000, steps=n, starts=0)
    actions = np.asarray(walks.actions, float)
    spread = np.sqrt(np.outer(actions.var(0), actions.var(0)) / len(actions))
    assert (actions.var(0) > 0.1).sum() >= 3  # in these states the draws differ
    covariance = np.cov(actions.T, bias=True)
    assert (abs(covariance - np.diag(np.diag(covariance))) < 5 * spread + 1e-12).all()


def test_a_noisy_plan_is_many_plans():
    """Every state is averaged by itself; what is simulated repeats its errors as often as that says."""
    ring = gi.from_arrays(np.roll(np.eye(2), 1, axis=0)[:, None].repeat(3, axis=1), initial=[1.0, 0.0], discount=0.5)
    wants = gi.ActionReward([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    agent = gi.agents.noisy_plan(plan_noise=1.0, beta=4.0, draws=7)
    probs = np.exp(solve(agent, ring, wants).log_probs)  # (7, 2, 3)
    expected = np.log([(probs[:, 0, 1] ** 2).mean() * (probs[:, 1, 1] * probs[:, 1, 2]).mean()])
    walk = gi.Trajectories.of([[0, 1, 0, 1, 0]], [[1, 1, 1, 2]])
    np.testing.assert_allclose(gi.Behavior(ring, agent, wants).log_prob_by("trajectory", walk), expected, rtol=1e-12)
    data = gi.simulate(jax.random.key(0), ring, agent, wants, trajectories=4000, steps=4)
    same = data.actions[:, :2] == data.actions[:, 2:]
    chance = (probs**2).sum(axis=2).mean(axis=0)
    assert (abs(same.mean(axis=0) - chance) < 4 * np.sqrt(chance * (1 - chance) / 4000)).all()
    both = np.array(
        [[np.mean((data.actions[:, 0] == a) & (data.actions[:, 1] == b)) for b in range(3)] for a in range(3)]
    )
    alone = np.multiply.outer(probs[:, 0].mean(0), probs[:, 1].mean(0))  # errors of two states are independent
    assert (abs(both - alone) < 4 * np.sqrt(alone * (1 - alone) / 4000)).all()


def test_one_policy_has_no_modes():
    with pytest.raises(ValueError, match="no hidden modes"):
        gi.Behavior(G3, gi.agents.habitual(persistence=0.5, beta=2.0), REWARD).mode_posterior(walks("habitual"))


def test_habits():
    agent = gi.agents.habitual(persistence=0.5, beta=golden.G3_BETA, habit_rate=0.3)
    data = walks("habitual", agent=agent, steps=9)
    scores = gi.Behavior(G3, agent, REWARD).log_prob_by("step", data)
    Q = solve(gi.agents.boltzmann(beta=golden.G3_BETA), G3, REWARD).log_probs / golden.G3_BETA
    for n in range(len(scores)):
        for t, (s, a) in enumerate(zip(data.states[n], data.actions[n], strict=False)):
            expected = history_oracles.persevering(Q, golden.G3_BETA, 0.5, data.actions[n][:t], rate=0.3)
            np.testing.assert_allclose(scores[n, t], np.log(expected[s, a]), rtol=1e-10)


def test_learning():
    agent = gi.agents.q_learning(learning_rate=0.3, beta=2.0)
    data = walks("q_learning", agent=agent, steps=12)
    scores = gi.Behavior(G3, agent, REWARD).log_prob_by("step", data)
    for n in range(len(scores)):
        s, a, following = data.states[n][:-1], data.actions[n], data.states[n][1:]
        arguments = s, a, golden.G3_R[s, a], following, 0.3, 2.0, golden.G3_DISCOUNT, np.zeros((3, 2))
        np.testing.assert_allclose(scores[n], history_oracles.q_learning(*arguments), rtol=1e-10)


def test_what_a_learner_expects_at_first_trades_with_the_scale_and_level_of_the_reward():
    """r -> c r + d, beta -> beta / c, initial -> c initial + d / (1 - discount): the same, where nothing ends."""
    scale, level, first = 1.7, 0.4, 0.6
    one = gi.agents.q_learning(learning_rate=0.3, beta=2.0, initial=first)
    other = one.at(beta=2.0 / scale, initial=scale * first + level / (1 - golden.G3_DISCOUNT))
    kept = one.at(beta=2.0 / scale)  # its first values are given, so that only one level of the reward makes up for c
    moved = gi.ActionReward(scale * golden.G3_R + level)
    fitting = gi.ActionReward(scale * golden.G3_R + (1 - scale) * first * (1 - golden.G3_DISCOUNT))
    data = walks("q_learning", agent=one, steps=12)
    same = gi.Behavior(G3, one, REWARD).log_prob_by("step", data)
    np.testing.assert_allclose(gi.Behavior(G3, other, moved).log_prob_by("step", data), same, rtol=1e-10)
    np.testing.assert_allclose(gi.Behavior(G3, kept, fitting).log_prob_by("step", data), same, rtol=1e-10)
    only_scaled = gi.Behavior(G3, kept, gi.ActionReward(scale * golden.G3_R)).log_prob_by("step", data)
    assert np.abs(only_scaled - same).max() > 1e-3
    assert set(one.confounded(moved)) == {"beta", "initial"}
    assert one.confounded(moved, ends=True) == {}
    assert set(one.at(initial=0.0).confounded(moved, ends=True)) == {"beta"}


def two_step_world():
    """First state 0, second ones 1 and 2, won 3, lost 4."""
    P = np.zeros((5, 2, 5))
    P[0, :, 1:3] = [[0.7, 0.3], [0.3, 0.7]]
    P[1:3, :, 3] = [[0.6, 0.4], [0.2, 0.8]]
    P[1:3, :, 4] = 1.0 - P[1:3, :, 3]
    P[3:, :, 0] = 1.0
    available = np.ones((5, 2), bool)
    available[3:, 1] = False
    world = gi.from_arrays(P, available=available, initial=np.eye(5)[0], discount=1.0)
    return world, gi.StateReward([0.0, 0.0, 0.0, 1.0, 0.0], on="arrival")


def test_the_two_step_task():
    world, reward = two_step_world()
    numbers = {"eligibility": 0.6, "repetition": 0.1, "model_based": 0.4}
    agent = gi.agents.two_step(learning_rate_1=0.5, learning_rate_2=0.4, beta_1=5.0, beta_2=3.0, **numbers)
    data = gi.simulate(jax.random.key(0), world, agent, reward, trajectories=1, steps=90)
    scores = gi.Behavior(world, agent, reward).log_prob_by("step", data).reshape(-1, 3)
    states, actions = data.states[0][:-1].reshape(-1, 3), data.actions[0].reshape(-1, 3)
    won = (states[:, 2] == 3).astype(float)
    trials = actions[:, 0], states[:, 1] - 1, actions[:, 1], won
    expected = history_oracles.two_step(*trials, 0.5, 0.4, 5.0, 3.0, 0.6, 0.1, 0.4)
    np.testing.assert_allclose(scores[:, :2], expected, rtol=1e-9)
    np.testing.assert_array_equal(scores[:, 2], 0.0)


def test_nothing_is_learned_for_a_first_choice_that_nobody_saw():
    """Not for the choice of the trial before, nor for any other; what came of the second one is learned all the same."""
    world, reward = two_step_world()
    agent = gi.agents.two_step(
        learning_rate_1=0.5,
        learning_rate_2=0.4,
        beta_1=5.0,
        beta_2=3.0,
        eligibility=0.6,
        repetition=0.3,
        model_based=0.4,
    )
    states = [0, 1, 3, 0, 2, 3, 0, 1, 4, 0]
    scores = {}
    for name, first in {"seen": [0, 1, 0], "second unseen": [0, -1, 0], "two unseen": [-1, -1, 0]}.items():
        actions = np.array([[first[0], 0, 0, first[1], 1, 0, first[2], 0, 0]])
        data = gi.Trajectories.of([states], actions, lengths=[9])
        scores[name] = gi.Behavior(world, agent, reward).log_prob_by("step", data)[0]
        kept = [trial for trial in range(3) if first[trial] >= 0]
        values, liked, expected = np.zeros((3, 2)), np.zeros(2), []
        for trial, (second, choice, won) in enumerate([(1, 0, 1.0), (2, 1, 1.0), (1, 0, 0.0)]):
            planned = np.array([[0.7, 0.3], [0.3, 0.7]]) @ values[1:].max(1)
            liking = 5.0 * (0.4 * planned + 0.6 * values[0] + 0.3 * liked)
            chances = np.exp(liking - logsumexp(liking)), np.exp(3.0 * values[second] - logsumexp(3.0 * values[second]))
            expected += [np.log(chances[0][first[trial]]) if trial in kept else 0.0, np.log(chances[1][choice]), 0.0]
            before = values[second, choice]
            if trial in kept:
                a = first[trial]
                values[0, a] += 0.5 * (before - values[0, a]) + 0.5 * 0.6 * (won - before)
                liked = np.eye(2)[a]
            values[second, choice] += 0.4 * (won - before)
        np.testing.assert_allclose(scores[name], expected, rtol=1e-9)


def test_a_first_choice_is_repeated_whatever_was_seen_of_the_second():
    world, reward = two_step_world()
    agent = gi.agents.two_step(learning_rate_1=0.5, learning_rate_2=0.4, beta_1=5.0, beta_2=3.0, repetition=0.6)
    for last, second in itertools.product((0, 1), (0, -1)):
        data = gi.Trajectories.of([[0, 1, 4, 0, 1]], [[last, second, 0, 0]])
        score = gi.Behavior(world, agent, reward).log_prob_by("step", data)[0, 3]
        np.testing.assert_allclose(score, -np.log1p(np.exp(5.0 * 0.6 * (1 if last == 1 else -1))), rtol=1e-9)


def test_a_slip_that_is_not_recorded_moves_the_world_all_the_same():
    """The same hand, whatever is written down; and what is written down has the probabilities of what was meant."""
    room = gi.gridworld(".....\n..s..\n....a", discount=0.9)
    reward = gi.StateReward.at(room, {"a": 1.0}, default=0.0, on="departure")
    walks = {
        recorded: gi.simulate(
            jax.random.key(0),
            room,
            gi.agents.slipping(slip=0.6, beta=20.0, recorded=recorded),
            reward,
            trajectories=2000,
            steps=4,
        )
        for recorded in ("executed", "intended")
    }
    meant = walks["intended"]
    again = gi.Behavior(room, gi.agents.slipping(slip=0.6, beta=20.0, recorded="intended"), reward, like=meant)
    there = [np.mean(np.asarray(each.states)[:, -1] == room.index("a")) for each in walks.values()]
    there.append(np.mean(np.asarray(again.sample(jax.random.key(1)).states)[:, -1] == room.index("a")))
    assert np.ptp(there) < 5 * np.sqrt(2 * there[0] * (1 - there[0]) / 2000)
    leads = np.asarray(room.mdp.successors)[..., 0]
    as_meant = leads[meant.states[:, :-1], meant.actions]
    chance = 0.4 + 0.6 * (leads[meant.states[:, :-1]] == as_meant[..., None]).mean(-1)  # a slip may lead there, too
    spread = np.sqrt((chance * (1 - chance)).sum())
    assert abs((as_meant == meant.states[:, 1:]).sum() - chance.sum()) < 5 * spread
    policy = gi.agents.slipping(slip=0.6, beta=20.0, recorded="intended").policy(room, reward).values
    first = meant.actions[meant.states[:, 0] == room.index("s"), 0]
    chances = np.bincount(first, minlength=4) / len(first)
    np.testing.assert_allclose(chances, policy[room.index("s")], atol=5 * 0.5 / np.sqrt(len(first)))


@pytest.mark.parametrize("name", ["abandoning", slow("habitual"), slow("switching"), "options", slow("q_learning")])
def test_simulation_follows_the_same_law(name):
    """How often each sequence of actions comes up against how likely it was, given the states that came up."""
    data = walks(name, trajectories=4000, steps=3, seed=1)
    agent, reward = named_agents.AGENTS[name], wanted(name)
    scores = np.exp(gi.Behavior(G3, agent, reward).log_prob_by("step", data))
    second = np.asarray(data.actions)[:, 1:] == 0
    expected = np.where(second, scores[:, 1:], 1.0 - scores[:, 1:])
    spread = np.sqrt((expected * (1.0 - expected)).sum())
    assert abs((second - expected).sum()) < 4.0 * spread


def test_gradients_and_batches():
    """A filter inside compiled code: derivatives against finite differences, several values at once."""
    data = walks("abandoning", steps=8)

    def density(hazard, persistence):
        habitual = gi.agents.habitual(persistence=persistence, beta=2.0)
        agent = gi.agents.HiddenModeAgent(habitual, gi.agents.Abandoning(hazard))
        return gi.Behavior(G3, agent, REWARD).log_prob(data)

    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(density, (0, 1)))(0.2, 0.5)
        many = jax.vmap(density)(jnp.array([0.2, 0.3]), jnp.array([0.5, 0.5]))
        step = 1e-6
        for i, (h, k) in enumerate([(step, 0.0), (0.0, step)]):
            slope = (density(0.2 + h, 0.5 + k) - density(0.2 - h, 0.5 - k)) / (2 * step)
            np.testing.assert_allclose(gradient[i], slope, rtol=1e-6)
        np.testing.assert_allclose(many[0], density(0.2, 0.5), rtol=1e-12)
