"""Labels of what comes out."""

import numpy as np
import numpyro.distributions as dist
import pytest
from small import HALL

import goalinf as gi
from goalinf.inference.model.priors import find_sites
from goalinf.inference.model.site_labels import site_coords
from goalinf.inference.results import assemble


@pytest.mark.parametrize(("names", "labels"), [(("near", "far"), ["near", "far"]), (None, [0, 1])])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_features_keep_their_names_under_shaping(names, labels, times):
    reward = gi.LinearReward(np.ones((3, 2)), dist.Normal(0.0, 1.0), on="departure", names=names)
    for _ in range(times):
        reward = gi.ShapedReward(reward, np.arange(3.0))
    dims, coords = site_coords(find_sites(gi.agents.soft_optimal(beta=1.0), reward, HALL), HALL, reward)
    assert dims == {"reward.weights": ("feature",)}
    assert coords["feature"] == labels


def test_failures_of_the_planner_and_the_unit_of_a_mixture_are_kept(monkeypatch):
    """Failures are draws with a residual above 64,000 units of rounding; of several units, the largest counts."""
    limit = 64_000 * np.finfo("float64").eps

    def pointwise(density, values, data):
        residual = np.zeros((1, 10))
        residual[0, :4] = [0.99 * limit, 1.01 * limit, 1.0, np.inf]
        return np.zeros((1, 10, 1)), residual

    monkeypatch.setattr(assemble, "pointwise", pointwise)
    monkeypatch.setattr(assemble, "_units", lambda *_: ["trajectory", "data", "subject"])
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    walk = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
    fit = gi.infer(0, HALL, agent=gi.agents.uniform(), reward=prior, data=walk, method="laplace", draws=10)
    assert fit.tree.attrs["planner_failures"] == 3
    assert fit.tree.attrs["one_of_several"] == "data"
