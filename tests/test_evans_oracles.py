"""Procrastination and the restaurant: every published digit, by exact enumeration."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import evans_oracles as evans
import golden
import numpy as np
import pytest

# -- the agent ----------------------------------------------------------------------------------

G3_HYPERBOLIC = {False: (0.938085, 0.385595, 0.165949), True: (0.942271, 0.383469, 0.150983)}  # k = 1, 6 steps


def printed(value: float, digits: str) -> bool:
    """Whether a number, rounded to as many decimals or significant digits as are printed, reads like this."""
    if "e" in digits:
        return f"{value:.{len(digits.split('e')[0].replace('.', '')) - 1}e}".replace("e-0", "e-") == digits
    text = f"{value:.{len(digits.partition('.')[2])}f}"
    return digits == (text.removeprefix("0") if digits.startswith(".") else text)


@pytest.mark.parametrize("sophisticated", [False, True])
def test_on_g3(sophisticated):
    found = evans.hyperbolic(golden.G3_P, golden.G3_R, golden.G3_BETA, 1.0, sophisticated, 6)
    np.testing.assert_allclose(found.policy[0, :, 0], G3_HYPERBOLIC[sophisticated], rtol=0, atol=5.1e-7)


def test_without_discounting_the_naive_is_sophisticated():
    naive, other = (evans.restaurant_mdp().plan(TEMPTING, 2.0, 0.0, nu) for nu in (False, True))
    np.testing.assert_allclose(naive.EU, other.EU, rtol=1e-13)


# -- the problems as the chapters tell them -----------------------------------------------------


class Told(NamedTuple):
    """A deterministic problem as the chapters tell it. After an action in a state that is `last` nothing is paid."""

    start: Any
    actions: Callable[[Any], Sequence[str]]
    step: Callable[[Any, str], Any]
    last: Callable[[Any], bool]
    utility: Callable[[Any, str], float]


def told_agent(told: Told, alpha: float, k: float, sophisticated: bool) -> Callable[[Any, str, int], float]:
    """The same agent by recursion: the function EU(state, action, delay)."""

    @functools.cache
    def eu(state: Any, action: str, delay: int) -> float:
        value = told.utility(state, action) / (1 + k * delay)
        if told.last(state):
            return value
        following = told.step(state, action)
        chosen = act(following, 0 if sophisticated else delay + 1)
        return value + sum(p * eu(following, a, delay + 1) for a, p in chosen.items())

    def act(state: Any, delay: int) -> dict[str, float]:
        x = {a: alpha * eu(state, a, delay) for a in told.actions(state)}
        odds = {a: math.exp(x[a] - max(x.values())) for a in x}
        return {a: odds[a] / sum(odds.values()) for a in x}

    return eu


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
        return weights["time"] if steps is None else weights[f"{evans.SHOPS[place]} {'later' if steps else 'now'}"]

    return Told(
        start=(start, None, horizon, None),
        actions=lambda state: ["l"] if state[3] is not None else list(evans.exits(*state[:2])),
        step=step,
        last=lambda state: state[2] <= 1 or state[3] == 1,
        utility=utility,
    )


def same(problem: evans.Problem, told: Told, weights, alpha: float, k: float, sophisticated: bool) -> int:
    """Compare EU at every state, action and delay that the told problem can reach; how many there were."""
    EU = problem.plan(weights, alpha, k, sophisticated).EU
    eu = told_agent(told, alpha, k, sophisticated)
    waiting, seen = [(0, problem.start, told.start)], set()
    count = 0
    while waiting:
        t, s, state = waiting.pop()
        if (t, s, state) in seen:
            continue
        seen.add((t, s, state))
        actions = told.actions(state)
        assert {problem.actions[a] for a in np.flatnonzero(problem.available[s])} == set(actions)
        for action, d in itertools.product(actions, range(t + 1)):
            a = problem.actions.index(action)
            assert EU[t, s, a, d] == pytest.approx(eu(state, action, d), rel=1e-12, abs=1e-12)
            count += 1
            if d == 0 and not told.last(state):
                waiting.append((t + 1, int(problem.P[s, a].argmax()), told.step(state, action)))
    return count


@pytest.mark.parametrize("sophisticated", [False, True])
@pytest.mark.parametrize(("alpha", "k"), [(0.1, 0.5), (1.0, 4.0), (10.0, 1.0), (1000.0, 0.0)])
def test_arrays_and_words_say_the_same(alpha, k, sophisticated):
    weights = [4.5, -1.0, -0.1]
    told = procrastination_told(*weights)
    assert same(evans.procrastination_mdp(), told, weights, alpha, k, sophisticated) == 164
    shop = evans.restaurant_mdp()
    for tables in (TEMPTING, [-0.04, 3.0, -2.0, 1.0, 5.0, 2.0, -1.5]):
        told = restaurant_told(dict(zip(shop.weights, tables, strict=True)))
        assert same(shop, told, tables, alpha, k, sophisticated) == 493


def test_horizon_of_procrastination_does_not_bind_and_that_of_the_restaurant_does():
    work, shop = evans.procrastination_mdp(), evans.restaurant_mdp()
    for problem, weights, binds in ((work, [4.5, -1, -0.1], False), (shop, TEMPTING, True)):
        short, long = (problem._replace(horizon=problem.horizon + n).plan(weights, 2.0, 1.0, False) for n in (0, 5))
        change = np.abs(short.policy[0, problem.start] - long.policy[0, problem.start]).max()
        assert (change > 1e-6) == binds


def test_sizes():
    work, shop = evans.procrastination_mdp(), evans.restaurant_mdp()
    assert len(work.states) == 20
    assert len(shop.states) == 40
    for problem in (work, shop):
        np.testing.assert_array_equal(problem.P.sum(2), 1)
        assert not problem.features[problem.terminal].any()
        assert not problem.features[~problem.available].any()
        assert problem.available.any(1).all()


# -- procrastination ------------------------------------------------------------------------------

REWARDS = np.array([0.5, 2, 3, 4, 5, 6, 7, 8])
ALPHAS, P_ALPHA = np.array([0.1, 1, 10, 100, 1000]), np.array([0.1, 0.2, 0.2, 0.2, 0.3])
DISCOUNTS = {"optimal": np.array([0.0]), "possibly discounting": np.array([0, 0.5, 1, 2, 4])}
DATA = ["wait"] * 8 + ["work", "relax"]
COLUMNS = ("reward", "work on the last day", "alpha", "k", "evidence")

PROCRASTINATION = {  # after n observations; the optimal model has no k
    ("optimal", 0): ("4.4375", ".8313", "322.21", "0", "1"),
    ("optimal", 1): ("3.2242", ".5288", "153.20", "0", ".26583"),
    ("optimal", 4): ("1.0755", ".1060", "394.02", "0", ".10218"),
    ("optimal", 8): (".5302", ".0056", "457.48", "0", ".087977"),
    ("optimal", 9): ("4.7674", ".7565", ".68", "0", "4.966e-4"),
    ("possibly discounting", 0): ("4.4375", ".6536", "322.21", "1.5", "1"),
    ("possibly discounting", 1): ("3.4214", ".3712", "299.69", "2.2451", ".43064"),
    ("possibly discounting", 4): ("2.9345", ".2402", "455.97", "2.5970", ".28216"),
    ("possibly discounting", 8): ("2.8487", ".2158", "495.72", "2.6309", ".25939"),
    ("possibly discounting", 9): ("6.1569", ".9560", "572.63", "3.4959", ".055978"),
}


def procrastination_posterior(model: str, n: int) -> tuple[float, ...]:
    """Posterior expectations in the order of COLUMNS after n observations; the agent is naive."""
    problem, k = evans.procrastination_mdp(), DISCOUNTS[model]
    reward, alpha, k = (x.reshape(-1) for x in np.meshgrid(REWARDS, ALPHAS, k, indexing="ij"))
    prior = np.repeat(np.tile(P_ALPHA, len(REWARDS)), len(DISCOUNTS[model]))
    prior = prior / prior.sum()
    weights = np.stack([reward, np.full_like(reward, -1.0), np.full_like(reward, -0.1)], axis=1)
    policy = problem.plan(weights, alpha, k, sophisticated=False).policy
    joint = prior * problem.likelihood(policy, DATA[:n])
    evidence = joint.sum()
    work = policy[:, 8, problem.states.index("wait 8"), problem.actions.index("work")]
    return (*(float(joint @ x / evidence) for x in (reward, work, alpha, k)), float(evidence))


@pytest.mark.parametrize(("model", "n"), PROCRASTINATION)
def test_procrastination(model, n):
    found = procrastination_posterior(model, n)
    for name, value, digits in zip(COLUMNS, found, PROCRASTINATION[model, n], strict=True):
        assert printed(value, digits), (name, value, digits)


def test_bayes_factor_of_discounting():
    evidence = {model: procrastination_posterior(model, len(DATA))[-1] for model in DISCOUNTS}
    assert printed(evidence["possibly discounting"] / evidence["optimal"], "112.7")


# -- restaurant -----------------------------------------------------------------------------------

TEMPTING = [-0.01, 10, -10, -10, 20, 0, 0]  # time; donut, veg, noodle: now, later
PATHS = {"naive": "uuuulll", "sophisticated": "uurruuulull"}


@pytest.mark.parametrize("kind", PATHS)
def test_restaurant_path(kind):
    problem = evans.restaurant_mdp()
    policy = problem.plan(TEMPTING, 500.0, 1.0, kind == "sophisticated").policy
    assert problem.likelihood(policy, PATHS[kind]) > 0.95
    taken = "".join(problem.actions[int(policy[t, s].argmax())] for t, (s, _) in enumerate(problem.visits(PATHS[kind])))
    assert taken == PATHS[kind]
    s, a = problem.visits(PATHS[kind])[-1]
    assert problem.states[s] == {"naive": "2,5 later", "sophisticated": "4,7 later"}[kind]
    assert problem.terminal[problem.P[s, a].argmax()]


def test_restaurant_expected_utilities_of_the_naive():
    problem = evans.restaurant_mdp()
    EU = problem.plan(TEMPTING, 500.0, 1.0, False).EU[4, problem.states.index("3,5 from 3,4")]
    for action, delay, digits in (("l", 0, "1.6567"), ("u", 0, "1.4817"), ("l", 4, ".2361"), ("u", 4, ".9671")):
        assert printed(EU[problem.actions.index(action), delay], digits)


RESTAURANT = {  # evidence, P(naive), P(donut is tempting), E[Veg - Donut]
    "naive": (".019858", ".9417", ".8852", "9.889"),
    "sophisticated": (".004511", ".0614", ".8660", "14.330"),
}


@pytest.fixture(scope="module")
def restaurant_prior():
    """Weights (256, 7), the policies of both kinds, whether donuts tempt, and how much better Veg is in total.

    Donut is tempting: Veg is better at the start, where the chapter counts delay 4 to Donut North and 6 to Veg (the
    path has 5 and 7), and worse in front of Donut North, with delays 0 and 2 (the path: 1 and 3).
    """
    problem = evans.restaurant_mdp()
    u = np.array(list(itertools.product([-10.0, 0.0, 10.0, 20.0], repeat=4)))  # donut now, later, veg now, later
    weights = np.concatenate([np.full((256, 1), -0.01), u, np.full((256, 2), -10.0)], axis=1)
    policies = {kind: problem.plan(weights, 1000.0, 1.0, kind == "sophisticated").policy for kind in PATHS}
    donut, veg = (lambda d, i=i: u[:, i] / (1 + d) + u[:, i + 1] / (2 + d) for i in (0, 2))
    tempting = (donut(4) < veg(6)) & (donut(0) > veg(2))
    return problem, policies, tempting, u[:, 2:].sum(1) - u[:, :2].sum(1)


def test_restaurant_prior(restaurant_prior):
    _, _, tempting, better = restaurant_prior
    assert printed(tempting.mean(), ".0898")
    assert better.mean() == 0


@pytest.mark.parametrize("path", RESTAURANT)
def test_restaurant_inference(path, restaurant_prior):
    problem, policies, tempting, better = restaurant_prior
    joint = np.stack([problem.likelihood(policies[kind], PATHS[path]) for kind in PATHS]) / 512  # (kind, weights)
    evidence = joint.sum()
    found = (evidence, joint[0].sum() / evidence, *(joint.sum(0) @ x / evidence for x in (tempting, better)))
    for value, digits in zip(found, RESTAURANT[path], strict=True):
        assert printed(value, digits), (value, digits)


def test_restaurant_single_step():
    problem = evans.restaurant_mdp()
    likes = np.array([[-0.04, *np.repeat(1.0 + np.eye(3)[i], 2)] for i in range(3)])  # donut, veg, noodle
    likelihood = problem.likelihood(problem.plan(likes, 2.0, 0.0, False).policy, "l")
    for value, digits in zip(likelihood / likelihood.sum(), (".9106", ".0604", ".0290"), strict=True):
        assert printed(value, digits), (value, digits)
