"""Worlds drawn as text: tiny maps worked out by hand, and what is said about wrong ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalinf.worlds import gridworld, open_grid

TOWN = """
#########
#s..#..a#
#.#.#.#.#
#.#...#.#
#..b....#
#########
"""


def row(world, state, action):
    """Where an action leads, as {name: probability}."""
    dense = world.mdp.dense()[world.index(state), world.action_index(action)]
    return {world.states[t]: p for t, p in enumerate(dense) if p > 0}


def test_names_marks_and_positions():
    town = gridworld(TOWN, discount=0.95)
    assert town.n_states == 22
    assert town.states[:6] == ("s", (1, 2), (1, 3), (1, 5), (1, 6), "a")
    assert town.index("a") == town.index((1, 7)) == town.index("1,7") == town.index(tuple(np.array([1, 7])))
    assert town.positions[town.index("b")].tolist() == [3, 4]
    coords = town.coords()
    assert coords["state"][0] == "s"
    assert coords["state"][1] == "1,2"
    assert coords["row"][1][town.index("b")] == 4
    assert coords["col"][1][town.index("b")] == 3
    assert town.mdp.initial[town.index("s")] == 1.0
    assert town.actions == ("up", "down", "left", "right")
    assert not town.mdp.terminal.any()
    assert repr(town).startswith("World(map: 22 states, 4 actions, discount 0.95)\n####")


def test_marks_that_several_cells_carry():
    world = gridworld("aab\ns.s", terminal="b", discount=1)
    assert world.states == ((0, 0), (0, 1), "b", (1, 0), (1, 1), (1, 2))
    assert world.cells("a") == [0, 1]
    assert world.cells(".") == [4]
    assert world.mdp.initial.tolist() == [0, 0, 0, 0.5, 0, 0.5]
    assert world.indicator("ab").tolist() == [1, 1, 1, 0, 0, 0]
    assert world.indicator((0, 0)).tolist() == [1, 0, 0, 0, 0, 0]
    assert world.indicator(["a", (1, 1)]).tolist() == [1, 1, 0, 0, 1, 0]
    with pytest.raises(ValueError, match=r"unknown state 'a': 2 cells carry that mark; .* such as \(0,0\)"):
        world.index("a")


def test_moves_bump_into_walls_and_edges():
    world = gridworld("a.\n#b", discount=0.9)
    assert row(world, "a", "right") == {(0, 1): 1.0}
    assert row(world, "a", "up") == row(world, "a", "left") == row(world, "a", "down") == {"a": 1.0}
    assert row(world, "b", "left") == {"b": 1.0}
    assert row(world, "b", "up") == {(0, 1): 1.0}
    assert world.mdp.successors.shape == (3, 4, 1)


def test_blocked_moves_can_be_unavailable():
    world = gridworld("a.\n#b", blocked="unavailable", discount=0.9)
    assert world.mdp.available.tolist() == [
        [False, False, False, True],
        [False, True, True, False],
        [True, False, False, False],
    ]
    with pytest.raises(ValueError, match="no action is available in state b: mark it terminal, or give it a way on"):
        gridworld("..#b", blocked="unavailable", discount=0.9)
    assert gridworld("..#b", blocked="unavailable", terminal="b", discount=0.9).mdp.available.any(1).all()


def test_slip_replaces_the_move_by_any_available_one():
    world = gridworld("...\n.c.\n...", slip=0.2, discount=0.9)
    assert row(world, "c", "up") == pytest.approx({(0, 1): 0.85, (1, 0): 0.05, (1, 2): 0.05, (2, 1): 0.05})
    assert row(world, (0, 0), "up") == pytest.approx({(0, 0): 0.9, (0, 1): 0.05, (1, 0): 0.05})
    world = gridworld("...\n.c.\n...", slip=0.3, stay=True, blocked="unavailable", discount=0.9)
    assert row(world, (0, 0), "right") == pytest.approx({(0, 0): 0.1, (0, 1): 0.8, (1, 0): 0.1})
    world = gridworld("s.", slip=1, moves=["left", "right"], discount=0.9)
    assert row(world, "s", "left") == row(world, "s", "right") == {"s": 0.5, (0, 1): 0.5}


@given(
    st.integers(0, 10_000),
    st.sampled_from([4, 8, ("up", "right", "stay"), {"knight": (1, 2), "back": (-1, -2)}]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from(["stay", "unavailable"]),
)
def test_transitions_against_the_definition(seed, moves, slip, blocked):
    """P(t | s, a) = (1 - slip) [t = f(s, a)] + slip * mean over the available b of [t = f(s, b)], cell by cell."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(list("##....ab"), size=rng.integers(1, 5, size=2))
    cells.flat[0] = "."
    text = "\n".join("".join(line) for line in cells)
    world = gridworld(text, moves=moves, stay=True, slip=slip, blocked=blocked, discount=0.9)
    free = [(r, c) for r, c in np.ndindex(cells.shape) if cells[r, c] != "#"]
    known = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1), "stay": (0, 0)}
    known |= {f"{v}-{h}": (known[v][0], known[h][1]) for v in ("up", "down") for h in ("left", "right")}
    known |= moves if isinstance(moves, dict) else {}
    for cell in free:
        s = world.index(cell)
        leads = {}
        for action in world.actions:
            target = (cell[0] + known[action][0], cell[1] + known[action][1])
            if target in free:
                leads[action] = target
            elif blocked == "stay":
                leads[action] = cell
        assert {name for a, name in enumerate(world.actions) if world.mdp.available[s, a]} == set(leads)
        for action, target in leads.items():
            expected = np.zeros(world.n_states)
            expected[world.index(target)] += 1 - slip
            for other in leads.values():
                expected[world.index(other)] += slip / len(leads)
            a = world.action_index(action)
            np.testing.assert_allclose(world.mdp.dense()[s, a], expected, atol=1e-12)
            listed = world.mdp.successors[s, a][world.mdp.probabilities[s, a] > 0]
            assert len(set(listed.tolist())) == len(listed)


