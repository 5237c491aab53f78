"""Atomic writing of files and folders: they appear complete under their name, or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_HOST = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())  # several machines may share a folder
# After the name of the target: process, host, random token, and the kind, partial or old.
_LEFTOVER = re.compile(r"\.(?P<process>\d+)(?:\.(?P<host>.*)-[0-9a-f]{8})?\.(?P<kind>partial|old)")


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; the file written there replaces ``path`` when the block ends.

    A process that is killed in the block leaves the old file or folder as it was. The target of a symlink is replaced,
    and the link stays. Temporary files that killed processes left beside ``path`` are removed.

    Parameters
    ----------
    path : path
        The file or folder to write; its folder exists.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OSError
        Where the block cannot write (a full disk, say), or the path is a device or a pipe; nothing has changed then.
    """
    target = restored(path)
    check_replaceable(target)
    for leftover, _ in _leftovers(target):
        with contextlib.suppress(OSError):  # one that belongs to another user
            _remove(leftover)
    partial = _temporary(target, "partial")
    try:
        yield partial
        _to_disk(partial)
        _replace(partial, target)
    finally:
        _remove(partial)


def check_replaceable(path: Path) -> None:
    """Refuse a device, pipe or socket (also the target of a symlink): moving a file to its name would delete it.

    Raises
    ------
    OSError
        Where the path is a device, pipe or socket.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(f"{path} is a device, pipe or socket, which a file would replace; give the name of a file")


def restored(path: str | Path) -> Path:
    """Resolve the symlinks of ``path``, and put back an old folder that is missing there.

    A folder cannot replace another in one move: a process that was killed between its two moves left the old folder
    under a temporary name.
    """
    target = Path(os.path.realpath(path))
    if not target.exists():
        for leftover, kind in _leftovers(target):
            if kind == "old":
                with contextlib.suppress(OSError):  # a folder that may only be read
                    os.replace(leftover, target)
                break
    return target


def _leftovers(target: Path) -> list[tuple[Path, str]]:
    """List temporary files and folders that killed processes of this machine left beside a target, and their kinds."""
    leftovers = []
    for file in sorted(target.parent.glob(f".{glob.escape(target.name)}.*")):
        parts = _LEFTOVER.fullmatch(file.name.removeprefix(f".{target.name}"))
        if parts and parts["host"] in (None, _HOST) and not _alive(int(parts["process"])):
            leftovers.append((file, parts["kind"]))
    return leftovers


def _temporary(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.{_HOST}-{uuid.uuid4().hex[:8]}.{kind}")


def _alive(process: int) -> bool:
    """Return True where a process of this number runs; on Windows always, because a signal would end the process."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _to_disk(path: Path) -> None:
    """Wait until the contents are on the disk, so that the rename does not precede them."""
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())


def _replace(partial: Path, target: Path) -> None:
    if not target.is_dir():
        os.replace(partial, target)
    else:
        old = _temporary(target, "old")
        os.replace(target, old)
        try:
            os.replace(partial, target)
        except BaseException:
            os.replace(old, target)
            raise
        _remove(old)
    with contextlib.suppress(OSError):  # not every system lets a folder be synchronized
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
