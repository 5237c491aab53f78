"""Checkpoints: the fit so far, assembled as draws arrive and written about every minute."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.sampler import Sampled

SECONDS = 60.0  # between two writes
_DRAWN = ("posterior", "sample_stats", "log_likelihood", "responsibilities")


class Checkpoint:
    """Assembles draws in parts; where there is a path, each part is written when it is there.

    Parameters
    ----------
    path : path or None
        The file, which only this run writes to; None to write nothing.
    assemble : callable
        From the number of the first draw and raw draws to a fit of these draws.
    fit : Fit, optional
        Draws of an earlier run, which come first.
    """

    def __init__(self, path: str | Path | None, assemble: Callable[[int, Sampled], Fit], fit: Fit | None = None):
        self._path = path
        self._assemble = assemble
        self._earlier = fit
        self._fit: Fit | None = None
        self._n_assembled = 0
        self._last_write = time.monotonic()

    def due(self) -> bool:
        """Return True where it is time to write."""
        return self._path is not None and time.monotonic() - self._last_write > SECONDS

    def begin_again(self) -> None:
        """Forget all draws; the file stays as it is until the next write."""
        self._fit, self._n_assembled = None, 0

    def write(self, sampled: Sampled) -> Fit:
        """Add the draws that are new since the last call, and return the fit of all.

        Warns
        -----
        UserWarning
            Where the file cannot be written; the draws are kept in memory.
        """
        draws = {name: values[:, self._n_assembled :] for name, values in sampled.draws.items()}
        if added := draws["x"].shape[1]:
            part = self._assemble(self._n_assembled, dataclasses.replace(sampled, draws=draws))
            self._fit = part if self._fit is None else joined(self._fit, part)
            self._n_assembled += added
        assert self._fit is not None
        self._fit.tree.attrs |= {"interrupted": int(sampled.interrupted), **sampled.diagnostics}
        fit = self._fit if self._earlier is None else joined(self._earlier, self._fit)
        if self._path is not None:
            try:
                fit.save(self._path, overwrite=True)
            except OSError as error:  # hours of sampling are worth more than a file
                warnings.warn(
                    f"the checkpoint was not written, and sampling goes on: {error.strerror or error}",
                    UserWarning,
                    stacklevel=2,
                )
        self._last_write = time.monotonic()
        return fit


def joined(earlier: Fit, later: Fit) -> Fit:
    """Concatenate the draws of two parts of one run; the chains stand where the second part ends."""
    groups = {name: node.to_dataset() for name, node in later.tree.children.items()}
    for name in _DRAWN:
        if name in groups:
            parts = [earlier.tree[name].to_dataset(), groups[name]]
            combined = xr.concat(
                parts, dim="draw", data_vars="minimal", coords="minimal", compat="override", join="override"
            )
            groups[name] = combined.assign_coords(draw=np.arange(combined.sizes["draw"]))
    tree = xr.DataTree.from_dict({name: groups[name] for name in earlier.tree.children})
    failures = sum(int(fit.tree.attrs["planner_failures"]) for fit in (earlier, later))
    tree.attrs = {**earlier.tree.attrs, "interrupted": later.tree.attrs["interrupted"], "planner_failures": failures}
    if "khat" in earlier.tree.attrs:  # the longer part knows it better
        tree.attrs["khat"] = max((earlier, later), key=lambda fit: fit.posterior.sizes["draw"]).tree.attrs["khat"]
    return dataclasses.replace(later, tree=tree)
