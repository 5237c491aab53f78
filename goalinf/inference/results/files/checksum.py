"""NetCDF files and Zarr stores with a checksum of all bytes, verified before parsing."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import xarray as xr

_SEAL = "\ngoalinf sha256 {}\n"  # end of a NetCDF file: HDF5 ignores bytes after its own content
_SEAL_FILE = "goalinf.sha256"  # file with the checksum in a Zarr store


def sealed(tree: xr.DataTree) -> bytes:
    """Serialize a tree to NetCDF, followed by the checksum."""
    buffer = io.BytesIO()
    tree.to_netcdf(buffer, engine="h5netcdf")
    content = buffer.getvalue()
    return content + _SEAL.format(hashlib.sha256(content).hexdigest()).encode()


def write_store(tree: xr.DataTree, folder: Path) -> None:
    """Write a tree to a Zarr store, with its checksum in a file."""
    tree.to_zarr(folder, mode="w", zarr_format=2)  # format 3 has no standard encoding of text yet
    (folder / _SEAL_FILE).write_text(_digest(folder), encoding="ascii")


def is_store(folder: Path) -> bool:
    """Return True for a folder that :func:`write_store` wrote, complete or damaged."""
    return (folder / _SEAL_FILE).is_file()


def verified(path: Path) -> io.BytesIO | Path:
    """Verify a file or a store; return the bytes of the file without the checksum, or the folder.

    Raises
    ------
    ValueError
        Where the checksum is missing, or does not match the contents.
    """
    return _verified_store(path) if path.is_dir() else _verified_file(path.read_bytes())


def _verified_file(content: bytes) -> io.BytesIO:
    start = len(content) - len(_SEAL.format("0" * 64))
    body, seal = content[: max(start, 0)], content[max(start, 0) :]
    if not seal.startswith(_SEAL.partition("{")[0].encode()):
        raise ValueError("cannot be read as a fit: it is truncated, or goalinf did not write it (no checksum ends it)")
    if seal != _SEAL.format(hashlib.sha256(body).hexdigest()).encode():
        raise ValueError("is damaged or was edited: its checksum does not match its contents")
    return io.BytesIO(body)


def _verified_store(folder: Path) -> Path:
    if not is_store(folder):
        raise ValueError(f"cannot be read as a fit: it is incomplete, or goalinf did not write it (no {_SEAL_FILE})")
    if (folder / _SEAL_FILE).read_bytes() != _digest(folder).encode():
        raise ValueError("is damaged or was edited: its checksum does not match its contents")
    return folder


def _digest(folder: Path) -> str:
    """Return the SHA-256 of names, sizes and contents of all files except the checksum file."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / _SEAL_FILE):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def read(source: io.BytesIO | Path) -> dict[str, xr.Dataset]:
    """Load all groups into memory and close the file."""
    groups = xr.open_groups(source, engine="zarr" if isinstance(source, Path) else "h5netcdf")
    try:
        return {name: dataset.load() for name, dataset in groups.items()}
    finally:
        for dataset in groups.values():
            dataset.close()
