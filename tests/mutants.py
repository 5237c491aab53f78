"""Mutation tests of the package: plant small bugs, count those that tests notice.

``make mutants`` installs `Cosmic Ray <https://cosmic-ray.readthedocs.io>`__, which makes the mutants, applies one at a
time to a copy of the checkout in ``.mutants/``, and keeps its results in one database per room. A run that was
interrupted goes on where it stopped. Options: ``make mutants MUTANTS='infer identify --sample 50'``.

The suite runs once under `coverage <https://coverage.readthedocs.io>`__, which records the tests that execute every
line. A mutant is tested by the tests that execute its lines: those in the folder of its room first, then the others,
the fastest first, until the seconds that they took add up to ``--seconds``. It counts as noticed if a test fails that
passes without it, or if the tests crash or take three times as long.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
WORK = REPOSITORY / ".mutants"
TREE = WORK / "tree"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

TESTS = ["-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider"]
LISTED = WORK / "chosen.txt"
# Runs its cases in a process of its own, which coverage does not see; always tried last.
UNMEASURED = ["tests/test_wrong_arguments.py"]

# No plausible slips: the language or the first call refuses them, or, as a cache that is gone, only time would tell.
IMPLAUSIBLE = re.compile(
    r"ReplaceBinaryOperator_(?!Bit)\w+_(Bit\w+|\w+Shift|Mod|Pow)$|ReplaceBinaryOperator_Bit\w+_(?!Bit)"
    r"|ReplaceComparisonOperator_(Is|\w+_Is)|ReplaceUnaryOperator_\w+_(Not|Invert)|RemoveDecorator"
)
# Arguments of Matplotlib on which only the looks of a figure depend: sizes of lines, markers and letters, and layers.
LOOKS = {"fontsize", "title_fontsize", "headaxislength", "headlength", "headwidth", "linewidth", "linewidths", "lw", "mew",
         "ms", "mutation_scale", "zorder"}  # fmt: skip
# Reading a compiled program from the cache is welcome; the programs of mutants stay out of it.
QUIET = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9", "HYPOTHESIS_PROFILE": "goalinf"}


def rooms() -> dict[str, list[Path]]:
    """The modules of every room, relative to the repository."""
    found = defaultdict(list)
    for path in sorted((REPOSITORY / "goalinf").rglob("*.py")):
        _, room, *rest = path.relative_to(REPOSITORY).parts
        if path.name == "__init__.py":
            continue
        found[room if rest else "ground"].append(path.relative_to(REPOSITORY))
    return dict(found)


def without_effect(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where mutants are no bugs: annotations, options of records, looks of figures, estimates of memory for a refusal."""
    nodes: list[Any] = []
    for node in ast.walk(ast.parse(source)):
        nodes += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.keyword) and node.arg in LOOKS:
            nodes.append(node.value)
        if isinstance(node, ast.ClassDef):
            nodes += [each for each in node.decorator_list if ast.unparse(each).startswith("dataclasses.")]
        if isinstance(node, ast.FunctionDef):
            nodes += estimates(node)
    return [((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)) for node in nodes if node]


def estimates(function: ast.FunctionDef) -> list[ast.AST]:
    """Calls of ``check_memory``, and the assignments of numbers that only these calls use."""
    inside = list(ast.walk(function))
    calls = [node for node in inside if isinstance(node, ast.Call) and ast.unparse(node.func) == "check_memory"]
    used = [node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    estimated = [node.id for call in calls for node in ast.walk(call) if isinstance(node, ast.Name)]
    only = {name for name in estimated if estimated.count(name) == used.count(name)}
    return [*calls, *(each for each in inside if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) in only)]


def sample(modules: list[Path], count: int, seed: int) -> list:
    """Draw mutants: places in the code uniformly, and one of the mutants of each place.

    Their ids are their ranks: a longer sample with the same seed begins with the shorter one.
    """
    from cosmic_ray.commands.init import init
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import WorkItem

    every = WORK / "every.sqlite"
    every.unlink(missing_ok=True)
    with use_db(str(every)) as database:
        init(modules, database, {})
        items = database.work_items
    every.unlink()
    skipped = {module: without_effect((REPOSITORY / module).read_text()) for module in modules}
    places = defaultdict(list)
    for item in items:
        (mutation,) = item.mutations
        start, end = tuple(mutation.start_pos), tuple(mutation.end_pos)
        if IMPLAUSIBLE.search(mutation.operator_name):
            continue
        if not any(first <= start and end <= last for first, last in skipped[mutation.module_path]):
            places[str(mutation.module_path), start, end].append(item)
    draws = random.Random(seed)
    order = sorted(places)
    draws.shuffle(order)
    key = lambda item: (item.mutations[0].operator_name, item.mutations[0].occurrence)  # noqa: E731
    drawn: list = []
    for place in order:
        if len(drawn) == count:
            break
        items = sorted(places[place], key=key)
        draws.shuffle(items)
        one = next((item for item in items if compiles(*item.mutations)), None)
        if one is not None:
            drawn.append(WorkItem(f"{len(drawn):06}", one.mutations))
    return drawn


