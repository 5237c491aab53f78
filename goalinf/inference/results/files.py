"""One file per fit, NetCDF or Zarr: the groups of its tree as they are, and beside them what was fitted."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from goalinf.checks import check_flag
from goalinf.data import Trajectories
from goalinf.files import check_replaceable, restored, written_whole
from goalinf.inference.results.checksum import is_store, read, sealed, verified, write_store
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.serialize import Reader, UnknownClassError, UnstorableError, Writer
from goalinf.precision import computing_in

FORMAT = 3  # of the file; 3: agents by kind
_FITTED = "fitted"  # the group that holds world, agent, reward and data
_OWN = (
    "this fit is of a model of your own, and a function cannot be kept in a file: world, agent and reward are not "
    "known. Its draws are in fit.posterior"
)


def save(fit: Fit, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a fit to one NetCDF (``.nc``) or Zarr (``.zarr``) file.

    The draws are ordinary groups that xarray and ArviZ can read; worlds, agents, rewards, priors and data lie beside
    them as arrays and JSON. Nothing is pickled. The file appears under its name when it is complete, not before, and
    ends with a SHA-256 checksum of everything in it. A symlink stays, and the file that it points to is replaced.

    Parameters
    ----------
    fit : Fit
        What to keep.
    path : path
        Where; the suffix says the form.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path

    Raises
    ------
    FileExistsError
        Where there is something at that path already and ``overwrite`` was not given.
    OSError, ValueError
        Where the folder is missing or cannot be written to, the disk is full, or the suffix is another one. The fit
        stays in memory, and an earlier file stays as it was.
    """
    path = check_target(path, overwrite=overwrite)
    tree = xr.DataTree.from_dict(_groups(fit))
    # In memory first: the library of HDF5 ends the process where it meets a full disk.
    content = None if path.suffix == ".zarr" else sealed(tree)
    try:
        with written_whole(path) as partial:
            if content is None:
                write_store(tree, partial)
            else:
                partial.write_bytes(content)
    except OSError as error:
        raise _not_written(path, error, 0 if content is None else len(content)) from error
    return path


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
    zarr = _suffix(path) == ".zarr"
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
        found = int(attrs["format"])
    except Exception as error:  # HDF5 and Zarr fail in many ways on bytes that are not theirs
        raise ValueError(
            f"{path} cannot be read as a fit: it is truncated, or goalinf did not write it ({error}). "
            "Save the fit again, or use a copy of the file"
        ) from error
    if found != FORMAT:
        writer = attrs.get("version_goalinf", "unknown")
        raise ValueError(
            f"{path} has format {found}, written by goalinf {writer}; this is goalinf "
            f"{version('goalinf')}, which reads format {FORMAT}: read it with the version that wrote it"
        )
    try:
        return _fit(groups)
    except Exception as error:
        lost = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is damaged ({lost}). Save the fit again, or use a copy of the file") from error


def check_target(path: str | Path, *, overwrite: bool) -> Path:
    """Say at once, before hours of sampling, whether a fit can be written here; see :func:`save`."""
    check_flag("overwrite", overwrite)
    path = Path(path)
    suffix = _suffix(path)
    folder = path.parent
    if folder.is_dir():
        folder = restored(path).parent  # of what a symlink points to
    if not folder.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {folder}; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written: the folder {folder} is not yours to write to")
    if not path.exists():
        return path
    if not overwrite:
        raise FileExistsError(f"{path} exists already; give another name, or overwrite=True to replace it")
    check_replaceable(path)
    if path.is_dir() and (suffix == ".nc" or not is_store(path)):
        raise IsADirectoryError(f"{path} is a folder that goalinf did not write, and is left alone; give another name")
    if path.is_file() and suffix == ".zarr":
        raise FileExistsError(f"{path} is a file, not a Zarr store, and is left alone; give another name")
    return path


def _suffix(path: Path) -> str:
    if path.suffix not in (".nc", ".zarr"):
        raise ValueError(
            f"{path}: the suffix {path.suffix!r} says no form that a fit is kept in; use .nc (NetCDF) or .zarr (Zarr)"
        )
    return path.suffix


