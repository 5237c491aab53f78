"""Admission of data to an agent's behavior: what cannot come from its worlds, or not be scored under it, is refused."""

from __future__ import annotations

from collections.abc import Sequence

from goalinf.agents.agent import Agent
from goalinf.agents.mixtures import Mixture, options_of
from goalinf.data import Trajectories
from goalinf.data.fitting import check_fits
from goalinf.worlds import World


def check_data(data: Trajectories, worlds: Sequence[World], agent: Agent | Mixture) -> None:
    """Refuse data that cannot come from these worlds, and counts where more than they say is scored.

    Parameters
    ----------
    data : Trajectories
        Observed behavior, on the host.
    worlds : sequence of World
        One per context of the data, or one for all.
    agent : Agent or Mixture
        Under which the data are scored. Where it slips in ways that are not recorded, a transition may be that of
        another action.

    Raises
    ------
    ValueError
        As :func:`~goalinf.data.fitting.check_fits`; or where the data are counts and the agent acts by latent modes, by
        what came before, or by the time that is left, or every trajectory is one of several agents.
    """
    options = options_of(agent)
    check_fits(data, worlds, slips=any(one.hidden_slip is not None for one in options))
    if data.labels is None or not data.labels.counted:
        return
    for one in options:
        if not one.one_policy or one.horizon is not None:
            raise ValueError(
                f"counts of choices have no order, and the choices of {one.name} depend on it (latent modes, habits, "
                "learning, or a horizon): give the trajectories, or use an agent with a stationary policy"
            )
    if isinstance(agent, Mixture) and agent.by == "trajectory":
        raise ValueError(
            "counts of choices do not say which of them belong to one trajectory, and every trajectory is one of "
            "several agents (by='trajectory'): give the trajectories, or use by='subject' or by='data'"
        )
