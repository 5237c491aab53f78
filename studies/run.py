"""Run all studies, and make one page of their results: `python studies/run.py [NAME ...] [--quick] [--out DIR]`.

Every study runs in a process of its own, two at a time (a new interpreter each: a fork of one that has used JAX
hangs); where one fails the others continue. The output of a study is in output.txt beside its files. Ctrl-C stops all.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn

from goalinf.atomic_files import written_whole

HERE = Path(__file__).resolve().parent
FILES = ("table.csv", "figure.png", "manifest.json")
RUNNING: set[subprocess.Popen] = set()  # processes that have to stop with this one
STOPPED = threading.Event()  # by Ctrl-C
_LAST = 12  # lines of a failed study that are shown
_LONG = 24  # rows of a table, and checks, above which they are folded away

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222b35; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #d9d5cc; margin-top: 2.5rem; padding-top: .5rem }
img { max-width: 100% } .wide { overflow-x: auto } .failed { color: #b3261e } .quiet { color: #6b7280 }
table { border-collapse: collapse; font-size: .82rem } td, th { padding: .15rem .6rem; text-align: right }
th { text-align: left; font-weight: 600 } tr:nth-child(even) td { background: #f3f1ec } pre { font-size: .8rem }
ul.checks { list-style: none; padding-left: 0; font-size: .85rem }
"""


class Outcome(NamedTuple):
    """Outcome of a study: exit code, seconds including start-up, output."""

    code: int
    seconds: float
    output: str


def names() -> list[str]:
    """List the folders beside this file that hold a study."""
    return sorted(script.parent.name for script in HERE.glob("*/study.py"))


def main(
    studies: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all of them.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Toy sizes, in seconds; needs --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the results. Default: beside the scripts.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of studies in parallel.")] = 2,
) -> None:
    """Run the studies in parallel and write index.html, a page of their results. Exit code 1 where one fails."""
    known = names()
    if unknown := sorted(set(studies or ()) - set(known)):
        raise typer.BadParameter(f"unknown study {', '.join(unknown)}: the studies are {', '.join(known)}")
    if quick and out is None:
        raise typer.BadParameter("--quick would overwrite the results of the full size: give --out, too")
    folder = (out or HERE).resolve()
    try:
        outcomes = side_by_side(list(dict.fromkeys(studies or known)), folder, quick, jobs)
    except KeyboardInterrupt:
        sys.stderr.write(f"Interrupted: unfinished studies and {folder / 'index.html'} are unchanged.\n")
        raise typer.Exit(130) from None
    page = write_index(folder, outcomes)
    failed = [name for name, outcome in outcomes.items() if outcome.code]
    console = Console(highlight=False, soft_wrap=True)
    for name in failed:
        console.print(f"{name} failed:", style="bold red", markup=False)
        console.print(last_lines(outcomes[name].output), markup=False)
    console.print(str(page), markup=False)
    if failed:
        raise typer.Exit(1)


