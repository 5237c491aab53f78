"""What is in a picture, and a fit to draw."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import goalinf as gi
from goalinf.inference.model.models import StandardModel

ROOM = "#####\n#s.a#\n#.#.#\n#b..#\n#####"


def hand_fit(world, reward, draws, data=None, agent=None):
    """A fit whose draws are known: one chain."""
    if data is None:
        data = gi.Trajectories.of([[0, 1]], [[0]])
    name = "reward.weights" if isinstance(reward, gi.LinearReward) else "reward.values"
    dims = ("chain", "draw", *[f"d{i}" for i in range(np.ndim(draws) - 1)])
    posterior = xr.Dataset({name: (dims, np.asarray(draws, float)[None])})
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((1, len(draws)), bool))})
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    tree.attrs = {"algorithm": "HMC", "kind": "MCMC", "sampler": "HMC.", "data_hash": data.data_hash()}
    return gi.Fit(tree, data, StandardModel(world, agent or gi.agents.soft_optimal(beta=1.0), reward))


def labeled(figure):
    """Every axes says in words what it shows: a map, a graph or a colorbar."""
    assert isinstance(figure, Figure)
    for ax in figure.axes:
        assert ax.get_xlabel() or ax.get_ylabel()
        if ax.get_label() != "<colorbar>":
            assert ax.get_xlabel()
    figure.draw_without_rendering()


def bars(figure):
    return [ax.get_ylabel() for ax in figure.axes if ax.get_label() == "<colorbar>"]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def the(kind, ax):
    (found,) = [artist for artist in ax.get_children() if type(artist) is kind]
    return found
