"""Worlds from files, for the command line: a TOML file that contains a map, or the path of a table."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd

from goalinf.worlds.builders.graph import graph_world
from goalinf.worlds.builders.grids import gridworld
from goalinf.worlds.builders.memory import with_memory
from goalinf.worlds.builders.transition_tables import from_table
from goalinf.worlds.table_files import open_table, row_name
from goalinf.worlds.world import World

_ALWAYS = {"discount", "terminal", "initial", "memory"}
_OPTIONS = {
    "map": {"moves", "stay", "slip", "blocked"},
    "edges": {"source", "target", "directed", "stay", "probability"},
    "transitions": {"state", "action", "next_state", "probability"},
}


def read_world(path: str | Path) -> World:
    r"""Read a world from a TOML file.

    The file contains ``discount`` and exactly one of

    - ``map``: a text map; with ``moves``, ``stay``, ``slip``, ``blocked`` as in :func:`~goalinf.gridworld`;
    - ``edges``: the path of a table with one row per edge, in columns ``source`` and ``target`` (other names: keys
      ``source`` and ``target``); with ``directed`` (default true), and ``stay`` and ``probability`` as in
      :func:`~goalinf.graph_world`;
    - ``transitions``: the path of a table as :func:`~goalinf.worlds.from_table` reads it; with ``state``,
      ``action``, ``next_state``, ``probability``, the names of its columns.

    All accept ``terminal`` and ``initial``, and ``memory = true`` for the second-order world
    (:func:`~goalinf.with_memory`). Paths are relative to the file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    World

    Raises
    ------
    ValueError
        Where the file is not TOML, a key is unknown or missing, or the builder raises an error; the message begins with
        the name of the file.
    FileNotFoundError
        Where the file, or a table that it names, does not exist.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "hall.toml")
    ...     _ = file.write_text('map = "s..a"\nterminal = "a"\ndiscount = 0.9')
    ...     read_world(file)
    World(map: 4 states, 4 actions, discount 0.9, 1 terminal)
    s..a
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected a TOML file that describes a world")
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not a TOML file: {error}") from None
    try:
        return _build(settings, path.parent)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path.name}: {error}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: {_in_keys(str(error))}") from None


def _in_keys(text: str) -> str:
    """Rewrite a message of a builder with the keys of the file: the key ``state`` for ``state=``."""
    keys = "|".join(set().union(_ALWAYS, *_OPTIONS.values()))
    return re.sub(rf"\b({keys})=(?=(\[)?)", lambda match: f"{match[1]} = " if match[2] else f"the key {match[1]}", text)


def _build(settings: dict[str, Any], folder: Path) -> World:
    kinds = [kind for kind in _OPTIONS if kind in settings]
    if len(kinds) != 1:
        problem = f"found {' and '.join(kinds)}" if kinds else f"found only {', '.join(settings) or 'nothing'}"
        raise ValueError(f"{problem}; expected exactly one of {', '.join(_OPTIONS)}")
    kind = kinds[0]
    allowed = _OPTIONS[kind] | _ALWAYS
    for key in settings:
        if key != kind and key not in allowed:
            close = difflib.get_close_matches(key, sorted(allowed), n=1)
            hint = f"did you mean {close[0]}?" if close else f"with {kind} go {', '.join(sorted(allowed))}"
            raise ValueError(f"unknown key {key}: {hint}")
    if "discount" not in settings:
        raise ValueError("the key discount is missing; give a number in [0, 1]")
    _check_types(settings)
    options = dict(settings)
    content, memory = options.pop(kind), options.pop("memory", False)
    world = _BUILDERS[kind](content, options, folder)
    return with_memory(world) if memory else world


def _check_types(settings: Mapping[str, Any]) -> None:
    expected: dict[str, tuple[tuple[type, ...], str]] = {
        **dict.fromkeys(("map", "edges", "transitions", "action", "probability", "source", "target"), ((str,), "text")),
        **dict.fromkeys(("stay", "directed", "memory"), ((bool,), "true or false")),
        **dict.fromkeys(("discount", "slip"), ((int, float), "a number")),
    }
    for key, value in settings.items():
        kinds, words = expected.get(key, ((object,), ""))
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and object not in kinds):
            raise ValueError(f"{key} is {value!r}; expected {words}")


def _map(text: str, options: dict[str, Any], folder: Path) -> World:
    return gridworld(text, **options)


def _edges(name: str, options: dict[str, Any], folder: Path) -> World:
    table = open_table(folder / name)
    ends = [options.pop("source", "source"), options.pop("target", "target")]
    directed = options.pop("directed", True)
    columns = ends + [options[key] for key in ("probability",) if key in options]
    for column in columns:
        if column not in table.cells:
            existing = ", ".join(map(str, table.cells.columns))
            problem = f"{name} has no column {column!r}; it has {existing}"
            raise ValueError(f"{problem}: name the columns with the keys source, target, probability")
        absent = table.cells[column].isna().to_numpy()
        if absent.any():
            row = row_name(table.cells, int(absent.argmax()), table.source)
            raise ValueError(f"{name}: column {column!r} is missing in {row}; fill it in or drop the row")
    edges = pd.DataFrame(dict(zip(ends, table.names(ends), strict=True)))
    edges = edges.assign(**{column: table.numbers(column) for column in columns[2:]})
    kind = nx.DiGraph if directed else nx.Graph
    graph = nx.from_pandas_edgelist(edges, *ends, edge_attr=columns[2:] or None, create_using=kind)
    return graph_world(graph, **options)


def _transitions(name: str, options: dict[str, Any], folder: Path) -> World:
    return from_table(folder / name, **options)


_BUILDERS: dict[str, Callable[[str, dict[str, Any], Path], World]] = {
    "map": _map,
    "edges": _edges,
    "transitions": _transitions,
}
