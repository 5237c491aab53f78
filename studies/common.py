"""Options, checks and files of all studies.

A study is a function of (quick, seed) that returns a `Result`; its last line is `common.run(__file__, study)`.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure
from rich.console import Console

from goalinf.atomic_files import written_whole
from goalinf.cli.ctrl_c import listening

INK, GRAY = "#222b35", "#6b7280"
# Blue, vermilion, green, purple, orange, light blue: told apart with all common kinds of color blindness.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


class Check(NamedTuple):
    """Check: a quantity, its value, the expected value, and True where the check holds."""

    name: str
    found: Any
    expected: Any
    holds: bool


class Result(NamedTuple):
    """Result of a study; `settings` are the numbers that reproduce it."""

    table: pd.DataFrame
    figure: Figure
    checks: list[Check]
    settings: dict[str, Any]


def same(name: str, found: Any, expected: Any) -> Check:
    """Check that a value equals the expected one."""
    return Check(name, found, expected, bool(found == expected))


def reads(name: str, found: float, digits: str) -> Check:
    """Check a number against printed digits, such as ".0056" or "4.966e-4": off by half of its last digit at most."""
    mantissa, _, exponent = digits.partition("e")
    last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return Check(name, float(found), digits, bool(abs(found - float(digits)) <= 0.5 * last * (1 + 1e-9)))


def within(name: str, found: float, expected: float, error: float, *, errors: float = 4.0) -> Check:
    """Check that a random number is within a number of standard errors of its expected value."""
    interval = f"{expected:.6g} ± {errors:g} x {error:.2g}"
    return Check(name, float(found), interval, bool(abs(found - expected) <= errors * error))


def holds(name: str, found: Any, expected: str, fulfilled: bool) -> Check:
    """Check any other condition, stated in words."""
    return Check(name, found, expected, bool(fulfilled))


def run(file: str, study: Callable[[bool, int], Result]) -> None:
    """Run a study with the options of the command line, write its files and print its checks.

    The exit code is 1 where a check does not hold. Ctrl-C prints one sentence and has exit code 130.
    """
    folder = Path(file).resolve().parent

    def command(
        quick: Annotated[bool, typer.Option("--quick", help="Toy size, in seconds; needs --out.")] = False,
        out: Annotated[Path | None, typer.Option(help="Folder of the files. Default: beside the script.")] = None,
        seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")] = 0,
    ) -> None:
        if quick and out is None:
            raise typer.BadParameter("--quick would overwrite the results of the full size: give --out, too")
        start = time.perf_counter()
        with listening() as listener:
            listener.said = f"Interrupted: the results of {folder.name} are unchanged."
            found = study(quick, seed)
        versions = {name: importlib.metadata.version(name) for name in ("goalinf", "jax", "numpyro", "numpy")}
        manifest = {
            "name": folder.name,
            "seed": seed,
            "quick": quick,
            "settings": found.settings,
            "versions": {**versions, "python": platform.python_version()},
            "seconds": round(time.perf_counter() - start, 1),
            "checks": [check._asdict() for check in found.checks],
        }
        write(out or folder, found.table, found.figure, manifest)
        if not show(found.checks):
            raise typer.Exit(1)

    # Without Rich's frames an error stays one line, wherever it is printed.
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(command)
    app()


def write(folder: Path, table: pd.DataFrame, figure: Figure, manifest: dict[str, Any]) -> None:
    """Write table, figure and manifest.

    The manifest is removed first and written last: results without a manifest are from an interrupted study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    with (
        written_whole(folder / "manifest.json") as manifest_file,
        written_whole(folder / "figure.png") as figure_file,
        written_whole(folder / "table.csv") as table_file,
    ):
        table.to_csv(table_file, index=False, float_format="%.6g", lineterminator="\n")
        figure.savefig(figure_file, format="png", dpi=110, metadata={"Software": None})
        manifest_file.write_text(text + "\n", encoding="utf-8")
        (folder / "manifest.json").unlink(missing_ok=True)


def show(checks: list[Check]) -> bool:
    """Print the checks and return True where all of them hold."""
    console = Console(highlight=False, soft_wrap=True)
    for check in checks:
        text = f"{check.name}: {_plain(check.found)}, expected {_plain(check.expected)}"
        console.print("✓ " if check.holds else "✗ ", style="green" if check.holds else "bold red", end="")
        console.print(text, markup=False)
    failed = sum(not check.holds for check in checks)
    console.print(f"{len(checks)} checks, {failed} of which do not hold" if failed else f"{len(checks)} checks hold")
    return not failed


def _plain(value: Any) -> Any:
    """Convert to JSON types, with floats to six digits, so that rounding errors do not change the file."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value
