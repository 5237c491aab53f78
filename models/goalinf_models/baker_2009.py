r"""Baker, Saxe and Tenenbaum (2009): action understanding as inverse planning.

Story
-----
An agent moves to one of a few goal states, at a cost for every step, and chooses actions by a softmax of the optimal
values. The goal is inferred. ``M1``: one constant goal. ``M2``: before every step but the first a goal is drawn again
with probability ``SWITCH``; the posterior is that of the current goal. ``M3``: with probability ``DETOUR``
the agent visits another goal state first, uniformly distributed; the posterior is that of the final goal.

Sites
-----
``goal``: uniform. The cost of a step is 1, in the units of beta = 2; switching .1, detours .5. The numbers are ours,
as is the map: the paper fits them to judgments of people.

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
from goalinf.checks import takes_key
from goalinf.inference.model.site_labels import axis_labels
from goalinf.types import PRNGKey
from goalinf_models.catalogue import Variant, choice, exact
from goalinf_models.checks import check_behavior, check_variant

BETA, SWITCH, DETOUR = 2.0, 0.1, 0.5


@cache
def world() -> gi.World:
    """Make a room with a wall and three goal states."""
    return gi.gridworld("a..#..b\n...#...\n.......\ns.....c", discount=1.0)


def places() -> dict[str, gi.GoalReward]:
    """Make the goals."""
    return gi.goals(world(), {"A": "a", "B": "b", "C": "c"}, step_cost=1.0)


def walker(variant: str, where: gi.World) -> gi.Agent:
    """Make the agent of a variant."""
    if variant == "M1":
        return gi.agents.boltzmann(beta=BETA)
    return (
        gi.agents.switching(switch=SWITCH, beta=BETA)
        if variant == "M2"
        else gi.agents.subgoal(detour=DETOUR, beta=BETA, world=where)
    )


@takes_key
def example(key: PRNGKey, variant: str = "M1") -> gi.Trajectories:
    """Simulate three trajectories with goal B; in ``M2`` with changing goals."""
    check_variant(variant, VARIANTS)
    goal = gi.one_of(places()) if variant == "M2" else places()["B"]
    return gi.simulate(key, world(), walker(variant, world()), goal, trajectories=3, steps=20)


def model(
    data: gi.Trajectories,
    variant: str = "M1",
    *,
    where: gi.World | None = None,
    goals: Mapping[Any, gi.GoalReward] | None = None,
) -> dict[str, Any]:
    """Return keyword arguments for :func:`exact` (``M2``: :func:`present_goal`), also of a custom world and goals."""
    check_variant(variant, VARIANTS)
    where, goals = where or world(), goals or places()
    check_behavior(data, where)
    agent = walker(variant, where)
    if variant == "M2":
        return {"world": where, "agent": agent, "goals": goals, "data": data}

    def walks(seen: gi.Trajectories | None = None) -> None:
        goal = choice("goal", goals)
        numpyro.sample("choices", gi.Behavior(where, agent, goal, like=data), obs=seen)

    return {"model": walks, "data": data}


def present_goal(
    *, world: gi.World, agent: gi.Agent, goals: Mapping[Any, gi.GoalReward], data: gi.Trajectories
) -> xr.DataArray:
    """Compute the posterior of the current goal after every step by the forward algorithm; result as :func:`exact`."""
    behavior = gi.Behavior(world, agent, gi.one_of(goals), contexts=data.context_names)
    n, t = data.actions.shape
    first = np.full((n, 1, len(goals)), 1.0 / len(goals))
    belief = np.concatenate([first, behavior.mode_posterior(data)], axis=1)
    evidence = np.append(np.zeros((n, 1)), np.cumsum(behavior.log_prob_by("step", data), axis=1), axis=1)
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
    "M1": Variant(exact, ("goal",), "what is the goal?"),
    "M2": Variant(present_goal, ("goal",), "what is the current goal?"),
    "M3": Variant(exact, ("goal",), "what is the goal, if the agent makes detours?"),
}
