"""What ``import goalinf`` gives: every name, each when it is first used."""

import ast
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import goalinf

INITIAL = Path(goalinf.__file__).read_text(encoding="utf-8")


def run(program):
    """In a process of its own, where nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_for_type_checkers():
    """Name -> module, as the imports that editors and type checkers read have it."""
    block = next(node for node in ast.parse(INITIAL).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}


def test_people_and_type_checkers_see_the_same_names():
    seen = imported_for_type_checkers()
    rooms = {name for name, module in seen.items() if module == "goalinf"}
    assert rooms <= set(goalinf._ROOMS)
    assert {name: module for name, module in seen.items() if name not in rooms} == goalinf._HOME
    assert set(seen) == set(goalinf.__all__)
    assert set(goalinf.__all__) | set(goalinf._ROOMS) | {"__version__"} <= set(dir(goalinf))


def test_every_name_is_that_of_its_module():
    for name, home in goalinf._HOME.items():
        assert getattr(goalinf, name) is getattr(importlib.import_module(home), name)
    for room in goalinf._ROOMS:
        assert getattr(goalinf, room) is sys.modules[f"goalinf.{room}"]
    with pytest.raises(AttributeError, match="module 'goalinf' has no attribute 'infor'"):
        _ = goalinf.infor
    with pytest.raises(ImportError, match="infor"):
        exec("from goalinf import infor")


def test_classes_and_functions_can_be_pickled():
    for name in goalinf._HOME:
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


@pytest.mark.parametrize(
    "first", ["goalinf.infer", "goalinf.inference.results.fit", "goalinf.inference.infer", "goalinf.identify"]
)
def test_infer_is_the_function_whatever_is_imported_first(first):
    assert run(f"import {first}; import goalinf; print(type(goalinf.infer).__name__)").strip() == "function"


def test_all_names_at_once():
    program = "from goalinf import *; print(infer.__name__, plot.__name__, distance.__name__)"
    assert run(program).strip() == "infer goalinf.plot goalinf.identify.distance"
