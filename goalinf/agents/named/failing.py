"""Agents with hidden modes: abandonment, switching goals, subgoals, plan commitment, options."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.hidden.abandonment import Abandoning
from goalinf.agents.hidden.commitment import PlanCommitment
from goalinf.agents.hidden.goal_switching import Switching
from goalinf.agents.hidden.options import Option, Options
from goalinf.agents.hidden.subgoals import Subgoal
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.checks import check_count, check_kind
from goalinf.planning.parameters import Parameter
from goalinf.rewards import goals
from goalinf.types import Numbers
from goalinf.worlds import World

_DEEPEST = 1074  # 0.5**1075 is zero in float64


@constructor
def abandoning(
    *,
    hazard: Parameter,
    beta: Parameter | Numbers,
    recovery: Parameter = 0.0,
    default: Parameter | Numbers | None = None,
    **others: Setting,
) -> Agent:
    r"""Make an agent that gives up (or forgets) its plan, and may resume it.

    At every step, an agent that follows its plan gives up with probability h and then follows the default policy; an
    agent that has given up resumes its plan with probability :math:`\rho`. The first action always follows the plan.

    Parameters
    ----------
    hazard : float or Distribution
        h per step, in [0, 1]. 0: :func:`boltzmann`; 1: only the first action is informative.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    recovery : float or Distribution
        :math:`\rho` per step, in [0, 1].
    default : float (A,) or (S, A), optional
        Policy after giving up, restricted to the available actions. None: uniform over the available actions.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``, the last
        two in both modes; see :func:`boltzmann`.

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
    process = make_part(Abandoning, hazard=hazard, recovery=recovery, default=default)
    return assemble("abandoning", beta, others, process=process)


@constructor
def switching(*, switch: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an agent whose goal changes with some probability per step.

    .. math:: g_{t+1} = g_t \text{ with probability } 1 - s,\text{ else } g_{t+1} \sim p(g)

    The reward has to be ``gi.one_of({name: reward, …})``, whose weights are :math:`p(g)`. The new goal may equal the
    old goal.

    Parameters
    ----------
    switch : float or Distribution
        s per step, in [0, 1]. 0: one goal throughout; 1: a new draw before every action.
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
    return assemble("switching", beta, others, process=make_part(Switching, switch=switch))


@constructor
def subgoal(
    *,
    detour: Parameter,
    beta: Parameter | Numbers,
    world: World,
    places: Mapping[Any, Hashable] | Sequence[Hashable] | None = None,
    **others: Setting,
) -> Agent:
    r"""Make an agent that visits a subgoal first, with probability :math:`\kappa`.

    The subgoal is drawn uniformly from ``places`` and pursued until it is reached; after that, or from the start with
    probability :math:`1 - \kappa`, the agent pursues the goal. The reward has to be a :class:`GoalReward`; subgoals
    have the same bonus and step cost.

    Parameters
    ----------
    detour : float or Distribution
        :math:`\kappa`, in [0, 1]. 0: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    world : World
        World of the subgoals, in which the agent acts.
    places : mapping or sequence, optional
        Subgoals, each a state, a mark that several cells carry, or a list of states; names are for messages. None:
        every state that is not terminal. A policy is computed for each.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; where a subgoal is no state, or there is none. When it plans: where the reward is not a
        goal.

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
        subgoals = list(goals(world, {str(name): place for name, place in places.items()}).values())
    except ValueError as error:
        raise ValueError(f"places: {error}") from None
    goal_states, dead = (np.stack([getattr(goal, part) for goal in subgoals]) for part in ("goal", "dead"))

    process = make_part(Subgoal, detour=detour, places=goal_states, dead=dead)
    return assemble("subgoal", beta, others, process=process)


@constructor
def plan_commitment(
    *,
    replan: Parameter,
    beta: Parameter | Numbers,
    depths: int | Numbers,
    commitment: int | None = None,
    **others: Setting,
) -> Agent:
    r"""Make an agent that plans to some depth, follows the plan for several steps, and plans again.

    When it plans, the depth d is drawn, and the policy of depth-d lookahead is followed for :math:`\min(d, L)` steps;
    then, or before every action with probability p, it plans again.

    Parameters
    ----------
    replan : float or Distribution
        p per step, in [0, 1]. 1: a new depth for every action.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    depths : sequence of float, or int
        Probability of depth 1, 2, …, D. A number D: geometric, every depth half as likely as the one before.
    commitment : int, optional
        L. None: a plan ends only with probability p per step; with ``replan=0`` one depth holds for the episode.
    **others
        ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; where ``depths`` are not probabilities.

    References
    ----------
    Based on the search with a random budget of Zhi-Xuan et al. (2020), here with an exact likelihood.

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
    without = dict.fromkeys(("horizon", "depth"), "depths set the planning depth")

    process = make_part(PlanCommitment, replan=replan, depths=shares, commitment=commitment)
    return assemble("plan_commitment", beta, others, process=process, without=without)


@constructor
def options(
    *,
    options: Sequence[Option],
    beta: Parameter | Numbers,
    early: Parameter = 0.0,
    overshoot: Parameter = 0.0,
    **others: Setting,
) -> Agent:
    r"""Make an agent that follows one option at a time, and may terminate it too early or too late.

    Options are chosen by :math:`\mathrm{softmax}_o(\beta\,Q_O(s,o))` among the options that may begin, where
    :math:`Q_O` assumes termination without errors. On arrival in s the current option terminates with probability
    :math:`(1 - \zeta_o)\,\beta_o(s) + \zeta_e\,(1 - \beta_o(s))`, and the next option is chosen, possibly the same
    one.

    Parameters
    ----------
    options : sequence of Option
        ``goalinf.agents.Option(policy, termination, initiation, name)``. In every state at least one option must be
        able to begin. Options of a single action that terminate in every state: :func:`boltzmann`.
    beta : float or Distribution
        Inverse temperature in 1/utility of the choice among options, at least 0.
    early : float or Distribution
        :math:`\zeta_e`, in [0, 1]: probability of terminating where the option continues. 0: never.
    overshoot : float or Distribution
        :math:`\zeta_o`, in [0, 1]: probability of continuing where the option terminates. 0: never.
    **others
        ``discount``, ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`. When it plans: where options do not fit the world, or no option can begin in a state.

    References
    ----------
    Sutton, Precup and Singh (1999).

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpy as np
    >>> from goalinf.agents import Option
    >>> hall = gi.gridworld("a..b", discount=0.9)
    >>> both = [Option(np.tile(np.eye(4)[a], (4, 1)), np.eye(4)[end], name=name)
    ...         for name, a, end in [("left", 2, 0), ("right", 3, 3)]]
    >>> reward = gi.StateReward.at(hall, {"b": 1.0}, default=0.0, on="departure")
    >>> gi.agents.options(options=both, beta=2.0, overshoot=0.1).policy(hall, reward).dims
    ('mode', 'state', 'action')
    """
    chosen = tuple(options) if isinstance(options, Sequence) else options
    without = dict.fromkeys(("horizon", "depth", "backup", "outlook"), "options have their own planner")

    process = make_part(Options, options=chosen, early=early, overshoot=overshoot)
    return assemble("options", beta, others, process=process, without=without)


def _geometric(depth: int) -> np.ndarray:
    """Return geometric probabilities: each depth is half as probable as the previous one."""
    shares = 0.5 ** np.arange(depth)
    return shares / shares.sum()
