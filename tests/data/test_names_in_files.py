"""Names that look like numbers or like missing values survive the way through a file."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import goalinf as gi
from goalinf.worlds import read_table
from goalinf.worlds.names import texts
from goalinf.worlds.text_cells import as_names

# Text that pandas by itself takes for a missing value, a number or a truth value, and names that are no text.
TEXT = ["None", "NA", "null", "nan", "NaN", "N/A", "n/a", "#N/A", "<NA>", "-", "001", "01", "1", "1 ", " 1", "1.0", "1e3",
        "true", "True", "-0", "+1", "0x1", "1_000", "inf", "(0, 1)", "0,1", "a;b", 'say "x"', "$x$", "ä"]  # fmt: skip
NUMBERS = [0, 1, -3, 10, 2.5, 10**17, True, False]
TUPLES = [(0, 1), (1, 0), ("a", 1), ("1", "x"), (None, 2)]
COLUMNS = {"trajectory": "trajectory", "step": "step", "state": "state", "action": "action"}


def apart(names):
    """Names that do not print alike and are not equal, as worlds ask for."""
    kept, printed = [], set()
    for name in names:
        if name not in kept and not texts(name) & printed:
            kept.append(name)
            printed |= texts(name)
    return kept


def names(pool, size):
    return st.lists(st.sampled_from(pool), min_size=size, max_size=12).map(apart).filter(lambda x: len(x) >= size)


def walked(states, actions, subject, seed):
    """Random walks in a world in which every state may follow, with some choices missing."""
    rng = np.random.default_rng(seed)
    world = gi.from_arrays(
        rng.dirichlet(np.ones(len(states)), (len(states), len(actions))),
        states=states,
        actions=actions,
        discount=0.9,
    )
    visits, chosen = rng.integers(len(states), size=(2, 5)), rng.integers(len(actions), size=(2, 4))
    observed = rng.random((2, 4)) < 0.8
    observed[0, 3] = observed[1, 2] = True  # a last row without a choice is a visit to the last state
    labels = gi.data.Labels((0, 1), subjects=(subject,), worlds=(world,))
    return world, gi.Trajectories.of(visits, chosen, lengths=[4, 3], observed=observed, labels=labels)


@settings(max_examples=30)
@given(
    names(TEXT + NUMBERS + TUPLES, 2),
    names(TEXT + NUMBERS, 2),
    st.sampled_from(TEXT + [7]),
    st.integers(0, 99),
    st.sampled_from([".csv", ".tsv", ".csv.gz"]),
)
def test_every_choice_comes_back_from_a_text_file(tmp_path_factory, states, actions, subject, seed, suffix):
    world, walks = walked(states, actions, subject, seed)
    file = tmp_path_factory.mktemp("walks") / f"walks{suffix}"
    frame = walks.to_frame(note=walks.actions)
    frame.to_csv(file, index=False, sep="\t" if "tsv" in suffix else ",")
    again = gi.read_trajectories(file, world, subject="subject", **COLUMNS)
    assert again.actions.tolist() == walks.actions.tolist()
    assert again.states[:, :3].tolist() == walks.states[:, :3].tolist()
    assert again.observed.tolist() == walks.observed.tolist()
    assert str(again.subject_names[0]) == str(subject)
    # and once more, from the table that was read
    again.to_frame().to_csv(file, index=False, sep="\t" if "tsv" in suffix else ",")
    assert gi.read_trajectories(file, world, subject="subject", **COLUMNS).data_hash() == again.data_hash()


@settings(max_examples=10)
@given(
    st.one_of(names(TEXT, 2), names([0, 1, -3, 10], 2), names([(0, 1), (1, 0), (5, 5)], 2)),
    st.one_of(names(TEXT, 2), names([0, 1, -3, 10], 2)),
    st.integers(0, 99),
)
def test_every_choice_comes_back_from_a_parquet_file(tmp_path_factory, states, actions, seed):
    world, walks = walked(states, actions, 0, seed)
    file = tmp_path_factory.mktemp("walks") / "walks.parquet"
    walks.to_frame().to_parquet(file)
    again = gi.read_trajectories(file, world, **COLUMNS)
    assert again.actions.tolist() == walks.actions.tolist()
    assert again.observed.tolist() == walks.observed.tolist()


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_identifiers_that_differ_in_zeros_stay_apart(tmp_path):
    file = write(tmp_path / "walks.csv", "who,walk,t,at,act,rt,code\n001,1,0,0,0,0.50,007\n1,2,0,0,1,NA,12\n")
    world = gi.from_arrays(np.full((2, 2, 2), 0.5), discount=0.9)
    data = gi.read_trajectories(file, world, trajectory="walk", step="t", state="at", action="act", subject="who")
    assert data.subject_names == ("001", "1")
    assert data.actions.tolist() == [[0], [1]]
    frame = data.to_frame()
    assert frame["who"].tolist() == ["001", "1"]
    assert frame["code"].tolist() == ["007", "12"]
    np.testing.assert_array_equal(frame["rt"], [0.5, np.nan])  # a number, which the file holds as R writes it


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan", "N/A"])
def test_a_word_is_a_name_unless_missing_says_otherwise(tmp_path, word):
    """Golden: 3 rows, the second word is an action of the world, or a missing choice, and never silently the other."""
    file = write(tmp_path / "walks.csv", f"walk,t,at,act\n0,0,0,go\n0,1,0,{word}\n0,2,0,go\n")
    columns = {"trajectory": "walk", "step": "t", "state": "at", "action": "act"}
    known = gi.from_arrays(np.ones((1, 2, 1)), actions=["go", word], discount=0.9)
    assert gi.read_trajectories(file, known, **columns).actions.tolist() == [[0, 1, 0]]
    other = gi.from_arrays(np.ones((1, 2, 1)), actions=["go", "stop"], discount=0.9)
    with pytest.raises(ValueError, match=rf"row 1, line 3 of walks.csv .* unknown action '{word}'.*column 'act'"):
        gi.read_trajectories(file, other, **columns)
    assert gi.read_trajectories(file, other, **columns, missing=[word]).actions.tolist() == [[0, -1, 0]]
    assert gi.read_trajectories(file, other, **columns, missing=word).n_observed == 2
    with pytest.raises(ValueError, match=f"missing= holds '{word}', which is the name of an action"):
        gi.read_trajectories(file, known, **columns, missing=[word])


def test_values_that_mean_missing_in_a_data_frame():
    world = gi.from_arrays(np.ones((1, 2, 1)), actions=["go", "stop"], discount=0.9)
    table = pd.DataFrame({"walk": 0, "t": [0, 1, 2], "at": 0, "act": [0, -99, 1]})
    columns = {"trajectory": "walk", "step": "t", "state": "at", "action": "act"}
    data = gi.read_trajectories(table, world, **columns, missing=[-99])
    assert data.actions.tolist() == [[0, -1, 1]]
    assert data.to_frame()["act"].tolist() == [0, -99, 1]  # the table as it was


def test_delimiters(tmp_path):
    world = gi.from_arrays(np.ones((1, 2, 1)), discount=0.9)
    columns = {"trajectory": "walk", "step": "t", "state": "at", "action": "act"}
    file = write(tmp_path / "walks.csv", "walk;t;at;act\n0;0;0;1\n")
    assert gi.read_trajectories(file, world, **columns, delimiter=";").actions.tolist() == [[1]]
    with pytest.raises(
        ValueError, match=r"one column, 'walk;t;at;act': its cells are separated by semicolons \(delimiter=';'\)"
    ):
        gi.read_trajectories(file, world, **columns)
    with pytest.raises(ValueError, match="delimiter is ';;'; expected one character"):
        gi.read_trajectories(file, world, **columns, delimiter=";;")
    with pytest.raises(ValueError, match="delimiter= is for text files"):
        gi.read_trajectories(pd.DataFrame(), world, **columns, delimiter=";")
    assert read_table(write(tmp_path / "tabs.tsv", "a\tb\n1\tx, y\n"))[0].values.tolist() == [[1, "x, y"]]


def test_worlds_from_files_keep_names_apart(tmp_path):
    """A column of numbers beside one with a word: all of them are text, and no state exists twice."""
    file = write(tmp_path / "moves.csv", "state,action,next_state\n1,NA,2\n2,NA,end\n2,null,1\n")
    world = gi.from_table(file, terminal="end", discount=0.9)
    assert world.states == ("1", "2", "end")
    assert world.actions == ("NA", "null")
    write(tmp_path / "edges.csv", "source,target\n001,1\n1,NA\nNA,001\n")
    write(tmp_path / "town.toml", 'edges = "edges.csv"\ndiscount = 0.9\n')
    assert gi.read_world(tmp_path / "town.toml").states == ("001", "1", "NA")


def test_contexts_in_a_file_are_those_of_the_mapping(tmp_path):
    world = gi.from_arrays(np.ones((1, 2, 1)), discount=0.9)
    file = write(tmp_path / "walks.csv", "walk,t,at,act,day\n0,0,0,1,1\n1,0,0,0,2\n")
    columns = {"trajectory": "walk", "step": "t", "state": "at", "action": "act", "context": "day"}
    assert gi.read_trajectories(file, {"1": world, "2": world}, **columns).context_names == ("1", "2")
    assert gi.read_trajectories(file, {1: world, 2: world}, **columns).context_names == (1, 2)


# -- names that print alike ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "pair", [(1, "1"), ((0, 1), "0,1"), ((0, 1), "(0, 1)"), (True, "True"), (("a", "b"), ("a,b",))]
)
def test_names_that_print_alike_are_refused(pair):
    one, other = pair
    with pytest.raises(ValueError, match=r"the states .* and .* both print as .*; rename one"):
        gi.from_arrays(np.full((2, 2, 2), 0.5), states=pair, discount=0.9)
    if not isinstance(one, tuple):
        with pytest.raises(ValueError, match=r"the actions .* both print as"):
            gi.from_arrays(np.full((2, 2, 2), 0.5), actions=pair, discount=0.9)
    with pytest.raises(ValueError, match=r"the subjects .* both print as"):
        gi.data.Labels((0, 1), subjects=pair)
    with pytest.raises(ValueError, match=r"the trajectories .* both print as"):
        gi.data.Labels(pair)
    with pytest.raises(ValueError, match=r"the contexts .* both print as"):
        gi.data.Labels((0, 1), contexts=pair)
    table = pd.DataFrame({"walk": [0, 1], "t": 0, "at": 0, "act": 0, "who": pd.Series([one, other], dtype=object)})
    world = gi.from_arrays(np.ones((1, 2, 1)), discount=0.9)
    with pytest.raises(ValueError, match=r"the subjects .* both print as"):
        gi.read_trajectories(table, world, trajectory="walk", step="t", state="at", action="act", subject="who")


def test_options_that_print_alike_are_refused():
    one = gi.agents.soft_optimal(beta=1.0)
    with pytest.raises(ValueError, match="the options 1 and '1' both print as 1"):
        gi.one_of({1: one, "1": one})


@pytest.mark.parametrize("name", ["", None, float("nan"), pd.NA])
def test_names_that_mean_missing_are_refused(name):
    with pytest.raises(ValueError, match="which means a missing value in a table; rename it"):
        gi.from_arrays(np.full((2, 2, 2), 0.5), states=["a", name], discount=0.9)
    with pytest.raises(ValueError, match="which means a missing value in a table; rename it"):
        gi.from_arrays(np.full((2, 2, 2), 0.5), actions=["a", name], discount=0.9)


@pytest.mark.parametrize("largest", [2**53, -(2**53), 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63])
def test_large_numbers_beside_missing_cells_keep_all_digits(largest):
    """Missing cells make a column of floats, which hold whole numbers up to 2^53 only."""
    (column,) = as_names([pd.Series([str(largest), None, "7"])])
    assert [str(column[0]), str(column[2])] in ([str(largest), "7"], [str(float(largest)), "7.0"])
    assert int(column[0]) == largest
