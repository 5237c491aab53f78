"""Every oracle is held against the library: none is there for its own sake."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ORACLES = tuple(sorted(path.stem for path in TESTS.glob("*oracles.py") if not path.stem.startswith("test_")))
LIBRARY = {"goalinf", "goalinf_models"}


def imports(tree):
    """Name in the file -> the oracle module, or the module and one of its functions; and every module imported."""
    names, modules = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
            names |= {alias.asname or alias.name: (alias.name,) for alias in node.names if alias.name in ORACLES}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.split(".")[0])
            if node.module in ORACLES:
                names |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return names, modules


def uses(tree, names):
    """Functions of oracle modules that this code names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id, ())
            found |= {(module[0], node.attr)} if len(module) == 1 else set()
        elif isinstance(node, ast.Name) and len(names.get(node.id, ())) == 2:
            found.add(names[node.id])
    return found


@pytest.fixture(scope="module")
def held():
    """All oracles, and those that a test with the library calls, itself or through another oracle."""
    calls = {}
    for module in ORACLES:
        tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
        parts = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        names = imports(tree)[0] | {part.name: (module, part.name) for part in parts}
        calls |= {(module, part.name): uses(part, names) for part in parts}
    waiting = set()
    for path in TESTS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names, modules = imports(tree)
        if path.stem not in ORACLES and modules & LIBRARY:
            waiting |= uses(tree, names)
    reached = set()
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting |= calls.get(one, set())
    return set(calls), reached


def test_every_oracle_is_held_against_the_library(held):
    every, reached = held
    assert len(every) > 80
    assert sorted(every - reached) == []


@pytest.mark.parametrize("module", ORACLES)
def test_oracles_share_nothing_with_the_library(module):
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    assert not imports(tree)[1] & (LIBRARY | {"jax", "numpyro", "equinox"})
