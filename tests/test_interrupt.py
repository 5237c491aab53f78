"""Ctrl-C is heeded between two steps, keeps what there is, and ends the command line with one sentence."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from typer.testing import CliRunner

import goalinf as gi
from goalinf import cli, interrupt
from goalinf.cli import common
from goalinf.cli.ctrl_c import Listener
from goalinf.identify.audit import refits
from goalinf.inference.results.checkpoint import Checkpoint
from goalinf.inference.samplers.imh import IndependentChains
from goalinf.precision import computing_in

HALL = gi.gridworld("s.a", discount=0.9)
AGENT = gi.agents.soft_optimal(beta=2.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
SIZE = {"chains": 2, "draws": 250}


@pytest.fixture(autouse=True)
def hears():
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt.forget()
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def walks():
    wants = gi.StateReward([0.0, 0.0, 1.0], on="departure")
    return gi.simulate(jax.random.key(0), HALL, AGENT, wants, trajectories=3, steps=4)


def press():
    signal.raise_signal(signal.SIGINT)


# -- the library -----------------------------------------------------------------------------------


def test_it_waits_for_a_place_to_stop():
    reached = []

    def work():
        with interrupt.deferred():
            press()
            reached.append("after the press")
            interrupt.heed()
            reached.append("after the place to stop")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["after the press"]


def test_it_waits_for_the_end_of_the_block_at_most():
    reached = []

    def work():
        with computing_in("float64"), computing_in("float32"):
            press()
            reached.append("end")
        reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["end"]
    interrupt.heed()  # nothing is left of it


def test_the_second_time_it_does_not_wait():
    reached = []

    def work():
        with interrupt.deferred():
            press()
            reached.append("after the first")
            press()
            reached.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["after the first"]


def test_a_request_that_is_done_is_forgotten():
    with interrupt.deferred():
        press()
        interrupt.forget()


def test_other_handlers_are_left_alone():
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    with interrupt.deferred():
        press()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [1]


def test_other_threads_are_left_alone():
    handlers = []

    def work():
        with interrupt.deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_while_jax_traces_a_model():
    traced = []

    def model(data):
        mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
        press()
        traced.append("to the end")
        numpyro.sample("x", dist.Normal(mean, 1.0), obs=data)

    with pytest.raises(KeyboardInterrupt):
        gi.infer(jax.random.key(0), model=model, data=np.zeros(3), draws=10)
    assert traced == ["to the end"]


def test_while_the_draws_are_put_together(walks, monkeypatch):
    """All draws are there: nothing is lost, and nothing is left to interrupt."""
    write = Checkpoint.write

    def pressed(self, sampled):
        press()
        return write(self, sampled)

    monkeypatch.setattr(Checkpoint, "write", pressed)
    fit = gi.infer(jax.random.key(0), HALL, agent=AGENT, reward=PRIOR, data=walks, **SIZE)
    assert fit.posterior.sizes["draw"] == 250
    assert gi.resume(fit, draws=50).posterior.sizes["draw"] == 300


def pressed_in_part(monkeypatch, part):
    """Ctrl-C while this part of the kept draws is being made."""
    advance, calls = IndependentChains.advance, []

    def pressed(chains, *args, **options):
        calls.append(options.get("kept", True))
        if sum(calls) == part:
            press()
        return advance(chains, *args, **options)

    monkeypatch.setattr(IndependentChains, "advance", pressed)


def test_between_two_parts_of_the_draws(walks, monkeypatch):
    pressed_in_part(monkeypatch, 2)
    fit = gi.infer(jax.random.key(0), HALL, agent=AGENT, reward=PRIOR, data=walks, **SIZE)
    assert fit.posterior.sizes["draw"] == 100
    assert fit.tree.attrs["interrupted"] == 1


def test_a_run_that_goes_on_keeps_its_draws(walks, monkeypatch, tmp_path):
    fit = gi.infer(jax.random.key(0), HALL, agent=AGENT, reward=PRIOR, data=walks, **SIZE)
    path = fit.save(tmp_path / "run.nc")
    pressed_in_part(monkeypatch, 3)
    more = gi.resume(path, draws=1000, checkpoint=path)
    assert more.posterior.sizes["draw"] == 450
    assert gi.load(path).posterior.identical(more.posterior)
    with pytest.raises(FileExistsError, match=r"run\.nc exists already"):
        gi.resume(fit, draws=10, checkpoint=path)


def test_half_a_fit_does_not_pass_for_a_whole_one_within_an_audit(walks, monkeypatch):
    fit = gi.infer(jax.random.key(0), HALL, agent=AGENT, reward=PRIOR, data=walks, **SIZE)
    pressed_in_part(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        refits.refit(jax.random.key(1), fit, PRIOR)


# -- the command line ------------------------------------------------------------------------------


@pytest.fixture
def ended(monkeypatch):
    """Exit codes of the process, which does not end."""
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def test_a_command_without_draws_ends_at_once(ended, capsys, tmp_path):
    (tmp_path / "scratch").mkdir()
    listener = Listener()
    listener.scratch = tmp_path / "scratch"
    listener.hear()
    assert ended == [130]
    assert capsys.readouterr().err == "Interrupted.\n"
    assert os.listdir(tmp_path) == []


def test_draws_are_kept_the_first_time_only(ended, capsys):
    listener = Listener()
    listener.keeps = "Interrupted: they are kept."
    interrupt.keep(True)
    listener.hear()
    assert ended == []
    listener.hear()
    assert ended == [130]
    said = ["Interrupted: they are kept. Ctrl-C again stops at once.", "Stopped at once."]
    assert capsys.readouterr().err.splitlines() == said
    interrupt.keep(False)


@pytest.fixture
def folder(tmp_path, walks):
    (tmp_path / "hall.toml").write_text('map = "s.a"\ndiscount = 0.9\n')
    walks.to_frame().to_csv(tmp_path / "walks.csv", index=False)
    return tmp_path


def fit_words(folder, *more):
    words = [folder / "walks.csv", "--world", folder / "hall.toml", "--action", "action", "--on", "departure"]
    words += ["--state", "row", "--state", "col", "--beta", "2.0", "--chains", "2", "--out", folder / "fit.nc", *more]
    return ["fit", *map(str, words)]


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_fit_keeps_the_draws_and_goes_on(folder, monkeypatch):
    with monkeypatch.context() as patched:
        pressed_in_part(patched, 3)
        result = run(*fit_words(folder, "--draws", 1000, "--checkpoint", folder / "run.nc"))
    assert result.exit_code == 130, result.output
    assert result.stderr.splitlines()[0].startswith("Interrupted: the draws so far are being written to ")
    assert "Go on with: goalinf fit --resume" in " ".join(result.stdout.split())
    kept = gi.load(folder / "fit.nc")
    assert kept.posterior.sizes["draw"] == 200
    assert gi.load(folder / "run.nc").posterior.identical(kept.posterior)
    for source in ("fit.nc", "run.nc"):
        out = folder / f"more {source}"
        result = run("fit", "--resume", folder / source, "--out", out, "--draws", 230)
        assert result.exit_code == 0, result.output
        more = gi.load(out)
        assert more.posterior.sizes["draw"] == 230
        assert more.posterior.isel(draw=slice(200)).identical(kept.posterior)
        assert more.tree.attrs["interrupted"] == 0


def test_wrong_ways_to_go_on(folder, walks):
    fit = gi.infer(jax.random.key(0), HALL, agent=AGENT, reward=PRIOR, data=walks, chains=2, draws=60)
    done, out = fit.save(folder / "done.nc"), folder / "fit.nc"
    for words, code, said in (
        (["--resume", done, "--draws", 60], 1, "has 60 draws per chain; --draws is 60 and includes them"),
        (["--resume", folder / "none.nc"], 1, "there is no file"),
        (["--resume", done, "--seed", 1, "--beta", "2.0"], 2, "remove --beta, --seed"),
        (
            [folder / "walks.csv", "--resume", done, "--seed", 0],
            2,
            "remove TABLE, --seed",
        ),  # the seed of the file may be another
        ([], 2, "TABLE is missing"),
        (["--resume", done, "--checkpoint", out], 1, "--checkpoint and --out are both"),
        ([*fit_words(folder)[1:-2], "--checkpoint", done], 1, "done.nc exists already; give another name, or go on"),
        (
            [*fit_words(folder)[1:-2], "--checkpoint", folder / "run.csv"],
            1,
            "expected a name that ends in .nc or .zarr",
        ),
    ):
        result = run("fit", "--out", out, *words)
        assert result.exit_code == code, result.output
        assert said in " ".join(result.stderr.replace("│", " ").split()), result.stderr
        assert sorted(os.listdir(folder)) == ["done.nc", "hall.toml", "walks.csv"]


def test_a_fit_that_cannot_be_written_outlives_the_process(folder, monkeypatch):
    save = gi.Fit.save

    def full(fit, path, **options):
        if path.parent == folder:
            raise OSError(28, "No space left on device")
        return save(fit, path, **options)

    monkeypatch.setattr(gi.Fit, "save", full)
    monkeypatch.setattr(common.tempfile, "mkdtemp", lambda **_: str(folder.parent / "elsewhere"))
    (folder.parent / "elsewhere").mkdir(exist_ok=True)
    result = run(*fit_words(folder, "--draws", 60))
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "fit.nc was not written: " in said
    assert "No space left on device. The fit was saved in" in said
    assert gi.load(folder.parent / "elsewhere" / "fit.nc").posterior.sizes["draw"] == 60


COMPILING = """
    import os, signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    import jax
    import goalinf as gi
    from goalinf.__main__ import main

    def compiled(*_, **__):  # a program that takes minutes to compile, interrupted before it is done
        def long(x):
            for _ in range(3000):
                x = jax.numpy.sin(x) @ x
            return x

        lowered = jax.jit(long).lower(jax.numpy.eye(3))
        import threading
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        lowered.compile()
        print("it was compiled")

    gi.infer = compiled
    main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_while_jax_compiles(folder):
    """In a process of its own, which ends without a traceback, without a crash, and without files."""
    before = sorted(os.listdir(folder))
    command = [sys.executable, "-c", textwrap.dedent(COMPILING), *fit_words(folder)]
    plain = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=plain)
    assert done.returncode == 130, done.stderr
    assert done.stderr == "Interrupted: nothing was written.\n"
    assert "it was compiled" not in done.stdout
    assert sorted(os.listdir(folder)) == before
