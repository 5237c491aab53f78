"""Labels of what comes out."""

import numpy as np
import numpyro.distributions as dist
import pytest
from small import HALL

import goalinf as gi
from goalinf.inference.model.priors import find_sites
from goalinf.inference.model.site_labels import site_coords


@pytest.mark.parametrize(("names", "labels"), [(("near", "far"), ["near", "far"]), (None, [0, 1])])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_features_keep_their_names_under_shaping(names, labels, times):
    reward = gi.LinearReward(np.ones((3, 2)), dist.Normal(0.0, 1.0), on="departure", names=names)
    for _ in range(times):
        reward = gi.ShapedReward(reward, np.arange(3.0))
    dims, coords = site_coords(find_sites(gi.agents.soft_optimal(beta=1.0), reward, HALL), HALL, reward)
    assert dims == {"reward.weights": ("feature",)}
    assert coords["feature"] == labels
