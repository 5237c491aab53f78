"""Labels of draws and data in the tree of a fit."""

from __future__ import annotations

import platform
from collections.abc import Hashable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
import xarray as xr

from goalinf.agents import Agent, MixtureAgent
from goalinf.behavior.conditions import Rewards
from goalinf.content_hash import content_hash
from goalinf.data import Observations
from goalinf.data.covariates import level_names
from goalinf.inference.model.log_density import Data
from goalinf.inference.model.priors import Site
from goalinf.rewards import LinearReward, base_of
from goalinf.types import PRNGKey
from goalinf.worlds import World, label

VERSIONS = ("goalinf", "jax", "numpyro", "arviz", "xarray", "numpy")


def dataset(
    draws: Mapping[str, np.ndarray], dims: Mapping[str, Sequence[str]], coords: Mapping[str, Any], lead: tuple[str, ...]
) -> xr.Dataset:
    """Label arrays; axes without a name are called ``<variable>_dim_<number>``."""
    variables = {}
    for name, values in draws.items():
        axis_names = list(dims.get(name, ()))
        axis_names += [f"{name}_dim_{i}" for i in range(len(axis_names), values.ndim - len(lead))]
        variables[name] = (*lead, *axis_names), np.asarray(values)
    present = {dim for axes, _ in variables.values() for dim in axes}
    sizes = {dim: size for axes, values in variables.values() for dim, size in zip(axes, values.shape, strict=True)}
    labeled = {k: v for k, v in coords.items() if (v[0] if isinstance(v, tuple) else k) in present}
    extra = {dim: np.arange(sizes[dim]) for dim in lead}
    return xr.Dataset({k: (axes, v) for k, (axes, v) in variables.items()}, coords={**extra, **labeled})


def split_coords(coords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    """Split coordinates into labels along axes, and further columns such as the ``row`` and ``col`` of a cell.

    In the posterior group an axis has its labels only: ArviZ selects one label after the other and joins the
    selections, which fails for a further column because its scalars differ.
    """
    columns = {name: values for name, values in coords.items() if isinstance(values, tuple)}
    return {name: values for name, values in coords.items() if name not in columns}, columns


def constant_data(columns: Mapping[str, tuple[Any, ...]], posterior: xr.Dataset) -> xr.Dataset:
    """Collect further columns of the axes of a posterior, labeled like these axes; empty where there are none."""
    present = {name: column for name, column in columns.items() if column[0] in posterior.dims}
    labels = {axis: posterior.coords[axis] for axis, _ in present.values() if axis in posterior.coords}
    return xr.Dataset(present, coords=labels)


def site_coords(
    sites: Sequence[Site],
    world: World,
    reward: Rewards | None,
    agent: Agent | None = None,
    data: Observations | None = None,
) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    """Return the axis names of every site, and the labels along them."""
    coords: dict[str, Any] = dict(world.coords())
    if not world.local_actions:
        coords["action"] = [label(name) for name in world.actions]
    linear = base_of(reward)
    if isinstance(linear, LinearReward):
        coords["feature"] = list(linear.names) if linear.names else list(range(linear.features.shape[-1]))
    if isinstance(agent, MixtureAgent) and data is not None:
        coords["value"] = labels(agent.names)
        coords |= {unit: labels(data.names(unit)) for unit in ("subject", data.unit)}
    if data is not None:
        coords |= {unit: labels(level_names(data, unit)) for unit in {unit for site in sites for unit in site.by}}
    for site in sites:
        coords |= {axis: labels(names) for axis, names in site.labels.items()}
    return {site.name: site.dims for site in sites}, coords


def observed(data: Data) -> xr.Dataset:
    """Copy the data to arrays: observations by field name, data of a model of your own by their path."""
    if not isinstance(data, Observations):
        return dataset(leaves(data), {}, {}, ()).copy(deep=True)
    numbered = ("subject", "context")
    fields = {f"{name}_number" if name in numbered else name: values for name, values in data.arrays().items()}
    return xr.Dataset(fields, coords={data.unit: labels(data.names(data.unit))}).copy(deep=True)


def leaves(data: Data) -> dict[str, np.ndarray]:
    """Return all arrays in the data of a user's model: ``data``, ``data.y`` in a dictionary, ``data.0`` in a tuple."""
    paths, _ = jax.tree_util.tree_flatten_with_path(data)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in paths}
    # NetCDF reserves "/" for its groups.
    return {f"data.{path}".rstrip(".").replace("/", "|"): np.asarray(leaf) for path, leaf in named.items()}


def data_hash(data: Data) -> str:
    """Return the SHA-256 of the arrays: equal data have equal hashes."""
    if isinstance(data, Observations):
        return data.data_hash()
    return content_hash(leaves(data))


def labels(names: Sequence[Any]) -> np.ndarray:
    """Return names along an axis: numbers where all are whole numbers, else text."""
    if all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in set(map(type, names))):
        return np.array(names, int)
    return np.array([label(name) for name in names], str)


def axis_labels(what: str, names: Iterable[Hashable]) -> list[Hashable]:
    """Return names along an axis: unchanged where all are text, numbers or flags, else as they print.

    Parameters
    ----------
    what : str
        Plural noun for messages, such as ``"goals"``.
    names : iterable
        Different names.

    Raises
    ------
    ValueError
        Where two names print alike, as 1 and "1" do.
    """
    listed = list(names)
    if any({type(name) for name in listed} <= kinds for kinds in ({str}, {bool}, {int, float})):
        return listed
    printed: dict[Hashable, Hashable] = {}
    for name in listed:
        if label(name) in printed:
            raise ValueError(
                f"{what} {printed[label(name)]!r} and {name!r} print alike ({label(name)}): give them names that differ"
            )
        printed[label(name)] = name
    return list(printed)


def provenance(key: PRNGKey, data: Data, precision: str) -> dict[str, Any]:
    """Return versions, seed, precision and the hash of the data."""
    return {
        **{f"version_{name}": version(name) for name in VERSIONS},
        "python": platform.python_version(),
        "device": jax.default_backend(),
        "seed": np.asarray(jax.random.key_data(key)).ravel().tolist(),
        "precision": precision,
        "data_hash": data_hash(data),
    }
