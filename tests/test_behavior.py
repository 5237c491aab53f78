"""Behavior: what it scores, against loops and enumeration; what it samples, against exact occupancies."""

import jax
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
from behaviors import (
    AGENT,
    AVAILABLE,
    BETA,
    DISCOUNT,
    POLICY,
    REWARD,
    RNG,
    TERMINAL,
    WORLD,
    A,
    P,
    R,
    S,
    exact,
    walks,
    with_gaps,
)

import goalinf as gi
from goalinf.behavior import replicate, sample_trajectories, score_steps
from goalinf.precision import computing_in

# -- scores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [lambda data: data, with_gaps])
def test_scores_against_a_loop(change):
    data = change(walks())
    expected = exact(data)
    with computing_in("float64"):
        behavior = gi.Behavior(WORLD, AGENT, REWARD)
        by_step = np.asarray(behavior.log_prob_by("step", data))
        by_trajectory = np.asarray(behavior.log_prob_by("trajectory", data))
        total = float(behavior.log_prob(data))
    np.testing.assert_allclose(by_step, expected, atol=1e-12)
    np.testing.assert_allclose(by_trajectory, expected.sum(1), atol=1e-12)
    assert total == pytest.approx(expected.sum(), abs=1e-10)
    assert (by_step[~np.asarray(data.observed)] == 0).all()


def test_choices_that_do_not_exist_have_no_score():
    with computing_in("float64"):
        policy = gi.Behavior(WORLD, AGENT, REWARD).policy
        for states, actions in ([[0, 1]], [[A]]), ([[S, 1]], [[0]]):
            with pytest.raises(ValueError, match=f"the policy has {S} states and {A} actions"):
                score_steps(jax.device_get(policy), gi.Trajectories.of(states, actions))


def test_missing_choices_are_missing():
    """Hiding choices takes away their terms and nothing else; padding has none."""
    data, hidden = walks(), with_gaps(walks())
    gap = np.asarray(data.observed) & ~np.asarray(hidden.observed)
    assert gap.any()
    with computing_in("float64"):
        behavior = gi.Behavior(WORLD, AGENT, REWARD)
        lost = float(behavior.log_prob(data) - behavior.log_prob(hidden))
    assert lost == pytest.approx(exact(data)[gap].sum(), abs=1e-10)
    wide = gi.Trajectories.of(
        np.pad(data.states, ((0, 0), (0, 3)), constant_values=-1),
        np.pad(data.actions, ((0, 0), (0, 3)), constant_values=-1),
        lengths=data.lengths,
    )
    with computing_in("float64"):
        assert float(behavior.log_prob(wide)) == pytest.approx(float(behavior.log_prob(data)), abs=1e-10)


def test_order_does_not_matter():
    data = with_gaps(walks())
    order = np.random.default_rng(1).permutation(data.n_trajectories)
    with computing_in("float64"):
        behavior = gi.Behavior(WORLD, AGENT, REWARD)
        one, other = float(behavior.log_prob(data)), float(behavior.log_prob(data.select(order)))
    assert one == pytest.approx(other, abs=1e-10)


@pytest.mark.parametrize("agent", [AGENT, gi.agents.boltzmann(beta=2.0, horizon=3)])
def test_all_action_sequences_together(agent):
    """Exp of the score, times the moves of the world, sums to one over everything that can happen."""
    steps = 3
    policy = (
        POLICY
        if agent.horizon is None
        else oracles.finite(P, R, DISCOUNT, 2.0, 3, oracles.hard, AVAILABLE, TERMINAL).policy
    )
    paths = list(oracles.every_path(np.nan_to_num(policy), P, WORLD.mdp.initial, steps, TERMINAL))
    pad = lambda row, width: [*row, *[-1] * (width - len(row))]  # noqa: E731
    data = gi.Trajectories.of(
        [pad(path.states, steps + 1) for path in paths], [pad(path.actions, steps) for path in paths]
    )
    with computing_in("float64"):
        scores = np.asarray(gi.Behavior(WORLD, agent, REWARD).log_prob_by("trajectory", data))
    moves = [
        WORLD.mdp.initial[p.states[0]]
        * np.prod([P[s, a, t] for s, a, t in zip(p.states, p.actions, p.states[1:], strict=False)])
        for p in paths
    ]
    np.testing.assert_allclose(np.exp(scores) * moves, [path.probability for path in paths], rtol=1e-9)
    assert np.sum(np.exp(scores) * moves) == pytest.approx(1.0, abs=1e-10)


def test_finite_horizons_are_scored_by_time():
    agent = gi.agents.soft_optimal(beta=BETA, horizon=8)
    data = with_gaps(walks())
    policy = oracles.finite(P, R, DISCOUNT, BETA, 8, oracles.soft(BETA), AVAILABLE, TERMINAL).policy
    with computing_in("float64"):
        behavior = gi.Behavior(WORLD, agent, REWARD)
        np.testing.assert_allclose(behavior.log_prob_by("step", data), exact(data, policy), atol=1e-12)
        assert float(behavior.log_prob(data)) == pytest.approx(exact(data, policy).sum(), abs=1e-10)


