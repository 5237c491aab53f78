"""Names are data: formulas, markup and line breaks in them are drawn and written as they are."""

import dataclasses
from html.parser import HTMLParser

import jax
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.cbook import is_math_text
from matplotlib.text import Text
from named import PRIOR, audit_of, data_of, fit_of, ring
from pictures import hand_fit

import goalinf as gi
from goalinf.cli import common
from goalinf.data import Labels
from goalinf.display import printable
from goalinf.workflow.calibration import Calibration
from goalinf.workflow.predictive_checks import Replications
from goalinf.workflow.recovery import Recovery

# The second formula is none that Matplotlib can read; the third name begins as those that it leaves out of legends.
NAMES = ["$x_1$ {0}", r"$^$ \frac 100 %", "_hidden $5", "<b>bold</b> & [red]x", "two\nlines"]


class Page(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.alt = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.alt += [value for name, value in attrs if name == "alt"]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def said(figure):
    """All texts of a figure after it was drawn, as they are read."""
    figure.draw_without_rendering()
    return [text.get_text().replace(r"\$", "$") for text in figure.findobj(Text)]


def by_subject(name):
    draws = {"agent.beta": (("chain", "draw", "subject"), np.arange(8.0).reshape(1, 4, 2))}
    posterior = xr.Dataset(draws, coords={"subject": [name, "b"]})
    return gi.Fit(xr.DataTree.from_dict({"posterior": posterior}), None)


def recovered(name):
    columns = {"run": [0, 1, 2], "parameter": name, "level": "", "true": [1.0, 2.0, 3.0], "mean": [1.5, 2.0, 2.5]}
    columns |= {"sd": 1.0, "low": 0.0, "high": 4.0, "converged": True}
    return Recovery(pd.DataFrame(columns), pd.Series({name: 2.0}))


DRAWINGS = {
    "world": lambda name: gi.plot.world(ring(name)),
    "trajectories": lambda name: gi.plot.trajectories(data_of(name, ring(name))),
    "policy": lambda name: gi.plot.policy(
        ring(name), gi.agents.soft_optimal(beta=1.0), gi.StateReward(np.arange(3.0), on="departure")
    ),
    "reward": lambda name: gi.plot.reward(ring(name), gi.StateReward(np.arange(3.0), on="departure")),
    "reward_map": lambda name: gi.plot.reward_map(fit_of(name, ring(name))),
    "audit": lambda name: gi.plot.audit(audit_of(name)),
    "goal_timeline": lambda name: gi.plot.goal_timeline(
        xr.DataArray(
            [[[0.5, 0.5]]], dims=("trajectory", "step", "goal"), coords={"goal": [name, "b"], "trajectory": [name]}
        )
    ),
    "forest": lambda name: gi.plot.forest(by_subject(name), "agent.beta"),
    "recovery": lambda name: gi.plot.recovery(recovered(name)),
    "calibration": lambda name: gi.plot.calibration(Calibration(pd.DataFrame({name: [1, 5, 3]}), 9, 0)),
    "confusion": lambda name: gi.plot.confusion(pd.DataFrame([[1.0, np.nan]], index=[name], columns=[name, "other"])),
    "predictive": lambda name: gi.plot.predictive(
        Replications((data_of(name, ring(name)),) * 2, fit_of(name, ring(name)).model, "posterior"),
        data_of(name, ring(name)),
        of=["occupancy"],
    ),
    "distances": lambda name: gi.plot.distances({name: xr.DataArray([0.1, 0.2], dims="sample", name=name)}),
}


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_figure_shows_the_name_as_it_is(name, drawing):
    figure = DRAWINGS[drawing](name)
    assert any(printable(name) in text for text in said(figure))
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert not any(is_math_text(text) for text in texts if "mathdefault" not in text)  # but for powers of ten


@pytest.mark.parametrize("mark", "$_{&<%\\")
def test_marks_of_a_map_are_drawn_as_they_are(mark):
    world = gi.gridworld(f"s.{mark}", discount=0.9)
    assert mark in said(gi.plot.world(world))
    assert mark in said(gi.plot.policy(world, gi.agents.uniform(), gi.StateReward.zero(world)))


def test_all_figures_are_tried():
    assert set(gi.plot.__all__) == {*DRAWINGS, "audit_page"}


@pytest.mark.parametrize("what", ["legend of goals", "legend of distances"])
def test_a_name_with_an_underscore_stays_in_the_legend(what):
    figure = DRAWINGS["goal_timeline" if "goals" in what else "distances"]("_hidden")
    shown = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any(text.startswith("_hidden") for text in shown)


def test_every_record_is_html_that_reads_as_its_text(name):
    world = ring(name)
    fit = fit_of(name, world)
    mixture = gi.one_of({name: gi.agents.soft_optimal(beta=1.0), "other": gi.agents.boltzmann(beta=1.0)})
    for record in (world, fit.data, fit, mixture, audit_of(name)):
        page = Page(record._repr_html_())
        assert printable(name) in page.text
        assert page.tags <= {"div", "b", "pre", "table", "thead", "tbody", "tr", "th", "td"}
        assert "bold" not in page.words


def test_the_page_of_an_audit_reads_as_its_names(name, tmp_path):
    several = {name: ring(name), "other": ring(name)}
    labels = Labels(("1", "2"), contexts=(name, "other"))
    data = gi.Trajectories.of([[0, 1, 2]] * 2, [[0, 1]] * 2, context=np.arange(2, dtype=np.int32), labels=labels)
    draws = np.random.default_rng(0).normal(size=(40, 3))
    audit = dataclasses.replace(audit_of(name), fit=hand_fit(several, PRIOR, draws, data=data))
    path = gi.plot.audit_page(audit, tmp_path / "audit.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert page.text.count(printable(name)) > 3
    assert any(printable(name) in alt for alt in page.alt)
    assert "b" not in page.tags
    assert "…" not in page.text.replace(", …", "")  # nothing is cut off


def test_tables_in_the_terminal_show_the_name_as_it_is(name, capsys):
    row = {"mean": 1.0, "sd": 1.0, "eti94_lb": 0.0, "eti94_ub": 2.0, "ess_bulk": 400.0, "r_hat": 1.0}
    common.show_summary(pd.DataFrame(row, index=[f"reward.values[{name}]"]))
    assert f"reward.values[{printable(name)}]" in capsys.readouterr().out


def test_simulated_walks_in_such_a_world_are_shown(name):
    walks = gi.simulate(
        jax.random.key(0), ring(name), gi.agents.uniform(), gi.StateReward.zero(ring(name)), trajectories=1, steps=2
    )
    assert Page(walks._repr_html_()).tags <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td"}