# -- what goes into the file ------------------------------------------------------------------


def _groups(fit: Fit) -> dict[str, xr.Dataset]:
    """The tree's groups, and one more for what was fitted."""
    groups = {name: node.to_dataset().copy() for name, node in fit.tree.children.items()}
    writer = Writer()
    contents: dict[str, Any] = {"data": None}
    attrs = dict(fit.tree.attrs)
    if fit.agent is not None:
        try:
            contents["model"] = {name: writer.structure(getattr(fit, name)) for name in ("world", "agent", "reward")}
        except UnstorableError as lost:
            attrs["not_kept"] = f"world, agent and reward were not kept in the file: {lost}"
            warnings.warn(f"{attrs['not_kept']}. Draws, labels and data are kept", UserWarning)
    else:
        attrs.setdefault("not_kept", _OWN)
    try:
        contents["data"] = writer.structure(fit.data)
    except UnstorableError as lost:  # hours of sampling are worth more than data that the user has anyway
        known = f"{attrs['not_kept']}. " if "not_kept" in attrs else ""
        named = isinstance(fit.data, Trajectories)
        contents["data"] = writer.structure(fit.data.unlabeled()) if named else None
        attrs["not_kept"] = f"{known}The {'names of the ' * named}data were not kept in the file: {lost}"
    contents |= {"records": writer.records, "attrs": attrs, "order": {k: list(v.data_vars) for k, v in groups.items()}}
    text = json.dumps(contents, default=lambda value: np.asarray(value).tolist())
    # As bytes, since an attribute of HDF5 ends at 64 kB.
    fitted: dict[str, tuple] = {"structure": ("structure_byte", np.frombuffer(text.encode(), np.uint8))}
    for name, values in writer.arrays.items():
        fitted[name] = (tuple(f"{name}_dim_{i}" for i in range(values.ndim)), values)
    groups[_FITTED] = xr.Dataset(fitted)
    plain = {name: value for name, value in attrs.items() if isinstance(value, (str, int, float, list))}
    return {"/": xr.Dataset(attrs={**plain, "format": FORMAT}), **groups}


def _fit(groups: Mapping[str, xr.Dataset]) -> Fit:
    fitted = groups[f"/{_FITTED}"]
    contents = json.loads(fitted["structure"].values.tobytes())
    found = {name: groups[f"/{name}"][names] for name, names in contents["order"].items()}
    arrays = {str(name): fitted[name].values for name in fitted.data_vars if name != "structure"}
    tree = xr.DataTree.from_dict({name: _clean(dataset) for name, dataset in found.items()})
    tree.attrs = contents["attrs"]
    with computing_in("float64"):  # parameters of priors keep their digits
        reader = Reader(arrays, contents["records"])
        try:
            model = {name: reader.value(part) for name, part in contents.get("model", {}).items()}
        except UnknownClassError as lost:
            model = {}
            tree.attrs["not_kept"] = f"world, agent and reward of the file could not be read: {lost}"
    return Fit(tree, reader.value(contents["data"]), **model)


def _clean(dataset: xr.Dataset) -> xr.Dataset:
    """Text as NumPy's text again, and no traces of the file."""
    text = {name: values.astype(str) for name, values in dataset.variables.items() if values.dtype.kind in "OT"}
    return dataset.assign_coords(text).drop_encoding().drop_attrs()


# -- files ------------------------------------------------------------------------------------


def _not_written(path: Path, error: OSError, size: int) -> OSError:
    """Say that a fit could not be written, that it is still in memory, and where else to save it."""
    folder = path.absolute().parent
    takes = f"the file takes {size / 1e6:.3g} MB, " if size else ""
    text = (
        f"{path} was not written: {error.strerror or error} ({takes}{shutil.disk_usage(folder).free / 1e6:.3g} MB are "
        f"free in {folder}). Nothing is lost: the fit is still in memory, and a file that was there is as it was. Make "
        f"room, or save to another folder, such as fit.save({str(Path(tempfile.gettempdir(), path.name))!r})"
    )
    return OSError(text) if error.errno is None else OSError(error.errno, text)
