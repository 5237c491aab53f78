"""The project as a stranger meets it: what is packaged, what an import does, which way the imports point."""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
import textwrap
import tomllib
import types
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import goalinf
import goalinf_models

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {"goalinf": REPOSITORY / "goalinf", "goalinf_models": REPOSITORY / "models" / "goalinf_models"}


def run(*command, cwd):
    """Run a command and return what it printed; its complaints become the failure of the test."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def project_files():
    """Files that git tracks or would track: everything a clone contains."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY)
    return [REPOSITORY / name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


def test_the_wheel_works_in_an_environment_of_its_own(tmp_path):
    # The source archive is built first and the wheel from it, so both hold everything.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "dist", REPOSITORY, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"goalinf", "goalinf_models"}

    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    run(
        *[sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"],
        *["--no-index", "--no-deps", wheel],
        cwd=tmp_path,
    )
    # The dependencies are borrowed. A path in a .pth file comes last and is not searched for further .pth files, so
    # neither the editable installation nor the checkout can be what is imported.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = """
        import sys, goalinf, goalinf_models
        for package in (goalinf, goalinf_models):
            assert package.__file__.startswith(sys.prefix), package.__file__
            assert [where for where in package.__path__ if not where.startswith(sys.prefix)] == []
        for name in goalinf.__all__:
            getattr(goalinf, name)
        print(goalinf.__version__)
    """
    assert run(python, "-I", "-c", textwrap.dedent(program), cwd=elsewhere).strip() == goalinf.__version__
    assert "Usage" in run(python, "-I", environment / "bin" / "goalinf", "--help", cwd=elsewhere)


def test_importing_has_no_side_effects(tmp_path):
    # The first import pays for the side effects of other libraries; the second can show only ours.
    program = """
        import os, sys, warnings
        from goalinf import *
        import jax, numpy

        ours = [name for name in sys.modules if name.split(".")[0] == "goalinf"]
        for name in ours:
            del sys.modules[name]
        warnings.filters[:] = []
        before = dict(jax.config.values), dict(os.environ), os.getcwd(), numpy.random.get_state()[1].tolist()
        files = sorted(os.walk("."))

        from goalinf import *  # every name, and with it every module

        assert jax.config.jax_enable_x64 is False
        assert warnings.filters == [], warnings.filters
        after = dict(jax.config.values), dict(os.environ), os.getcwd(), numpy.random.get_state()[1].tolist()
        assert before == after
        assert sorted(os.walk(".")) == files
    """
    assert run(sys.executable, "-c", textwrap.dedent(program), cwd=tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_imports_point_one_way():
    if not (REPOSITORY / "pyproject.toml").exists():
        pytest.skip("the contracts are in the checkout's pyproject.toml")
    run(Path(sys.executable).parent / "lint-imports", "--no-cache", cwd=REPOSITORY)


@pytest.mark.parametrize("library", ["gymnasium", "arviz"])
def test_a_restless_library_is_met_in_one_file(library):
    # gymnasium is optional, and ArviZ differs between its versions: each has one file that knows.
    files = set()
    for folder in PACKAGES.values():
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                modules += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
                if any(module.split(".")[0].split("_")[0] == library for module in modules):
                    files.add(str(path.relative_to(REPOSITORY)))
    assert len(files) <= 1, files


def test_shape_annotations_are_executed():
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] in PACKAGES}
    assert [name for name, it in ours.items() if "jaxtyping" not in type(it.__loader__).__module__] == []
    mdp = goalinf.gridworld("s.a", discount=0.9).mdp
    with pytest.raises(jaxtyping.TypeCheckError, match="terminal"):
        dataclasses.replace(mdp, terminal=np.zeros(4, bool))


def test_every_public_name_is_documented():
    public = {name: getattr(package, name) for package in (goalinf, goalinf_models) for name in package.__all__}
    described = {
        name: thing
        for name, thing in public.items()
        if isinstance(thing, types.ModuleType) or inspect.isclass(thing) or inspect.isroutine(thing)
    }
    assert [name for name, thing in described.items() if not (thing.__doc__ or "").strip()] == []
    assert set(public) - set(described) <= {"__version__"}


def test_the_version_is_the_packaged_one():
    assert goalinf.__version__ == version("goalinf")


def test_equivalent_mutants_are_lines_of_the_package():
    """A mutant that was judged by hand is judged again when its line changes."""
    for mutant in tomllib.loads((REPOSITORY / "tests/equivalent_mutants.toml").read_text())["mutant"]:
        lines = ["".join(line.split()) for line in (REPOSITORY / mutant["module"]).read_text().splitlines()]
        assert "".join(mutant["was"].split()) in lines, mutant["was"]


def test_no_machine_path_in_the_project():
    private = {str(REPOSITORY), str(REPOSITORY.parent / "shared"), str(Path.home())} - {"/"}
    pattern = re.compile("|".join(re.escape(path + "/") for path in private) + r"|(?<![\w./])/(?:home|Users|root)/\w")
    found = []
    for path in project_files():
        content = path.read_bytes()
        if b"\0" in content:  # a picture, an archive
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.slow
def test_the_readme_runs(tmp_path):
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    run(sys.executable, "-c", program, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["quickstart-reward.png"]
