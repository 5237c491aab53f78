"""State of the chains of a fit, as a group of its tree, from which the run continues."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from goalinf.inference.model.hierarchical.hierarchy import Evidence
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.samplers.geometry import Coordinates, Geometry
from goalinf.inference.samplers.jumps import Maps
from goalinf.inference.samplers.sampler import Sampled, State

_PRECISION, _WEIGHTED = ".precision", ".weighted"  # ends of names, of the likelihood of every level


def as_group(sampled: Sampled) -> xr.Dataset:
    """Return the state of the chains and their coordinates as a group."""
    geometry, state = sampled.coordinates.geometry, sampled.state
    group: dict[str, tuple[tuple[str, ...], Any]] = {
        "x": (("chain", "coordinate"), state.x),
        "center": (("coordinate",), geometry.center),
        "scale": (("coordinate", "other"), geometry.scale),
    }
    for name, values in state.adapted.items():
        group[name] = ("chain", "coordinate")[: values.ndim], values
    for name, (precision, weighted) in sampled.coordinates.parameterization.evidence.items():
        axes = tuple(f"{name}_axis_{axis}" for axis in range(np.ndim(precision)))
        group[f"{name}{_PRECISION}"], group[f"{name}{_WEIGHTED}"] = (axes, precision), (axes, weighted)
    if (maps := geometry.maps) is not None:
        group["mode_center"] = ("mode", "coordinate"), maps.centers
        group["mode_scale"] = ("mode", "coordinate", "other"), maps.scales
        group["mode_log_mass"] = ("mode",), maps.log_mass
    return xr.Dataset(group)


def from_group(tree: xr.DataTree, posterior: Posterior) -> tuple[Coordinates, State]:
    """Return the coordinates and the state that :func:`as_group` has kept in the tree of a fit.

    Raises
    ------
    ValueError
        Where the model has another number of coordinates.
    """
    attrs, group = tree.attrs, tree["sampler"].to_dataset()
    parameterization = posterior.named(attrs["parameterization"])
    names = [str(name).removesuffix(_PRECISION) for name in group if str(name).endswith(_PRECISION)]
    if parameterization is not None and names:
        arrays = {name: (group[f"{name}{_PRECISION}"].values, group[f"{name}{_WEIGHTED}"].values) for name in names}
        parameterization = parameterization.with_evidence({name: Evidence(*both) for name, both in arrays.items()})
    if parameterization is None or parameterization.size != group.sizes["coordinate"]:
        received = "another one" if parameterization is None else f"one of {parameterization.size}"
        raise ValueError(
            f"the chains stand in a space of {group.sizes['coordinate']} coordinates, the model makes {received}"
        )
    maps = None
    if "mode_center" in group:
        maps = Maps.of(*(group[f"mode_{name}"].values for name in ("center", "scale", "log_mass")))
    geometry = Geometry(group["center"].values, group["scale"].values, bool(attrs["whitened"]), maps)
    x = group["x"].values
    adapted = {str(name): array.values for name, array in group.items() if name != "x" and array.dims[0] == "chain"}
    return Coordinates(parameterization, geometry, float(attrs["modes_missed"])), State(x, adapted)
