"""All benchmarks in one table: `python benchmarks/run.py [TASK …] [--quick] [--naive] [--out FILE]`.

Every task runs in two processes, one per side, one after the other, and every goal is a ratio between the two. Tasks
that take seconds are run several times, the sides in turn, because the speed of a machine drifts.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
PARTS = {
    "T1": ["T1"],
    "T2": ["T2"],
    "T3": ["T3", "T3 large", "T3 MAP"],
    "T4": ["T4"],
    "T5": ["T5"],
    "T6": ["T6 states", "T6 features"],
    "counts": ["counts"],
    "audit": ["audit"],
}
# Of which every number is the median; one of the others.
ROUNDS = {"T3": 3, "T3 MAP": 3, "T5": 5, "T6 states": 5, "T6 features": 5}


@dataclasses.dataclass
class Row:
    """A line of the table. `ratio` says how many times better goalinf is; None where there is nothing to compare."""

    task: str
    unit: str
    naive: float | None
    goalinf: float | None
    ratio: float | None
    must: float | str
    stretch: float | str
    notes: str

    def cells(self) -> list[str]:
        goals = [f"{goal:g}x" if isinstance(goal, (int, float)) else goal for goal in (self.must, self.stretch)]
        return [
            f"{self.task}, {self.unit}",
            shown(self.naive),
            shown(self.goalinf),
            f"[{self.color()}]{shown(self.ratio)}x[/]" if self.ratio is not None else "—",
            *goals,
            self.notes,
        ]

    def color(self) -> str:
        if self.ratio is None or isinstance(self.must, str):
            return "default"
        return "green" if self.ratio >= self.must else "red"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="toy sizes: says that everything runs, not how fast")
    parser.add_argument("--naive", action="store_true", help="the naive side alone")
    parser.add_argument("--out", type=Path, help="write the table to this CSV file, too")
    arguments = parser.parse_args()
    unknown = set(arguments.tasks) - set(PARTS)
    if unknown:
        parser.error(f"unknown task {', '.join(sorted(unknown))}: the tasks are {', '.join(PARTS)}")

    rows = []
    for task in arguments.tasks or PARTS:
        for part in PARTS[task]:
            sides = ("naive",) if arguments.naive else ("naive", "ours")
            rounds = range(1 if arguments.quick else ROUNDS.get(part, 1))
            found = [[measured(part, side, arguments.quick) for side in sides] for _ in rounds]
            rows += ROWS[part](*map(middle, *found), *[{}] * arguments.naive)
            if arguments.out:  # after every part: an hour is long
                write(rows, arguments.out)
    show(rows)
    if any("failed" in row.notes for row in rows):
        sys.exit(1)


def measured(part: str, side: str, quick: bool) -> dict:
    """What `measure.py` found, or `failed` with the last line of what it said."""
    print(f"{part}: {side} …", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / "measure.py"), part, side] + ["--quick"] * quick
    environment = {
        key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"
    }  # cold is cold
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"failed": f"{side} failed: {last}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def middle(*rounds: dict) -> dict:
    """The median of every number over the rounds; of anything else the first; the failure of any."""
    for found in rounds:
        if "failed" in found:
            return found
    numbers = {key for key in rounds[0] if all(isinstance(found.get(key), (int, float)) for found in rounds)}
    medians = {key: float(np.median([found[key] for found in rounds])) for key in numbers}  # nan where one is
    return {**rounds[0], **medians}


def show(rows: list[Row]) -> None:
    table = Table("task", "naive", "goalinf", "ratio", "must", "stretch", "notes")
    for row in rows:
        table.add_row(*row.cells())
    console = Console()
    console.width = console.width if console.is_terminal else 200
    console.print(table)


def write(rows: list[Row], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Row)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(row) for row in rows)


def shown(number: float | None) -> str:
    return "—" if number is None else f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


# -- from measurements to lines ---------------------------------------------------------------


def row(task, unit, key, naive, ours, must, stretch, *notes: str, higher_is_better: bool = False) -> Row:
    """A line about one number that both sides measured; notes end with the precision of both."""
    one, two = naive.get(key), ours.get(key)
    ratio = None
    if one is not None and two is not None:
        ratio = two / one if higher_is_better else one / two
    failures = [side["failed"] for side in (naive, ours) if "failed" in side]
    precisions = {side["precision"] for side in (naive, ours) if "precision" in side}
    remarks = "; ".join([*failures, *(note for note in notes if note), *sorted(precisions)])
    return Row(task, unit, one, two, ratio, must, stretch, remarks)


def said(text: str, naive: dict, ours: dict) -> str:
    """The text filled in for each side that has the numbers."""
    parts = []
    for name, side in (("naive", naive), ("goalinf", ours)):
        try:
            parts.append(f"{name} {text.format(**side)}")
        except KeyError:
            continue
    return "; ".join(parts)


def posterior_rows(name: str, goals: list[tuple[float, float]], naive: dict, ours: dict) -> list[Row]:
    facts = said("ESS {ess:.0f} in {wall_s:.0f} s, R-hat {r_hat:.3f}, {facts}", naive, ours)
    agree = ""
    if "mean" in naive and "mean" in ours:
        z = np.subtract(ours["mean"], naive["mean"]) / np.hypot(ours["mcse"], naive["mcse"])
        rms = float(np.sqrt((z**2).mean()))
        agree = f"means differ by rms {rms:.2f} standard errors" + ("" if rms < 1.3 else " [red](too far)[/]")
    compiling = said("compiles {compilation_s:.1f} s", naive, ours)
    return [
        row(name, "ESS/s run", "ess_per_s", naive, ours, *goals[0], facts, agree, higher_is_better=True),
        row(
            name, "ESS/s with compilation", "ess_per_s_total", naive, ours, *goals[1], compiling, higher_is_better=True
        ),
    ]


def t1_rows(naive: dict, ours: dict) -> list[Row]:
    return [
        *posterior_rows("T1 posterior", [(60, 150), (30, 60)], naive, ours),
        row("T1 gradient", "ms", "gradient_ms", naive, ours, 5, 8),
    ]


def t2_rows(naive: dict, ours: dict) -> list[Row]:
    rows = posterior_rows("T2 posterior", [(60, 300), ("", "")], naive, ours)
    if "dense_gradient_ms" in naive and "ess_per_s" in naive:
        slower = naive["dense_gradient_ms"] / naive["gradient_ms"]
        dense = {**naive, "ess_per_s": naive["ess_per_s"] / slower}
        note = "naive scaled by the ratio of the gradients"
        rows.append(
            row("T2 against dense", "ESS/s run", "ess_per_s", dense, ours, 400, "", note, higher_is_better=True)
        )
    dense = f"naive with the dense array {naive['dense_gradient_ms']:.3g} ms" if "dense_gradient_ms" in naive else ""
    return [*rows, row("T2 gradient", "ms", "gradient_ms", naive, ours, "", "", dense)]


def t3_rows(naive: dict, ours: dict) -> list[Row]:
    agree = ""
    if "log_likelihood" in naive and "log_likelihood" in ours:
        agree = f"log-likelihoods differ by {abs(naive['log_likelihood'] - ours['log_likelihood']):.1g}"
    warm = {**naive, "warm_gradient_ms": naive.get("gradient_ms")}
    return [
        row("T3 gradient, cold", "ms", "gradient_ms", naive, ours, 12, 40, agree),
        row("T3 gradient, warm-started", "ms", "warm_gradient_ms", warm, ours, 30, ""),
        row("T3 gradient, memory", "MB", "memory_mb", naive, ours, 2, ""),
    ]


def t3_large_rows(naive: dict, ours: dict) -> list[Row]:
    ours = {**ours, "gradient_s": ours["gradient_ms"] / 1e3} if "gradient_ms" in ours else ours
    why = "naive would need 6.4 GB"
    return [
        row("T3 gradient, 10^5 states", "s", "gradient_s", naive, ours, "3 s", "0.5 s", why),
        row("T3 memory, 10^5 states", "MB", "memory_mb", naive, ours, "1,000 MB", "", why),
    ]


def estimate_row(name: str, must: float, stretch: float, naive: dict, ours: dict, *notes: str) -> Row:
    """Time to a point estimate, compilation included, and how good it is."""
    fit = said("log posterior {log_posterior:.3f}, of it compilation {compilation_s:.2f} s", naive, ours)
    worse = naive.get("log_posterior", -np.inf) - ours.get("log_posterior", np.inf)
    return row(
        name, "s", "wall_s", naive, ours, must, stretch, fit, "[red]worse fit[/]" if worse > 0.01 else "", *notes
    )


def t3_map_rows(naive: dict, ours: dict) -> list[Row]:
    return [estimate_row("T3 MAP", 30, 70, naive, ours)]


def t4_rows(naive: dict, ours: dict) -> list[Row]:
    return [
        *posterior_rows("T4 posterior", [(8, 20), ("", "")], naive, ours),
        row("T4 gradient", "ms", "gradient_ms", naive, ours, 1, ""),
    ]


def t5_rows(naive: dict, ours: dict) -> list[Row]:
    agree = ""
    if "posterior" in naive and "posterior" in ours:
        one, two = (np.array(side["posterior"]) for side in (naive, ours))
        two = two[:, two.shape[1] - one.shape[1] :]  # without the prior, where it is the first step
        agree = f"probabilities differ by {np.nanmax(np.abs(one - two)):.1g}"
    anew = {**naive, "anew_ms": naive.get("warm_ms")}
    return [
        row("T5 goals, warm", "ms", "warm_ms", naive, ours, 3, "", agree, "goalinf keeps its plans"),
        row("T5 goals, planned anew", "ms", "anew_ms", anew, ours, "", ""),
        row("T5 goals, cold", "s", "cold_s", naive, ours, "0.25 s", "0.03 s"),
    ]


def t6_states_rows(naive: dict, ours: dict) -> list[Row]:
    return [estimate_row("T6 fit on T1", 88, 176, naive, ours, "88x Adam is 200x imitation")]


def t6_features_rows(naive: dict, ours: dict) -> list[Row]:
    return [estimate_row("T6 fit on T2", 19, 38, naive, ours, "19x Adam is 30x imitation")]


def counts_rows(naive: dict, ours: dict) -> list[Row]:
    growth = [
        {**side, "growth": side["many_ms"] / side["few_ms"]} if "many_ms" in side else side for side in (naive, ours)
    ]
    once = f"goalinf counts them once in {ours['prepared_s']:.1f} s" if "prepared_s" in ours else ""
    return [
        row("counts: gradient on 10^7 steps", "ms", "many_ms", naive, ours, "", "", once),
        row("counts: 10^7 steps against 10^3", "times", "growth", *growth, "about 1", ""),
    ]


def audit_rows(naive: dict, ours: dict) -> list[Row]:
    rows = []
    for name in ("first", "second"):
        notes = ["no naive side"]
        if f"{name}_s" in ours:
            times = ours[f"{name}_s"] / ours["fit_s"]
            notes.append(f"{times:.1f} times the fit, of it compilation {ours[f'{name}_compilation_s']:.1f} s")
        rows.append(row(f"audit of T1, {name}", "s", f"{name}_s", naive, ours, "", "", *notes))
    return rows


ROWS = {
    "T1": t1_rows,
    "T2": t2_rows,
    "T3": t3_rows,
    "T3 large": t3_large_rows,
    "T3 MAP": t3_map_rows,
    "T4": t4_rows,
    "T5": t5_rows,
    "T6 states": t6_states_rows,
    "T6 features": t6_features_rows,
    "counts": counts_rows,
    "audit": audit_rows,
}

if __name__ == "__main__":
    main()