def compiles(mutation: Any) -> bool:
    """True where the mutant is another program: Cosmic Ray takes the stars of signatures for operators."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = (REPOSITORY / mutation.module_path).read_text()
    row, column = mutation.start_pos
    if source.splitlines()[row - 1].startswith(("*,", "/,"), column):
        return False
    code = mutate_code(source, get_operator(mutation.operator_name)(**mutation.operator_args), mutation.occurrence)
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def copied() -> None:
    """Copy the checkout, with what is not committed, and lead to the real data beside it."""
    shutil.rmtree(TREE, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for name in listing.split("\0")[:-1]:
        if (REPOSITORY / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, TREE / name)
    shared = WORK / "shared"
    if not shared.exists() and (REPOSITORY.parent / "shared").is_dir():
        shared.symlink_to((REPOSITORY.parent / "shared").resolve())


def python(arguments: Iterable[str], seconds: float) -> str:
    """Command that runs Python with these arguments and is killed after a number of processor seconds."""
    run = shlex.join([sys.executable, *arguments])
    return shlex.join(["bash", "-c", f"ulimit -t {math.ceil(seconds)}; exec {run}"])


def digest(paths: Iterable[Path]) -> str:
    """Hash of the contents of files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:8]


class Suite:
    """Tests that execute each line of the package, with the seconds that they take; from one run of the suite."""

    def __init__(self) -> None:
        state = digest(sorted((TREE / "goalinf").rglob("*.py")))
        self.lines, self.log = WORK / f"coverage-{state}", WORK / f"durations-{state}.txt"
        self.passing: set[str] = set()
        if not self.log.exists():
            self._run()
        tests = json.loads((WORK / f"tests-{state}.json").read_text())
        self.changed = [str(path) for path in self._files() if tests.get(str(path)) != digest([TREE / path])]
        self.seconds: dict[str, float] = defaultdict(float)
        for took, node in re.findall(r"^([\d.]+)s (?:setup|call|teardown) +(.*)$", self.log.read_text(), re.MULTILINE):
            self.seconds[node] += float(took)
        from coverage import CoverageData

        self.data = CoverageData(str(self.lines))
        self.data.read()

    def _files(self) -> list[Path]:
        return [path.relative_to(TREE) for path in sorted((TREE / "tests").rglob("test_*.py"))]

    def _run(self) -> None:
        """Run the suite under coverage; a failure without a mutant is an error."""
        print("  the suite without a mutant, to see which tests execute which lines", flush=True)
        arguments = "-m pytest -n 2 --dist loadfile -p no:cacheprovider --durations=0 --durations-min=0"
        arguments += " --cov=goalinf --cov-context=test --cov-report="
        run = subprocess.run(
            [sys.executable, *arguments.split()],
            env={**os.environ, "COVERAGE_FILE": str(self.lines)},
            capture_output=True,
            text=True,
        )
        if run.returncode:
            sys.exit(f"the suite fails without a mutant; mend it first.\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
        state = self.lines.name.removeprefix("coverage-")
        (WORK / f"tests-{state}.json").write_text(
            json.dumps({str(path): digest([TREE / path]) for path in self._files()})
        )
        self.log.write_text(run.stdout)

    def closest(self, module: Path, lines: range, limit: float) -> list[str]:
        """Tests that execute these lines, within the seconds; test files that changed since that run stand first."""
        measured = next((name for name in self.data.measured_files() if name.endswith(f"/{module}")), None)
        by_line = self.data.contexts_by_lineno(measured) if measured else {}
        contexts = {context for line in lines for context in by_line.get(line, [])}
        if not contexts or "" in contexts:  # executed as the module is imported: every test of the module uses it
            contexts = {context for each in by_line.values() for context in each}
        nodes = {context.rpartition("|")[0] for context in contexts if context}
        # A fixture that several tests share is made by the first of them.
        shared = {each.rpartition("|")[0].partition("::")[0] for each in contexts if each.endswith("|setup")}
        nodes |= {node for node in self.seconds if node.partition("::")[0] in shared}
        chosen, total = list(self.changed), 0.0
        room = f"tests/{module.parts[1]}/"
        for node in sorted(
            nodes, key=lambda node: (not node.startswith((str(module), room)), self.seconds[node], node)
        ):
            if node.partition("::")[0] not in self.changed and total + self.seconds[node] <= limit:
                chosen.append(node)
                total += self.seconds[node]
        return [*chosen, *UNMEASURED]

    def passes(self, output: str) -> bool:
        """True where the test that failed in this output passes without the mutant; or where none failed."""
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", output, re.MULTILINE)
        if failed is None or failed[1] in self.passing:
            return True
        run = subprocess.run([sys.executable, *TESTS, failed[1]], capture_output=True)
        if run.returncode == 0:
            self.passing.add(failed[1])
        return run.returncode == 0


def changed(diff: str) -> list[str]:
    """The lines that a mutant removes and adds, without their indentation."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return [f"{line[0]} {line[1:].strip()}" for line in lines]


def spaceless(*lines: str) -> tuple[str, ...]:
    """Lines in which spaces do not count."""
    return tuple("".join(line.split()) for line in lines)


def equivalent() -> set[tuple[str, ...]]:
    """Mutants that were judged equivalent by hand: no test can notice them."""
    listed = tomllib.loads(EQUIVALENT.read_text())["mutant"]
    return {spaceless(each["module"], "-" + each["was"], "+" + each["is"]) for each in listed}


def tested(room: str, modules: list[Path], suite: Suite, options: argparse.Namespace) -> None:
    """Draw the sample of a room, test what has no result yet, print the rate and the survivors."""
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import TestOutcome

    # Results belong to one state of the code: a change of the room's modules begins a new database.
    state = digest(REPOSITORY / module for module in modules)
    with use_db(str(WORK / f"{room}-{options.seed}-{state}.sqlite")) as database:
        known = {item.job_id for item in database.work_items}
        if len(known) < options.sample:
            drawn = sample(modules, options.sample, options.seed)
            database.add_work_items(item for item in drawn if item.job_id not in known)
        chosen = [item for item in database.work_items if int(item.job_id) < options.sample]
        results = dict(database.results)
        for item in sorted(chosen, key=lambda item: item.job_id):
            (mutation,) = item.mutations
            result = results.get(item.job_id)
            if result and (result.is_killed or not options.again):
                continue
            lines = range(mutation.start_pos[0], mutation.end_pos[0] + 1)
            LISTED.write_text("\n".join(suite.closest(mutation.module_path, lines, options.seconds)))
            # In processor seconds, whatever else runs; what waits for ever uses none.
            limit = 60 + 3 * options.seconds
            result = mutate_and_test(item.mutations, python([*TESTS, f"@{LISTED}"], limit), timeout=20 * limit)
            if result.test_outcome == TestOutcome.INCOMPETENT:
                sys.exit(f"the mutant could not be tested: {result.output}")
            if not suite.passes(result.output):
                sys.exit(f"a test fails by itself without a mutant; mend it first.\n{result.output[-3000:]}")
            database.set_result(item.job_id, result)
            print(f"  {mutation.module_path} line {mutation.start_pos[0]}: {result.test_outcome.value}", flush=True)
        results, judged = dict(database.results), equivalent()
    reported = [(item.mutations[0], results[item.job_id]) for item in chosen]
    alike = [each for each, found in reported if spaceless(str(each.module_path), *changed(found.diff)) in judged]
    survivors = [(each, found) for each, found in reported if not found.is_killed and each not in alike]
    hung = sum(found.is_killed and not re.search(r"\d (failed|error)", found.output) for _, found in reported)
    counted = len(reported) - len(alike)
    for each, found in survivors:
        lines = "\n    ".join(changed(found.diff))
        print(f"  unnoticed: {each.module_path}, line {each.start_pos[0]}, {each.definition_name}\n    {lines}")
    print(
        f"{room}: {counted - len(survivors)} of {counted} noticed"
        f" ({(counted - len(survivors)) / max(counted, 1):.0%}), {hung} of them as they hang or crash; {len(alike)} equivalent",
        flush=True,
    )


def main() -> None:
    """Test a sample of mutants of every room that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", help=f"rooms; by default all: {', '.join(rooms())}")
    parser.add_argument("--sample", type=int, default=40, help="mutants per room (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default 0)")
    parser.add_argument("--seconds", type=float, default=60, help="longest tests of one mutant (default 60)")
    parser.add_argument("--again", action="store_true", help="test the survivors again, after tests were added")
    options = parser.parse_args()
    unknown = set(options.rooms) - set(rooms())
    if unknown:
        parser.error(f"no room is called {', '.join(sorted(unknown))}; the rooms are {', '.join(rooms())}")
    WORK.mkdir(exist_ok=True)
    copied()
    os.chdir(TREE)
    os.environ |= QUIET | {"PYTHONPATH": os.pathsep.join([str(TREE), str(TREE / "models")])}
    suite = Suite()
    for room in options.rooms or rooms():
        tested(room, rooms()[room], suite, options)


if __name__ == "__main__":
    main()
