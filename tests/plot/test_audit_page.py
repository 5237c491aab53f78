"""The page of an audit: versions, three digits, words in place of keys; and its panels."""

import dataclasses
import re

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from named import audit_of
from pictures import hand_fit
from scipy.stats import norm

import goalinf as gi
from goalinf.identify import ZeroReward


@pytest.fixture
def audit():
    """Of a fit whose provenance is known, with a zero reward that the data refuse."""
    size = np.linspace(0.0, 6.0, 61)
    zero = ZeroReward(
        table=pd.DataFrame(
            {"scale": [1.0], "log_evidence": -9.0, "error": 0.1, "log_bayes_factor": -12.3456, "converged": True}
        ),
        unbounded=False,
        slope=None,
        log_evidence=-21.3,
        savage_dickey=None,
        mass=pd.DataFrame({"size": size, "posterior": norm.cdf(size, 4.0, 0.4), "prior": 2 * norm.cdf(size / 2.0) - 1}),
        interval=pd.DataFrame(
            [[3.2, 4.0, 4.8], [0.1, 1.3, 4.5]], index=["posterior", "prior"], columns=[0.025, 0.5, 0.975]
        ),
        runaway=pd.DataFrame({"size": [6.0], "posterior": 0.0, "prior": 0.01, "ratio": 0.0}),
    )
    found = audit_of("first")
    found.fit.tree.attrs |= {"version_goalinf": "0.0.7", "version_jax": "0.1", "seed": [0, 5], "sampler": "By hand."}
    planners = found.answers.planners.assign(gap=[1.7e-16, 0.0123456])
    return dataclasses.replace(found, answers=dataclasses.replace(found.answers, zero=zero, planners=planners))


def test_the_page_says_what_made_it(audit, tmp_path):
    page = gi.plot.audit_page(audit, tmp_path / "audit.html").read_text(encoding="utf-8")
    made = f"Audit by goalinf {gi.__version__}. Fit by goalinf 0.0.7, jax 0.1. Seed 0, 5. By hand."
    assert made in page


def test_null_directions_are_drawn_beside_the_constant(tmp_path):
    """In two squares without staying, no action decides whether the next corner is even: one constant for each kind."""
    squares = gi.graph_world(nx.disjoint_union(nx.cycle_graph(4), nx.cycle_graph(4)), discount=0.9)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    audit = gi.audit(hand_fit(squares, prior, np.random.default_rng(0).normal(size=(40, 8))), quick=True)
    assert audit.nullity == 4
    page = gi.plot.audit_page(audit, tmp_path / "audit.html").read_text(encoding="utf-8")
    assert page.count('alt="adding any multiple of this reward does not change the policy"') == 3
    assert "Adding any multiple of one of these rewards" in page


def test_numbers_of_the_page_have_three_digits_and_no_noise(audit, tmp_path):
    page = gi.plot.audit_page(audit, tmp_path / "audit.html").read_text(encoding="utf-8")
    values = re.findall(r'<td style="text-align: right">([^<]*)</td>', page)
    assert "-12.3" in values
    assert "0.0123" in values
    assert all(len(re.sub(r"[^0-9]", "", value).lstrip("0")) <= 3 for value in values if "." in value)
    assert not any("e-1" in value for value in values)
    quantities = re.findall(r'<tr><td style="text-align: left">([^<]*)</td>', page)
    assert "log Bayes factor of zero reward over the fitted model (nats)" in quantities
    assert not any(key in quantity for quantity in quantities for key in ("_", "[", "null:"))


def test_zero_reward_is_drawn_as_far_from_beta_times_the_reward_as_the_bayes_factor_says(audit):
    ax = next(ax for ax in gi.plot.audit(audit).axes if "Zero reward" in ax.get_title())
    assert ax.get_title() == "Zero reward: log Bayes factor -12.3 nats"
    assert ax.get_xlabel() == "size of beta x reward"
    prior, posterior = (patch.get_data() for patch in ax.patches)
    for drawn, name in ((prior, "prior"), (posterior, "posterior")):
        np.testing.assert_allclose(drawn.values, np.diff(audit.answers.zero.mass[name]) / 0.1)
    assert ax.lines[0].get_xdata() == [0.0, 0.0]


