"""How the documentation is built: `make docs`, where every warning is an error."""

import csv
import importlib.metadata
import json
import os
import shutil
import types
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

import goalinf
import goalinf_models

HERE = Path(__file__).parent
STUDIES = HERE.parent / "studies"

project = "goalinf"
author = "The goalinf authors"
copyright = author
release = version = importlib.metadata.version("goalinf")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery"]
suppress_warnings = ["config.cache"]  # a function among the settings (`shown`, below) cannot be kept between builds
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_title = "goalinf"
html_show_sourcelink = False

autodoc_typehints = "none"  # shapes and units stand in the docstrings, in words
numpydoc_show_class_members = False  # the template of a class lists them


def shown(block, variables, settings, **_):
    """Save the figure that a block of an example ends with; gi.plot makes figures that pyplot does not know of."""
    last = variables["example_globals"].get("___")
    if not isinstance(last, Figure) or getattr(last, "_saved", False):
        return ""
    last._saved = True
    path = next(variables["image_path_iterator"])
    last.savefig(path, bbox_inches="tight")
    return figure_rst([path], settings["src_dir"])


sphinx_gallery_conf = {
    "image_scrapers": (shown,),
    "ignore_repr_types": r"matplotlib|goalinf\.plot",
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": "plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
}


# Links into other documentation. Their inventories come over the network; where one cannot be had, its links become
# plain text instead of a warning. GOALINF_DOCS_OFFLINE=1 does not even try.
OTHERS = {
    "python": "https://docs.python.org/3",
    "numpy": "https://numpy.org/doc/stable",
    "pandas": "https://pandas.pydata.org/docs",
    "xarray": "https://docs.xarray.dev/en/stable",
    "networkx": "https://networkx.org/documentation/stable",
    "jax": "https://docs.jax.dev/en/latest",
    "numpyro": "https://num.pyro.ai/en/stable",
    "arviz": "https://python.arviz.org/en/stable",
}


def reachable(address):
    """Whether the inventory at this address answers within a few seconds."""
    try:
        with urllib.request.urlopen(f"{address}/objects.inv", timeout=5) as answer:
            return answer.read(13) == b"# Sphinx inve"
    except OSError:
        return False


offline = os.environ.get("GOALINF_DOCS_OFFLINE", "0") not in ("", "0")
with ThreadPoolExecutor() as pool:
    answers = [False] * len(OTHERS) if offline else list(pool.map(reachable, OTHERS.values()))
intersphinx_mapping = {
    name: (address, None) for (name, address), answer in zip(OTHERS.items(), answers, strict=True) if answer
}


# The reference lists what `goalinf.__all__` lists, by room: the module that defines a name is the room it belongs to.
ROOMS = {
    "worlds": ("Worlds", "States, actions and transition probabilities, without a reward."),
    "rewards": ("Rewards", "Rewards of states, actions, transitions, features and goals."),
    "agents": ("Agents", "Beliefs, planner, choice rule and noise; hidden modes and memories."),
    "planning": ("Planning", "Bellman problems, risk measures and solvers."),
    "behavior": ("Behavior", "Trajectories as a distribution, given a world, an agent and a reward."),
    "data": ("Data", "From tables to trajectories and back, every row checked."),
    "inference": ("Inference", "Posteriors over rewards, goals and the parameters of agents."),
    "identify": ("Identification", "Identifiability, distances between rewards, and the audit of a posterior."),
    "imitation": ("Imitation", "Policies from demonstrations."),
    "preferences": ("Preferences", "Rewards from comparisons."),
    "assistance": ("Assistance", "Assistance under uncertainty about the goal."),
    "workflow": ("Workflow", "Recovery, calibration, predictive checks, comparison."),
    "plot": ("Plots", "Every function returns a matplotlib figure or axes."),
    "": ("Errors", "Errors and warnings of all modules."),
}


