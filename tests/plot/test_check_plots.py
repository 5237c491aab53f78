"""Figures of checks: the numbers that are drawn are those of the tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from matplotlib.colors import to_hex
from pictures import texts, the
from scipy.stats import binom

import goalinf as gi
from goalinf.plot.drawing import style
from goalinf.workflow.calibration import Calibration
from goalinf.workflow.recovery import Recovery


def drawn(ax):
    """Points by color, and segments by color."""
    points = {to_hex(line.get_color()): line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "o"}
    segments = {
        to_hex(c.get_color()[0]): np.array(c.get_segments()).tolist()
        for c in ax.collections
        if isinstance(c, LineCollection)
    }
    return points, segments


def test_recovery_draws_estimates_over_true_values():
    rows = [("b", 1.0, 1.5, 1.2, 1.9, True), ("b", 3.0, 2.0, 1.0, 3.5, False), ("a", 0.0, 0.2, -0.1, 0.4, True)]
    table = pd.DataFrame(rows, columns=["parameter", "true", "mean", "low", "high", "converged"])
    estimates = table.assign(run=[0, 1, 0], level="", sd=0.1)
    figure = gi.plot.recovery(Recovery(estimates, pd.Series({"b": 1.0, "a": 1.0})), parameters=["a", "b"])
    ax_a, ax_b = figure.axes
    assert ax_b.get_title().endswith("coverage 50%")
    points, segments = drawn(ax_b)
    assert points == {style.START: [[1.0, 1.5]], style.END: [[3.0, 2.0]]}
    assert segments == {style.START: [[[1.0, 1.2], [1.0, 1.9]]], style.END: [[[3.0, 1.0], [3.0, 3.5]]]}
    (diagonal,) = (line for line in ax_b.lines if line.get_marker() != "o")
    assert diagonal.get_xydata().tolist() == [[1.0, 1.0], [3.0, 3.0]]
    assert drawn(ax_a)[0] == {style.START: [[0.0, 0.2]]}
    assert ax_a.get_legend() is None


class Checked:
    """Replicated data whose statistics are known: one that is outside, and more labels than are drawn."""

    def check(self, data, of):
        numbers = np.arange(62.0)
        many = pd.DataFrame({"observed": numbers, "replicated": numbers, "low": numbers - 1, "high": numbers + 1})
        few = pd.DataFrame({"observed": [0.5, 0.1, 0.9], "replicated": 0.5, "low": [0.4] * 3, "high": [0.6] * 3})
        tables = {"occupancy": many.set_axis([f"s{n}" for n in range(62)]), "stay": few.set_axis(["a", "b", "c"])}
        return pd.concat({name: tables[name] for name in of}, names=["statistic", "label"])


def test_predictive_checks_draw_what_lies_outside_in_another_color():
    left, right = gi.plot.predictive(Checked(), gi.Trajectories.of([[0, 1]], [[0]]), of=["stay", "occupancy"]).axes
    points, segments = drawn(left)
    assert points == {style.START: [[0.0, 0.5]], style.END: [[1.0, 0.1], [2.0, 0.9]]}
    assert segments == {style.GRID: [[[place, 0.4], [place, 0.6]] for place in (0.0, 1.0, 2.0)]}
    assert [line.get_ydata().tolist() for line in left.lines if line.get_marker() == "_"] == [[0.5] * 3]
    assert [text.get_text() for text in left.get_xticklabels()] == ["a", "b", "c"]
    assert right.get_title() == "occupancy, 60 of 62"  # those that are visited most
    assert drawn(right)[0] == {style.START: [[float(place), 61.0 - place] for place in range(60)]}
    assert (left.get_ylabel(), right.get_ylabel()) == ("probability", "share of visits")


def test_calibration_draws_ranks_against_a_binomial_band():
    (ax,) = gi.plot.calibration(Calibration(pd.DataFrame({"x": [0, 3, 3, 1] * 10}), 3, 0), level=0.8).axes
    steps, zero = ax.lines
    np.testing.assert_allclose(steps.get_xdata(), [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(steps.get_ydata(), [0.0, 0.0, -0.25, 0.0])
    assert set(zero.get_ydata()) == {0.0}
    band = the(FillBetweenPolyCollection, ax).get_paths()[0].vertices
    expected = [(binom.ppf(tail, 40, 0.25) / 40 - 0.25) for tail in (0.1, 0.9)]
    assert sorted(set(band[np.isclose(band[:, 0], 0.25), 1])) == pytest.approx(expected)


def test_a_confusion_matrix_has_simulated_agents_in_rows():
    matrix = pd.DataFrame([[0.75, 0.25, 0.0], [0.1, np.nan, 0.9]], index=["a", "b"], columns=["a", "b", "c"])
    matrix = matrix.rename_axis(index="simulated", columns="selected")
    ax = gi.plot.confusion(matrix).axes[0]
    assert texts(ax) == ["0.75", "0.25", "0.00", "0.10", "–", "0.90"]
    assert [text.get_position() for text in ax.texts] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    np.testing.assert_array_equal(np.ma.filled(ax.images[0].get_array(), np.nan), matrix)
    assert ax.images[0].get_clim() == (0.0, 1.0)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("selected", "simulated")
    # Words are legible on every color: white on dark, ink on pale.
    assert [text.get_color() for text in ax.texts[:3]] == ["white", style.INK, style.INK]
