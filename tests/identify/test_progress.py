"""The progress of an audit: every question is named, and one bar is shown at a time."""

import importlib

import jax
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.inference.samplers.progress import Progress


@pytest.fixture(scope="module")
def fit():
    hall = gi.gridworld("s.a", discount=0.9)
    wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    prior = gi.LinearReward(hall.indicator("a")[:, None], dist.Normal(0.0, 1.0), on="departure")
    return gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, draws=200)


@pytest.mark.parametrize(("quick", "count"), [(True, 1), (False, 6)])
def test_an_audit_tells_what_it_does(fit, monkeypatch, quick, count):
    told, made = [], []

    class Heard(Progress):
        def __init__(self, title, total, **options):
            super().__init__(title, total, **options)
            made.append((total, options["show"]))

        def say(self, title):
            told.append(title)
            super().say(title)

        def advance(self, steps, divergences=0):
            told.append(steps)
            super().advance(steps, divergences)

    monkeypatch.setattr(importlib.import_module("goalinf.identify.audit.audit"), "Progress", Heard)
    gi.audit(fit, quick=quick, planners={}, experiments={}, progress=False)
    assert made == [(count, False)]
    assert sum(one for one in told if one == 1) == count
    if not quick:
        assert "audit: expected regret" in told


def test_one_bar_at_a_time():
    """Of two live displays on one terminal Rich refuses the second."""
    with Progress("outer", 1, show=True) as outer:
        assert not outer._bar.disable
        with Progress("inner", 1, show=True) as inner:
            assert inner._bar.disable
        with Progress("inner", 1, show=True) as inner:
            assert inner._bar.disable
    with Progress("later", 1, show=True) as later:
        assert not later._bar.disable
    with Progress("hidden", 1, show=False), Progress("shown", 1, show=True) as shown:
        assert not shown._bar.disable
