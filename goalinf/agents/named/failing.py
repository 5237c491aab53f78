"""Agents whose plans fail: in which state of mind they are changes on the way, and nobody sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from goalinf.agents.agent import Agent
from goalinf.agents.hidden.abandonment import Abandoning
from goalinf.agents.hidden.commitment import PlanCommitment
from goalinf.agents.hidden.goal_switching import Switching
from goalinf.agents.hidden.options import Option, Options
from goalinf.agents.hidden.subgoals import Subgoal
from goalinf.agents.mixtures import constructor
from goalinf.agents.named.assembly import assembled, made
from goalinf.checks import check_count, check_kind
from goalinf.rewards import goals
from goalinf.worlds import World

_DEEPEST = 1074  # 0.5**1075 is zero in float64


@constructor
def abandoning(*, hazard: Any, beta: Any, recovery: Any = 0.0, default: Any = None, **others: Any) -> Agent:
    r"""Gives its plan up, or forgets it, at some point, and perhaps takes it up again.

    At every step the one who pursues gives up with probability h and acts by the default policy; the one who has given
    up comes back with probability :math:`\rho`. The first choice is always a pursuer's.

    Parameters
    ----------
    hazard : float or Distribution
        h per step, in [0, 1]. 0: :func:`boltzmann`; 1: one informative choice.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    recovery : float or Distribution
        :math:`\rho` per step, in [0, 1].
    default : float (A,) or (S, A), optional
        What is done after giving up, cut to what is available. None: any available action alike.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``, the last
        two in either state of mind; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.abandoning(hazard=0.05, beta=2.0, lapse=0.1).parameters
    {'beta': array(2.), 'lapse': array(0.1), 'hazard': array(0.05), 'recovery': array(0.)}
    """
    process = made(Abandoning, hazard=hazard, recovery=recovery, default=default)
    return assembled("abandoning", beta, others, process=process)


@constructor
def switching(*, switch: Any, beta: Any, **others: Any) -> Agent:
    r"""Changes now and then what it wants.

    .. math:: g_{t+1} = g_t \text{ with probability } 1 - s,\text{ else } g_{t+1} \sim p(g)

    The reward has to be ``gi.one_of({name: reward, …})``, whose weights are :math:`p(g)`. The new one may be the
    old one.

    Parameters
    ----------
    switch : float or Distribution
        s per step, in [0, 1]. 0: one goal for ever; 1: a new one before every choice.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`. When it plans: where the reward is not one of several.

    References
    ----------
    Baker, Saxe and Tenenbaum (2009), model M2.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=1.0)
    >>> either = gi.one_of(gi.goals(hall, {"left": "a", "right": "b"}))
    >>> gi.agents.switching(switch=0.1, beta=2.0).policy(hall, either).sizes["mode"]
    2
    """
    return assembled("switching", beta, others, process=made(Switching, switch=switch))


@constructor
def subgoal(*, detour: Any, beta: Any, world: World, places: Any = None, **others: Any) -> Agent:
    r"""Goes by way of somewhere else first: with probability :math:`\kappa` one of the places, each as likely.

    The place is the goal until it is reached; then, or from the start, the goal is the goal. The reward has to be a
    :class:`GoalReward`; places are worth the same.

    Parameters
    ----------
    detour : float or Distribution
        :math:`\kappa`, in [0, 1]. 0: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    world : World
        Where the places are; the world the agent acts in.
    places : mapping or sequence, optional
        Each a state, a mark that several cells carry, or a list of states; names are for messages. None: every state
        that is not terminal. Each is planned for.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; where a place is no state, or there is none. When it plans: where the reward is no goal.

    References
    ----------
    Baker, Saxe and Tenenbaum (2009), model M3.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=1.0)
    >>> agent = gi.agents.subgoal(detour=0.5, beta=2.0, world=hall, places=["a"])
    >>> agent.policy(hall, gi.goals(hall, {"right": "b"})["right"]).sizes["mode"]
    2
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    if places is None:
        places = [world.states[i] for i in np.flatnonzero(~world.mdp.terminal)]
    if not isinstance(places, Mapping):
        check_kind("places", places, (list, tuple), "a list of states or marks, or a mapping from name to place")
        places = {f"number {number}": place for number, place in enumerate(places)}
    try:
        found = list(goals(world, {str(name): place for name, place in places.items()}).values())
    except ValueError as error:
        raise ValueError(f"places: {error}") from None
    where, dead = (np.stack([getattr(goal, part) for goal in found]) for part in ("goal", "dead"))

    process = made(Subgoal, detour=detour, places=where, dead=dead)
    return assembled("subgoal", beta, others, process=process)


@constructor
def plan_commitment(*, replan: Any, beta: Any, depths: Any, commitment: int | None = None, **others: Any) -> Agent:
    r"""Plans to some depth, follows that plan for a while, and plans anew.

    When it plans, the depth d is drawn, and the policy of looking d steps ahead is followed for :math:`\min(d, L)`
    choices; then, or before every choice with probability p, it plans again.

    Parameters
    ----------
    replan : float or Distribution
        p per step, in [0, 1]. 1: a new depth for every choice.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    depths : sequence of float, or int
        Probability of depth 1, 2, …, D. A number D: geometric, every depth half as likely as the one before.
    commitment : int, optional
        L. None: a plan ends only by chance; with ``replan=0``, there is one depth for the whole episode.
    **others
        ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; where depths are no probabilities.

    References
    ----------
    After the search with a random budget of Zhi-Xuan et al. (2020), with a likelihood that is exact.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.plan_commitment(replan=0.1, beta=2.0, depths=3).process.depths.round(3)
    array([0.571, 0.286, 0.143])
    """
    if isinstance(depths, int):
        check_count("depths", depths)
        if depths > _DEEPEST:
            raise ValueError(f"depths is {depths:,}; beyond {_DEEPEST:,} their probability is zero: give at most that")
    try:
        shares = _geometric(depths) if isinstance(depths, int) else np.asarray(depths, float)
    except (TypeError, ValueError):
        shares = np.zeros(0)
    if shares.ndim != 1 or not ((shares >= 0).all() and abs(shares.sum() - 1.0) < 1e-6):
        raise ValueError(f"depths are {depths!r}; expected the probabilities of depth 1, 2, …, which sum to 1")
    if commitment is not None:
        check_count("commitment", commitment)
    without = dict.fromkeys(("horizon", "depth"), "depths say how far a plan looks")

    process = made(PlanCommitment, replan=replan, depths=shares, commitment=commitment)
    return assembled("plan_commitment", beta, others, process=process, without=without)


@constructor
def options(*, options: Sequence[Option], beta: Any, early: Any = 0.0, overshoot: Any = 0.0, **others: Any) -> Agent:
    r"""Follows one option at a time, and may end it too early or too late.

    Options are chosen by :math:`\mathrm{softmax}_o(\beta\,Q_O(s,o))` among those that may begin, where :math:`Q_O`
    takes no errors into account. On arriving in s the option that is followed ends with probability
    :math:`(1 - \zeta_o)\,\beta_o(s) + \zeta_e\,(1 - \beta_o(s))`, and the next one is chosen, which may be the same.

    Parameters
    ----------
    options : sequence of Option
        ``goalinf.agents.Option(policy, termination, initiation, name)``. In every state one must be able to begin.
        Options of a single action that end everywhere: :func:`boltzmann`.
    beta : float or Distribution
        Inverse temperature in 1/utility of the choice among options, at least 0.
    early : float or Distribution
        :math:`\zeta_e`, in [0, 1]: probability of ending where the option goes on. 0: never.
    overshoot : float or Distribution
        :math:`\zeta_o`, in [0, 1]: probability of going on where the option ends. 0: never.
    **others
        ``discount``, ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`. When it plans: where options do not fit the world, which has over 1,000 states, or none
        can begin somewhere.

    References
    ----------
    Sutton, Precup and Singh (1999).

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpy as np
    >>> from goalinf.agents import Option
    >>> hall = gi.gridworld("a..b", discount=0.9)
    >>> walks = [Option(np.tile(np.eye(4)[a], (4, 1)), np.eye(4)[end], name=name)
    ...          for name, a, end in [("left", 2, 0), ("right", 3, 3)]]
    >>> reward = gi.StateReward.at(hall, {"b": 1.0}, default=0.0, on="departure")
    >>> gi.agents.options(options=walks, beta=2.0, overshoot=0.1).policy(hall, reward).dims
    ('mode', 'state', 'action')
    """
    chosen = tuple(options) if isinstance(options, Sequence) else options
    without = dict.fromkeys(("horizon", "depth", "backup", "outlook"), "options are planned for in a way of their own")

    process = made(Options, options=chosen, early=early, overshoot=overshoot)
    return assembled("options", beta, others, process=process, without=without)


def _geometric(depth: int) -> np.ndarray:
    """Every depth up to this one half as likely as the one before."""
    shares = 0.5 ** np.arange(depth)
    return shares / shares.sum()
