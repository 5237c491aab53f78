"""Goals: states to reach, at a cost for every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float
from numpyro.distributions import Distribution

from goalinf.checks import check_kind
from goalinf.precision import namespace
from goalinf.rewards.base import Leaf, Reward, leaf
from goalinf.types import Numbers
from goalinf.worlds import MDP, World


class GoalReward(Reward):
    r"""Reward of reaching a goal: :math:`R(s,a,t) = -c + b\,[t \in G]`; reaching the goal ends the episode.

    The value of a goal state is zero. A *dead end* is a state from which the goal cannot be reached, or a terminal
    state of the world that is not a goal. Its value is ``dead_end``, charged on arrival at every horizon, so that an
    undiscounted agent there is indifferent rather than undefined. **Results depend on this number**: it sets how much
    worse another terminal state is than a long path to the goal, and a change of it alone changed the correlation of
    goal posteriors with human judgments from -.06 to .91. Report it, and compare several values.

    A simulated episode ends in a goal state. Observed actions in and after a goal state are scored like all others, by
    the stationary policy, for which the value of the goal state is zero: every goal is scored on the same actions. See
    ``after_goal`` of :func:`~goalinf.goal_posterior` for the other convention.

    Parameters
    ----------
    goal : bool (S,)
        The goal states :math:`G`.
    dead : bool (S,)
        States from which no goal state can be reached; :func:`goals` computes them.
    step_cost : float or Distribution
        :math:`c`, utility per step.
    bonus : float or Distribution
        :math:`b`, utility of arrival at the goal.
    dead_end : float
        Value of a dead end, in utility. A dead end is worse than every path to the goal where this is below minus the
        cost of the longest one.
    """

    goal: Bool[Array | np.ndarray, " S"]
    dead: Bool[Array | np.ndarray, " S"]
    step_cost: Leaf
    bonus: Leaf
    dead_end: Leaf

    def __init__(
        self,
        goal: Bool[Array | np.ndarray, " S"],
        dead: Bool[Array | np.ndarray, " S"],
        *,
        step_cost: Leaf | Numbers = 1.0,
        bonus: Leaf | Numbers = 0.0,
        dead_end: Leaf | Numbers,
    ):
        self.goal = goal
        self.dead = dead
        self.step_cost = leaf(step_cost, "step_cost of a GoalReward")
        self.bonus = leaf(bonus, "bonus of a GoalReward")
        self.dead_end = leaf(dead_end, "dead_end of a GoalReward")

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return rewards ``(S, A, K)``."""
        goal = namespace(self.goal, mdp.successors).asarray(self.goal)
        return -self.step_cost + self.bonus * goal[mdp.successors]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: ``goal`` and ``dead`` have one entry per state; the other fields are numbers."""
        return {"goal": ("state",), "dead": ("state",), "step_cost": (), "bonus": (), "dead_end": ()}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names ``step_cost`` and ``bonus``."""
        return ("step_cost", "bonus")

    def ends(self, mdp: MDP) -> Bool[Array | np.ndarray, " S"]:
        """Return the goal states."""
        return self.goal

    def pinned(self, mdp: MDP) -> tuple[Bool[Array | np.ndarray, " S"], Float[Array | np.ndarray, ""]]:
        """Return the dead ends, which include terminal states other than goal states, and their value."""
        return (self.dead | mdp.terminal) & ~self.goal, namespace(self.dead_end).asarray(self.dead_end)


def goals(
    world: World,
    places: Mapping[str, Any],
    *,
    step_cost: Leaf | Numbers = 1.0,
    bonus: Leaf | Numbers = 0.0,
    dead_end: float | None = None,
) -> dict[str, GoalReward]:
    r"""Make one :class:`GoalReward` per named goal.

    Parameters
    ----------
    world : World
        World of the goals.
    places : mapping
        Name of the goal -> a state, a mark that several cells carry, or a list of states.
    step_cost : float or Distribution
        Cost per step, :math:`c`, in utility.
    bonus : float or Distribution
        Utility of arrival, :math:`b`.
    dead_end : float, optional
        Value, in utility, of a state from which the goal cannot be reached, and of a terminal state of the world that
        is not the goal. Default: :math:`-c\,S`, the cost of a path through every state of the world. Results depend on
        it; see :class:`GoalReward`. It has to be given where ``step_cost`` is a prior.

    Returns
    -------
    dict
        Name -> reward.

    Raises
    ------
    ValueError
        Where there is no goal, a place is no state (a wall, outside the map), a number is not finite, or the step cost
        is a prior and ``dead_end`` is not given.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=1.0)
    >>> sorted(gi.goals(hall, {"left": "a", "right": "b"}, step_cost=1.0))
    ['left', 'right']

    Where both exits are terminal, the other one is a dead end; the probability of a step to it depends on its value:

    >>> ends = gi.gridworld("asb", terminal="ab", discount=1.0)
    >>> for dead_end in (0.0, -1.0, -3.0):
    ...     left = gi.goals(ends, {"left": "a"}, dead_end=dead_end)["left"]
    ...     policy = gi.agents.boltzmann(beta=1.0).policy(ends, left)
    ...     print(round(policy.sel(state="s", action="right").item(), 3))
    0.366
    0.175
    0.028
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind("places", places, Mapping, "a mapping from name to place, such as {'home': 'a'}")
    if not places:
        raise ValueError("no goals were given; name at least one place, such as {'home': 'a'}")
    cost = leaf(step_cost, "step_cost of a GoalReward")
    if dead_end is None:
        if isinstance(cost, Distribution):
            raise ValueError(
                f"step_cost is a prior ({type(cost).__name__}), and the default value of a dead end is a multiple "
                "of the step cost: give dead_end=, a number"
            )
        dead_end = -abs(cost) * world.n_states
    rewards = {}
    for name, place in places.items():
        is_collection = isinstance(place, (list, set, frozenset))
        try:
            cells = [i for part in (place if is_collection else [place]) for i in world.cells(part)]
        except ValueError as error:
            raise ValueError(f"goal {name!r}: {error}") from None
        if not cells:
            raise ValueError(f"goal {name!r} names no state")
        goal = np.zeros(world.n_states, bool)
        goal[cells] = True
        dead = ~world.can_reach(goal)
        rewards[name] = GoalReward(goal, dead, step_cost=cost, bonus=bonus, dead_end=dead_end)
    return rewards
