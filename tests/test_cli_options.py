"""Every option of the command line changes what it says, and nothing else; faults come all at once, in its words."""

import types
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
import typer.main
from test_cli import HALL, WALKS, refused, run

import goalinf as gi
from goalinf import cli
from goalinf.cli import common, demo_command
from goalinf.cli.words import in_options
from goalinf.inference.model.build import posterior_of, warn_unidentified
from goalinf.inference.model.models import StandardModel

TABLE = WALKS.drop(columns="state").assign(
    other=lambda t: t.trajectory + 5,
    time=lambda t: t.step + 10,
    who=lambda t: np.where(t.trajectory == 2, "bo", "al"),
    day=lambda t: np.where(t.trajectory == 1, "mon", "tue"),
    act=lambda t: t.action.replace({"up": "down"}),
    across=0,
    code=lambda t: t.action.replace({"right": "R"}),
    rare=lambda t: t.action.replace({"up": "NA"}),
)
BASE = ["--state", "row", "--state", "col", "--action", "action", "--on", "departure"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hall.toml").write_text(HALL)
    (tmp_path / "slow.toml").write_text(HALL.replace("0.9", "0.5"))
    TABLE.to_csv(tmp_path / "walks.csv", index=False)
    TABLE.to_csv(tmp_path / "walks.tsv", index=False, sep="\t")
    TABLE.to_csv(tmp_path / "semicolons.csv", index=False, sep=";")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Arguments that gi.infer receives; nothing is sampled."""
    found = {}

    def infer(key, world, **given):
        found.clear()
        found.update(given, key=key, world=world)
        raise ValueError("nothing is sampled here")

    monkeypatch.setattr(gi, "infer", infer)
    return found


def told(asked):
    """Everything that gi.infer was asked for, in plain values."""
    data, reward, beta = asked["data"], asked["reward"], asked["agent"].parameters["beta"]
    prior = reward.values
    return {
        "seed": jax.random.key_data(asked["key"]).tolist(),
        "discount": float(asked["world"].mdp.discount),
        "agent": type(asked["agent"].planner).__name__ + str(getattr(asked["agent"].planner, "backup", "")),
        "beta": (type(beta).__name__, *[float(getattr(beta, name)) for name in beta.arg_constraints]),
        "reward": type(reward).__name__,
        "on": getattr(reward, "on", None),
        "prior": (type(prior).__name__, float(prior.loc), float(prior.scale)),
        "states": data.states.tolist(),
        "actions": data.actions.tolist(),
        "trajectories": data.trajectory_names,
        "steps": data.labels.columns["step"],
        "subjects": data.subject_names,
        "contexts": data.context_names,
        **{name: asked[name] for name in ("chains", "draws", "warmup", "method", "target_accept")},
        "search": asked["steps"],
    }


def asks(folder, asked, words, table="walks.csv"):
    base = ["--world", folder / "hall.toml", *BASE, "--out", folder / "fit.nc"]
    result = run("fit", folder / table, *base, *words)
    refused(result, "nothing is sampled here")
    return told(asked)


DEFAULT = {
    "seed": [0, 0], "discount": 0.9, "agent": "ValueIterationsoft", "beta": ("LogNormal", 0.0, 1.0),
    "reward": "StateReward", "on": "departure", "prior": ("Normal", 0.0, 1.0), "trajectories": (0, 1, 2),
    "steps": "step", "subjects": (0,), "contexts": (0,), "chains": None, "draws": 1000, "warmup": None,
    "method": "auto", "search": None, "target_accept": None,
}  # fmt: skip
CHANGES = {
    "seed": (["--seed", "7"], {"seed": [0, 7]}),
    "world": (["--world", "{}/slow.toml"], {"discount": 0.5}),
    "agent": (["--agent", "boltzmann"], {"agent": "ValueIterationhard"}),
    "beta": (["--beta", "gamma(2,3)"], {"beta": ("Gamma", 2.0, 3.0)}),
    "on": (["--on", "arrival"], {"on": "arrival"}),
    "prior-sd": (["--prior-sd", "2.5"], {"prior": ("Normal", 0.0, 2.5)}),
    "chains": (["--chains", "3"], {"chains": 3}),
    "draws": (["--draws", "77"], {"draws": 77}),
    "warmup": (["--warmup", "55"], {"warmup": 55}),
    "method": (["--method", "nuts"], {"method": "nuts"}),
    "steps": (["--method", "laplace", "--steps", "9"], {"method": "laplace", "search": 9}),
    "target-accept": (["--target-accept", "0.99"], {"target_accept": 0.99}),
    "trajectory": (["--trajectory", "other"], {"trajectories": (5, 6, 7)}),
    "step": (["--step", "time"], {"steps": "time"}),
    "action": (["--action", "act"], {"actions": [[3, 3, 3, 1]] * 3}),
    "subject": (["--subject", "who"], {"subjects": ("al", "bo")}),
    "context": (["--context", "day"], {"contexts": ("mon", "tue")}),
    # The last row of each walk has no action: the visit to the last state.
    "missing": (["--action", "rare", "--missing", "NA"], {"actions": [[3, 3, 3]] * 3, "states": [[0, 1, 2, 2]] * 3}),
    "rename": (["--action", "code", "--rename", "code:R=right"], {}),
}


def test_what_fit_asks_for_by_default(folder, asked):
    found = asks(folder, asked, [])
    assert {name: found[name] for name in DEFAULT} == DEFAULT
    assert found["states"] == [[0, 1, 2, 2, -1]] * 3
    assert found["actions"] == [[3, 3, 3, 0]] * 3


@pytest.mark.parametrize("option", CHANGES)
def test_an_option_of_fit_changes_what_it_says_and_nothing_else(folder, asked, option):
    words, changed = CHANGES[option]
    default = asks(folder, asked, [])
    assert asks(folder, asked, [word.format(folder) for word in words]) == {**default, **changed}


def test_the_state_the_reward_and_the_delimiter(folder, asked):
    default = asks(folder, asked, [])
    assert asks(folder, asked, ["--delimiter", ";"], table="semicolons.csv") == default
    assert asks(folder, asked, [], table="walks.tsv") == default
    across = ["--world", folder / "hall.toml", "--state", "across", "--state", "col", "--action", "action"]
    refused(run("fit", folder / "walks.csv", *across, "--on", "arrival", "--out", folder / "fit.nc"), "sampled here")
    assert told(asked)["states"] == default["states"]
    words = ["--state", "row", "--state", "col", "--action", "action", "--reward", "action"]
    refused(
        run("fit", folder / "walks.csv", "--world", folder / "hall.toml", *words, "--out", folder / "fit.nc"), "here"
    )
    assert (told(asked)["reward"], told(asked)["on"]) == ("ActionReward", None)


def options_of(command):
    found = typer.main.get_command(cli.app).commands[command].params
    return {param.opts[0].removeprefix("--") for param in found if param.opts[0].startswith("--")} - {"help"}


# Options that are shown to do what they say in tests of their own.
ELSEWHERE = {"out", "force", "state", "reward", "delimiter", "checkpoint", "resume"}


def test_no_option_is_left_out():
    assert options_of("fit") - ELSEWHERE <= set(CHANGES)
    assert options_of("check") <= {*CHANGES, "state", "delimiter"}
    assert options_of("show") == {"plot", "page", "force"}  # in test_cli
    assert options_of("demo") == {"seed", "force"}


@pytest.mark.parametrize("option", sorted(options_of("check") - {"world", "state", "delimiter"}))
def test_check_reads_as_fit_does(folder, asked, monkeypatch, option):
    """The same words give the same data: what check describes is what fit fits."""
    words = CHANGES[option][0]
    asks(folder, asked, words)
    read = []
    original = cli.column_options.read
    monkeypatch.setattr(cli.column_options, "read", lambda *given: read.append(original(*given)) or read[-1])
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *BASE[:-2], *words)
    assert result.exit_code == 0, result.output
    assert read[0].data_hash() == asked["data"].data_hash()
    assert read[0].labels.columns == asked["data"].labels.columns
    assert str(read[0]).splitlines()[0] in result.output


def test_force_replaces_a_fit_and_nothing_else_does(folder, monkeypatch):
    class Found:
        heading = "found"
        tree = types.SimpleNamespace(attrs={})

        def save(self, path, *, overwrite):
            assert overwrite == (path.name == "old.nc")
            path.write_text("new")

    monkeypatch.setattr(gi, "infer", lambda *_, **__: Found())
    (folder / "old.nc").write_text("old")
    base = [folder / "walks.csv", "--world", folder / "hall.toml", *BASE]
    refused(run("fit", *base, "--out", folder / "old.nc"), "old.nc exists already", "--force")
    assert (folder / "old.nc").read_text() == "old"
    assert run("fit", *base, "--out", folder / "old.nc", "--force").exit_code == 0
    assert (folder / "old.nc").read_text() == "new"
    assert run("fit", *base, "--out", folder / "new.nc").exit_code == 0
    assert (folder / "new.nc").read_text() == "new"


def test_fit_says_that_subjects_and_contexts_are_pooled(folder, monkeypatch):
    infer = gi.infer

    def quick(key, world, *, agent, reward, data, **_):
        return infer(key, world, agent=agent, reward=reward, data=data, draws=10, method="laplace")

    monkeypatch.setattr(gi, "infer", quick)
    base = ["fit", folder / "walks.csv", "--world", folder / "hall.toml", *BASE, "--beta", "1.0"]
    words = ["--subject", "who", "--context", "day", "--out", folder / "pooled.nc"]
    said = " ".join(run(*base, *words).output.split())
    assert "Pooled: 2 subjects and 2 contexts share one set of parameters" in said
    assert "Pooled" not in run(*base, "--out", folder / "alone.nc").output
    assert "Pooled: 2 subjects and 2 contexts" in " ".join(run("show", folder / "pooled.nc").output.split())


def test_options_of_demo(tmp_path, asked):
    for words, seed in (([], 0), (["--seed", "3"], 3)):
        refused(run("demo", tmp_path / "demo", *words), "nothing is sampled here")
        assert jax.random.key_data(asked["key"]).tolist() == [0, seed]
        assert asked["draws"] == demo_command.DRAWS
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "walks.csv").write_text("mine")
    refused(run("demo", tmp_path / "demo"), "exists already", "--force")
    refused(run("demo", tmp_path / "demo", "--force"), "nothing is sampled here")
    assert (tmp_path / "demo" / "walks.csv").read_text() == "mine"


def test_every_column_of_a_summary_is_under_its_name(capsys):
    numbers = {"mean": 1.5, "sd": 2.5, "eti94_lb": -3.5, "eti94_ub": 4.5, "ess_bulk": 567.0, "r_hat": 1.012}
    common.show_summary(pd.DataFrame([numbers], index=["agent.beta"]))
    head, row = capsys.readouterr().out.splitlines()[1:3]
    assert head.split() == ["parameter", "mean", "sd", "3", "%", "97", "%", "ESS", "R-hat"]
    assert row.split() == ["agent.beta", "1.50", "2.50", "-3.50", "4.50", "567", "1.012"]


# -- check ---------------------------------------------------------------------------------------


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
