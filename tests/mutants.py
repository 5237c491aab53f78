"""Mutation tests of the package: plant small bugs, count those that the closest tests notice.

``make mutants`` installs `Cosmic Ray <https://cosmic-ray.readthedocs.io>`__, which makes the mutants, applies one at a
time to a copy of the checkout in ``.mutants/``, and keeps its results in one database per room. A run that was
interrupted goes on where it stopped. Options: ``make mutants MUTANTS='infer identify --sample 50'``.

A mutant is tested by the doctests of its module and by the test files that share the most names with the module, the
closest first, until the processor time that these files take without a mutant adds up to ``--seconds``. It counts as
noticed if a test fails, or if the tests crash or take three times as long.
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
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
WORK = REPOSITORY / ".mutants"
TREE = WORK / "tree"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

_CLOSEST = 12  # test files of a module that are tried, within the seconds

# No plausible slips: the language or the first call refuses them, or, as a cache that is gone, only time would tell.
IMPLAUSIBLE = re.compile(
    r"ReplaceBinaryOperator_(?!Bit)\w+_(Bit\w+|\w+Shift|Mod|Pow)$|ReplaceBinaryOperator_Bit\w+_(?!Bit)"
    r"|ReplaceComparisonOperator_(Is|\w+_Is)|ReplaceUnaryOperator_\w+_(Not|Invert)|RemoveDecorator"
)
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


def defined(path: Path) -> set[str]:
    """Names that a module defines at its top level, with the methods of its classes; not those with two underscores."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    return {name for name in found if not name.startswith("__")}


def imported(path: Path) -> set[Path]:
    """Modules of the package that a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("goalinf"):
            place = Path(*node.module.split("."))
            found |= {place.with_suffix(".py"), *((place / each.name).with_suffix(".py") for each in node.names)}
    return found


def mentioned(path: Path) -> set[str]:
    """Names that the code of a test file uses."""
    tree = list(ast.walk(ast.parse(path.read_text())))
    found = {node.id for node in tree if isinstance(node, ast.Name)}
    found |= {node.attr for node in tree if isinstance(node, ast.Attribute)}
    return found | {each.name for node in tree if isinstance(node, ast.ImportFrom) for each in node.names}


def closest(module: Path) -> list[Path]:
    """Test files that use names of a module, or of those that import it, in falling order of what they share.

    A name that many test files use says little, so each counts one over their number. Names of a module that imports
    this one count a third, and so on: much is tested through the public names alone.
    """
    tests = {path: mentioned(path) for path in sorted((REPOSITORY / "tests").rglob("test_*.py"))}
    often = Counter(name for each in tests.values() for name in each)
    modules = [path for each in rooms().values() for path in each]
    imports = {path: imported(REPOSITORY / path) for path in modules}
    score = Counter({path: 1e-3 * (module.parts[1] in path.parent.parts) for path in tests})
    weight, level, seen = 1.0, {module}, set()
    while level:
        for each in level:
            for name in defined(REPOSITORY / each):
                score.update({path: weight / often[name] for path in tests if name in tests[path]})
        seen |= level
        level = {path for path in modules if imports[path] & level} - seen
        weight /= 3
    return [path.relative_to(REPOSITORY) for path, shared in score.most_common() if shared > 0]


def annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where the annotations stand; a mutant of an annotation is no bug of the program."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        for each in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if each is not None:
                spans.append(((each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)))
    return spans


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
    skipped = {module: annotations((REPOSITORY / module).read_text()) for module in modules}
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
    """True where the mutant is a program: Cosmic Ray takes the stars of arguments for operators."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = (REPOSITORY / mutation.module_path).read_text()
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


def command(files: Iterable[Path], seconds: float) -> str:
    """Command that tests these files, stops at the first failure, and is killed after a number of processor seconds."""
    tests = f"{sys.executable} -m pytest -x -q -n0 -p no:cacheprovider {' '.join(map(str, files))}"
    return f"bash -c {shlex.quote(f'ulimit -t {math.ceil(seconds)}; exec {tests}')}"