def test_other_planners_are_told_in_words(audit):
    ax = next(ax for ax in gi.plot.audit(audit).axes if "planners" in ax.get_title())
    assert [text.get_text() for text in ax.texts] == ["fits equally well", "5 nats after about 500 actions"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["first", "other"]
    assert len(ax.patches) == 1
    assert ax.get_xlabel() == "evidence against the planner (nats per action)"
    alike = audit.answers.planners.assign(gap=0.0, choices=np.inf)
    alone = dataclasses.replace(audit, answers=dataclasses.replace(audit.answers, planners=alike))
    ax = next(ax for ax in gi.plot.audit(alone).axes if "planners" in ax.get_title())
    assert ax.get_xlabel() == "evidence against the planner: none from any action"


def axes_of(audit, title):
    return next(ax for ax in gi.plot.audit(audit).axes if title in ax.get_title())


def test_contraction_is_drawn_by_direction(audit):
    """Bars from the most identified direction on, and those of the prior after them with two standard errors."""
    contraction = dataclasses.replace(
        audit.contraction, identified=np.array([0.5, 0.1]), unidentified=np.array([0.9]), error=np.array([0.2])
    )
    ax = axes_of(dataclasses.replace(audit, contraction=contraction), "Contraction")
    assert [bar.get_height() for bar in ax.patches] == [0.1, 0.5, 0.9]
    assert [bar.get_x() + bar.get_width() / 2 for bar in ax.patches] == pytest.approx([0.0, 1.0, 2.0])
    (errors,) = (c.get_segments() for c in ax.collections)
    np.testing.assert_allclose(errors, [[[2.0, 0.5], [2.0, 1.3]]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["identified", "not identified"]
    assert ax.get_ylim()[0] == 0.0
    assert ax.get_ylim()[1] > 1.3


def test_regret_and_further_data_are_drawn_in_the_order_of_their_tables(audit):
    """The first row is at the top, and all rows have the same margin around them."""
    regret = pd.DataFrame({"regret": [0.1, 0.3], "value_at_risk": [0.2, 0.7], "tail": 0.8, "chance": [0.5, 0.6]})
    table = pd.DataFrame({"nullity": 1, "information": [1.0, 3.0], "information_error": [0.1, 0.2]})
    worth = table.assign(evsi=[0.4, 0.2], evsi_error=[0.01, 0.02])
    answers = [
        dataclasses.replace(
            audit.answers, regret=regret, design=dataclasses.replace(audit.answers.design, table=one), planners=planners
        )
        for one, planners in ((table, audit.answers.planners), (worth, audit.answers.planners.assign(choices=np.nan)))
    ]
    for each, expected, errors in zip(answers, ([1.0, 3.0], [0.4, 0.2]), ([0.2, 0.4], [0.02, 0.04]), strict=True):
        changed = dataclasses.replace(audit, answers=each)
        ax = axes_of(changed, "Further data")
        assert [bar.get_width() for bar in ax.patches] == expected
        (drawn,) = (c.get_segments() for c in ax.collections)
        np.testing.assert_allclose([(end[0] - start[0]) / 2 for start, end in drawn], errors)
        for title in ("Further data", "Expected regret", "Other planners"):
            bottom, top = axes_of(changed, title).get_ylim()
            assert bottom - 1 == pytest.approx(-top)
            assert 0.5 < -top < 0.7
    ax = axes_of(changed, "Expected regret")
    assert [bar.get_width() for bar in ax.patches] == [0.1, 0.3]
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines}
    assert drawn == {"95 % quantile": [0.2, 0.7], "uniform policy": [0.5, 0.6]}
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0, 1], [0, 1]]


def test_nothing_is_cut_off(audit):
    """All axes with their labels lie within the figure, and words within their panel."""
    figure = gi.plot.audit(audit)
    figure.draw_without_rendering()
    width, height = figure.canvas.get_width_height()
    for ax in figure.axes:
        box, inside = ax.get_tightbbox(), ax.get_window_extent()
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert all(text.get_window_extent().x1 <= inside.x1 for text in ax.texts)
    assert plt.get_fignums() == []
