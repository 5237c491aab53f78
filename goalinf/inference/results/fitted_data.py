"""Check that the data of a fit are still those of its draws."""

from __future__ import annotations

import numpy as np
import xarray as xr

from goalinf.data import Observations
from goalinf.inference.model.log_density import Data
from goalinf.inference.model.site_labels import data_hash, observed


def check_data(tree: xr.DataTree, data: Data) -> None:
    """Refuse data that changed in place after the draws were made.

    Parameters
    ----------
    tree : DataTree
        Tree of the fit.
    data : Observations or pytree
        Data that the fit holds.

    Raises
    ------
    ValueError
        Where they changed, or were not kept in a file.
    """
    if not same_data(tree, data, data):
        raise ValueError(_changed(tree, data))


def same_data(tree: xr.DataTree, fitted: Data, data: Data) -> bool:
    """Return True for equal numbers, and equal names of contexts, by which a model finds worlds and rewards."""
    if data_hash(data) != tree.attrs["data_hash"]:
        return False
    both = isinstance(data, Observations) and isinstance(fitted, Observations)
    return not both or data.context_names == fitted.context_names


def _changed(tree: xr.DataTree, data: Data) -> str:
    """Return a message about data that are not those of the draws, although the fit holds them."""
    if data is None:
        return f"{tree.attrs['not_kept']}: give data="
    before, now = tree["observed_data"].to_dataset(), observed(data)
    names = [str(name) for name in now if name not in before or not np.array_equal(before[name], now[name])]
    return (
        f"the data of this fit are not those of its draws: {', '.join(names) or 'an array'} changed in place after the "
        "fit. The arrays of the fit are in fit.tree['observed_data']: restore them, or start anew with gi.infer"
    )
