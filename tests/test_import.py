"""What ``import goalinf`` gives: every name, each when it is first used."""

import ast
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import goalinf

STUB = Path(goalinf.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
IMPORTS = [node for node in ast.parse(STUB).body if isinstance(node, ast.ImportFrom)]
ROOMS = {alias.name for node in IMPORTS if node.module is None for alias in node.names}
HOMES = {alias.name: f"goalinf.{node.module}" for node in IMPORTS if node.module for alias in node.names}


def run(program):
    """In a process of its own, where nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_people_and_type_checkers_see_the_same_names():
    assert set(goalinf.__all__) == ROOMS | set(HOMES)
    assert set(goalinf.__all__) <= set(dir(goalinf))
    assert len(HOMES) < 50


def test_every_name_is_that_of_its_module():
    for name, home in HOMES.items():
        assert getattr(goalinf, name) is getattr(importlib.import_module(home), name)
    for room in ROOMS:
        assert getattr(goalinf, room) is sys.modules[f"goalinf.{room}"]
    with pytest.raises(AttributeError, match="No goalinf attribute infor"):
        _ = goalinf.infor
    with pytest.raises(ImportError, match="infor"):
        exec("from goalinf import infor")


def test_classes_and_functions_can_be_pickled():
    for name in HOMES:
        thing = getattr(goalinf, name)
        if callable(thing):
            assert pickle.loads(pickle.dumps(thing)) is thing


def test_importing_the_package_imports_no_library():
    loaded = "print([name for name in ('jax', 'numpy', 'pandas', 'matplotlib', 'arviz') if name in sys.modules])"
    assert run(f"import sys, goalinf; dir(goalinf); {loaded}").strip() == "[]"
    help_only = "import sys, goalinf.cli; goalinf.cli.app(['--help'], standalone_mode=False)"
    assert run(f"{help_only}; {loaded}").splitlines()[-1] == "[]"


def test_a_world_needs_no_picture():
    program = "import sys, goalinf as gi; gi.gridworld('s.a', discount=0.9); print('matplotlib' in sys.modules)"
    assert run(program).strip() == "False"


@pytest.mark.parametrize("first", ["goalinf.inference.results.fit", "goalinf.inference.infer", "goalinf.identify"])
def test_infer_is_the_function_whatever_is_imported_first(first):
    assert run(f"import {first}; import goalinf; print(type(goalinf.infer).__name__)").strip() == "function"


def test_all_names_at_once():
    program = "from goalinf import *; print(infer.__name__, plot.__name__, identify.distance.__name__)"
    assert run(program).strip() == "infer goalinf.plot goalinf.identify.distance"
