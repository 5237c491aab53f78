"""Recipes of CONTRIBUTING.md: an agent, a reward and a world builder are added to a copy of the library and tested."""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

CODE = re.compile(r"^ *```(?:python|diff)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
TARGET = re.compile(r"^ *# ([\w/]+\.py)(?:, (\w+))?\n", re.MULTILINE)
CONFORMANCE, NAMED, REGISTRY = (
    "tests/agents/test_conformance.py",
    "tests/agents/test_named.py",
    "tests/inference/test_registry.py",
)
TESTED = (
    "goalinf/agents/named/clumsy.py::goalinf.agents.named.clumsy.status_quo_biased",
    "tests/agents/test_golden.py::test_policies_of_further_agents[status_quo_biased]",
    f"{NAMED}::test_every_constructor_is_here",
    f"{NAMED}::test_docstrings_name_the_other_arguments[status_quo_biased]",
    f"{CONFORMANCE}::test_policies_are_distributions_over_what_is_available[status_quo_biased-grid]",
    f"{CONFORMANCE}::test_policies_are_distributions_over_what_is_available[status_quo_biased-ring]",
    f"{CONFORMANCE}::test_invariances_are_as_declared[status_quo_biased]",
    f"{CONFORMANCE}::test_usual_priors",
    f"{REGISTRY}::test_there_is_something_to_look_at",
    f"{REGISTRY}::test_every_agent_comes_back[status_quo_biased]",
    "tests/test_ideal_point.py",
    "tests/worlds/test_ring.py",
    "goalinf/worlds/builders/ring.py",
)


def recipes(repository):
    """Pieces of code of CONTRIBUTING.md: the file, the table in it or an empty string, and the code."""
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for block in CODE.findall(text):
        opening, *pieces = TARGET.split(re.sub(r"^\+", "", textwrap.dedent(block), flags=re.MULTILINE))
        assert opening == "", "a block of code begins with the name of its file"
        yield from zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)


def add(path, table, code):
    """Add code to a file: at its end, or as the first entries of a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if not table:
        path.write_text(f"{text}{code}", encoding="utf-8")
        return
    start = re.search(rf"^{table} = [\[{{]\n", text, re.MULTILINE)
    path.write_text(text[: start.end()] + code + text[start.end() :], encoding="utf-8")


@pytest.fixture(scope="module")
def changed(repository, tmp_path_factory):
    """A copy of the library and its tests with the code of all recipes."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("goalinf", "tests"):
        shutil.copytree(repository / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", copy)
    for file, table, code in recipes(repository):
        add(copy / file, table, code)
    return copy


def test_adding_an_agent_touches_few_files(repository):
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (section,) = re.findall("<!-- new-agent: begin -->(.*?)<!-- new-agent: end -->", text, re.DOTALL)
    assert len({file for file, _ in TARGET.findall(section)} | {"CHANGELOG.md"}) <= 5


def test_what_the_recipes_add_passes_the_tests(changed):
    """Without conftest.py: executed annotations would have to be compiled for the whole copy."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(changed), str(changed / "tests")]),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", ""]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *TESTED],
        capture_output=True,
        text=True,
        cwd=changed,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
