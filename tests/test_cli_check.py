"""The command check: every kind of fault at once, in the words of the command line."""

import warnings

import pandas as pd
import pytest
from cli_tables import BASE, TABLE, written
from test_cli import refused, run

import goalinf as gi
from goalinf.cli import common
from goalinf.cli.words import in_options
from goalinf.inference.model.build import posterior_of, warn_unidentified
from goalinf.inference.model.models import StandardModel


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


FAULTY = """trajectory,step,row,col,action,who
0,0,0,0,right,al
0,1,0,9,right,al
0,2,0,2,fly,al
1,0,0,0,right,al
1,1,0,1,right,bo
1,1,0,1,right,al
2,zero,0,0,right,al
3,0,0,0,right,
4,0,0,0,right,al
4,3,0,2,up,al
,0,0,0,right,al
5,0,0,0,left,al
5,1,0,2,left,al
"""
EXPECTED = [
    "row 10, line 12 of walks.csv: the trajectory is missing",
    "row 6, line 8 of walks.csv: step 'zero' is a str; expected integers",
    "row 5, line 7 of walks.csv (trajectory 1, step 1): row 4, line 6 of walks.csv is the same step",
    "--trajectory subject --trajectory episode",
    "row 7, line 9 of walks.csv: the subject is missing",
    "row 4, line 6 of walks.csv (trajectory 1, step 1): the subject is bo, at the start of the trajectory it is al. If "
    "trajectories are numbered anew for each subject, name them by both columns: --trajectory trajectory --trajectory who",
    "row 1, line 3 of walks.csv (trajectory 0, step 1): unknown state (0, 9)",
    "row 2, line 4 of walks.csv (trajectory 0, step 2): unknown action 'fly': the actions are up, down, left, right",
    "row 11, line 13 of walks.csv (trajectory 5, step 0): action left in state s never leads to state a",
]


def test_check_lists_all_kinds_of_faults_in_the_words_of_the_command_line(folder):
    (folder / "walks.csv").write_text(FAULTY)
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2], "--subject", "who")
    refused(result, "walks.csv has 8 kinds of faults:", *EXPECTED)
    assert [line[:2] for line in result.stderr.splitlines()[1:]] == [f"{i}." for i in range(1, 9)]
    assert "=" not in result.stderr
    # One fault hides no other: each of them, mended by itself, takes one line away.
    lines = FAULTY.splitlines()
    (folder / "walks.csv").write_text("\n".join(line for line in lines if "zero" not in line))
    again = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2], "--subject", "who")
    refused(again, "walks.csv has 7 kinds of faults:")


def test_check_names_every_column_that_is_not_there(folder):
    words = ["--state", "rwo", "--state", "cl", "--action", "move", "--subject", "zoe"]
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *words)
    refused(result, "4 kinds", "'rwo' (--state): did you mean who or row?", "'move' (--action)", "'zoe' (--subject)")


def test_a_gap_in_the_steps_is_told_where_all_steps_are_numbers(folder):
    (folder / "walks.csv").write_text("trajectory,step,row,col,action\n0,0,0,0,right\n0,3,0,1,right\n0,4,0,1,right\n")
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2])
    refused(
        result, "2 kinds", "row 1, line 3 of walks.csv (trajectory 0, step 3): the step before it is 0", "never leads"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--missing", "right"], "--missing holds 'right', which is the name of an action of the world"),
        (["--delimiter", "ab"], "delimiter is 'ab'; expected one character"),
        (["--rename", "R"], "--rename R: expected OLD=NEW, or COLUMN:OLD=NEW"),
        (["--rename", "R=right"], "--rename R=right: no cell of column trajectory or row or col or action holds 'R'"),
        (
            ["--rename", "0=zero"],
            "columns trajectory, row, col hold '0'; name the column, as in --rename trajectory:0=zero",
        ),
        (
            ["--action", "code", "--rename", "R=right", "--rename", "code:R=left"],
            "--rename code:R=left: another --rename maps this word to right; remove one of them",
        ),
        (["--action", "code"], "unknown action 'R'"),
        (["--action", "rare"], "unknown action 'NA'"),
    ],
)
def test_wrong_options_of_check(folder, words, said):
    refused(run("check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2], *words), said)


def test_words_can_be_exchanged(folder):
    """Each word is replaced once: left for right and right for left."""
    rename = ["--rename", "action:right=left", "--rename", "action:left=right"]
    moves = TABLE.iloc[:3].assign(action=["left", "left", "right"])
    moves.to_csv(folder / "walks.csv", index=False)
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2], *rename)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["walks.tsv", "walks.parquet"])
def test_other_files(folder, name):
    if name.endswith("parquet"):
        TABLE.assign(number=TABLE.action.map({"right": 1, "up": 2})).to_parquet(folder / name)
        words = ["--action", "number", "--rename", "number:1=right", "--rename", "number:2=up"]
    else:
        words = []
    result = run("check", folder / name, "--world", folder / "hall.toml", *BASE[:-2], *words)
    assert result.exit_code == 0, result.output


