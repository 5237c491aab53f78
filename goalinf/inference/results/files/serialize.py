"""Serialization of worlds, agents, rewards, priors and data to plain structure and arrays, and back.

Structure consists of JSON types (lists, numbers, text) with one-key objects for everything else: ``{"array": "a3"}``,
``{"record": 5}``, ``{"distribution": ...}``, ``{"table": ...}``, ``{"dataset": ...}``, ``{"tuple": [...]}``,
``{"mapping": [[key, value], ...]}``. A record is an instance of one of the classes named below, stored by its
constructor arguments; no other function is called, so reading a file runs no code from it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import xarray as xr

from goalinf.agents import Agent, Option
from goalinf.data import Labels, Observations, Trajectories
from goalinf.planning import Part
from goalinf.planning.pooling import Pooling
from goalinf.planning.shared_correlation import SharedCorrelation
from goalinf.rewards import Alternatives, Reward
from goalinf.worlds import MDP, Belief, Memory, World

Structure = dict[str, Any] | list[Any] | str | float | int | bool | None  # as in JSON
_DATA = ("states", "actions", "lengths", "observed", "subject", "context", "labels", "contexts", "outcomes", "forced")


def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


# Classes that are written field by field, in addition to all subclasses of agents, observations, parts and rewards.
_FIXED = (MDP, World, Memory, Belief, Option, Alternatives, Labels, SharedCorrelation)
_OPEN = (Agent, Observations, Part, Reward)


def _subclasses(kind: type) -> Iterator[type]:
    subclass: type
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _class_name(kind: type) -> str:
    """Return the name of a class in a file: with its module, unless the class belongs to goalinf."""
    from_library = kind.__module__.split(".")[0] == "goalinf"
    return kind.__name__ if from_library else f"{kind.__module__}:{kind.__qualname__}"


def _storable(kind: type) -> bool:
    return kind in _FIXED or issubclass(kind, _OPEN)


def _class_named(name: str) -> type:
    """Return the class with this name in a file.

    Raises
    ------
    UnknownClassError
        Where no such class has been defined or imported.
    """
    known: dict[str, type] = {_class_name(kind): kind for base in _OPEN for kind in _subclasses(base)}
    known.update({_class_name(kind): kind for kind in _FIXED})
    if name in known:
        return known[name]
    module, _, qualified = name.partition(":")
    # A script is the module __main__, and another module where it is imported.
    by_module = {
        key.partition(":")[0]: kind for key, kind in known.items() if qualified and key.endswith(f":{qualified}")
    }
    candidates = (
        list(by_module.values()) if module == "__main__" else [by_module[key] for key in by_module if key == "__main__"]
    )
    if len(candidates) == 1:
        return candidates[0]
    remedy = f"import {module}" if qualified and module != "__main__" else f"define {qualified or name}"
    raise UnknownClassError(f"the class {qualified or name} is not defined: {remedy} before loading the file")


def _made(kind: type) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """Return the constructor of a class, and the names of its arguments, which are attributes, too."""
    return (Trajectories.of, _DATA) if kind is Trajectories else (kind, _fields(kind))


class UnknownClassError(ValueError):
    """Error for a class of a file that is not defined in this program; the message contains the remedy."""


class UnstorableError(ValueError):
    """Error for a value that cannot be written to a file; the message names it."""


class Writer:
    """Converter of records to structure and arrays.

    A record that occurs twice (the world of a fit and of its data) is written once.

    Attributes
    ----------
    arrays : dict
        Name -> array.
    records : list
        Structure of every record; records inside other records come first.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.records: list[dict[str, Any]] = []
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []  # keeps the ids in `_known` from being used again

    def structure(self, value: Any) -> Structure:
        """Convert a value to structure; its arrays and records are collected.

        Raises
        ------
        UnstorableError
            Where it contains a value that is neither data nor a known record.
        """
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, dist.Distribution):
            return self._distribution(value)
        if isinstance(value, (np.ndarray, jax.Array)):
            return self._array(np.asarray(value))
        if isinstance(value, tuple):
            return {"tuple": [self.structure(part) for part in value]}
        if isinstance(value, list):
            return [self.structure(part) for part in value]
        if isinstance(value, xr.Dataset):
            return {"dataset": self._dataset(value)}
        if isinstance(value, Mapping):
            return {"mapping": [[self.structure(key), self.structure(part)] for key, part in value.items()]}
        if isinstance(value, nx.Graph):
            return self._graph(value)
        if isinstance(value, pd.DataFrame):
            return {"table": self._table(value)}
        if _storable(type(value)):
            return self._record(value)
        raise UnstorableError(f"a {type(value).__name__} cannot be written to a file")

    def _array(self, value: np.ndarray) -> dict[str, str]:
        if value.dtype.kind not in "biuf":
            raise UnstorableError(f"an array of {value.dtype} cannot be written to a file")
        name = f"a{len(self.arrays)}"
        self.arrays[name] = value
        return {"array": name}

    def _record(self, value: Any) -> dict[str, int]:
        if id(value) not in self._known:
            names = _made(type(value))[1]
            given = {name: getattr(value, name) for name in names}
            if isinstance(value, Labels):
                given |= {
                    name: tuple(map(self._name, given[name])) for name in ("trajectories", "subjects", "contexts")
                }
                given["columns"] = {part: self._name(column) for part, column in given["columns"].items()}
            if isinstance(value, Observations) and isinstance(given.get("contexts"), tuple):
                given["contexts"] = tuple(map(self._name, given["contexts"]))
            fields = {name: self.structure(part) for name, part in given.items()}
            self.records.append({"class": _class_name(type(value)), "fields": fields})
            self._known[id(value)] = len(self.records) - 1
            self._kept.append(value)
        return {"record": self._known[id(value)]}

    def _name(self, name: Hashable) -> Hashable:
        """Return a user's name unchanged; as text where a file cannot hold it (for example dates)."""
        try:
            self.structure(name)
        except UnstorableError:
            return str(name)
        return name

    def _table(self, table: pd.DataFrame) -> dict[str, Any]:
        """Convert names and values of the columns; the index comes first."""
        columns = [(table.index.name, pd.Series(table.index.to_flat_index())), *table.items()]
        return {"columns": [[self.structure(self._name(name)), self._column(values)] for name, values in columns]}

    def _column(self, column: pd.Series) -> dict[str, Any]:
        """Convert numbers to an array, other columns to codes and unique values (as text where necessary)."""
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
            return self._array(column.to_numpy())
        codes, values = pd.factorize(column)
        names = [self.structure(self._name(_scalar(value))) for value in values]
        return {"codes": self._array(codes), "values": names, "dtype": str(column.dtype)}

    def _dataset(self, value: xr.Dataset) -> dict[str, Any]:
        """Convert arrays with the names of their axes, and labels along the axes."""
        arrays = [[str(name), list(map(str, array.dims)), self._array(array.values)] for name, array in value.items()]
        coords = [[str(name), self.structure(array.values.tolist())] for name, array in value.coords.items()]
        return {"arrays": arrays, "coords": coords}

    def _graph(self, graph: nx.Graph) -> dict[str, Any]:
        """Convert nodes and edges, with the attributes that a file can hold."""
        nodes = [[self.structure(node), self._attributes(attributes)] for node, attributes in graph.nodes(data=True)]
        edges = [
            [self.structure(s), self.structure(t), self._attributes(attributes)]
            for s, t, attributes in graph.edges(data=True)
        ]
        return {"graph": {"directed": graph.is_directed(), "nodes": nodes, "edges": edges}}

    def _attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        stored = {}
        for name, value in attributes.items():
            try:
                stored[str(name)] = self.structure(value)
            except UnstorableError:
                continue  # a user's attribute that goalinf does not read
        return stored

    def _distribution(self, value: dist.Distribution) -> dict[str, Any]:
        """Convert class and arguments; checks that they make the same distribution."""
        name = type(value).__name__
        if _distribution_named(name) is not type(value):
            raise UnstorableError(f"a prior of class {name} is not one of NumPyro's and cannot be written to a file")
        arguments = {parameter: _argument(value, parameter) for parameter in _parameters(type(value))}
        try:
            same = _same(value, type(value)(**arguments))
        except Exception:  # a constructor with other arguments may raise any exception
            same = False
        if not same:
            raise UnstorableError(f"a prior of class {name} cannot be written to a file by its parameters")
        return {"distribution": name, "arguments": {k: self.structure(v) for k, v in arguments.items()}}


