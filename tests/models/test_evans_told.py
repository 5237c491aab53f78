"""Procrastination and the restaurant as the chapters of agentmodels.org tell them, against the library's agent.

The chapters keep the time left, and whether an action is the last, in the state, and plan by recursion; the library
plans over a horizon in an ordinary world.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import evans_oracles as evans
import numpy as np
import pytest

import goalinf as gi
from goalinf_models.evans_worlds import procrastination, restaurants

WAYS = {"left": "l", "right": "r", "up": "u", "down": "d"}


class Told(NamedTuple):
    """A deterministic problem as the chapters tell it. After an action in a state that is `last` nothing is paid."""

    start: Any
    actions: Callable[[Any], Sequence[str]]
    step: Callable[[Any, str], Any]
    last: Callable[[Any], bool]
    utility: Callable[[Any, str], float]


def told_choices(told: Told, alpha: float, k: float, sophisticated: bool) -> Callable[[Any], dict[str, float]]:
    """Probabilities of the actions in a state, by recursion over states and delays."""

    @functools.cache
    def eu(state: Any, action: str, delay: int) -> float:
        value = told.utility(state, action) / (1 + k * delay)
        if told.last(state):
            return value
        following = told.step(state, action)
        chosen = act(following, 0 if sophisticated else delay + 1)
        return value + sum(p * eu(following, a, delay + 1) for a, p in chosen.items())

    def act(state: Any, delay: int = 0) -> dict[str, float]:
        x = {a: alpha * eu(state, a, delay) for a in told.actions(state)}
        odds = {a: math.exp(x[a] - max(x.values())) for a in x}
        return {a: odds[a] / sum(odds.values()) for a in x}

    return act


def procrastination_told(reward: float, cost: float, delay: float, deadline: int = 10) -> Told:
    """States (done, days waited, time left). Last: done, or time left 1; entering either makes the next action last."""

    def step(state, action):
        done, waited, left = state
        return (action == "work", waited + (action == "wait"), left - 1) if not done else state

    return Told(
        start=(False, 0, deadline),
        actions=lambda state: ["relax"] if state[0] else ["wait", "work"],
        step=step,
        last=lambda state: state[0] or state[2] <= 1,
        utility=lambda state, a: reward + delay * state[1] if state[0] else cost * (a == "work"),
    )


def restaurant_told(weights: dict[str, float], horizon: int = 11, start: tuple[int, int] = (3, 1)) -> Told:
    """States (place, place before, time left, steps at the shop or None). Last: the second step at a shop, or time 1."""

    def step(state, action):
        place, previous, left, steps = state
        if steps is not None:
            return place, place, left, steps + 1  # time stands still
        to = evans.exits(place, previous)[action]
        return to, place, left - 1, 0 if to in evans.SHOPS else None

    def utility(state, action):
        place, _, _, steps = state
        return weights["time"] if steps is None else weights[f"{evans.SHOPS[place]}.{'later' if steps else 'now'}"]

    return Told(
        start=(start, None, horizon, None),
        actions=lambda state: ["l"] if state[3] is not None else list(evans.exits(*state[:2])),
        step=step,
        last=lambda state: state[2] <= 1 or state[3] == 1,
        utility=utility,
    )


def compared(paid, start, told, weights, alpha, k, sophisticated) -> int:
    """Compare the choices in every state that the told problem can reach at every time; how many there were."""
    agent = gi.agents.hyperbolic(k=k, beta=alpha, horizon=paid.horizon, sophisticated=sophisticated)
    policy = agent.policy(paid.world, paid.reward(np.array(weights))).values
    act, names = told_choices(told, alpha, k, sophisticated), [WAYS.get(a, a) for a in paid.world.actions]
    waiting, seen = [(0, paid.world.states.index(start), told.start)], set()
    while waiting:
        t, s, state = waiting.pop()
        if (t, s, state) in seen:
            continue
        seen.add((t, s, state))
        expected = act(state)
        assert {names[a] for a in np.flatnonzero(paid.world.mdp.available[s])} == set(expected)
        for action, probability in expected.items():
            a = names.index(action)
            assert policy[t, s, a] == pytest.approx(probability, rel=1e-9, abs=1e-12), (t, state, action)
            if not told.last(state):
                waiting.append((t + 1, int(paid.world.mdp.successors[s, a, 0]), told.step(state, action)))
    return len(seen)


@pytest.mark.parametrize("sophisticated", [False, True])
@pytest.mark.parametrize(("alpha", "k"), [(0.1, 0.5), (1.0, 4.0), (10.0, 1.0), (1000.0, 0.0)])
def test_the_library_chooses_as_the_chapters_tell(alpha, k, sophisticated):
    rest = alpha, k, sophisticated
    weights = [4.5, -1.0, -0.1]
    assert compared(procrastination(), "day 0", procrastination_told(*weights), weights, *rest) == 19
    town = restaurants()
    for weights in ([-0.01, 10.0, -10.0, -10.0, 20.0, 0.0, 0.0], [-0.04, 3.0, -2.0, 1.0, 5.0, 2.0, -1.5]):
        told = restaurant_told(dict(zip(town.names, weights, strict=True)))
        assert compared(town, "3,1", told, weights, *rest) == 57