def test_columns_that_look_like_subjects_are_pointed_out(folder):
    TABLE.rename(columns={"who": "participant", "day": "Condition"}).to_csv(folder / "walks.csv", index=False)
    base = ["check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2]]
    said = " ".join(run(*base).output.split())
    assert (
        "'participant' (2 values) is not used as the subject: all rows count as one subject. To use it, give --" in said
    )
    assert "'Condition' (2 values) is not used as the context: all rows count as one context." in said
    said = " ".join(run(*base, "--subject", "participant", "--context", "Condition").output.split())
    assert "is not used as" not in said


def test_messages_of_the_library_in_the_words_of_the_command_line():
    text = "Draw more (draws=), warm up longer (warmup=): trajectory=['who', 'walk']; action=; overwrite=True; a == b"
    assert in_options(text) == (
        "Draw more (--draws), warm up longer (--warmup): --trajectory who --trajectory walk; --action; --force; a == b"
    )


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda text: common._say(ValueError(text)), "\x1b[1;31merror: \x1b[0m\x1b[31m{}\x1b[0m\n"),
        (lambda text: common._warn(text), "\x1b[1;33mwarning: \x1b[0m{}\n"),
        (lambda text: common.say(text), "{}\n"),
    ],
)
def test_text_is_printed_as_it_is(write, expected, capsys, monkeypatch):
    """Brackets are no markup, and numbers and quoted words have the color of the text."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    text = "row 17, state 'C3': [red] is 3.5"
    write(text)
    written = capsys.readouterr()
    assert written.out + written.err == expected.format(text)


def test_a_warning_is_one_line_in_the_words_of_the_command_line(folder, monkeypatch):
    def infer(key, world, *, agent, reward, data, **_):
        warn_unidentified(posterior_of(StandardModel(world, agent, reward), data, key))
        raise ValueError("nothing is sampled here")

    monkeypatch.setattr(gi, "infer", infer)
    words = ["--world", folder / "hall.toml", *BASE, "--out", folder / "fit.nc"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warning, error = run("fit", folder / "walks.csv", *words).stderr.splitlines()
    assert warning.startswith("warning: agent.beta and reward.values both have a prior")
    assert "Remedy: a known beta (--beta NUMBER), or known values of the reward; goalinf show shows it" in warning
    assert ".py" not in warning
    assert error == "error: nothing is sampled here"


@pytest.mark.parametrize(
    ("name", "mark", "said"),
    [
        ("walks.csv", ";", "its cells are separated by semicolons (--delimiter ';')"),
        ("walks.csv", "\t", "its cells are separated by tabs: let the name of the file end in .tsv"),
        ("walks.tsv", ",", "its cells are separated by commas: let the name of the file end in .csv"),
    ],
)
def test_another_delimiter_is_named(folder, name, mark, said):
    TABLE.to_csv(folder / name, index=False, sep=mark)
    refused(run("check", folder / name, "--world", folder / "hall.toml", *BASE[:-2]), "the table has one column", said)


def test_a_world_file_is_corrected_by_its_own_keys(folder):
    pd.DataFrame({"from": ["a", "b"], "action": "go", "next_state": ["b", "a"]}).to_csv(
        folder / "moves.csv", index=False
    )
    (folder / "moves.toml").write_text('transitions = "moves.csv"\ndiscount = 0.9\n')
    result = run("check", folder / "walks.csv", "--world", folder / "moves.toml")
    refused(result, "moves.toml: the table has no column 'state'", "name the column with the key state")
    (folder / "moves.toml").write_text('transitions = "moves.csv"\nstate = ["from", "action"]\ndiscount = 0.9\n')
    result = run("check", folder / "walks.csv", "--world", folder / "moves.toml")
    refused(result, "such as state = ['row', 'col'] and next_state = ['to_row', 'to_col']")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target-accept", "2"], "--target-accept is 2.0; expected a number in (0, 1)"),
        (["--beta", "-1"], "--beta is -1"),
        (["--delimiter", ";;"], "--delimiter is ';;'; expected one character"),
    ],
)
def test_a_refused_value_is_named_by_its_option(folder, words, said):
    result = run(
        "fit", folder / "walks.csv", "--world", folder / "hall.toml", *BASE, *words, "--out", folder / "fit.nc"
    )
    refused(result, f"error: {said}")
