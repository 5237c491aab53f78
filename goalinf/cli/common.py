"""Functions shared by the commands: error messages, checks of output files, tables in the terminal."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table

from goalinf.atomic_files import check_replaceable
from goalinf.cli import ctrl_c
from goalinf.cli.words import in_options

if TYPE_CHECKING:
    import pandas as pd

    from goalinf.inference.results.fit import Fit

_P = ParamSpec("_P")
debugging = False
listener = ctrl_c.Listener()  # of the command that runs
LARGEST_SEED = 2**32 - 1
_SHOWN = 40  # rows of a summary; the most extreme rows of a longer one
# Errors whose messages are written for users.
_EXPECTED = (ValueError, KeyError, OSError, ArithmeticError, MemoryError)


def reported(command: Callable[_P, None]) -> Callable[_P, None]:
    """Wrap a command: errors become one message on the error stream and exit code 1; ``--debug`` shows the traceback.

    Ctrl-C becomes one sentence and exit code 130.
    """

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        global listener
        try:
            with ctrl_c.listening() as listener, warnings.catch_warnings():
                warnings.showwarning = _warn
                command(*args, **kwargs)
            if listener.pressed:
                raise typer.Exit(ctrl_c.EXIT)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            ctrl_c.say("There are no draws yet; nothing was written." if listener.pressed else listener.said)
            raise typer.Exit(ctrl_c.EXIT) from None
        except Exception as error:
            if debugging:
                raise
            _say(error)
            raise typer.Exit(1) from None

    return run


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Write a warning as one line, without its position in the code."""
    console = Console(stderr=True, soft_wrap=True)
    console.print("warning: ", style="bold yellow", end="")
    console.print(in_options(str(message)), markup=False, highlight=False)


def _say(error: Exception) -> None:
    from goalinf.errors import ConvergenceError, PrecisionError

    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if not isinstance(error, (*_EXPECTED, ConvergenceError, PrecisionError)):
        text = f"unexpected {type(error).__name__}: {text} (goalinf --debug shows the traceback; please report it)"
    text = in_options(text)
    console = Console(stderr=True, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(text, style="red", markup=False, highlight=False)


def say(*lines: str) -> None:
    """Print plain text to the output stream, wrapped between words at the terminal width; paths are not split."""
    console = Console(highlight=False)
    for line in lines:
        console.print(line, markup=False, overflow="ignore", crop=False)


def compile_once() -> None:
    """Keep compiled programs of JAX in the user's cache folder, unless another folder is set or it is not writable."""
    import jax

    config: Any = jax.config
    if config.jax_compilation_cache_dir is not None or os.environ.get("JAX_ENABLE_COMPILATION_CACHE") == "false":
        return
    with contextlib.suppress(OSError, RuntimeError):  # a user without a home folder
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            config.update("jax_compilation_cache_dir", str(folder))
            config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def cache_folder() -> Path:
    """Return the folder in which the command line keeps compiled programs of JAX."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goalinf" / "jax"


def check_output(path: Path, *, force: bool) -> None:
    """Refuse an output file that exists or whose folder is not writable; for use before any computation."""
    parent = path.parent
    if parent.exists() and not parent.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {parent} is not a folder")
    if not parent.exists():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {parent}; create it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written: you may not write to the folder {parent}")
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already; give another name, or --force to replace it")
    check_replaceable(path)


def check_formats(path: Path, *suffixes: str) -> None:
    """Refuse a file whose suffix is not one of the formats."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: expected a name that ends in {' or '.join(suffixes)}")


def keep(fit: Fit, out: Path, *, overwrite: bool) -> None:
    """Save a fit; where that fails, save it in a temporary folder.

    Raises
    ------
    OSError
        Where ``out`` could not be written; the message contains the path of the fit.
    """
    try:
        fit.save(out, overwrite=overwrite)
    except OSError as error:
        fallback = Path(tempfile.mkdtemp(prefix="goalinf-"), out.name)
        fit.save(fallback)
        reason = getattr(error.__cause__, "strerror", None) or error
        raise OSError(f"{out} was not written: {reason}. The fit was saved in {fallback} instead") from error


def show_summary(summary: pd.DataFrame, title: str = "Posterior") -> None:
    """Print a summary as a table; for a long one, scalar parameters and the most extreme values only."""
    from goalinf.display import printable

    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    table.add_column("parameter")
    columns = {"mean": "mean", "sd": "sd", "eti94_lb": "3 %", "eti94_ub": "97 %", "ess_bulk": "ESS", "r_hat": "R-hat"}
    for head in columns.values():
        table.add_column(head, justify="right")
    shown = summary
    if len(summary) > _SHOWN:
        single = ~summary.index.astype(str).str.contains("[", regex=False)
        order = summary[~single].sort_values("mean").index
        half = (_SHOWN - int(single.sum())) // 2
        shown = summary.loc[[*summary.index[single], *order[::-1][:half], *order[::-1][-half:]]]
        table.caption = f"{len(summary) - len(shown)} of {len(summary)} rows, in the middle of the range, are left out"
        table.caption_justify = "left"
    for name, row in shown.iterrows():
        digits = {"ess_bulk": ".0f", "r_hat": ".3f"}
        table.add_row(printable(name), *[format(row[column], digits.get(column, ".2f")) for column in columns])
    Console(highlight=False).print(table, markup=False)
