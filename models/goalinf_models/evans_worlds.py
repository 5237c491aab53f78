"""The worlds of Evans, Stuhlmüller and Goodman (2016) as finite MDPs: procrastination, and ways to a restaurant.

As described in chapters 4 and 5 of agentmodels.org. The remaining time is in the horizon of the agent, not in the
state; rewards are linear in features of actions. The street with a door is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

import goalinf as gi
from goalinf.types import Numbers

# Available actions of a state: action -> (next state, features).
_Options = Mapping[str, tuple[str, Mapping[str, float]]]

_TOWN = (  # 7 rows up and 5 columns to the right of (0, 0), which is at the lower left; blanks are walls
    "    V ",
    "   +++",
    "  D+ +",
    "   + +",
    "   +++",
    "   + N",
    "++++  ",
    "D  +  ",
)
_KINDS = {"D": "donut", "V": "veg", "N": "noodle"}
_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}


class Paid(NamedTuple):
    """World, features of its actions ``(S, A, F)`` with their names, and number of decisions."""

    world: gi.World
    features: np.ndarray
    names: tuple[str, ...]
    horizon: int

    def reward(self, weights: Numbers) -> gi.LinearReward:
        """Make the linear reward with these weights."""
        return gi.LinearReward(self.features, weights, names=self.names)


@cache
def procrastination(deadline: int = 10) -> Paid:
    """Make the procrastination world: wait, or work once and collect the reward on the day after.

    Work costs ``cost`` at once; on the next day the only action is to relax, which pays ``reward`` and ``delay`` for
    every day waited. Work on the last of the days (time left 1) costs and pays nothing.
    """

    def options(state: str) -> _Options:
        kind, number = state.split()
        day = int(number)
        if kind == "done":
            return {"relax": ("end", {"reward": 1.0, "delay": day})}
        last = day == deadline - 1
        return {
            "wait": ("end" if last else f"day {day + 1}", {}),
            "work": ("end" if last else f"done {day}", {"cost": 1.0}),
        }

    return _explored("day 0", options, ("wait", "work", "relax"), ("reward", "cost", "delay"), deadline)


@cache
def restaurants(horizon: int = 11) -> Paid:
    """Make the restaurant world: from (3, 1) to a restaurant; two steps there with the immediate and delayed reward.

    Moves back to the previous cell are unavailable; at a dead end the only action is to stay, after which they are
    available. Both donut shops have the same reward. The horizon binds: a late arrival collects less.
    """
    cells = {(x, 7 - row): mark for row, line in enumerate(_TOWN) for x, mark in enumerate(line) if mark != " "}

    def entered(place: tuple[int, int], before: tuple[int, int]) -> str:
        now = f"{place[0]},{place[1]}"
        return f"{now} now" if cells[place] in _KINDS else f"{now} from {before[0]},{before[1]}"

    def options(state: str) -> _Options:
        where, _, how = state.partition(" ")
        x, y = map(int, where.split(","))
        if how in ("now", "later"):  # at a restaurant
            after = f"{where} later" if how == "now" else "end"
            return {"left": (after, {f"{_KINDS[cells[x, y]]}.{how}": 1.0})}
        before = tuple(map(int, how.removeprefix("from ").split(","))) if how else None
        ahead = {action: (x + dx, y + dy) for action, (dx, dy) in _STEPS.items()}
        open_ways = {action: to for action, to in ahead.items() if to in cells and to != before}
        return {action: (entered(to, (x, y)), {"time": 1.0}) for action, to in (open_ways or {"left": (x, y)}).items()}

    names = ("time", *(f"{kind}.{when}" for kind in _KINDS.values() for when in ("now", "later")))
    return _explored("3,1", options, tuple(_STEPS), names, horizon)


@cache
def street(shut: bool | None = None) -> gi.World:
    """Make a belief world: a near noodle shop, whose door may be shut, and a farther vegetable shop.

    ``shut``: the true state of the door; None: transitions are those expected under the belief. The door is observed
    only in front of it.
    """

    def when(door: str) -> gi.World:
        steps = [
            *(("corner", "left", f"{door} door"), ("corner", "right", "road")),
            *(("open door", "left", "noodle"), ("open door", "right", "corner")),
            *(("shut door", "left", "shut door"), ("shut door", "right", "corner")),
            *(("road", "left", "corner"), ("road", "right", "veg")),
        ]
        table = pd.DataFrame(steps, columns=["state", "action", "next_state"])
        return gi.from_table(table, terminal=["noodle", "veg"], initial="corner", discount=1.0)

    truth = None if shut is None else "shut" if shut else "open"
    return gi.belief_world({"open": when("open"), "shut": when("shut")}, {"open": 0.5, "shut": 0.5}, truth=truth)


def _explored(
    start: str, options: Callable[[str], _Options], actions: tuple[str, ...], names: tuple[str, ...], horizon: int
) -> Paid:
    """Collect all states that can be reached from the start, as arrays; the last state is terminal."""
    explored = {start: options(start)}
    waiting = [start]
    while waiting:
        for state, _ in explored[waiting.pop()].values():
            if state != "end" and state not in explored:
                explored[state] = options(state)
                waiting.append(state)
    states = [*explored, "end"]
    successors = np.zeros((len(states), len(actions), 1), int)
    features = np.zeros((len(states), len(actions), len(names)))
    available = np.zeros(features.shape[:2], bool)
    for s, choices in enumerate(explored.values()):
        for name, (following, paid) in choices.items():
            a = actions.index(name)
            available[s, a] = True
            successors[s, a] = states.index(following)
            features[s, a] = [paid.get(weight, 0.0) for weight in names]
    world = gi.from_arrays(
        successors=successors,
        probabilities=np.ones(successors.shape),
        available=available,
        terminal="end",
        initial=start,
        discount=1.0,
        states=states,
        actions=actions,
    )
    return Paid(world, features, names, horizon)
