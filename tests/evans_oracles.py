"""Two problems of time inconsistency, and the agent that solves them: slow, plain NumPy, nothing shared with the library.

The problems are those of agentmodels.org, chapters 4 and 5a-5e (theory 4.1 and 4.2). The chapters keep the time left and
whether "this action is the last" in the state. Here they are ordinary finite MDPs with availability and one terminal
state, and an ordinary planner of finite horizon, indexed by time and delay, does exactly the same with them; the tests
compare EU with the recursion over the chapters' own states. In terms of the MDP:

- `horizon` steps are taken at times t = 0, ..., horizon - 1; time left in the chapters is horizon - t.
- The *delay* d is subjective: at time t the agents of times t, t - 1, ..., 0 look at the step with d = 0, ..., t.
- Every reward is paid for acting in a state, r[s, a]; nothing is paid for arriving, in the terminal state or beyond the
  horizon. A chapter's "terminal" step is an action that is paid and after which nothing is.
- There is no other discount, and the continuation is the mean under the simulated choice, not log-sum-exp.

Rewards are linear: r = features @ weights, so that the weights can be inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# -- the agent --------------------------------------------------------------------------------


class Hyperbolic(NamedTuple):
    """EU[..., t, s, a, d], -inf where unavailable, NaN in terminal states and for d > t; policy[..., t, s, a]."""

    EU: np.ndarray
    policy: np.ndarray


def choose(EU: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """C(a | s, d) = softmax over a of alpha * EU[..., s, a, d]."""
    x = alpha * EU
    odds = np.exp(x - x.max(-2, keepdims=True))
    return odds / odds.sum(-2, keepdims=True)


def hyperbolic(P, r, alpha, k, sophisticated: bool, horizon: int, available=None, terminal=None) -> Hyperbolic:
    """The hyperbolic agent; rewards (..., S, A), alpha > 0 and k >= 0 broadcast over the leading axes.

    EU_t(s, a, d) = D(d) r[s, a] + sum_s' P[s, a, s'] sum_a' C_t+1(a' | s', d') EU_t+1(s', a', d + 1),
    D(d) = 1 / (1 + k d), C_t(a | s, d) = softmax_a(alpha EU_t(s, a, d)), d' = d + 1 (naive) or 0 (sophisticated),
    without the sum at t = horizon - 1 and where s' is terminal. What the agent does is pi_t(a | s) = C_t(a | s, 0).
    """
    P, r, alpha, k = (np.asarray(x, float) for x in (P, r, alpha, k))
    batch = np.broadcast_shapes(r.shape[:-2], alpha.shape, k.shape)
    r = np.broadcast_to(r, batch + r.shape[-2:])
    alpha, k = (np.broadcast_to(x, batch)[..., None, None, None] for x in (alpha, k))
    available = np.ones(r.shape[-2:], bool) if available is None else np.asarray(available)
    terminal = np.zeros(len(P), bool) if terminal is None else np.asarray(terminal)
    EU = np.full((*batch, horizon, *r.shape[-2:], horizon), np.nan)
    policy = np.full(EU.shape[:-1], np.nan)
    for t in reversed(range(horizon)):
        now = r[..., None] / (1 + k * np.arange(t + 1))  # (..., s, a, d)
        if t + 1 < horizon:
            later = EU[..., t + 1, :, :, : t + 2]
            choice = choose(later[..., :1] if sophisticated else later[..., 1:], alpha)
            mean = np.where(choice > 0, choice * np.where(choice > 0, later[..., 1:], 0), 0).sum(-2)  # (..., s', d)
            now = now + np.einsum("saz,...zd->...sad", P, np.where(terminal[:, None], 0, mean))
        now = np.where(available[:, :, None], now, -np.inf)
        now[..., terminal, :, :] = np.nan
        EU[..., t, :, :, : t + 1] = now
        policy[..., t, :, :] = choose(now[..., :1], alpha)[..., 0]
    return Hyperbolic(EU, policy)


# -- problems as finite MDPs ------------------------------------------------------------------


class Problem(NamedTuple):
    """An MDP: P[s, a, t] (a stay where unavailable), features[s, a, f], available[s, a], terminal[s], start, names."""

    P: np.ndarray
    features: np.ndarray
    available: np.ndarray
    terminal: np.ndarray
    start: int
    horizon: int
    states: tuple[str, ...]
    actions: tuple[str, ...]
    weights: tuple[str, ...]

    def reward(self, weights) -> np.ndarray:
        """r[..., s, a] of weights (..., f)."""
        return np.einsum("saf,...f->...sa", self.features, np.asarray(weights, float))

    def plan(self, weights, alpha, k, sophisticated: bool) -> Hyperbolic:
        """What the hyperbolic agent does."""
        r = self.reward(weights)
        return hyperbolic(self.P, r, alpha, k, sophisticated, self.horizon, self.available, self.terminal)

    def visits(self, actions: Sequence[str]) -> list[tuple[int, int]]:
        """The states and actions, as indices, of a sequence of actions from the start."""
        found, state = [], self.start
        for a in map(self.actions.index, actions):
            assert self.available[state, a]
            found.append((state, a))
            state = int(self.P[state, a].argmax())
        return found

    def likelihood(self, policy: np.ndarray, actions: Sequence[str]) -> np.ndarray:
        """The probability of a sequence of actions from the start, under a policy [..., t, s, a]."""
        steps = [policy[..., t, s, a] for t, (s, a) in enumerate(self.visits(actions))]
        return np.prod([np.ones(policy.shape[:-3]), *steps], axis=0)


def _problem(horizon: int, actions, weights, moves: dict[str, dict[str, tuple[str, dict]]]) -> Problem:
    """Arrays from {state: {action: (next state, {weight: feature})}}, the start first; "end" is added, and terminal."""
    states = (*moves, "end")
    P = np.repeat(np.eye(len(states))[:, None], len(actions), axis=1)
    features = np.zeros((*P.shape[:2], len(weights)))
    terminal = np.array([state == "end" for state in states])
    available = np.repeat(terminal[:, None], len(actions), axis=1)  # at the end nobody asks
    for s, options in enumerate(moves.values()):
        for a, (following, paid) in ((actions.index(name), option) for name, option in options.items()):
            available[s, a] = True
            P[s, a] = np.eye(len(states))[states.index(following)]
            features[s, a] = [paid.get(name, 0.0) for name in weights]
    return Problem(P, features, available, terminal, 0, horizon, states, actions, weights)


def procrastination_mdp(deadline: int = 10) -> Problem:
    """Work once, on one of the days, and collect the reward on the day after; horizon = deadline.

    States "wait w" (w = 0, ..., deadline - 1 days waited), start "wait 0"; "done w" (worked after w days,
    w = 0, ..., deadline - 2); "end". Actions: wait and work in "wait w", only relax in "done w".

    - wait in "wait w": pays nothing, leads to "wait w+1"; from "wait deadline-1" to the end.
    - work in "wait w": pays cost (-1), leads to "done w"; from "wait deadline-1" to the end: on that day, time left 1,
      work costs but cannot be rewarded, and a noisy agent may do it (the digits need that). The "last day" of the data
      is the day before, "wait deadline-2" (time left 2), the last on which work is rewarded.
    - relax in "done w": pays reward + delay * w (delay = -0.1 per day waited), leads to the end.

    The days are in the state, so any horizon >= deadline is the same.
    """
    moves = {}
    for w in range(deadline - 1):
        moves[f"wait {w}"] = {"wait": (f"wait {w + 1}", {}), "work": (f"done {w}", {"cost": 1.0})}
        moves[f"done {w}"] = {"relax": ("end", {"reward": 1.0, "delay": w})}
    moves[f"wait {deadline - 1}"] = {"wait": ("end", {}), "work": ("end", {"cost": 1.0})}
    return _problem(deadline, ("wait", "work", "relax"), ("reward", "cost", "delay"), moves)


SHOPS = {(0, 0): "donut", (2, 5): "donut", (5, 2): "noodle", (4, 7): "veg"}
STREETS = {*((3, y) for y in range(7)), *((x, 1) for x in range(3)), (4, 3), (5, 3), (5, 4), (5, 5), (5, 6), (4, 6)}
MOVES = {"l": (-1, 0), "r": (1, 0), "u": (0, 1), "d": (0, -1)}


def exits(place, previous) -> dict[str, tuple[int, int]]:
    """Where one can go from a street: not into walls, not back to the previous place; else stay by "l"."""
    there = {a: (place[0] + dx, place[1] + dy) for a, (dx, dy) in MOVES.items()}
    there = {a: q for a, q in there.items() if (q in STREETS or q in SHOPS) and q != previous}
    return there or {"l": place}


def restaurant_mdp(horizon: int = 11, start: tuple[int, int] = (3, 1)) -> Problem:
    """Walk to a shop and spend two steps there; (x, y), y up; both donut shops share their weights.

    States: "x,y" (the start), "x,y from x,y" (every street that can be reached, with the place before it), "x,y now" and
    "x,y later" (the two steps at a shop), "end". Actions: l, r, u, d. Nothing is random.

    - An action in a street pays time (-.01) and leads to the neighbor; walls and the place before are unavailable (the
      start has none before). Where nothing is left, at the dead end (3,0), the only action is "l": a stay, which pays
      time, and after which the place before is (3,0) itself, so that one may go up again. (The digits need the stay.)
    - Entering a shop forgets where one came from. Its only action is "l": "now" pays `<shop> now` and leads to "later",
      which pays `<shop> later` and leads to the end.

    The horizon is binding, and must be 11 for the digits: who enters a shop at the last step collects only "now", and
    who is in a street then collects that time cost and no more. In the chapters time is not decremented at a shop; it
    makes no difference: who enters with time left >= 2 collects both either way, and with time left 1 only the first.
    """

    def name(place, previous):
        here = f"{place[0]},{place[1]}"
        return f"{here} now" if place in SHOPS else f"{here} from {previous[0]},{previous[1]}" if previous else here

    moves: dict = {}
    waiting: list = [(start, None)]
    while waiting:
        place, previous = waiting.pop(0)
        if place not in SHOPS and name(place, previous) not in moves:
            leads = exits(place, previous)
            moves[name(place, previous)] = {a: (name(q, place), {"time": 1.0}) for a, q in leads.items()}
            waiting += [(q, place) for q in leads.values()]
    for (x, y), kind in SHOPS.items():
        moves[f"{x},{y} now"] = {"l": (f"{x},{y} later", {f"{kind} now": 1.0})}
        moves[f"{x},{y} later"] = {"l": ("end", {f"{kind} later": 1.0})}
    weights = ("time", *(f"{kind} {when}" for kind in ("donut", "veg", "noodle") for when in ("now", "later")))
    return _problem(horizon, tuple(MOVES), weights, moves)
