"""The command line: what it prints and writes, and that wrong input leaves nothing behind."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import goalinf as gi
from goalinf import cli
from goalinf.cli import common, demo_command

HALL = 'map = "s.a"\ndiscount = 0.9\n'
WALKS = pd.DataFrame(
    {
        "trajectory": np.repeat([0, 1, 2], 4),
        "step": np.tile(np.arange(4), 3),
        "state": [(0, 0), (0, 1), (0, 2), (0, 2)] * 3,
    }
).assign(row=0, col=lambda table: [state[1] for state in table.state], action=["right", "right", "right", "up"] * 3)
COLUMNS = ["--state", "row", "--state", "col", "--action", "action"]
TOY = ["--chains", "2", "--draws", "20", "--warmup", "50", "--beta", "2.0"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hall.toml").write_text(HALL)
    WALKS.drop(columns="state").to_csv(tmp_path / "walks.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A small fit, made by the command line itself."""
    folder = tmp_path_factory.mktemp("fitted")
    (folder / "hall.toml").write_text(HALL)
    WALKS.drop(columns="state").to_csv(folder / "walks.csv", index=False)
    result = run("fit", folder / "walks.csv", "--world", folder / "hall.toml", *COLUMNS, *TOY, "--on", "departure",
                 "--out", folder / "hall.nc")  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder, result


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def refused(result, *said, code=1):
    """One message on the error stream, no traceback, this exit code."""
    assert result.exit_code == code, result.output
    message = " ".join(result.stderr.split())
    for part in said:
        assert part in message
    assert "Traceback" not in result.output
    if code == 1:
        assert result.stderr.startswith("error: ")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# -- help ----------------------------------------------------------------------------------------


def test_help_and_version():
    for words in ([], ["demo"], ["fit"], ["show"], ["check"]):
        result = run(*words, "--help")
        assert result.exit_code == 0
        assert "goalinf" in result.output
    assert run("--version").output == f"goalinf {gi.__version__}\n"
    assert run("fit").exit_code == 2  # no table: how the command is used, not what it was given


# -- check ---------------------------------------------------------------------------------------


def test_check_describes_world_and_table(folder):
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml", *COLUMNS)
    assert result.exit_code == 0, result.output
    for said in ("3 states, 4 actions", "ossible errors", "3 trajectories", "3 of 3 states visited", "Every row fits"):
        assert said in result.output


def test_check_reports_findings_of_the_world(folder):
    (folder / "odd.toml").write_text('map = "s.#a"\ndiscount = 0.9\n')
    WALKS.query("step < 2").drop(columns="state").to_csv(folder / "walks.csv", index=False)
    result = run("check", folder / "walks.csv", "--world", folder / "odd.toml", *COLUMNS)
    assert result.exit_code == 0, result.output
    assert "unreachable" in result.output


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        ({}, ["--state", "place"], "place"),
        ({"col": 9}, COLUMNS, "row 0, line 2 of walks.csv"),
        ({"action": "fly"}, COLUMNS, "fly"),
        ({"step": 0}, COLUMNS, "step"),
    ],
)
def test_check_names_what_is_wrong(folder, change, words, said):
    table = WALKS.drop(columns="state").assign(**change)
    table.to_csv(folder / "walks.csv", index=False)
    refused(run("check", folder / "walks.csv", "--world", folder / "hall.toml", *words), said)


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (None, "there is no file"),
        ("map = ", "is not a TOML file"),
        ('map = "s.a"', "discount is missing"),
        ('map = "s.a"\ndiscount = 2', "discount"),
        ('map = """\ns.a\n..\n"""\ndiscount = 0.9', "make all lines equally long"),
    ],
)
def test_a_bad_world_file(folder, world, said):
    if world is None:
        (folder / "hall.toml").unlink()
    else:
        (folder / "hall.toml").write_text(world)
    refused(run("check", folder / "walks.csv", "--world", folder / "hall.toml", *COLUMNS), "hall.toml", said)


def test_a_missing_table(folder):
    refused(run("check", folder / "none.csv", "--world", folder / "hall.toml"), "none.csv")


def test_debug_shows_the_error_itself(folder):
    result = run("--debug", "check", folder / "none.csv", "--world", folder / "hall.toml")
    assert isinstance(result.exception, FileNotFoundError)
    assert run("check", folder / "none.csv", "--world", folder / "hall.toml").exit_code == 1


