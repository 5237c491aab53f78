"""Worlds from files."""

import numpy as np
import pandas as pd
import pytest

from goalinf.worlds import gridworld, read_world


@pytest.fixture
def write(tmp_path):
    def write(text, name="town.toml"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_a_map(write):
    world = read_world(
        write('map = """\n#####\n#s.a#\n#####\n"""\nslip = 0.1\nterminal = ["a"]\ninitial = {s = 1.0}\ndiscount = 0.9')
    )
    same = gridworld("#####\n#s.a#\n#####", slip=0.1, terminal="a", discount=0.9)
    assert world.states == same.states
    np.testing.assert_array_equal(world.mdp.dense(), same.mdp.dense())
    world = read_world(
        write('map = "s.."\nmoves = {hop = [0, 2]}\nterminal = [[0, 2]]\nblocked = "stay"\ndiscount = 1')
    )
    assert world.actions == ("hop",)
    assert world.mdp.terminal.tolist() == [False, False, True]


def test_edges(write, tmp_path):
    pd.DataFrame({"state": [0, 1], "next_state": [1, 2], "p": [1.0, 0.5]}).to_csv(tmp_path / "streets.csv", index=False)
    text = 'edges = "streets.csv"\nsource = "state"\ntarget = "next_state"\ndiscount = 0.9\n'
    world = read_world(write(text + 'terminal = 2\nprobability = "p"'))
    assert world.actions == ((1,), (2,), ("stay",))
    assert world.mdp.dense()[1, 0].tolist() == [0, 0.5, 0.5]
    both = read_world(write(text + "directed = false\nstay = true\nmemory = true"))
    assert both.memory.base.actions == ((1, "stay", None), (0, 2, "stay"), (1, "stay", None))
    assert (None, 0) in both.states


def test_transitions(write, tmp_path):
    table = pd.DataFrame({"at": ["a", "b"], "action": ["go", "go"], "next_state": ["b", "a"]})
    table.to_parquet(tmp_path / "moves.parquet")
    world = read_world(write('transitions = "moves.parquet"\nstate = "at"\ndiscount = 0.9'))
    assert world.states == ("a", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("discount = ", "town.toml is not a TOML file"),
        ("", "town.toml: found only nothing; expected exactly one of map, edges, transitions"),
        ("discount = 0.9", "town.toml: found only discount; expected exactly one of"),
        ('map = "s."\nedges = "e.csv"', "town.toml: found map and edges; expected exactly one of"),
        ('map = "s."', r"town.toml: the key discount is missing; give a number in \[0, 1\]"),
        ('map = "s."\ndiscount = 0.9\nslipp = 0.1', "town.toml: unknown key slipp: did you mean slip?"),
        (
            'map = "s."\ndiscount = 0.9\nprobability = "p"',
            "town.toml: unknown key probability: with map go blocked, discount",
        ),
        ('map = "s."\ndiscount = "high"', "town.toml: discount is 'high'; expected a number"),
        ('map = "s."\ndiscount = true', "town.toml: discount is True; expected a number"),
        ('map = ["s."]\ndiscount = 0.9', r"town.toml: map is \['s.'\]; expected text"),
        ('map = "s."\ndiscount = 0.9\nstay = 1', "town.toml: stay is 1; expected true or false"),
        ('map = "s.\\n."\ndiscount = 0.9', r"town.toml: line 1 of the map"),
        ('map = "s."\ndiscount = 0.9\nmoves = ["north"]', "town.toml: unknown move 'north'"),
        (
            'edges = "bad.csv"\ndiscount = 0.9',
            "town.toml: bad.csv has no column 'source'; it has a, b: name the columns",
        ),
        (
            'edges = "bad.csv"\nsource = "a"\ntarget = "b"\ndiscount = 0.9',
            "town.toml: bad.csv: column 'b' is missing in row 1, line 3 of bad.csv; fill",
        ),
        ('transitions = "bad.csv"\ndiscount = 0.9', "town.toml: the table has no column 'state'; it has 'a', 'b'"),
    ],
)
def test_wrong_files(write, tmp_path, text, said):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n2,\n")
    with pytest.raises(ValueError, match=said):
        read_world(write(text))


def test_a_missing_file(write, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"town\.toml: there is no file .*none\.csv"):
        read_world(write('edges = "none.csv"\ndiscount = 0.9'))
    (tmp_path / "town.toml").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"there is no file .*town.toml; expected a TOML file that describes a world"
    ):
        read_world(tmp_path / "town.toml")