def test_a_horizon_that_is_too_short():
    agent = gi.agents.soft_optimal(beta=BETA, horizon=4)
    with (
        computing_in("float64"),
        pytest.raises(ValueError, match="the data have up to 7 steps, the agent's horizon is 4"),
    ):
        gi.Behavior(WORLD, agent, REWARD).log_prob(walks())
    with pytest.raises(ValueError, match="steps is 7, above the agent's horizon of 4: give it a longer horizon"):
        gi.simulate(jax.random.key(0), WORLD, agent, REWARD, trajectories=2, steps=7)


# -- contexts ----------------------------------------------------------------------------------------


def test_worlds_of_several_sizes():
    """Each context is scored in its own world with its own reward; a mapping may list them in any order."""
    small_P, small_R = oracles.random_law(RNG, 2, 2, 2), RNG.normal(size=(2, 2))
    worlds = {"large": WORLD, "small": gi.from_arrays(small_P, discount=0.5)}
    rewards = {"small": gi.ActionReward(small_R), "large": REWARD}
    data = gi.simulate(jax.random.key(0), worlds, AGENT, rewards, trajectories=3, steps=5)
    policies = {"large": POLICY, "small": oracles.mce(small_P, small_R, 0.5, BETA).policy}
    assert data.context_names == ("large", "small")
    with computing_in("float64"):
        behavior = gi.Behavior(worlds, AGENT, rewards, contexts=data.context_names)
        found = np.asarray(behavior.log_prob_by("step", data))
        total = float(behavior.log_prob(data))
        swapped = gi.Behavior(worlds, AGENT, rewards, contexts=("small", "large")).log_prob_by("step", data)
        numbered = gi.Trajectories.of(data.states, data.actions, lengths=data.lengths, context=data.context)
        by_number = gi.Behavior(worlds, AGENT, rewards, contexts=("large", "small")).log_prob_by("step", numbered)
    for number, name in enumerate(data.context_names):
        mine = np.asarray(data.context) == number
        ends = TERMINAL if name == "large" else None
        expected = oracles.step_log_probabilities(
            policies[name],
            np.asarray(data.states)[mine],
            np.asarray(data.actions)[mine],
            np.asarray(data.lengths)[mine],
            None,
            ends,
        )
        np.testing.assert_allclose(found[mine], expected, atol=1e-12)
    assert total == pytest.approx(found.sum(), abs=1e-10)
    np.testing.assert_array_equal(swapped, found)
    np.testing.assert_array_equal(by_number, found)


def test_one_world_with_several_rewards():
    other = gi.ActionReward(-R)
    rewards = {"more": REWARD, "less": other}
    data = gi.simulate(jax.random.key(0), WORLD, AGENT, rewards, trajectories=4, steps=4)
    alone = [gi.Behavior(WORLD, AGENT, reward) for reward in (REWARD, other)]
    with computing_in("float64"):
        found = np.asarray(gi.Behavior(WORLD, AGENT, rewards).log_prob_by("step", data))
        for number, behavior in enumerate(alone):
            mine = np.asarray(data.context) == number
            np.testing.assert_allclose(found[mine], np.asarray(behavior.log_prob_by("step", data))[mine], atol=1e-12)


def test_one_reward_for_several_worlds():
    other = gi.from_arrays(oracles.random_law(RNG, S, A, S), discount=0.5)
    worlds = {"x": WORLD, "y": other}
    data = gi.simulate(jax.random.key(0), worlds, AGENT, REWARD, trajectories=4, steps=4)
    with computing_in("float64"):
        found = np.asarray(gi.Behavior(worlds, AGENT, REWARD).log_prob_by("step", data))
        for number, world in enumerate(worlds.values()):
            mine = np.asarray(data.context) == number
            expected = np.asarray(gi.Behavior(world, AGENT, REWARD).log_prob_by("step", data.select(mine)))
            np.testing.assert_allclose(found[mine], expected, atol=1e-12)


