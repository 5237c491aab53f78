"""Checks of data before they are scored under an agent: data that the worlds or the agent do not allow are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from goalinf.agents.agent import Agent
from goalinf.data.matching.fitting import check_fits
from goalinf.data.recorded import Recorded
from goalinf.worlds import World
from goalinf.worlds.names import label


def check_data(data: Recorded, worlds: Sequence[World], agent: Agent) -> None:
    """Refuse data that cannot come from these worlds, and counts for an agent whose actions depend on their order.

    Parameters
    ----------
    data : Trajectories
        Observed behavior, on the host.
    worlds : sequence of World
        One per context of the data, or one for all.
    agent : Agent
        Agent under which the data are scored. Where its execution errors are not recorded, a transition may result from
        an action other than the recorded one.

    Raises
    ------
    ValueError
        As :func:`~goalinf.data.matching.fitting.check_fits`; or where the data are counts and the actions of the agent
        depend on hidden modes, on earlier steps or on the remaining time, or every trajectory comes from one of several
        agents.
    """
    check_fits(data, worlds, slips=any(option.hidden_slip is not None for option in agent.components))
    if data.labels is None or not data.labels.counted:
        return
    for option in agent.components:
        if not option.one_policy or option.horizon is not None:
            raise ValueError(
                f"counts of choices have no order, and the actions of {option.name} depend on the order (hidden modes, "
                "habits, learning, or a horizon): give the trajectories, or use an agent with a stationary policy"
            )
    if agent.by == "trajectory":
        raise ValueError(
            "counts of choices do not identify the trajectory of each choice, and every trajectory comes from one of "
            "several agents (by='trajectory'): give the trajectories, or use by='subject' or by='data'"
        )


def check_forced(data: Recorded, worlds: Sequence[World], states: np.ndarray, forced: np.ndarray) -> None:
    """Refuse simulated trajectories in which an action was forced that their state does not offer.

    Parameters
    ----------
    data : Trajectories
        Data whose forced actions were repeated.
    worlds : sequence of World
        One per context of the data, or one for all.
    states : int (N, T+1)
        Simulated states.
    forced : bool (N, T)
        Steps of the simulated trajectories at which the action of the data was forced.

    Raises
    ------
    ValueError
        Where they do not; the message names the first such step.
    """
    for n, t in np.argwhere(forced).tolist():
        world = worlds[min(int(data.context[n]), len(worlds) - 1)]
        state, action = int(states[n, t]), int(data.actions[n, t])
        if not world.mdp.available[state, action]:
            raise ValueError(
                f"{data.where('step', n, t)}: the action is forced, and the simulated trajectory has reached state "
                f"{label(world.states[state])}, where it is not available: force actions only where every state that "
                "can be reached offers them, or leave the forced actions out of the design"
            )
