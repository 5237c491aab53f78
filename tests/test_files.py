"""Files and folders appear whole or not at all, and what killed processes left is cleaned up."""

import os
import subprocess
import sys

import pytest

from goalinf.atomic_files import _HOST, restored, written_whole


def put(path, text, kind=None):
    """A file with this text, or a folder with such a file."""
    if (kind or path.suffix) == ".d":
        path.mkdir()
        path = path / "inside"
    path.write_text(text)


def got(path):
    return (path / "inside" if path.suffix == ".d" else path).read_text()


@pytest.fixture(scope="module")
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture(params=["a.txt", "a.d"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_new_and_replaced(path):
    for text in ("first", "second"):
        with written_whole(path) as partial:
            put(partial, text, path.suffix)
        assert got(path) == text
        assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_block_that_fails_changes_nothing(path, error):
    put(path, "old")

    def fail():
        with written_whole(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert got(path) == "old"
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_comes_back_where_it_cannot_be_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.d"
    put(path, "old")
    replace = os.replace

    def fails_second(source, target):
        if str(source).endswith("partial"):
            raise OSError("no")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_second)
    with pytest.raises(OSError, match="no"), written_whole(path) as partial:
        partial.mkdir()
    assert got(path) == "old"
    assert os.listdir(tmp_path) == ["a.d"]


def test_a_symlink_stays(path):
    link = path.with_name(f"link{path.suffix}")
    (path.parent / "elsewhere").mkdir()
    real = path.parent / "elsewhere" / path.name
    put(real, "old")
    link.symlink_to(real)
    with written_whole(link) as partial:
        assert partial.parent == real.parent
        put(partial, "new", path.suffix)
    assert link.is_symlink()
    assert got(real) == "new"


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_pipe_or_device_is_not_replaced(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "a.nc"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match="is a device, pipe or socket"), written_whole(path) as partial:
            partial.write_text("new")
    assert pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["a.nc", "pipe"]


@pytest.mark.skipif(os.name == "nt", reason="there, a running process cannot be told from one that has ended")
def test_what_killed_processes_left_is_removed(tmp_path, dead):
    path, other = tmp_path / "a[1].nc", tmp_path / ".b.nc.1.0a.partial"
    left = [tmp_path / f".a[1].nc.{dead}{token}.partial" for token in ("", f".{_HOST}-0a1b2c3d")]
    live = tmp_path / f".a[1].nc.{os.getppid()}.{_HOST}-0a1b2c3d.partial"
    elsewhere = tmp_path / f".a[1].nc.{dead}.another.host-0a1b2c3d.partial"  # a folder that machines share
    mine = tmp_path / ".a[1].nc.notes.partial"
    for file in (*left, live, elsewhere, mine, other):
        file.write_text("half")
    restored(path)  # who only reads removes nothing
    assert len(list(tmp_path.iterdir())) == 6
    with written_whole(path) as partial:
        partial.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([path, live, elsewhere, mine, other])


@pytest.mark.skipif(os.name == "nt", reason="there, a running process cannot be told from one that has ended")
def test_a_folder_that_was_moved_aside_is_put_back(tmp_path, dead):
    path, old = tmp_path / "a.zarr", tmp_path / f".a.zarr.{dead}.{_HOST}-0a1b2c3d.old"
    old.mkdir()
    (old / "x").write_text("whole")
    assert restored(path) == path
    assert (path / "x").read_text() == "whole"
    assert os.listdir(tmp_path) == ["a.zarr"]
    old.mkdir()  # killed after the second move: the new folder is there
    with written_whole(path) as partial:
        put(partial, "new", ".d")
    assert os.listdir(tmp_path) == ["a.zarr"]