def test_an_unexpected_error_says_how_to_report_it(folder, monkeypatch):
    def fail(*_):
        raise TypeError("oops")

    monkeypatch.setattr("goalinf.cli.column_options.read", fail)
    result = run("check", folder / "walks.csv", "--world", folder / "hall.toml")
    refused(result, "unexpected TypeError: oops", "--debug")


# -- fit and show --------------------------------------------------------------------------------


def test_fit_saves_what_load_reads(fitted):
    folder, result = fitted
    assert names(folder) == ["hall.nc", "hall.toml", "walks.csv"]
    assert "converged" in result.output.lower()
    again = gi.load(folder / "hall.nc")
    assert again.posterior["reward.values"].shape == (2, 20, 3)
    assert again.reward.on == "departure"


def test_show_prints_summary_audit_and_settings(fitted, tmp_path):
    folder, _ = fitted
    picture = tmp_path / "reward.png"
    result = run("show", folder / "hall.nc", "--plot", picture)
    assert result.exit_code == 0, result.output
    for said in ("reward.values[a]", "R-hat", "Audit of the posterior", "Settings:", "seed [0, 0]", "reward.png"):
        assert said in result.output.replace("\n", " ")
    assert picture.read_bytes().startswith(b"\x89PNG")
    refused(run("show", folder / "hall.nc", "--plot", picture), "reward.png", "exists already", "--force")
    refused(run("show", folder / "hall.nc", "--plot", tmp_path / "reward.docx"), ".png")


def test_show_writes_the_whole_audit(fitted, tmp_path):
    folder, _ = fitted
    page = tmp_path / "audit.html"
    result = run("show", folder / "hall.nc", "--page", page)
    assert result.exit_code == 0, result.output
    assert "next data set" in result.output or "Not computed" in result.output
    assert "<h2>Figures</h2>" in page.read_text(encoding="utf-8")
    refused(run("show", folder / "hall.nc", "--page", page), "audit.html", "exists already", "--force")
    refused(run("show", folder / "hall.nc", "--page", tmp_path / "audit.pdf"), ".html")


def test_show_refuses_what_is_no_fit(fitted, tmp_path):
    folder, _ = fitted
    broken = tmp_path / "broken.nc"
    broken.write_bytes((folder / "hall.nc").read_bytes()[:2000])
    refused(run("show", broken), "broken.nc")
    refused(run("show", tmp_path / "none.nc"), "none.nc")


def test_an_existing_fit_is_kept(fitted):
    folder, _ = fitted
    before = (folder / "hall.nc").read_bytes()
    result = run("fit", folder / "walks.csv", "--world", folder / "hall.toml", *COLUMNS, *TOY, "--on", "departure",
                 "--out", folder / "hall.nc")  # fmt: skip
    refused(result, "hall.nc exists already", "--force")
    assert (folder / "hall.nc").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "{}/no/such/fit.nc"], "there is no folder"),
        (["--out", "{}/walks.csv/fit.nc"], "is not a folder"),
        (["--out", "{}/fit.txt"], ".nc or .zarr"),
        (["--out", "{}/fit.nc", "--reward", "action", "--on", "arrival"], "--on belongs to --reward state"),
        (["--out", "{}/fit.nc", "--prior-sd", "0"], "expected a positive number"),
        (["--out", "{}/fit.nc", "--prior-sd", "inf"], "expected a positive number"),
        (["--out", "{}/fit.nc", "--on", "arrival", "--beta", "-1"], "beta is -1"),
        (["--out", "{}/fit.nc", "--on", "arrival", "--subject", "who"], "who"),
        (["--out", "{}/fit.nc", "--on", "arrival", "--world", "{}/none.toml"], "there is no file"),
    ],
)
def test_fit_refuses_before_it_computes(folder, words, said):
    before = names(folder)
    given = [word.format(folder) for word in words]
    if "--on" not in given:
        given += ["--on", "departure"] if "--reward" not in given else []
    result = run("fit", folder / "walks.csv", "--world", folder / "hall.toml", *COLUMNS, *given)
    refused(result, said)
    assert names(folder) == before


def test_fit_asks_when_the_value_is_collected(folder):
    result = run("fit", folder / "walks.csv", "--world", folder / "hall.toml", *COLUMNS, "--out", folder / "fit.nc")
    refused(result, "--on departure")


