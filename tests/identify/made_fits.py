"""Fits with draws that are made by hand."""

import numpy as np
import xarray as xr

import goalinf as gi
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import find_sites


def make_fit(world, agent, reward, data, **draws):
    """A fit with known draws by site, (chain, draw, ...)."""
    first = next(iter(world.values())) if isinstance(world, dict) else world
    sites = find_sites(agent, reward, first)
    posterior = xr.Dataset(
        {site.name: (("chain", "draw", *site.dims), draws[site.name.split(".")[1]]) for site in sites}
    )
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros(tuple(posterior.sizes.values())[:2], bool))})
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    tree.attrs = {"algorithm": "HMC", "kind": "MCMC", "sampler": "HMC.", "data_hash": data.data_hash()}
    return gi.Fit(tree, data, StandardModel(world, agent, reward))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)