class Reader:
    """Converter of structure and arrays to records.

    Parameters
    ----------
    arrays : mapping
        Name -> array.
    records : list
        Structure of every record, as a :class:`Writer` left it.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], records: list[dict[str, Any]]) -> None:
        self._arrays = arrays
        self._made: list[Any] = []
        for record in records:
            try:
                self._made.append(self._record(record))
            except UnknownClassError as error:  # raised only where the record is used
                self._made.append(error)

    def _record(self, record: dict[str, Any]) -> Any:
        make, names = _made(_class_named(record["class"]))
        fields = {name: self.value(part) for name, part in record["fields"].items()}
        # An argument that did not exist when the file was written gets its default.
        return make(**{name: fields[name] for name in names if name in fields})

    def value(self, structure: Structure) -> Any:
        """Rebuild the value with this structure.

        Raises
        ------
        UnknownClassError
            Where it contains a record of a class that is not defined in this program.
        """
        if isinstance(structure, list):
            return [self.value(part) for part in structure]
        if not isinstance(structure, dict):
            return structure
        if "array" in structure:
            return self._arrays[structure["array"]]
        if "record" in structure:
            made = self._made[structure["record"]]
            if isinstance(made, UnknownClassError):
                raise made
            return made
        if "tuple" in structure:
            return tuple(self.value(part) for part in structure["tuple"])
        if "mapping" in structure:
            return {self.value(key): self.value(part) for key, part in structure["mapping"]}
        if "distribution" in structure:
            arguments = {name: self.value(part) for name, part in structure["arguments"].items()}
            return _distribution_named(structure["distribution"])(**arguments)
        if "table" in structure:
            return self._table(structure["table"])
        if "dataset" in structure:
            arrays = {name: (dims, self.value(array)) for name, dims, array in structure["dataset"]["arrays"]}
            return xr.Dataset(
                arrays, coords={name: self.value(names) for name, names in structure["dataset"]["coords"]}
            )
        return self._graph(structure["graph"])

    def _table(self, structure: dict[str, Any]) -> pd.DataFrame:
        names = [self.value(name) for name, _ in structure["columns"]]
        index, *columns = [self._column(values) for _, values in structure["columns"]]
        table = pd.concat(columns, axis=1)
        table.columns = pd.Index(names[1:], tupleize_cols=False)
        return table.set_axis(pd.Index(index, name=names[0]))

    def _column(self, structure: dict[str, Any]) -> pd.Series:
        if "codes" not in structure:
            return pd.Series(self.value(structure))
        values = np.empty(len(structure["values"]) + 1, object)
        values[:-1] = [self.value(value) for value in structure["values"]]
        values[-1] = None  # where the code is −1
        column = pd.Series(values[self.value(structure["codes"])], dtype=object)
        try:
            return column.astype(structure["dtype"])
        except (TypeError, ValueError):  # values that came as text
            return column

    def _graph(self, structure: dict[str, Any]) -> nx.Graph:
        graph = nx.DiGraph() if structure["directed"] else nx.Graph()
        for node, attributes in structure["nodes"]:
            graph.add_node(self.value(node), **{name: self.value(part) for name, part in attributes.items()})
        for s, t, attributes in structure["edges"]:
            graph.add_edge(
                self.value(s), self.value(t), **{name: self.value(part) for name, part in attributes.items()}
            )
        return nx.freeze(graph)


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _distribution_named(name: str) -> Any:
    """Return NumPyro's distribution of this name; also classes that NumPyro does not export by name."""
    if name == Pooling.__name__:
        return Pooling
    for module in (dist, dist.distribution, dist.truncated):
        kind = getattr(module, name, None)
        if isinstance(kind, type) and issubclass(kind, dist.Distribution):
            return kind
    return None


def _parameters(kind: type) -> list[str]:
    if kind is dist.MultivariateNormal:  # accepts one of three matrices and computes the other two
        return ["loc", "scale_tril"]
    parameters = list(inspect.signature(kind).parameters.values())
    return [
        parameter.name
        for parameter in parameters
        if parameter.name != "validate_args" and parameter.kind is not parameter.VAR_KEYWORD
    ]


def _argument(value: dist.Distribution, name: str) -> Any:
    argument = getattr(value, name, getattr(value, f"_{name}", None))
    return tuple(argument) if isinstance(argument, tuple) else argument


def _same(first: dist.Distribution, second: dist.Distribution) -> bool:
    """Return True where two distributions of one class have equal shapes and parameters."""
    leaves, others = jax.tree.leaves(first), jax.tree.leaves(second)
    shapes = (first.batch_shape, first.event_shape) == (second.batch_shape, second.event_shape)
    if not shapes or len(leaves) != len(others):
        return False
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(leaves, others, strict=True))
