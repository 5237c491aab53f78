"""Gymnasium's tabular environments against their own tables."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from goalinf.worlds import from_gymnasium, gymnasium_reward

gymnasium = pytest.importorskip("gymnasium")


def newest(name):
    """The environment at its newest version: older ones warn."""
    versions = [spec.version for spec in gymnasium.registry.values() if spec.name == name]
    return f"{name}-v{max(versions)}"


def compare(env, world):
    """Transitions and expected rewards of the world against the table, entry by entry."""
    table, dense, reward = env.unwrapped.P, world.mdp.dense(), gymnasium_reward(env, world)
    assert reward.shape == world.mdp.successors.shape
    mean = (world.mdp.probabilities * reward).sum(2)
    ended = 0
    for s in range(len(table)):
        for a in range(len(table[s])):
            if world.mdp.terminal[s]:
                assert dense[s, a, s] == 1
                assert mean[s, a] == 0
                continue
            expected = np.zeros(len(table))
            for p, t, _, done in table[s][a]:
                expected[t] += p
                ended += done
                assert not done or world.mdp.terminal[t]
            np.testing.assert_allclose(dense[s, a], expected, atol=1e-12)
            assert mean[s, a] == pytest.approx(sum(p * r for p, _, r, _ in table[s][a]))
    assert ended > 0
    np.testing.assert_array_equal(world.mdp.initial, env.unwrapped.initial_state_distrib)


@pytest.mark.parametrize(
    ("name", "options", "ends"),
    [
        ("FrozenLake", {}, [5, 7, 11, 12, 15]),
        ("FrozenLake", {"is_slippery": False, "map_name": "8x8"}, None),
        ("CliffWalking", {}, [47]),
        ("CliffWalking", {"is_slippery": True}, [47]),
        ("Taxi", {}, [0, 85, 410, 475]),
    ],
)
def test_environments_against_their_own_tables(name, options, ends):
    env = gymnasium.make(newest(name), **options)
    world = from_gymnasium(env, discount=0.9)
    assert world.n_states == env.observation_space.n
    assert world.n_actions == env.action_space.n
    assert ends is None or np.flatnonzero(world.mdp.terminal).tolist() == ends
    compare(env, world)


def test_grids_are_drawn():
    lake = from_gymnasium(newest("FrozenLake"), discount=0.9)
    assert lake.source == "SFFF\nFHFH\nFFFH\nHFFG"
    assert lake.index((3, 3)) == 15
    assert lake.cells("H") == [5, 7, 11, 12]
    assert lake.positions[6].tolist() == [2, 1]
    assert lake.coords()["state"].tolist() == list(range(16))
    cliff = from_gymnasium(newest("CliffWalking"), discount=0.9)
    assert cliff.index((3, 11)) == 47
    assert cliff.index((3, 0)) == np.flatnonzero(cliff.mdp.initial)[0] == 36


def tabular(table, start):
    return SimpleNamespace(P=table, initial_state_distrib=np.array(start, float))


def test_an_end_is_added_where_the_last_state_is_also_one_in_which_episodes_go_on():
    env = tabular(
        {0: {0: [(0.5, 1, 1.0, True), (0.25, 1, 2.0, False), (0.25, 1, 4.0, False)]}, 1: {0: [(1.0, 0, 0.0, False)]}},
        [1, 0],
    )
    world = from_gymnasium(env, discount=0.9)
    assert world.states == (0, 1, "end")
    assert world.mdp.terminal.tolist() == [False, False, True]
    np.testing.assert_allclose(world.mdp.dense()[:, 0], [[0, 0.5, 0.5], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(gymnasium_reward(env, world)[0, 0], [3.0, 1.0])  # 1, then "end"


def test_where_episodes_start():
    env = tabular({0: {0: [(1.0, 1, 0.0, False)]}, 1: {0: [(1.0, 1, 0.0, False)]}}, [1, 0])
    assert from_gymnasium(env, discount=0.9, initial=1).mdp.initial.tolist() == [0, 1]
    del env.initial_state_distrib
    with pytest.raises(ValueError, match="SimpleNamespace has no initial distribution; give initial="):
        from_gymnasium(env, discount=0.9)


def test_wrong_environments(monkeypatch):
    with pytest.raises(ValueError, match=r"CartPole-v1 has no table of transitions P .* from_arrays or from_table"):
        from_gymnasium("CartPole-v1", discount=0.9)
    lake = from_gymnasium(newest("FrozenLake"), discount=0.9)
    with pytest.raises(ValueError, match=r"the world has 16 states and 4 actions, CliffWalking-v. has 48 and 4"):
        gymnasium_reward(newest("CliffWalking"), lake)
    with pytest.raises(
        ValueError, match=r"state 0, action 0 leads to state 15 in .* but not in the world; give the env"
    ):
        gymnasium_reward(lake_with_other_ice(), lake)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"making 'FrozenLake-v1' needs Gymnasium: pip install 'goalinf\[gym\]'"):
        from_gymnasium("FrozenLake-v1", discount=0.9)


def lake_with_other_ice():
    table = {s: {a: [(1.0, (s + 9) % 16, 0.0, False)] for a in range(4)} for s in range(16)}
    table[0] = {a: [(1.0, 0, 0.0, False)] for a in range(4)}
    table[0][0] = [(1.0, 15, 0.0, False)]
    return tabular(table, np.ones(16) / 16)
