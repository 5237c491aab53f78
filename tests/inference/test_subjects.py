"""Subjects of a fit: their identifiers, and that pooled ones are said to be pooled."""

import datetime

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from small import HALL, plain_model

import goalinf as gi

KEY = jax.random.key(0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
SOFT = gi.agents.soft_optimal(beta=1.0)
EITHER = gi.one_of([SOFT, gi.agents.anti_rational(beta=1.0)], by="subject")


def walks(subjects, contexts=(0,)):
    """Two steps of every subject in every context; the first subject goes right, the others left."""
    cells = [(s, c) for s in range(len(subjects)) for c in range(len(contexts))]
    labels = gi.data.Labels(tuple(range(len(cells))), tuple(subjects), tuple(contexts), (HALL,) * len(contexts))
    moves = [[3, 3] if s == 0 else [2, 2] for s, _ in cells]
    states = [[0, 1, 2] if s == 0 else [2, 1, 0] for s, _ in cells]
    return gi.Trajectories.of(
        states, moves, subject=[s for s, _ in cells], context=[c for _, c in cells], labels=labels
    )


@pytest.mark.parametrize(
    "subjects",
    [
        ("ann", "bob"),
        (3, 17),
        ("001", "1"),
        (("lab", 1), ("lab", 2)),
        (1.5, 2.5),
        (True, False),
        (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
        (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-02")),
        (1, "x"),
    ],
)
def test_summary_finds_identifiers_of_any_type(subjects):
    fit = gi.infer(KEY, HALL, agent=EITHER, reward=WANTS, data=walks(subjects), chains=2, draws=10)
    tables = [fit.summary(subject=subject) for subject in subjects]
    expected = fit.posterior.isel(subject=0).to_array().mean().item()
    assert tables[0]["mean"].item() == pytest.approx(expected)
    assert not tables[0]["mean"].equals(tables[1]["mean"])
    with pytest.raises(KeyError, match="no subject 'zoe' in this fit; it has "):
        fit.summary(subject="zoe")


def test_summary_takes_numpy_numbers():
    fit = gi.infer(KEY, HALL, agent=EITHER, reward=WANTS, data=walks((3, 17)), chains=2, draws=10)
    assert fit.summary(subject=np.int64(17)).equals(fit.summary(subject=17))


def approximate(data, agent=SOFT):
    return gi.infer(KEY, HALL, agent=agent, reward=PRIOR, data=data, draws=20, method="laplace")


def test_one_set_of_parameters_for_several_subjects_is_said():
    """Twelve subjects in two conditions, one set of parameters."""
    fit = approximate(walks(range(12), ("pre", "post")))
    said = (
        "Pooled: 12 subjects and 2 contexts share one set of parameters; differences between them are not modeled. "
        "Where they may differ, fit the data of each one alone."
    )
    assert fit.pooled == said
    assert repr(fit).splitlines()[-1] == said
    assert said in str(gi.audit(fit, quick=True)).splitlines()
    for data, counts in ((walks(range(12)), "12 subjects share"), (walks((0,), (1, 2)), "2 contexts share")):
        assert approximate(data).pooled.startswith(f"Pooled: {counts} one set of parameters;")


def test_what_is_not_pooled_is_not_said_to_be():
    alone = walks(("ann", "bob")).select([1])
    assert approximate(alone).pooled == ""
    assert "Pooled" not in repr(approximate(alone))
    assert "Pooled" not in str(gi.audit(approximate(alone), quick=True))
    own = gi.infer(KEY, model=plain_model, data=walks(("ann", "bob")), draws=20, method="laplace")
    assert own.pooled == ""


def test_what_every_subject_has_of_its_own_is_excepted():
    fit = gi.infer(KEY, HALL, agent=EITHER, reward=WANTS, data=walks(("ann", "bob")), chains=2, draws=10)
    assert f", except for one agent.{EITHER.parameter} per subject;" in fit.pooled
