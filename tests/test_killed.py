"""Programs that are killed at random times leave nothing half-written that passes for whole. Minutes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import goalinf as gi
from goalinf.cli.demo_command import _OUTPUTS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")]
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from goalinf.inference.results import checkpoint; checkpoint.SECONDS = 0.0; from goalinf.__main__ import main; main()",
]
FIT = ["walks.csv", "--world", "town.toml", "--state", "row", "--state", "col", "--action", "action", "--on", "arrival"]
TIMES = 4


def stopped(command, folder, number, seconds):
    """Send a signal after some seconds; the exit code and what was said."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        return process.wait(seconds), *process.communicate()
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err


def lasts(command, folder):
    begun = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - begun


def check_silence(code, err, number):
    """Ctrl-C says one sentence, whenever it comes."""
    assert code in ({0, 130} if number == signal.SIGINT else {0, -number})
    lines = [line for line in err.splitlines() if line.startswith("Interrupted")]
    assert len(lines) == (code == 130)
    assert "Traceback" not in err


@pytest.fixture
def folder(tmp_path):
    for name in ("walks.csv", "town.toml"):
        (tmp_path / name).write_bytes((ROOT / "goalinf" / "demo_data" / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "control_c"])
def test_fit(folder, number):
    command = [*PROGRAM, "fit", *FIT, "--beta", "2.0", "--draws", "2000", "--force", "--out", "fit.nc"]
    whole = lasts(command, folder)
    times = random.Random(0)
    for attempt in range(TIMES):
        checkpoint = f"run{attempt}.nc"
        code, _, err = stopped([*command, "--checkpoint", checkpoint], folder, number, times.uniform(0.5, 1.2 * whole))
        check_silence(code, err, number)
        for name in ("fit.nc", checkpoint):
            if (folder / name).exists():
                assert gi.load(folder / name).n_draws > 0
    subprocess.run([*command], cwd=folder, check=True, capture_output=True)
    assert [name for name in os.listdir(folder) if name.startswith(".fit.nc")] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "control_c"])
def test_demo(folder, number):
    command = [*PROGRAM, "demo", "out", "--force"]
    whole = lasts(command, folder)
    times = random.Random(1)
    for _ in range(TIMES):
        for file in (folder / "out").iterdir():
            file.unlink()
        code, _, err = stopped(command, folder, number, times.uniform(0.5, 1.1 * whole))
        check_silence(code, err, number)
        found = {name for name in os.listdir(folder / "out") if not name.startswith(".")}
        if "fit.nc" in found:
            assert gi.load(folder / "out" / "fit.nc").n_draws == 1000
        if code in (0, 130):
            assert found in (set(), set(_OUTPUTS))


def test_studies(tmp_path):
    command = [sys.executable, str(ROOT / "studies" / "procrastination" / "study.py"), "--quick", "--out", "."]
    whole = lasts(command, tmp_path)
    times = random.Random(2)
    for _ in range(TIMES):
        stopped(command, tmp_path, signal.SIGKILL, times.uniform(0.5, 1.1 * whole))
        if (tmp_path / "manifest.json").exists():
            assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["name"] == "procrastination"
            assert (tmp_path / "figure.png").read_bytes().endswith(b"IEND\xaeB`\x82")
            assert (tmp_path / "table.csv").read_bytes().endswith(b"\n")
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert sorted(os.listdir(tmp_path)) == ["figure.png", "manifest.json", "table.csv"]
