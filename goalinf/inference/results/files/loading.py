"""Reading the file of a fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from goalinf.atomic_files import restored
from goalinf.inference.model.models import CustomModel, StandardModel
from goalinf.inference.results.files.checksum import read, verified
from goalinf.inference.results.files.fit_files import FITTED, FORMAT, suffix_of
from goalinf.inference.results.files.serialize import Reader, UnknownClassError
from goalinf.inference.results.fit import Fit
from goalinf.precision import computing_in


def load(path: str | Path) -> Fit:
    """Read a fit back. The file is closed afterwards.

    World, agent, reward, priors and data come back as they were, with the table that the data were read from (values
    that a file cannot hold, such as dates of an object column, come back as text). Of a model of your own come its
    draws and its data (arrays, and tuples, lists and dictionaries of them); the function cannot be kept in
    a file.

    Parameters
    ----------
    path : path
        A file that :meth:`Fit.save` wrote.

    Returns
    -------
    Fit

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is truncated, damaged or edited (its checksum is verified before anything in it is read), no fit, or of
        another format.

    Examples
    --------
    >>> import tempfile, jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, draws=100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = gi.load(fit.save(f"{folder}/hall.nc"))
    >>> again.summary().equals(fit.summary())
    True
    """
    path = Path(path)
    zarr = suffix_of(path) == ".zarr"
    target = restored(path)
    if not target.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if target.is_dir() and not zarr:
        raise IsADirectoryError(f"{path} is a folder; a fit in NetCDF is one file")
    try:
        source = verified(target)
    except ValueError as error:
        raise ValueError(f"{path} {error}. Save the fit again, or use a copy of the file") from None
    try:
        groups = read(source)
        attrs = groups["/"].attrs
        if "format" not in attrs:
            raise ValueError("there is no format number")
        file_format = int(attrs["format"])
    except Exception as error:  # HDF5 and Zarr fail in many ways on bytes that are not theirs
        raise ValueError(
            f"{path} cannot be read as a fit: it is truncated, or goalinf did not write it ({error}). "
            "Save the fit again, or use a copy of the file"
        ) from error
    if file_format != FORMAT:
        writer = attrs.get("version_goalinf", "unknown")
        raise ValueError(
            f"{path} has format {file_format}, written by goalinf {writer}; this is goalinf "
            f"{version('goalinf')}, which reads format {FORMAT}: read it with the version that wrote it"
        )
    try:
        return _fit(groups)
    except UnknownClassError as unknown:
        raise ValueError(f"the data of {path} could not be read: {unknown}") from None
    except Exception as error:
        lost = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is damaged ({lost}). Save the fit again, or use a copy of the file") from error


def _fit(groups: Mapping[str, xr.Dataset]) -> Fit:
    fitted = groups[f"/{FITTED}"]
    contents = json.loads(fitted["structure"].values.tobytes())
    datasets = {name: groups[f"/{name}"][names] for name, names in contents["order"].items()}
    arrays = {str(name): fitted[name].values for name in fitted.data_vars if name != "structure"}
    tree = xr.DataTree.from_dict({name: _clean(dataset) for name, dataset in datasets.items()})
    tree.attrs = contents["attrs"]
    with computing_in("float64"):  # parameters of priors keep their digits
        reader = Reader(arrays, contents["records"])
        try:
            kept = {name: reader.value(part) for name, part in contents.get("model", {}).items()}
        except UnknownClassError as lost:
            kept = {}
            tree.attrs["not_kept"] = f"world, agent and reward of the file could not be read: {lost}"
    return Fit(tree, reader.value(contents["data"]), StandardModel(**kept) if kept else _without_function(tree))


def _without_function(tree: xr.DataTree) -> CustomModel:
    """Return a user's model without its function, with the axes and labels of its draws."""
    draws = tree["posterior"].to_dataset()
    dims = {str(name): [str(dim) for dim in draws[name].dims[2:]] for name in draws.data_vars}
    coords: dict[str, Any] = {
        str(dim): draws[dim].values for dim in draws.dims if dim in draws.coords and dim not in ("chain", "draw")
    }
    if "constant_data" in tree:
        constants = tree["constant_data"].to_dataset()
        coords |= {str(name): (column.dims[0], column.values) for name, column in constants.data_vars.items()}
    return CustomModel(None, tree.attrs["not_kept"], dims, coords)


def _clean(dataset: xr.Dataset) -> xr.Dataset:
    """Text as NumPy's text again, and no traces of the file."""
    text = {name: values.astype(str) for name, values in dataset.variables.items() if values.dtype.kind in "OT"}
    return dataset.assign_coords(text).drop_encoding().drop_attrs()
