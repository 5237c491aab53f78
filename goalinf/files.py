"""Files and folders that appear whole under their name, or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_LEFTOVER = re.compile(r"\.(\d+)(?:\.[0-9a-f]+)?\.(partial|old)")  # after the name: process, token, which of the two


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
        Where the block cannot write (a full disk, say); nothing has changed then.
    """
    target = restored(path)
    partial = _temporary(target, "partial")
    try:
        yield partial
        _to_disk(partial)
        _replace(partial, target)
    finally:
        _remove(partial)


def restored(path: str | Path) -> Path:
    """Resolve the symlinks of ``path``, and remove the temporary files of killed processes beside it.

    A folder cannot replace another in one move. A process that was killed between its two moves left the old folder
    under a temporary name; the old folder is put back.
    """
    target = Path(os.path.realpath(path))
    with contextlib.suppress(OSError):  # a folder that may only be read is left as it is
        for leftover in sorted(target.parent.glob(f".{glob.escape(target.name)}.*")):
            parts = _LEFTOVER.fullmatch(leftover.name.removeprefix(f".{target.name}"))
            if parts is None or _alive(int(parts[1])):
                continue
            if parts[2] == "old" and not target.exists():
                os.replace(leftover, target)
            else:
                _remove(leftover)
    return target


def _temporary(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.{kind}")


def _alive(process: int) -> bool:
    """Whether a process of this number runs; on Windows always, because a signal would end the process."""
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
