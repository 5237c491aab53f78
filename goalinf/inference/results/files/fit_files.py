"""Files of fits, NetCDF or Zarr: the groups of the tree as they are, and beside them the model and the data."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr

from goalinf.atomic_files import check_replaceable, restored, written_whole
from goalinf.checks import check_flag
from goalinf.data import Observations
from goalinf.inference.model.log_density import Data
from goalinf.inference.model.models import AnyModel, StandardModel
from goalinf.inference.results.files.checksum import is_store, sealed, write_store
from goalinf.inference.results.files.serialize import UnstorableError, Writer

FORMAT = 6  # of the file; 3: agents by kind; 4: kind of the draws; 5: mixtures; 6: names of parameterizations
MODEL = ("world", "agent", "reward")
FITTED = "fitted"  # the group that holds world, agent, reward and data
_OWN = (
    "this fit is of a model of your own, and a function cannot be kept in a file: world, agent and reward are not "
    "known. Its draws are in fit.posterior"
)


@runtime_checkable
class FitLike(Protocol):
    """Fields of :class:`~goalinf.Fit` that a file holds."""

    @property
    def tree(self) -> xr.DataTree:
        """Draws and their diagnostics."""

    @property
    def model(self) -> AnyModel:
        """Model of the data."""

    @property
    def data(self) -> Data:
        """Data with their names."""


def save(fit: FitLike, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a fit to one NetCDF (``.nc``) or Zarr (``.zarr``) file.

    The draws are ordinary groups that xarray and ArviZ can read; worlds, agents, rewards, priors and data lie beside
    them as arrays and JSON. Nothing is pickled. The file appears under its name when it is complete, not before, and
    ends with a SHA-256 checksum of everything in it. A symlink stays, and the file that it points to is replaced.

    Parameters
    ----------
    fit : Fit
        Fit to write.
    path : path
        File; its suffix names the format.
    overwrite : bool
        True: replace an existing file.

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


def check_target(path: str | Path, *, overwrite: bool, otherwise: str = "overwrite=True to replace it") -> Path:
    """Refuse, before hours of sampling, a path that a fit cannot be written to; see :func:`save`.

    ``otherwise`` is the remedy for a file that exists, beside another name.
    """
    check_flag("overwrite", overwrite)
    path = Path(path)
    suffix = suffix_of(path)
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
        raise FileExistsError(f"{path} exists already; give another name, or {otherwise}")
    check_replaceable(path)
    if path.is_dir() and (suffix == ".nc" or not is_store(path)):
        raise IsADirectoryError(f"{path} is a folder that goalinf did not write, and is left alone; give another name")
    if path.is_file() and suffix == ".zarr":
        raise FileExistsError(f"{path} is a file, not a Zarr store, and is left alone; give another name")
    return path


def suffix_of(path: Path) -> str:
    """Return the suffix of the path, which names the format.

    Raises
    ------
    ValueError
        Where it is neither ``.nc`` nor ``.zarr``.
    """
    if path.suffix not in (".nc", ".zarr"):
        raise ValueError(
            f"{path}: the suffix {path.suffix!r} names no format of fits; use .nc (NetCDF) or .zarr (Zarr)"
        )
    return path.suffix


# -- what goes into the file ------------------------------------------------------------------


def _groups(fit: FitLike) -> dict[str, xr.Dataset]:
    """Collect the groups of the tree, and one more for the model and the data."""
    groups = {name: node.to_dataset().copy() for name, node in fit.tree.children.items()}
    writer = Writer()
    contents: dict[str, Any] = {"data": None}
    attrs = dict(fit.tree.attrs)
    if isinstance(fit.model, StandardModel):
        try:
            contents["model"] = {name: writer.structure(getattr(fit.model, name)) for name in MODEL}
        except UnstorableError as lost:
            attrs["not_kept"] = f"world, agent and reward were not kept in the file: {lost}"
            warnings.warn(f"{attrs['not_kept']}. Draws, labels and data are kept", UserWarning)
    else:
        attrs.setdefault("not_kept", _OWN)
    try:
        contents["data"] = writer.structure(fit.data)
    except UnstorableError as lost:  # hours of sampling are worth more than data that the user has anyway
        earlier = f"{attrs['not_kept']}. " if "not_kept" in attrs else ""
        named = isinstance(fit.data, Observations)
        contents["data"] = writer.structure(fit.data.unlabeled()) if named else None
        attrs["not_kept"] = f"{earlier}The {'names of the ' * named}data were not kept in the file: {lost}"
    contents |= {"records": writer.records, "attrs": attrs, "order": {k: list(v.data_vars) for k, v in groups.items()}}
    text = json.dumps(contents, default=lambda value: np.asarray(value).tolist())
    # As bytes, since an attribute of HDF5 ends at 64 kB.
    fitted: dict[str, tuple[Any, np.ndarray]] = {
        "structure": ("structure_byte", np.frombuffer(text.encode(), np.uint8))
    }
    for name, values in writer.arrays.items():
        fitted[name] = (tuple(f"{name}_dim_{i}" for i in range(values.ndim)), values)
    groups[FITTED] = xr.Dataset(fitted)
    plain = {name: value for name, value in attrs.items() if isinstance(value, (str, int, float, list))}
    return {"/": xr.Dataset(attrs={**plain, "format": FORMAT}), **groups}


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
