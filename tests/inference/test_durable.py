"""Nothing is lost and nothing damaged is read: full disks, damaged and edited files, symlinks, checkpoints."""

import contextlib
import errno
import os

import h5py
import numpy as np
import pytest
import xarray as xr
from test_resume import sampled

import goalinf as gi
from goalinf.inference.results import checkpoint
from goalinf.inference.results.files import checksum, fit_files

resource = pytest.importorskip("resource", reason="there are no limits of file sizes on Windows")
SUFFIXES = ("nc", "zarr")


@contextlib.contextmanager
def small_disk(size=2000):
    """No file may grow beyond so many bytes: a write that really fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_write_that_fails_loses_nothing(suffix, fit, tmp_path):
    path = tmp_path / f"fit.{suffix}"
    for overwrite in (False, True):
        with small_disk(), pytest.raises(OSError, match=r"Nothing is lost: the fit is still in memory.*fit\.save\('"):
            fit.save(path, overwrite=overwrite)
        assert os.listdir(tmp_path) == ([path.name] if overwrite else [])
        fit.save(path, overwrite=overwrite)
    assert gi.load(path).summary().equals(fit.summary())


def test_a_full_disk_says_how_much_is_missing(fit, tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(fit_files.Path, "write_bytes", full)
    said = r"fit\.nc was not written: No space left on device \(the file takes [\d.]+ MB, [\d.e+]+ MB are free in "
    with pytest.raises(OSError, match=said) as caught:
        fit.save(tmp_path / "fit.nc")
    assert caught.value.errno == errno.ENOSPC


def test_a_checkpoint_that_cannot_be_written(walks, tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    with small_disk(), pytest.warns(UserWarning, match=r"checkpoint was not written, and sampling goes on: .*run\.nc"):
        run = sampled(walks, checkpoint=path)
    assert run.posterior.sizes["draw"] == 230
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_through_a_symlink(suffix, fit, tmp_path):
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / f"fit.{suffix}", tmp_path / f"link.{suffix}"
    link.symlink_to(real)
    for overwrite in (False, True):
        assert fit.save(link, overwrite=overwrite) == link
        assert link.is_symlink()
        assert os.listdir(tmp_path / "disk") == [real.name]
        assert gi.load(link).summary().equals(fit.summary())
    nowhere = tmp_path / f"nowhere.{suffix}"
    nowhere.symlink_to(tmp_path / "none" / f"fit.{suffix}")
    with pytest.raises(FileNotFoundError, match=r"no folder .*none; create it first"):
        fit.save(nowhere)


# -- damaged and edited files ----------------------------------------------------------------


@pytest.fixture
def unread(monkeypatch):
    """Nothing in a file may be read."""

    def fail(*_, **__):
        raise AssertionError("it was parsed")

    monkeypatch.setattr(checksum.xr, "open_groups", fail)


def test_damage_is_noticed_before_the_file_is_parsed(fit, tmp_path, unread):
    whole = fit.save(tmp_path / "fit.nc").read_bytes()
    damaged = tmp_path / "damaged.nc"
    for start in np.linspace(0, len(whole) - 200, 40).astype(int).tolist():
        zeroed = whole[:start] + bytes(64) + whole[start + 64 :]
        if zeroed == whole:
            continue
        damaged.write_bytes(zeroed)
        with pytest.raises(ValueError, match=r"damaged\.nc is damaged or was edited.*use a copy"):
            gi.load(damaged)
    for content in (whole + b"x", whole[:-1], whole[1:]):
        damaged.write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged\.nc (is damaged or was edited|cannot be read as a fit)"):
            gi.load(damaged)


def test_an_edited_description_is_noticed(fit, tmp_path, unread):
    path = fit.save(tmp_path / "fit.nc")
    edited = path.read_bytes().replace(b'"departure"', b'"arrival"  ')
    assert edited != path.read_bytes()
    path.write_bytes(edited)
    with pytest.raises(ValueError, match="is damaged or was edited"):
        gi.load(path)


def test_edited_labels_are_noticed(fit, tmp_path, unread):
    path = fit.save(tmp_path / "fit.nc")
    with h5py.File(path, "r+") as file:  # as a tool would, which leaves what it does not know
        states = file["posterior/state"]
        states[...] = states[...][::-1]
    with pytest.raises(ValueError, match=r"is damaged or was edited|cannot be read as a fit"):
        gi.load(path)


@pytest.mark.parametrize("file", [".zattrs", "posterior/agent.beta/0.0", "fitted/structure/.zarray"])
def test_an_edited_store_is_noticed(file, fit, tmp_path, unread):
    path = fit.save(tmp_path / "fit.zarr")
    content = (path / file).read_bytes()
    (path / file).write_bytes(content[:-1] + b" ")
    with pytest.raises(ValueError, match="is damaged or was edited"):
        gi.load(path)
    (path / file).write_bytes(content)
    (path / "goalinf.sha256").unlink()
    with pytest.raises(ValueError, match=r"goalinf did not write it \(no goalinf\.sha256"):
        gi.load(path)


def test_a_store_of_another_program_is_not_replaced(fit, tmp_path):
    other = tmp_path / "other.zarr"
    xr.Dataset({"x": ("i", [1.0])}).to_zarr(other, zarr_format=2)
    before = sorted(file.relative_to(other) for file in other.rglob("*"))
    with pytest.raises(IsADirectoryError, match="goalinf did not write"):
        fit.save(other, overwrite=True)
    assert sorted(file.relative_to(other) for file in other.rglob("*")) == before


def test_a_device_behind_a_symlink_is_refused_at_once(fit, tmp_path):
    """A file that replaces ``/dev/null`` would break the machine."""
    os.mkfifo(tmp_path / "pipe")
    link = tmp_path / "link.nc"
    link.symlink_to(tmp_path / "pipe")
    for attempt in (lambda: fit.save(link, overwrite=True), lambda: fit_files.check_target(link, overwrite=True)):
        with pytest.raises(OSError, match="is a device, pipe or socket"):
            attempt()
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_programs_read_the_file(suffix, fit, tmp_path):
    path = fit.save(tmp_path / f"fit.{suffix}")
    with xr.open_datatree(path) as tree:
        assert np.array_equal(tree["posterior/agent.beta"], fit.posterior["agent.beta"])
    with xr.open_dataset(path, group="posterior") as draws:
        assert np.array_equal(draws["reward.values"], fit.posterior["reward.values"])