def test_contexts_that_do_not_fit():
    with pytest.raises(ValueError, match="context 'b' has no world; the mapping has 'a'; the data have 'a', 'b'"):
        gi.Behavior({"a": WORLD}, AGENT, REWARD, contexts=("a", "b"))
    with pytest.raises(ValueError, match=r"rewards were given by context \('a', 'b'\), but the data name no"):
        gi.Behavior(WORLD, AGENT, {"a": REWARD, "b": REWARD}, like=walks())
    with pytest.raises(ValueError, match="the mapping from context to world is empty"):
        gi.Behavior({}, AGENT, REWARD)
    two = {"a": WORLD, "b": gi.from_arrays(np.ones((1, 1, 1)), discount=0.5)}
    with pytest.raises(ValueError, match=r"has shape \(4, 3\); this world needs \(1, 1\)"):
        gi.Behavior(two, AGENT, REWARD)
    mixed = {"a": REWARD, "b": gi.StateReward(np.zeros(S), on="arrival")}
    with (
        computing_in("float64"),
        pytest.raises(ValueError, match="must be of one kind and timing; found ActionReward, StateReward"),
    ):
        _ = gi.Behavior(WORLD, AGENT, mixed).policies


# -- simulation ----------------------------------------------------------------------------------------


def test_visits_against_exact_occupancies():
    """Frequencies of states and choices at every step, within five standard errors."""
    n, steps = 20_000, 6
    data = walks(n, steps)
    states, actions, lengths = (np.asarray(x) for x in (data.states, data.actions, data.lengths))
    ahead = np.asarray(WORLD.mdp.initial)
    for t in range(steps):
        alive = np.where(TERMINAL, 0, ahead)
        joint = alive[:, None] * np.nan_to_num(POLICY)
        going = lengths > t
        counts = np.zeros((S, A))
        np.add.at(counts, (states[going, t], actions[going, t]), 1)
        error = np.sqrt(joint * (1 - joint) / n)
        assert (np.abs(counts / n - joint) <= 5 * error + 1e-12).all()
        ahead = np.einsum("sa,sat->t", joint, P)
    assert (lengths[(states == 3).any(1)] < steps + 1).all()
    assert not (counts > 0)[~AVAILABLE].any()


def test_walks_end_where_the_episode_does():
    data = walks(500, 7)
    states, lengths = np.asarray(data.states), np.asarray(data.lengths)
    for row, length in zip(states, lengths, strict=True):
        assert not TERMINAL[row[:length]].any()
        assert length == 7 or TERMINAL[row[length]]
        assert (row[length + 1 :] == -1).all()
    hall = gi.gridworld("a..s", discount=1.0)
    goal = gi.goals(hall, {"a": "a"}, step_cost=3.0)["a"]
    home = gi.simulate(jax.random.key(0), hall, gi.agents.boltzmann(beta=50.0), goal, trajectories=3, steps=9)
    np.testing.assert_array_equal(home.lengths, [3, 3, 3])
    np.testing.assert_array_equal(np.asarray(home.states)[:, 3], [0, 0, 0])


def test_starts():
    def first(**options):
        data = gi.simulate(jax.random.key(0), WORLD, AGENT, REWARD, trajectories=3, steps=2, **options)
        return np.asarray(data.states)[:, 0].tolist()

    assert first(starts=2) == [2, 2, 2]
    assert first(starts=[0, 2, 1]) == [0, 2, 1]
    assert set(first()) <= {0, 1}
    with pytest.raises(ValueError, match="2 starts for 3 trajectories"):
        first(starts=[0, 1])
    with pytest.raises(ValueError, match="9"):
        first(starts=9)
    at_the_end = gi.simulate(jax.random.key(0), WORLD, AGENT, REWARD, trajectories=1, steps=2, starts=3)
    assert at_the_end.n_steps == 0


def test_counts_are_checked():
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"trajectories is {wrong}; expected a whole number of at least 1"):
            gi.simulate(jax.random.key(0), WORLD, AGENT, REWARD, trajectories=wrong, steps=2)
        with pytest.raises(ValueError, match=f"steps is {wrong}; expected"):
            gi.simulate(jax.random.key(0), WORLD, AGENT, REWARD, trajectories=2, steps=wrong)
    with pytest.raises(ValueError, match="a LogNormal prior stands where a number is needed"):
        sample_trajectories(
            jax.random.key(0), WORLD, AGENT.at(beta=dist.LogNormal(0, 1)), REWARD, trajectories=1, steps=2
        )


def test_equal_keys_give_equal_walks():
    one, two = (gi.simulate(jax.random.key(4), WORLD, AGENT, REWARD, trajectories=5, steps=5) for _ in range(2))
    assert one.data_hash() == two.data_hash()
    other = gi.simulate(jax.random.key(5), WORLD, AGENT, REWARD, trajectories=5, steps=5)
    assert other.data_hash() != one.data_hash()


def test_like_another_data_set():
    data = with_gaps(walks())
    again = replicate(jax.random.key(0), WORLD, AGENT, REWARD, data)
    np.testing.assert_array_equal(np.asarray(again.states)[:, 0], np.asarray(data.states)[:, 0])
    assert (np.asarray(again.lengths) <= np.asarray(data.lengths)).all()
    assert not (np.asarray(again.observed) & ~np.asarray(data.observed)).any()
    np.testing.assert_array_equal(again.subject, data.subject)