def side_by_side(studies: Sequence[str], folder: Path, quick: bool, jobs: int) -> dict[str, Outcome]:
    """Run these studies, `jobs` at a time, with a progress line for each."""
    columns = (TextColumn("{task.description:28}"), TextColumn("{task.fields[state]:8}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        lines = {name: progress.add_task(name, start=False, total=1, state="waits") for name in studies}

        def run_study(name: str) -> Outcome:
            return run_one(name, folder / name, quick, progress, lines[name])

        with ThreadPoolExecutor(jobs) as pool:
            try:
                return dict(zip(studies, pool.map(run_study, studies), strict=True))
            except KeyboardInterrupt:
                STOPPED.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(RUNNING):
                    process.terminate()
                raise


def run_one(name: str, folder: Path, quick: bool, progress: Progress, line: TaskID) -> Outcome:
    """Run one study in its own process; its output goes to output.txt."""
    progress.start_task(line)
    progress.update(line, state="runs")
    start = time.perf_counter()
    command = [sys.executable, str(HERE / name / "study.py"), "--out", str(folder), *["--quick"] * quick]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        RUNNING.add(process)
        if STOPPED.is_set():
            process.terminate()
        printed = process.communicate()[0]
        RUNNING.discard(process)
    if STOPPED.is_set():
        return Outcome(process.returncode, time.perf_counter() - start, printed)
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / "output.txt") as output:
        output.write_text(printed, encoding="utf-8")
    progress.update(line, state="[red]failed[/]" if process.returncode else "[green]done[/]", completed=1)
    return Outcome(process.returncode, time.perf_counter() - start, printed)


def write_index(folder: Path, outcomes: dict[str, Outcome]) -> Path:
    """Write the page of all studies that have results in this folder, or were just run."""
    shown = [name for name in names() if name in outcomes or (folder / name / "manifest.json").exists()]
    sections = [section(name, folder / name, outcomes.get(name)) for name in shown]
    links = "".join(f'<li><a href="#{name}">{html.escape(readme(name)[0])}</a></li>' for name in shown)
    page = folder / "index.html"
    with written_whole(page) as partial:
        partial.write_text(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Studies of goalinf</title>'
            f"<style>{STYLE}</style></head>\n<body><h1>Studies of goalinf</h1><ol>{links}</ol>\n"
            f"{''.join(sections)}</body></html>\n",
            encoding="utf-8",
        )
    return page


def section(name: str, folder: Path, outcome: Outcome | None) -> str:
    """Make the section of one study: question, figure, table, checks; the end of its output where it failed."""
    title, question = readme(name)
    text = f'<section id="{name}"><h2>{html.escape(title)}</h2>\n<p>{html.escape(question)}</p>\n'
    if outcome is not None and outcome.code:
        said = html.escape(last_lines(outcome.output))
        text += f'<p class="failed">failed (exit code {outcome.code}):</p><pre>{said}</pre>\n'
    if not all((folder / file).exists() for file in FILES):
        return text + '<p class="failed">There are no results.</p></section>\n'
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    versions = ", ".join(f"{key} {value}" for key, value in manifest["versions"].items())
    size = "toy size, " if manifest["quick"] else ""
    made = f"{size}seed {manifest['seed']}, {manifest['seconds']:g} seconds; {versions}"
    text += f'<p class="quiet">{html.escape(made)}</p>\n'
    text += f'<img src="{name}/figure.png" alt="Figure: {html.escape(title)}">\n'
    table = pd.read_csv(folder / "table.csv", dtype=str, keep_default_na=False)
    text += folded(
        f"Table, {len(table)} rows", f'<div class="wide">{table.to_html(index=False, border=0)}</div>', len(table)
    )
    checks = manifest["checks"]
    held = sum(check["holds"] for check in checks)
    lines = "".join(check_line(check) for check in checks)
    text += folded(f"Checks, {held} of {len(checks)} hold", f'<ul class="checks">{lines}</ul>', len(checks))
    return text + "</section>\n"


def check_line(check: dict) -> str:
    """Make the line of one check."""
    mark = "✓" if check["holds"] else '<b class="failed">✗</b>'
    found = html.escape(f"{check['name']}: {check['found']}, expected {check['expected']}")
    return f"<li>{mark} {found}</li>"


def folded(title: str, inside: str, length: int) -> str:
    """Make a block that is folded where it is long."""
    return f"<details{'' if length > _LONG else ' open'}><summary>{title}</summary>{inside}</details>\n"


def readme(name: str) -> tuple[str, str]:
    """Return title and question of a study; where the README has none, a sentence that states this."""
    path = HERE / name / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    title, question = re.search(r"# (.+)", text), re.search(r"## Question\s+(.+?)\n\n", text, re.DOTALL)
    if title is None or question is None:
        return name, "Its README.md has no title, or no section '## Question'."
    return title[1], " ".join(question[1].replace("`", "").split())


def last_lines(output: str) -> str:
    """Return the relevant output of a failed study: checks that do not hold, and the last lines."""
    lines = output.strip().splitlines() or ["No output."]
    broken = [line for line in lines[:-_LAST] if line.startswith("✗")]
    return "\n".join(broken + lines[-_LAST:])


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(main)
    app()
