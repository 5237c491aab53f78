"""Forests: one interval per subject, sorted, with the group behind."""

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr
from pictures import labeled

import goalinf as gi

HALL = gi.gridworld("a.s.b", discount=0.9)
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
NAMES = ("$x_1$", "bob", "_cyd")


@pytest.fixture(scope="module")
def data():
    walks = gi.simulate(0, HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=6, steps=10)
    labels = dataclasses.replace(walks.labels, subjects=NAMES)
    subject = np.repeat([0, 1, 2], 2)
    return gi.Trajectories.of(walks.states, walks.actions, lengths=walks.lengths, subject=subject, labels=labels)


@pytest.fixture(scope="module")
def fit(data):
    agent = gi.agents.boltzmann(beta=gi.partial_pooling(dist.LogNormal(0.0, 1.0)))
    return gi.infer(1, HALL, agent=agent, reward=WANTS, data=data, method="laplace", draws=200)


def rows_of(figure):
    (ax,) = figure.axes
    points = next(line for line in ax.lines if line.get_marker() == "o")
    (segments,) = (c.get_segments() for c in ax.collections)
    return ax, points.get_xdata(), np.array([[left[0], right[0]] for left, right in segments])


def test_medians_and_intervals_of_every_subject(fit):
    figure = gi.plot.forest(fit, "agent.beta", level=0.8)
    labeled(figure)
    ax, medians, intervals = rows_of(figure)
    low, middle, high = np.quantile(fit.posterior["agent.beta"].values.reshape(-1, 3), [0.1, 0.5, 0.9], axis=0)
    order = np.argsort(middle)
    np.testing.assert_allclose(medians, middle[order])
    np.testing.assert_allclose(intervals, np.stack([low, high], axis=1)[order])
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == [NAMES[row].replace("$", r"\$") for row in order]
    (group,) = (line for line in ax.lines if line.get_marker() != "o")
    assert group.get_xdata()[0] == pytest.approx(float(np.median(fit.posterior["agent.beta.mean"])))
    (span,) = (patch.get_extents() for patch in ax.patches)
    expected = ax.transData.transform([(x, 0.0) for x in np.quantile(fit.posterior["agent.beta.mean"], [0.1, 0.9])])
    np.testing.assert_allclose([span.x0, span.x1], expected[:, 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("agent.beta", "subject")
    figure.canvas.draw()


def test_the_order_of_the_data(fit):
    ax, medians, _ = rows_of(gi.plot.forest(fit, "agent.beta", order=False))
    np.testing.assert_allclose(medians[::-1], np.median(fit.posterior["agent.beta"].values.reshape(-1, 3), axis=0))
    assert [text.get_text() for text in ax.get_yticklabels()][::-1] == [name.replace("$", r"\$") for name in NAMES]


def test_one_entry_of_a_reward(data):
    """With the same entry of the group."""
    rng = np.random.default_rng(0)
    values, mean = rng.normal(size=(2, 10, 3, 5)), rng.normal(size=(2, 10, 5))
    dims = ("chain", "draw", "state")
    coords = {"subject": list(NAMES), "state": ["a", "0,1", "s", "0,3", "b"]}
    sites = {"reward.values": ((*dims[:2], "subject", "state"), values), "reward.values.mean": (dims, mean)}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(sites, coords)})
    fit = gi.Fit(tree, data)
    ax, medians, _ = rows_of(gi.plot.forest(fit, "reward.values", entry="0,1", order=False))
    np.testing.assert_allclose(medians[::-1], np.median(values[..., 1], axis=(0, 1)))
    (group,) = (line for line in ax.lines if line.get_marker() != "o")
    assert group.get_xdata()[0] == pytest.approx(np.median(mean[..., 1]))
    with pytest.raises(ValueError, match="entry is None; every value has 5 entries: give one of"):
        gi.plot.forest(fit, "reward.values")


def test_what_is_refused(fit):
    with pytest.raises(KeyError, match="is no parameter of this fit with one value per subject; it has agent"):
        gi.plot.forest(fit, "agent.gamma")
    with pytest.raises(KeyError, match="one value per context; it has none"):
        gi.plot.forest(fit, "agent.beta", by="context")
    with pytest.raises(ValueError, match="level is 1"):
        gi.plot.forest(fit, "agent.beta", level=1.0)
    with pytest.raises(KeyError, match="is no parameter of this fit with one value per session"):
        gi.plot.forest(fit, "agent.beta", by="session")
