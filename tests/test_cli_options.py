"""Every option of the command line changes what it says, and nothing else; faults come all at once, in its words."""

import types

import jax
import pandas as pd
import pytest
import typer.main
from cli_tables import BASE, written
from test_cli import refused, run

import goalinf as gi
from goalinf import cli
from goalinf.cli import common, demo_command


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


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
