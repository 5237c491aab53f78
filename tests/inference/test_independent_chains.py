"""The sampler of independent proposals by itself: it leaves a density that is far from its proposals as it is."""

import jax
import numpy as np
import pytest
from scipy import stats

from goalinf.inference.model.linear_reward.closed_form import ClosedForm
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.samplers.geometry import Coordinates, Geometry
from goalinf.inference.samplers.imh import IndependentChains
from goalinf.inference.samplers.progress import Progress
from goalinf.inference.samplers.sampler import Settings, State

CENTER, SCALE = np.array([1.0, -1.0]), np.array([[1.5, 0.0], [0.5, 1.2]])
DENSITY = [stats.logistic(loc=1.0, scale=0.8), stats.gumbel_r(loc=-1.4, scale=0.9)]


class Target(ClosedForm):
    """Two independent coordinates, neither normal nor centered where the proposals are; one score that tells which."""

    def __init__(self):
        """Nothing of what a posterior is made of."""

    def derivatives(self, point):
        return None

    def scores(self, points):
        potential = -sum(density.logpdf(x) for density, x in zip(DENSITY, points.T, strict=True))
        return potential, points[:, :1]


class Counter(Progress):
    def __init__(self):
        self.seen = []

    def advance(self, steps, divergences=0):
        self.seen.append((steps, divergences))


def chains(count=4, block=500, target=None, start=None):
    start = np.zeros((count, 2)) if start is None else start
    parameterization = Parameterization(
        trace=lambda: pytest.fail("nothing is compiled"), data=None, closed=target or Target()
    )
    coordinates = Coordinates(parameterization, Geometry(CENTER, SCALE, True))
    settings = Settings(chains=count, draws=0, precision="float64", block=block)
    return IndependentChains(jax.random.key(0), coordinates, State(start), settings, warmup=0)


def test_draws_have_the_density_of_the_target():
    """Every tenth draw, of which few are repeated: Kolmogorov and Smirnov find no difference."""
    draws = chains().advance(5_000, Counter())
    points = CENTER + draws["x"] @ SCALE.T
    np.testing.assert_allclose(draws["scores"][..., 0], points[..., 0], atol=1e-12)
    np.testing.assert_allclose(draws["potential"], Target().scores(points.reshape(-1, 2))[0].reshape(4, -1), atol=1e-12)
    for coordinate, density in enumerate(DENSITY):
        assert stats.kstest(points[:, ::10, coordinate].ravel(), density.cdf).pvalue > 1e-3


def test_proposals_are_accepted_by_the_ratio_of_their_weights():
    """The rate at equilibrium is the mean of min(1, w'/w) over draws and proposals, by a Student t that SciPy weighs."""
    sampler = chains()
    draws = sampler.advance(5_000, Counter())
    proposal = stats.multivariate_t(loc=CENTER, shape=SCALE @ SCALE.T, df=10, seed=1)
    points = proposal.rvs(4_000)
    log_weight = -Target().scores(points)[0] - proposal.logpdf(points)
    expected = np.mean(
        np.exp(np.minimum(0.0, log_weight[None] - log_weight[:, None]))
        * (np.exp(log_weight) / np.exp(log_weight).mean())[:, None]
    )
    assert draws["acceptance_rate"].mean() == pytest.approx(expected, abs=0.02)
    moved = (np.diff(draws["x"][..., 0], axis=1) != 0).mean()
    assert moved == pytest.approx(draws["acceptance_rate"].mean(), abs=0.02)
    assert np.isfinite(sampler.diagnostics["khat"])


def test_whole_blocks_at_least_as_many_as_asked():
    for steps, taken in ((1, 4), (4, 4), (5, 8), (8, 8)):
        counter = Counter()
        draws = chains(block=4).advance(steps, counter)
        assert draws["x"].shape == (4, taken, 2)
        assert counter.seen == [(16, 0)] * (taken // 4)


def test_places_without_a_density_are_left_and_counted():
    class Half(Target):
        def scores(self, points):
            potential, scores = super().scores(points)
            return np.where(points[:, 0] > 1.0, potential, np.inf), scores

    counter = Counter()
    draws = chains(target=Half(), start=np.full((4, 2), 2.0)).advance(500, counter)
    assert (CENTER + draws["x"] @ SCALE.T)[..., 0].min() > 1.0
    assert np.isfinite(draws["potential"]).all()
    assert counter.seen == [(2000, draws["diverging"].sum())]
    assert draws["diverging"].mean() == pytest.approx(0.5, abs=0.06)
    counter = Counter()
    chains(target=Half(), start=np.full((4, 2), 2.0)).advance(500, counter, kept=False)
    assert counter.seen == [(2000, 0)]
