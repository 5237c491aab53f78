"""The pages of the gallery show results wherever they are built: those without data, too."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "gallery"
PAGES = sorted(FOLDER.glob("plot_*.py"))
WITH_DATA = [page for page in PAGES if "GOALINF_DATA" in page.read_text(encoding="utf-8")]

# Executes a page block by block and counts the figures that are values, which are those that the built page shows.
RUN = """
import ast, sys
import matplotlib
matplotlib.use("Agg")
from matplotlib.figure import Figure
scope, figures = {"__name__": "__main__"}, 0
for node in ast.parse(open(sys.argv[1], encoding="utf-8").read()).body:
    if isinstance(node, ast.Expr):
        value = eval(compile(ast.Expression(node.value), sys.argv[1], "eval"), scope)
        if isinstance(value, Figure):
            value.draw_without_rendering()
            figures += 1
    else:
        exec(compile(ast.Module([node], []), sys.argv[1], "exec"), scope)
print("figures:", figures)
"""


def test_six_pages_know_of_data():
    assert len(WITH_DATA) == 6
    assert len(PAGES) == 11


@pytest.mark.parametrize("page", WITH_DATA, ids=lambda page: page.stem)
def test_nothing_on_a_page_depends_on_whether_its_data_are_there(page):
    """Every block stands at the outermost level, and the page says which data it shows."""
    body = ast.parse(page.read_text(encoding="utf-8")).body
    conditions = [ast.unparse(node.test) for node in body if isinstance(node, ast.If)]
    assert conditions == ["'GOALINF_DATA' in os.environ"]
    assert "look-alike" in page.read_text(encoding="utf-8")
    assert any(
        ast.unparse(node) == "print('data of the experiment' if DATA else 'simulated look-alike')" for node in body
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_figures_without_data(page, tmp_path):
    hidden = {name: value for name, value in os.environ.items() if name != "GOALINF_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(page)], capture_output=True, text=True, cwd=tmp_path, env=hidden, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split("figures:")[1]) >= 1
    assert ("simulated look-alike" in done.stdout) == (page in WITH_DATA)