class Clock:
    """Processor seconds that test files take without a mutant; a file that fails without one is an error."""

    def __init__(self) -> None:
        self.path = WORK / "seconds.json"
        self.seconds = json.loads(self.path.read_text()) if self.path.exists() else {}

    def __call__(self, path: Path, limit: float) -> float:
        """Seconds of this file; infinite where they are more than the limit."""
        key = f"{path} {hashlib.sha256((TREE / path).read_bytes()).hexdigest()[:8]}"
        took, longest = self.seconds.get(key, (None, 0.0))
        if took is None and longest < limit:
            print(f"  without a mutant: {path}", flush=True)
            began = os.times()
            run = subprocess.run(shlex.split(command([path], limit)), capture_output=True, text=True)
            ended = os.times()
            spent = ended.children_user + ended.children_system - began.children_user - began.children_system
            if run.returncode in (0, 5):  # 5: no test in the file
                took = round(spent, 1)
            elif spent < 0.9 * limit:
                sys.exit(f"{path} fails without a mutant; mend it first.\n{run.stdout[-3000:]}")
            self.seconds[key] = (took, limit)
            self.path.write_text(json.dumps(self.seconds, indent=1))
        return float("inf") if took is None else took

    def affordable(self, module: Path, limit: float) -> tuple[list[Path], float]:
        """Doctests of the module and its closest test files, and the seconds they take together."""
        chosen, total = [module], self(module, 3600.0)
        for path in closest(module)[:_CLOSEST]:
            if total < 0.8 * limit and self(path, limit - total) <= limit - total:
                chosen.append(path)
                total += self(path, limit)
        return chosen, total


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


def tested(room: str, modules: list[Path], options: argparse.Namespace) -> None:
    """Draw the sample of a room, test what has no result yet, print the rate and the survivors."""
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import TestOutcome

    # Results belong to one state of the code: a change of the room's modules begins a new database.
    state = hashlib.sha256(b"".join((REPOSITORY / module).read_bytes() for module in modules)).hexdigest()[:8]
    clock = Clock()
    with use_db(str(WORK / f"{room}-{options.seed}-{state}.sqlite")) as database:
        known = {item.job_id for item in database.work_items}
        if len(known) < options.sample:
            drawn = sample(modules, options.sample, options.seed)
            database.add_work_items(item for item in drawn if item.job_id not in known)
        chosen = [item for item in database.work_items if int(item.job_id) < options.sample]
        results = dict(database.results)
        for item in sorted(chosen, key=lambda item: str(item.mutations[0].module_path)):
            (mutation,) = item.mutations
            result = results.get(item.job_id)
            if result and (result.is_killed or not options.again):
                continue
            files, seconds = clock.affordable(mutation.module_path, options.seconds)
            # In processor seconds, whatever else runs; what waits for ever uses none.
            limit = 60 + 3 * seconds
            result = mutate_and_test(item.mutations, command(files, limit), timeout=20 * limit)
            if result.test_outcome == TestOutcome.INCOMPETENT:
                sys.exit(f"the mutant could not be tested: {result.output}")
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
    parser.add_argument("--seconds", type=float, default=300, help="longest tests of one mutant (default 300)")
    parser.add_argument("--again", action="store_true", help="test the survivors again, after tests were added")
    options = parser.parse_args()
    unknown = set(options.rooms) - set(rooms())
    if unknown:
        parser.error(f"no room is called {', '.join(sorted(unknown))}; the rooms are {', '.join(rooms())}")
    WORK.mkdir(exist_ok=True)
    copied()
    os.chdir(TREE)
    os.environ |= QUIET | {"PYTHONPATH": os.pathsep.join([str(TREE), str(TREE / "models")])}
    for room in options.rooms or rooms():
        tested(room, rooms()[room], options)


if __name__ == "__main__":
    main()
