"""Agents that do not know in which of several worlds they are."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from goalinf.agents.agent import Agent
from goalinf.agents.mixtures import constructor
from goalinf.agents.named.assembly import assembled
from goalinf.agents.parts.belief_state import Ignorance
from goalinf.worlds import World


@constructor
def ignorant(
    world: World, *, beta: Any, updates: int | None = None, prior: Any = None, about: Hashable = None, **others: Any
) -> Agent:
    r"""Does not know in which of several worlds it is, learns from what happens, and may have a wrong prior.

    .. math:: Q(s, b, a) = \sum_w b(w) \sum_t P_w(t \mid s, a)\,[R(s, a, t) + \gamma V(t, b')],\quad
        b'(w) \propto b(w)\,P_w(t \mid s, a)

    It acts in a belief world (:func:`belief_world`), where what it expects need not be what happens: make it with the
    world of its beliefs, and let it act in that with ``truth=``. It looks ahead to what it will learn, so that it goes
    to find out what is worth knowing.

    Parameters
    ----------
    world : World
        A belief world; its prior is that of the agent.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    updates : int, optional
        How many steps ahead it expects to learn, :math:`C_m`: it plans as if its belief stayed as it is from then on,
        and anew at every step. 0: it learns but never acts in order to. None: without end.
    prior : float or Distribution, optional
        Its own prior probability of the world ``about``, in (0, 1); the others share the rest as in the belief world.
        None: that of the belief world.
    about : name, optional
        Which world that is. Default: the first, where there are two.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; and where the world is no belief world, or ``updates``, ``prior`` or ``about`` mean
        nothing there. When it plans: where the world is another belief world.

    Notes
    -----
    Every named agent can be ignorant: it takes ``beliefs=goalinf.agents.Ignorance.of(world)``. With ``updates`` it is
    planned in a problem of about ``updates + 1`` times the states; values and default policies that a planner or
    choice rule holds state by state do not fit that, and neither do ``goalinf.agents.Options``.

    References
    ----------
    Evans, Stuhlmüller and Goodman (2016); Kaelbling, Littman and Cassandra (1998).

    Examples
    --------
    A wrong prior: it walks to a shop that is closed, sees that, and turns.

    >>> import goalinf as gi
    >>> import jax
    >>> import numpy as np
    >>> def street(door):
    ...     steps = [[door, 3], [1, 3], [2, 2], [3, 3]]  # "shop" and "home" from the corner, from a shut door, …
    ...     names = {"states": ["corner", "shut", "fed", "home"], "actions": ["shop", "home"]}
    ...     return gi.from_arrays(np.eye(4)[steps], terminal=["fed", "home"], initial="corner", discount=0.9, **names)
    >>> worlds, prior = {"open": street(2), "closed": street(1)}, {"open": 0.9, "closed": 0.1}
    >>> believed, really = gi.belief_world(worlds, prior), gi.belief_world(worlds, prior, truth="closed")
    >>> wants = gi.StateReward.at(believed, {"fed": 2.0, "home": 1.0}, default=0.0, on="arrival")
    >>> agent = gi.agents.ignorant(believed, beta=20.0)
    >>> walk = gi.simulate(jax.random.key(0), really, agent, wants, trajectories=1, steps=4)
    >>> walk.to_frame()[["state", "action"]].to_numpy().tolist()
    [['corner', 'shop'], ['shut', 'home']]
    """
    beliefs = Ignorance.of(world, updates=updates, prior=prior, about=about)
    return assembled("ignorant", beta, others, beliefs=beliefs)