@pytest.mark.parametrize(
    "beta",
    ["much", "normal(0,1)", "lognormal(0)", "lognormal(0,-1)", "gamma(0,1)", "lognormal(0,x)", "lognormal(1e400,1)"],
)
def test_an_unknown_prior_is_a_usage_error(folder, beta):
    result = run(
        "fit", folder / "walks.csv", "--world", folder / "hall.toml", "--out", folder / "fit.nc", "--beta", beta
    )
    refused(result, "lognormal(a,b)", code=2)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("2.5", ("", (2.5,))),
        ("lognormal(0, 1)", ("LogNormal", (0.0, 1.0))),
        ("HalfNormal(3)", ("HalfNormal", (3.0,))),
        ("gamma(2,.5)", ("Gamma", (2.0, 0.5))),
        ("exponential(1e-1)", ("Exponential", (0.1,))),
    ],
)
def test_priors_of_beta(text, parsed):
    from goalinf.cli.fit_options import parse_beta

    assert parse_beta(text) == parsed


# -- demo ----------------------------------------------------------------------------------------


def test_demo_writes_its_files_once(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_command, "DRAWS", 20)
    monkeypatch.setattr(gi, "infer", partial(gi.infer, chains=2, warmup=50))
    folder = tmp_path / "a" / "demo"
    result = run("demo", folder)
    assert result.exit_code == 0, result.output
    assert names(folder) == sorted(demo_command._OUTPUTS)
    assert "agent.beta" in result.output
    assert "Audit of the posterior" in result.output
    assert pd.read_csv(folder / "summary.csv", index_col="parameter").index[0] == "agent.beta"
    assert set(pd.read_csv(folder / "audit.csv").columns) == {"quantity", "value", "meaning"}
    assert gi.load(folder / "fit.nc").posterior.sizes["draw"] == 20
    stamps = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(gi, "infer", None)  # the second refusal comes before anything is computed
    refused(run("demo", folder), "exists already", "--force")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps
    checked = run("check", folder / "walks.csv", "--world", folder / "town.toml", *COLUMNS)
    assert checked.exit_code == 0, checked.output


def test_files_of_an_earlier_demo_are_replaced(tmp_path):
    scratch, folder = tmp_path / "scratch", tmp_path / "a" / "demo"
    scratch.mkdir()
    for text in ("first", "second"):
        for name in demo_command._OUTPUTS:
            (scratch / name).write_text(text)
        demo_command._deliver(scratch, folder)
        assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(demo_command._OUTPUTS, text)


def test_demo_that_fails_writes_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no luck")

    monkeypatch.setattr(gi, "infer", fail)
    refused(run("demo", tmp_path / "demo"), "no luck")
    assert names(tmp_path) == []


def test_demo_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    refused(run("demo", tmp_path / "file"), "is a file")
    refused(run("demo", tmp_path / "file" / "demo"), "cannot be created")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_walks_of_the_demo_are_those_of_its_readme():
    """Simulated as said: the recipe in the README makes the table that ships."""
    import re
    from importlib.resources import files

    text = (files("goalinf") / "demo_data" / "README.md").read_text(encoding="utf-8")
    assert "simulated" in text
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    code = (
        code.replace('"town.toml"', "town_file")
        .rsplit(".to_csv", 1)[0]
        .replace("walks.to_frame()", "made = walks.to_frame()")
    )
    scope = {"town_file": str(files("goalinf") / "demo_data" / "town.toml")}
    exec(code, scope)
    shipped = pd.read_csv(str(files("goalinf") / "demo_data" / "walks.csv"))
    pd.testing.assert_frame_equal(scope["made"].reset_index(drop=True), shipped, check_dtype=False)


def test_long_summaries_show_the_extremes(capsys):
    index = ["agent.beta", *[f"reward.values[{i}]" for i in range(100)]]
    columns = ["mean", "sd", "eti94_lb", "eti94_ub", "ess_bulk", "r_hat"]
    summary = pd.DataFrame(np.arange(101.0)[:, None] + np.zeros(6), index=index, columns=columns)
    common.show_summary(summary)
    out = capsys.readouterr().out
    assert all(name in out for name in ("agent.beta", "reward.values[99]", "reward.values[0]"))
    assert "reward.values[50]" not in out
    assert "62 of 101 rows" in out


def test_the_cache_goes_where_the_user_keeps_caches(tmp_path, monkeypatch):
    """In a process of its own: the setting is global to JAX."""
    import os
    import subprocess
    import sys

    code = (
        "import jax; from goalinf.cli import common; common.compile_once(); print(jax.config.jax_compilation_cache_dir)"
    )
    plain = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {"XDG_CACHE_HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(tmp_path / "goalinf" / "jax")
    chosen = plain | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")}
    ran = subprocess.run([sys.executable, "-c", code], env=chosen, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(tmp_path / "mine")