def test_kinds_of_moves():
    assert open_grid(2, 2, moves=4, discount=1).actions == ("up", "down", "left", "right")
    eight = open_grid(3, 3, moves=8, discount=1)
    assert eight.n_actions == 8
    assert row(eight, (1, 1), "down-left") == {(2, 0): 1.0}
    assert row(gridworld("a#\n#b", moves=8, discount=1), "a", "down-right") == {"b": 1.0}  # corners may be cut
    assert open_grid(1, 2, moves=("left", "right"), stay=True, discount=1).actions == ("left", "right", "stay")
    knight = open_grid(2, 3, moves={"hop": (1, 2)}, discount=1)
    assert row(knight, (0, 0), "hop") == {(1, 2): 1.0}
    assert row(knight, (0, 1), "hop") == {(0, 1): 1.0}


def test_terminal_cells_absorb():
    world = gridworld("s.a\n..a", terminal="a", slip=0.1, discount=0.9)
    assert world.mdp.terminal.tolist() == [False, False, True, False, False, True]
    end = world.index((0, 2))
    assert (world.mdp.dense()[end, :, end] == 1).all()
    for terminal in (["a"], [(0, 2), (1, 2)], np.array([0, 0, 1, 0, 0, 1], bool)):
        same = gridworld("s.a\n..a", terminal=terminal, slip=0.1, discount=0.9)
        np.testing.assert_array_equal(same.mdp.terminal, world.mdp.terminal)
    assert gridworld("s.a", terminal=(0, 1), discount=0.9).mdp.terminal.tolist() == [False, True, False]


def test_where_episodes_start():
    def starts(text, **options):
        return gridworld(text, discount=1, **options).mdp.initial.tolist()

    assert starts("..a", terminal="a") == [0.5, 0.5, 0]
    assert starts("..a", initial="a") == [0, 0, 1]
    assert starts("..a", initial=(0, 1)) == [0, 1, 0]
    assert starts("..a", initial=[(0, 1), "a"]) == [0, 0.5, 0.5]
    assert starts("bba", initial={"b": 0.5, "a": 0.5}) == [0.25, 0.25, 0.5]
    assert starts("..a", initial=np.array([0.2, 0.3, 0.5])) == starts("..a", initial=[0.2, 0.3, 0.5]) == [0.2, 0.3, 0.5]


