"""Records print their numbers, and numbers three digits."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.display import describe, number, printable


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (9.999e-13, "0"),
        (1.0001e-12, "1e-12"),
        (-1.7e-16, "0"),
        (1065.0, "1,065"),
        (np.int64(12345), "12,345"),
        (12345.6, "12,300"),
        (-514.2037, "-514"),
        (float("nan"), "unknown"),
        (-np.inf, "-infinite"),
        (True, "yes"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dist.Normal(np.zeros(3), 2.0).to_event(1), "Normal(loc=[0, 0, 0], scale=[2])"),
        (dist.LogNormal(0.0, 0.5).expand([4]), "LogNormal(loc=0, scale=0.5)"),
        (np.arange(30.0).reshape(5, 6), "5 x 6 values from 0 to 29"),
        (np.arange(30) < 3, "3 of 30 true"),
        (np.zeros((0, 2)), "0 x 2 values from none to none"),
        ((1, "a"), "(1, 'a')"),
    ],
)
def test_parameters_in_words(value, text):
    assert describe(value) == text


def test_what_is_traced_is_described_by_its_shape():
    seen = []
    jax.jit(lambda x: seen.append((describe(x), repr(gi.StateReward(x, on="arrival")))) or x)(np.zeros(3))
    assert seen == [("array of shape (3,)", "StateReward(values=array of shape (3,), on='arrival')")]


def test_agents_and_rewards_print_their_numbers():
    assert repr(gi.agents.soft_optimal(beta=2.0, lapse=0.05)) == "soft_optimal(beta=2, lapse=0.05)"
    assert repr(gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))) == "soft_optimal(beta=LogNormal(loc=0, scale=1))"
    assert repr(gi.StateReward([0.0, 2.5], on="arrival")) == "StateReward(values=[0, 2.5], on='arrival')"
    several = gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=1.0)
    assert repr(several) == "one_of(depth=[1, 2], weights=[0.5, 0.5], by='subject')"


def test_control_characters_are_shown_as_their_escapes():
    assert printable("two\nlines\t$x$ <b>") == r"two\nlines\t$x$ <b>"


def test_a_fit_prints_its_first_numbers():
    hall = gi.gridworld("s..........a", discount=0.9)
    data = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    fit = gi.infer(
        jax.random.key(0), hall, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=data, draws=50, chains=2
    )
    text = repr(fit).splitlines()
    assert text[0] == "Fit(2 chains x 50 draws of reward.values[12]; 2 choices scored)"
    assert text[1].split() == ["mean", "sd", "3", "%", "97", "%"]
    draws = fit.posterior["reward.values"].sel(state="s").values
    expected = draws.mean(), draws.std(), *np.quantile(draws, [0.03, 0.97])
    assert text[2].split() == ["reward.values[s]", *map(number, expected)]
    assert text[12] == "… and 2 more: fit.summary()"
    assert text[13] == fit.diagnosis
    assert fit.heading == f"{text[0]}\n{fit.diagnosis}"
