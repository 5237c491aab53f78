"""``goalinf demo``: all steps from a table of simulated trajectories to an audited posterior."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goalinf import interrupt
from goalinf.atomic_files import written_whole
from goalinf.cli import common
from goalinf.cli.words import in_options

if TYPE_CHECKING:
    from goalinf.data import Trajectories
    from goalinf.identify.audit.report import Audit
    from goalinf.inference.results.fit import Fit

DRAWS = 250  # per chain
_COLUMNS: dict[str, Any] = {"trajectory": "trajectory", "step": "step", "state": ["row", "col"], "action": "action"}
_INPUTS = ("walks.csv", "town.toml")
_OUTPUTS = ("fit.nc", "summary.csv", "audit.csv", "audit.html", "reward.png", "walks.png", *_INPUTS)


@common.reported
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for the results; created if it does not exist.")
    ] = Path("goalinf-demo"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the files of an earlier demo in that folder.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option(min=0, max=common.LARGEST_SEED, help="Seed of the sampler; the data are always the same."),
    ] = 0,
) -> None:
    r"""Infer the reward of a simulated courier, and report which parts of it are not identified. About a minute.

    Reads twenty simulated trajectories that come with goalinf, infers the reward of every state of the town and the
    inverse temperature of the courier, prints both and the audit, and writes to FOLDER: the fit (NetCDF), its summary
    and audit (CSV), the audit as a page (HTML), two figures (PNG), and the trajectories and the town, for example for

        cd goalinf-demo
        goalinf fit walks.csv --world town.toml --state row --state col \
          --action action --on departure --out again.nc

    After an error no file is written, and no file is replaced without --force.
    """
    check_folder(folder, force=force)
    common.listener.said = f"Interrupted: nothing was written to {folder}."
    common.compile_once()
    import jax
    import numpyro.distributions as dist

    import goalinf as gi

    data = files("goalinf") / "demo_data"
    with tempfile.TemporaryDirectory() as scratch:
        common.listener.scratch = Path(scratch)
        for name in _INPUTS:
            Path(scratch, name).write_bytes((data / name).read_bytes())
        town = gi.read_world(Path(scratch, "town.toml"))
        observed = gi.read_trajectories(Path(scratch, "walks.csv"), town, **_COLUMNS)
        common.say("Simulated trajectories in a small town, which come with goalinf:", str(town), str(observed), "")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gi.errors.UnidentifiedWarning)  # the audit below reports it in detail
            fit = gi.infer(
                jax.random.key(seed),
                town,
                agent=gi.agents.soft_optimal(beta=dist.LogNormal(1.0, 0.5)),
                reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
                data=observed,
                draws=DRAWS,
            )
        audit = gi.audit(fit)
        _write(Path(scratch), fit, audit, observed)
        interrupt.keep(True)
        common.listener.keeps = f"Interrupted: the results are being written to {folder}."
        _deliver(Path(scratch), folder)
    common.show_summary(fit.summary(), "Reward of each state (utility), and beta (1/utility)")
    common.say("", in_options(str(audit)), "", f"Written to {folder}{os.sep}: {', '.join(_OUTPUTS)}")


def _write(folder: Path, fit: Fit, audit: Audit, observed: Trajectories) -> None:
    """Write the results: the fit, its summary and audit, and the figures."""
    import goalinf as gi

    fit.save(folder / "fit.nc")
    fit.summary().to_csv(folder / "summary.csv", index_label="parameter")
    audit.to_frame().to_csv(folder / "audit.csv", index=False)
    gi.plot.audit_page(audit, folder / "audit.html")
    gi.plot.reward_map(fit).savefig(folder / "reward.png")
    gi.plot.trajectories(observed).savefig(folder / "walks.png")


def check_folder(folder: Path, *, force: bool) -> None:
    """Refuse a folder that cannot be created or written to, or that contains results already."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder for the results")
    if not folder.exists():
        above = next(parent for parent in folder.absolute().parents if parent.exists())
        if not above.is_dir():
            raise NotADirectoryError(f"the folder {folder} cannot be created: {above} is a file")
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(f"the folder {folder} cannot be created: you may not write to {above}")
        return
    for name in _OUTPUTS:
        common.check_output(folder / name, force=force)


def _deliver(scratch: Path, folder: Path) -> None:
    """Move the finished files into the folder: first all under temporary names, then each under its final name."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as written:
        for name in _OUTPUTS:
            shutil.copyfile(scratch / name, written.enter_context(written_whole(folder / name)))
