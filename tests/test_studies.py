"""Every study runs at toy size and leaves its files, what is committed is whole, and the runner makes one page of all."""

import csv
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STUDIES = Path(__file__).resolve().parents[1] / "studies"
SHORT = (
    "degenerate_pairs",
    "null_space_atlas",
    "procrastination",
    "restaurant_temptation",
)  # seconds, even at toy size
NAMES = sorted(script.parent.name for script in STUDIES.glob("*/study.py"))


def python(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def is_whole(folder):
    """Table, figure and manifest are there, they can be read, and every check held."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest) == {"name", "seed", "quick", "settings", "versions", "seconds", "checks"}
    assert manifest["checks"]
    assert [check for check in manifest["checks"] if not check["holds"]] == []
    with (folder / "table.csv").open(encoding="utf-8") as file:
        assert len(list(csv.reader(file))) > 1
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    return manifest


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_runs_at_toy_size(name, tmp_path):
    done = python(STUDIES / name / "study.py", "--quick", "--out", tmp_path / "new", "--seed", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = is_whole(tmp_path / "new")
    assert (manifest["name"], manifest["quick"], manifest["seed"]) == (name, True, 1)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["figure.png", "manifest.json", "table.csv"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed(name):
    manifest = is_whole(STUDIES / name)
    assert not manifest["quick"]
    assert (STUDIES / name / "figure.png").stat().st_size < 150_000
    text = (STUDIES / name / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)", text, re.MULTILINE)
    assert headings[1:] == ["Question", "Method", "Result", "What would have shown a bug"]
    assert "(figure.png)" in text
    assert "(table.csv)" in text


def test_page_of_all(tmp_path):
    name = "procrastination"
    done = python(STUDIES / "run.py", name, "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for source in re.findall(r'src="([^"]+)"', page):
        assert (tmp_path / source).exists()
    assert page.count("<section") == page.count("<img") == 1
    assert "✓" in page
    assert "✗" not in page
    assert "checks hold" in (tmp_path / name / "output.txt").read_text(encoding="utf-8")


@pytest.fixture
def house(tmp_path):
    """A copy of the runner with studies of its own: one is fine, a check of one does not hold, one breaks off."""
    bodies = {
        "fine": "return common.Result(table, figure, [common.same('one', 1, 1)], {})",
        "wrong": "return common.Result(table, figure, [common.reads('one', 1.2, '1.0')], {})",
        "broken": "raise ValueError('no reward left')",
    }
    for name in ("common.py", "run.py"):
        (tmp_path / name).write_text((STUDIES / name).read_text(encoding="utf-8"), encoding="utf-8")
    for name, body in bodies.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(f"# The {name} one\n\n## Question\n\nWhy?\n\n", encoding="utf-8")
        (tmp_path / name / "study.py").write_text(
            f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport common\nimport pandas as pd\n"
            "from matplotlib.figure import Figure\n\ndef study(quick, seed):\n"
            f"    table, figure = pd.DataFrame({{'x': [1]}}), Figure()\n    {body}\n\ncommon.run(__file__, study)\n",
            encoding="utf-8",
        )
    return tmp_path


def test_one_that_fails_stops_no_other(house):
    done = python(house / "run.py")
    assert done.returncode == 1
    assert "no reward left" in done.stdout
    assert "one: 1.2, expected 1.0" in done.stdout
    assert is_whole(house / "fine")["checks"] == [{"name": "one", "found": 1, "expected": 1, "holds": True}]
    assert sorted(path.name for path in (house / "broken").iterdir()) == ["README.md", "output.txt", "study.py"]
    assert not json.loads((house / "wrong" / "manifest.json").read_text(encoding="utf-8"))["checks"][0]["holds"]
    page = (house / "index.html").read_text(encoding="utf-8")
    assert page.count("failed (exit code 1)") == 2
    assert "There are no results" in page
    assert page.count("✗") == 2  # among the checks, and in what the study said


def test_wrong_input_is_an_error_in_words(house):
    before = sorted(house.rglob("*"))
    done = python(house / "run.py", "fine", "hunger")
    assert done.returncode == 2
    assert "unknown study hunger: the studies are broken, fine, wrong" in done.stderr
    for script in (house / "run.py", house / "fine" / "study.py"):
        done = python(script, "--quick")
        assert done.returncode == 2
        assert "--quick would overwrite the results of the full size: give --out, too" in done.stderr
    assert [path for path in sorted(house.rglob("*")) if "__pycache__" not in path.parts] == before


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    return importlib.import_module("common")


@pytest.mark.parametrize(
    ("found", "digits", "holds"),
    [(0.00564, ".0056", True), (0.00566, ".0056", False), (4.9664e-4, "4.966e-4", True), (112.76, "112.7", False)],
)
def test_printed_digits(common, found, digits, holds):
    assert common.reads("x", found, digits).holds == holds
    assert not common.reads("x", float("nan"), digits).holds


def test_standard_errors(common):
    assert common.within("x", 1.39, 1.0, 0.1).holds
    assert not common.within("x", 1.41, 1.0, 0.1).holds
    assert not common.within("x", float("nan"), 1.0, 0.1).holds


# -- stopped at any time ---------------------------------------------------------------------------


def write(common, folder, number):
    table, figure = common.pd.DataFrame({"x": [number]}), common.Figure()
    manifest = {"name": "one", "seed": 0, "quick": False, "settings": {"x": number}, "versions": {}, "seconds": 0.0}
    common.write(folder, table, figure, {**manifest, "checks": [common.same("x", 1, 1)._asdict()]})


@pytest.mark.parametrize("moves", range(4))
def test_results_of_two_runs_are_never_taken_for_one(common, tmp_path, monkeypatch, moves):
    """However far the renames came: table and figure of one run never stand beside the manifest of another."""
    write(common, tmp_path, 1)
    replace, done = os.replace, []

    def killed(source, target):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    if moves < 3:
        with pytest.raises(KeyboardInterrupt):
            write(common, tmp_path, 2)
    else:
        write(common, tmp_path, 2)
    manifest = tmp_path / "manifest.json"
    assert manifest.exists() == (moves == 3)
    if moves == 3:
        assert json.loads(manifest.read_text(encoding="utf-8"))["settings"] == {"x": 2}
        assert (tmp_path / "table.csv").read_text(encoding="utf-8") == "x\n2\n"


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_control_c_stops_all_studies(house):
    """One sentence, exit code 130, no study left running, no results touched."""
    started = house / "started"
    (house / "fine" / "study.py").write_text(
        f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n", encoding="utf-8"
    )
    (house / "wrong" / "output.txt").write_text("as it was", encoding="utf-8")
    command = [sys.executable, str(house / "run.py"), "fine", "wrong", "--jobs", "1"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    while not (started.exists() and started.read_text(encoding="utf-8")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].startswith("Interrupted: ")
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text(encoding="utf-8")), 0)
    assert (house / "wrong" / "output.txt").read_text(encoding="utf-8") == "as it was"
    assert not (house / "index.html").exists()
    assert not (house / "fine" / "output.txt").exists()


def test_no_worker_is_forked():
    """A fork of a process that has used JAX hangs: processes are started anew."""
    root = STUDIES.parent
    sources = [file for room in ("goalinf", "models", "studies", "benchmarks") for file in (root / room).rglob("*.py")]
    forks = re.compile(r"os\.fork|multiprocessing|ProcessPoolExecutor|joblib")
    texts = {str(file): file.read_text(encoding="utf-8") for file in sources}
    spawned = 'get_context("spawn")'
    assert [name for name, text in texts.items() if forks.search(text) and spawned not in text] == []