def catalogue():
    """The section of the models: each with its first line and the questions it answers."""
    text = (
        "\nCatalogue\n---------\n\n"
        "Complete models from the literature, in the package ``goalinf_models``. Of each, ``model(data, variant)`` returns\n"
        "the arguments of what computes its posterior, ``example(key, variant)`` small data.\n\n"
    )
    tools = []
    for name in goalinf_models.__all__:
        thing = getattr(goalinf_models, name)
        if not isinstance(thing, types.ModuleType):
            tools.append(f".. auto{'class' if isinstance(thing, type) else 'function'}:: goalinf_models.{name}\n")
            continue
        text += f"``{name}``\n   {thing.__doc__.splitlines()[0]}\n\n"
        for question in dict.fromkeys(variant.question for variant in thing.VARIANTS.values()):
            answering = [f"``{key}``" for key, variant in thing.VARIANTS.items() if variant.question == question]
            text += f"   - {question} ({', '.join(answering)})\n"
        text += "\n"
    return text + "\n".join(tools)


DOCUMENTED = (
    "agents",
    "errors",
    "identify",
    "inference",
    "planning",
    "plot",
    "workflow",
)  # rooms with names beyond the main path


def public_names(module, prefix="", seen=None):
    """Public names of a module with what they name, and those of the rooms beyond the main path, each once."""
    seen = {} if seen is None else seen
    things = [(name, getattr(module, name)) for name in module.__all__]
    for name, thing in things:
        if not isinstance(thing, types.ModuleType) and id(thing) not in seen:
            seen[id(thing)] = thing
            yield prefix + name, thing
    for name, thing in things:
        if isinstance(thing, types.ModuleType) and (prefix or name in DOCUMENTED):
            yield from public_names(thing, f"{prefix}{name}.", seen)


def write_reference():
    """Write ``api/index.rst``: the main path, and the names of the rooms beyond it."""
    rooms = {room: [] for room in ROOMS}
    for name, thing in public_names(goalinf):
        defined = getattr(thing, "__module__", None) or getattr(thing, "__name__", "")
        room = (defined.split(".") + [""])[1]
        rooms[room if room in rooms else ""].append(name)
    text = "API reference\n=============\n\n.. currentmodule:: goalinf\n"
    for room, names in rooms.items():
        if names:
            title, line = ROOMS[room]
            listed = "\n".join(f"   {name}" for name in sorted(names))
            text += f"\n{title}\n{'-' * len(title)}\n\n{line}\n\n.. autosummary::\n   :toctree: generated\n\n{listed}\n"
    text += catalogue()
    folder = HERE / "api"
    shutil.rmtree(folder, ignore_errors=True)  # pages of names that are gone
    folder.mkdir()
    (folder / "index.rst").write_text(text, encoding="utf-8")


LONG = 30  # rows of a table above which a page only links to it


def study_page(name):
    """The page of a study: its README, then the table and the checks that it left. Nothing is run."""
    text = (STUDIES / name / "README.md").read_text(encoding="utf-8")
    for file in ("figure.png", "table.csv"):
        text = text.replace(f"({file})", f"({name}/{file})")
    with (STUDIES / name / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = len(list(csv.reader(file)))
    if rows <= LONG:
        text += f"\n## Table\n\n```{{csv-table}}\n:file: {name}/table.csv\n:header-rows: 1\n```\n"
    manifest = json.loads((STUDIES / name / "manifest.json").read_text(encoding="utf-8"))
    held = sum(check["holds"] for check in manifest["checks"])
    versions = ", ".join(f"{key} {value}" for key, value in manifest["versions"].items())
    text += (
        f"\n## Run\n\n{held} of {len(manifest['checks'])} checks held, in {manifest['seconds']:g} seconds, with seed "
        f"{manifest['seed']} ({versions}).\n\n```{{literalinclude}} {name}/study.py\n:language: python\n```\n"
    )
    return text


def write_studies():
    """Write ``studies/``: an index, and a page for every study with copies of the files it shows."""
    folder = HERE / "studies"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = sorted(results.parent.name for results in STUDIES.glob("*/manifest.json"))  # what has been run
    for name in names:
        (folder / name).mkdir()
        for file in ("figure.png", "table.csv", "study.py"):
            shutil.copy(STUDIES / name / file, folder / name / file)
        (folder / f"{name}.md").write_text(study_page(name), encoding="utf-8")
    (folder / "index.md").write_text(
        "# Studies\n\nEach study answers one question with a script that a user could have written, and says what would "
        "have shown a bug. `make studies` runs all of them.\n\n"
        "```{toctree}\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```\n",
        encoding="utf-8",
    )


write_reference()
write_studies()