def test_maps_as_people_write_them():
    plain = gridworld("#####\n#s.a#\n#####", discount=1)
    for text in ("\n\n#####\n#s.a#\n#####\n\n", "#####\r\n#s a#\r\n#####\r\n", "\n#####\n#s.a#\n#####\n   "):
        world = gridworld(text, discount=1)
        assert world.states == plain.states
        assert world.cells(".") == [1]
        np.testing.assert_array_equal(world.mdp.dense(), plain.mdp.dense())
    assert gridworld("s.", discount=1).index((0, 1)) == 1


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", {}, "the map is empty; draw free cells as"),
        (" \n  \n", {}, "the map is empty"),
        ("##\n##", {}, "no free cell, only walls .*; draw free cells"),
        ("...\n..\n...", {}, r"line 1 of the map \('..'\) has 2 cells where line 0 has 3; make all lines equally long"),
        ("..\n\t.", {}, "line 1 of the map .* has a tab; draw every cell as one character"),
        ("..", {"moves": ("up", "north")}, "unknown move 'north': known are up, down, .* give a mapping"),
        ("..", {"moves": "up and down"}, "unknown move 'up and down'"),
        ("..", {"moves": 6}, "moves is 6; expected 4, 8"),
        ("..", {"moves": ()}, "there are no moves; give at least one"),
        ("..", {"moves": ("up", "up")}, "move 'up' is listed twice; list it once"),
        ("..", {"moves": {"hop": (1, 2, 3)}}, r"move 'hop' is \(1, 2, 3\); expected \(rows down, columns right\)"),
        ("..", {"slip": 1.5}, r"slip is 1.5; expected a probability, in \[0, 1\]"),
        ("..", {"slip": float("nan")}, "slip is nan"),
        ("..", {"blocked": "bump"}, "blocked is 'bump'; expected 'stay' or 'unavailable'"),
        ("..", {"discount": 1.01}, r"discount is 1.01; expected a number in \[0, 1\]"),
        ("..", {"discount": float("nan")}, "discount is nan"),
        (
            ".#.",
            {"terminal": [(0, 1)]},
            r"terminal: unknown state \(0, 1\): cell \(row 0, column 1\) is '#', a wall; name a free",
        ),
        (".#.", {"terminal": (3, 1)}, r"terminal: unknown state \(3, 1\): the map has rows 0 to 0 and columns 0 to 2"),
        (".a.", {"terminal": "ab"}, "terminal: unknown state 'b': this world has 3 states: 0,0, a, 0,2"),
        (".a.", {"terminal": np.array([True])}, "terminal: a mask of 1 entries for 3 states; give one per state"),
        ("a", {"terminal": "a"}, "every state is terminal, so that no episode can start"),
        (".a.", {"initial": "c"}, "initial: unknown state 'c'"),
        (".a.", {"initial": {"c": 1.0}}, "initial: unknown state 'c'"),
        (".a.", {"initial": [0.5, 0.5]}, "initial: 2 probabilities for 3 states; give one per state"),
        (".a.", {"initial": "aa"}, "initial: state a is named twice; probabilities are floats, one per state"),
        (".a.", {"initial": []}, "initial: no state is named"),
        (".a.", {"initial": {"a": 0.5}}, "the initial probabilities sum to 0.5; expected 1: divide by the sum"),
        (
            ".a.",
            {"initial": {"a": 2.0, (0, 0): -1.0}},
            "the initial probability of state 0,0 is -1.0; expected 0 or more",
        ),
    ],
)
def test_wrong_input(text, options, said):
    with pytest.raises(ValueError, match=said):
        gridworld(text, **{"discount": 0.9, **options})


@pytest.mark.parametrize("rows", [0, True])
def test_wrong_grid(rows):
    with pytest.raises(ValueError, match=f"rows is {rows}; expected a whole number of at least 1"):
        open_grid(rows, 3, discount=0.9)


def test_unknown_names():
    town = gridworld(TOWN, discount=0.9)
    with pytest.raises(ValueError, match=r"unknown state \(0, 3\): cell \(row 0, column 3\) is '#', a wall"):
        town.index((0, 3))
    with pytest.raises(ValueError, match="unknown state '1,9': did you mean"):
        town.index("1,9")
    with pytest.raises(ValueError, match="unknown action 'north': the actions are up, down, left, right"):
        town.action_index("north")
