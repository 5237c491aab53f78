"""Records in which everything that has a name has the same one."""

import dataclasses
import functools

import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import xarray as xr
from pictures import hand_fit

import goalinf as gi
from goalinf.data import Labels
from goalinf.identify.audit.answers import Answers
from goalinf.identify.local.visited_states import VisitedStates
from goalinf.worlds import label

PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")


def ring(name):
    """A world of three states, one of which has the name, and whose actions are named after the states."""
    return gi.graph_world(nx.cycle_graph([name, "other", "third"]), stay=True, discount=0.9)


def data_of(name, world=None):
    labels = Labels((name,), subjects=(name,), worlds=(world,) if world is not None else ())
    return gi.Trajectories.of([[0, 1, 2]], [[0, 1]], labels=labels)


def fit_of(name, world):
    fit = hand_fit(world, PRIOR, np.random.default_rng(0).normal(size=(40, 3)), data=data_of(name, world))
    posterior = fit.posterior.rename({"d0": "state"}).assign_coords(state=[label(state) for state in world.states])
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": fit.sample_stats})
    tree.attrs = fit.tree.attrs
    return dataclasses.replace(fit, tree=tree)


@functools.cache
def plain_audit():
    return gi.audit(fit_of("first", ring("first")), quick=True)


def audit_of(name):
    """An audit with answers for a world, a planner and an experiment of this name."""
    index = [name, "other"]
    planners = pd.DataFrame({"gap": [0.0, 0.01], "choices": [np.inf, 500.0], "meaning": "…"}, index=index)
    acting = pd.DataFrame({"regret": 0.1, "value_at_risk": 0.2, "tail": 0.2, "chance": 0.5}, index=index)
    columns = {"nullity": 1, "information": 1.0, "information_error": 0.1}
    design = gi.identify.experiments.design.Design(pd.DataFrame(columns, index=index), 1, np.inf, np.inf)
    answers = Answers("Not computed.", planners, "Not computed.", acting, design)
    visits = VisitedStates((name,), 3)
    return dataclasses.replace(plain_audit(), fit=fit_of(name, ring(name)), answers=answers, visits=visits)
