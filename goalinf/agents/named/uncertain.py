"""Agents that are uncertain about the world."""

from __future__ import annotations

from collections.abc import Hashable

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.named.assembly import Setting, assemble
from goalinf.agents.parts.belief_state import Ignorance
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers
from goalinf.worlds import World


@constructor
def ignorant(
    world: World,
    *,
    beta: Parameter | Numbers,
    updates: int | None = None,
    prior: Parameter | None = None,
    about: Hashable = None,
    **others: Setting,
) -> Agent:
    r"""Make an agent that is uncertain about the world, updates its belief, and may have a wrong prior.

    .. math:: Q(s, b, a) = \sum_w b(w) \sum_t P_w(t \mid s, a)\,[R(s, a, t) + \gamma V(t, b')],\quad
        b'(w) \propto b(w)\,P_w(t \mid s, a)

    The agent acts in a belief world (:func:`belief_world`), whose transitions need not be the ones it expects: make the
    agent with the belief world, and simulate it in the belief world with ``truth=``. It plans for its later belief
    updates, so that it gathers information where information increases its expected return.

    Parameters
    ----------
    world : World
        A belief world; its prior is the prior of the agent.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    updates : int, optional
        Number of steps ahead for which it expects to learn, :math:`C_m`: it plans as if its belief were constant after
        these steps, and plans again at every step. 0: it learns but never acts in order to learn. None: no limit.
    prior : float or Distribution, optional
        Its own prior probability of the world ``about``, in (0, 1); the other worlds share the rest in the proportions
        of the belief world. None: the prior of the belief world.
    about : name, optional
        Name of the world that ``prior`` refers to. Default: the first, where there are two.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; and where the world is no belief world, or ``updates``, ``prior`` or ``about`` do not fit
        it. When it plans: where the world is another belief world.

    Notes
    -----
    Every named agent accepts such beliefs: ``beliefs=goalinf.agents.Ignorance.of(world)``. With ``updates`` the
    planning problem has about ``updates + 1`` times the states; values and default policies that a planner or choice
    rule holds by state do not fit it, and neither do ``goalinf.agents.Options``.

    References
    ----------
    Evans, Stuhlmüller and Goodman (2016); Kaelbling, Littman and Cassandra (1998).

    Examples
    --------
    A wrong prior: the agent walks to a shop that is closed, observes this, and turns back.

    >>> import goalinf as gi
    >>> import jax
    >>> import numpy as np
    >>> def street(door):
    ...     steps = [[door, 3], [1, 3], [2, 2], [3, 3]]  # "shop" and "home" from the corner, from a shut door, …
    ...     names = {"states": ["corner", "shut", "fed", "home"], "actions": ["shop", "home"]}
    ...     return gi.from_arrays(np.eye(4)[steps], terminal=["fed", "home"], initial="corner", discount=0.9, **names)
    >>> worlds, prior = {"open": street(2), "closed": street(1)}, {"open": 0.9, "closed": 0.1}
    >>> believed, actual = gi.belief_world(worlds, prior), gi.belief_world(worlds, prior, truth="closed")
    >>> reward = gi.StateReward.at(believed, {"fed": 2.0, "home": 1.0}, default=0.0, on="arrival")
    >>> agent = gi.agents.ignorant(believed, beta=20.0)
    >>> data = gi.simulate(jax.random.key(0), actual, agent, reward, trajectories=1, steps=4)
    >>> data.to_frame()[["state", "action"]].to_numpy().tolist()
    [['corner', 'shop'], ['shut', 'home']]
    """
    beliefs = Ignorance.of(world, updates=updates, prior=prior, about=about)
    return assemble("ignorant", beta, others, beliefs=beliefs)
