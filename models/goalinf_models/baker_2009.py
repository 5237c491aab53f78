r"""Baker, Saxe and Tenenbaum (2009): action understanding as inverse planning.

Story
-----
Somebody walks to one of a few places, at a cost for every step, and chooses by a softmax of the optimal values. Which
place do they want? ``M1``: one goal, once and for all. ``M2``: before every step but the first a goal is drawn anew
with probability ``SWITCH``; the posterior is that of the goal they have at present. ``M3``: with probability ``DETOUR``
the goal is reached by way of another place, any one as likely; the posterior is that of the goal at the end.

Sites
-----
``goal``: uniform. The cost of a step is 1, in the units of beta = 2; switching .1, detours .5. The numbers are ours,
as is the map: the paper fits them to what people judge.

Departures: four directions instead of eight; no staying.

References
----------
Baker, C. L., Saxe, R. and Tenenbaum, J. B. (2009). Action understanding as inverse planning. *Cognition*, 113(3),
329-349.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpyro
import xarray as xr

import goalinf as gi
from goalinf.checks import PRNGKey, takes_key
from goalinf.inference.model.site_labels import axis_labels
from goalinf_models.catalogue import Variant, choice, exact
from goalinf_models.checks import check_behavior, check_variant

BETA, SWITCH, DETOUR = 2.0, 0.1, 0.5


@cache
def world() -> gi.World:
    """A room with a wall and three places."""
    return gi.gridworld("a..#..b\n...#...\n.......\ns.....c", discount=1.0)


def places() -> dict[Any, gi.GoalReward]:
    """What may be wanted."""
    return gi.goals(world(), {"A": "a", "B": "b", "C": "c"}, step_cost=1.0)


def walker(variant: str, where: gi.World) -> gi.Agent:
    """How they plan."""
    if variant == "M1":
        return gi.agents.boltzmann(beta=BETA)
    return (
        gi.agents.switching(switch=SWITCH, beta=BETA)
        if variant == "M2"
        else gi.agents.subgoal(detour=DETOUR, beta=BETA, world=where)
    )


@takes_key
def example(key: PRNGKey, variant: str = "M1") -> gi.Trajectories:
    """Three walks: to B; where it changes, to any."""
    check_variant(variant, VARIANTS)
    wants = gi.one_of(places()) if variant == "M2" else places()["B"]
    return gi.simulate(key, world(), walker(variant, world()), wants, trajectories=3, steps=20)


def model(
    data: gi.Trajectories,
    variant: str = "M1",
    *,
    where: gi.World | None = None,
    goals: Mapping[Any, gi.GoalReward] | None = None,
) -> dict[str, Any]:
    """Keyword arguments for :func:`exact`, of ``M2`` for :func:`present_goal`; ``where`` and ``goals`` are your own."""
    check_variant(variant, VARIANTS)
    where, goals = where or world(), goals or places()
    check_behavior(data, where)
    agent = walker(variant, where)
    if variant == "M2":
        return {"world": where, "agent": agent, "goals": goals, "data": data}

    def walks(seen: Any = None) -> None:
        goal = choice("goal", goals)
        numpyro.sample("choices", gi.Behavior(where, agent, goal, like=data), obs=seen)

    return {"model": walks, "data": data}


def present_goal(
    *, world: gi.World, agent: gi.Agent, goals: Mapping[Any, gi.GoalReward], data: gi.Trajectories
) -> xr.DataArray:
    """What a switching agent wants after every step, by the forward algorithm; like the result of :func:`exact`."""
    behavior = gi.Behavior(world, agent, gi.one_of(goals), contexts=data.context_names)
    n, t = data.actions.shape
    first = np.full((n, 1, len(goals)), 1.0 / len(goals))
    belief = np.concatenate([first, behavior.mode_posterior(data)], axis=1)
    evidence = np.append(np.zeros((n, 1)), np.cumsum(behavior.log_prob_by_step(data), axis=1), axis=1)
    return xr.DataArray(
        belief,
        dims=("trajectory", "step", "goal"),
        coords={
            "goal": axis_labels("goals", goals),
            "step": np.arange(t + 1),
            "evidence": (("trajectory", "step"), evidence),
        },
        name="probability",
    )


VARIANTS = {
    "M1": Variant(exact, ("goal",), "what does someone want?"),
    "M2": Variant(present_goal, ("goal",), "what does someone want by now?"),
    "M3": Variant(exact, ("goal",), "what does someone want, if they make detours?"),
}
